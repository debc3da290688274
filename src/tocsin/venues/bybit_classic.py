"""
Bybit's classic account (before the unified one; testnet and old samples): cross maintenance at the bankruptcy price.

Linear: `size x bankruptcy price x rate`; inverse: `size / bankruptcy price x rate`. The bankruptcy price is the venue's
own (`bustPrice`), given as `extra["bust_price:SYMBOL"]`. Initial margin is entry value at the highest leverage.
"""

from decimal import Decimal

import msgspec

from tocsin.venues import VenueRefusal
from tocsin.venues.bybit_tables import find_table, to_settle
from tocsin.venues.contract import (
    Basis,
    Evaluation,
    Leg,
    LegMargin,
    LiquidationPrice,
    MissingInput,
    NoPrice,
    Portfolio,
    Product,
)
from tocsin.venues.params import Params
from tocsin.venues.products import entry_of, notional_at, profit_between

ZERO = Decimal(0)
FORMULA = "maintenance = value at the bankruptcy price x rate; initial = entry value / highest leverage"


def evaluate_classic(portfolio: Portfolio, params: Params) -> Evaluation:
    """
    Return the legs of a classic account in cross margin; one settlement coin an account.

    Raises:
        MissingInput: No rate, entry or bankruptcy price of a leg.
        VenueRefusal: A leg is neither linear nor inverse, or legs settle in several coins.
    """
    margins = tuple(_value(leg, portfolio, params) for leg in portfolio.legs)
    units = {m.unit for m in margins}
    if len(units) > 1:
        raise VenueRefusal(f"a classic account settles in one coin, legs settle in {', '.join(sorted(units))}")
    firsts = [m.initial for m in margins]
    return Evaluation(
        rules="bybit-classic",
        unit=units.pop() if units else portfolio.valuation,
        equity=portfolio.equity,
        initial=None if None in firsts else sum((f for f in firsts if f is not None), ZERO),
        maintenance=sum((m.maintenance or ZERO for m in margins), ZERO),
        legs=margins,
        health=None,
        basis=Basis(formula=FORMULA, params="", params_date="", source="Bybit v5 documentation, position samples"),
    )


def _value(leg: Leg, portfolio: Portfolio, params: Params) -> LegMargin:
    if leg.product not in (Product.LINEAR, Product.INVERSE):
        raise VenueRefusal(f"bybit-classic has no rule for {leg.symbol}: it is {leg.product}")
    bust = portfolio.extra.get(f"bust_price:{leg.symbol}")
    if bust is None or bust <= 0:
        raise MissingInput(f'extra["bust_price:{leg.symbol}"]', "classic maintenance is taken at the bankruptcy price")
    table, source, _ = find_table(leg, params)
    value = notional_at(leg, entry_of(leg))
    tier = table.find(value)
    rate = table.initial_rate(value) if source is not None or leg.initial_rate is not None else _shipped(leg, params)
    basis = (
        Basis(formula=FORMULA, params="given with the position", params_date="", source="the payload")
        if source is None
        else source.basis(FORMULA)
    )
    return LegMargin(
        symbol=leg.symbol,
        unit=to_settle(leg),
        notional=value,
        initial=None if rate is None else value * rate,
        maintenance=notional_at(leg, bust) * tier.rate,
        unrealised=None if leg.mark is None else profit_between(leg, entry_of(leg), leg.mark),
        rate=tier.rate,
        tier=None if source is None else tier.number,
        liquidation=LiquidationPrice(price=None, reason=NoPrice.INPUT_MISSING, binding="account"),
        basis=basis,
    )


def _shipped(leg: Leg, params: Params) -> Decimal | None:
    """
    Return the least initial rate of shipped brackets where the payload states the maintenance rate alone, None without.
    """
    try:
        table, _, complete = find_table(msgspec.structs.replace(leg, maintenance_rate=None), params)
    except MissingInput:
        return None
    value = notional_at(leg, entry_of(leg))
    return table.initial_rate(value) if complete or not table.charge(value).is_beyond else None
