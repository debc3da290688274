"""
Rules MK-001 to MK-006, mirrored up and down. The worked examples of the chapter run in test_examples.py.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.sheet.mark_rule import MarkRule, MarkStream, compute_mark, inverse_mark, linear_mark

PRICES = st.lists(st.integers(1, 2**40), min_size=1, max_size=80)
RULES = st.builds(MarkRule, window_s=st.integers(1, 60), band_ppm=st.integers(0, 1_000_000))
WIDE = 1_000_000


def test_a_rule_without_samples_is_an_error() -> None:
    """MK-001"""
    with pytest.raises(ValueError, match="at least one last price"):
        compute_mark([], MarkRule(30, 30_000))


@pytest.mark.parametrize(("spike", "mark"), [(940, 998), (1060, 1002)])
def test_a_spike_moves_the_mark_by_its_share_of_the_window(spike: int, mark: int) -> None:
    """MK-002, mirrored"""
    assert compute_mark([1000] * 29 + [spike], MarkRule(30, WIDE)) == mark


@pytest.mark.parametrize(("spike", "mark"), [(939, 997), (1061, 1002)])
def test_the_mean_is_rounded_down_on_both_sides(spike: int, mark: int) -> None:
    """MK-002, mirrored: 997.97 and 1002.03"""
    assert compute_mark([1000] * 29 + [spike], MarkRule(30, WIDE)) == mark


def test_only_the_window_counts() -> None:
    """MK-002"""
    assert compute_mark([1, 10_000, *[500] * 30], MarkRule(30, WIDE)) == 500


@pytest.mark.parametrize(("last", "mark"), [(900, 927), (1100, 1067)])
def test_the_band_holds_the_mark_near_the_newest_price(last: int, mark: int) -> None:
    """MK-003, mirrored: 3 % of 900 and of 1100"""
    assert compute_mark([1000] * 29 + [last], MarkRule(30, 30_000)) == mark


@pytest.mark.parametrize(("last", "mark"), [(95, 96), (105, 103)])
def test_the_band_is_rounded_down(last: int, mark: int) -> None:
    """MK-003, mirrored: 1.99 % of 95 is 1.9, of 105 is 2.1 ticks; 0.9 % is less than one"""
    assert compute_mark([100] * 29 + [last], MarkRule(30, 19_900)) == mark
    assert compute_mark([100] * 29 + [last], MarkRule(30, 9_000)) == last


@given(PRICES, RULES)
def test_the_mark_is_positive_inside_the_band_and_the_window(prices: list[int], rule: MarkRule) -> None:
    """MK-002, MK-003"""
    mark = compute_mark(prices, rule)
    window, last = prices[-rule.window_s :], prices[-1]
    assert mark > 0
    assert min(window) <= mark <= max(window)
    assert abs(mark - last) * 1_000_000 <= last * rule.band_ppm


@given(PRICES, RULES)
def test_a_stream_gives_the_same_marks(prices: list[int], rule: MarkRule) -> None:
    """MK-006"""
    stream = MarkStream(rule)
    assert [stream.push(p) for p in prices] == [compute_mark(prices[: i + 1], rule) for i in range(len(prices))]


def test_a_linear_mark_is_exact() -> None:
    """MK-004"""
    assert linear_mark(7, 3) == 21


@given(st.integers(1, 2**60), st.integers(1, 2**40))
def test_an_inverse_mark_is_rounded_away_from_zero(k: int, price: int) -> None:
    """MK-005"""
    mark = inverse_mark(k, price)
    assert mark < 0
    assert (-mark - 1) * price < k <= -mark * price
    assert inverse_mark(k, price + 1) >= mark
