"""
Last and mark prices of all markets over the window, for one seed.
"""

from dataclasses import dataclass
from itertools import accumulate

from tocsin.lab.october.bars import load_bars
from tocsin.lab.october.bridge import bridge_bars
from tocsin.lab.october.cadence import SECOND_NS
from tocsin.sheet.mark_rule import MarkRule, clamp_to_band

MARK_RULE = MarkRule(window_s=30, band_ppm=30_000)
"""The one mark rule of the replay: mean of 30 one-second last prices, within 3 % of the newest."""


@dataclass(frozen=True, slots=True)
class PricePath:
    """
    One market's last prices, one a second.

    Attributes:
        symbol: Coin as the source names it.
        start_s: Time of the first bar's open, seconds since 1970.
        last: Element i is the last price in ticks at `start_s + i + 1`.
        sums: Element i is the sum of the first i elements of `last`.
    """

    symbol: str
    start_s: int
    last: list[int]
    sums: list[int]

    def index_at(self, time_ns: int) -> int:
        """
        Return the position in `last` of the newest price at or before `time_ns`.

        Raises:
            ValueError: The time is outside the path.
        """
        index = time_ns // SECOND_NS - self.start_s - 1
        if not 0 <= index < len(self.last):
            raise ValueError(f"time must lie within the path of {self.symbol}, was {time_ns} ns")
        return index

    def last_at(self, time_ns: int) -> int:
        """Return the last price in ticks at `time_ns`."""
        return self.last[self.index_at(time_ns)]

    def mark_at(self, time_ns: int, rule: MarkRule = MARK_RULE) -> int:
        """
        Return the mark price in ticks at `time_ns`: `compute_mark` over the path so far, in O(1).
        """
        index = self.index_at(time_ns)
        first = max(0, index + 1 - rule.window_s)
        mean = (self.sums[index + 1] - self.sums[first]) // (index + 1 - first)
        return clamp_to_band(mean, self.last[index], rule.band_ppm)


def build_paths(seed: int) -> tuple[PricePath, ...]:
    """
    Return the paths of all markets by rising contract number (contract n is element n - 1).
    """
    out: list[PricePath] = []
    for symbol, bars in load_bars().items():
        last = bridge_bars(bars, symbol, seed)
        out.append(PricePath(symbol, bars[0].start_s, last, [0, *accumulate(last)]))
    return tuple(out)
