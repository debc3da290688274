"""
Slow twins of how lots are dealt: one lot after the other, exact fractions, all possibilities.
"""

from collections.abc import Iterator
from fractions import Fraction
from functools import cmp_to_key

from tocsin.procedures.waterfall import Candidate, ranks_before
from tocsin.sheet.terms import Score, Weight


def weigh(candidate: Candidate, weight: Weight) -> int:
    """Return what a holder counts in shares, read off the rule (WF-032)."""
    return {
        Weight.LOTS: candidate.lots,
        Weight.PROFIT: max(0, candidate.profit),
        Weight.EQUITY: max(0, candidate.equity),
        Weight.NOTIONAL: candidate.notional,
    }[weight]


def in_order(candidates: list[Candidate]) -> list[int]:
    return sorted(range(len(candidates)), key=lambda i: (candidates[i].bucket, candidates[i].account))


def rank_plain(candidates: list[Candidate], score: Score) -> list[int]:
    """Rank by comparing fractions without dividing (WF-031)."""
    return sorted(
        range(len(candidates)),
        key=cmp_to_key(lambda i, j: -1 if ranks_before(candidates[i], candidates[j], score) else 1),
    )


def take_lot_by_lot(total: int, keys: list[list[Fraction]], *, first_extra: int = 0) -> list[int]:
    """Take `total` lots, each time the lowest next key, equal ones in order from `first_extra`."""
    taken = [0] * len(keys)
    for _ in range(total):
        able = [i for i in range(len(keys)) if taken[i] < len(keys[i])]
        i = min(able, key=lambda i: (keys[i][taken[i]], (i - first_extra) % len(keys)))
        taken[i] += 1
    return taken


def min_max_plain(total: int, candidates: list[Candidate], weight: Weight, *, first_extra: int = 0) -> list[int]:
    """Take lot by lot from whoever then has lost the smallest share; holders without weight last (WF-035)."""
    order = in_order(candidates)
    weights = [weigh(candidates[i], weight) for i in order]
    keys = [
        [Fraction(j, w) for j in range(1, candidates[i].lots + 1)] if w else []
        for i, w in zip(order, weights, strict=True)
    ]
    first = min(total, sum(map(len, keys)))
    taken = take_lot_by_lot(first, keys, first_extra=first_extra)
    keys = [
        [] if w else [Fraction(j, candidates[i].lots) for j in range(1, candidates[i].lots + 1)]
        for i, w in zip(order, weights, strict=True)
    ]
    rest = take_lot_by_lot(min(total - first, sum(map(len, keys))), keys, first_extra=first_extra)
    out = [0] * len(candidates)
    for i, x, y in zip(order, taken, rest, strict=True):
        out[i] = x + y
    return out


def water_filling_plain(total: int, candidates: list[Candidate], *, first_extra: int = 0) -> list[int]:
    """Take lot by lot from whoever has the largest leverage left (WF-034)."""
    order = in_order(candidates)
    keys = [[-Fraction(c.held - j, max(1, c.equity)) for j in range(c.lots)] for c in (candidates[i] for i in order)]
    taken = take_lot_by_lot(min(total, sum(map(len, keys))), keys, first_extra=first_extra)
    out = [0] * len(candidates)
    for i, x in zip(order, taken, strict=True):
        out[i] = x
    return out


def exact_shares(total: int, weights: list[int], caps: list[int]) -> list[Fraction]:
    """Return min(cap, weight x t) at the t where they sum to `total`: cap those above, share the rest, again."""
    shares = [Fraction(0)] * len(weights)
    open_at = [i for i, w in enumerate(weights) if w]
    left = Fraction(min(total, sum(caps[i] for i in open_at)))
    while open_at:
        level = left / sum(weights[i] for i in open_at)
        over = [i for i in open_at if weights[i] * level >= caps[i]]
        if not over:
            break
        for i in over:
            shares[i] = Fraction(caps[i])
            left -= caps[i]
        open_at = [i for i in open_at if i not in over]
    for i in open_at:
        shares[i] = weights[i] * left / sum(weights[j] for j in open_at)
    return shares


def all_allocations(total: int, caps: list[int]) -> Iterator[list[int]]:
    """Yield every way to take exactly `total` whole lots within caps."""
    if not caps:
        if total == 0:
            yield []
        return
    for first in range(min(total, caps[0]) + 1):
        for rest in all_allocations(total - first, caps[1:]):
            yield [first, *rest]
