"""
Pieces of an amount and where two amounts change places: against brackets whose edges are known.
"""

from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.venues.curves import Amount, Crossing, find_crossings, find_piece, rank, trace

D = Decimal
LOW, HIGH = D(10_000), D(1_000_000_000)


def marginal(*tiers: tuple[int, str]) -> Amount:
    """Amount of marginal brackets (floor, rate), summed slice by slice."""

    def amount(size: Decimal) -> Decimal:
        ends = [D(floor) for floor, _ in tiers[1:]] + [D("1e30")]
        slices = zip(tiers, ends, strict=True)
        return sum((max(D(0), min(size, end) - floor) * D(rate) for (floor, rate), end in slices), D(0))

    return amount


def cliff(*tiers: tuple[int, str]) -> Amount:
    """Amount of brackets in which the whole position pays the bracket's rate."""
    return lambda size: size * D([rate for floor, rate in tiers if size > floor][-1])


def flat(rate: str) -> Amount:
    return lambda size: size * D(rate)


def test_pieces_meet_at_the_brackets_edges() -> None:
    pieces = trace(marginal((0, "0.004"), (123_457, "0.01"), (40_000_000, "0.05")), LOW, HIGH)
    bends = [p.high for p, q in pairwise(pieces) if abs(p.b - q.b) > D("1e-6")]
    assert bends == [D(123_457), D(40_000_000)]


@pytest.mark.parametrize("edge", [50_000, 777_777, 31_622_777])
def test_a_jump_is_known_to_a_part_in_a_billion(edge: int) -> None:
    pieces = trace(cliff((0, "0.01"), (edge, "0.02")), LOW, HIGH)
    (jump,) = [p.high for p, q in pairwise(pieces) if abs(p.b - q.b) > D("1e-6")]
    assert 0 <= jump - edge <= edge * D("2e-9")


def test_crossing_of_brackets_and_one_rate_is_exact() -> None:
    brackets = trace(marginal((0, "0.004"), (1_000_000, "0.02")), LOW, HIGH)
    one = trace(flat("0.0125"), LOW, HIGH)
    # 0.02 N - 16,000 = 0.0125 N
    (found,) = find_crossings(brackets, one)
    assert abs(found.size - D(16_000) / D("0.0075")) < D("1e-3") and (found.below, found.above) == (0, 1)
    (mirrored,) = find_crossings(one, brackets)
    assert mirrored == Crossing(found.size, 1, 0)


def test_a_parabola_crosses_a_line_twice() -> None:
    curve = trace(lambda x: x * (D("0.01") + x * D("1e-9")), LOW, HIGH)
    line = trace(lambda x: x * D("0.0152") - 4_200, LOW, HIGH)  # (x - 1,000,000) (x - 4,200,000) = 0
    found = [(round(c.size, 3), c.below, c.above) for c in find_crossings(curve, line)]
    assert found == [(1_000_000, 1, 0), (4_200_000, 0, 1)]


def test_a_touch_is_no_change() -> None:
    curve = trace(lambda x: x * (D("0.01") + x * D("1e-9")), LOW, HIGH)
    touching = trace(lambda x: x * D("0.012") - 1_000, LOW, HIGH)  # (x - 1,000,000)^2 = 0
    assert find_crossings(curve, touching) == ()


def test_a_jump_changes_the_order_at_its_edge() -> None:
    jump = trace(cliff((0, "0.01"), (2_000_000, "0.03")), LOW, HIGH)
    found = find_crossings(jump, trace(flat("0.02"), LOW, HIGH))
    assert len(found) == 1 and abs(found[0].size - 2_000_000) < D("0.01")
    assert (found[0].below, found[0].above) == (0, 1)


def test_equal_amounts_never_change_places() -> None:
    one = trace(flat("0.02"), LOW, HIGH)
    assert find_crossings(one, one) == ()
    assert rank([one, one], D(50_000)) == (0, 1)


def test_sizes_without_an_answer_are_left_out() -> None:
    pieces = trace(lambda x: x if x <= 3_000_000 else None, LOW, HIGH)
    assert abs(pieces[-1].high - 3_000_000) < D("0.01")
    assert find_piece(pieces, D(4_000_000)) is None and rank([pieces], D(4_000_000)) == ()
    assert trace(lambda _: None, LOW, HIGH) == ()


def test_an_amount_with_roots_is_followed_closely_and_soon() -> None:
    asked: list[Decimal] = []

    def amount(size: Decimal) -> Decimal:
        asked.append(size)
        return size * max(D("0.02"), D("0.000003") * size.sqrt())

    pieces = trace(amount, LOW, HIGH)
    assert len(asked) < 2_000
    for k in range(50):
        size = LOW * D("1.26") ** k
        piece = find_piece(pieces, size)
        assert piece is not None or size > HIGH
        assert piece is None or abs(piece.at(size) - amount(size)) < amount(size) * D("1e-6")
    # 0.000003 x root = 0.03 at 100,000,000
    (found,) = find_crossings(pieces, trace(flat("0.03"), LOW, HIGH))
    assert abs(found.size - 100_000_000) < 100 and (found.below, found.above) == (0, 1)


RATES = st.lists(st.integers(1, 500), min_size=1, max_size=7, unique=True).map(sorted)
EDGES = st.lists(st.integers(20_000, 900_000_000), min_size=6, max_size=6, unique=True).map(sorted)


@given(RATES, EDGES, RATES, EDGES, st.booleans())
@settings(max_examples=25, deadline=None)
def test_no_change_of_order_is_missed(a: list[int], x: list[int], b: list[int], y: list[int], is_cliff: bool) -> None:
    kind = cliff if is_cliff else marginal
    amounts = [
        kind(*((floor, str(D(rate) / 1000)) for floor, rate in zip([0, *edges], rates, strict=False)))
        for rates, edges in ((a, x), (b, y))
    ]
    crossings = find_crossings(*(trace(amount, LOW, HIGH) for amount in amounts))
    assert all(c.below != c.above for c in crossings)
    for k in range(400):
        size = LOW * D("1.0292") ** k
        if size > HIGH or any(abs(size - c.size) < size * D("1e-6") for c in crossings):
            continue
        one, two = (amount(size) for amount in amounts)
        assert one is not None and two is not None
        if abs(one - two) > D("1e-6") * one and crossings:
            passed = [c for c in crossings if c.size < size]
            smaller = passed[-1].above if passed else crossings[0].below
            assert smaller == (0 if one < two else 1), size
        elif not crossings and abs(one - two) > D("1e-6") * one:
            first, second = (amount(LOW) for amount in amounts)
            assert first is not None and second is not None
            assert first == second or (first < second) == (one < two), size
