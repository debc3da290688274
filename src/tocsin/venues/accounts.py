"""
One account from what each of its legs needs: totals, health, liquidation prices. Shared by venues of that form.

A venue says what a leg needs at a price (`Charge`); this file asks it at the mark for the amounts, and at other prices
for the liquidation price. Isolated legs stand alone; cross legs share the account's equity, and legs of one symbol
move together.
"""

from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal

from tocsin.venues import VenueRefusal
from tocsin.venues.checks import check_marks
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
    Portfolio,
    Product,
)
from tocsin.venues.leg_prices import CrossPart, solve_isolated
from tocsin.venues.needs import ONE, ZERO, Charge, Need, Totals, need_mark
from tocsin.venues.products import notional_at, profit_between

_LINEAR_ONLY = "a linear or inverse contract"


HealthRule = Callable[[Totals], Health | None]
BasisRule = Callable[[Leg, Need], Basis]


def find_equity(portfolio: Portfolio, legs: Sequence[Leg]) -> tuple[Decimal | None, str]:
    """
    Return the equity behind cross legs, with the name of what lacks where it is None.

    The balance of the settlement asset plus other assets at their price, plus the legs' profit at the mark and accrued
    funding; the venue's published equity where no balances are given.

    Raises:
        MissingInput: Balances are given and a leg's entry or mark, or another asset's price, is not.
    """
    if not portfolio.balances:
        return portfolio.equity, "" if portfolio.equity is not None else "equity"
    settle = next((leg.settle for leg in legs if leg.settle), "")
    total = portfolio.other_unrealised or ZERO
    for balance in portfolio.balances:
        price = ONE if balance.asset == settle or (not settle and balance.price is None) else balance.price
        if price is None:
            raise MissingInput(f"balances.{balance.asset}.price", f"its value in {settle} is part of equity")
        total = NUMBERS.add(total, NUMBERS.multiply(balance.amount, price))
    for leg in legs:
        if leg.entry is None:
            raise MissingInput("entry", f"profit of {leg.symbol} is counted from it")
        total += NUMBERS.add(profit_between(leg, leg.entry, need_mark(leg)), leg.accrued_funding)
    return total, ""


def evaluate_legs(
    portfolio: Portfolio,
    charge: Charge,
    *,
    rules: str,
    basis: BasisRule,
    account_basis: Basis,
    health: HealthRule,
    tick: Decimal | None = None,
) -> Evaluation:
    """
    Return an account under rules that charge each leg by itself.

    Args:
        charge: What a leg needs at a price.
        basis: What a leg's numbers rest on.
        health: The venue's ratio for the cross part, or for the one isolated leg if the account has nothing else.
        tick: Price step of liquidation prices; None for the crossing itself.

    Raises:
        VenueRefusal: A leg is no linear or inverse contract, has a price <= 0, or legs settle in several assets.
        MissingInput: Nothing of a leg can be computed, or an input of equity lacks.
    """
    check_marks(portfolio)
    _check(portfolio.legs)
    needs = [_need_now(leg, charge) for leg in portfolio.legs]
    for leg, need in zip(portfolio.legs, needs, strict=True):
        has_price = need.why == "mark" and leg.isolated_collateral is not None
        if need.initial is None and need.maintenance is None and not has_price:
            raise MissingInput(need.why or "maintenance_rate", f"no amount of {leg.symbol} is known without it")
    cross = [(leg, need) for leg, need in zip(portfolio.legs, needs, strict=True) if leg.mode is not Mode.ISOLATED]
    equity, lacking = find_equity(portfolio, [leg for leg, _ in cross]) if cross or not portfolio.legs else (None, "")
    totals = _total(cross, equity, portfolio.other_maintenance)
    shared = CrossPart(cross, totals, lacking, charge, tick)
    margins: list[LegMargin] = []
    alone: list[Totals] = []
    for leg, need in zip(portfolio.legs, needs, strict=True):
        own = _isolated_totals(leg, need) if leg.mode is Mode.ISOLATED else None
        if own is not None:
            alone.append(own)
            price, note = solve_isolated(leg, charge, tick)
        else:
            price, note = shared.price(leg)
        margins.append(_leg_margin(leg, need, price, basis(leg, need), note))
    judged = totals if cross or len(alone) != 1 else alone[0]
    units = {leg.settle for leg in portfolio.legs if leg.settle}
    return Evaluation(
        rules=rules,
        unit=units.pop() if units else portfolio.valuation,
        equity=_sum([*([totals.equity] if cross or not alone else []), *(a.equity for a in alone)]),
        initial=_sum([totals.initial, *(a.initial for a in alone)]),
        maintenance=_sum([totals.maintenance, *(a.maintenance for a in alone)]),
        legs=tuple(margins),
        health=health(judged),
        basis=account_basis,
    )


def _check(legs: Sequence[Leg]) -> None:
    if len({leg.settle for leg in legs if leg.settle}) > 1:
        found = ", ".join(sorted({leg.settle for leg in legs if leg.settle}))
        raise VenueRefusal(f"legs of one account must settle in one asset, settle in {found}; give one account each")
    for leg in legs:
        if leg.product not in (Product.LINEAR, Product.INVERSE):
            raise VenueRefusal(f"{leg.symbol} must be {_LINEAR_ONLY}, was {leg.product}")
        for name, price in (("mark", leg.mark), ("entry", leg.entry)):
            if price is not None and price <= 0:
                raise VenueRefusal(f"{name} of {leg.symbol} must be above 0, was {price}")
        if leg.contract_size <= 0:
            raise VenueRefusal(f"contract_size of {leg.symbol} must be above 0, was {leg.contract_size}")


def _need_now(leg: Leg, charge: Charge) -> Need:
    """
    Return what a leg needs at its mark; an isolated leg without a mark has no amounts, yet has a liquidation price.
    """
    if leg.mark is None and leg.mode is Mode.ISOLATED and leg.entry is not None:
        found = charge.at(leg, leg.entry)
        if found.maintenance is None:
            return found
        return Need(initial=found.initial, maintenance=None, rate=found.rate, tier=found.tier, why="mark")
    return charge.at(leg, need_mark(leg))


def _sum(parts: Iterable[Decimal | None]) -> Decimal | None:
    total = ZERO
    for part in parts:
        if part is None:
            return None
        total = NUMBERS.add(total, part)
    return total


def _total(legs: Sequence[tuple[Leg, Need]], equity: Decimal | None, others: Decimal | None) -> Totals:
    maintenance = _sum(need.maintenance for _, need in legs)
    if maintenance is not None and others:
        maintenance = NUMBERS.add(maintenance, others)
    value = sum((notional_at(leg, need_mark(leg)) for leg, _ in legs), ZERO)
    return Totals(equity, _sum(need.initial for _, need in legs), maintenance, value)


def _isolated_totals(leg: Leg, need: Need) -> Totals:
    equity = None
    if leg.isolated_collateral is not None and leg.entry is not None and leg.mark is not None:
        held = NUMBERS.add(leg.isolated_collateral, leg.accrued_funding)
        equity = NUMBERS.add(held, profit_between(leg, leg.entry, leg.mark))
    return Totals(equity, need.initial, need.maintenance, notional_at(leg, leg.mark or leg.entry or ONE))


def _leg_margin(leg: Leg, need: Need, price: LiquidationPrice, basis: Basis, note: str) -> LegMargin:
    notes = [*basis.notes]
    if need.maintenance is None or need.initial is None:
        which = "initial" if need.initial is None else "maintenance"
        notes.append(f"{need.why or 'maintenance_rate'} is missing: no {which} margin")
    if note:
        notes.append(note)
    start = leg.mark
    return LegMargin(
        symbol=leg.symbol,
        unit=leg.settle,
        notional=notional_at(leg, leg.mark or leg.entry or ONE),
        initial=need.initial,
        maintenance=need.maintenance,
        unrealised=None if start is None or leg.entry is None else profit_between(leg, leg.entry, start),
        rate=need.rate,
        tier=need.tier,
        fees=need.fees,
        orders=need.orders,
        liquidation=price,
        basis=Basis(
            formula=basis.formula,
            params=basis.params,
            params_date=basis.params_date,
            source=basis.source,
            notes=tuple(notes),
        ),
    )
