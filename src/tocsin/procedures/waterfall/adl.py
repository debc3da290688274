"""
Choose whose lots are closed by auto-deleveraging: whole lots, exact in total (rules WF-030 to WF-036).

Only lots are decided here, never money: they are closed at the mark, and what is missing is shared by
`sharing`. The result depends on the candidates, never on the order in which they are listed.
"""

from collections.abc import Iterable
from typing import NamedTuple

from tocsin.procedures.waterfall.levels import Source, take_by_level
from tocsin.procedures.waterfall.scores import Candidate, canonical_order, rank_candidates
from tocsin.procedures.waterfall.sharing import share_by_weight
from tocsin.sheet.terms import Allocation, Hedges, Score, WaterfallPolicy, Weight


class LotPolicy(NamedTuple):
    """How lots are dealt: the part of a sheet's `WaterfallPolicy` that says so."""

    allocation: Allocation = Allocation.QUEUE
    score: Score = Score.BITMEX
    weight: Weight = Weight.LOTS
    hedges: Hedges = Hedges.IGNORE

    @classmethod
    def of(cls, policy: WaterfallPolicy) -> "LotPolicy":
        """Return the part of a sheet's policy that deals lots."""
        return cls(policy.lots, policy.score, policy.weight, policy.hedges)


def deal_lots(wanted: int, candidates: list[Candidate], policy: LotPolicy, *, first_extra: int = 0) -> list[int]:
    """
    Deal lots to candidates by the sheet's policy, lots that hedge their holder as `hedges` says (WF-030, WF-036).

    `KEEP` deals safe lots only; `LAST` deals them first and, if they do not reach, the others by the same policy;
    `IGNORE` makes no difference.

    Args:
        wanted: Lots to close, >= 0.
        candidates: Positions on the opposite side of one contract, one per account, in any order.
        policy: What the sheet says.
        first_extra: Where the last lots begin to be dealt.

    Returns:
        Lots per candidate in the order given, summing to min(wanted, lots offered); under `KEEP` to min(wanted, safe
        lots offered).
    """

    def deal(units: int, offered: list[Candidate]) -> list[int]:
        return allocate_lots(
            units, offered, policy.allocation, score=policy.score, weight=policy.weight, first_extra=first_extra
        )

    if policy.hedges is Hedges.IGNORE:
        return deal(wanted, candidates)
    safe = deal(wanted, [_offer(c, c.safe_lots) for c in candidates])
    left = wanted - sum(safe)
    if policy.hedges is Hedges.KEEP or not left:
        return safe
    rest: list[Candidate] = []
    for c, taken in zip(candidates, safe, strict=True):
        # Scores stay frozen; the leverage that water-filling levels is what the safe lots left.
        gone = 0 if policy.allocation is Allocation.WATER_FILLING else taken
        rest.append(c._replace(lots=c.lots - taken, reserved=c.reserved + gone))
    others = deal(left, rest)
    return [x + y for x, y in zip(safe, others, strict=True)]


def _offer(candidate: Candidate, lots: int) -> Candidate:
    """Return the candidate with fewer lots on offer; its position is as large as before."""
    return candidate._replace(lots=lots, reserved=candidate.held - lots)


def allocate_lots(
    wanted: int,
    candidates: list[Candidate],
    allocation: Allocation = Allocation.QUEUE,
    *,
    score: Score = Score.BITMEX,
    weight: Weight = Weight.LOTS,
    first_extra: int = 0,
) -> list[int]:
    """
    Deal lots to candidates: whole, none above the lots it offers, exact in total (WF-030).

    Args:
        wanted: Lots to close, >= 0.
        candidates: Positions on the opposite side, one per account, in any order.
        allocation: `QUEUE` takes all of the first in rank by `score`, then the next (WF-031). `PRO_RATA` takes in
            proportion to `weight`, capped by lots, rounded down, the remainder one each from `first_extra` (WF-032).
            `MIN_MAX` makes the largest taken / `weight` least (WF-035). Both come to holders of no weight only when all
            others gave all; among them lots are the weight. `WATER_FILLING` makes the largest leverage left, held lots
            / equity, least (WF-034).
        score: Who stands first in a queue.
        weight: What shares go by.
        first_extra: Where the last lots begin to be dealt, in (bucket, account) order.

    Returns:
        Lots per candidate in the order given, summing to min(wanted, lots offered).

    Complexity: O(n log n).
    """
    assert wanted >= 0 and all(c.lots >= 0 and c.reserved >= 0 for c in candidates)
    total = min(wanted, sum(c.lots for c in candidates))
    if allocation is Allocation.QUEUE:
        taken = [0] * len(candidates)
        for i in rank_candidates(candidates, score, first_extra=first_extra):
            taken[i] = min(total, candidates[i].lots)
            total -= taken[i]
        return taken
    order = canonical_order(candidates)
    listed = [candidates[i] for i in order]
    if allocation is Allocation.WATER_FILLING:
        sources = [Source(c.held + 1, max(1, c.equity), c.lots) for c in listed]
        return _back(order, take_by_level(total, sources, first_extra=first_extra))
    weights = [_weigh(c, weight) for c in listed]
    first = min(total, sum(c.lots for c, w in zip(listed, weights, strict=True) if w))
    caps = [c.lots if w else 0 for c, w in zip(listed, weights, strict=True)]
    others = [0 if w else c.lots for c, w in zip(listed, weights, strict=True)]
    deal = _deal_min_max if allocation is Allocation.MIN_MAX else _deal_pro_rata
    shares = deal(first, weights, caps, first_extra)
    rest = deal(total - first, others, others, first_extra)
    return _back(order, (x + y for x, y in zip(shares, rest, strict=True)))


def _deal_pro_rata(total: int, weights: list[int], caps: list[int], first_extra: int) -> list[int]:
    return share_by_weight(total, weights, caps, first_extra=first_extra)


def _deal_min_max(total: int, weights: list[int], caps: list[int], first_extra: int) -> list[int]:
    sources = [Source(0, max(1, w), cap) for w, cap in zip(weights, caps, strict=True)]
    return take_by_level(total, sources, first_extra=first_extra)


def _weigh(candidate: Candidate, weight: Weight) -> int:
    """Return what a holder counts in shares, >= 0; a loss or debt counts nothing."""
    match weight:
        case Weight.LOTS:
            return candidate.lots
        case Weight.PROFIT:
            return max(0, candidate.profit)
        case Weight.EQUITY:
            return max(0, candidate.equity)
        case Weight.NOTIONAL:
            return candidate.notional


def _back(order: list[int], shares: Iterable[int]) -> list[int]:
    """Return shares dealt in `order` in the order in which candidates were given."""
    out = [0] * len(order)
    for i, share in zip(order, shares, strict=True):
        out[i] = share
    return out
