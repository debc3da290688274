"""
Do the numbers hold: tests of exceptions against value at risk, and of losses against expected shortfall.

An exception is a loss beyond VaR. Likelihood-ratio tests are two-sided: they also reject a model that is too careful.
Margin needs the one-sided test (`coverage_tail`).
"""

import math
from bisect import bisect_left
from typing import NamedTuple

from tocsin.core.errors import DataError
from tocsin.risk.distributions import binomial_cdf, chi_square_tail, need_share, normal_density, normal_quantile

YELLOW, RED = 0.95, 0.9999
"""Cumulative probabilities from which a count of exceptions is yellow, and red (Basel Committee, 1996)."""
PLUS_FACTORS = {5: 0.4, 6: 0.5, 7: 0.65, 8: 0.75, 9: 0.85}
"""Prescribed plus factors of 250 days at 99 %; 1.0 from ten exceptions, 0 below five."""
ACCEPT_95 = 3.841458820694124
"""95 % quantile of chi-square with one degree of freedom."""

_SIGNIFICANCE_MIN = 1e-9


class Ratio(NamedTuple):
    """A likelihood ratio and its p-value."""

    lr: float
    p_value: float


class Light(NamedTuple):
    """A count of exceptions: probability of at most that many, and `green`, `yellow` or `red`."""

    cumulative: float
    zone: str


def kupiec(exceptions: int, count: int, share: float) -> Ratio:
    """
    Test the share of exceptions: `LR = 2 [x ln(f/p) + (n - x) ln((1 - f)/(1 - p))]`, f = x/n, chi-square(1).

    Args:
        exceptions: 0 to `count`; none is a case of its own and not an error (0 ln 0 = 0).
        count: Observations, >= 1.
        share: Expected share p, strictly between 0 and 1.

    Raises:
        DataError: One is out of range.
    """
    need_share("share", share)
    if not 0 <= exceptions <= count or count < 1:
        raise DataError(f"exceptions must be between 0 and {count}, was {exceptions}")
    found = exceptions / count
    lr = 2.0 * (_x_log(exceptions, found, share) + _x_log(count - exceptions, 1.0 - found, 1.0 - share))
    return Ratio(max(0.0, lr), chi_square_tail(lr, 1))


def kupiec_region(count: int, share: float, bound: float = ACCEPT_95) -> tuple[int, int]:
    """
    Return the fewest and the most exceptions that `kupiec` does not reject: LR below `bound`.

    Raises:
        DataError: No count of exceptions is accepted, or an argument is out of range.
    """
    need_share("share", share)
    middle = min((int(count * share), min(count, int(count * share) + 1)), key=lambda x: kupiec(x, count, share).lr)
    if kupiec(middle, count, share).lr >= bound:
        raise DataError(f"no number of exceptions of {count} is accepted at {share!r}")
    # The ratio falls to the expected share and rises from it.
    low = bisect_left(range(middle), True, key=lambda x: kupiec(x, count, share).lr < bound)
    high = bisect_left(range(middle, count + 1), True, key=lambda x: kupiec(x, count, share).lr >= bound)
    return low, middle + high - 1


def christoffersen(n00: int, n01: int, n10: int, n11: int) -> Ratio:
    """
    Test that exceptions come independently: transitions between quiet (0) and exception (1), chi-square(1).

    `n01` counts an exception after a quiet day. A row without observations gives no evidence (0 ln 0 = 0).

    Raises:
        DataError: A count is negative or all are 0.
    """
    if min(n00, n01, n10, n11) < 0 or not n00 + n01 + n10 + n11:
        raise DataError(f"transitions must be at least 0 and not all 0, were {n00}, {n01}, {n10}, {n11}")
    total = n00 + n01 + n10 + n11
    after0, after1 = n01 / (n00 + n01) if n00 + n01 else 0.0, n11 / (n10 + n11) if n10 + n11 else 0.0
    any1 = (n01 + n11) / total
    free = _x_log(n00, 1 - after0, 1) + _x_log(n01, after0, 1) + _x_log(n10, 1 - after1, 1) + _x_log(n11, after1, 1)
    same = _x_log(n00 + n10, 1 - any1, 1) + _x_log(n01 + n11, any1, 1)
    lr = max(0.0, 2.0 * (free - same))
    return Ratio(lr, chi_square_tail(lr, 1))


def conditional_coverage(independence: float, coverage: float) -> Ratio:
    """
    Return the joint test of Christoffersen: the sum of both ratios, chi-square(2).
    """
    return Ratio(independence + coverage, chi_square_tail(independence + coverage, 2))


def coverage_tail(exceptions: int, count: int, share: float) -> float:
    """
    Return the probability of `exceptions` or more if the model is right: the one-sided test of margin.

    Raises:
        DataError: An argument is out of range.
    """
    return 1.0 - binomial_cdf(exceptions - 1, count, share)


def traffic_light(exceptions: int, count: int, share: float) -> Light:
    """
    Return the zone of a count of exceptions: green below 95 % cumulative probability, red from 99.99 %.

    Source: Basel Committee, Supervisory framework for the use of backtesting (1996), for any n and p.
    """
    cumulative = binomial_cdf(exceptions, count, share)
    return Light(cumulative, "red" if cumulative >= RED else "yellow" if cumulative >= YELLOW else "green")


def traffic_bounds(count: int, share: float) -> tuple[int, int]:
    """
    Return the fewest exceptions that are yellow, and that are red.

    Raises:
        DataError: An argument is out of range.

    Complexity: O(log n) binomial sums.
    """
    numbers = range(count + 1)
    yellow, red = (bisect_left(numbers, bound, key=lambda x: binomial_cdf(x, count, share)) for bound in (YELLOW, RED))
    return yellow, red


def plus_factor(exceptions: int) -> float:
    """
    Return the plus factor prescribed for 250 days at 99 %.
    """
    return 1.0 if exceptions >= 10 else PLUS_FACTORS.get(exceptions, 0.0)


def plus_factor_origin(exceptions: int, count: int, share: float) -> float:
    """
    Return the increase that would lift the quantile found to the one assumed: `3 (z_p / z_found - 1)`.

    The prescribed factors are rounded from it.

    Raises:
        DataError: The share found is not strictly between 0 and 1.
    """
    return 3.0 * (normal_quantile(1.0 - share) / normal_quantile(1.0 - exceptions / count) - 1.0)


def acerbi_szekely(pnl: list[float], var: list[float], es: list[float], tail: float) -> float:
    """
    Return Z2 of Acerbi and Szekely (2014): `sum(X I / (T a ES)) + 1`; 0 expected, negative if risk is underestimated.

    Args:
        pnl: Profit and loss per period, losses negative.
        var: Value at risk per period, a loss, positive.
        es: Expected shortfall per period, positive.
        tail: a, strictly between 0 and 1.

    Raises:
        DataError: Lists differ in length or are empty, `tail` or an ES is out of range.
    """
    need_share("tail", tail)
    if not pnl or not len(pnl) == len(var) == len(es) or min(es) <= 0.0:
        raise DataError("pnl, var and es must have one length, at least 1, and es be above 0")
    hits = [x / e for x, v, e in zip(pnl, var, es, strict=True) if x < -v]
    return math.fsum(hits) / (len(pnl) * tail) + 1.0


def acerbi_szekely_critical(count: int, tail: float, significance: float, step: float = 0.02) -> float:
    """
    Return the value below which Z2 falls with probability `significance` if P&L is standard normal and the model right.

    The law of the summed tail losses is compound binomial: Panjer's recursion on a lattice of `step`, no simulation.

    Raises:
        DataError: `significance` is below 1e-9 or not below 1, `tail` is not between 0 and 0.1, or `count` x `tail`
            above 50.

    Complexity: O(count x tail / step^2).
    """
    need_share("tail", tail)
    if not _SIGNIFICANCE_MIN <= significance < 1.0:
        raise DataError(f"significance must be at least {_SIGNIFICANCE_MIN:g} and below 1, was {significance!r}")
    if not (0 < count * tail <= 50.0 and tail <= 0.1):
        raise DataError(f"tail must be at most 0.1 and count x tail at most 50, were {tail!r} and {count * tail!r}")
    z = normal_quantile(1.0 - tail)
    shortfall = normal_density(z) / tail
    cells = _tail_cells(z, tail, step)
    odds = tail / (1.0 - tail)
    law = [(1.0 - tail) ** count]
    reached = law[0]
    while reached < 1.0 - significance:
        j = len(law)
        terms = ((-odds + (count + 1) * odds * k / j) * mass * law[j - k] for k, mass in cells.items() if k <= j)
        law.append(max(0.0, math.fsum(terms)))
        reached += law[-1]
    return 1.0 - (len(law) - 1) * step / (count * tail * shortfall)


def _tail_cells(z: float, tail: float, step: float) -> dict[int, float]:
    """Return the law of a loss beyond z given that it is one, on multiples of `step`."""
    out: dict[int, float] = {}
    for k in range(round(z / step), round((z + 7.0) / step)):
        low, high = max(z, (k - 0.5) * step), (k + 0.5) * step
        out[k] = 0.5 * (math.erfc(low / math.sqrt(2.0)) - math.erfc(high / math.sqrt(2.0))) / tail
    return out


def _x_log(weight: int, above: float, below: float) -> float:
    """Return `weight ln(above / below)`, 0 without weight."""
    return weight * math.log(above / below) if weight else 0.0
