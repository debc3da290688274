"""
Swaps of what belongs to the account: margin modes, haircuts of collateral, resting orders.
"""

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from functools import partial

import msgspec

from tocsin.desk.codes import Code
from tocsin.desk.question import ONE, ZERO, Question
from tocsin.desk.swap import Swap, adjusted, leg_swap, percent, plus, short
from tocsin.desk.swaps_brackets import swap_versions
from tocsin.desk.worlds import World
from tocsin.venues.contract import NUMBERS, Evaluation, Mode, Portfolio
from tocsin.venues.reading import ACCOUNT, Figure
from tocsin.venues.registry import Rulebook, rulebooks_of

_RATIO_NAMES = ("collateral_rate", "discount")
"""What rulebooks call the share at which an asset counts, in `Portfolio.extra`."""

_RATIOS = tuple(Decimal(n) / 200 for n in range(201))


def swap_modes(question: Question) -> Iterator[Swap]:
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
        why = f"{portfolio.legs[place].symbol}: isolated with {short(money)}"
        changes = {"mode": Mode.ISOLATED, "isolated_collateral": money}
        yield leg_swap(Code.MODE_MISMATCH, why, place, **changes)
    for place, leg in enumerate(portfolio.legs):
        if leg.hedge_side:
            yield leg_swap(Code.MODE_MISMATCH, f"{leg.symbol}: one-way instead of hedged", place, hedge_side="")


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


def swap_haircuts(question: Question) -> Iterator[Swap]:
    """
    Return the swaps of what collateral counts for: other versions, no haircut, every share in steps of half a percent.
    """
    if question.figure.leg != ACCOUNT and question.figure.quantity not in ("liquidation", "ratio"):
        return
    balances = [b for b in question.world.portfolio.balances if b.amount]
    if not balances:
        return
    yield from swap_versions(question, collateral=True)
    yield Swap(Code.COLLATERAL_HAIRCUT, "no haircut on any asset", _no_haircuts)
    for balance in balances:
        for ratio in reversed(_RATIOS):
            why = f"{balance.asset} counted at {percent(ratio)}"
            counted = partial(_counted_at, asset=balance.asset, ratio=ratio)
            yield Swap(Code.COLLATERAL_HAIRCUT, why, counted, is_fitted=True)


def _counted_at(world: World, *, asset: str, ratio: Decimal) -> World:
    for name in _RATIO_NAMES:
        world = world.with_extra(f"{name}:{asset}", ratio)
    return world


def _no_haircuts(world: World) -> World:
    for balance in world.portfolio.balances:
        world = _counted_at(world, asset=balance.asset, ratio=ONE)
    return world


def swap_orders(question: Question) -> Iterator[Swap]:
    """
    Return the swaps that put the margin of resting orders into initial margin, or take it out.
    """
    if question.figure.quantity not in ("initial", "available", "ratio", "orders"):
        return
    for place in question.places:
        leg = question.leg(place)
        if leg.order_buy or leg.order_sell:
            why = f"{leg.symbol}: without its resting orders"
            yield leg_swap(Code.ORDER_MARGIN, why, place, order_buy=ZERO, order_sell=ZERO)
    if question.figure.quantity != "initial":
        return
    if question.figure.leg != ACCOUNT and question.evaluation.legs[question.figure.leg].orders:
        yield Swap(Code.ORDER_MARGIN, "without the margin of resting orders", adjusted(_less_orders))
    for place in dict.fromkeys((question.figure.leg, ACCOUNT, *question.places)):
        amount = question.said(place, "orders")
        if amount:
            why = f"margin of resting orders {short(amount)}"
            yield Swap(Code.ORDER_MARGIN, f"{why} added", adjusted(plus(amount)))
            yield Swap(Code.ORDER_MARGIN, f"{why} left out", adjusted(plus(-amount)))
    total = sum((question.said(place, "orders") or ZERO for place in question.places), ZERO)
    if total and question.figure.leg == ACCOUNT:
        yield Swap(Code.ORDER_MARGIN, f"margin of all resting orders {short(total)} added", adjusted(plus(total)))


def _less_orders(figure: Figure, evaluation: Evaluation, value: Decimal) -> Decimal:
    return NUMBERS.subtract(value, evaluation.legs[figure.leg].orders)
