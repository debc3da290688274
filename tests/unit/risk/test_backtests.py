"""
Backtests: published statistics, edges (none, all), the compound law of Z2 against simulation.
"""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.core.errors import DataError
from tocsin.risk import backtests as bt
from tocsin.risk.shortfall import normal_tail


def test_kupiec_published() -> None:
    assert bt.kupiec(57, 1043, 0.05) == pytest.approx((0.46146639532895506, 0.4969394476803891), rel=1e-9)
    assert bt.kupiec(0, 250, 0.01).lr == pytest.approx(5.025167926750726, rel=1e-12)
    assert bt.kupiec(250, 250, 0.01).lr == pytest.approx(2302.585092994046, rel=1e-9)


@given(st.integers(1, 500), st.data(), st.floats(0.001, 0.5))
def test_kupiec_is_0_only_near_the_expected_share_and_grows_away(count: int, data: st.DataObject, p: float) -> None:
    x = data.draw(st.integers(0, count))
    lr = bt.kupiec(x, count, p).lr
    assert lr >= 0.0
    if x > count * p and x < count:
        assert bt.kupiec(x + 1, count, p).lr > lr
    if 0 < x < count * p:
        assert bt.kupiec(x - 1, count, p).lr > lr
    # Exceptions and quiet days change places.
    assert bt.kupiec(count - x, count, 1 - p).lr == pytest.approx(lr, abs=1e-6)


def test_the_accepted_region_leaves_out_no_exceptions_where_the_printed_table_has_them() -> None:
    """Kupiec's table reads N < 7 for 255 days at 1 %; no exception at all is rejected too, 5.13 > 3.84."""
    assert bt.kupiec_region(255, 0.01) == (1, 6)
    assert bt.kupiec(0, 255, 0.01).lr == pytest.approx(5.1257, abs=1e-4)
    assert bt.kupiec_region(1000, 0.05) == (38, 64)


@pytest.mark.parametrize(("count", "share"), [(1, 0.5), (10, 0.01), (10, 0.99), (255, 0.01), (400, 0.3)])
def test_the_accepted_region_is_that_of_trying_all(count: int, share: float) -> None:
    tried = [x for x in range(count + 1) if bt.kupiec(x, count, share).lr < bt.ACCEPT_95]
    assert bt.kupiec_region(count, share) == (tried[0], tried[-1])


def test_christoffersen_published_and_empty_rows() -> None:
    assert bt.christoffersen(932, 53, 53, 4) == pytest.approx((0.25866315258576833, 0.6110400778479612), rel=1e-9)
    assert bt.christoffersen(100, 0, 0, 0).lr == 0.0
    assert bt.christoffersen(90, 5, 5, 0).lr > 0.0
    assert bt.christoffersen(5, 5, 5, 5).lr == 0.0
    assert bt.christoffersen(0, 5, 5, 0).lr == pytest.approx(20 * 0.6931471805599453)
    joint = bt.conditional_coverage(bt.christoffersen(932, 53, 53, 4).lr, bt.kupiec(57, 1043, 0.05).lr)
    assert joint == pytest.approx((0.72013, 0.69763), abs=1e-5)


def test_traffic_light() -> None:
    zones = [bt.traffic_light(x, 250, 0.01).zone for x in range(11)]
    assert zones == ["green"] * 5 + ["yellow"] * 5 + ["red"]
    assert bt.traffic_bounds(250, 0.01) == (5, 10) and bt.traffic_bounds(750, 0.005) == (7, 13)
    assert [bt.plus_factor(x) for x in (4, 5, 9, 10, 40)] == [0.0, 0.4, 0.85, 1.0, 1.0]
    assert bt.plus_factor_origin(5, 250, 0.01) == pytest.approx(0.3982, abs=1e-4)


def test_coverage_tail() -> None:
    assert bt.coverage_tail(7, 250, 0.01) == pytest.approx(0.0137, abs=1e-4)
    assert bt.coverage_tail(0, 250, 0.01) == 1.0


def test_z2_counts_only_losses_beyond_var() -> None:
    pnl = [-3.0, -0.5, -2.4, 1.0, 0.2, -2.1, 0.4, -0.1]
    assert bt.acerbi_szekely(pnl, [2.0] * 8, [2.5] * 8, 0.25) == pytest.approx(-0.5)
    assert bt.acerbi_szekely([1.0, -2.0], [2.0] * 2, [2.5] * 2, 0.25) == 1.0


def test_z2_critical_values_agree_with_a_simulation() -> None:
    count, tail, draws = 250, 0.025, 4_000
    var, es = normal_tail(1 - tail)
    rng = random.Random(1)
    sums = []
    for _ in range(draws):
        losses = (rng.gauss(0.0, 1.0) for _ in range(count))
        sums.append(1.0 - sum(x for x in losses if x > var) / (count * tail * es))
    sums.sort()
    assert bt.acerbi_szekely_critical(count, tail, 0.05) == pytest.approx(sums[draws // 20], abs=0.05)
    assert bt.acerbi_szekely_critical(count, tail, 0.0001) == pytest.approx(-1.79, abs=0.06)


def test_what_cannot_be_tested_is_refused() -> None:
    for call in (
        lambda: bt.kupiec(3, 2, 0.1),
        lambda: bt.kupiec(0, 0, 0.1),
        lambda: bt.kupiec(0, 10, 0.0),
        lambda: bt.christoffersen(0, 0, 0, 0),
        lambda: bt.christoffersen(1, -1, 0, 0),
        lambda: bt.acerbi_szekely([], [], [], 0.1),
        lambda: bt.acerbi_szekely([1.0], [1.0], [0.0], 0.1),
        lambda: bt.acerbi_szekely_critical(10**6, 0.1, 0.05),
        lambda: bt.acerbi_szekely_critical(250, 0.025, 1e-12),
        lambda: bt.kupiec_region(10, 1.0),
        lambda: bt.plus_factor_origin(0, 250, 0.01),
    ):
        with pytest.raises(DataError):
            call()
