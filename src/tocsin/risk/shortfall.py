"""
Value at risk and expected shortfall: closed forms, samples, filtered histories.

Losses are positive. The level is the confidence (0.99), the tail its complement. Which observation counts is a
convention; each function says which it follows.
"""

import math
from fractions import Fraction
from typing import NamedTuple

from tocsin.core.errors import DataError
from tocsin.risk.distributions import (
    need_share,
    normal_density,
    normal_quantile,
    student_density,
    student_quantile,
)


class Tail(NamedTuple):
    """Value at risk and the mean loss beyond it, both as losses (+)."""

    var: float
    es: float


class Filtered(NamedTuple):
    """The volatility forecast of the next step, and past returns rescaled to it, in their order."""

    sigma_next: float
    returns: list[float]


def normal_tail(level: float, mean: float = 0.0, deviation: float = 1.0) -> Tail:
    """
    Return VaR and ES of a normal loss: `mean + s z`, `mean + s phi(z) / (1 - level)`.

    Args:
        level: Confidence, strictly between 0 and 1.
        mean: Mean loss.
        deviation: Standard deviation, >= 0.

    Raises:
        DataError: `level` or `deviation` is out of range.
    """
    if not deviation >= 0.0:
        raise DataError(f"deviation must be at least 0, was {deviation!r}")
    z = normal_quantile(level)
    return Tail(mean + deviation * z, mean + deviation * normal_density(z) / (1.0 - level))


def student_tail(level: float, freedom: float) -> Tail:
    """
    Return VaR and ES of a Student t loss with `freedom` > 1 degrees of freedom, not rescaled to unit variance.

    Raises:
        DataError: `level` is out of range, or the mean beyond it is infinite (`freedom` at most 1).
    """
    if not freedom > 1.0:
        raise DataError(f"degrees of freedom must be above 1 for an expected shortfall, was {freedom!r}")
    q = student_quantile(level, freedom)
    return Tail(q, student_density(q, freedom) / (1.0 - level) * (freedom + q * q) / (freedom - 1.0))


def sample_tail(losses: list[float], tail: Fraction) -> Tail:
    """
    Return VaR and ES of a sample: with k = ceil(n tail), the k-th largest loss and the mean of the k largest.

    Args:
        losses: All observations, or at least the k largest of `n`.
        tail: Share of the worst observations, above 0, exact, so that n x tail is not blurred at a whole number.

    Raises:
        DataError: There are no losses, or `tail` is not above 0 and at most 1.
    """
    return worst_tail(losses, len(losses), tail)


def worst_tail(worst: list[float], count: int, tail: Fraction) -> Tail:
    """
    Return `sample_tail` of `count` observations of which only the largest losses are known.

    Raises:
        DataError: Fewer losses are known than the tail holds.
    """
    if not 0 < tail <= 1:
        raise DataError(f"tail must be above 0 and at most 1, was {tail}")
    k = math.ceil(count * tail)
    if not 1 <= k <= len(worst):
        raise DataError(f"losses must hold the {k} worst of {count}, were {len(worst)}")
    ordered = sorted(worst, reverse=True)[:k]
    return Tail(ordered[-1], math.fsum(ordered) / k)


def atomic_shortfall(losses: list[float], tail: Fraction) -> float:
    """
    Return ES of a sample with the fractional atom of Acerbi and Tasche (2002): the mean of exactly n x tail losses.

    Coherent for every tail; `sample_tail` is the same where n x tail is whole.

    Raises:
        DataError: There are no losses, or `tail` is not above 0 and at most 1.
    """
    if not losses or not 0 < tail <= 1:
        raise DataError(f"tail must be above 0 and at most 1 of at least one loss, was {tail} of {len(losses)}")
    whole = len(losses) * tail
    ordered = sorted(losses, reverse=True)
    k = math.floor(whole)
    part = ordered[k] * float(whole - k) if whole > k else 0.0
    return math.fsum([*ordered[:k], part]) / float(whole)


def filter_history(returns: list[float], decay: float) -> Filtered:
    """
    Rescale past returns to today's volatility (filtered historical simulation, Barone-Adesi; Hull and White).

    `s2[t+1] = decay s2[t] + (1 - decay) r[t]^2` from `s2[0] = r[0]^2`; a return counts as `r[t] s_next / s[t]`.

    Args:
        returns: Oldest first, at least one, the first not 0.
        decay: Weight of the past, strictly between 0 and 1.

    Raises:
        DataError: Either is out of range.
    """
    need_share("decay", decay)
    if not returns or returns[0] == 0.0:
        raise DataError("returns must begin with one that is not 0, which seeds the variance")
    variance = returns[0] ** 2
    deviations: list[float] = []
    for r in returns:
        deviations.append(math.sqrt(variance))
        variance = decay * variance + (1.0 - decay) * r * r
    last = math.sqrt(variance)
    return Filtered(last, [r / s * last for r, s in zip(returns, deviations, strict=True)])
