"""
The October result as text, page, pictures and JSON: layout, what is called worse, commands to paste.
"""

import json
import shlex
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tocsin.lab.october import Rules, build_world, list_assumptions
from tocsin.lab.october.bars import load_json
from tocsin.lab.october.cadence import END_S, START_S
from tocsin.lab.october.outcome import Fate, Outcome
from tocsin.lab.october.study import Column, Setting, Story
from tocsin.views.october_pictures import draw_payers, draw_price
from tocsin.views.october_report import (
    WIDTH,
    Result,
    build_json,
    render_page,
    shown_path,
    suggest,
    write_head,
    write_text,
)
from tocsin.views.october_tables import COMPARED, SECTIONS, build_range_table, build_side_table, list_worse
from tocsin.views.tables import render_text

BIG = 123_456_789_012
VENUE = Outcome("venue", 5000, liquidated=10, adl_accounts=4, shared=7_000_000, residue=0, root="ab" * 32)
OURS = replace(
    VENUE, called=50_000, calls=BIG, liquidated=12, adl_accounts=3, adl_lots=BIG, shared=BIG, forced=[(START_S, BIG)]
)
STORIES = (
    Story(7, Fate.REDUCED, START_S + 60, Fate.TAKEN_OVER, START_S + 75, 5),
    Story(8, Fate.TAKEN_OVER, START_S, None, 0, 5),
)


def build(*, changed: bool = False, **more: object) -> Result:
    columns = {Column.VENUE: VENUE, Column.TOCSIN: OURS}
    if changed:
        columns[Column.CHANGED] = replace(OURS, shared=1, root="cd" * 32)
    side = (
        build_side_table("By share", ("0%", "25%", "50%"), (OURS, OURS, OURS)),
        build_range_table("Range", (("venue", [VENUE, VENUE]), ("Tocsin", [OURS, OURS]))),
    )
    return replace(
        Result(
            base=Setting(Rules.TOCSIN),
            columns=columns,
            changes=(("calls.enabled", "on", "off"),) if changed else (),
            stories=STORIES,
            side_tables=side,
            assumptions=list_assumptions(build_world(accounts=50)),
            published=load_json("october_published.json"),
            journal=Path("october.journal"),
            report=Path("october.report"),
        ),
        **more,  # pyright: ignore[reportArgumentType]
    )


@pytest.mark.parametrize("changed", [False, True])
def test_text_is_no_wider_than_it_says(changed: bool) -> None:
    lines = (write_head(Setting(Rules.TOCSIN)) + write_text(build(changed=changed))).splitlines()
    assert max(len(line) for line in lines if not line.lstrip().startswith("tocsin ")) <= WIDTH


def test_head_says_what_is_real_and_what_is_not() -> None:
    lines = write_head(Setting(Rules.TOCSIN, accounts=1234, seed=9, leverage=2.5, cured_share=0.25)).splitlines()
    assert lines[2].startswith("Real: prices of 64 perpetuals")
    assert any(line.startswith("Synthetic: every account.") for line in lines)
    assert lines[-1] == "1,234 accounts, seed 9, median leverage 2.5, 25% of owners answer a call"


def test_every_row_stands_in_the_text_with_both_numbers() -> None:
    text = write_text(build())
    for heading, rows in SECTIONS:
        assert f"\n{heading}\n" in text
        for row in rows:
            (line,) = [x for x in text.splitlines() if x.startswith(f"  {row.name} ")]
            assert line.split(row.name)[1].split("  ")[-1].strip() == row.show(OURS)


def test_what_is_worse_is_named_and_what_is_better_is_not() -> None:
    worse = {name: (was, now) for name, was, now in list_worse(OURS, VENUE)}
    assert worse["accounts: liquidated"] == ("10", "12")
    assert "ADL: lots closed" in worse
    assert "ADL: accounts touched" not in worse
    assert list_worse(OURS, OURS) == []
    assert "accounts: liquidated" in write_text(build()).split("Not better under Tocsin's rules")[1]
    same = build(columns={Column.VENUE: VENUE, Column.TOCSIN: VENUE})
    assert "nothing in this run" in write_text(same)


def test_more_for_accounts_and_funds_is_better() -> None:
    richer = replace(VENUE, accounts_change=5, global_fund_change=5)
    assert [n for n, *_ in list_worse(VENUE, richer)] == [
        "at 23:00: all accounts",
        "at 23:00: market funds and global fund",
    ]
    assert list_worse(richer, VENUE) == []


def test_a_change_is_shown_before_and_after() -> None:
    text = write_text(build(changed=True))
    assert "  calls.enabled: on -> off\n" in text
    assert f"Of {COMPARED} measures the change made 0 worse and 1 better." in text
    assert "cd" * 32 in text
    assert suggest(build(changed=True)) != suggest(build())


def test_commands_can_be_pasted() -> None:
    result = build(journal=Path("my runs/it's.journal"), program=".venv/bin/tocsin")
    line = next(x.strip() for x in write_text(result).splitlines() if " why " in x)
    assert shlex.split(line) == [".venv/bin/tocsin", "why", "./my runs/it's.journal", "7"]
    assert shown_path(Path("/a/b")) == "/a/b"
    assert shown_path(Path("../b")) == "../b"
    assert suggest(build())[1] == "tocsin demo --margin-calls off"
    assert suggest(build(make=True))[1] == 'make demo ARGS="--margin-calls off"'


def test_accounts_have_names_to_read_by() -> None:
    text = write_text(build())
    assert "  account 7 - liquidated in part at 20:01:00 (under venue-style rules taken over at 20:01:15)\n" in text
    assert "  account 8 - taken over at 20:00:00 (untouched under venue-style rules)\n" in text


def test_ranges_show_minimum_median_and_maximum() -> None:
    runs = [replace(VENUE, liquidated=n, residue=0) for n in (5, 1, 9, 7)]
    line = next(x for x in render_text(build_range_table("t", (("v", runs),))).splitlines() if "liquidated" in x)
    assert line.split()[-3:] == ["1", "5", "9"]


def test_pictures_are_svg_and_say_what_they_show() -> None:
    prices = [1_000_000 + t for t in range(END_S - START_S + 1)]
    for columns in (build().columns, build(changed=True).columns):
        price, payers = draw_price(prices, columns, accounts=5000), draw_payers(columns, accounts=5000)
        assert all(ElementTree.fromstring(picture).tag.endswith("svg") for picture in (price, payers))
        assert "5,000 synthetic accounts" in price
        assert price.count("Forced under") == len(columns)
        assert payers.count(", in USDT: ") == len(columns)


def test_the_page_holds_pictures_tables_assumptions_and_commands() -> None:
    result = build(changed=True)
    page = render_page(result, ("<svg>1</svg>", "<svg>2</svg>"))
    for text in (
        "<svg>1</svg>",
        "<svg>2</svg>",
        "tocsin why ./october.journal 7",
        "cd" * 32,
        "By share",
        "calls.enabled",
    ):
        assert text in page, text
    assert all(a.name in page for a in result.assumptions)
    assert "not better under Tocsin" in page.replace("N", "n")


def test_json_has_everything_but_the_series() -> None:
    value = json.loads(json.dumps(build_json(build(changed=True))))
    assert [run["column"] for run in value["runs"]] == ["venue-style", "Tocsin", "Tocsin, changed"]
    assert value["runs"][1]["adl_lots"] == BIG
    assert "forced" not in value["runs"][0]
    assert (value["accounts_are"], value["root"]) == ("synthetic", "cd" * 32)
    assert value["changes"] == [{"path": "calls.enabled", "before": "on", "after": "off"}]
    assert value["stories"][0]["why"] == "tocsin why ./october.journal 7"
