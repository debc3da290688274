"""
Where one amount, as a function of size, overtakes another: pieces first, then their exact crossings.

A venue's requirement is piecewise linear or quadratic in size, bent or broken at bracket edges. `trace` finds the
pieces from evaluations alone; `find_crossings` solves the differences of pieces. Nothing is read off a sampled line.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from decimal import ROUND_FLOOR, Decimal, localcontext
from itertools import pairwise
from typing import NamedTuple

from tocsin.venues.contract import NUMBERS

Amount = Callable[[Decimal], Decimal | None]
"""An amount at a size > 0; None where there is no answer."""

SAME = Decimal("1e-9")
"""Relative difference within which an amount counts as that of a piece: amounts may be rounded."""

NARROW = Decimal("1e-9")
"""Relative width at which the search for a jump stops."""

SMOOTH, SLIGHT = Decimal("1.03"), Decimal("1e-7")
"""In cells whose ends are nearer in ratio than the first, the second is enough: amounts with roots, such as x^1.5."""

PER_DECADE = 4
"""Cells a decade at the start. Two bends inside one cell that cancel at all five of its points stay unseen."""


class Piece(NamedTuple):
    """
    `a + b x + c x^2` for sizes from `low` to `high`.
    """

    low: Decimal
    high: Decimal
    a: Decimal
    b: Decimal
    c: Decimal

    def at(self, size: Decimal) -> Decimal:
        """
        Return the amount at a size.
        """
        return self.a + size * (self.b + size * self.c)


class Crossing(NamedTuple):
    """
    A size at which the smaller of two amounts changes: below it `below` is the smaller, above it `above`.
    """

    size: Decimal
    below: int
    above: int


def trace(amount: Amount, low: Decimal, high: Decimal, *, grain: Decimal = Decimal(1)) -> tuple[Piece, ...]:
    """
    Return the pieces of an amount between two sizes, rising; sizes without an answer are left out.

    Bends are exact where lines meet; a jump is known to a part in 10^9; an amount that is no parabola anywhere is
    followed to a part in 10^7. Evaluations: about 10 a decade and 10 a bend, up to 2,000 for such an amount.

    Args:
        grain: A unit > 0 in which brackets' edges may be round numbers, such as the price of a coin; saves evaluations.
    """
    with localcontext(NUMBERS):
        seen: dict[Decimal, Decimal | None] = {}

        def value(size: Decimal) -> Decimal | None:
            if size not in seen:
                seen[size] = amount(size)
            return seen[size]

        out: list[Piece] = []
        todo = list(reversed(_cells(low, high)))
        while todo:
            a, b = todo.pop()
            quarter = [a, _between(a, _between(a, b)), _between(a, b), _between(_between(a, b), b), b]
            values = [value(x) for x in quarter]
            found = [(x, y) for x, y in zip(quarter, values, strict=True) if y is not None]
            if not found:
                continue
            pieces: tuple[Piece, ...] = ()
            if len(found) == len(quarter):
                allowed = SLIGHT if b < a * SMOOTH else SAME
                pieces = _fit_one(found, allowed) or _fit_two(found, value, grain)
            if pieces:
                out += pieces
            elif b - a > NARROW * b:
                todo += [(quarter[2], b), (a, quarter[2])]
        return tuple(out)


def find_crossings(first: Sequence[Piece], second: Sequence[Piece]) -> tuple[Crossing, ...]:
    """
    Return the sizes at which the smaller of two traced amounts changes, rising: 0 is the first of them, 1 the second.

    Where both are equal over a whole stretch, the change counts at the stretch's end; a touch is no change. Sizes that
    only one of them covers are left out.
    """
    with localcontext(NUMBERS):
        nodes = sorted({x for piece in (*first, *second) for x in (piece.low, piece.high)})
        points: list[Decimal] = []
        for low, high in pairwise(nodes):
            p, q = find_piece(first, (low + high) / 2), find_piece(second, (low + high) / 2)
            if p is None or q is None:
                continue
            roots = _roots(p.a - q.a, p.b - q.b, p.c - q.c)
            points += [low, high, *(x for x in roots if low < x < high)]
        out: list[Crossing] = []
        last = 0
        points = sorted(set(points))
        for low, high in pairwise(points):
            middle = (low + high) / 2
            p, q = find_piece(first, middle), find_piece(second, middle)
            if p is None or q is None:
                continue
            mine, its = p.at(middle), q.at(middle)
            sign = 0 if abs(mine - its) <= SAME * max(abs(mine), abs(its)) else -1 if mine < its else 1
            if sign and last and sign != last:
                out.append(Crossing(low, 0 if last < 0 else 1, 0 if sign < 0 else 1))
            last = sign or last
        return tuple(out)


def is_same_curve(first: Sequence[Piece], second: Sequence[Piece]) -> bool:
    """
    Return whether two traced amounts are equal at every size, and cover the same ones.
    """
    if not first or not second:
        return False
    with localcontext(NUMBERS):
        if not _is_same(first[0].low, second[0].low) or not _is_same(first[-1].high, second[-1].high):
            return False
        nodes = sorted({piece.low for piece in (*first, *second)} | {first[-1].high})
        for low, high in pairwise(nodes):
            p, q = find_piece(first, (low + high) / 2), find_piece(second, (low + high) / 2)
            if p is None or q is None:
                if p is not q:
                    return False
                continue
            if not all(_is_same(p.at(x), q.at(x)) for x in (low, (low + high) / 2, high)):
                return False
    return True


def find_piece(pieces: Sequence[Piece], size: Decimal) -> Piece | None:
    """
    Return the piece that covers a size; at a shared end the later one; None where none does.
    """
    at = bisect_right(pieces, size, key=lambda piece: piece.low) - 1
    return pieces[at] if at >= 0 and size <= pieces[at].high else None


def rank(curves: Sequence[Sequence[Piece]], size: Decimal) -> tuple[int, ...]:
    """
    Return the numbers of the curves that cover a size, the smallest amount first; equal ones in their own order.
    """
    with localcontext(NUMBERS):
        found = [
            (piece.at(size), i) for i, curve in enumerate(curves) if (piece := find_piece(curve, size)) is not None
        ]
        return tuple(i for _, i in sorted(found))


def _cells(low: Decimal, high: Decimal) -> list[tuple[Decimal, Decimal]]:
    step = Decimal(10) ** (Decimal(1) / PER_DECADE)
    ends = [low]
    while ends[-1] * step < high:
        ends.append(_short(ends[-1] * step))
    ends.append(high)
    return list(pairwise(ends))


def _between(low: Decimal, high: Decimal) -> Decimal:
    """
    Return a short number between two sizes, near the middle in ratio.
    """
    middle = _short((low * high).sqrt())
    return middle if low < middle < high else (low + high) / 2


def _short(value: Decimal) -> Decimal:
    return value.quantize(Decimal(1).scaleb(value.adjusted() - 5)) if value else value


def _roundest(low: Decimal, high: Decimal) -> Decimal:
    """
    Return a number between two others with as few digits as can be.
    """
    for exponent in range(high.adjusted(), low.adjusted() - 12, -1):
        found = high.quantize(Decimal(1).scaleb(exponent), rounding=ROUND_FLOOR)
        if low < found < high:
            return found
    return (low + high) / 2


def _is_same(found: Decimal, expected: Decimal, allowed: Decimal = SAME) -> bool:
    return abs(found - expected) <= allowed * max(abs(found), abs(expected))


def _fit_one(points: Sequence[tuple[Decimal, Decimal]], allowed: Decimal) -> tuple[Piece, ...]:
    """
    Return one parabola (or line) through the first, middle and last of five points if it meets the others.

    Args:
        allowed: Relative difference at which it still meets them.
    """
    (x0, y0), (x1, y1), (x2, y2) = points[0], points[2], points[4]
    slope = (y1 - y0) / (x1 - x0)
    c = ((y2 - y0) / (x2 - x0) - slope) / (x2 - x1)
    b = slope - c * (x0 + x1)
    piece = Piece(x0, x2, y0 - x0 * (b + x0 * c), b, c)
    return (piece,) if all(_is_same(y, piece.at(x), allowed) for x, y in points) else ()


def _fit_two(
    points: Sequence[tuple[Decimal, Decimal]], value: Callable[[Decimal], Decimal | None], grain: Decimal
) -> tuple[Piece, ...]:
    """
    Return two lines through five points that meet between the second and fourth of them, or part there in a jump.
    """
    left, right = _line(points[0], points[1]), _line(points[3], points[4])
    middle_x, middle_y = points[2]
    joins_left, joins_right = _is_same(middle_y, left.at(middle_x)), _is_same(middle_y, right.at(middle_x))
    if joins_left == joins_right:
        return ()
    # Three points vouch for one line, only two for the other: ask for a third.
    lone, side = (right, points[3:5]) if joins_left else (left, points[0:2])
    witness = _between(side[0][0], side[1][0])
    said = value(witness)
    if said is None or not _is_same(said, lone.at(witness)):
        return ()
    gap = (middle_x, points[3][0]) if joins_left else (points[1][0], middle_x)
    if left.b != right.b:
        bend = (right.a - left.a) / (left.b - right.b)
        if gap[0] <= bend <= gap[1]:
            found = value(bend)
            if found is not None and _is_same(found, left.at(bend)):
                return left._replace(high=bend), right._replace(low=bend)
    return _fit_jump(left, right, gap, value, grain)


def _fit_jump(
    left: Piece,
    right: Piece,
    gap: tuple[Decimal, Decimal],
    value: Callable[[Decimal], Decimal | None],
    grain: Decimal,
) -> tuple[Piece, ...]:
    """
    Return two lines with the size between them at which the amount leaves the one for the other.
    """
    low, high = gap
    for unit in (Decimal(1), grain):
        round_size = _roundest(low / unit, high / unit) * unit
        under, over = round_size * (1 - NARROW), round_size * (1 + NARROW)
        before, after = value(under), value(over)
        if before is None or after is None:
            continue
        if _is_same(before, left.at(under)) and _is_same(after, right.at(over)):
            return left._replace(high=round_size), right._replace(low=round_size)
    while high - low > NARROW * high:
        middle = _between(low, high)
        found = value(middle)
        if found is None:
            return ()
        if _is_same(found, left.at(middle)):
            low = middle
        elif _is_same(found, right.at(middle)):
            high = middle
        else:
            return ()
    return left._replace(high=high), right._replace(low=high)


def _line(start: tuple[Decimal, Decimal], end: tuple[Decimal, Decimal]) -> Piece:
    (x0, y0), (x1, y1) = start, end
    slope = (y1 - y0) / (x1 - x0)
    return Piece(x0, x1, y0 - slope * x0, slope, Decimal(0))


def _roots(a: Decimal, b: Decimal, c: Decimal) -> Iterable[Decimal]:
    """
    Return the real roots of `a + b x + c x^2`, none for a constant.
    """
    if c:
        inside = b * b - 4 * a * c
        if inside < 0:
            return ()
        # The root of larger size first, the other from their product: no cancellation.
        half = -(b + inside.sqrt().copy_sign(b)) / 2
        return (half / c, *((a / half,) if half else ()))
    return (-a / b,) if b else ()
