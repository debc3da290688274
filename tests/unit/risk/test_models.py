"""
Margin models of others: aggregation, sensitivities, exposure, shocks, liquidity, procyclicality, options on spot.
"""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.core.errors import DataError
from tocsin.risk import aggregation, exposure, liquidity, procyclicality, shocks
from tocsin.risk.pricing import price_option
from tocsin.risk.sensitivities import Calibration, FxCalibration, Sensitivity, delta_margin, fx_delta_margin
from tocsin.risk.spot_options import compute_spot_greeks

AMOUNT = st.floats(-1e6, 1e6)


@given(AMOUNT, AMOUNT, st.floats(-1, 1))
def test_correlation_lies_between_full_offset_and_the_sum(a: float, b: float, rho: float) -> None:
    found = aggregation.aggregate({"A": a, "B": b}, {("B", "A"): rho})
    assert abs(abs(a) - abs(b)) - 1e-3 <= found <= abs(a) + abs(b) + 1e-3
    assert found == pytest.approx(aggregation.aggregate({"A": -a, "B": -b}, {("A", "B"): rho}))


def test_correlations_of_no_variables_are_refused() -> None:
    pairs = {("A", "B"): -0.9, ("B", "C"): -0.9, ("A", "C"): -0.9}
    with pytest.raises(DataError, match="positive semidefinite"):
        aggregation.aggregate({"A": 1.0, "B": 1.0, "C": 1.0}, pairs)


def test_span_like_total_and_spread() -> None:
    assert aggregation.span_margin(6620, 450, 0, 900, 3, 400, -1200) == (6170, 7370)
    assert aggregation.span_margin(100, 0, 0, 0, 10, 45, -80) == (450, 530)
    assert aggregation.spread_charge([12, -7, -3], 85) == aggregation.spread_charge([-12, 7, 3], 85) == 850


def test_schedule_margin() -> None:
    assert aggregation.schedule_margin(989.66, 501.06, 4804.86) == pytest.approx((0.104282, 457.786), abs=1e-3)
    assert aggregation.schedule_margin(989.66, -5.0) == (0.0, pytest.approx(395.864))
    with pytest.raises(DataError, match="gross_cost must be above 0"):
        aggregation.schedule_margin(1.0, 1.0)


CALIBRATION = Calibration({"1": 26.0, "2": 28.0}, {"1": 1e7, "2": 1e7}, {"1": 0.18, "2": 0.23}, {("2", "1"): 0.2})


def test_delta_margin_by_hand() -> None:
    one = Sensitivity("A", "1", 6e6)
    two = Sensitivity("B", "2", -2e6)
    a, b = 26 * 6e6, -28 * 2e6
    assert delta_margin([one, two], CALIBRATION) == pytest.approx(math.sqrt(a * a + b * b + 2 * 0.2 * a * b))
    # Above its threshold a factor counts more than in proportion.
    assert delta_margin([one, one], CALIBRATION) == pytest.approx(26 * 1.2e7 * math.sqrt(1.2))
    assert delta_margin([], CALIBRATION) == 0.0


def test_the_residual_bucket_is_added_and_offsets_nothing() -> None:
    calibration = CALIBRATION._replace(
        weights={**CALIBRATION.weights, "Residual": 34.0}, thresholds={**CALIBRATION.thresholds, "Residual": 1e6}
    )
    book = [Sensitivity("A", "1", 6e6), Sensitivity("X", "Residual", 3e5), Sensitivity("Y", "Residual", -4e5)]
    assert delta_margin(book, calibration) == pytest.approx(26 * 6e6 + 34 * 5e5)


@given(st.lists(st.tuples(st.sampled_from("ABC"), st.sampled_from("12"), AMOUNT), max_size=6))
def test_delta_margin_mirrored(rows: list[tuple[str, str, float]]) -> None:
    """Long and short books of the same size are margined alike, and never above the sum of their parts."""
    book = [Sensitivity(*row) for row in rows]
    found = delta_margin(book, CALIBRATION)
    assert found == pytest.approx(delta_margin([s._replace(amount=-s.amount) for s in book], CALIBRATION))
    assert found <= sum(delta_margin([s], CALIBRATION) for s in book) * 1.0000001 + 1e-3


def test_exchange_rates_leave_out_the_calculation_currency() -> None:
    calibration = FxCalibration("USD", frozenset({"TRY"}), (7.4, 13.6, 14.6), (0.5, 0.27, 0.42), {"": 1e12})
    assert fx_delta_margin([("EUR", -5e9), ("USD", 6e8)], calibration) == pytest.approx(37e9)
    a, b = 7.4 * 100, 13.6 * 50
    assert fx_delta_margin([("EUR", 100.0), ("TRY", 50.0)], calibration) == pytest.approx(
        math.sqrt(a * a + b * b + 2 * 0.27 * a * b)
    )


def test_rate_exposure_of_one_currency_and_of_two() -> None:
    long, short = exposure.RateTrade(1e4, 0, 10, 1.0, 30.0, "USD"), exposure.RateTrade(1e4, 0, 10, -1.0, 0.0, "USD")
    assert exposure.rate_exposure([long, short], 0.005).add_on == pytest.approx(0.0, abs=1e-9)
    apart = exposure.rate_exposure([long, short._replace(currency="EUR")], 0.005)
    assert apart.add_on == pytest.approx(2 * 0.005 * 1e4 * (1 - math.exp(-0.5)) / 0.05)
    assert apart.ead == pytest.approx(1.4 * (30.0 + apart.add_on))


@pytest.mark.parametrize(("near", "far", "rho"), [(0.5, 4, 0.7), (4, 10, 0.7), (0.5, 10, 0.3)])
def test_maturity_buckets_offset_in_part(near: float, far: float, rho: float) -> None:
    one, two = exposure.RateTrade(1e4, 0, near, 1.0, 0.0), exposure.RateTrade(1e4, 0, far, -1.0, 0.0)
    a, b = (exposure.rate_exposure([trade], 0.005).add_on for trade in (one, two))
    both = exposure.rate_exposure([one, two], 0.005).add_on
    assert both == pytest.approx(math.sqrt(a * a + b * b - 2 * rho * a * b))


def test_over_collateralisation_lowers_the_multiplier_but_not_below_its_floor() -> None:
    trade = exposure.RateTrade(1e4, 0, 1, 1.0, 0.0)
    rich = [exposure.rate_exposure([trade], 0.005, collateral=c).multiplier for c in (0.0, 10.0, 100.0, 1e9)]
    assert rich[0] == 1.0 and rich == sorted(rich, reverse=True) and rich[-1] == pytest.approx(0.05)
    with pytest.raises(DataError, match="must end after it starts"):
        exposure.rate_exposure([trade._replace(end=0)], 0.005)


def test_option_deltas_of_rates() -> None:
    deltas = [exposure.option_delta(0.06, 0.05, 0.5, 1, call=c, long=b) for c in (True, False) for b in (True, False)]
    assert deltas == pytest.approx([0.7306, -0.7306, -0.2694, 0.2694], abs=1e-4)


def test_tenor_law_and_extreme_weights() -> None:
    assert shocks.tenor_multiplier(15, 0.4, 0.5) == pytest.approx(1.565685, abs=1e-6)
    assert shocks.tenor_multiplier(30, -0.25, 0.3) == 0.75
    assert shocks.tenor_multiplier(0.01, -0.5, 0.5) == 0.0
    assert shocks.tenor_multiplier(0.0, 0.4, 0.5, floor_days=1) == pytest.approx(1 + 0.4 * math.sqrt(30))
    # A linear book loses kappa x range in every extreme move.
    assert all(shocks.extreme_weight(0.16, s, 0.5) * abs(s) == pytest.approx(0.08) for s in (-0.66, 0.5, 5.0))
    assert shocks.forward_of(100.0, 0.365, 10) == pytest.approx(100.0 * math.exp(0.01))
    assert shocks.ladder_pnl(-2.0, 10.0, [0.1, -0.1]) == [-2.0, 2.0]
    with pytest.raises(DataError, match="days to expiry"):
        shocks.tenor_multiplier(0.0, 0.4, 0.5)


def test_liquidity() -> None:
    assert liquidity.days_to_close(-5_000, 20_000, 0.2) == 1.25
    assert liquidity.impact_cost(-5_000, 60_000, 20_000, 0.04) == pytest.approx(6e6)
    assert liquidity.impact_cost(5_000, 60_000, 20_000, 0.04, half_spread=0.001) == pytest.approx(6.3e6)
    assert liquidity.slices_factor(1) == 1.0
    assert liquidity.slices_factor(5) == pytest.approx(math.sqrt(sum((j / 5) ** 2 for j in range(1, 6))))
    assert liquidity.scale_haircut(0.15, 1, 10) == 0.15
    for call in (
        lambda: liquidity.slices_factor(0),
        lambda: liquidity.scale_haircut(0.1, 0, 10),
        lambda: liquidity.days_to_close(1, 0, 0.1),
        lambda: liquidity.impact_cost(1, 1, 0, 0.1),
        lambda: exposure.option_delta(0.0, 0.05, 0.5, 1, call=True, long=True),
    ):
        with pytest.raises(DataError):
            call()


def test_procyclicality() -> None:
    assert procyclicality.apply_buffer([100, 130, 120], [100, 100, 100]) == [125, 130, 125]
    assert procyclicality.blend_stress(80, 200) == 110
    assert procyclicality.floor_margin(-1e6, 2.3263, 0.35, 0.62, 2) == pytest.approx(106_764.28, abs=0.01)
    margin = [100, 104, 103, 120, 180, 175]
    assert procyclicality.measure_movement(margin) == (1.8, 60, 0.5)
    assert procyclicality.measure_movement(margin, 3)[:2] == (1.8, 77)


@given(st.floats(1, 1e4), st.floats(1, 1e4), st.floats(0.01, 3), st.floats(0.05, 2), st.floats(-0.1, 0.3))
def test_options_on_spot_keep_parity_and_slopes(s: float, k: float, t: float, vol: float, q: float) -> None:
    r = 0.05
    call = compute_spot_greeks(s, k, t, vol, call=True, rate=r, carry_yield=q)
    put = compute_spot_greeks(s, k, t, vol, call=False, rate=r, carry_yield=q)
    assert call.price - put.price == pytest.approx(s * math.exp(-q * t) - k * math.exp(-r * t), abs=1e-8 * (s + k))
    assert call.delta - put.delta == pytest.approx(math.exp(-q * t), rel=1e-9)
    assert call.gamma == pytest.approx(put.gamma) and call.vega == pytest.approx(put.vega)
    h = 1e-4 * s
    up, down = (compute_spot_greeks(x, k, t, vol, call=True, rate=r, carry_yield=q).price for x in (s + h, s - h))
    assert call.delta == pytest.approx((up - down) / (2 * h), abs=1e-5)
    high, low = (compute_spot_greeks(x, k, t, vol, call=True, rate=r, carry_yield=q).delta for x in (s + h, s - h))
    assert call.gamma * s == pytest.approx((high - low) / (2 * h) * s, abs=1e-4 * (1 + call.gamma * s))
    price = price_option(s * math.exp((r - q) * t), k, t, vol, call=True, rate=r)
    assert call.price == price


def test_theta_and_rho_on_spot_are_slopes() -> None:
    def price(t: float = 0.5, r: float = 0.06) -> float:
        return compute_spot_greeks(100, 95, t, 0.4, call=False, rate=r, carry_yield=0.02).price

    found = compute_spot_greeks(100, 95, 0.5, 0.4, call=False, rate=0.06, carry_yield=0.02)
    assert found.theta == pytest.approx((price(t=0.5 - 1e-6) - price(t=0.5 + 1e-6)) / 2e-6, rel=1e-6)
    assert found.rho == pytest.approx((price(r=0.06 + 1e-6) - price(r=0.06 - 1e-6)) / 2e-6, rel=1e-6)
