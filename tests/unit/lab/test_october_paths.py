"""
Bars and the paths made of them: shape, extremes, marks, the day's mark lows.
"""

import hashlib
import os
import re
import subprocess
import sys
from datetime import UTC, datetime
from itertools import accumulate, pairwise
from pathlib import Path
from random import Random
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.lab.october import MARK_RULE, Cadence, PricePath, build_paths, cycle_times_ns
from tocsin.lab.october.bars import Bar, load_bars, load_hours, load_json, load_markets
from tocsin.lab.october.bridge import bridge_bars, place_extremes
from tocsin.lab.october.cadence import CORE_END_S, CORE_START_S, END_S, SECOND_NS, START_S
from tocsin.sheet.mark_rule import compute_mark

ROOT = Path(__file__).parents[3]
DATA = ROOT / "src" / "tocsin" / "lab" / "data"


@pytest.fixture(scope="module")
def paths() -> tuple[PricePath, ...]:
    return build_paths(7)


def test_shipped_files_are_those_the_sources_page_names() -> None:
    page = (ROOT / "data" / "SOURCES.md").read_text(encoding="utf-8")
    named = dict(re.findall(r"^\| `(october_[\w.]+)` \|.*`([0-9a-f]{64})`", page, re.MULTILINE))
    shipped = {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in DATA.glob("october_*")}
    assert named == shipped
    assert sum(p.stat().st_size for p in DATA.glob("october_*")) < 400_000


def test_bars_cover_the_window_without_gaps() -> None:
    bars = load_bars()
    assert len(bars) == 64
    assert sum(all(b.seconds == 180 for b in rows) for rows in bars.values()) == 20
    for symbol, rows in bars.items():
        assert rows[0].start_s == START_S - 1800, symbol
        assert rows[-1].start_s + rows[-1].seconds == END_S, symbol
        for before, after in pairwise(rows):
            assert before.start_s + before.seconds == after.start_s, symbol
        assert all(0 < b.low <= min(b.open, b.close) <= max(b.open, b.close) <= b.high for b in rows), symbol


def test_known_prints_of_the_day() -> None:
    bars, decimals = load_bars(), {m.symbol: m.decimals for m in load_markets()}
    assert (min(b.low for b in bars["BTC"]), decimals["BTC"]) == (1_015_165, 1)
    assert (min(b.low for b in bars["ETH"]), decimals["ETH"]) == (340_000, 2)
    crash = next(b for b in bars["BTC"] if b.low == 1_015_165)
    assert datetime.fromtimestamp(crash.start_s, UTC) == datetime(2025, 10, 10, 21, 20, tzinfo=UTC)


def test_hours_end_where_the_window_begins() -> None:
    hours = load_hours()
    assert {rows[-1].start_s for rows in hours.values()} == {START_S - 3600}
    assert len(hours["BTC"]) == 44
    for facts in load_markets():
        assert hours[facts.symbol][-1].close == facts.price_ticks, facts.symbol


@st.composite
def any_bar(draw: st.DrawFn) -> Bar:
    low = draw(st.integers(1, 10**7))
    high = low + draw(st.integers(0, 10**6))
    inside = st.integers(low, high)
    return Bar(0, draw(st.sampled_from((180, 300))), draw(inside), high, low, draw(inside), 0)


@given(any_bar(), st.integers(0, 2**32))
def test_a_bar_is_touched_exactly_and_never_left(bar: Bar, seed: int) -> None:
    path = bridge_bars((bar,), "BTC", seed)
    assert len(path) == bar.seconds
    assert (path[0], path[-1]) == (bar.open, bar.close)
    assert (min(path), max(path)) == (bar.low, bar.high)


def test_every_bar_of_a_seed_keeps_its_extremes(paths: tuple[PricePath, ...]) -> None:
    for path, (symbol, bars) in zip(paths, load_bars().items(), strict=True):
        at = 0
        for bar in bars:
            part = path.last[at : at + bar.seconds]
            assert (part[0], max(part), min(part), part[-1]) == (bar.open, bar.high, bar.low, bar.close), symbol
            at += bar.seconds
        assert at == len(path.last)


def test_both_orders_of_extremes_are_drawn() -> None:
    bar = Bar(0, 300, 50, 90, 10, 60, 0)
    orders = {[p for _, p in place_extremes(bar, Random(s))][1] for s in range(40)}
    assert orders == {90, 10}


def test_seeds_differ() -> None:
    bars = load_bars()["BTC"]
    assert bridge_bars(bars, "BTC", 1) != bridge_bars(bars, "BTC", 2)
    assert bridge_bars(bars, "BTC", 1) == bridge_bars(bars, "BTC", 1)


def test_paths_and_world_do_not_depend_on_hash_order() -> None:
    code = (
        "import hashlib; from tocsin.lab.october import *; from tocsin.sheet.terms import encode_sheet;"
        "w = build_world(accounts=300, seed=3); p = build_paths(3);"
        "s = encode_sheet(build_sheet(w, Rules.TOCSIN));"
        "print(hashlib.sha256(repr((w, [x.last for x in p], s)).encode()).hexdigest())"
    )
    found = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("0", "1")
    }
    assert len(found) == 1


def test_a_path_marks_like_the_rule(paths: tuple[PricePath, ...]) -> None:
    path = paths[13]
    for index in [0, 5, 29, 30, 31, *range(6000, 7000, 7), len(path.last) - 1]:
        time_ns = (path.start_s + index + 1) * SECOND_NS
        assert path.last_at(time_ns) == path.last[index]
        assert path.mark_at(time_ns) == compute_mark(path.last[: index + 1], MARK_RULE)
        assert path.mark_at(time_ns + SECOND_NS - 1) == path.mark_at(time_ns)


def test_a_path_ends(paths: tuple[PricePath, ...]) -> None:
    with pytest.raises(ValueError, match="within the path of 0G"):
        paths[0].mark_at((END_S + 1) * SECOND_NS)


def mark_extremes(symbol: str, seed: int, first_s: int) -> tuple[int, int]:
    """Return the lowest and highest mark in ticks over all seconds of the hour from `first_s`."""
    bars = load_bars()[symbol]
    last = bridge_bars(bars, symbol, seed)
    path = PricePath(symbol, bars[0].start_s, last, [0, *accumulate(last)])
    marks = [path.mark_at(t * SECOND_NS) for t in range(first_s + 1, first_s + 3601)]
    return min(marks), max(marks)


@pytest.mark.parametrize("hour", [20, 21, 22])
@pytest.mark.parametrize("symbol", ["BTC", "ETH"])
def test_median_mark_extremes_are_near_the_real_ones(symbol: str, hour: int) -> None:
    first_s = START_S + 3600 * (hour - 20)
    rows = load_json("october_published.json")["mark_1h"]
    (real,) = [row for row in rows if row["symbol"] == symbol and row["start_s"] == first_s]
    tick = 10 ** next(m.decimals for m in load_markets() if m.symbol == symbol)
    lows, highs = zip(*(mark_extremes(symbol, seed, first_s) for seed in range(20)), strict=True)
    assert abs(median(lows) / tick / real["low"] - 1) < 0.0025, (median(lows), real["low"])
    assert abs(median(highs) / tick / real["high"] - 1) < 0.0025, (median(highs), real["high"])


@pytest.mark.parametrize(("symbol", "mark_low"), [("BTC", 101_877.7), ("ETH", 3_425.3)])
@pytest.mark.parametrize("first_seed", [100, 1000])
def test_the_crash_low_is_near_the_real_one_for_other_seeds(symbol: str, mark_low: float, first_seed: int) -> None:
    tick = 10 ** next(m.decimals for m in load_markets() if m.symbol == symbol)
    lows = [mark_extremes(symbol, seed, CORE_START_S)[0] / tick for seed in range(first_seed, first_seed + 20)]
    assert abs(median(lows) / mark_low - 1) < 0.0025


@pytest.mark.parametrize(("cadence", "cycles"), [(Cadence.NORMAL, 621), (Cadence.HALF, 311), (Cadence.DOUBLE, 1241)])
def test_cycles_are_close_in_the_core_only(cadence: Cadence, cycles: int) -> None:
    times = cycle_times_ns(cadence)
    steps = {b - a for a, b in pairwise(times)}
    short, long = 10 * SECOND_NS // cadence.value, 120 * SECOND_NS // cadence.value
    assert (len(times), steps) == (cycles, {short, long})
    assert (times[0], times[-1]) == (START_S * SECOND_NS, END_S * SECOND_NS)
    core = [a for a, b in pairwise(times) if b - a == short]
    assert core[0] == CORE_START_S * SECOND_NS
    assert core[-1] + short == CORE_END_S * SECOND_NS
