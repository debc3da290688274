"""
Margin through the cycle: tools that damp it, and how much it moved.

Tools of Delegated Regulation (EU) 153/2013 Article 28(1): at least one of a buffer, a stressed weight, a floor. Here
they move parameters before they are published; nothing of it is in a requirement. Margins are amounts >= 0.
"""

import math
from typing import NamedTuple

from tocsin.core.errors import DataError


class Movement(NamedTuple):
    """Largest over smallest margin; the largest rise within n steps as an amount, and relative to where it began."""

    peak_to_trough: float
    rise: float
    rise_share: float


def apply_buffer(calculated: list[float], reference: list[float], buffer: float = 0.25) -> list[float]:
    """
    Return margin with a buffer that is used up when margins rise: `max(calculated, (1 + buffer) reference)`.

    Args:
        calculated: Margin of the model per day.
        reference: Its level before the stress, per day.
        buffer: Share of the reference, >= 0.

    Raises:
        DataError: The lists differ in length.
    """
    if len(calculated) != len(reference):
        raise DataError(f"reference must have {len(calculated)} values, had {len(reference)}")
    return [max(m, (1.0 + buffer) * r) for m, r in zip(calculated, reference, strict=True)]


def blend_stress(current: float, stressed: float, weight: float = 0.25) -> float:
    """
    Return margin with a weight on stressed observations, `(1 - w) current + w stressed`.

    It lowers margin when the market is worse than the stress: take the larger of it and `current`.
    """
    return (1.0 - weight) * current + weight * stressed


def floor_margin(
    position: float, quantile: float, volatility: float, volatility_floor: float, horizon_days: float
) -> float:
    """
    Return `|position| z max(volatility, floor) sqrt(days / 365)`, volatilities per root of a year of 365 days.

    Raises:
        DataError: A volatility or the horizon is negative.
    """
    if min(volatility, volatility_floor, horizon_days) < 0.0:
        raise DataError("volatilities and horizon_days must be at least 0")
    return abs(position) * quantile * max(volatility, volatility_floor) * math.sqrt(horizon_days / 365.0)


def measure_movement(margin: list[float], steps: int = 1) -> Movement:
    """
    Return how far the margin of a constant portfolio moved (Murphy, Vasios and Vause, Bank of England FS Paper 29).

    Args:
        margin: Margin per step, above 0, more than `steps` of them.
        steps: n: a rise over 1 to n steps counts, >= 1.

    Raises:
        DataError: A margin is not above 0, or there are too few.
    """
    if steps < 1 or len(margin) <= steps or min(margin) <= 0.0:
        raise DataError(f"margin must be more than {steps} values above 0")
    pairs = [(a, b) for i, a in enumerate(margin) for b in margin[i + 1 : i + 1 + steps]]
    return Movement(max(margin) / min(margin), max(b - a for a, b in pairs), max((b - a) / a for a, b in pairs))
