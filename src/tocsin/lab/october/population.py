"""
Draw synthetic accounts: who holds how much of what, long equal to short in every market.

Sizes follow the shape of one venue's account-level extract within three bands, and the bands hold the published shares
(smallest 90 %, next 9 %, top 1 % of accounts: 1.7, 14.1, 84.2 % of notional). Floats are only added with `fsum`,
multiplied, divided and rooted, so that every Python version and machine draws the same integers.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from math import fsum, isqrt, sqrt
from random import Random

from tocsin.lab.october.bridge import seeded
from tocsin.lab.october.markets import largest_lots
from tocsin.lab.october.world import UNITS_PER_USDT, Market

BAND_SHARES = (0.017, 0.141, 0.842)
NOTIONAL_USD_MIN = 50.0
ROUNDS = 8
"""Rounds of fitting account sizes and market sizes in turn; markets come last and are exact."""

SIDE_SHARE_MAX = 0.2
"""Largest share of one side of a market that one account holds, if enough others are there."""

_HOLDERS_MIN = 8
"""Fewest accounts on each side of a market."""

_MARKETS_PER_ACCOUNT = ((1, 1, 1, 2, 2, 3), (2, 3, 4, 5, 6), (8, 12, 16, 20, 24))
"""Equally likely numbers of markets an account holds, by band."""

_LONG_PPM = (740_000, 550_000, 500_000)
"""How likely an account leans long, by band: 75 % of positions and 55 % of notional are long in the extract."""

_WITH_LEAN_PPM = (900_000, 800_000, 650_000)
"""How likely one position goes the way its account leans, by band; the rest hedge."""


@dataclass(slots=True)
class Holding:
    """
    One account's position in one market while it is fitted: side +1 or -1 and notional in USD.
    """

    account: int
    side: int
    usd: float


def band_of(rank: int, accounts: int) -> int:
    """
    Return the band (0 smallest 90 %, 1 next 9 %, 2 top 1 %) of an account by its rank, 0 for the largest.
    """
    if rank < max(1, accounts // 100):
        return 2
    return 1 if rank < max(2, accounts // 10) else 0


def draw_sizes(accounts: int, total_usd: float, quantiles: Sequence[tuple[int, int]]) -> list[float]:
    """
    Return gross notional in USD by rank, largest first, adding up to `total_usd` but for the smallest accounts' floor.

    `quantiles` are (permille of accounts, USD) rising, of which the two lower bands take their shape; the top band
    falls as (rank + 3)^-1.25, a Hill exponent of 0.8.
    """
    weights: list[float] = []
    for rank in range(accounts):
        band = band_of(rank, accounts)
        if band == 2:
            # (rank + 4)^-1.25 with rank from 0; by roots, which are exact everywhere.
            base = rank + 4.0
            weights.append(1.0 / (base * sqrt(sqrt(base))))
        else:
            weights.append(max(NOTIONAL_USD_MIN, _interpolate(quantiles, (accounts - rank - 0.5) * 1000.0 / accounts)))
    out: list[float] = []
    for band in (2, 1, 0):
        part = [w for rank, w in enumerate(weights) if band_of(rank, accounts) == band]
        factor = total_usd * BAND_SHARES[band] / fsum(part) if part else 0.0
        out.extend(max(NOTIONAL_USD_MIN, w * factor) for w in part)
    return out


def _interpolate(points: Sequence[tuple[int, int]], x: float) -> float:
    for (x0, y0), (x1, y1) in pairwise(points):
        if x <= x1:
            return y0 + (y1 - y0) * (x - x0) / (x1 - x0)
    return float(points[-1][1])


def draw_positions(markets: tuple[Market, ...], accounts: int, sizes: list[float], seed: int) -> list[dict[int, int]]:
    """
    Return per market (in order) its positions, account to signed lots, adding up to zero.

    Each side of a market holds exactly its open interest. Account sizes are met as nearly as that allows.
    Accounts are numbered from 1; which of them is large is drawn.

    Complexity: O(positions x rounds).
    """
    draw = seeded("positions", seed, accounts)
    ranks = list(range(accounts))
    draw.shuffle(ranks)
    holdings = _draw_holdings(markets, ranks, sizes, draw)
    targets = [sizes[rank] for rank in ranks]
    _fit(markets, holdings, targets)
    return [_to_lots(market, held) for market, held in zip(markets, holdings, strict=True)]


def _draw_holdings(
    markets: tuple[Market, ...], ranks: list[int], sizes: list[float], draw: Random
) -> list[list[Holding]]:
    holdings: list[list[Holding]] = [[] for _ in markets]
    interest = [m.open_interest_lots * m.mark for m in markets]
    by_interest = list(accumulate(interest))
    # Large accounts are in many markets: by the root of open interest, so that small markets have several of them.
    by_root = list(accumulate(isqrt(value) for value in interest))
    for index, rank in enumerate(ranks):
        band = band_of(rank, len(ranks))
        choices = _MARKETS_PER_ACCOUNT[band]
        count = choices[_below(draw, len(choices))]
        lean = 1 if _below(draw, 1_000_000) < _LONG_PPM[band] else -1
        chosen: dict[int, float] = {}
        while len(chosen) < count:
            weights = by_root if band == 2 else by_interest
            at = bisect_right(weights, _below(draw, weights[-1]))
            chosen.setdefault(at, (0.25 + draw.random()) * (interest[at] if band == 2 else 1))
        whole = fsum(chosen.values())
        for at, weight in chosen.items():
            side = lean if _below(draw, 1_000_000) < _WITH_LEAN_PPM[band] else -lean
            holdings[at].append(Holding(index + 1, side, sizes[rank] * weight / whole))
    _fill_thin_sides(holdings, ranks, sizes, draw)
    return holdings


def _fill_thin_sides(holdings: list[list[Holding]], ranks: list[int], sizes: list[float], draw: Random) -> None:
    """
    Give markets with few holders on a side some more, so that none is one account's.
    """
    upper = [i for i, rank in enumerate(ranks) if rank < max(16, len(ranks) // 10)]
    for held in holdings:
        taken = {h.account for h in held}
        for side in (1, -1):
            missing = _HOLDERS_MIN - sum(1 for h in held if h.side == side)
            while missing > 0:
                index = upper[_below(draw, len(upper))]
                if index + 1 not in taken:
                    taken.add(index + 1)
                    held.append(Holding(index + 1, side, sizes[ranks[index]] * 0.05))
                    missing -= 1


def _fit(markets: tuple[Market, ...], holdings: list[list[Holding]], targets: list[float]) -> None:
    """
    Scale holdings so that accounts have their size and each side of a market its open interest, in turn.
    """
    for _ in range(ROUNDS):
        gross = [0.0] * len(targets)
        for held in holdings:
            for h in held:
                gross[h.account - 1] += h.usd
        for held in holdings:
            for h in held:
                h.usd *= targets[h.account - 1] / gross[h.account - 1]
        for market, held in zip(markets, holdings, strict=True):
            whole = market.open_interest_lots * market.mark / UNITS_PER_USDT
            limit = min(largest_lots(market) * market.mark / UNITS_PER_USDT, whole * SIDE_SHARE_MAX)
            for side in (1, -1):
                _fill_side([h for h in held if h.side == side], whole, limit)


def _fill_side(held: list[Holding], whole: float, limit: float) -> None:
    """
    Scale one side to `whole`, none above `limit` unless too few hold it.
    """
    limit = max(limit, 1.5 * whole / len(held))
    for _ in range(4):
        free = [h for h in held if h.usd < limit]
        fixed = limit * (len(held) - len(free))
        if not free:
            break
        factor = (whole - fixed) / fsum(h.usd for h in free)
        if factor <= 0:
            break
        for h in free:
            h.usd *= factor
        over = [h for h in free if h.usd > limit]
        if not over:
            return
        for h in over:
            h.usd = limit


def _to_lots(market: Market, held: list[Holding]) -> dict[int, int]:
    """
    Return whole lots that add up to the open interest on each side: shares rounded down, the rest to the largest.
    """
    out: dict[int, int] = {}
    for side in (1, -1):
        mine = sorted((h for h in held if h.side == side), key=lambda h: (-h.usd, h.account))
        whole = fsum(h.usd for h in mine)
        lots = [int(market.open_interest_lots * (h.usd / whole)) for h in mine]
        rest = market.open_interest_lots - sum(lots)
        for i in range(len(lots)):
            lots[i] += rest // len(lots) + (i < rest % len(lots))
        for h, n in zip(mine, lots, strict=True):
            if n > 0:
                out[h.account] = side * n
    return out


def _below(draw: Random, bound: int) -> int:
    """Return an integer in [0, bound) by one draw of 64 bits beyond the bound's own."""
    bits = bound.bit_length() + 64
    return draw.getrandbits(bits) * bound >> bits
