"""
Share one amount of money among many in whole units, exact in total (rules WF-001 to WF-013).

Three ways: by level of haircut (`share_water_filling`), in proportion (`share_pro_rata_floor`), in rank order
(`share_queue`). All amounts are units >= 0 of one asset. Callers give claimants in (bucket, account) order;
only the last unit of a claimant may depend on that order.
"""

from enum import IntEnum
from math import gcd
from typing import NamedTuple

from tocsin.procedures.waterfall.levels import Source, take_by_level
from tocsin.sheet.terms import Allocation, Remainder


class OtherRemainder(IntEnum):
    """
    Remainder rules of other engines; no sheet can name them, `tocsin conform` uses them (WF-013).

    `LARGEST`: one unit each by largest fraction lost, earlier claimants first among equals.
    `LAST_WHOLE`: all of it to the last claimant, even beyond its limit.
    """

    LARGEST = 2
    LAST_WHOLE = 3


AnyRemainder = Remainder | OtherRemainder
"""
`Remainder.ROTATE`: one unit each, from position `first_extra` modulo the number of broken shares.
`Remainder.LAST`: the last claimant up to its limit, then the one before it (WF-010 to WF-012).
"""


class Sharing(NamedTuple):
    """
    Amounts per claimant, the level of haircut as an exact fraction, and what nobody could pay.

    `level_numerator / level_denominator` is the haircut of every payer below its capacity, in 0 to 1;
    the denominator is > 0. `uncovered` is 0 unless every payer is at its capacity.
    """

    amounts: list[int]
    level_numerator: int
    level_denominator: int
    uncovered: int


def deal_remainder(
    shares: list[int],
    rest: int,
    losses: list[int],
    limits: list[int],
    remainder: AnyRemainder,
    first_extra: int = 0,
) -> None:
    """
    Add `rest` units to `shares` in place, as the policy says.

    Args:
        shares: Whole units, each an exact share rounded down.
        rest: Units to deal; under `ROTATE` and `LARGEST` fewer than there are positive `losses`.
        losses: What rounding took from each, in a common denominator; 0 for a share that was whole.
        limits: Most units a claimant may have in the end; kept by every policy but `LAST_WHOLE`.
        remainder: The policy.
        first_extra: Where `ROTATE` begins.
    """
    assert rest >= 0 and len(shares) == len(losses) == len(limits)
    if not rest:
        return
    if remainder is OtherRemainder.LAST_WHOLE:
        shares[-1] += rest
        return
    if remainder is Remainder.LAST:
        for i in range(len(shares) - 1, -1, -1):
            extra = min(rest, limits[i] - shares[i])
            shares[i] += extra
            rest -= extra
        assert rest == 0, "limits hold the total"
        return
    broken = [i for i, loss in enumerate(losses) if loss]
    assert rest <= len(broken), "one unit each"
    if remainder is OtherRemainder.LARGEST:
        broken.sort(key=lambda i: (-losses[i], i))
        first_extra = 0
    for k in range(rest):
        shares[broken[(first_extra + k) % len(broken)]] += 1


def share_water_filling(
    deficit: int,
    profits: list[int],
    capacities: list[int],
    *,
    remainder: AnyRemainder = Remainder.ROTATE,
    first_extra: int = 0,
) -> Sharing:
    """
    Share a deficit among winners at one level of haircut, none above its capacity (WF-001 to WF-005).

    The level eta solves `sum(profit_i * min(eta, capacity_i / profit_i)) = min(deficit, sum(capacities))`
    and is found in integers, without rounding. Payers at their capacity pay exactly it; the others pay
    `profit_i * eta` rounded down, and the remainder is dealt by policy.

    Args:
        deficit: Units missing, >= 0.
        profits: Gains of each winner in units, >= 0.
        capacities: Most units each may pay, 0 <= capacity <= profit: min(profit, equity), or less.
        remainder: Policy of the last units.
        first_extra: Where `ROTATE` begins: the state root modulo the number of claimants.

    Returns:
        Amounts in the order given, summing to min(deficit, sum(capacities)), each <= its capacity.

    Invariants: equal payers differ by at most one unit (`ROTATE`, `LARGEST`); a larger deficit lowers no
        exact share; the level does not depend on the order; splitting a payer in
        proportion moves at most one unit per part.
    Complexity: O(n log n).
    """
    assert deficit >= 0 and len(profits) == len(capacities)
    assert all(0 <= c <= w for c, w in zip(capacities, profits, strict=True)), "0 <= capacity <= profit"
    return _level_shares(deficit, profits, capacities, remainder, first_extra)


def share_by_weight(
    total: int,
    weights: list[int],
    caps: list[int],
    *,
    remainder: AnyRemainder = Remainder.ROTATE,
    first_extra: int = 0,
) -> list[int]:
    """
    Share `total` in proportion to weights, none above its cap: `min(cap, weight x t)` at one t (rules WF-032, WF-062).

    As `share_water_filling`, but a cap may be above the weight. Without weight there is no share.

    Returns:
        Whole units in the order given, summing to min(total, sum of the caps of those with weight).
    """
    assert total >= 0 and len(weights) == len(caps)
    assert all(w >= 0 and c >= 0 for w, c in zip(weights, caps, strict=True))
    limits = [c if w else 0 for w, c in zip(weights, caps, strict=True)]
    return _level_shares(total, weights, limits, remainder, first_extra).amounts


def share_min_max(total: int, weights: list[int], caps: list[int], *, first_extra: int = 0) -> list[int]:
    """
    Share `total` so that the largest amount / weight is as small as whole units allow (rule WF-062).

    Args:
        total: Units to share, >= 0.
        weights: What each share is measured against, >= 0; without weight there is no share.
        caps: Most units each may pay, >= 0.
        first_extra: Where equal claims to the next unit begin.

    Returns:
        Units in the order given, summing to min(total, sum of the caps of those with weight).
    """
    sources = [Source(0, max(1, w), c if w else 0) for w, c in zip(weights, caps, strict=True)]
    return take_by_level(min(total, sum(s.cap for s in sources)), sources, first_extra=first_extra)


def _level_shares(
    deficit: int, profits: list[int], capacities: list[int], remainder: AnyRemainder, first_extra: int
) -> Sharing:
    """Share `deficit` at one level of amount / profit, none above its capacity; the last units by policy."""
    amounts = [0] * len(profits)
    payers = [i for i, c in enumerate(capacities) if c > 0]
    if not payers:
        return Sharing(amounts, 0, 1, deficit)
    budget = min(deficit, sum(capacities))
    uncovered = deficit - budget

    # Two different fractions with denominators below 2^b differ by more than 2^-2b, so that these whole
    # numbers order capacity / profit exactly; equal fractions give equal numbers.
    shift = 2 * max(profits).bit_length() + 1
    payers.sort(key=lambda i: ((capacities[i] << shift) // profits[i], i))

    weight = sum(profits[i] for i in payers)
    left = budget
    filled = 0
    for i in payers:
        if capacities[i] * weight > left * profits[i]:
            break
        amounts[i] = capacities[i]
        left -= capacities[i]
        weight -= profits[i]
        filled += 1
    open_payers = sorted(payers[filled:])
    if not open_payers:
        left, weight = capacities[payers[-1]], profits[payers[-1]]
        shared = gcd(left, weight)
        return Sharing(amounts, left // shared, weight // shared, uncovered)

    shares = [left * profits[i] // weight for i in open_payers]
    losses = [left * profits[i] % weight for i in open_payers]
    limits = [capacities[i] for i in open_payers]
    deal_remainder(shares, left - sum(shares), losses, limits, remainder, first_extra)
    for i, share in zip(open_payers, shares, strict=True):
        amounts[i] = share
    shared = gcd(left, weight)
    return Sharing(amounts, left // shared, weight // shared, uncovered)


def share_pro_rata_floor(
    owed: list[int],
    collected: int,
    *,
    owed_total: int | None = None,
    remainder: AnyRemainder = Remainder.ROTATE,
    first_extra: int = 0,
) -> list[int]:
    """
    Pay creditors from what was collected, in proportion to what each is owed (WF-006, WF-007).

    Each is paid `owed_i * collected / owed_total` rounded down; the remainder is dealt by policy. If the
    collected amount covers everything, each is paid in full and the excess stays with the caller.

    Args:
        owed: Units owed to each, >= 0.
        collected: Units there are, >= 0.
        owed_total: Units owed in all, where the list is a part of the creditors; `sum(owed)` if absent. More
            than the sum leaves the others' part with the caller (with the last under `LAST_WHOLE`).

    Returns:
        Units paid, in the order given. Sums to min(collected, sum(owed)) when `owed_total` is the sum; no one
        gets more than owed except the last under `LAST_WHOLE`.
    """
    assert collected >= 0 and all(w >= 0 for w in owed)
    listed = sum(owed)
    total = listed if owed_total is None else owed_total
    assert total >= listed, "the creditors listed are owed no more than the total"
    if not owed:
        return []
    if collected >= total:
        return list(owed)
    paid = [w * collected // total for w in owed]
    losses = [w * collected % total for w in owed]
    budget = collected if remainder is OtherRemainder.LAST_WHOLE else listed * collected // total
    deal_remainder(paid, budget - sum(paid), losses, list(owed), remainder, first_extra)
    return paid


def share_queue(deficit: int, capacities: list[int]) -> list[int]:
    """
    Share a deficit in rank order: the first pays all it can, then the next (WF-008).

    Args:
        deficit: Units missing, >= 0.
        capacities: Most units each may pay, >= 0, first in rank first.

    Returns:
        Amounts in rank order, summing to min(deficit, sum(capacities)). Not symmetric and not proof against
        splitting an account; the rulebook says so.
    """
    assert deficit >= 0 and all(c >= 0 for c in capacities)
    amounts: list[int] = []
    for capacity in capacities:
        paid = min(deficit, capacity)
        amounts.append(paid)
        deficit -= paid
    return amounts


def share_deficit(
    allocation: Allocation,
    deficit: int,
    profits: list[int],
    capacities: list[int],
    *,
    remainder: AnyRemainder = Remainder.ROTATE,
    first_extra: int = 0,
) -> list[int]:
    """
    Share a deficit among winners by the sheet's policy (WF-009).

    `WATER_FILLING` levels the haircut of profits; `MIN_MAX` does so with the last units where they raise the largest
    haircut least; `PRO_RATA` goes by capacity; `QUEUE` takes the order given as rank.

    Returns:
        Units per winner in the order given, summing to min(deficit, sum(capacities)), each <= its capacity.
    """
    if allocation is Allocation.QUEUE:
        return share_queue(deficit, capacities)
    if allocation is Allocation.MIN_MAX:
        return share_min_max(deficit, profits, capacities, first_extra=first_extra)
    weights = profits if allocation is Allocation.WATER_FILLING else capacities
    shared = share_water_filling(deficit, weights, capacities, remainder=remainder, first_extra=first_extra)
    return shared.amounts
