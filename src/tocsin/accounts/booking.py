"""
How a fill changes a position: entry sums (rules AC-020 to AC-024, DESIGN 2.1).
"""

from typing import NamedTuple

from tocsin.core.integers import trunc_div


class Booked(NamedTuple):
    """New lots, new entry sum, and the change of cash."""

    lots: int
    entry: int
    cash: int


def book_fill(lots: int, entry: int, delta: int, value: int, funding: int) -> Booked:
    """
    Book `delta` signed lots with signed rounded `value` into a position of `lots` with entry sum `entry`.

    `w = value - delta x F`. Same sign: the entry sum grows by w. Reduction: `p = e x |delta| / |q|` truncated toward
    zero leaves the entry sum, and cash falls by p + w. Flip: `w_c = w x |q| / |delta|` truncated toward zero closes,
    cash falls by e + w_c, and the new entry sum is w - w_c.

    Invariants: cash less entry sum always changes by -w, so the two sides of a fill sum to zero; the absolute entry sum
    stays at most |q| times the largest |w| per lot ever booked (rulebook AC-024 has the proof).
    """
    assert delta != 0
    w = value - delta * funding
    if lots == 0 or (lots > 0) == (delta > 0):
        return Booked(lots + delta, entry + w, 0)
    size, part = abs(lots), abs(delta)
    if part <= size:
        closed = _proportion(entry, part, size)
        return Booked(lots + delta, entry - closed, -(closed + w))
    closing = _proportion(w, size, part)
    return Booked(lots + delta, w - closing, -(entry + closing))


def _proportion(amount: int, part: int, whole: int) -> int:
    return trunc_div(amount * part, whole)
