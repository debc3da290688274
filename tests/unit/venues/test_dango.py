"""
Dango: money is conserved, the bankruptcy price divides by the whole position, long and short mirror.
"""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.venues import VenueRefusal, dango

ONE = dango.ONE
PAIRS = {"eth": dango.Pair(1_800 * ONE, 50_000), "btc": dango.Pair(44_000 * ONE, 50_000)}


def other(size: int, entry: int, name: str = "bob") -> dango.Counterparty:
    return dango.Counterparty(name, abs(size), entry)


def account(margin: int, **positions: tuple[int, int]) -> dango.Account:
    return dango.Account(margin, {k: dango.Position(size, entry) for k, (size, entry) in positions.items()})


@pytest.mark.parametrize(
    ("a", "b", "product", "quotient"), [(7, 500_000, 3, 14), (-7, 500_000, -3, -14), (-1, 3, 0, -333_333)]
)
def test_products_and_quotients_are_cut_toward_zero(a: int, b: int, product: int, quotient: int) -> None:
    assert (dango.multiply(a, b), dango.divide(a, b)) == (product, quotient)


def test_equity_that_is_the_requirement_stands() -> None:
    held = account(2_900 * ONE, eth=(10 * ONE, 2_000 * ONE))
    assert (held.equity(PAIRS), held.maintenance(PAIRS)) == (900 * ONE, 900 * ONE)
    assert not dango.is_liquidatable(held, PAIRS)
    with pytest.raises(VenueRefusal, match="not liquidatable: equity 900000000"):
        dango.liquidate(held, PAIRS, {}, {}, fee_rate=0)
    held.margin -= 1
    assert dango.is_liquidatable(held, PAIRS)
    assert not dango.is_liquidatable(account(-ONE), PAIRS)


@pytest.mark.parametrize(
    ("missing", "schedule"),
    [
        (0, []),
        (-5, []),
        (1, [("btc", 1)]),
        (220 * ONE, [("btc", 100_000)]),
        (220 * ONE + 1, [("btc", 100_001)]),
        (2_200 * ONE, [("btc", ONE)]),
        (2_200 * ONE + 1, [("btc", ONE), ("eth", 1)]),
        (9_999 * ONE, [("btc", ONE), ("eth", 10 * ONE)]),
    ],
)
def test_the_largest_requirement_closes_first_and_rounds_up(missing: int, schedule: list[tuple[str, int]]) -> None:
    held = account(0, eth=(-10 * ONE, ONE), btc=(ONE, ONE))
    assert dango.close_schedule(held, PAIRS, missing) == schedule


def test_what_would_be_dust_closes_whole_and_counts_against_the_deficit() -> None:
    pairs = {**PAIRS, "btc": PAIRS["btc"]._replace(min_order=40_000 * ONE)}
    held = account(0, eth=(10 * ONE, ONE), btc=(ONE, ONE))
    assert dango.close_schedule(held, pairs, 220 * ONE) == [("btc", ONE)]
    pairs["btc"] = PAIRS["btc"]._replace(min_order=39_600 * ONE)
    assert dango.close_schedule(held, pairs, 220 * ONE) == [("btc", 100_000)]


def test_a_buffer_closes_more() -> None:
    assert dango.deficit(180 * ONE, 900 * ONE) == 720 * ONE
    assert dango.deficit(210 * ONE, 900 * ONE, buffer=50_000) == 700 * ONE
    assert dango.deficit(-210 * ONE, 900 * ONE, buffer=50_000) == 1_100 * ONE


@pytest.mark.parametrize(
    ("size", "equity", "price"),
    [(10, 180, 1_782), (-10, 180, 1_818), (10, -200, 1_820), (-10, -200, 1_780), (10, 0, 1_800)],
)
def test_the_bankruptcy_price_divides_by_the_whole_position(size: int, equity: int, price: int) -> None:
    assert dango.bankruptcy_price(equity * ONE, size * ONE, 1_800 * ONE) == price * ONE


def test_the_book_fills_best_first_and_not_beyond_the_limit() -> None:
    book = [dango.Offer(2, 1_782), dango.Offer(3, 1_800), dango.Offer(9, 1_781), dango.Offer(4, 1_790)]
    assert dango.fill_from_book(10, 8, 1_782, book) == [(3, 1_800), (4, 1_790), (1, 1_782)]
    assert dango.fill_from_book(10, 99, 1_782, book) == [(3, 1_800), (4, 1_790), (2, 1_782)]
    # A short buys from asks: low prices first, none above the limit.
    assert dango.fill_from_book(-10, 99, 1_790, book) == [(9, 1_781), (2, 1_782), (4, 1_790)]


def test_who_gains_most_per_unit_is_deleveraged_first() -> None:
    others = [other(3, 2_000, "b"), other(3, 2_100, "c"), other(3, 2_000, "a"), other(9, 1_900, "d")]
    taken = dango.deleverage(10 * ONE, 7, 1_800, others)
    assert [(t.name, t.size) for t in taken] == [("c", 3), ("a", 3), ("b", 1)]
    assert [t.name for t in dango.deleverage(-10 * ONE, 11, 1_800, others)] == ["d", "a"]
    assert sum(t.size for t in dango.deleverage(10 * ONE, 99, 1_800, others)) == 18


def test_two_insolvent_legs_the_first_takes_the_whole_shortfall() -> None:
    held = account(7_165 * ONE, eth=(10 * ONE, 2_000 * ONE), btc=(ONE, 50_000 * ONE))
    others = {"eth": [other(10 * ONE, 2_000 * ONE)], "btc": [other(ONE, 50_000 * ONE)]}
    done = dango.liquidate(held, PAIRS, {}, others, fee_rate=1_000)
    assert (done.equity, done.maintenance) == (-835 * ONE, 3_100 * ONE)
    assert [(leg.pair, leg.bankruptcy_price) for leg in done.legs] == [("btc", 44_835 * ONE), ("eth", 1_800 * ONE)]
    assert (held.margin, done.fee, done.bad_debt) == (0, 0, 0)
    assert [t.profit for leg in done.legs for t in leg.takes] == [5_165 * ONE, 2_000 * ONE]


def test_a_fee_never_takes_more_than_the_equity_left() -> None:
    held = account(2_010 * ONE, eth=(10 * ONE, 2_000 * ONE))
    done = dango.liquidate(held, PAIRS, {"eth": [dango.Offer(10 * ONE, 1_800 * ONE)]}, {}, fee_rate=100_000)
    assert (done.fee, done.bad_debt, held.equity(PAIRS)) == (10 * ONE, 0, 0)


def test_what_nobody_can_be_deleveraged_for_stays_open() -> None:
    held = account(2_800 * ONE, eth=(10 * ONE, 2_000 * ONE))
    pairs = {"eth": dango.Pair(1_700 * ONE, 50_000)}
    done = dango.liquidate(held, pairs, {}, {"eth": [other(4 * ONE, 2_000 * ONE)]}, fee_rate=0)
    assert (done.legs[0].closed, held.positions["eth"].size) == (4 * ONE, 6 * ONE)
    # 4 of 10 units brought equity from -200 to -120; the fund makes that good.
    assert (done.bad_debt, held.equity(pairs)) == (120 * ONE, 0)


SIDES = st.sampled_from([1, -1])


@given(
    SIDES,
    st.integers(1, 20),
    st.integers(-3_000, 3_000),
    st.lists(st.tuples(st.integers(1, 12), st.integers(-60, 60)), max_size=3),
    st.sampled_from([0, 1_000, 20_000]),
    st.sampled_from([0, 50_000]),
)
def test_a_liquidation_conserves_money_and_mirrors(
    side: int, size: int, equity: int, book: list[tuple[int, int]], fee_rate: int, buffer: int
) -> None:
    results: list[tuple[int, ...]] = []
    oracle, entry_gap = 2_000 * ONE, 200 * ONE
    for direction in (side, -side):
        held = account(0, eth=(direction * size * ONE, oracle + direction * entry_gap))
        held.margin = equity * ONE - held.equity({"eth": dango.Pair(oracle, 50_000)})
        pairs = {"eth": dango.Pair(oracle, 50_000)}
        if not dango.is_liquidatable(held, pairs):
            return
        offers = [dango.Offer(q * ONE, oracle + direction * gap * ONE) for q, gap in book]
        entry = held.positions["eth"].entry
        before = held.equity(pairs)
        done = dango.liquidate(
            held, pairs, {"eth": offers}, {"eth": [other(size * ONE, entry)]}, fee_rate=fee_rate, buffer=buffer
        )
        (leg,) = done.legs
        book_gain = sum(dango.multiply(direction * f.size, oracle - f.price) for f in leg.fills)
        adl_gain = sum(dango.multiply(direction * t.size, oracle - leg.bankruptcy_price) for t in leg.takes)
        assert held.equity(pairs) + book_gain + adl_gain + done.fee - done.bad_debt == before
        assert held.equity(pairs) >= 0 and leg.closed == leg.close
        assert all(direction * (f.price - leg.limit) >= 0 for f in leg.fills)
        if before > 0:
            assert done.bad_debt == 0
        if before <= 0 and not leg.fills:
            # Deleveraged whole at the bankruptcy price: nothing is left, up to a millionth per unit.
            assert done.bad_debt <= size
        results.append((done.fee, done.bad_debt, leg.close, book_gain, adl_gain))
    assert results[0] == results[1]


@given(st.integers(1, 50), st.integers(1, 10**9))
def test_a_partial_close_at_the_bankruptcy_price_concedes_its_share_only(size: int, equity: int) -> None:
    oracle = 2_000 * ONE
    price = dango.bankruptcy_price(equity, size * ONE, oracle)
    for closed in range(1, size + 1):
        conceded = Fraction(closed * (oracle - price), 1)
        assert conceded <= Fraction(equity * closed, size)
