"""
Take whole lots by level: always the next lot whose key is lowest (rules WF-034, WF-035, WF-062).

The j-th lot of a holder (j from 1) has the key `(j - offset) / weight`, rising in j. Two notions of fairness are two
choices of keys: with offset 0 the key is the share lost after the lot, so that the largest share is least; with offset
`held + 1` it is less the leverage before the lot, so that the largest leverage left is least.
"""

from heapq import heapify, heapreplace
from typing import NamedTuple

from tocsin.procedures.waterfall.scores import key_shift


class Source(NamedTuple):
    """What one holder gives: keys are (j - offset) / weight for j = 1 to cap; weight > 0, cap >= 0."""

    offset: int
    weight: int
    cap: int


def take_by_level(total: int, sources: list[Source], *, first_extra: int = 0) -> list[int]:
    """
    Take `total` lots in order of their keys, lowest first, equal keys in the order of `sources` begun at `first_extra`.

    All lots up to the real-valued level are taken at once, the last ones (fewer than there are sources) one by one.

    Args:
        total: Lots to take, 0 <= total <= sum of caps.
        sources: Holders in (bucket, account) order.
        first_extra: Where equal keys begin, modulo the number of sources.

    Returns:
        Lots per source, summing to `total`, none above its cap; the same as taking one lot after the other.

    Invariants: no other whole choice of `total` lots has a lower largest key.
    Complexity: O(n log n).
    """
    assert 0 <= total <= sum(s.cap for s in sources)
    assert all(s.weight > 0 and s.cap >= 0 for s in sources)
    if not total:
        return [0] * len(sources)
    top, bottom = find_level(total, sources)
    taken = [max(0, min(s.cap, top * s.weight // bottom + s.offset)) for s in sources]
    rest = total - sum(taken)
    assert 0 <= rest <= len(sources)
    shift = key_shift(s.weight for s in sources)
    heap = [
        (_key(s, taken[i] + 1, shift), (i - first_extra) % len(sources), i)
        for i, s in enumerate(sources)
        if taken[i] < s.cap
    ]
    heapify(heap)
    for _ in range(rest):
        _, turn, i = heap[0]
        taken[i] += 1
        # A source that is empty stays in the heap behind all others.
        full = taken[i] == sources[i].cap
        key = (1, 0) if full else _key(sources[i], taken[i] + 1, shift)
        heapreplace(heap, (key, turn, i))
    return taken


def _key(source: Source, lot: int, shift: int) -> tuple[int, int]:
    return (0, ((lot - source.offset) << shift) // source.weight)


def find_level(total: int, sources: list[Source]) -> tuple[int, int]:
    """
    Return the level L as (numerator, denominator > 0) at which `sum(clamp(L x weight + offset, 0, cap)) = total`.

    The sum is a rising broken line; its breaks are passed in exact order, source by source.
    """
    shift = key_shift(s.weight for s in sources)
    breaks: list[tuple[int, int, int]] = []
    for i, s in enumerate(sources):
        if s.cap:
            breaks.append(((-s.offset << shift) // s.weight, i, 0))
            breaks.append((((s.cap - s.offset) << shift) // s.weight, i, 1))
    breaks.sort()
    full = offsets = weights = 0
    for _, i, leaves in breaks:
        offset, weight, cap = sources[i]
        at = cap - offset if leaves else -offset
        # Below this break the sum is full + offsets + L x weights; is it `total` at or before it?
        if (total - full - offsets) * weight <= weights * at:
            return total - full - offsets, weights
        if leaves:
            full, offsets, weights = full + cap, offsets - offset, weights - weight
        else:
            offsets, weights = offsets + offset, weights + weight
    raise AssertionError("caps hold the total")
