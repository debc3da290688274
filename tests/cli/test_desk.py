"""
`tocsin desk check` as a person meets it, and the recorded positions and accounts that are shipped.
"""

import json
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.payloads import binance
from tocsin.cli import main
from tocsin.desk.check import check_found
from tocsin.desk.codes import Code
from tocsin.desk.rows import Report, Status
from tocsin.desk.source_errors import SourceErrors
from tocsin.venues.readers.files import read_bytes

VECTORS = Path(__file__).parents[2] / "vectors" / "venues"
FILES = sorted(str(path) for path in VECTORS.glob("*.json*"))


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(["desk", "check", *arguments])
    out, err = capsys.readouterr()
    return code, out, err


def test_the_shipped_records_pass(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, *FILES, "--json")
    report: dict[str, Any] = json.loads(out)
    assert (code, report["failed"]) == (0, 0)
    assert report["passed"] >= 220
    venues = Counter(
        row["account"].partition("(")[2].partition("-")[0] for row in report["rows"] if row["own"]["value"]
    )
    assert {"hl", "bn", "by", "okx", "db", "dv", "dx"} <= set(venues)
    for row in report["rows"]:
        assert row["status"] != "skipped" or row["reason"]
        for part in row["parts"]:
            assert part["why"]


def test_every_listed_source_error_is_one_and_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    raw = (VECTORS / "positions.json").read_bytes()
    blind, known = Report(), Report()
    check_found(read_bytes(raw, label="p"), blind, errors=SourceErrors({}))
    check_found(read_bytes(raw, label="p"), known)
    listed = json.loads((Path(check_found.__code__.co_filename).parent / "data" / "source_errors.json").read_text())
    missed = {
        (row.account.partition("(")[2].partition(")")[0], row.quantity)
        for row in blind.rows
        if row.status is Status.FAILED
    }
    assert {(entry["record"], entry["quantity"]) for entry in listed["records"]} == missed
    _, out, _ = run(capsys, str(VECTORS / "positions.json"))
    text = " ".join(out.split())
    for entry in listed["records"]:
        assert f"source error: {entry['reason']}" in text
    assert known.count(Status.FAILED) == 0


def test_three_columns_and_the_cause(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    base = binance()
    info = base.edit(maintMargin="9745.08625")[0]
    path = tmp_path / "dump.json"
    unified = {"symbol": "BTC/USDT:USDT", "contracts": 25, "side": "long", "maintenanceMargin": 9745.08625}
    path.write_text(json.dumps([{**unified, "info": info}]))
    code, out, err = run(capsys, str(path))
    assert (code, err) == (1, "")
    lines = out.splitlines()
    assert lines[0].split() == ["figure", "reported", "connector", "own", "difference", "status", "cause"]
    row = next(line for line in lines if "maintenance margin" in line)
    assert row.split()[-7:] == ["9745.08625", "9745.08625", "9125.08125", "6.3622", "%", "failed", "FEE_IN_MM"]
    assert any("FEE_IN_MM +620.00500: BTCUSDT: a closing fee of 0.04 % added" in line for line in lines)
    assert lines[-1] == "5 passed, 1 failed, 0 skipped"


def test_all_shows_what_agrees(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "p.json"
    path.write_text(json.dumps(binance().payload))
    code, out, _ = run(capsys, str(path))
    assert (code, out) == (
        0,
        "6 more figures agree to the printed digits (--all shows them).\n\n6 passed, 0 failed, 0 skipped\n",
    )
    _, out, _ = run(capsys, str(path), "--all")
    assert "BTCUSDT, initial margin" in out


def test_the_guide_shows_what_is_printed(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(VECTORS.parents[1])
    page = (VECTORS.parents[1] / "docs" / "how-to" / "check-a-venue.md").read_text(encoding="utf-8")
    (block,) = [part.split("```")[0] for part in page.split("```console\n")[1:]]
    command, _, shown = block.partition("\n")
    code, out, _ = run(capsys, *command.removeprefix("$ tocsin desk check ").split())
    assert code == 1
    assert [line.rstrip() for line in out.splitlines()] == shown.splitlines()


def test_the_guide_lists_every_cause() -> None:
    page = (VECTORS.parents[1] / "docs" / "how-to" / "check-a-venue.md").read_text(encoding="utf-8")
    rows = [line.split("`")[1] for line in page.splitlines() if line.startswith("| `")]
    assert rows == [str(code) for code in Code]


def test_two_causes_of_one_account(capsys: pytest.CaptureFixture[str]) -> None:
    path = VECTORS.parents[1] / "examples" / "payloads" / "bybit-account.json"
    code, out, _ = run(capsys, str(path), "--json")
    (equity,) = [row for row in json.loads(out)["rows"] if row["quantity"] == "equity"]
    assert code == 1
    parts = [(part["code"], Decimal(part["amount"])) for part in equity["parts"]]
    assert parts == [("COLLATERAL_HAIRCUT", Decimal(500)), ("STALE_SNAPSHOT", Decimal("774.25"))]
    assert Decimal(equity["difference"]) == Decimal("1274.25")


def test_standard_input(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    class Stdin:
        class buffer:  # noqa: N801 - as in sys.stdin
            @staticmethod
            def read(most: int) -> bytes:
                return json.dumps(binance().payload).encode()[:most]

    monkeypatch.setattr("sys.stdin", Stdin)
    code, out, _ = run(capsys, "-")
    assert (code, out.splitlines()[-1]) == (0, "6 passed, 0 failed, 0 skipped")


def test_nothing_checked_is_a_finding(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "p.json"
    path.write_text(json.dumps([{"symbol": "BTCUSDT", "positionAmt": "1", "markPrice": "5", "entryPrice": "5"}]))
    code, out, err = run(capsys, str(path))
    assert code == 1
    assert out.endswith("0 passed, 0 failed, 1 skipped\n")
    assert "nothing could be checked" in err


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ([], 2, "at least one file"),
        (["nowhere.json"], 3, "nowhere.json: No such file"),
        (["--jsn", "x.json"], 2, "unknown option '--jsn'"),
        ([FILES[0], "--venue", "binnance"], 3, "did you mean binance"),
        ([FILES[0], "--rules", "binance-usd"], 2, "did you mean binance-usdm"),
    ],
)
def test_wrong_arguments(
    arguments: list[str],
    code: int,
    words: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    got, out, err = run(capsys, *arguments)
    assert (got, out) == (code, "")
    assert words in err


def test_another_rulebook_judges(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "p.json"
    path.write_text(json.dumps(binance().payload))
    code, out, _ = run(capsys, str(path), "--rules", "bybit-isolated")
    assert code == 1
    assert "bybit-isolated" in out
