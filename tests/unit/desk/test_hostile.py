"""
Damaged, twisted and oversized payloads: one clear message each, never a traceback, never a silent number.
"""

import copy
import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.helpers.payloads import binance, bybit
from tocsin.cli import main
from tocsin.core.errors import TocsinError
from tocsin.desk.check import check_found, check_reading
from tocsin.desk.rows import Report, Status
from tocsin.venues.readers.files import read_bytes
from tocsin.venues.reading import POSITIONS_MAX, PayloadError
from tocsin.views.desk_json import to_plain
from tocsin.views.desk_text import render_report

VECTORS = Path(__file__).parents[3] / "vectors" / "venues"
POSITION: dict[str, Any] = binance().payload[0]


def found(value: Any) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    with pytest.raises(PayloadError) as error:
        read_bytes(raw, label="mine.json")
    message = str(error.value)
    assert message.startswith("mine.json")
    assert "\n" not in message
    return message


@pytest.mark.parametrize(
    ("payload", "words"),
    [
        ([POSITION, POSITION], "position BTCUSDT is there twice"),
        (b'{"symbol":"BTCUSDT","symbol":"ETHUSDT"}', "field 'symbol' is there twice"),
        ([{**POSITION, "markPrice": "NaN"}], "markPrice must be a finite number, was 'NaN'"),
        ([{**POSITION, "markPrice": "Infinity"}], "markPrice must be a finite number"),
        (b'[{"symbol":"BTCUSDT","positionAmt":NaN}]', "holds NaN"),
        ([{**POSITION, "markPrice": "-5"}], "markPrice must not be below 0, was -5"),
        ([{**POSITION, "positionAmt": "1e30"}], "positionAmt must be 0 or between"),
        ([{**POSITION, "markPrice": "1e999999999"}], "markPrice must be 0 or between"),
        (b'[{"symbol":"BTCUSDT","positionAmt":1e999999999}]', "positionAmt must be 0 or between"),
        ([{**POSITION, "symbol": None}], "symbol is missing; a text is needed"),
        ([{"legs": [], "balances": []}], "which no reader knows"),
        ([{**POSITION, "positionAmt": True}], "positionAmt must be a number, was True"),
        ([{**POSITION, "positionAmt": {"a": 1}}], "positionAmt must be a number"),
        ([{**POSITION, "positionAmt": "1_000"}], "positionAmt must be a number, was '1_000'"),
        ([{**POSITION, "symbol": "BTC\x1b[31mUSDT"}], "symbol must be a text of printable signs"),
        ([{**POSITION, "positionSide": "SIDEWAYS"}], "positionSide must be one of"),
        (json.dumps([POSITION]).encode()[:90], "is not JSON"),
        (json.dumps([POSITION]).encode()[:90], "cut off?"),
        (b"", "is empty"),
        (b"hello", "is not JSON"),
        (b"\xff\xfe", "is not UTF-8"),
        (b"[" * 100_000, "nested too deeply"),
        (b"[1e99999999999999999999]", "beyond all bounds"),
        (b"\x1f\x8b" + b"abc", "cannot be unpacked"),
        (gzip.compress(json.dumps([POSITION]).encode())[:-12], "ends early"),
        ([], "an empty list: no positions"),
        ([5], "holds 5, no account"),
        ({"code": -2015, "msg": "Invalid API-key"}, "the venue's error message 'Invalid API-key'"),
        ({"foo": 1}, "which no reader knows; known are payloads of"),
        ({"venue": "binnance", "payloads": [[]]}, "did you mean binance?"),
        ({"payloads": []}, "payloads must be a list with at least one payload"),
    ],
)
def test_one_message_names_the_place(payload: Any, words: str) -> None:
    assert words in found(payload)


def test_a_payload_of_two_venues_is_no_account() -> None:
    both = {"payloads": [[POSITION], bybit().payload["payloads"][0]]}
    assert "binance and bybit" in found(both)


def test_a_venue_s_error_text_cannot_move_a_terminal() -> None:
    assert "\x1b" not in found({"code": 1, "msg": "\x1b[2J gone"})


def test_more_positions_than_any_account_has() -> None:
    many = [{**POSITION, "symbol": f"C{n}USDT"} for n in range(POSITIONS_MAX + 1)]
    assert f"{POSITIONS_MAX + 1} positions; at most {POSITIONS_MAX}" in found(many)


def test_hundreds_of_positions_are_read_and_answered_in_bounded_work() -> None:
    many = [{**POSITION, "symbol": f"ZZ{n}XUSDT"} for n in range(300)]
    (reading,) = read_bytes(json.dumps(many).encode(), label="p").readings
    rows = check_reading(reading)
    assert len(rows) >= 900
    assert {row.status for row in rows} == {Status.SKIPPED}


def test_a_bad_record_fails_and_the_others_are_judged() -> None:
    records = json.loads((VECTORS / "positions.json").read_text())["records"][20:24]
    records[1]["raw"]["positionAmt"] = "NaN"
    records.append(records[2])
    report = Report()
    check_found(read_bytes(json.dumps(records).encode(), label="r"), report)
    reasons = [row.reason for row in report.rows if row.status is Status.FAILED]
    assert len(reasons) == 2
    assert any("must be a finite number" in reason for reason in reasons)
    assert any("id is there twice" in reason for reason in reasons)
    assert report.count(Status.PASSED) > 0


def test_a_half_filled_position_is_skipped_by_the_name_of_what_is_missing() -> None:
    half = copy.deepcopy(POSITION)
    for name in ("markPrice", "notional", "entryPrice"):
        del half[name]
    (reading,) = read_bytes(json.dumps([half]).encode(), label="p").readings
    rows = check_reading(reading)
    assert {row.status for row in rows} == {Status.SKIPPED}
    assert all("mark" in row.reason for row in rows)


def test_an_unknown_symbol_suggests_the_nearest() -> None:
    (reading,) = read_bytes(json.dumps([{**POSITION, "symbol": "BTCCUSDT"}]).encode(), label="p").readings
    assert any("did you mean" in row.reason and "BTCUSDT" in row.reason for row in check_reading(reading))


def test_payloads_of_two_moments_are_noted() -> None:
    payload = bybit().payload
    payload["payloads"][1]["time"] = 1764990000000
    report = Report()
    check_found(read_bytes(json.dumps(payload).encode(), label="p"), report)
    assert any("10001 s apart" in note for _, note in report.notes)


def test_the_command_line_says_it_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "mine.json"
    path.write_text("[")
    assert main(["desk", "check", str(path)]) == 3
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == ["tocsin: mine.json: is not JSON: Expecting value at line 1: cut off?"]


BAD: list[Any] = [
    None, "", "NaN", "Infinity", "1e999", "1e-999", "-1", "0", 0, -5, 1e308, "9" * 100, True, False, [], {}, [1],
    {"a": 1}, "0x10", "1_000", "\u0661", "\x1b[31m", "abc", " 5 ", "1e25", 10**30, "--5", "5.5.5",
]  # fmt: skip


def _shipped() -> list[Any]:
    out: list[Any] = []
    for name in ("positions", "accounts"):
        for record in json.loads((VECTORS / f"{name}.json").read_text())["records"]:
            out += [record, record["raw"]]
    return out


SHIPPED = _shipped()


def _paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    out: list[tuple[Any, ...]] = []
    for key, inner in items:
        out += [(*path, key), *_paths(inner, (*path, key))]
    return out


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_mutated_payloads_give_rows_or_one_message(data: st.DataObject) -> None:
    value = copy.deepcopy(data.draw(st.sampled_from(SHIPPED)))
    for _ in range(data.draw(st.integers(1, 3))):
        paths = _paths(value)
        if not paths:
            break
        *way, last = data.draw(st.sampled_from(paths))
        target = value
        for key in way:
            target = target[key]
        match data.draw(st.integers(0, 3)):
            case 0 if isinstance(target, dict):
                del target[last]
            case 1 if isinstance(target, list):
                target.append(copy.deepcopy(target[last]))
            case _:
                target[last] = copy.deepcopy(data.draw(st.sampled_from(BAD)))
    report = Report()
    message = ""
    try:
        check_found(read_bytes(json.dumps(value).encode(), label="p"), report)
    except TocsinError as error:
        message = str(error)
    assert bool(message) is not bool(report.rows)
    assert len(message) < 1000
    for row in report.rows:
        # Nothing is judged without both figures; nothing is skipped or failed without a reason.
        assert row.status is Status.PASSED or row.reason or row.connector
        if row.status is Status.PASSED:
            assert row.reported is not None or row.quantity == "liquidation"
    render_report(report, is_full=True)
    json.dumps(to_plain(report))
