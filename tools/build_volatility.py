"""
Make `src/tocsin/venues/data/market/volatility.json` from a folder of public data extracts.

For developers only; the package never imports this. Needs pyarrow, which the package does not.

    python tools/build_volatility.py FOLDER

FOLDER holds the extracts named in `data/SOURCES.md`. The output is the same bytes on each run.
"""

import json
import math
import sys
from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path

import pyarrow.parquet as pq  # pyright: ignore[reportMissingImports]

OUT = Path(__file__).parents[1] / "src" / "tocsin" / "venues" / "data" / "market" / "volatility.json"
YEAR = 365
HEAD = {
    "venue": "market",
    "what": "daily volatility and last close of coins: root mean square of the log returns of closes at 24:00 UTC over "
    "one year to last_day (fewer days where `days` says so); close in USD (USDT)",
    "valid_from": "2025-10-24",
    "valid_to": None,
    "source": "closes of exchanges' public data: binance spot and usd-m perpetuals, hourly, "
    "Roshan7869/algotrading @db07ceb71; perpetuals, 5 minutes, won9892000/GENETIC-TRADER-ENGINE-VER2 @fa3bdcc; "
    "coinbase, daily, smoothbrainquant/trading-for-new-dads @ca5c825",
    "authenticity": "computed from market data (class B of data/SOURCES.md); each coin names its series and last day",
    "unit": "fraction a day; USD",
}

Closes = Mapping[str, Mapping[date, float]]


def read_bars(path: Path) -> Closes:
    """
    Return the last close of each UTC day by coin, from bars of an hour or five minutes that carry their open time.
    """
    table = pq.read_table(path, columns=["time", "symbol", "close"])
    out: dict[str, dict[date, float]] = {}
    columns = (table[name].to_pylist() for name in ("time", "symbol", "close"))
    for time, symbol, close in zip(*columns, strict=True):
        if time.hour == 23 and time.minute in (0, 55):
            out.setdefault(symbol.removesuffix("USDT"), {})[time.date()] = close
    return out


def read_days(path: Path) -> Closes:
    """
    Return daily closes by coin.
    """
    table = pq.read_table(path, columns=["date", "symbol", "close"])
    out: dict[str, dict[date, float]] = {}
    for day, symbol, close in zip(*(table[name].to_pylist() for name in ("date", "symbol", "close")), strict=True):
        out.setdefault(symbol, {})[date.fromisoformat(str(day)[:10])] = close
    return out


def measure(closes: Mapping[date, float], last: date, least: int) -> tuple[float, int] | None:
    """
    Return daily volatility and number of returns in the year to a day; None with fewer than `least`.
    """
    days = [last - timedelta(k) for k in range(YEAR)]
    pairs = [(closes[day], closes[day - timedelta(1)]) for day in days if {day, day - timedelta(1)} <= closes.keys()]
    returns = [math.log(now / before) for now, before in pairs if now > 0 < before]
    if len(returns) < least or last not in closes:
        return None
    return math.sqrt(sum(r * r for r in returns) / len(returns)), len(returns)


def main() -> None:
    folder = Path(sys.argv[1])
    series = [
        ("binance_spot_1h_12coins", read_bars, "binance spot, hourly", date(2026, 5, 15), 180),
        ("binance_perp_1h", read_bars, "binance usd-m perpetual, hourly", date(2026, 5, 15), 180),
        ("perp_5m_2025H2_6coins", read_bars, "binance usd-m perpetual, 5 minutes", date(2025, 12, 30), 170),
        ("coinbase_daily_top200_2020_2025", read_days, "coinbase, daily", date(2025, 10, 24), 360),
    ]
    coins: dict[str, dict[str, object]] = {}
    for name, read, words, last, least in series:
        for symbol, closes in read(folder / f"{name}.parquet").items():
            coin, scale = symbol.removeprefix("1000"), 1000 if symbol.startswith("1000") else 1
            found = None if coin in coins else measure(closes, last, least)
            if found is not None:
                coins[coin] = {
                    "daily_volatility": float(f"{found[0]:.4f}"),
                    "days": found[1],
                    "last_day": last.isoformat(),
                    "close": float(f"{closes[last] / scale:.6g}"),
                    "from": words,
                }
    head = "".join(f"  {json.dumps(key)}: {json.dumps(value)},\n" for key, value in HEAD.items())
    rows = ",\n".join(f"    {json.dumps(coin)}: {json.dumps(coins[coin])}" for coin in sorted(coins))
    OUT.write_text(f'{{\n{head}  "coins": {{\n{rows}\n  }}\n}}\n', encoding="utf-8")


if __name__ == "__main__":
    main()
