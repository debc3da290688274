"""
Laws by which scenario tables follow from few parameters: volatility shocks by tenor, weights of extreme moves.
"""

import math

from tocsin.core.errors import DataError

TENOR_DAYS = 30.0
"""Days to expiry at which a volatility shock is stated."""


def tenor_multiplier(days: float, shock: float, power: float, floor_days: float = 0.0) -> float:
    """
    Return the factor on volatility of a shock stated at 30 days: `1 + shock (30 / days)^power`, at least 0.

    Args:
        days: To expiry, above 0; at least `floor_days` counts.
        shock: Of volatility at 30 days, + up, - down (0.5: half as much again).
        power: Of the tenor; 0.3 and 0.13 beyond 30 days are usual, 0.5 is the square-root law.
        floor_days: Shortest tenor that counts, >= 0.

    Raises:
        DataError: No day counts.
    """
    counted = max(days, floor_days)
    if not counted > 0.0:
        raise DataError(f"days to expiry must be above 0, was {days!r}")
    return max(0.0, 1.0 + shock * (TENOR_DAYS / counted) ** power)


def extreme_weight(scan_range: float, shock: float, kappa: float = 1.0) -> float:
    """
    Return the share of an extreme move's loss that counts: `kappa range / |shock|`.

    A book linear in price then loses kappa x range in every extreme move. kappa is about 1 for SPAN (3 ranges, a
    third covered), 0.2 for Derive's tests.

    Raises:
        DataError: The shock is 0.
    """
    if not shock:
        raise DataError("an extreme move must not be 0")
    return kappa * scan_range / abs(shock)


def extreme_loss(scan_range: float, multiple: float, cover: float) -> float:
    """
    Return what the extreme scenario counts for a book linear in price: `range x multiple x cover`.
    """
    return scan_range * multiple * cover


def forward_of(index: float, basis_rate: float, days: float) -> float:
    """
    Return the price of a dated future: `index exp(basis rate x days / 365)`.
    """
    return index * math.exp(basis_rate * days / 365.0)


def ladder_pnl(size: float, price: float, shocks: list[float]) -> list[float]:
    """
    Return the P&L of a linear position at each relative move of its price; `size` is signed.
    """
    return [size * price * shock for shock in shocks]
