"""
Turn last prices into marks, in integers (rules MK-001 to MK-006).

The mark of a contract is the mean of its last prices over a short window, rounded down, held within a band
around the newest last price. One rule serves every contract; window and band are published.
"""

from collections import deque
from collections.abc import Sequence

import msgspec

from tocsin.core.integers import PPM, ceil_div


class MarkRule(msgspec.Struct, frozen=True, array_like=True):
    """
    Window in seconds (>= 1) of one-second last prices, and half width of the band in ppm (0 to 1,000,000).
    """

    window_s: int
    band_ppm: int


def compute_mark(samples: Sequence[int], rule: MarkRule) -> int:
    """
    Compute the mark price from one-second last prices.

    Args:
        samples: Last prices in ticks, > 0, one a second, oldest first; a second without a trade repeats the
            price before it. Only the last `window_s` are used; fewer are used as they are.
        rule: Window and band.

    Returns:
        Mark price in ticks, > 0: the mean rounded down (MK-002), then clamped to last -/+ last x band_ppm
        rounded down (MK-003).

    Raises:
        ValueError: No sample.
    """
    if not samples:
        raise ValueError("samples must hold at least one last price, was empty")
    window = samples[-rule.window_s :]
    return clamp_to_band(sum(window) // len(window), window[-1], rule.band_ppm)


def clamp_to_band(mean: int, last: int, band_ppm: int) -> int:
    """
    Return `mean` moved, if outside, to the nearer end of last -/+ last x band_ppm rounded down (rule MK-003).
    """
    band = last * band_ppm // PPM
    return max(last - band, min(last + band, mean))


class MarkStream:
    """
    Compute marks one sample at a time: after each `push` the same as `compute_mark` over all samples so far.
    """

    def __init__(self, rule: MarkRule) -> None:
        self._rule = rule
        self._window: deque[int] = deque()
        self._sum = 0

    def push(self, last: int) -> int:
        """
        Take the last price of one more second (ticks, > 0) and return the mark price (ticks).

        Complexity: O(1).
        """
        window = self._window
        window.append(last)
        self._sum += last
        if len(window) > self._rule.window_s:
            self._sum -= window.popleft()
        return clamp_to_band(self._sum // len(window), last, self._rule.band_ppm)


def linear_mark(units: int, price_ticks: int) -> int:
    """
    Return the mark per lot of a linear contract, > 0: `units` per tick and lot times price, exactly (MK-004).
    """
    return units * price_ticks


def inverse_mark(k: int, price_ticks: int) -> int:
    """
    Return the mark per lot of an inverse contract: -ceil(k / price), < 0, away from zero (rule MK-005).

    `k` is units of the settlement coin times ticks per lot, > 0. A lot bought (+1) at a low price has a very
    negative mark; as the price rises the mark rises toward zero, so that a long gains.
    """
    return -ceil_div(k, price_ticks)
