"""
Margin from sensitivities, one risk class: weights, concentration, buckets, correlation.

The scheme of standard initial-margin models. Weights, thresholds and correlations come from outside: a licensed model's
calibration is not here.
"""

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

from tocsin.core.errors import DataError

RESIDUAL = "Residual"
"""The bucket without correlation to any other, added after the rest."""


class Sensitivity(NamedTuple):
    """A net sensitivity: name of the risk factor, bucket, signed amount."""

    factor: str
    bucket: str
    amount: float


class Calibration(NamedTuple):
    """
    What a class is margined by, per bucket: risk weight, concentration threshold (> 0), correlation of two of its
    factors; and per pair of buckets, in either order, their correlation.
    """

    weights: Mapping[str, float]
    thresholds: Mapping[str, float]
    within: Mapping[str, float]
    between: Mapping[tuple[str, str], float]


def concentration_ratio(amount: float, threshold: float) -> float:
    """
    Return `max(1, sqrt(|amount| / threshold))`.

    Raises:
        DataError: The threshold is not above 0.
    """
    if not threshold > 0.0:
        raise DataError(f"concentration threshold must be above 0, was {threshold!r}")
    return max(1.0, math.sqrt(abs(amount) / threshold))


def delta_margin(sensitivities: list[Sensitivity], calibration: Calibration) -> float:
    """
    Return the delta margin of one class: `sqrt(sum K_b^2 + sum g_bc S_b S_c) + K_residual`.

    Per factor `WS = weight x net x CR`; per bucket `K^2 = sum r_kl f_kl WS_k WS_l` with `f_kl` the smaller over the
    larger concentration ratio, and S the sum of WS cut to plus or minus K.

    Raises:
        DataError: A bucket has no weight, threshold or correlation; the message names it.
    """
    net: dict[tuple[str, str], float] = {}
    for s in sensitivities:
        key = (s.bucket, s.factor)
        net[key] = net.get(key, 0.0) + s.amount
    weighted: dict[str, list[tuple[float, float]]] = {}
    for (bucket, _), amount in net.items():
        if bucket not in calibration.weights or bucket not in calibration.thresholds:
            raise DataError(f"bucket {bucket!r} must have a risk weight and a concentration threshold, had none")
        ratio = concentration_ratio(amount, calibration.thresholds[bucket])
        weighted.setdefault(bucket, []).append((calibration.weights[bucket] * amount * ratio, ratio))
    inner: dict[str, float] = {}
    for bucket, factors in weighted.items():
        rho = 0.0 if bucket == RESIDUAL else calibration.within.get(bucket)
        if rho is None and len(factors) > 1:
            raise DataError(f"bucket {bucket!r} must have a correlation within it, had none")
        inner[bucket] = _bucket_margin(factors, rho or 0.0)
    residual = inner.pop(RESIDUAL, 0.0)
    sums = {b: max(-k, min(k, math.fsum(ws for ws, _ in weighted[b]))) for b, k in inner.items()}
    total = math.fsum(k * k for k in inner.values())
    buckets = list(inner)
    for i, one in enumerate(buckets):
        for two in buckets[i + 1 :]:
            gamma = calibration.between.get((one, two), calibration.between.get((two, one)))
            if gamma is None:
                raise DataError(f"buckets {one!r} and {two!r} must have a correlation, had none")
            total += 2.0 * gamma * sums[one] * sums[two]
    return math.sqrt(max(0.0, total)) + residual


def _bucket_margin(factors: list[tuple[float, float]], rho: float) -> float:
    return pairwise_margin(factors, lambda _i, _j: rho)


def pairwise_margin(factors: list[tuple[float, float]], correlate: Callable[[int, int], float]) -> float:
    """
    Return `sqrt(sum r_kl f_kl WS_k WS_l)` of (weighted sensitivity, concentration ratio) pairs.

    `correlate(i, j)` is the correlation of the factors at two positions, i < j; f damps it by unequal concentration.
    """
    total = math.fsum(ws * ws for ws, _ in factors)
    for i, (one, ratio) in enumerate(factors):
        for j in range(i + 1, len(factors)):
            two, other = factors[j]
            total += 2.0 * correlate(i, j) * min(ratio, other) / max(ratio, other) * one * two
    return math.sqrt(max(0.0, total))


class FxCalibration(NamedTuple):
    """
    What exchange-rate sensitivities are margined by.

    `weights` by how many of a currency and the calculation currency are volatile (none, one, both); `correlations` by
    how many of a pair are; `thresholds` per currency, that of `""` for all others.
    """

    calculation: str
    volatile: frozenset[str]
    weights: tuple[float, float, float]
    correlations: tuple[float, float, float]
    thresholds: Mapping[str, float]


def fx_delta_margin(sensitivities: list[tuple[str, float]], calibration: FxCalibration) -> float:
    """
    Return the delta margin of exchange-rate sensitivities: one bucket, the calculation currency without weight.

    Raises:
        DataError: A threshold is not above 0.
    """
    net: dict[str, float] = {}
    for currency, amount in sensitivities:
        if currency != calibration.calculation:
            net[currency] = net.get(currency, 0.0) + amount
    base = calibration.calculation in calibration.volatile
    high = [currency in calibration.volatile for currency in net]
    factors: list[tuple[float, float]] = []
    for currency, is_high in zip(net, high, strict=True):
        threshold = calibration.thresholds.get(currency, calibration.thresholds[""])
        ratio = concentration_ratio(net[currency], threshold)
        factors.append((calibration.weights[is_high + base] * net[currency] * ratio, ratio))
    return pairwise_margin(factors, lambda i, j: calibration.correlations[high[i] + high[j]])
