"""
`tocsin conform` as a person meets it.
"""

import json
import sys
from pathlib import Path

import pytest

from tocsin.cli import main

ROOT = Path(__file__).parents[2]
ENGINES = str(ROOT / "vectors" / "engines.json")
ACTUAL = (
    '  actual    {"paid": {"a": 4, "b": 1}, "realised_loss": {"a": 4, "b": 1}, "insurance_drawn": 0, '
    '"insurance_pool_after": 0}'
)


def test_shipped_cases_pass(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["conform", ENGINES]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == "210 passed, 0 failed, 0 skipped"
    assert "    8 passed  dydx_v4/bankruptcy_price_quote_quantums  core door" in lines
    assert "    2 passed  dango_perps/adl_regression  venue door" in lines


def test_a_failing_case_shows_inputs_expected_and_actual(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    vector = {
        "source": "by hand",
        "engine": "vega",
        "mechanism": "loss_socialisation",
        "inputs": {"winners": [["a", 8], ["b", 2]], "losers_owed": 10, "collected": 5},
        "expected": {"paid": {"a": 5, "b": 1}},
    }
    path = tmp_path / "mine.json"
    path.write_text(json.dumps({"vectors": [vector]}))
    assert main(["conform", str(path)]) == 1
    assert capsys.readouterr().out.splitlines() == [
        "FAILED mine.json[0] vega/loss_socialisation, core door",
        "  source    by hand",
        '  inputs    {"winners": [["a", 8], ["b", 2]], "losers_owed": 10, "collected": 5}',
        '  expected  {"paid": {"a": 5, "b": 1}}',
        ACTUAL,
        "  -         paid.a: expected 5, was 4",
        "    1 failed  vega/loss_socialisation  core door",
        "0 passed, 1 failed, 0 skipped",
    ]


UNKNOWN = {"source": "by hand", "engine": "ours", "mechanism": "no_such_rule", "inputs": {}, "expected": 1}


@pytest.fixture
def unknown(tmp_path: Path) -> str:
    path = tmp_path / "unknown.json"
    path.write_text(json.dumps({"vectors": [UNKNOWN]}))
    return str(path)


def test_nothing_passed_is_a_finding(unknown: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["conform", unknown]) == 1
    captured = capsys.readouterr()
    assert captured.out.splitlines()[-1] == "0 passed, 0 failed, 1 skipped"
    assert captured.err.startswith("tocsin: no case passed\n")


def test_list_names_each_door_and_runs_nothing(unknown: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["conform", "--list", ENGINES]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "engines.json[0]  adl_research/capped_pro_rata_water_filling  core"
    assert lines[1] == "engines.json[1]  dango_perps/adl_regression  venue"
    assert lines[-1] == "210 cases, 210 with a door, 0 without"
    assert main(["conform", "--list", unknown]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith("none: Tocsin has no rule for this mechanism")


def test_json_is_one_object(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["conform", ENGINES, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["passed"], document["failed"], document["skipped"], document["ok"]) == (210, 0, 0, True)
    assert document["cases"][0]["actual"]["taken"] == [10, 90, 180]


def test_an_outside_engine(capsys: pytest.CaptureFixture[str]) -> None:
    adapter = ROOT / "examples" / "conform_adapter" / "dydx_fractions.py"
    assert main(["conform", ENGINES, "--engine", f"{sys.executable} {adapter}"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "18 passed, 0 failed, 192 skipped"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ([], 2, "FILE... must name at least one vector file, was empty"),
        ([ENGINES, "--door", "core", "--engine", "x"], 2, "--engine and --door must not be given together"),
        ([ENGINES, "--timeout", "0"], 2, "--timeout must be above 0"),
        ([ENGINES, "--door", "back"], 2, "door"),
        (["none.json"], 3, "none.json: cannot be read: No such file or directory"),
        ([ENGINES, "--engine", "/no/such/program"], 3, "'/no/such/program' cannot be started"),
    ],
)
def test_wrong_use_is_one_message(
    arguments: list[str], code: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["conform", *arguments]) == code
    captured = capsys.readouterr()
    assert message in captured.err
    assert "Traceback" not in captured.err and captured.out == ""
