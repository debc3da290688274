"""
`--engine`: an outside program answers; whatever it does wrong fails its case by name and never the run.
"""

import sys
from pathlib import Path

import pytest

from tocsin.conform import Status, ask_engine, load_cases
from tocsin.conform.vectors import Case
from tocsin.core.errors import ConfigError

ROOT = Path(__file__).parents[2]
ADAPTER = f"{sys.executable} {ROOT / 'examples' / 'conform_adapter' / 'dydx_fractions.py'}"
CASES = load_cases([ROOT / "vectors" / "engines.json"])


def make_case(index: int = 0, expected: object = 1) -> Case:
    return Case("f.json", index, "", "e", "m", {"x": 1}, expected)


def program(tmp_path: Path, body: str) -> str:
    """A program that runs `body` for each request, bound to `request`, `reply(...)` prints."""
    path = tmp_path / "engine.py"
    path.write_text(
        "import json, sys, time\n"
        "def reply(**fields): print(json.dumps(fields), flush=True)\n"
        "for line in sys.stdin:\n"
        "    request = json.loads(line)\n" + "".join(f"    {row}\n" for row in body.splitlines())
    )
    return f"{sys.executable} {path}"


def test_the_worked_adapter_agrees_with_its_engines_own_tests() -> None:
    report = ask_engine(CASES, ADAPTER)
    passed = [o.case.mechanism for o in report.outcomes if o.status is Status.PASSED]
    assert report.closing_line == "18 passed, 0 failed, 192 skipped"
    assert {m: passed.count(m) for m in passed} == {
        "bankruptcy_price_quote_quantums": 8,
        "insurance_fund_delta": 4,
        "liquidation_fillable_price": 6,
    }


def test_requests_carry_id_engine_mechanism_and_exact_inputs(tmp_path: Path) -> None:
    command = program(tmp_path, "reply(id=request['id'], outputs={'request': request})")
    outcome = ask_engine([make_case(3, {"request": {"id": "f.json[3]", "inputs": {"x": 1}}})], command).outcomes[0]
    assert outcome.status is Status.PASSED
    assert outcome.actual == {"request": {"id": "f.json[3]", "engine": "e", "mechanism": "m", "inputs": {"x": 1}}}


def test_a_named_parameter_set_is_sent_resolved() -> None:
    case = next(c for c in CASES if c.mechanism == "portfolio_margin")
    assert "param_set" not in case.inputs and "overrides" not in case.inputs
    changed = [c for c in CASES if c.inputs.get("params", {}).get("SkewShock", {}).get("MIN_K_STAR") == 10]
    assert changed and all(len(c.inputs["params"]["SkewShock"]) > 1 for c in changed)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("print('nonsense', flush=True)", "engine's reply must be a JSON object, was 'nonsense'"),
        ("print('[1]', flush=True)", "engine's reply must be a JSON object, was '[1]'"),
        ("reply(id='other', outputs=1)", "engine's reply must have id 'f.json[0]', was 'other'"),
        ("reply(id=request['id'])", "engine's reply must have outputs, error or unsupported"),
        ("sys.exit(7)", "engine ended without a reply (exit 7)"),
        ("time.sleep(60)", "engine gave no reply within 1 s"),
        ("reply(id=request['id'], error='no rule')", "outputs: expected 1, was undefined: no rule"),
        ("reply(id=request['id'], outputs=2)", "outputs: expected 1, was 2"),
    ],
)
def test_a_wrong_reply_fails_its_case_by_name(tmp_path: Path, body: str, reason: str) -> None:
    outcome = ask_engine([make_case()], program(tmp_path, body), timeout_s=1).outcomes[0]
    assert (outcome.status, outcome.reasons) == (Status.FAILED, (reason,))


def test_a_program_that_reads_nothing_fails_by_name(tmp_path: Path) -> None:
    big = Case("f.json", 0, "", "e", "m", {"x": "1" * 2_000_000}, 1)
    command = f"{sys.executable} -c 'import time; time.sleep(60)'"
    outcome = ask_engine([big], command, timeout_s=0.5).outcomes[0]
    assert outcome.reasons == ("engine did not read the request within 0.5 s",)


def test_a_crash_costs_one_case_and_the_program_is_started_again(tmp_path: Path) -> None:
    command = program(tmp_path, "if request['id'] == 'f.json[1]': sys.exit(3)\nreply(id=request['id'], outputs=1)")
    report = ask_engine([make_case(i) for i in range(4)], command)
    assert [o.status.value for o in report.outcomes] == ["passed", "failed", "passed", "passed"]


def test_a_program_that_always_crashes_is_not_started_for_ever(tmp_path: Path) -> None:
    report = ask_engine([make_case(i) for i in range(9)], program(tmp_path, "sys.exit(1)"))
    assert report.count(Status.FAILED) == 9
    assert report.outcomes[-1].reasons == ("engine was restarted 5 times and is not asked again",)


def test_unsupported_is_skipped_and_an_expected_error_passes(tmp_path: Path) -> None:
    command = program(
        tmp_path,
        "if request['id'] == 'f.json[0]': reply(id=request['id'], unsupported=True)\n"
        "else: reply(id=request['id'], error='not defined')",
    )
    cases = [make_case(0), make_case(1, {"error": "denominator is 0"}), make_case(2, {"price": None})]
    report = ask_engine(cases, command)
    assert [o.status.value for o in report.outcomes] == ["skipped", "passed", "passed"]


@pytest.mark.parametrize("command", ["", "'unclosed", "/no/such/program"])
def test_a_command_that_cannot_run_is_one_message(command: str) -> None:
    with pytest.raises(ConfigError, match="--engine"):
        ask_engine([make_case()], command)
