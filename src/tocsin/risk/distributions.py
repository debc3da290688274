"""
Distributions that tests of risk numbers need: normal, Student t, binomial, chi-square.

Standard library only. Probabilities hold to about 1e-12, quantiles to about 1e-10 relative.
"""

import math
from statistics import NormalDist

from tocsin.core.errors import DataError

_NORMAL = NormalDist()


def need_share(name: str, value: float) -> None:
    """
    Check that a probability lies strictly between 0 and 1.

    Raises:
        DataError: It does not; the message names it.
    """
    if not 0.0 < value < 1.0:
        raise DataError(f"{name} must be above 0 and below 1, was {value!r}")


def normal_quantile(probability: float) -> float:
    """
    Return the standard normal quantile of a probability strictly between 0 and 1.

    Raises:
        DataError: The probability is out of range.
    """
    need_share("probability", probability)
    return _NORMAL.inv_cdf(probability)


def normal_density(x: float) -> float:
    """
    Return the standard normal density.
    """
    return _NORMAL.pdf(x)


def binomial_cdf(count: int, trials: int, share: float) -> float:
    """
    Return the probability of at most `count` events in `trials` independent trials of probability `share`.

    Raises:
        DataError: `trials` is below 1 or `share` not strictly between 0 and 1.
    """
    if trials < 1:
        raise DataError(f"trials must be at least 1, was {trials}")
    need_share("share", share)
    if count < 0:
        return 0.0
    if count >= trials:
        return 1.0
    log_odds, log_rest = math.log(share), math.log1p(-share)
    logs = (
        math.lgamma(trials + 1)
        - math.lgamma(k + 1)
        - math.lgamma(trials - k + 1)
        + k * log_odds
        + (trials - k) * log_rest
        for k in range(count + 1)
    )
    return min(1.0, math.fsum(math.exp(x) for x in logs))


def chi_square_tail(value: float, freedom: int) -> float:
    """
    Return the probability that a chi-square variable with 1 or 2 degrees of freedom exceeds `value` >= 0.
    """
    assert freedom in (1, 2)
    value = max(0.0, value)
    return math.erfc(math.sqrt(value / 2.0)) if freedom == 1 else math.exp(-value / 2.0)


def student_cdf(x: float, freedom: float) -> float:
    """
    Return the probability that a Student t variable with `freedom` > 0 degrees of freedom is below `x`.
    """
    tail = 0.5 * _incomplete_beta(freedom / 2.0, 0.5, freedom / (freedom + x * x))
    return 1.0 - tail if x > 0.0 else tail


def student_density(x: float, freedom: float) -> float:
    """
    Return the density of a Student t variable with `freedom` > 0 degrees of freedom.
    """
    log_scale = math.lgamma((freedom + 1.0) / 2.0) - math.lgamma(freedom / 2.0) - 0.5 * math.log(freedom * math.pi)
    return math.exp(log_scale - (freedom + 1.0) / 2.0 * math.log1p(x * x / freedom))


def student_quantile(probability: float, freedom: float) -> float:
    """
    Return the quantile of a Student t variable with `freedom` > 0 degrees of freedom.

    Raises:
        DataError: The probability is not strictly between 0 and 1, or `freedom` is not above 0.
    """
    need_share("probability", probability)
    if not freedom > 0.0:
        raise DataError(f"degrees of freedom must be above 0, was {freedom!r}")
    if probability < 0.5:
        return -student_quantile(1.0 - probability, freedom)
    low, high = 0.0, 1.0
    while student_cdf(high, freedom) < probability:
        low, high = high, 2.0 * high
    for _ in range(200):
        middle = 0.5 * (low + high)
        if not low < middle < high:
            break
        low, high = (middle, high) if student_cdf(middle, freedom) < probability else (low, middle)
    return 0.5 * (low + high)


def _incomplete_beta(a: float, b: float, x: float) -> float:
    """Return the regularised incomplete beta function, by its continued fraction (Lentz)."""
    if x <= 0.0 or x >= 1.0:
        return 0.0 if x <= 0.0 else 1.0
    log_front = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    if x < (a + 1.0) / (a + b + 2.0):
        return math.exp(log_front) * _beta_fraction(a, b, x) / a
    return 1.0 - math.exp(log_front) * _beta_fraction(b, a, 1.0 - x) / b


def _beta_fraction(a: float, b: float, x: float) -> float:
    tiny = 1e-300
    c, d = 1.0, 1.0 / _away(1.0 - (a + b) * x / (a + 1.0), tiny)
    total = d
    for m in range(1, 10_000):
        for step in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1.0 / _away(1.0 + step * d, tiny)
            c = _away(1.0 + step / c, tiny)
            total *= c * d
        if abs(c * d - 1.0) < 1e-15:
            break
    return total


def _away(x: float, tiny: float) -> float:
    return x if abs(x) > tiny else tiny
