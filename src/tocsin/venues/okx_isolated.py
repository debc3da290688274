"""
OKX's isolated margin: contracts and borrowed spot, each position with its own collateral.

`mgnRatio = (margin + profit) / (maintenance + closing fee)`; liquidation at 100 %. Borrowed spot: what is held less
what is owed, over maintenance and fee. Source: help pages "Introduction to the isolated mode", "Tiered maintenance
margin ratio rules"; payloads reproduce the ratio to 1e-12.
"""

from collections.abc import Sequence
from decimal import Decimal, localcontext

import msgspec

from tocsin.venues import VenueRefusal
from tocsin.venues.contract import (
    NUMBERS,
    Basis,
    Evaluation,
    Health,
    Leg,
    LegMargin,
    LiquidationPrice,
    MissingInput,
    Mode,
    NoPrice,
    Portfolio,
    Product,
    Threshold,
)
from tocsin.venues.liquidation import find_liquidation
from tocsin.venues.okx_legs import borrowed_of, need_of, unrealised_of
from tocsin.venues.okx_rates import OPTIONS, ZERO, Rates
from tocsin.venues.params import Params, ParamSet
from tocsin.venues.products import entry_of, mark_of, notional_at, profit_between

FORMULA = "(margin + unrealised profit) / (notional x tier rate + closing fee); whole position at its tier's rate"
BORROWED = "(held - owed) / (owed x tier rate + owed x (1 + tier rate) x fee)"


def evaluate_isolated(portfolio: Portfolio, params: Params) -> Evaluation:
    """
    Evaluate every leg as an isolated position.

    A contract needs `isolated_collateral`; borrowed spot may have its margin inside `extra["assets:SYMBOL"]`. A leg
    without a mark has a liquidation price, but no amounts. Legs that settle in several assets have no totals.

    Raises:
        MissingInput: A rate, a contract's collateral or its entry is absent.
        VenueRefusal: An option.
    """
    with localcontext(NUMBERS):
        legs = tuple(msgspec.structs.replace(leg, mode=Mode.ISOLATED) for leg in portfolio.legs)
        rates = Rates(params, legs)
        signed: dict[str, Decimal] = {}
        margins = tuple(isolated_margin(leg, rates, params, portfolio, signed) for leg in legs)
        units = {margin.unit for margin in margins}
        summable = len(units) <= 1
        ratios = {k: v for k, v in signed.items() if k.startswith("mgnRatio:")}
        equities = [signed.get(f"equity:{key_of(leg, legs)}") for leg in legs]
        worst = min(ratios.values()) if ratios and len(ratios) == len(legs) else None
        return Evaluation(
            rules="okx-isolated",
            unit=next(iter(units)) if len(units) == 1 else portfolio.valuation,
            equity=total(equities) if summable else None,
            initial=total([margin.initial for margin in margins]) if summable else None,
            maintenance=total([margin.maintenance for margin in margins]) if summable else None,
            legs=margins,
            health=make_health(worst, rates.account) if ratios else None,
            basis=rates.account.basis(FORMULA, *rates.basis_notes()),
            signed=signed,
        )


def isolated_margin(
    leg: Leg, rates: Rates, params: Params, portfolio: Portfolio, signed: dict[str, Decimal]
) -> LegMargin:
    """
    Return one isolated position's amounts and price; put its ratio, equity and published price into `signed`.
    """
    if leg.product in OPTIONS:
        raise VenueRefusal(f"{leg.symbol}: isolated options are not covered; see the venue's page")
    if leg.product is Product.SPOT_MARGIN:
        return _borrowed_margin(leg, rates, params, portfolio, signed)
    if leg.isolated_collateral is None:
        raise MissingInput("isolated_collateral", f"{leg.symbol}: the margin of the isolated position")
    margin, entry = leg.isolated_collateral + leg.accrued_funding, entry_of(leg)
    start = leg.mark if leg.mark is not None else entry
    need = need_of(leg, start, rates, portfolio.extra)
    key = key_of(leg, portfolio.legs)

    def gap(price: Decimal) -> Decimal:
        at = need_of(leg, price, rates, portfolio.extra)
        return margin + profit_between(leg, entry, price) - (at.maintenance or ZERO) - at.closing

    found = find_liquidation(gap, mark=start, towards="down" if leg.size > 0 else "up", tier_at=lambda _: need.tier)
    notes = _publish(leg, key, found, rates, signed)
    if leg.mark is not None and need.maintenance is not None:
        equity = margin + profit_between(leg, entry, leg.mark)
        signed[f"equity:{key}"] = equity
        if needed := need.maintenance + need.closing:
            signed[f"mgnRatio:{key}"] = equity / needed
    else:
        notes = (*notes, "mark is missing: amounts at the mark are unknown")
    _, _, note = rates.table(leg)
    return LegMargin(
        symbol=leg.symbol,
        unit=leg.settle,
        notional=notional_at(leg, start),
        initial=need.initial,
        maintenance=need.maintenance if leg.mark is not None else None,
        unrealised=None if leg.mark is None else unrealised_of(leg, leg.mark),
        rate=need.rate,
        tier=need.tier,
        orders=need.orders,
        liquidation=found,
        basis=tiers_basis(leg, params, FORMULA, *((note,) if note else ()), *notes),
    )


def _borrowed_margin(
    leg: Leg, rates: Rates, params: Params, portfolio: Portfolio, signed: dict[str, Decimal]
) -> LegMargin:
    """
    Return a borrowed spot position: amounts in the margin's currency, the price in quote.
    """
    held = borrowed_of(leg, portfolio.extra)
    mark = mark_of(leg)
    need = need_of(leg, mark, rates, portfolio.extra)

    def gap(price: Decimal) -> Decimal:
        at = need_of(leg, price, rates, portfolio.extra)
        needed = ((at.maintenance or ZERO) + at.closing) * held.unit_in_quote(price)
        return held.held_in_quote(price) - held.owed_in_quote(price) - needed

    found = find_liquidation(gap, mark=mark, towards="down" if held.is_long else "up", tier_at=lambda _: need.tier)
    unit = held.unit_in_quote(mark)
    equity = (held.held_in_quote(mark) - held.owed_in_quote(mark)) / unit
    key = key_of(leg, portfolio.legs)
    signed[f"equity:{key}"] = equity
    denominator = (need.maintenance or ZERO) + need.closing
    if denominator:
        signed[f"mgnRatio:{key}"] = equity / denominator
    return LegMargin(
        symbol=leg.symbol,
        unit=leg.settle,
        notional=held.owed_in_quote(mark) / unit,
        initial=need.initial,
        maintenance=need.maintenance,
        unrealised=None,
        rate=need.rate,
        tier=need.tier,
        liquidation=found,
        basis=tiers_basis(leg, params, BORROWED, "notional is the liability"),
    )


def key_of(leg: Leg, legs: Sequence[Leg]) -> str:
    """
    Return a position's name in `signed`: its symbol, with its side where both sides are held.
    """
    both = sum(other.symbol == leg.symbol for other in legs) > 1
    return f"{leg.symbol} {leg.hedge_side}" if both else leg.symbol


def _publish(leg: Leg, key: str, found: LiquidationPrice, rates: Rates, signed: dict[str, Decimal]) -> tuple[str, ...]:
    """
    Note the price as the venue publishes it: one price step nearer to the mark than the crossing.
    """
    tick = rates.tick(leg.symbol)
    if found.price is None:
        return ()
    if tick is None:
        return ("the venue publishes a price one step nearer to the mark; the step of this instrument is not shipped",)
    signed[f"liqPx:{key}"] = found.price + tick if leg.size > 0 else found.price - tick
    return (f"the venue publishes a price one step ({tick}) nearer to the mark",)


def tiers_basis(leg: Leg, params: Params, formula: str, *notes: str) -> Basis:
    """
    Return what a leg's numbers rest on: its tiers' version, or the stated rate.
    """
    name = "margin_tiers" if leg.product is Product.SPOT_MARGIN else "tiers"
    return params.get("account" if leg.maintenance_rate is not None else name).basis(formula, *notes)


def make_health(ratio: Decimal | None, account: ParamSet, state: str = "") -> Health:
    """
    Return the maintenance margin ratio with its threshold; liquidation at or below it.
    """
    limit = account.number("liquidation_ratio")
    effect = "orders are cancelled, then positions are cut by tiers or closed"
    if not state and ratio is not None:
        state = "above maintenance" if ratio > limit else "liquidation"
    threshold = Threshold(value=limit, worse="down", effect=effect)
    return Health(name="mgnRatio", value=ratio, thresholds=(threshold,), state=state)


def no_price(reason: NoPrice, *, others: tuple[str, ...] = ()) -> LiquidationPrice:
    """
    Return "no price" of an account, with its reason.
    """
    return LiquidationPrice(price=None, reason=reason, binding="account", others=others)


def total(values: list[Decimal | None]) -> Decimal | None:
    """
    Return the sum, None if a part is unknown.
    """
    known = [value for value in values if value is not None]
    return sum(known, ZERO) if len(known) == len(values) else None
