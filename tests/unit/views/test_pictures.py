"""
The two pictures: every event is drawn, panels compare, words tell the same as shapes.
"""

import re
import xml.etree.ElementTree as ET

import pytest

from tocsin.views.payers_picture import Payments, Stage, draw_who_pays
from tocsin.views.price_picture import Events, draw_price_with_events

START = 1_760_126_400  # 2025-10-10 20:00 UTC
M = 1_000_000


def draw(**changes: object) -> str:
    minutes = list(range(START, START + 10_801, 60))
    given: dict[str, object] = {
        "title": "Price & calls",
        "subtitle": "sub",
        "caption": "cap",
        "price_name": "BTC mark",
        "times_s": minutes,
        "prices": [113_000 - 60 * i if i < 80 else 104_000 + 40 * i for i in range(len(minutes))],
        "calls": Events("Calls", [START + 4000, START + 4010, START + 4100], [1, 1, 1]),
        "liquidations": [
            Events("Venue", [START + 4800], [1000], "1 account"),
            Events("Tocsin", [START + 4800, START + 4860], [250, 1]),
        ],
    }
    return draw_price_with_events(**{**given, **changes})  # type: ignore[arg-type]


def texts(svg: str) -> list[str]:
    return ["".join(el.itertext()) for el in ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")]


def bar_heights(svg: str) -> list[list[float]]:
    """
    Return the heights of the bars of each panel, top panel first.
    """
    paths = re.findall(r'<path d="([^"]*z)"', svg)
    return [[float(h) for h in re.findall(r"v-([\d.]+)", path)] for path in paths]


def test_price_picture_names_all_it_shows() -> None:
    shown = texts(draw())
    for text in ("Price & calls", "sub", "cap", "BTC mark", "20:00 UTC", "22:30"):
        assert text in shown
    assert any(t.startswith("Venue") and "1 account, peak 1.00 k at 21:20" in t for t in shown)
    assert any(t.startswith("low 107,200 at 21:") for t in shown)


def test_calls_are_summed_in_bins() -> None:
    calls, _, _ = bar_heights(draw())
    assert len(calls) == 2, "two calls in one minute and one in another"
    assert calls[0] == pytest.approx(2 * calls[1], rel=0.01)


def test_liquidation_panels_share_one_scale_and_show_the_smallest() -> None:
    _, venue, tocsin = bar_heights(draw())
    assert tocsin[0] == pytest.approx(venue[0] / 4, rel=0.02)
    assert 40 <= venue[0] <= 64, "the highest bar fills its panel and stays inside"
    assert tocsin[1] >= 1, "one unit beside a thousand is still seen"


def test_nothing_happened_is_a_picture_too() -> None:
    none = Events("None", [], [])
    svg = draw(calls=none, liquidations=[none])
    assert bar_heights(svg) == []
    assert "None" in texts(svg)


def test_a_flat_price_is_drawn() -> None:
    assert "low 5.00 at 20:00:00" in texts(draw(times_s=[START, START + 60], prices=[5, 5]))


def test_same_input_same_bytes_and_no_styles() -> None:
    assert draw() == draw()
    assert not re.search(r"\sstyle=|<script|href|nan|inf", draw())


STAGES = (Stage("Market funds", "fund"), Stage("Global fund", "fund", "all"), Stage("Winners, by ADL", "winners"))


def who_pays(*columns: Payments) -> str:
    return draw_who_pays(title="Who pays", subtitle="s", caption="c", stages=STAGES, payments=columns)


def test_payers_amounts_shares_and_words() -> None:
    svg = who_pays(Payments("Venue", [3 * M, 1 * M, 0]), Payments("Tocsin", [0, 0, 0]))
    shown = texts(svg)
    assert "3 · 75 %" in shown
    assert "4 USDT" in shown
    assert shown.count("0") == 4
    desc = ET.fromstring(svg).find("{http://www.w3.org/2000/svg}desc")
    assert desc is not None
    assert desc.text == (
        "Venue, in USDT: Market funds 3, Global fund 1, Winners, by ADL 0. "
        "Tocsin, in USDT: Market funds 0, Global fund 0, Winners, by ADL 0."
    )


def test_payers_bars_are_on_one_scale() -> None:
    svg = who_pays(Payments("Venue", [100 * M, 0, 0]), Payments("Tocsin", [0, 0, 25 * M]))
    widths = [
        float(el.get("width", "0"))
        for el in ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}rect")
        if el.get("height") == "18"
    ]
    whole, row, second_whole, second_row = widths
    assert whole == row
    assert 150 < whole < 340, "the longest bar fills its column and leaves room for its label"
    assert second_whole == second_row == pytest.approx(whole / 4, abs=0.1)


def test_each_stage_of_a_kind_has_its_shade() -> None:
    svg = who_pays(Payments("Venue", [1 * M, 1 * M, 1 * M]))
    fills = [
        el.get("fill") for el in ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}rect") if el.get("height") == "10"
    ]
    assert len(set(fills)) == 3
