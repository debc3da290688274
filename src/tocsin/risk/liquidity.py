"""
What closing costs beyond the market's move: impact, time, and haircuts for other periods.
"""

import math

from tocsin.core.errors import DataError


def _need_positive(**values: float) -> None:
    for name, value in values.items():
        if not value > 0.0:
            raise DataError(f"{name} must be above 0, was {value!r}")


def days_to_close(size: float, daily_volume: float, participation: float) -> float:
    """
    Return `|size| / (participation x daily volume)` days, size and volume in one unit.

    Raises:
        DataError: Volume or participation is not above 0.
    """
    _need_positive(daily_volume=daily_volume, participation=participation)
    return abs(size) / (participation * daily_volume)


def impact_cost(
    size: float,
    price: float,
    daily_volume: float,
    daily_volatility: float,
    coefficient: float = 1.0,
    half_spread: float = 0.0,
) -> float:
    """
    Return the cost of closing by the square-root law: `notional (half spread + c s_day sqrt(|size| / volume))`.

    A sheet holds it as a convex piecewise-linear liquidity add-on above this curve (RQ-021).

    Raises:
        DataError: Volume is not above 0.
    """
    _need_positive(daily_volume=daily_volume)
    share = abs(size) / daily_volume
    return abs(size) * price * (half_spread + coefficient * daily_volatility * math.sqrt(share))


def slices_factor(slices: int) -> float:
    """
    Return by what the risk of one period grows when a position is closed in n equal slices: `sqrt(sum (j / n)^2)`.

    Equals `sqrt((n + 1)(2 n + 1) / (6 n))`.

    Raises:
        DataError: There is no slice.
    """
    if slices < 1:
        raise DataError(f"slices must be at least 1, was {slices}")
    return math.sqrt((slices + 1) * (2 * slices + 1) / (6 * slices))


def scale_haircut(haircut: float, days_between: float, days_held: float) -> float:
    """
    Return a haircut for revaluation every `days_between` days: `H sqrt((N + T - 1) / T)`.

    Args:
        haircut: For daily revaluation over the holding period `days_held`.
        days_between: N, >= 1.
        days_held: T, >= 1.

    Raises:
        DataError: A number of days is below 1.
    """
    if min(days_between, days_held) < 1.0:
        raise DataError(f"days must be at least 1, were {days_between!r} and {days_held!r}")
    return haircut * math.sqrt((days_between + days_held - 1.0) / days_held)
