"""
Load the shipped price bars and market facts; integers and decimal strings only.

Sources, licences and caveats of each file: data/SOURCES.md.
"""

import csv
import gzip
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any


@dataclass(frozen=True, slots=True)
class Bar:
    """
    One bar of last prices: prices in ticks, time of its open in seconds since 1970, volume in whole USD.
    """

    start_s: int
    seconds: int
    open: int
    high: int
    low: int
    close: int
    volume_usd: int


@dataclass(frozen=True, slots=True)
class MarketFacts:
    """
    What is known of one perpetual before 20:00 UTC; None where the sources are silent.

    Attributes:
        symbol: Coin as the source names it.
        decimals: The tick is 10^-decimals USDT.
        price_ticks: Last price at 20:00.
        volume_24h_usd: Traded in the 24 hours before, whole USD.
        oi_perp: Which perpetual `oi_usd` counts (`..USD_PERP` is coin-margined), or None.
        oi_usd: Open interest at the close of 9 October, whole USD, or None.
        move_44h_q99_ppm: 99 % quantile of hourly moves, overlapping hours of the 44 hours before.
        move_90d_q99_ppm: The same of the 2,160 hours before, or None.
        move_5m_q99_ppm: 99 % quantile of 5-minute moves in the 44 hours before.
        market_1m_ppm: One-minute standard deviation explained by the mean return of all 64, signed.
        own_1m_ppm: One-minute standard deviation of the rest.
        sigma_day_ppm: Daily standard deviation.
        tiers: (lower bound of notional in whole USD, maintenance rate in ppm); empty if unknown.
    """

    symbol: str
    decimals: int
    price_ticks: int
    volume_24h_usd: int
    oi_perp: str | None
    oi_usd: int | None
    move_44h_q99_ppm: int
    move_90d_q99_ppm: int | None
    move_5m_q99_ppm: int
    market_1m_ppm: int
    own_1m_ppm: int
    sigma_day_ppm: int
    tiers: tuple[tuple[int, int], ...]


def read_data(name: str) -> bytes:
    """Return the bytes of a shipped file, unpacked if its name ends in `.gz`."""
    data = (files("tocsin.lab") / "data" / name).read_bytes()
    return gzip.decompress(data) if name.endswith(".gz") else data


def _rows(name: str) -> Iterator[dict[str, str]]:
    return csv.DictReader(io.StringIO(read_data(name).decode("ascii")))


@lru_cache(maxsize=1)
def load_bars() -> dict[str, tuple[Bar, ...]]:
    """
    Return the bars of 10 October 2025, 19:30 to 23:00 UTC, by symbol in alphabetical order, rising in time.
    """
    out: dict[str, list[Bar]] = {}
    for row in _rows("october_bars.csv.gz"):
        values = [int(row[name]) for name in ("start_s", "seconds", "open", "high", "low", "close", "volume_usd")]
        out.setdefault(row["symbol"], []).append(Bar(*values))
    return {symbol: tuple(bars) for symbol, bars in out.items()}


@lru_cache(maxsize=1)
def load_hours() -> dict[str, tuple[Bar, ...]]:
    """
    Return the hourly bars before 20:00, from 9 October 00:00 UTC or the first trade; volumes are 0.
    """
    out: dict[str, list[Bar]] = {}
    for row in _rows("october_hours.csv.gz"):
        out.setdefault(row["symbol"], []).append(
            Bar(
                start_s=int(row["start_s"]),
                seconds=3600,
                open=int(row["open"]),
                high=int(row["high"]),
                low=int(row["low"]),
                close=int(row["close"]),
                volume_usd=0,
            )
        )
    return {symbol: tuple(bars) for symbol, bars in out.items()}


@lru_cache(maxsize=1)
def load_markets() -> tuple[MarketFacts, ...]:
    """
    Return the facts of all markets in alphabetical order of their symbols.
    """
    tiers: dict[str, list[tuple[int, int]]] = {}
    for row in _rows("october_tiers.csv"):
        tiers.setdefault(row["symbol"], []).append((int(row["lower_usd"]), int(row["rate_ppm"])))
    return tuple(
        MarketFacts(
            symbol=row["symbol"],
            decimals=int(row["decimals"]),
            price_ticks=int(row["price_ticks"]),
            volume_24h_usd=int(row["volume_24h_usd"]),
            oi_perp=row["oi_perp"] or None,
            oi_usd=int(row["oi_usd"]) if row["oi_usd"] else None,
            move_44h_q99_ppm=int(row["move_44h_q99_ppm"]),
            move_90d_q99_ppm=int(row["move_90d_q99_ppm"]) if row["move_90d_q99_ppm"] else None,
            move_5m_q99_ppm=int(row["move_5m_q99_ppm"]),
            market_1m_ppm=int(row["market_1m_ppm"]),
            own_1m_ppm=int(row["own_1m_ppm"]),
            sigma_day_ppm=int(row["sigma_day_ppm"]),
            tiers=tuple(tiers.get(row["symbol"], ())),
        )
        for row in _rows("october_markets.csv")
    )


def load_json(name: str) -> Any:
    """
    Return a shipped JSON table: `october_sizes.json` or `october_published.json`.
    """
    return json.loads(read_data(name))
