"""
Rules WF-070 to WF-075: default fund, assessments, gains haircut, tear-up.
"""

from hypothesis import given
from hypothesis import strategies as st

from tocsin.procedures.waterfall import (
    absorb_default,
    assessment_cap,
    haircut_gains,
    share_default_fund,
    size_default_fund,
    tear_up,
)

MONEY = st.integers(0, 10**15)
LOSSES = st.integers(1, 5).flatmap(
    lambda n: st.lists(st.lists(st.integers(-(10**6), 10**6), min_size=n, max_size=n), max_size=6)
)


def test_wf_070_the_worst_scenario_decides() -> None:
    """WF-070."""
    assert size_default_fund([[30, 55, 10], [25, 20, 60], [5, 40, 45], [12, 8, 20]]) == (60, 105, 65)
    assert size_default_fund([[-5], [7]]) == (7, 7, 7)
    assert size_default_fund([]) == (0, 0, 0)


@given(LOSSES)
def test_wf_070_covers_are_nested_and_the_order_is_nothing(losses: list[list[int]]) -> None:
    """WF-070."""
    size = size_default_fund(losses)
    assert 0 <= size.cover_one <= size.one_or_next_two <= size.cover_two <= 2 * size.cover_one
    assert size_default_fund(losses[::-1]) == size_default_fund([row[::-1] for row in losses]) == size


@given(MONEY, st.lists(MONEY, min_size=1, max_size=6).filter(any), MONEY)
def test_wf_071_contributions_reach_the_size(size: int, weights: list[int], minimum: int) -> None:
    """WF-071."""
    paid = share_default_fund(size, weights, minimum)
    assert sum(paid) >= size and min(paid) >= minimum
    assert all(a <= b for a, x in zip(paid, weights, strict=True) for b, y in zip(paid, weights, strict=True) if x <= y)
    assert all(p == minimum or p * sum(weights) < size * w + sum(weights) for p, w in zip(paid, weights, strict=True))


def test_wf_072_what_was_called_counts_until_the_period_ends() -> None:
    """WF-072."""
    assert [assessment_cap(25, 2_000_000, called) for called in (0, 30, 50, 51)] == [50, 20, 0, 0]
    assert assessment_cap(3, 1_500_000) == 4
    assert assessment_cap(0, 2_000_000) == assessment_cap(25, 0) == 0


def test_wf_073_the_order_of_payers() -> None:
    """WF-073."""
    fund, caps = [40, 30, 10], [80, 60, 20]
    order = [absorb_default(loss, 60, 10, 20, fund, caps) for loss in (60, 70, 90, 170, 330, 331)]
    assert [x[:3] for x in order] == [(60, 0, 0), (60, 10, 0), *[(60, 10, 20)] * 4]
    assert [x.contributions for x in order] == [[0, 0, 0]] * 3 + [fund] * 3
    assert [x.assessments for x in order] == [[0, 0, 0]] * 4 + [caps] * 2
    assert [x.uncovered for x in order] == [0, 0, 0, 0, 0, 1]


@given(MONEY, MONEY, MONEY, MONEY, st.lists(st.tuples(MONEY, MONEY), max_size=6), st.integers(0, 99))
def test_wf_073_the_parts_sum_to_the_loss(
    loss: int, margin: int, own: int, capital: int, members: list[tuple[int, int]], first: int
) -> None:
    """WF-073."""
    fund, caps = [f for f, _ in members], [c for _, c in members]
    result = absorb_default(loss, margin, own, capital, fund, caps, first_extra=first)
    assert sum(result[:3]) + sum(result.contributions) + sum(result.assessments) + result.uncovered == loss
    assert all(0 <= x <= f for x, f in zip(result.contributions, fund, strict=True))
    assert all(0 <= x <= c for x, c in zip(result.assessments, caps, strict=True))
    assert not any(result.assessments) or result.contributions == fund


@given(MONEY, st.lists(st.integers(-(10**15), 10**15), max_size=6))
def test_wf_074_gains_pay_what_they_can_and_losers_in_full(uncovered: int, gains: list[int]) -> None:
    """WF-074."""
    result = haircut_gains(uncovered, gains)
    assert sum(result.paid) == sum(gains) - uncovered + result.residual
    assert all(0 <= p <= g if g > 0 else p == g for p, g in zip(result.paid, gains, strict=True))
    assert result.residual == 0 or not any(p > 0 for p in result.paid)
    # One share of each gain, to the unit.
    assert all(
        abs((g - p) * result.gains - g * result.cut) < result.gains
        for p, g in zip(result.paid, gains, strict=True)
        if g > 0
    )


@given(st.integers(0, 10**6), st.lists(st.integers(0, 10**6), max_size=6))
def test_wf_075_lots_are_whole_and_all_of_them(lots: int, opposite: list[int]) -> None:
    """WF-075."""
    torn = tear_up(lots, opposite)
    assert sum(torn) == min(lots, sum(opposite))
    assert all(0 <= t <= n for t, n in zip(torn, opposite, strict=True))


def test_wf_075_a_small_book_is_dealt_in_whole_lots() -> None:
    """WF-075."""
    assert tear_up(2, [1, 1, 1]) == [1, 1, 0]
    assert tear_up(2, [1, 1, 1], first_extra=2) == [1, 0, 1]
    assert tear_up(5, []) == []
