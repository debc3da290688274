"""
The inputs that can be exchanged one at a time, cause by cause, in the order of `Code`.

A swap that a rule refuses, or that changes nothing, is no explanation; the search finds that out.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from decimal import Decimal
from functools import cache, partial
from importlib import resources
from typing import NamedTuple

import msgspec

from tocsin.core.errors import TocsinError
from tocsin.desk.codes import Code
from tocsin.desk.question import IMPLIED, ONE, ZERO, Question
from tocsin.desk.worlds import Adjust, Unknown, World
from tocsin.venues.contract import NUMBERS, Evaluation, Mode, Portfolio
from tocsin.venues.params import ParamSet, versions
from tocsin.venues.reading import ACCOUNT, Figure
from tocsin.venues.registry import Rulebook, rulebooks_of

USUAL_FEES = tuple(
    Decimal(f) / 10**6 for f in (200, 250, 300, 320, 350, 400, 450, 500, 550, 600, 700, 750, 850, 1000, 1500, 2500)
)
"""Taker rates that venues charge to most accounts, as fractions: what a closing fee is tried with."""

ROUND_FEE, FEE_MAX = Decimal("0.00001"), Decimal("0.003")
ROUND_RATE = Decimal("0.00005")
_RATIO_NAMES = ("collateral_rate", "discount")
"""What rulebooks call the share at which an asset counts, in `Portfolio.extra`."""

_SECANT_STEPS = 8
_RATIOS = tuple(Decimal(n) / 200 for n in range(201))
_COLLATERAL_WORDS = ("collateral", "haircut", "discount", "ratio")
_MARGINS = ("initial", "maintenance")


class Swap(NamedTuple):
    """One input exchanged: the cause it would be, in words what was exchanged, and the exchange."""

    code: Code
    why: str
    apply: Callable[[World], World]


def swaps_for(question: Question) -> Iterator[Swap]:
    """
    Return the swaps that can move this figure, in the fixed order of causes.
    """
    yield from _prices(question)
    yield from _tier_versions(question)
    yield from _fees(question)
    yield from _tier_at_liq(question)
    yield from _modes(question)
    yield from _haircuts(question)
    yield from _orders(question)
    yield from _implied_rates(question)


def _prices(question: Question) -> Iterator[Swap]:
    late: list[Swap] = []
    for place in question.places:
        leg = question.leg(place)
        for name, price in question.prices(place):
            label = f"{name} {_short(price)}"
            swaps = [_leg_swap(Code.PRICE_SOURCE, f"{leg.symbol}: mark {leg.mark} <- {label}", place, mark=price)]
            if leg.index is not None:
                swaps.append(_leg_swap(Code.PRICE_SOURCE, f"{leg.symbol}: index <- {label}", place, index=price))
            if name.startswith(IMPLIED) and question.is_mixed(place):
                why = f"{swaps[0].why}; time stamps lie {question.account.spread_s} s apart"
                late.append(swaps[0]._replace(code=Code.STALE_SNAPSHOT, why=why))
                continue
            yield from swaps
        if leg.mark is not None and leg.entry is not None and leg.entry != leg.mark:
            yield _leg_swap(Code.PRICE_SOURCE, f"{leg.symbol}: entry <- mark {leg.mark}", place, entry=leg.mark)
        if leg.mark is not None and leg.index is not None and leg.index != leg.mark:
            yield _leg_swap(Code.PRICE_SOURCE, f"{leg.symbol}: index <- mark {leg.mark}", place, index=leg.mark)
    yield from _shared_index(question)
    yield from late


def _shared_index(question: Question) -> Iterator[Swap]:
    """
    Return the swaps of one index price for every leg on an underlying.
    """
    legs = question.world.portfolio.legs
    for place in question.places:
        leg = legs[place]
        on_it = [i for i, other in enumerate(legs) if other.underlying == leg.underlying and other.index is not None]
        if leg.index is None or len(on_it) < 2 or on_it[0] != place:
            continue
        for name, price in question.prices(place):
            why = f"{leg.underlying}: index of every position <- {name} {_short(price)}"
            yield Swap(Code.PRICE_SOURCE, why, partial(_with_index, places=on_it, price=price))


def _with_index(world: World, *, places: Sequence[int], price: Decimal) -> World:
    for place in places:
        world = world.with_leg(place, index=price)
    return world


def _tier_versions(question: Question) -> Iterator[Swap]:
    yield from _versions(question, collateral=False)
    for place in question.places:
        leg = question.leg(place)
        if leg.maintenance_rate is not None:
            why = f"{leg.symbol}: stated rate {leg.maintenance_rate} <- the shipped brackets"
            yield _leg_swap(Code.TIER_VERSION, why, place, maintenance_rate=None, deduction=None)
        held = _rate_at_mark(question, place)
        for rate, deduction, tier in _brackets(question, place):
            margin = question.evaluation.legs[place] if place < len(question.evaluation.legs) else None
            fits = margin is None or NUMBERS.multiply(margin.notional, rate) > deduction
            if fits and (rate, deduction) != held:
                why = f"{leg.symbol}: rate {_short(rate)} less {_short(deduction)} of bracket {tier}"
                yield _leg_swap(Code.TIER_VERSION, why, place, maintenance_rate=rate, deduction=deduction)


def _versions(question: Question, *, collateral: bool) -> Iterator[Swap]:
    code = Code.COLLATERAL_HAIRCUT if collateral else Code.TIER_VERSION
    params = question.world.params
    for name in _parameter_names(params.venue):
        if any(word in name for word in _COLLATERAL_WORDS) is not collateral:
            continue
        try:
            found, now = versions(params.venue, name), params.get(name)
        except TocsinError:
            continue
        for version in found:
            if version.valid_from != now.valid_from:
                yield Swap(code, f"{name} of {now.valid_from} <- of {version.valid_from}", _with_set(name, version))


def _fees(question: Question) -> Iterator[Swap]:
    kind = kind_of(question.figure)
    if kind == "other":
        return
    for place in question.places:
        leg = question.leg(place)
        margin = question.evaluation.legs[place] if place < len(question.evaluation.legs) else None
        if margin is not None and margin.fees:
            yield _leg_swap(Code.FEE_IN_MM, f"{leg.symbol}: no closing fee", place, fee_rate=ZERO)
            if kind == "maintenance":
                yield Swap(Code.FEE_IN_MM, f"{leg.symbol}: no closing fee", _adjusted(_plus(-margin.fees)))
        for fee in USUAL_FEES:
            if fee != leg.fee_rate:
                yield _leg_swap(Code.FEE_IN_MM, f"{leg.symbol}: closing fee of {_percent(fee)}", place, fee_rate=fee)
        if margin is not None and margin.fees and margin.notional and question.figure.leg == place:
            yield from _round_fee(question, place)
    if kind in _MARGINS:
        yield from _added_fees(question)


def _added_fees(question: Question) -> Iterator[Swap]:
    """
    Return the swaps that add a closing fee to a margin whose rule has none: of each leg, and of all together.
    """
    known = question.evaluation.legs
    free = tuple(p for p in question.places if p < len(known) and not known[p].fees)
    groups = [(place,) for place in free] + ([free] if len(free) > 1 else [])
    for group in groups:
        name = known[group[0]].symbol if len(group) == 1 else "all positions"
        for fee in USUAL_FEES:
            why = f"{name}: a closing fee of {_percent(fee)} added"
            yield Swap(Code.FEE_IN_MM, why, _adjusted(partial(_with_fee, places=group, fee=fee)))


def _with_fee(
    figure: Figure,  # noqa: ARG001
    evaluation: Evaluation,
    value: Decimal,
    *,
    places: Sequence[int],
    fee: Decimal,
) -> Decimal:
    for place in places:
        value = NUMBERS.add(value, NUMBERS.multiply(fee, evaluation.legs[place].notional))
    return value


def _round_fee(question: Question, place: int) -> Iterator[Swap]:
    """
    Return the swap of the fee rate that the reported figure implies, if that is a round one.
    """
    margin, leg = question.evaluation.legs[place], question.leg(place)
    now = leg.fee_rate if leg.fee_rate is not None else NUMBERS.divide(margin.fees, margin.notional)
    scale = NUMBERS.divide(now, margin.fees)
    rate = NUMBERS.add(now, NUMBERS.multiply(question.difference, scale))
    near = _to_step(rate, ROUND_FEE)
    if 0 <= near <= FEE_MAX and near not in USUAL_FEES:
        yield _leg_swap(Code.FEE_IN_MM, f"{leg.symbol}: closing fee of {_percent(near)}", place, fee_rate=near)


def _tier_at_liq(question: Question) -> Iterator[Swap]:
    if question.figure.quantity != "liquidation":
        return
    for place in question.places:
        held = _rate_at_mark(question, place)
        leg = question.leg(place)
        if held is not None:
            why = f"{leg.symbol}: the bracket at the mark ({_short(held[0])} less {_short(held[1])}) held to the end"
            yield _leg_swap(Code.TIER_AT_LIQ, why, place, maintenance_rate=held[0], deduction=held[1])


def _modes(question: Question) -> Iterator[Swap]:
    """
    Return the account under the venue's other rulebooks and margin modes.
    """
    portfolio, book = question.world.portfolio, question.world.book
    for other in rulebooks_of(book.venue):
        for mode in other.modes:
            if other.name == book.name and all(leg.mode is mode for leg in portfolio.legs):
                continue
            why = f"{book.name} <- {other.name}, {mode}"
            yield Swap(Code.MODE_MISMATCH, why, partial(_in_mode, mode=mode, question=question, book=other))
    for place, money in question.account.reading.set_aside.items():
        why = f"{portfolio.legs[place].symbol}: isolated with {_short(money)}"
        changes = {"mode": Mode.ISOLATED, "isolated_collateral": money}
        yield _leg_swap(Code.MODE_MISMATCH, why, place, **changes)
    for place, leg in enumerate(portfolio.legs):
        if leg.hedge_side:
            yield _leg_swap(Code.MODE_MISMATCH, f"{leg.symbol}: one-way instead of hedged", place, hedge_side="")


def _in_mode(world: World, *, mode: Mode, question: Question, book: Rulebook) -> World:
    """
    Return the world under another rulebook and mode; what the other mode needs is taken from what is there.
    """
    legs = list(world.portfolio.legs)
    equity = world.portfolio.equity
    for place, leg in enumerate(legs):
        money = leg.isolated_collateral
        if mode is Mode.ISOLATED and money is None:
            money = question.account.reading.set_aside.get(place)
            if money is None and len(legs) == 1 and question.evaluation.equity is not None:
                profit = question.evaluation.legs[0].unrealised if question.evaluation.legs else None
                money = NUMBERS.subtract(question.evaluation.equity, profit or ZERO)
        unknown = equity is None and not world.portfolio.balances
        if mode is Mode.CROSS and unknown and len(legs) == 1 and money is not None:
            profit = question.evaluation.legs[0].unrealised if question.evaluation.legs else None
            equity = NUMBERS.add(money, profit or ZERO)
        legs[place] = msgspec.structs.replace(leg, mode=mode, isolated_collateral=money)
    changed: Portfolio = msgspec.structs.replace(world.portfolio, legs=tuple(legs), mode=mode, equity=equity)
    return replace(world, portfolio=changed, book=book)


def _haircuts(question: Question) -> Iterator[Swap]:
    if question.figure.leg != ACCOUNT and question.figure.quantity not in ("liquidation", "ratio"):
        return
    balances = [b for b in question.world.portfolio.balances if b.amount]
    if not balances:
        return
    yield from _versions(question, collateral=True)
    yield Swap(Code.COLLATERAL_HAIRCUT, "no haircut on any asset", _no_haircuts)
    for balance in balances:
        for ratio in reversed(_RATIOS):
            why = f"{balance.asset} counted at {_percent(ratio)}"
            yield Swap(Code.COLLATERAL_HAIRCUT, why, partial(_counted_at, asset=balance.asset, ratio=ratio))


def _counted_at(world: World, *, asset: str, ratio: Decimal) -> World:
    for name in _RATIO_NAMES:
        world = world.with_extra(f"{name}:{asset}", ratio)
    return world


def _no_haircuts(world: World) -> World:
    for balance in world.portfolio.balances:
        world = _counted_at(world, asset=balance.asset, ratio=ONE)
    return world


def _orders(question: Question) -> Iterator[Swap]:
    if question.figure.quantity not in ("initial", "available", "ratio", "orders"):
        return
    for place in question.places:
        leg = question.leg(place)
        if leg.order_buy or leg.order_sell:
            why = f"{leg.symbol}: without its resting orders"
            yield _leg_swap(Code.ORDER_MARGIN, why, place, order_buy=ZERO, order_sell=ZERO)
    if question.figure.quantity != "initial":
        return
    if question.figure.leg != ACCOUNT and question.evaluation.legs[question.figure.leg].orders:
        yield Swap(Code.ORDER_MARGIN, "without the margin of resting orders", _adjusted(_less_orders))
    for place in dict.fromkeys((question.figure.leg, ACCOUNT, *question.places)):
        amount = question.said(place, "orders")
        if amount:
            why = f"margin of resting orders {_short(amount)}"
            yield Swap(Code.ORDER_MARGIN, f"{why} added", _adjusted(_plus(amount)))
            yield Swap(Code.ORDER_MARGIN, f"{why} left out", _adjusted(_plus(-amount)))
    total = sum((question.said(place, "orders") or ZERO for place in question.places), ZERO)
    if total and question.figure.leg == ACCOUNT:
        yield Swap(Code.ORDER_MARGIN, f"margin of all resting orders {_short(total)} added", _adjusted(_plus(total)))


def _implied_rates(question: Question) -> Iterator[Swap]:
    """
    Return the rates that a reported figure implies, if they are round ones: brackets that are not shipped.
    """
    kind = kind_of(question.figure)
    for place in question.places:
        if place >= len(question.evaluation.legs):
            continue
        margin = question.evaluation.legs[place]
        if not margin.notional or margin.maintenance is None:
            continue
        rate: Decimal | None = None
        if kind == "maintenance":
            charged = NUMBERS.subtract(NUMBERS.add(margin.maintenance, question.difference), margin.fees)
            rate = NUMBERS.divide(charged, margin.notional)
        elif kind == "liquidation":
            rate = _solve_rate(question, place)
        if rate is None or not 0 < rate < 1:
            continue
        near = _to_step(rate, ROUND_RATE)
        if near > 0 and abs(rate - near) <= near / 10**4:
            why = f"{margin.symbol}: a rate of {_percent(near)}, which is no shipped bracket's at this size"
            yield _leg_swap(Code.TIER_VERSION, why, place, maintenance_rate=near, deduction=None)


def _solve_rate(question: Question, place: int) -> Decimal | None:
    """
    Return the rate at which a leg's liquidation price would be the reported one, by the secant rule; None if none.
    """

    def gap(rate: Decimal) -> Decimal | None:
        world = question.world.with_leg(place, maintenance_rate=rate, deduction=None)
        value = question.try_value(f"{place} at {rate}", world)
        return None if value is None else NUMBERS.subtract(value, question.reported)

    rates = [Decimal("0.01"), Decimal("0.02")]
    gaps = [gap(rate) for rate in rates]
    for _ in range(_SECANT_STEPS):
        before, now = gaps[-2:]
        if before is None or now is None or before == now:
            return None
        slope = NUMBERS.divide(NUMBERS.subtract(now, before), NUMBERS.subtract(rates[-1], rates[-2]))
        step = NUMBERS.divide(now, slope)
        rates.append(NUMBERS.subtract(rates[-1], step))
        if not 0 < rates[-1] < 1 or abs(step) < Decimal("1e-9"):
            break
        gaps.append(gap(rates[-1]))
    return rates[-1]


def kind_of(figure: Figure) -> str:
    """
    Return what a figure is in the words of margins, by its name: initial, maintenance, liquidation, ratio or other.
    """
    name = figure.quantity.lower()
    if name in ("initial", "maintenance", "liquidation", "ratio"):
        return name
    if "ratio" in name or "rate" in name:
        return "ratio"
    if "maint" in name or "mm" in name:
        return "maintenance"
    return "initial" if "initial" in name or "im " in name else "other"


def _rate_at_mark(question: Question, place: int) -> tuple[Decimal, Decimal] | None:
    if place >= len(question.evaluation.legs):
        return None
    margin = question.evaluation.legs[place]
    if margin.rate is None or margin.maintenance is None:
        return None
    charged = NUMBERS.subtract(margin.maintenance, margin.fees)
    return margin.rate, NUMBERS.subtract(NUMBERS.multiply(margin.notional, margin.rate), charged)


def _brackets(question: Question, place: int) -> Iterator[tuple[Decimal, Decimal, int]]:
    """
    Return rate, deduction and number of the leg's brackets, found by asking the rule for the leg in many sizes.
    """
    leg = question.leg(place)
    if not leg.size or leg.mark is None:
        return
    alone = msgspec.structs.replace(leg, maintenance_rate=None, deduction=None, hedge_side="")
    seen: set[tuple[Decimal, Decimal]] = set()
    for power in range(-8, 22):
        size = NUMBERS.multiply(leg.size, NUMBERS.power(Decimal(2), power))
        portfolio = msgspec.structs.replace(question.world.portfolio, legs=(msgspec.structs.replace(alone, size=size),))
        try:
            margin = replace(question.world, portfolio=portfolio).evaluate().legs[0]
        except (TocsinError, Unknown, ArithmeticError, IndexError):
            continue
        if margin.rate is None or margin.maintenance is None or margin.tier is None:
            continue
        charged = NUMBERS.subtract(margin.maintenance, margin.fees)
        deduction = NUMBERS.subtract(NUMBERS.multiply(margin.notional, margin.rate), charged)
        pair = (margin.rate, deduction.normalize(NUMBERS))
        if charged > 0 and pair not in seen:
            seen.add(pair)
            yield margin.rate, deduction, margin.tier


@cache
def _parameter_names(venue: str) -> tuple[str, ...]:
    folder = resources.files("tocsin.venues") / "data" / venue
    if not folder.is_dir():
        return ()
    return tuple(sorted({f.name.split(".")[0] for f in folder.iterdir() if f.name.endswith(".json")}))


def _leg_swap(code: Code, why: str, place: int, **changes: object) -> Swap:
    def apply(world: World) -> World:
        return world.with_leg(place, **changes)

    return Swap(code, why, apply)


def _with_set(name: str, version: ParamSet) -> Callable[[World], World]:
    return lambda world: replace(world, params=world.params.replace(name, version))


def _adjusted(adjust: Adjust) -> Callable[[World], World]:
    return lambda world: replace(world, adjust=(*world.adjust, adjust))


def _plus(amount: Decimal) -> Adjust:
    return lambda figure, evaluation, value: NUMBERS.add(value, amount)  # noqa: ARG005


def _less_orders(figure: Figure, evaluation: Evaluation, value: Decimal) -> Decimal:
    return NUMBERS.subtract(value, evaluation.legs[figure.leg].orders)


def _to_step(value: Decimal, step: Decimal) -> Decimal:
    return NUMBERS.multiply(NUMBERS.divide(value, step).to_integral_value(), step)


def _short(value: Decimal) -> str:
    return f"{value:.8g}"


def _percent(value: Decimal) -> str:
    return f"{format((value * 100).normalize(), 'f')} %"
