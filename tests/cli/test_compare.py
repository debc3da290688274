"""
`tocsin compare` from words and files to table, JSON and picture.
"""

import json
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from tocsin.cli import main
from tocsin.cli.output import Exit

PRICED = ("--price", "100000", "--rules", "binance-usdm,dydx,hyperliquid,aax")
LEGS = """{"legs": [{"coin": "BTC", "side": "long", "size": "1M"}, {"coin": "ETH", "side": "short", "size": 250}],
 "prices": {"BTC": 100000, "ETH": 4000}, "collateral": "20%"}"""


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = main(["compare", *words])
    shown = capsys.readouterr()
    return code, shown.out, shown.err


def test_the_table_ranks_and_dates(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "BTC", "long", "50M", *PRICED)
    assert (code, err) == (Exit.OK, "")
    lines = out.splitlines()
    assert lines[0] == (
        "BTC long 50,000,000 USD (500 BTC); BTC at 100,000; collateral 5,000,000 USD (10.00 % of notional)"
    )
    rows = [line.split() for line in lines if line[:2].strip().isdigit()]
    assert [row[1] for row in rows] == ["dydx", "hyperliquid", "binance-usdm"]
    assert rows[0][2:9] == ["2.00", "%", "1,000,000", "1.20", "%", "600,000", "91,093.1"]
    assert "  up to 16.5 M  binance-usdm" in lines
    assert lines[-1] == "  aax: no table of rates that covers this position is shipped"


def test_explain_prints_formula_parameters_and_date(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, "BTC", "long", "1M", "--price", "100000", "--rules", "binance-usdm", "--explain")
    assert "maintenance = notional x rate - cum" in out and "binance/usdm_tiers of 2026-09-01" in out


def test_a_date_chooses_the_parameters(capsys: pytest.CaptureFixture[str]) -> None:
    words = ("BTC", "long", "50M", "--price", "100000", "--rules", "binance-usdm", "--json")
    now, then = (json.loads(run(capsys, *words, *at)[1]) for at in ((), ("--at", "2023-01-01")))
    assert now["rows"][0]["parameters_in_force"] and then["rows"][0]["parameters_in_force"]
    for rules, month in (("dydx", "2025-10"), ("bybit", "2021-01/2025-12")):
        assert f"† {month}" in run(capsys, "BTC", "long", "1M", "--rules", rules, "--at", "2023-01-01")[1]
    assert now["rows"][0]["parameters_of"] != then["rows"][0]["parameters_of"] == "2022-11-25"


def test_json_holds_the_whole_comparison(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "BTC", "short", "10BTC", *PRICED, "--json", "--collateral", "50k")
    value: dict[str, Any] = json.loads(out)
    assert code == Exit.OK
    assert (value["question"]["notional"], value["question"]["collateral"]) == ("1000000", "50000")
    first = next(row for row in value["rows"] if row["rulebook"] == "dydx")
    assert first["maintenance_rate"] == "0.012" and first["liquidation_below"] is None
    assert first["liquidation_above"]["price"].startswith("103754.9407")  # 105,000 / 1.012
    assert all(row["basis"] for row in value["rows"])
    assert value["silent"][0]["rulebook"] == "aax"
    assert [c["rulebooks"][0] for c in value["sizes"]["cheapest"]] == ["binance-usdm", "dydx"]


def test_a_file_of_legs(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "pair.json"
    file.write_text(LEGS)
    code, out, _ = run(capsys, str(file), "--rules", "dydx,hyperliquid-isolated")
    assert code == Exit.OK
    assert out.startswith("BTC long 1,000,000 USD (10 BTC), ETH short 1,000,000 USD (250 ETH); BTC at 100,000, ETH at")
    assert "24,000" in out and "isolated margin keeps every leg apart" in out
    assert "BTC 61,943.3 / ETH 5,486.17" in out  # 612,000 / (10 x 0.988); 1,388,000 / (250 x 1.012)


def test_a_file_from_standard_input(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "pair.json"
    file.write_text(LEGS)
    with file.open() as typed:
        monkeypatch.setattr("sys.stdin", typed)
        code, out, _ = run(capsys, "-", "--rules", "dydx")
    assert code == Exit.OK and "BTC 61,943.3 / ETH 5,486.17" in out


@pytest.mark.parametrize("phone", [(), ("--phone",)])
def test_the_picture_is_one_svg_without_scripts(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, phone: tuple[str, ...]
) -> None:
    file = tmp_path / "compare.svg"
    assert run(capsys, "BTC", "long", "50M", *PRICED, "--svg", str(file), *phone)[0] == Exit.OK
    root = ET.fromstring(file.read_text(encoding="utf-8"))
    assert root.attrib["width"] == ("400" if phone else "900")
    texts = [e.text or "" for e in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {"dydx", "binance-usdm", "hyperliquid", "asked: 50 M"} <= set(texts)
    assert {e.tag.rpartition("}")[2] for e in root.iter()} <= {
        "svg", "title", "desc", "rect", "line", "path", "circle", "text", "tspan",
    }  # fmt: skip
    for element in root.iter("{http://www.w3.org/2000/svg}text"):
        assert 0 <= float(element.attrib["x"]) <= float(root.attrib["width"])
        assert 0 <= float(element.attrib["y"]) <= float(root.attrib["height"])
    again = tmp_path / "again.svg"
    run(capsys, "BTC", "long", "50M", *PRICED, "--svg", str(again), *phone)
    assert again.read_bytes() == file.read_bytes()


def test_a_coin_that_no_venue_knows(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    picture = tmp_path / "none.svg"
    words = ("BTX", "long", "1M", "--price", "5", "--rules", "binance-usdm,bybit", "--svg", str(picture))
    code, out, err = run(capsys, *words)
    assert code == Exit.DATA and "Cannot say:" in out
    assert err.splitlines() == [
        "tocsin: no rulebook that was asked can answer; each says why",
        "  hint: BTX is not among the coins that are known; did you mean BTC, BNT?",
    ]
    assert ET.fromstring(picture.read_text(encoding="utf-8")) is not None


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("BTX", "long", "1M"), Exit.USAGE, "did you mean BTC"),
        (("BTC", "long", "1M", "--rules", "binanse"), Exit.USAGE, "did you mean"),
        (("BTC", "long", "1M", "--rules", ","), Exit.USAGE, "--rules must name a rulebook"),
        (("BTC", "long", "1M", "--by", "price"), Exit.USAGE, "--by must be one of maintenance, initial, distance"),
        (("BTC", "long", "1M", "--product", "option"), Exit.USAGE, "product must be perp, linear or inverse"),
        (("BTC", "long", "1M", "--at", "yesterday"), Exit.DATA, "time must be ISO 8601"),
        (
            ("BTC", "long", "1M", "--colateral", "x"),
            Exit.USAGE,
            "unknown option '--colateral'; did you mean collateral?",
        ),
        (("BTC", "long", "1M", "--collateral", "x"), Exit.USAGE, "collateral must be"),
        ((), Exit.USAGE, "name a coin, a side and a size"),
        (("no-such.json",), Exit.DATA, "no-such.json: No such file"),
    ],
)
def test_errors_are_one_line(
    capsys: pytest.CaptureFixture[str], words: tuple[str, ...], code: int, message: str
) -> None:
    found, out, err = run(capsys, *words)
    assert (found, out) == (code, "")
    assert message in err.splitlines()[0] and "Traceback" not in err
    assert all(line.startswith("  hint: ") for line in err.splitlines()[1:])
