"""
One account from what each of its legs needs: totals, health, liquidation prices. Shared by venues of that form.

A venue says what a leg needs at a price (`Charge`); this file asks it at the mark for the amounts, and at other prices
for the liquidation price. Isolated legs stand alone; cross legs share the account's equity, and legs of one symbol
move together.
"""

from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from typing import NamedTuple

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
)
from tocsin.venues.liquidation import find_liquidation
from tocsin.venues.products import notional_at, profit_between

ZERO, ONE = Decimal(0), Decimal(1)
OTHERS_MAX = 50
"""Symbols whose marks were held are named up to this many."""
MARKS_APART = Decimal("0.001")
"""Two legs of one symbol may differ in their marks by this share: beyond it they are of different moments."""
_LINEAR_ONLY = "a linear or inverse contract"


class Need(NamedTuple):
    """
    What a leg needs at one price, amounts >= 0 in its settlement asset; None where a rate is not known.

    `fees` is the closing fee inside `maintenance`; `closing` what the liquidation test adds to it (a fee reserved there
    only). `why` names what is not known.
    """

    initial: Decimal | None
    maintenance: Decimal | None
    fees: Decimal = ZERO
    closing: Decimal = ZERO
    orders: Decimal = ZERO
    rate: Decimal | None = None
    tier: int | None = None
    why: str = ""


class Charge(NamedTuple):
    """
    A venue's requirement: `at(leg, price)`, and the prices above 0 at which it bends or jumps (brackets' edges).
    """

    at: Callable[[Leg, Decimal], Need]
    edges: Callable[[Leg], Iterable[Decimal]] = lambda leg: ()  # noqa: ARG005


class Totals(NamedTuple):
    """
    An account's cross part: equity (None: not known), initial and maintenance of its legs, notional; one asset.
    """

    equity: Decimal | None
    initial: Decimal | None
    maintenance: Decimal | None
    notional: Decimal


HealthRule = Callable[[Totals], Health | None]
BasisRule = Callable[[Leg, Need], Basis]


def need_mark(leg: Leg) -> Decimal:
    """
    Return a leg's mark, which must be above 0.
    """
    if leg.mark is None:
        raise MissingInput("mark", f"the value of {leg.symbol} is taken at it")
    if leg.mark <= 0:
        raise VenueRefusal(f"mark of {leg.symbol} must be above 0, was {leg.mark}")
    return leg.mark


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
    _check(portfolio.legs)
    needs = [_need_now(leg, charge) for leg in portfolio.legs]
    for leg, need in zip(portfolio.legs, needs, strict=True):
        has_price = need.why == "mark" and leg.isolated_collateral is not None
        if need.initial is None and need.maintenance is None and not has_price:
            raise MissingInput(need.why or "maintenance_rate", f"no amount of {leg.symbol} is known without it")
    cross = [(leg, need) for leg, need in zip(portfolio.legs, needs, strict=True) if leg.mode is not Mode.ISOLATED]
    equity, lacking = find_equity(portfolio, [leg for leg, _ in cross]) if cross or not portfolio.legs else (None, "")
    totals = _total(cross, equity, portfolio.other_maintenance)
    shared = _CrossPart(cross, totals, lacking, charge, tick)
    margins: list[LegMargin] = []
    alone: list[Totals] = []
    for leg, need in zip(portfolio.legs, needs, strict=True):
        own = _isolated_totals(leg, need) if leg.mode is Mode.ISOLATED else None
        if own is not None:
            alone.append(own)
            price, note = _solve_isolated(leg, charge, tick)
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
    marks: dict[str, Decimal] = {}
    for leg in legs:
        if leg.mark is not None:
            other = marks.setdefault(leg.symbol, leg.mark)
            if abs(other - leg.mark) > other * MARKS_APART:
                raise VenueRefusal(f"{leg.symbol} has the marks {other} and {leg.mark}; give both legs at one moment")
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


def _solve_isolated(leg: Leg, charge: Charge, tick: Decimal | None) -> tuple[LiquidationPrice, str]:
    for name, value in (("isolated_collateral", leg.isolated_collateral), ("entry", leg.entry)):
        if value is None:
            return LiquidationPrice(
                price=None, reason=NoPrice.INPUT_MISSING
            ), f"{name} is missing: no liquidation price"
    assert leg.isolated_collateral is not None
    assert leg.entry is not None
    start = leg.mark or leg.entry
    held = NUMBERS.add(NUMBERS.add(leg.isolated_collateral, leg.accrued_funding), profit_between(leg, leg.entry, start))
    return solve([leg], held, start, charge, tick=tick, binding="leg")


class _CrossPart:
    """
    The legs that share the account's equity, by symbol, with what each of their prices is solved from.
    """

    def __init__(
        self, legs: Sequence[tuple[Leg, Need]], totals: Totals, lacking: str, charge: Charge, tick: Decimal | None
    ) -> None:
        self._groups: dict[str, list[tuple[Leg, Need]]] = {}
        for leg, need in legs:
            self._groups.setdefault(leg.symbol, []).append((leg, need))
        self._symbols = sorted(self._groups)
        self._closing = sum((need.closing for _, need in legs), ZERO)
        self._totals, self._charge, self._tick = totals, charge, tick
        unknown = next((need.why for _, need in legs if need.maintenance is None), "")
        self._lacking = lacking or unknown
        self._found: dict[str, tuple[LiquidationPrice, str]] = {}

    def price(self, leg: Leg) -> tuple[LiquidationPrice, str]:
        """
        Return a leg's price: equity less the maintenance of all other markets, held, must cover its own symbol's.
        """
        if leg.symbol not in self._found:
            self._found[leg.symbol] = self._solve(leg)
        return self._found[leg.symbol]

    def _solve(self, leg: Leg) -> tuple[LiquidationPrice, str]:
        others = self._others(leg.symbol)
        equity, maintenance = self._totals.equity, self._totals.maintenance
        if equity is None or maintenance is None:
            missing = LiquidationPrice(price=None, reason=NoPrice.INPUT_MISSING, binding="account", others=others)
            return missing, f"{self._lacking or 'maintenance_rate'} is missing: no liquidation price"
        same = self._groups[leg.symbol]
        own = sum((need.maintenance or ZERO for _, need in same), ZERO)
        closing = self._closing - sum((need.closing for _, need in same), ZERO)
        room = NUMBERS.subtract(equity, NUMBERS.subtract(maintenance, own))
        legs = [o for o, _ in same]
        binding = "hedged pair" if len(legs) > 1 else "account"
        held = NUMBERS.subtract(room, closing)
        return solve(legs, held, need_mark(leg), self._charge, tick=self._tick, binding=binding, others=others)

    def _others(self, symbol: str) -> tuple[str, ...]:
        """Return the other symbols; beyond `OTHERS_MAX` the first of them and how many more."""
        if len(self._symbols) <= OTHERS_MAX + 1:
            return tuple(name for name in self._symbols if name != symbol)
        named = tuple(name for name in self._symbols[: OTHERS_MAX + 1] if name != symbol)[:OTHERS_MAX]
        return (*named, f"and {len(self._symbols) - 1 - OTHERS_MAX} more")


def solve(
    legs: Sequence[Leg],
    held: Decimal,
    mark: Decimal,
    charge: Charge,
    *,
    tick: Decimal | None = None,
    binding: str = "leg",
    others: tuple[str, ...] = (),
) -> tuple[LiquidationPrice, str]:
    """
    Return the price of one market at which `held`, equity at the mark less what is held for others, covers the legs no
    more; with the name of what lacks where there is none.
    """
    probe = [charge.at(leg, mark) for leg in legs]
    lacking = next((need.why or "maintenance_rate" for need in probe if need.maintenance is None), "")
    if lacking:
        missing = LiquidationPrice(price=None, reason=NoPrice.INPUT_MISSING, binding=binding, others=others)
        return missing, f"{lacking} is missing: no liquidation price"

    def gap(price: Decimal) -> Decimal:
        total = held
        for leg in legs:
            need = charge.at(leg, price)
            assert need.maintenance is not None
            change = NUMBERS.subtract(profit_between(leg, mark, price), NUMBERS.add(need.maintenance, need.closing))
            total = NUMBERS.add(total, change)
        return total

    net = sum((leg.size * leg.contract_size for leg in legs), ZERO)
    towards = "down" if net > 0 else "up" if net < 0 else "both"
    edges = [edge for leg in legs for edge in charge.edges(leg)]
    found = find_liquidation(
        gap,
        mark=mark,
        towards=towards,
        edges=edges,
        tick=tick,
        binding=binding,
        others=others,
        tier_at=lambda price: charge.at(legs[0], price).tier,
    )
    return found, ""


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
