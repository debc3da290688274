"""
Bybit's unified account in isolated margin: each leg on its own margin, its fixed liquidation price.

The fee to close is set aside; maintenance in the liquidation price is taken on the entry value (linear) or on the value
there (inverse).
"""

from collections.abc import Mapping
from decimal import Decimal

import msgspec

from tocsin.venues import VenueRefusal
from tocsin.venues.bybit_account import FUTURES, account_health, check_known, coin_prices
from tocsin.venues.bybit_legs import ONE, ZERO, Valued, margin_of, value_leg
from tocsin.venues.contract import Evaluation, Health, LiquidationPrice, Mode, Portfolio, Product
from tocsin.venues.liquidation import find_liquidation
from tocsin.venues.params import Params
from tocsin.venues.products import entry_of, notional_at, profit_between


def evaluate_isolated(portfolio: Portfolio, params: Params) -> Evaluation:
    """
    Return the legs of an account in isolated margin, each on its own; totals in their coin, else in USD.

    Raises:
        MissingInput: An input of a leg is missing; legs settle in several coins and one has no price.
        VenueRefusal: A leg is neither linear nor inverse.
    """
    for leg in portfolio.legs:
        if leg.product not in FUTURES:
            raise VenueRefusal(f"bybit-isolated has no rule for {leg.symbol}: it is {leg.product}")
    legs = [msgspec.structs.replace(leg, mode=Mode.ISOLATED, mark=leg.mark or leg.entry) for leg in portfolio.legs]
    valued = [value_leg(leg, params) for leg in legs]
    marked = [leg.mark is not None for leg in portfolio.legs]
    margins = [
        margin_of(v, _solve_isolated(v), *_isolated_notes(v, has_mark))
        for v, has_mark in zip(valued, marked, strict=True)
    ]
    assets = {v.asset for v in valued}
    unit = assets.pop() if len(assets) == 1 else "USD"
    prices: Mapping[str, Decimal] = {unit: ONE}
    if unit == "USD":
        known = {b.asset: b.price for b in portfolio.balances if b.price is not None}
        prices = {a: ONE if p is None else p for a, p in {**coin_prices(legs), **known}.items()}
    own = [(collateral_of(v) + (v.profit or ZERO)) * prices[v.asset] for v in valued]
    equity = sum(own, ZERO) if valued else portfolio.equity
    needs = [v.maintenance_at(v.mark) * prices[v.asset] for v in valued]
    worst: Health | None = None
    if valued:
        at = max(range(len(valued)), key=lambda i: needs[i] / own[i] if own[i] > 0 else Decimal("Infinity"))
        worst = account_health(
            own[at], needs[at], params, name="positionMM / position margin", of=valued[at].leg.symbol
        )
    return Evaluation(
        rules="bybit-isolated",
        unit=unit,
        equity=equity,
        initial=sum(((m.initial or ZERO) * prices[m.unit] for m in margins), ZERO),
        maintenance=sum(needs, ZERO),
        legs=tuple(margins),
        health=worst,
        basis=params.get("rules").basis("each leg's maintenance against its own margin and profit"),
    )


def collateral_of(v: Valued) -> Decimal:
    """
    Return the margin set aside for an isolated leg: as given, else its initial margin with the fee to close.
    """
    return v.initial if v.leg.isolated_collateral is None else v.leg.isolated_collateral


def _solve_isolated(v: Valued) -> LiquidationPrice:
    """
    Return the fixed liquidation price of an isolated leg: margin without the fee to close against maintenance.

    In inverse contracts, margin added beyond the initial one counts as extra / (1 + fee) long, / (1 - fee) short.
    """
    leg, entry = v.leg, entry_of(v.leg)
    extra = collateral_of(v) - v.initial
    inverse = leg.product is Product.INVERSE
    if inverse and v.fee:
        side = 1 if leg.size > 0 else -1
        extra /= 1 + side * v.fee_rate
    margin = v.initial - v.fee + extra
    fixed = None if inverse else v.table.charge(notional_at(leg, entry)).amount

    def need(price: Decimal) -> Decimal:
        return v.table.charge(notional_at(leg, price)).amount if fixed is None else fixed

    found = find_liquidation(
        lambda price: margin + profit_between(leg, entry, price) - need(price),
        mark=v.mark,
        towards="both" if not leg.size else "down" if leg.size > 0 else "up",
        edges=v.edges() if inverse else (),
        tier_at=lambda price: v.table.find(notional_at(leg, price if inverse else entry)).number,
    )
    return check_known(found, [v]) if inverse else found


def _isolated_notes(v: Valued, has_mark: bool) -> tuple[str, ...]:
    notes: list[str] = []
    if v.leg.isolated_collateral is None:
        notes.append("margin of the position is taken as its initial margin: none was added")
    if not has_mark:
        notes.append("no mark is given: amounts are at the entry price")
    return tuple(notes)
