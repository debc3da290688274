"""
What revaluing an option needs of its market: forward, volatility, time left; present and within bounds.
"""

from decimal import Decimal

import msgspec

from tocsin.risk.pricing import price_option
from tocsin.venues import VenueRefusal
from tocsin.venues.contract import Leg, MissingInput

YEARS_MAX, VOL_MAX = Decimal(100), Decimal(100)
"""Beyond 100 years or 10,000 % a payload is damaged."""


class Market(msgspec.Struct, frozen=True, kw_only=True):
    """
    An option with its market: strike and forward > 0, years >= 0, volatility >= 0 (0.5 for 50 %).
    """

    is_call: bool
    strike: Decimal
    forward: Decimal
    years: Decimal
    vol: Decimal

    def price(self, forward: Decimal, vol: Decimal) -> Decimal:
        """
        Return the Black-76 price at another forward and volatility, rate 0, >= 0.
        """
        value = price_option(float(forward), float(self.strike), float(self.years), float(vol), call=self.is_call)
        return Decimal(repr(value))


def require_market(leg: Leg) -> Market:
    """
    Return an option's market; its index price stands in for a forward that is not given.

    Raises:
        MissingInput: Terms, forward, volatility or time left are not given.
        VenueRefusal: One of them is out of bounds.
    """
    terms = leg.option
    if terms is None:
        raise MissingInput("option", f"{leg.symbol} is revalued from its terms")
    forward = terms.forward if terms.forward is not None else leg.index
    found: dict[str, Decimal] = {}
    for name, value, most in (
        ("strike", terms.strike, None),
        ("forward", forward, None),
        ("expiry_years", terms.expiry_years, YEARS_MAX),
        ("vol", terms.vol, VOL_MAX),
    ):
        if value is None:
            raise MissingInput(f"option.{name}", f"{leg.symbol} is revalued at shocked prices and volatilities")
        if value < 0 or (most is None and not value):
            raise VenueRefusal(f"{leg.symbol}: option.{name} must be {'above 0' if most is None else '0 or more'}, "
                               f"was {value}")  # fmt: skip
        if most is not None and value > most:
            raise VenueRefusal(f"{leg.symbol}: option.{name} must be at most {most}, was {value}")
        found[name] = value
    return Market(
        is_call=terms.is_call,
        strike=found["strike"],
        forward=found["forward"],
        years=found["expiry_years"],
        vol=found["vol"],
    )
