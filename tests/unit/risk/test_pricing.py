"""
Black-76 against 60-digit arithmetic (and QuantLib where installed), its bounds, limits and refusals.
"""

import math
import random
import warnings
from typing import Any

import mpmath
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tocsin.core.errors import DataError
from tocsin.risk.pricing import Greeks, compute_greeks, normal_cdf, price_option

TOLERANCE = 1e-13
"""Of the larger of forward and strike; what is promised is 1e-12."""


def draw(seed: int, count: int) -> list[tuple[float, float, float, float, bool, float]]:
    """
    Return points: near the money, wings to e^6, a hair off; a second to 16 years; volatility 0.01 % to 10 000 %.
    """
    rng = random.Random(seed)
    out = []
    for _ in range(count):
        forward = 10 ** rng.uniform(-3, 6)
        distance = rng.choice([rng.gauss(0, 0.05), rng.uniform(-6, 6), rng.gauss(0, 1e-6), 0.0])
        years, volatility = 10 ** rng.uniform(-8, 1.2), 10 ** rng.uniform(-4, 2)
        rate = rng.choice([0.0, rng.uniform(-0.2, 0.5)])
        out.append((forward, forward * math.exp(distance), years, volatility, rng.random() < 0.5, rate))
    return out


def reference(
    forward: float, strike: float, years: float, volatility: float, call: bool, rate: float
) -> dict[str, Any]:
    """
    Return price and greeks by the textbook's formulas with 60 digits.
    """
    with mpmath.workdps(60):
        f, k, t, v, r = (mpmath.mpf(x) for x in (forward, strike, years, volatility, rate))
        s = v * mpmath.sqrt(t)
        d1 = mpmath.log(f / k) / s + s / 2
        d2 = d1 - s
        discount, density = mpmath.exp(-r * t), mpmath.npdf(d1)
        sign = 1 if call else -1
        cdf = [mpmath.erfc(-sign * d / mpmath.sqrt(2)) / 2 for d in (d1, d2)]
        price = discount * sign * (f * cdf[0] - k * cdf[1])
        vega = discount * f * density * mpmath.sqrt(t)
        return {
            "price": price,
            "delta": discount * sign * cdf[0],
            "gamma": discount * density / (f * s),
            "vega": vega,
            "theta": r * price - vega * v / (2 * t),
            "rho": -t * price,
        }


@pytest.mark.parametrize("seed", range(4))
def test_prices_agree_with_60_digits(seed: int) -> None:
    for forward, strike, years, volatility, call, rate in draw(seed, 300):
        price = price_option(forward, strike, years, volatility, call=call, rate=rate)
        exact = reference(forward, strike, years, volatility, call, rate)["price"]
        assert abs(price - exact) <= TOLERANCE * max(forward, strike) * math.exp(max(0.0, -rate * years))


def test_far_wings_keep_their_digits() -> None:
    checked = 0
    for forward, strike, years, volatility, call, rate in draw(9, 1200):
        exact = reference(forward, strike, years, volatility, call, rate)["price"]
        if exact < 1e-250 or volatility * math.sqrt(years) < 0.01 or abs(math.log(forward / strike)) < 0.1:
            continue
        checked += 1
        price = price_option(forward, strike, years, volatility, call=call, rate=rate)
        assert abs(price - exact) <= 1e-10 * exact
    assert checked > 80


@pytest.mark.parametrize("seed", range(2))
def test_greeks_agree_with_60_digits(seed: int) -> None:
    for forward, strike, years, volatility, call, rate in draw(100 + seed, 300):
        found = compute_greeks(forward, strike, years, volatility, call=call, rate=rate)._asdict()
        exact = reference(forward, strike, years, volatility, call, rate)
        deviation = volatility * math.sqrt(years)
        # A density moves by |d1| times the error of d1, and that error grows as the deviation shrinks.
        blur = 1e-15 * (1.0 + (1.0 + abs(math.log(forward / strike))) / deviation) ** 2
        scale = {
            "price": max(forward, strike),
            "delta": 1.0,
            "gamma": 1.0 / (forward * deviation),
            "vega": forward * math.sqrt(years),
            "theta": max(forward, strike) * (abs(rate) + volatility / math.sqrt(years)),
            "rho": years * max(forward, strike),
        }
        for name, value in exact.items():
            allowed = scale[name] * (1e-12 + blur) * math.exp(max(0.0, -rate * years))
            assert abs(found[name] - value) <= allowed, (name, forward, strike, years, volatility, call, rate)


def test_greeks_are_the_slopes_of_the_price() -> None:
    point = {"forward": 105.0, "strike": 100.0, "years": 0.4, "volatility": 0.6, "rate": 0.07}
    for call in (True, False):
        greeks = compute_greeks(**point, call=call)

        def slope(name: str, step: float, call: bool = call) -> float:
            up, down = ({**point, name: point[name] + s} for s in (step, -step))
            return (price_option(**up, call=call) - price_option(**down, call=call)) / (2 * step)

        assert greeks.price == price_option(**point, call=call)
        assert greeks.delta == pytest.approx(slope("forward", 1e-4), rel=1e-8)
        assert greeks.vega == pytest.approx(slope("volatility", 1e-5), rel=1e-8)
        assert greeks.theta == pytest.approx(-slope("years", 1e-5), rel=1e-8)
        assert greeks.rho == pytest.approx(slope("rate", 1e-5), rel=1e-8)
        ends = [compute_greeks(**{**point, "forward": point["forward"] + s}, call=call).delta for s in (1e-4, -1e-4)]
        assert greeks.gamma == pytest.approx((ends[0] - ends[1]) / 2e-4, rel=1e-8)


def test_quantlib_agrees() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ql = pytest.importorskip("QuantLib", reason="QuantLib is not installed: pip install 'tocsin[oracle]'")
    for forward, strike, years, volatility, call, rate in draw(7, 3000):
        kind = ql.Option.Call if call else ql.Option.Put
        discount = math.exp(-rate * years)
        other = ql.blackFormula(kind, strike, forward, volatility * math.sqrt(years), discount)
        price = price_option(forward, strike, years, volatility, call=call, rate=rate)
        assert abs(price - other) <= 1e-12 * max(forward, strike) * max(1.0, discount)


def test_quantlib_agrees_on_greeks() -> None:
    """
    Delta, gamma and vega per unit of forward; theta and rho from QuantLib's price and vega, as it holds spot, not the
    forward.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ql = pytest.importorskip("QuantLib", reason="QuantLib is not installed: pip install 'tocsin[oracle]'")
    for forward, strike, years, volatility, call, rate in draw(8, 3000):
        deviation, discount = volatility * math.sqrt(years), math.exp(-rate * years)
        payoff = ql.PlainVanillaPayoff(ql.Option.Call if call else ql.Option.Put, strike)
        other = ql.BlackCalculator(payoff, forward, deviation, discount)
        found = compute_greeks(forward, strike, years, volatility, call=call, rate=rate)
        vega = other.vega(years)
        # Both round d1; its error grows as the deviation shrinks, and a density moves by |d1| times it.
        blur = 1e-15 * (1.0 + (1.0 + abs(math.log(forward / strike))) / deviation) ** 2
        notional = max(forward, strike)
        for name, theirs, scale in (
            ("delta", other.deltaForward(), 1.0),
            ("gamma", other.gammaForward(), 1.0 / (forward * deviation)),
            ("vega", vega, forward * math.sqrt(years)),
            ("theta", rate * other.value() - vega * volatility / (2 * years), notional * (abs(rate) + 1 / years)),
            ("rho", -years * other.value(), years * notional),
        ):
            allowed = scale * (1e-12 + blur) * max(1.0, discount)
            assert abs(getattr(found, name) - theirs) <= allowed, (name, forward, strike, years, volatility, call, rate)


prices = st.floats(1e-6, 1e9)
times = st.floats(0.0, 50.0)
volatilities = st.floats(0.0, 200.0)


@given(forward=prices, strike=prices, years=times, volatility=volatilities)
def test_call_less_put_is_forward_less_strike_and_both_stay_in_bounds(
    forward: float, strike: float, years: float, volatility: float
) -> None:
    call, put = (price_option(forward, strike, years, volatility, call=c) for c in (True, False))
    rounding = 4e-16 * max(forward, strike)
    assert abs((call - put) - (forward - strike)) <= rounding
    assert max(0.0, forward - strike) <= call <= forward + rounding
    assert max(0.0, strike - forward) <= put <= strike + rounding


@given(forward=prices, strike=prices, years=times, volatilities=st.tuples(volatilities, volatilities))
def test_more_volatility_is_never_cheaper(
    forward: float, strike: float, years: float, volatilities: tuple[float, float]
) -> None:
    low, high = sorted(volatilities)
    cheap, dear = (price_option(forward, strike, years, v, call=True) for v in (low, high))
    assert cheap <= dear + 1e-14 * max(forward, strike)


@given(forward=prices, strikes=st.tuples(prices, prices), years=times, volatility=volatilities)
def test_a_call_of_a_higher_strike_is_never_dearer_and_never_by_more_than_the_strikes(
    forward: float, strikes: tuple[float, float], years: float, volatility: float
) -> None:
    low, high = sorted(strikes)
    dear, cheap = (price_option(forward, k, years, volatility, call=True) for k in (low, high))
    rounding = 1e-14 * max(forward, high)
    assert -rounding <= dear - cheap <= high - low + rounding


@given(forward=prices, strike=prices, years=st.floats(1e-6, 5.0), volatility=st.floats(1e-3, 5.0))
def test_swapping_forward_and_strike_turns_a_call_into_a_put(
    forward: float, strike: float, years: float, volatility: float
) -> None:
    assume(0.1 < forward / strike < 10)
    call = price_option(forward, strike, years, volatility, call=True)
    assert price_option(strike, forward, years, volatility, call=False) == call


def test_the_last_digit_of_a_far_wing_is_never_below_0() -> None:
    # Found by search: the two products differ by less than the smallest float, the wrong way round.
    assert price_option(21.094496238257083, 21.11745886430022, 1.0, 2.834389310236251e-05, call=True) == 0.0


@pytest.mark.parametrize(
    ("forward", "strike", "years", "volatility", "call", "put"),
    [
        (100.0, 90.0, 0.0, 0.5, 10.0, 0.0),
        (100.0, 90.0, 1.0, 0.0, 10.0, 0.0),
        (100.0, 100.0, 0.0, 0.0, 0.0, 0.0),
        (0.0, 90.0, 1.0, 0.5, 0.0, 90.0),
        (100.0, 0.0, 1.0, 0.5, 100.0, 0.0),
        (0.0, 0.0, 1.0, 0.5, 0.0, 0.0),
        (100.0, 120.0, 1.0, 1e300, 100.0, 120.0),
        (1e300, 1e-300, 1.0, 1.0, 1e300, 0.0),
        (1e-300, 1e300, 1.0, 1.0, 0.0, 1e300),
    ],
)
def test_limits(forward: float, strike: float, years: float, volatility: float, call: float, put: float) -> None:
    assert price_option(forward, strike, years, volatility, call=True) == call
    assert price_option(forward, strike, years, volatility, call=False) == put
    for greeks in (compute_greeks(forward, strike, years, volatility, call=c) for c in (True, False)):
        assert all(math.isfinite(value) for value in greeks)


def test_greeks_at_expiry_are_the_slope_of_intrinsic() -> None:
    assert compute_greeks(110.0, 100.0, 0.0, 0.5, call=True) == Greeks(10.0, 1.0, 0.0, 0.0, 0.0, 0.0)
    assert compute_greeks(110.0, 100.0, 0.0, 0.5, call=False) == Greeks(0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    assert compute_greeks(100.0, 100.0, 0.0, 0.5, call=True).delta == 0.5
    assert compute_greeks(90.0, 100.0, 0.0, 0.5, call=False).delta == -1.0


def test_at_the_money_the_price_is_forward_times_the_chance_within_half_a_deviation() -> None:
    for deviation in (1e-12, 1e-6, 0.1, 1.0, 5.0):
        expected = 100.0 * math.erf(deviation / (2 * math.sqrt(2)))
        assert price_option(100.0, 100.0, 1.0, deviation, call=True) == pytest.approx(expected, rel=1e-14)


def test_both_tails_of_the_normal_are_exact() -> None:
    for x in (-38.0, -8.0, -1.0, 0.0, 2.5, 9.0):
        assert normal_cdf(x) == pytest.approx(float(mpmath.ncdf(x)), rel=1e-13)
    assert normal_cdf(-math.inf) == 0.0
    assert normal_cdf(math.inf) == 1.0


@pytest.mark.parametrize("name", ["forward", "strike", "years", "volatility"])
@pytest.mark.parametrize("bad", [-1.0, math.nan, math.inf])
def test_what_is_negative_or_no_number_is_refused_by_name(name: str, bad: float) -> None:
    good = {"forward": 100.0, "strike": 100.0, "years": 1.0, "volatility": 0.5}
    for function in (price_option, compute_greeks):
        with pytest.raises(DataError, match=f"^{name} must be a finite number of at least 0, was "):
            function(**{**good, name: bad}, call=True)


def test_a_rate_that_is_no_number_or_overflows_is_refused() -> None:
    with pytest.raises(DataError, match="rate must be a finite number, was nan"):
        price_option(1.0, 1.0, 1.0, 1.0, call=True, rate=math.nan)
    with pytest.raises(DataError, match="rate x years must be above -700"):
        price_option(1.0, 1.0, 10.0, 1.0, call=True, rate=-100.0)
