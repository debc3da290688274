"""
How what each rulebook asks grows with the size of a position, and at which sizes their order changes.
"""

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import NamedTuple

import msgspec

from tocsin.core.errors import TocsinError
from tocsin.venues.compare import By, total_of
from tocsin.venues.contract import NUMBERS
from tocsin.venues.curves import Piece, find_crossings, is_same_curve, trace
from tocsin.venues.liquidation import amounts_only
from tocsin.venues.question import Question, build_portfolio, value_unit
from tocsin.venues.registry import Rulebook


class Change(NamedTuple):
    """
    A size in USD below which the first of two curves asks less, and above which the second does.
    """

    size: Decimal
    below: int
    above: int


class SizeMap(msgspec.Struct, frozen=True, kw_only=True):
    """
    How the ranked amount grows with size: `curves` in USD of amount over USD of notional. `names` holds for each curve
    the rulebooks that share it; `changes` the sizes at which two curves change places, rising, as numbers of curves.
    """

    low: Decimal
    high: Decimal
    names: tuple[tuple[str, ...], ...]
    curves: tuple[tuple[Piece, ...], ...]
    changes: tuple[Change, ...]


def map_sizes(
    question: Question, books: Sequence[Rulebook], *, by: By = By.MAINTENANCE, low: Decimal, high: Decimal
) -> SizeMap:
    """
    Return how each rulebook's amount grows with the size of the question, and where their order changes.

    Args:
        by: MAINTENANCE or INITIAL.
        low, high: Notional in USD, 0 < low < high.
    """
    assert by is not By.DISTANCE
    whole = question.notional
    names: list[list[str]] = []
    curves: list[tuple[Piece, ...]] = []
    for book in books:
        curve = trace(_amount_of(book, question, whole, by), low, high, grain=question.prices[question.parts[0].coin])
        same = next((i for i, other in enumerate(curves) if is_same_curve(curve, other)), None)
        if same is not None:
            names[same].append(book.name)
        elif curve:
            names.append([book.name])
            curves.append(curve)
    changes: list[Change] = []
    for i, first in enumerate(curves):
        for j in range(i + 1, len(curves)):
            pair = (i, j)
            changes += [Change(c.size, pair[c.below], pair[c.above]) for c in find_crossings(first, curves[j])]
    return SizeMap(
        low=low,
        high=high,
        names=tuple(tuple(group) for group in names),
        curves=tuple(curves),
        changes=tuple(sorted(changes)),
    )


def _amount_of(book: Rulebook, question: Question, whole: Decimal, by: By) -> Callable[[Decimal], Decimal | None]:
    def amount(notional: Decimal) -> Decimal | None:
        asked = question.scale(NUMBERS.divide(notional, whole))
        try:
            with amounts_only():
                evaluation = book.run(build_portfolio(book, asked))
            return total_of(evaluation, by.value, asked, value_unit(evaluation.unit, asked.prices))
        except TocsinError:
            return None

    return amount
