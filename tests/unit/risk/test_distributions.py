"""
Distributions against 40-digit arithmetic.
"""

import mpmath
import pytest

from tocsin.core.errors import DataError
from tocsin.risk.distributions import (
    binomial_cdf,
    chi_square_tail,
    normal_quantile,
    student_cdf,
    student_density,
    student_quantile,
)

mpmath.mp.dps = 40


@pytest.mark.parametrize("freedom", [0.5, 1, 2.5, 4, 30, 1000])
@pytest.mark.parametrize("x", [-40.0, -2.5, -0.1, 0.0, 0.3, 7.0])
def test_student_cdf_and_density(x: float, freedom: float) -> None:
    nu = mpmath.mpf(freedom)
    beta = mpmath.betainc(nu / 2, 0.5, 0, nu / (nu + mpmath.mpf(x) ** 2), regularized=True) / 2
    assert student_cdf(x, freedom) == pytest.approx(float(1 - beta if x > 0 else beta), rel=1e-11, abs=1e-300)
    scale = mpmath.gamma((nu + 1) / 2) / mpmath.gamma(nu / 2) / mpmath.sqrt(nu * mpmath.pi)
    density = scale * (1 + mpmath.mpf(x) ** 2 / nu) ** (-(nu + 1) / 2)
    assert student_density(x, freedom) == pytest.approx(float(density), rel=1e-11)


@pytest.mark.parametrize(("p", "freedom", "value"), [(0.975, 4, 2.7764451051977987), (0.99, 1, 31.820515953773958)])
def test_student_quantile_mirrored(p: float, freedom: float, value: float) -> None:
    assert student_quantile(p, freedom) == pytest.approx(value, rel=1e-12)
    assert student_quantile(1 - p, freedom) == pytest.approx(-value, rel=1e-10)


@pytest.mark.parametrize(
    ("count", "trials", "share"), [(0, 250, 0.01), (4, 250, 0.01), (57, 1043, 0.05), (30, 30, 0.5)]
)
def test_binomial(count: int, trials: int, share: float) -> None:
    p = mpmath.mpf(share)
    exact = sum(mpmath.binomial(trials, k) * p**k * (1 - p) ** (trials - k) for k in range(count + 1))
    assert binomial_cdf(count, trials, share) == pytest.approx(float(exact), rel=1e-11)
    assert binomial_cdf(-1, trials, share) == 0.0


def test_chi_square_tails() -> None:
    assert chi_square_tail(3.841458820694124, 1) == pytest.approx(0.05, rel=1e-12)
    assert chi_square_tail(5.991464547107979, 2) == pytest.approx(0.05, rel=1e-12)


@pytest.mark.parametrize("p", [0.0, 1.0, -1.0, float("nan")])
def test_a_probability_out_of_range_is_refused(p: float) -> None:
    for call in (normal_quantile, lambda q: student_quantile(q, 3), lambda q: binomial_cdf(1, 2, q)):
        with pytest.raises(DataError, match="must be above 0 and below 1"):
            call(p)
