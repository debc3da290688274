"""
Swaps of brackets: other versions, other brackets, the bracket at the mark, rates that a figure implies.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal
from functools import cache
from importlib import resources

import msgspec

from tocsin.core.errors import TocsinError
from tocsin.desk.codes import Code
from tocsin.desk.question import Question
from tocsin.desk.swap import Swap, kind_of, leg_swap, percent, short, to_step
from tocsin.desk.worlds import Unknown, World
from tocsin.venues.contract import NUMBERS
from tocsin.venues.params import ParamSet, versions

ROUND_RATE = Decimal("0.00005")
_SECANT_STEPS = 8
_COLLATERAL_WORDS = ("collateral", "haircut", "discount", "ratio")


def swap_brackets(question: Question) -> Iterator[Swap]:
    """
    Return the swaps of brackets: other versions of the tables, other brackets of the one in force.
    """
    yield from swap_versions(question, collateral=False)
    for place in question.places:
        leg = question.leg(place)
        if leg.maintenance_rate is not None:
            why = f"{leg.symbol}: stated rate {leg.maintenance_rate} <- the shipped brackets"
            yield leg_swap(Code.TIER_VERSION, why, place, maintenance_rate=None, deduction=None)
        held = _rate_at_mark(question, place)
        for rate, deduction, tier in _brackets(question, place):
            margin = question.evaluation.legs[place] if place < len(question.evaluation.legs) else None
            fits = margin is None or NUMBERS.multiply(margin.notional, rate) > deduction
            if fits and (rate, deduction) != held:
                why = f"{leg.symbol}: rate {short(rate)} less {short(deduction)} of bracket {tier}"
                yield leg_swap(Code.TIER_VERSION, why, place, maintenance_rate=rate, deduction=deduction)


def swap_versions(question: Question, *, collateral: bool) -> Iterator[Swap]:
    """
    Return the swaps of each parameter set for its other versions: the collateral's, or all others.
    """
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


def swap_tier_at_liq(question: Question) -> Iterator[Swap]:
    """
    Return the swaps that keep the bracket at the mark up to the liquidation price.
    """
    if question.figure.quantity != "liquidation":
        return
    for place in question.places:
        held = _rate_at_mark(question, place)
        leg = question.leg(place)
        if held is not None:
            why = f"{leg.symbol}: the bracket at the mark ({short(held[0])} less {short(held[1])}) held to the end"
            yield leg_swap(Code.TIER_AT_LIQ, why, place, maintenance_rate=held[0], deduction=held[1])


def swap_implied_rates(question: Question) -> Iterator[Swap]:
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
        elif kind == "liquidation" and place == question.figure.leg and not question.is_slight:
            rate = _solve_rate(question, place)
        if rate is None or not 0 < rate < 1:
            continue
        near = to_step(rate, ROUND_RATE if kind == "maintenance" else 10 * ROUND_RATE)
        if near > 0 and abs(rate - near) <= near / 10**4:
            why = f"{margin.symbol}: a rate of {percent(near)}, which is no shipped bracket's at this size"
            found = leg_swap(Code.TIER_VERSION, why, place, maintenance_rate=near, deduction=None)
            yield found._replace(is_fitted=True)


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


def _with_set(name: str, version: ParamSet) -> Callable[[World], World]:
    return lambda world: replace(world, params=world.params.replace(name, version))
