"""
Make the small files of `src/tocsin/lab/data` from a folder of public data extracts.

For developers only; the package never imports this. Needs polars and numpy, which the package does not.

    python tools/build_october_data.py FOLDER

FOLDER holds the extracts named in `data/SOURCES.md`. The output is the same bytes on each run.
"""

import gzip
import json
import math
import sys
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import polars as pl

OUT = Path(__file__).parent.parent / "src" / "tocsin" / "lab" / "data"
PPM = 1_000_000
DAY = datetime(2025, 10, 9, tzinfo=UTC)
WINDOW = datetime(2025, 10, 10, 19, 30, tzinfo=UTC)
START = datetime(2025, 10, 10, 20, tzinfo=UTC)
END = datetime(2025, 10, 10, 23, tzinfo=UTC)
OHLC = ("open", "high", "low", "close")


def load_bars(folder: Path, name: str) -> pl.DataFrame:
    """Return a table of bars with plain text symbols and UTC times."""
    table = pl.read_parquet(folder / name)
    return table.with_columns(pl.col("symbol").cast(pl.String), pl.col("time").dt.convert_time_zone("UTC")).sort(
        "symbol", "time"
    )


def between(table: pl.DataFrame, first: datetime, end: datetime) -> pl.DataFrame:
    return table.filter((pl.col("time") >= first) & (pl.col("time") < end))


def count_decimals(values: np.ndarray) -> int:
    """Return how many decimals the shortest spelling of single-precision prices needs."""
    texts = (np.format_float_positional(np.float32(v), unique=True, trim="-") for v in values)
    return max(len(text.partition(".")[2]) for text in texts)


def to_ticks(value: float, decimals: int) -> int:
    text = np.format_float_positional(np.float32(value), unique=True, trim="-")
    whole, _, fraction = text.partition(".")
    assert len(fraction) <= decimals, (value, decimals)
    return int(whole + fraction.ljust(decimals, "0"))


def to_ppm(value: float) -> int:
    return math.ceil(value * PPM)


def quantile_ppm(moves: np.ndarray, q: float) -> int:
    return to_ppm(float(np.quantile(moves, q, method="higher")))


def hourly_moves_of_5m(bars: pl.DataFrame) -> np.ndarray:
    """Return the larger of fall and rise against the previous close, over each overlapping hour."""
    high, low, close = (bars[c].to_numpy().astype(float) for c in ("high", "low", "close"))
    spans = range(1, len(close) - 11)
    return np.array([max(1 - low[i : i + 12].min() / close[i - 1],
                         high[i : i + 12].max() / close[i - 1] - 1) for i in spans])  # fmt: skip


def moves_of_bars(bars: pl.DataFrame) -> np.ndarray:
    """Return the larger of fall and rise of each bar against the previous close."""
    high, low, close = (bars[c].to_numpy().astype(float) for c in ("high", "low", "close"))
    return np.maximum(1 - low[1:] / close[:-1], high[1:] / close[:-1] - 1)


def write_gzip(name: str, lines: list[str]) -> None:
    data = ("\n".join(lines) + "\n").encode("ascii")
    (OUT / name).write_bytes(gzip.compress(data, compresslevel=9, mtime=0))


def write_text(name: str, text: str) -> None:
    (OUT / name).write_text(text + "\n", encoding="ascii", newline="\n")


def build_bars(five: pl.DataFrame, three: pl.DataFrame) -> tuple[dict[str, int], list[str], list[str]]:
    """Return decimals per symbol, and the lines of the window's bars and of the hours before it."""
    decimals: dict[str, int] = {}
    bars = ["symbol,start_s,seconds,open,high,low,close,volume_usd"]
    hours = ["symbol,start_s,open,high,low,close"]
    fine = set(three["symbol"].unique())
    for symbol in sorted(five["symbol"].unique()):
        coarse = five.filter(pl.col("symbol") == symbol)
        window, seconds = between(coarse, WINDOW, END), 300
        if symbol in fine:
            used = between(three.filter(pl.col("symbol") == symbol), WINDOW, END)
            assert len(used) == 70, (symbol, len(used))
            for minutes in (0, 15, 90, 105, 120):
                first = WINDOW.timestamp() + minutes * 60
                ends = [datetime.fromtimestamp(first + s, UTC) for s in (0, 900)]
                a, b = between(window, *ends), between(used, *ends)
                assert a["low"].min() == b["low"].min() and a["high"].max() == b["high"].max(), symbol
            window, seconds = used, 180
        else:
            assert len(window) == 42, (symbol, len(window))
        before = between(coarse, DAY, START)
        values = np.concatenate([t[c].to_numpy() for t in (window, before) for c in OHLC])
        decimals[symbol] = places = count_decimals(values)
        for row in window.iter_rows(named=True):
            prices = [to_ticks(row[c], places) for c in OHLC]
            usd = round(row["volume"] * sum(row[c] for c in OHLC) / 4)
            bars.append(",".join(map(str, [symbol, int(row["time"].timestamp()), seconds, *prices, usd])))
        grouped = before.group_by_dynamic("time", every="1h").agg(
            pl.col("open").first(), pl.col("high").max(), pl.col("low").min(), pl.col("close").last()
        )
        for row in grouped.iter_rows(named=True):
            prices = [to_ticks(row[c], places) for c in OHLC]
            hours.append(",".join(map(str, [symbol, int(row["time"].timestamp()), *prices])))
    return decimals, bars, hours


def compute_loadings(five: pl.DataFrame) -> dict[str, tuple[int, int, int]]:
    """
    Return per symbol, in ppm: one-minute loading on the market, one-minute own part, daily volatility.

    The market is the mean of all returns of 5-minute bars from 9 October 00:00 to 10 October 20:00.
    """
    wide = between(five, DAY, START).pivot(on="symbol", index="time", values="close").sort("time")
    out = {}
    returns = {s: np.diff(np.log(wide[s].to_numpy().astype(float))) for s in wide.columns if s != "time"}
    market = np.nanmean(np.array(list(returns.values())), axis=0)
    variance = float(np.var(market))
    for symbol, values in returns.items():
        known = ~np.isnan(values)
        own, common = values[known], market[known]
        beta = float(np.mean((own - own.mean()) * (common - common.mean()))) / float(np.var(common))
        rest = own - beta * common
        out[symbol] = (
            round(beta * math.sqrt(variance / 5) * PPM),
            to_ppm(float(rest.std()) / math.sqrt(5)),
            to_ppm(float(own.std()) * math.sqrt(288)),
        )
    return out


def build_markets(folder: Path, five: pl.DataFrame, decimals: dict[str, int]) -> list[str]:
    hourly = load_bars(folder, "binance_perp_1h.parquet")
    interest = pl.read_parquet(folder / "open_interest_daily.parquet").with_columns(
        pl.col("coin_symbol").cast(pl.String), pl.col("symbol").cast(pl.String)
    )
    interest = interest.filter(pl.col("date").cast(pl.String).str.slice(0, 10) == "2025-10-09")
    known = {r["coin_symbol"]: r for r in interest.iter_rows(named=True)}
    loadings = compute_loadings(five)
    lines = [
        (
            "symbol,decimals,price_ticks,volume_24h_usd,oi_perp,oi_usd,"
            "move_44h_q95_ppm,move_44h_q99_ppm,move_90d_q95_ppm,move_90d_q99_ppm,"
            "move_5m_q99_ppm,market_1m_ppm,own_1m_ppm,sigma_day_ppm"
        )
    ]
    for symbol, places in decimals.items():
        before = between(five.filter(pl.col("symbol") == symbol), DAY, START)
        volume = float((before["volume"] * before["close"]).tail(288).sum())
        row = known.get(symbol)
        long = hourly.filter((pl.col("symbol") == symbol) & (pl.col("time") < START)).tail(90 * 24 + 1)
        two, five_minutes = hourly_moves_of_5m(before), moves_of_bars(before)
        quarter = moves_of_bars(long) if len(long) == 90 * 24 + 1 else None
        cells = [
            symbol, places, to_ticks(before["close"][-1], places), round(volume),
            row["symbol"].removesuffix(".A") if row else "", round(row["oi_close"]) if row else "",
            quantile_ppm(two, 0.95), quantile_ppm(two, 0.99),
            "" if quarter is None else quantile_ppm(quarter, 0.95),
            "" if quarter is None else quantile_ppm(quarter, 0.99),
            quantile_ppm(five_minutes, 0.99), *loadings[symbol],
        ]  # fmt: skip
        lines.append(",".join(map(str, cells)))
    return lines


def build_tiers(folder: Path, symbols: list[str]) -> list[str]:
    table = pl.read_csv(folder / "binance_leverage_tiers_2024.csv").sort("symbol", "tier")
    lines = ["symbol,lower_usd,rate_ppm"]
    for symbol in symbols:
        rows = table.filter(pl.col("symbol") == f"{symbol}/USDT:USDT")
        lines.extend(
            f"{symbol},{round(row['min_notional'])},{round(row['mmr'] * PPM)}" for row in rows.iter_rows(named=True)
        )
    return lines


def build_sizes(folder: Path) -> str:
    """Summarise the account-level extract: no row of it is shipped."""
    table = pl.read_parquet(folder / "hl_positions_20251010_btc_sol.parquet").with_columns(
        (pl.col("position_size").abs() * pl.col("mark_price")).alias("notional"),
        pl.col("side").cast(pl.String),
    )
    table = table.filter(pl.col("notional") > 0)
    users = table.group_by("uid").agg(pl.col("notional").sum()).sort("notional", descending=True)
    sizes, long = users["notional"].to_numpy(), table.filter(pl.col("side") == "LONG")
    grid = [0, 10, 50, 100, 200, 300, 400, 500, 600, 700, 800, 900, 950, 990, 999, 1000]
    total = float(sizes.sum())
    return json.dumps({
        "what": "BTC and SOL positions still open after 10 October 2025, of accounts touched that day",
        "accounts": len(sizes),
        "positions": len(table),
        "notional_usd": round(total),
        "quantile_permille": grid,
        "notional_usd_quantiles": [round(float(np.quantile(sizes, q / 1000))) for q in grid],
        "share_top_1_percent_ppm": round(float(sizes[: len(sizes) // 100].sum()) / total * PPM),
        "share_top_10_percent_ppm": round(float(sizes[: len(sizes) // 10].sum()) / total * PPM),
        "long_share_of_positions_ppm": round(len(long) / len(table) * PPM),
        "long_share_of_notional_ppm": round(float(long["notional"].sum()) / total * PPM),
    }, indent=1)  # fmt: skip


def build_published(folder: Path) -> str:
    """Collect the day's published figures, shown "for scale" only, and the hourly marks to compare with."""
    impact = json.loads((folder / "hl_cascade_20251010_total_impact.json").read_text())
    sweep = pl.read_csv(folder / "hl_adl_20251010_horizon_sweep.csv").filter(pl.col("eval_horizon_ms") == 0)
    marks = load_bars(folder, "binance_perp_mark_1h_btc_eth.parquet")
    hours = marks.filter((pl.col("time") >= START.replace(hour=19)) & (pl.col("time") < END))
    budget = sweep.row(0, named=True)
    return json.dumps({
        "hyperliquid_20251010": {
            "liquidation_fills": impact["liquidations"]["events"],
            "liquidation_notional_usd": round(impact["liquidations"]["notional"]),
            "adl_fills": impact["adl"]["events"],
            "adl_notional_usd": round(impact["adl"]["notional"]),
            "adl_accounts": 19337,
            "adl_coins": 162,
            "adl_share_top_1_percent_ppm": 842_000,
            "adl_share_top_10_percent_ppm": 983_000,
            "adl_median_account_usd": 481,
            "haircut_needed_usd": round(budget["total_budget_needed_usd"]),
            "haircut_taken_usd": round(budget["total_H_prod_usd"]),
        },
        "mark_1h": [
            {"symbol": r["symbol"], "start_s": int(r["time"].timestamp()),
             **{c: round(r[c], 4) for c in OHLC}}
            for r in hours.sort("symbol", "time").iter_rows(named=True)
            if r["time"].date() == date(2025, 10, 10)
        ],
    }, indent=1)  # fmt: skip


def main() -> int:
    if len(sys.argv) != 2:
        print("usage: build_october_data.py FOLDER", file=sys.stderr)
        return 2
    folder = Path(sys.argv[1])
    OUT.mkdir(parents=True, exist_ok=True)
    five = load_bars(folder, "crash_20251010_perp_5m.parquet")
    three = load_bars(folder, "crash_20251010_perp_3m.parquet")
    decimals, bars, hours = build_bars(five, three)
    write_gzip("october_bars.csv.gz", bars)
    write_gzip("october_hours.csv.gz", hours)
    write_text("october_markets.csv", "\n".join(build_markets(folder, five, decimals)))
    write_text("october_tiers.csv", "\n".join(build_tiers(folder, list(decimals))))
    write_text("october_sizes.json", build_sizes(folder))
    write_text("october_published.json", build_published(folder))
    return 0


if __name__ == "__main__":
    sys.exit(main())
