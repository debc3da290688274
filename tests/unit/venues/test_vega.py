"""
Vega: margins mirror between long and short, levels are ordered, disposals end, prices with orders walk best first.
"""

import math
from fractions import Fraction
from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.venues import VenueRefusal, vega

SIZES = st.integers(-1_000, 1_000).map(Fraction)
ORDERS = st.integers(0, 1_000).map(Fraction)
RATES = st.integers(0, 2_000).map(lambda n: Fraction(n, 1_000))
MARKS = st.integers(1, 10**6).map(Fraction)
SLIPPAGES = st.builds(vega.Slippage, RATES, RATES)
RISKS = st.builds(vega.RiskFactors, RATES, RATES)
SLIP = vega.Slippage(Fraction(1, 4))
RISK = vega.RiskFactors(Fraction(1, 5), Fraction(1, 10))


@given(SIZES, MARKS, SLIPPAGES, RISKS, ORDERS, ORDERS, st.integers(-50, 50).map(Fraction))
def test_margins_mirror(
    size: Fraction,
    mark: Fraction,
    slip: vega.Slippage,
    risk: vega.RiskFactors,
    buys: Fraction,
    sells: Fraction,
    funding: Fraction,
) -> None:
    margin = vega.maintenance_with_orders(size, mark, slip, risk, buys=buys, sells=sells, funding=funding)
    turned = vega.RiskFactors(risk.short, risk.long)
    assert margin == vega.maintenance_with_orders(-size, mark, slip, turned, buys=sells, sells=buys, funding=-funding)
    alone = vega.maintenance_with_orders(size, mark, slip, risk, funding=funding)
    assert 0 <= alone <= margin
    terms = {"linear": slip.linear, "quadratic": slip.quadratic, "risk_long": risk.long, "risk_short": risk.short}
    assert alone == vega.maintenance_margin(size, mark, funding=funding, **terms)


@pytest.mark.parametrize(
    ("size", "buys", "sells", "margin"),
    [
        # Mark 100; slippage 1/4 of the open position, risk 1/5 of longs and buys, 1/10 of shorts and sells.
        (10, 0, 0, 450),
        (-10, 0, 0, 350),
        (10, 5, 0, 550),
        (10, 0, 5, 450),
        (10, 0, 10, 450),
        # The sells turn the position short: all of them are held, without slippage, but the long side is worse.
        (10, 0, 11, 450),
        (10, 0, 60, 600),
        (-10, 10, 0, 350),
        (-10, 11, 0, 350),
        (-10, 30, 0, 600),
        (0, 5, 9, 100),
        (0, 5, 11, 110),
        (0, 0, 0, 0),
    ],
)
def test_orders_are_held_on_the_worse_side(size: int, buys: int, sells: int, margin: int) -> None:
    args = (Fraction(size), Fraction(100), SLIP, RISK)
    assert vega.maintenance_with_orders(*args, buys=Fraction(buys), sells=Fraction(sells)) == margin


def test_in_an_auction_orders_are_held_at_their_own_value() -> None:
    margin = vega.maintenance_with_orders(
        Fraction(10), Fraction(100), SLIP, RISK, buys=Fraction(5), buy_value=Fraction(700)
    )
    assert margin == 450 + Fraction(700, 5)


@pytest.mark.parametrize(("size", "funding", "more"), [(2, 3, 6), (-2, -3, 6), (2, -3, 0), (-2, 3, 0), (0, 3, 0)])
def test_funding_is_held_against_who_pays_it(size: int, funding: int, more: int) -> None:
    args = (Fraction(size), Fraction(100), SLIP, RISK)
    base = vega.maintenance_with_orders(*args)
    assert vega.maintenance_with_orders(*args, funding=Fraction(funding)) == base + more


@given(st.fractions(0, 10**9), st.lists(st.fractions(1, 9), min_size=3, max_size=3).map(sorted))
def test_levels_are_ordered_and_rounded(maintenance: Fraction, factors: list[Fraction]) -> None:
    levels = vega.margin_levels(maintenance, vega.Scaling(*factors))
    assert levels.maintenance == ceil(maintenance)
    assert list(levels) == sorted(levels)
    for level, factor in zip(levels[1:], factors, strict=True):
        exact = factor * levels.maintenance
        assert exact - 1 - Fraction(levels.maintenance, 10**5) < level <= exact


def test_level_factors_have_five_places() -> None:
    scaling = vega.Scaling(Fraction("1.000019"), Fraction("1.5"), Fraction(2))
    assert vega.margin_levels(Fraction(99_999, 1), scaling) == (99_999, 99_999, 149_998, 199_998)
    assert vega.margin_levels(Fraction(100_000), scaling).search == 100_001


def test_the_lognormal_factors_are_those_of_the_normal_tail() -> None:
    # By numerical integration of the expected shortfall beyond the quantile, midpoints.
    factors = vega.lognormal_risk_factors(risk_aversion=0.01, tau=0.25, sigma=0.5)
    z, s = -2.3263478740408408, 0.25
    phi = [(z - 12 + 12 * (k + 0.5) / 100_000) for k in range(100_000)]
    weight = [math.exp(-x * x / 2) / math.sqrt(2 * math.pi) * 12 / 100_000 for x in phi]
    low = sum(w * math.exp(s * x - s * s / 2) for x, w in zip(phi, weight, strict=True)) / 0.01
    high = sum(w * math.exp(-s * x - s * s / 2) for x, w in zip(phi, weight, strict=True)) / 0.01
    assert float(factors.long) == pytest.approx(1 - low, abs=1e-8)
    assert float(factors.short) == pytest.approx(high - 1, abs=1e-8)


def test_drift_moves_both_lognormal_factors_and_a_tiny_quantile_is_not_noise() -> None:
    still = vega.lognormal_risk_factors(risk_aversion=1e-6, tau=0.1, sigma=1.0)
    assert float(still.long) == pytest.approx(0.8007282080, abs=1e-9)
    assert float(still.short) == pytest.approx(3.5569035915, abs=1e-9)
    rising = vega.lognormal_risk_factors(risk_aversion=1e-6, tau=0.1, sigma=1.0, mu=0.5)
    assert rising.long < still.long and rising.short > still.short
    calm = vega.lognormal_risk_factors(risk_aversion=1e-6, tau=0.1, sigma=0.0)
    assert float(calm.long) == pytest.approx(0, abs=1e-9) and float(calm.short) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("change", [{"risk_aversion": 0.0}, {"risk_aversion": 1.0}, {"tau": -1.0}, {"sigma": -1.0}])
def test_a_model_outside_its_range_is_refused(change: dict[str, float]) -> None:
    with pytest.raises(VenueRefusal, match="must be between 0 and 1"):
        vega.lognormal_risk_factors(**{"risk_aversion": 0.1, "tau": 0.1, "sigma": 0.1, **change})


@pytest.mark.parametrize(
    ("futures", "lower", "upper", "payment"),
    [
        # Spot 1,600: interest alone is 0.16; a clamp at 5 % of spot (80) binds where the prices are further apart.
        ("1590", None, None, "0.16"),
        ("1590", "-0.05", "0.05", "0.16"),
        ("1700", "-0.05", "0.05", "20"),
        ("1400", "-0.05", "0.05", "-120"),
        ("1400", "-0.05", None, "0.16"),
    ],
)
def test_funding_is_clamped(futures: str, lower: str | None, upper: str | None, payment: str) -> None:
    got = vega.funding_payment(
        Fraction(futures),
        Fraction(1_600),
        rate=Fraction(1, 20),
        elapsed=Fraction(1, 500),
        lower=None if lower is None else Fraction(lower),
        upper=None if upper is None else Fraction(upper),
    )
    assert got == Fraction(payment)


def orders(*pairs: tuple[int, int]) -> list[vega.Order]:
    return [vega.Order(Fraction(size), Fraction(price)) for size, price in pairs]


@pytest.mark.parametrize(
    ("size", "buys", "sells", "margin"),
    [
        (0, orders((2, 100)), orders((1, 150)), 100),
        (0, orders((1, 100)), orders((2, 150)), 150),
        # Long 10: the first 10 sold, at the best price, close it.
        (10, [], orders((10, 150), (15, 100)), (5 * 100 + 10 * 150) // 2),
        (10, [], orders((10, 100)), 0),
        (10, [], orders((11, 100)), 50),
        (-10, orders((10, 100), (15, 150)), [], (5 * 150 + 10 * 100) // 2),
        (10, orders((3, 101)), [], 151),
    ],
)
def test_isolated_orders_cost_what_they_open(
    size: int, buys: list[vega.Order], sells: list[vega.Order], margin: int
) -> None:
    half = Fraction(1, 2)
    assert vega.isolated_order_margin(Fraction(size), buys, sells, half) == margin


def test_isolated_orders_in_an_auction_count_at_the_higher_price() -> None:
    args = (Fraction(0), orders((1, 100), (1, 300)), [], Fraction(1))
    assert vega.isolated_order_margin(*args, auction_price=Fraction(200)) == 500


def test_isolated_positions_cost_their_entry_on_either_side() -> None:
    for size in (3, -3):
        assert vega.isolated_position_margin(Fraction(size), Fraction(101), Fraction(1, 2)) == 151
    assert vega.minimum_margin_factor(SLIP, RISK) == Fraction(9, 20)


@given(SIZES, MARKS, SLIPPAGES, RISKS, st.integers(-(10**6), 10**8))
def test_at_the_liquidation_price_collateral_is_the_maintenance_margin(
    size: Fraction, mark: Fraction, slip: vega.Slippage, risk: vega.RiskFactors, money: int
) -> None:
    terms = {"linear": slip.linear, "quadratic": slip.quadratic, "risk_long": risk.long, "risk_short": risk.short}
    price = vega.liquidation_price(size, mark, Fraction(money), **terms)
    if price:
        assert money + size * (price - mark) == vega.maintenance_margin(size, price, **terms)
    assert price == vega.liquidation_price_with_orders(size, mark, Fraction(money), 1, [], slip, risk)


def test_orders_fill_on_the_way_best_first_and_stop_at_the_close_out() -> None:
    none, zero = vega.Slippage(Fraction(0)), vega.RiskFactors(Fraction(1, 10), Fraction(1, 10))
    args = (Fraction(1), Fraction(100), Fraction(28), 1)
    # Alone: 28 + (p - 100) = p / 10 at 80. A buy at 90: 18 and 2 units at 90: 18 + 2 (p - 90) = p / 5 at 90.
    assert vega.liquidation_price_with_orders(*args, [], none, zero) == 80
    assert vega.liquidation_price_with_orders(*args, orders((1, 90)), none, zero) == 90
    # One at 70 comes too late; one at 85 after the one at 90 as well.
    assert vega.liquidation_price_with_orders(*args, orders((1, 70)), none, zero) == 80
    assert vega.liquidation_price_with_orders(*args, orders((9, 85), (1, 90)), none, zero) == 90
    # A sell closes the long and leaves nothing to liquidate.
    assert vega.liquidation_price_with_orders(*args[:3], -1, orders((1, 110)), none, zero) == 0
    whole = vega.RiskFactors(Fraction(1), Fraction(1))
    assert vega.liquidation_price_with_orders(*args, [], none, whole) is None


@given(
    st.integers(-(10**4), 10**4),
    st.fractions(Fraction(1, 100), 1),
    st.integers(0, 100),
    st.fractions(Fraction(1, 100), 1),
    st.integers(0, 10**5),
)
def test_disposals_sum_to_the_position_within_their_limits(
    position: int, fraction: Fraction, full: int, consumed: Fraction, available: int
) -> None:
    terms = {"fraction": fraction, "full_size": full, "max_consumed": consumed, "available": available}
    sizes = vega.disposal_sizes(position, **terms)
    assert sizes == vega.disposal_sizes(-position, **terms)
    left, limit = abs(position), ceil(consumed * available)
    for size in sizes:
        assert 0 < size <= min(left, limit)
        assert size == min(limit, left if left <= full else ceil(fraction * left))
        left -= size
    assert not left or not limit


def test_disposals_that_do_not_end_are_refused() -> None:
    with pytest.raises(VenueRefusal, match="not disposed of in 3 steps"):
        vega.disposal_sizes(
            10, fraction=Fraction(1, 9), full_size=0, max_consumed=Fraction(1), available=1, steps_max=3
        )
