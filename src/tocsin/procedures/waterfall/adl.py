"""
Choose whose lots are closed by auto-deleveraging: whole lots, exact in total (rules WF-030 to WF-032).

Only lots are decided here, never money: they are closed at the mark, and what is missing is shared by
`sharing`. The result depends on the candidates, never on the order in which they are listed.
"""

from functools import cmp_to_key
from typing import NamedTuple

from tocsin.core.integers import share_pro_rata, sign
from tocsin.sheet.terms import Allocation


class Candidate(NamedTuple):
    """
    One position on the side that can absorb lots, as frozen at the close of the cycle.

    `lots` >= 0 are those that may be taken (held less reserved); `profit` and `equity` are signed,
    `entry_value` and `notional` >= 0, all in units of one asset.
    """

    bucket: int
    account: int
    lots: int
    profit: int = 0
    entry_value: int = 0
    notional: int = 0
    equity: int = 0


def _score(candidate: Candidate) -> tuple[int, int]:
    """
    Return profit % times leverage as (numerator, denominator > 0); a loss is divided by leverage instead.

    Profit % is profit / entry_value, leverage is notional / equity; entry value, notional and equity below
    one unit count as one.
    """
    entry = max(1, candidate.entry_value)
    notional = max(1, candidate.notional)
    equity = max(1, candidate.equity)
    if candidate.profit >= 0:
        return candidate.profit * notional, entry * equity
    return candidate.profit * equity, entry * notional


def _compare(a: Candidate, b: Candidate) -> int:
    """
    Order by score, highest first, then by bucket and account; fractions are cross-multiplied, never divided.
    """
    a_top, a_bottom = _score(a)
    b_top, b_bottom = _score(b)
    by_score = sign(b_top * a_bottom - a_top * b_bottom)
    return by_score or (1 if (a.bucket, a.account) > (b.bucket, b.account) else -1)


def rank_candidates(candidates: list[Candidate]) -> list[int]:
    """
    Return the positions of `candidates` from first to last in the ADL queue (WF-031).

    Complexity: O(n log n) exact comparisons.
    """
    return sorted(range(len(candidates)), key=cmp_to_key(lambda i, j: _compare(candidates[i], candidates[j])))


def allocate_lots(
    wanted: int,
    candidates: list[Candidate],
    allocation: Allocation = Allocation.QUEUE,
    *,
    first_extra: int = 0,
) -> list[int]:
    """
    Deal lots to candidates: whole, none above the lots it offers, exact in total (WF-030).

    Args:
        wanted: Lots to close, >= 0.
        candidates: Positions on the opposite side, one per account, in any order.
        allocation: `QUEUE` takes all of the first in rank, then the next. `PRO_RATA` takes in proportion to
            lots, rounded down, the remainder one lot each from `first_extra` in (bucket, account) order; so
            does `WATER_FILLING`, which for lots is the same.
        first_extra: Where the remainder begins.

    Returns:
        Lots per candidate in the order given, summing to min(wanted, lots offered).
    """
    assert wanted >= 0 and all(c.lots >= 0 for c in candidates)
    total = min(wanted, sum(c.lots for c in candidates))
    taken = [0] * len(candidates)
    if allocation is Allocation.QUEUE:
        for i in rank_candidates(candidates):
            taken[i] = min(total, candidates[i].lots)
            total -= taken[i]
        return taken
    canonical = sorted(range(len(candidates)), key=lambda i: (candidates[i].bucket, candidates[i].account))
    shares = share_pro_rata(total, [candidates[i].lots for i in canonical], first_extra=first_extra)
    for i, share in zip(canonical, shares, strict=True):
        taken[i] = share
    return taken
