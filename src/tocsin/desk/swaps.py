"""
The inputs that can be exchanged one at a time, cause by cause, in the order of `Code`.

A swap that a rule refuses, or that changes nothing, is no explanation; the search finds that out.
"""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from functools import partial

from tocsin.desk.codes import Code
from tocsin.desk.question import IMPLIED, ZERO, Question
from tocsin.desk.swap import Swap, adjusted, kind_of, leg_swap, percent, plus, short, to_step
from tocsin.desk.swaps_account import swap_haircuts, swap_modes, swap_orders
from tocsin.desk.swaps_brackets import swap_brackets, swap_implied_rates, swap_tier_at_liq, swap_versions
from tocsin.desk.worlds import World
from tocsin.venues.contract import NUMBERS, Evaluation
from tocsin.venues.reading import Figure

USUAL_FEES = tuple(
    Decimal(f) / 10**6 for f in (200, 250, 300, 320, 350, 400, 450, 500, 550, 600, 700, 750, 850, 1000, 1500, 2500)
)
"""Taker rates that venues charge to most accounts, as fractions: what a closing fee is tried with."""

ROUND_FEE, FEE_MAX = Decimal("0.00001"), Decimal("0.003")
_MARGINS = ("initial", "maintenance")


def swaps_for(question: Question) -> Iterator[Swap]:
    """
    Return the swaps that can move this figure, in the fixed order of causes.
    """
    yield from swap_prices(question)
    # What changes a margin by much cannot explain little of it.
    is_margin = kind_of(question.figure) in _MARGINS
    if not question.is_slight and not (is_margin and question.is_small):
        yield from swap_brackets(question)
        yield from _fees(question)
        yield from swap_tier_at_liq(question)
    elif not question.is_slight:
        yield from swap_versions(question, collateral=False)
    if not question.is_slight:
        yield from swap_modes(question)
        yield from swap_haircuts(question)
        yield from swap_orders(question)
        yield from swap_implied_rates(question)


def swap_prices(question: Question) -> Iterator[Swap]:
    """
    Return the swaps of marks, index and entry prices for the other prices that the payload shows or implies.
    """
    late: list[Swap] = []
    for place in question.places:
        leg = question.leg(place)
        for name, price in question.prices(place):
            label = f"{name} {short(price)}"
            swaps = [leg_swap(Code.PRICE_SOURCE, f"{leg.symbol}: mark {leg.mark} <- {label}", place, mark=price)]
            if leg.index is not None:
                swaps.append(leg_swap(Code.PRICE_SOURCE, f"{leg.symbol}: index <- {label}", place, index=price))
            if name.startswith(IMPLIED) and question.is_mixed(place):
                why = f"{swaps[0].why}; time stamps lie {question.account.spread_s} s apart"
                late.append(swaps[0]._replace(code=Code.STALE_SNAPSHOT, why=why))
                continue
            yield from swaps
        if (entry := question.implied_entry(place)) is not None:
            why = f"{leg.symbol}: entry {leg.entry} <- {IMPLIED}unrealised profit {short(entry)}"
            swap = leg_swap(Code.PRICE_SOURCE, why, place, entry=entry)
            if question.is_mixed(place):
                late.append(swap._replace(code=Code.STALE_SNAPSHOT))
            else:
                yield swap
        if leg.mark is not None and leg.entry is not None and leg.entry != leg.mark:
            yield leg_swap(Code.PRICE_SOURCE, f"{leg.symbol}: entry <- mark {leg.mark}", place, entry=leg.mark)
        if leg.mark is not None and leg.index is not None and leg.index != leg.mark:
            yield leg_swap(Code.PRICE_SOURCE, f"{leg.symbol}: index <- mark {leg.mark}", place, index=leg.mark)
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
            why = f"{leg.underlying}: index of every position <- {name} {short(price)}"
            yield Swap(Code.PRICE_SOURCE, why, partial(_with_index, places=on_it, price=price))


def _with_index(world: World, *, places: Sequence[int], price: Decimal) -> World:
    for place in places:
        world = world.with_leg(place, index=price)
    return world


def _fees(question: Question) -> Iterator[Swap]:
    kind = kind_of(question.figure)
    if kind == "other":
        return
    for place in question.places:
        leg = question.leg(place)
        margin = question.evaluation.legs[place] if place < len(question.evaluation.legs) else None
        # Some venues count the fee in the liquidation test alone: then no margin shows it.
        if margin is not None and (margin.fees or kind == "liquidation"):
            yield leg_swap(Code.FEE_IN_MM, f"{leg.symbol}: no closing fee", place, fee_rate=ZERO)
            if kind == "maintenance":
                yield Swap(Code.FEE_IN_MM, f"{leg.symbol}: no closing fee", adjusted(plus(-margin.fees)))
        for fee in USUAL_FEES:
            if fee != leg.fee_rate:
                yield leg_swap(Code.FEE_IN_MM, f"{leg.symbol}: closing fee of {percent(fee)}", place, fee_rate=fee)
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
            why = f"{name}: a closing fee of {percent(fee)} added"
            yield Swap(Code.FEE_IN_MM, why, adjusted(partial(_with_fee, places=group, fee=fee)))


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
    near = to_step(rate, ROUND_FEE)
    if 0 <= near <= FEE_MAX and near not in USUAL_FEES:
        found = leg_swap(Code.FEE_IN_MM, f"{leg.symbol}: closing fee of {percent(near)}", place, fee_rate=near)
        yield found._replace(is_fitted=True)
