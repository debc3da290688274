"""
What every rulebook may take for granted about a portfolio: finite numbers, prices above 0, no position twice.
"""

from decimal import Decimal

import msgspec

from tocsin.venues import VenueRefusal
from tocsin.venues.contract import Leg, Portfolio

HUGE = Decimal("1e24")
"""No amount, size or price of an account is beyond this; larger ones are errors of unit or damaged payloads."""

MARKS_APART = Decimal("0.001")
"""Two legs of one symbol may differ in their marks by this share: beyond it they are of different moments."""

_ABOVE_ZERO = ("contract_size", "entry", "mark", "index", "leverage", "order_price")
_NOT_BELOW_ZERO = ("order_buy", "order_sell", "maintenance_rate", "initial_rate")


def check_portfolio(portfolio: Portfolio) -> None:
    """
    Check a portfolio before any rule reads it.

    Raises:
        VenueRefusal: A number is not finite or beyond `HUGE`; a price, contract size or leverage is not above 0; a leg
            or an asset appears twice; a hedge side contradicts its sign. The message names leg, field and value.
    """
    seen: set[tuple[str, str]] = set()
    for leg in portfolio.legs:
        _check_leg(leg)
        key = (leg.symbol, leg.hedge_side)
        if key in seen:
            raise VenueRefusal(f"legs: {leg.symbol} {leg.hedge_side or 'one-way'} appears twice; give one leg for each")
        seen.add(key)
    one_way = {symbol for symbol, side in seen if not side}
    both = sorted(symbol for symbol, side in seen if side and symbol in one_way)
    if both:
        raise VenueRefusal(
            f"legs: {both[0]} appears one-way and with a hedge side; an account has one of the two modes"
        )
    assets: set[str] = set()
    for balance in portfolio.balances:
        where = f"balance {balance.asset}"
        _check_finite(where, balance)
        if balance.asset in assets:
            raise VenueRefusal(f"{where}: appears twice; add the amounts")
        assets.add(balance.asset)
        if balance.price is not None and balance.price <= 0:
            raise VenueRefusal(f"{where}: price must be above 0, was {balance.price}")
        if balance.borrowed < 0:
            raise VenueRefusal(f"{where}: borrowed must be 0 or more, was {balance.borrowed}")
    _check_finite("account", portfolio)
    if portfolio.other_maintenance is not None and portfolio.other_maintenance < 0:
        raise VenueRefusal(f"account: other_maintenance must be 0 or more, was {portfolio.other_maintenance}")


def check_marks(portfolio: Portfolio) -> None:
    """
    Check that legs of one symbol have one mark: two sides of a hedged position are valued at one moment.

    Raises:
        VenueRefusal: Two marks differ by more than `MARKS_APART`; the message names symbol and marks.
    """
    marks: dict[str, Decimal] = {}
    for leg in portfolio.legs:
        if leg.mark is not None:
            other = marks.setdefault(leg.symbol, leg.mark)
            if abs(other - leg.mark) > other * MARKS_APART:
                raise VenueRefusal(f"{leg.symbol} has the marks {other} and {leg.mark}; give both legs at one moment")


def _check_leg(leg: Leg) -> None:
    where = f"leg {leg.symbol}"
    _check_finite(where, leg)
    if leg.option is not None:
        _check_finite(where, leg.option)
    for name in _ABOVE_ZERO:
        value = getattr(leg, name)
        if value is not None and value <= 0:
            raise VenueRefusal(f"{where}: {name} must be above 0, was {value}")
    for name in _NOT_BELOW_ZERO:
        value = getattr(leg, name)
        if value is not None and value < 0:
            raise VenueRefusal(f"{where}: {name} must be 0 or more, was {value}")
    if leg.deduction and leg.maintenance_rate is None:
        raise VenueRefusal(f"{where}: maintenance_rate is missing: deduction {leg.deduction} is of no use without it")
    if leg.hedge_side not in ("", "long", "short"):
        raise VenueRefusal(f'{where}: hedge_side must be "long", "short" or "", was {leg.hedge_side!r}')
    if (leg.hedge_side == "long" and leg.size < 0) or (leg.hedge_side == "short" and leg.size > 0):
        raise VenueRefusal(f"{where}: size {leg.size} contradicts hedge_side {leg.hedge_side!r}; a short is negative")


def _check_finite(where: str, record: msgspec.Struct) -> None:
    for name in record.__struct_fields__:
        value = getattr(record, name)
        if isinstance(value, Decimal) and not (value.is_finite() and value.copy_abs() <= HUGE):
            raise VenueRefusal(f"{where}: {name} must be a number of at most {HUGE}, was {value}")
