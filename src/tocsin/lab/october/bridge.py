"""
Refine bars to one last price a second: a seeded bridge through open, both extremes and close.

Where inside a bar the extremes lie is not known; each seed draws another order and other seconds. Bars that
start together share one draw of order and place in four contracts of five, because markets fell together that
day. Between the fixed points runs a random walk, tied at both ends and folded back into [low, high].
"""

from hashlib import sha256
from itertools import accumulate, pairwise
from math import isqrt
from random import Random

from tocsin.lab.october.bars import Bar

WALK_PPM = 626_657
"""Standard deviation of a free walk over a whole bar, as a share of the bar's range: sqrt(pi / 8), for which the
expected range of a free Brownian walk is the bar's own."""

TOGETHER_PPM = 800_000
"""Share of contracts that follow the common order and place of extremes."""

_STEP_SD_PPM = 73_900_270
"""Standard deviation of one random byte, sqrt((256^2 - 1) / 12), times a million."""


def seeded(*parts: int | str) -> Random:
    """
    Return a generator seeded by all `parts`, the same on every machine and for every PYTHONHASHSEED.
    """
    digest = sha256("|".join(map(str, parts)).encode("ascii")).digest()
    return Random(int.from_bytes(digest, "little"))


def bridge_bars(bars: tuple[Bar, ...], symbol: str, seed: int) -> list[int]:
    """
    Return one last price in ticks per second over contiguous `bars`.

    Element i is the last price at second i + 1 after the first bar's open; the first element of each bar is
    its open, the last its close. Each bar's part touches high and low exactly and never leaves them.

    Complexity: O(seconds), about a microsecond each.
    """
    own = seeded("bridge", seed, symbol)
    path: list[int] = []
    for bar in bars:
        common = seeded("bar", seed, bar.start_s, bar.seconds)
        together = own.getrandbits(20) * 1_000_000 >> 20 < TOGETHER_PPM
        fixed = place_extremes(bar, common if together else own)
        path.extend(_fill(bar, fixed, own))
    return path


def place_extremes(bar: Bar, draw: Random) -> list[tuple[int, int]]:
    """
    Return the fixed points (second within the bar, price): open, the two extremes in a drawn order, close.
    """
    last = bar.seconds - 1
    first, second = sorted(1 + draw.getrandbits(30) % (last - 1) for _ in range(2))
    if first == second:
        first, second = (first, second + 1) if second < last - 1 else (first - 1, second)
    high_first = draw.getrandbits(1) == 1
    extremes = (bar.high, bar.low) if high_first else (bar.low, bar.high)
    # An extreme that open or close already is needs no second of its own.
    points = [(0, bar.open), (first, extremes[0]), (second, extremes[1]), (last, bar.close)]
    return [p for i, p in enumerate(points) if i in (0, 3) or p[1] not in (bar.open, bar.close)]


def _fill(bar: Bar, fixed: list[tuple[int, int]], draw: Random) -> list[int]:
    low, high = bar.low, bar.high
    if low == high:
        return [low] * bar.seconds
    # Walk size as a fraction of random-byte steps: scale / 2^20 ticks per byte unit, so that a free walk over
    # the whole bar has a standard deviation of WALK_PPM of the range. Only integers from here on.
    scale = ((high - low) * WALK_PPM << 20) // (_STEP_SD_PPM * isqrt(bar.seconds))
    out = [fixed[0][1]]
    for (t0, p0), (t1, p1) in pairwise(fixed):
        n = t1 - t0
        walk = list(accumulate(draw.randbytes(n)))
        # Bridge: take off the straight line to the walk's end, add the straight line from p0 to p1.
        slope = (p1 - p0 << 20) - walk[-1] * scale
        for i in range(1, n):
            at = p0 + (walk[i - 1] * scale + slope * i // n >> 20)
            if at < low:
                at = min(low + low - at, high)
            elif at > high:
                at = max(high + high - at, low)
            out.append(at)
        out.append(p1)
    return out
