"""
Put stand-alone risks together: by correlation, by scan and spread, by schedule.

These are other people's rules. Tocsin's own requirement offsets by the joint and alone forms (RQ-031 to RQ-034), which
need no correlation matrix and are convex.
"""

import math
from collections.abc import Mapping
from typing import NamedTuple

from tocsin.core.errors import DataError


class SpanMargin(NamedTuple):
    """A SPAN-like requirement: risk after spreads, credits and the short-option minimum; less net option value."""

    risk: float
    total: float


def aggregate(amounts: Mapping[str, float], correlations: Mapping[tuple[str, str], float]) -> float:
    """
    Return `sqrt(sum_ij r_ij a_i a_j)` of signed amounts; a pair that is not given has correlation 0.

    Args:
        amounts: Signed stand-alone amounts.
        correlations: Per pair, in either order, between -1 and 1.

    Raises:
        DataError: The correlations are not those of any variables: the sum is negative.
    """
    names = list(amounts)
    total = math.fsum(a * a for a in amounts.values())
    for i, one in enumerate(names):
        for two in names[i + 1 :]:
            rho = correlations.get((one, two), correlations.get((two, one), 0.0))
            total += 2.0 * rho * amounts[one] * amounts[two]
    if total < -1e-9 * math.fsum(a * a for a in amounts.values()):
        raise DataError("correlations must be those of a positive semidefinite matrix; the variance is negative")
    return math.sqrt(max(0.0, total))


def spread_charge(deltas: list[float], rate: float) -> float:
    """
    Return the charge on spreads between months: `min(long, short) x rate`, one tier.
    """
    long, short = sum(d for d in deltas if d > 0), -sum(d for d in deltas if d < 0)
    return min(long, short) * rate


def span_margin(
    scan: float,
    spread: float,
    delivery: float,
    credit: float,
    short_options: float,
    minimum: float,
    option_value: float,
) -> SpanMargin:
    """
    Return `max(scan + spread + delivery - credit, short options x minimum)`, and that less net option value.

    Args:
        scan: Scanning loss, >= 0.
        spread: Charge on spreads between months, >= 0.
        delivery: Charge of the delivery month, >= 0.
        credit: Credit between commodities, >= 0.
        short_options: Short option contracts, >= 0.
        minimum: Charge for each of them, >= 0.
        option_value: Net value of premium-style options, negative if short; 0 for futures-style ones.
    """
    risk = max(scan + spread + delivery - credit, short_options * minimum)
    return SpanMargin(risk, risk - option_value)


def schedule_margin(gross: float, net_cost: float, gross_cost: float | None = None) -> tuple[float, float]:
    """
    Return net-to-gross ratio and schedule margin: `(0.4 + 0.6 NGR) gross`, NGR = net cost / gross cost.

    Args:
        gross: Sum of schedule amounts, >= 0.
        net_cost: Replacement cost of the netting set; below 0 counts as 0.
        gross_cost: Replacement cost without netting, above 0 unless `net_cost` is 0.

    Raises:
        DataError: There is a net cost and no gross one.

    Source: BCBS-IOSCO, Margin requirements for non-centrally cleared derivatives, appendix A.
    """
    net = max(0.0, net_cost)
    if not net:
        return 0.0, 0.4 * gross
    if gross_cost is None or not gross_cost > 0.0:
        raise DataError(f"gross_cost must be above 0 with a net cost of {net!r}, was {gross_cost!r}")
    ratio = net / gross_cost
    return ratio, (0.4 + 0.6 * ratio) * gross
