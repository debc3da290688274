"""
Options in Bybit's cross margin: a short one needs margin by itself, a long one has been paid for.

Per option: maintenance `max(m x I, m x mark) + mark + liquidation fee x I`; initial
`max(max(i_max x I - OTM, i_min x I) + max(entry, mark), maintenance)`, I the index price, OTM how far the strike is out
of the money. Factors are the venue's per coin.
"""

from decimal import Decimal

from tocsin.venues import VenueRefusal
from tocsin.venues.bybit_tables import to_settle
from tocsin.venues.contract import Leg, LegMargin, LiquidationPrice, MissingInput, NoPrice
from tocsin.venues.params import Params
from tocsin.venues.products import entry_of, mark_of

ZERO = Decimal(0)
FORMULA = "short option: maintenance = max(m x index, m x mark) + mark + liquidation fee x index; long: 0"


def value_option(leg: Leg, params: Params) -> LegMargin:
    """
    Return the margins of one option in cross margin, in its settlement coin, >= 0.

    Raises:
        MissingInput: No terms, mark, index or (initial margin of a short) entry price; or no factors for its coin.
    """
    source = params.get("options")
    if leg.option is None:
        raise MissingInput("option", f"the margin of {leg.symbol} needs its strike")
    if leg.order_buy or leg.order_sell:
        raise VenueRefusal(f"{leg.symbol}: margin of resting option orders is not covered; leave them out")
    mark, contracts = mark_of(leg), abs(leg.size) * leg.contract_size
    initial = maintenance = ZERO
    rate: Decimal | None = None
    if leg.size < 0:
        if leg.index is None:
            raise MissingInput("index", f"the margin of the short option {leg.symbol} is a part of the index price")
        rate = source.number("coins", leg.underlying, "maintenance")
        fee = source.number("coins", leg.underlying, "liquidation_fee")
        one = max(rate * leg.index, rate * mark) + mark + fee * leg.index
        side = 1 if leg.option.is_call else -1
        away = max(side * (leg.option.strike - leg.index), ZERO)
        most, least = (source.number("coins", leg.underlying, f"initial_{w}") for w in ("max", "min"))
        first = max(most * leg.index - away, least * leg.index) + max(entry_of(leg), mark)
        initial, maintenance = contracts * max(first, one), contracts * one
    profit = None if leg.entry is None else leg.size * leg.contract_size * (mark - leg.entry)
    return LegMargin(
        symbol=leg.symbol,
        unit=to_settle(leg),
        notional=contracts * (leg.index if leg.index is not None else mark),
        initial=initial,
        maintenance=maintenance,
        unrealised=profit,
        rate=rate,
        liquidation=LiquidationPrice(price=None, reason=NoPrice.OPTION, binding="account"),
        basis=source.basis(FORMULA),
    )
