"""
The risk vectors through `tocsin conform`: they pass by the right door, wrong expectations and wrong inputs fail.
"""

import copy
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tocsin.conform import Case, Status, core_calls, core_scan, list_doors, load_cases, run_cases
from tocsin.conform.doors import find_routes
from tocsin.conform.risk_door import RISK_RULES
from tocsin.conform.run import run_case
from tocsin.margin.valuation import Valuation
from tocsin.sheet.marks import Marks
from tocsin.sheet.terms import RiskSheet
from tocsin.sheet.validate import validate_sheet

CASES = load_cases([Path(__file__).parents[2] / "vectors" / "risk.json"])
DOORS = {case.name: door for case, door, _ in list_doors(CASES)}
SLOW = {"as-02"}
"""Cases whose computation takes more than a few milliseconds: not mutated number by number."""

CORE = {
    *("asm-01", "col-01", "wf-01", "df-01", "df-02", "lvl-01", "tstar-01", "tear-01", "vmgh-01", "vmgh-02"),
    *("csa-02", "csa-04", "csa-05", "csa-06", "csa-07", "csa-08", "csa-09", "span-02", "span-03", "span-06"),
}
"""What is ours goes through the core door."""


def by_name(name: str) -> Case:
    return next(case for case in CASES if case.name == name)


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
def test_every_case_passes_and_reads_all_its_inputs(case: Case) -> None:
    outcome = run_case(case)
    assert (outcome.status, outcome.reasons) == (Status.PASSED, ())


def test_what_is_ours_goes_through_the_core_door() -> None:
    assert {name for name, door in DOORS.items() if door == "core"} == CORE
    assert Counter(DOORS.values()) == {"core": 20, "risk": 58, "venue": 8}


@pytest.mark.parametrize(("door", "passed"), [("core", 20), ("risk", 59), ("venue", 8)])
def test_one_door_only(door: str, passed: int) -> None:
    """The short-option minimum without spreads is held by two doors."""
    report = run_cases(CASES, door)
    assert (report.count(Status.PASSED), report.count(Status.FAILED)) == (passed, 0)


def test_core_cases_are_sheets_that_could_be_published(monkeypatch: pytest.MonkeyPatch) -> None:
    built: list[str] = []

    def build_and_validate(sheet: RiskSheet, marks: Marks) -> Valuation:
        built.append(validate_sheet(sheet).name)
        return Valuation(sheet, marks)

    for module in (core_calls, core_scan):
        monkeypatch.setattr(module, "Valuation", build_and_validate)
    assert all(run_case(case).status is Status.PASSED for case in CASES if case.name in CORE)
    assert len(built) == 5


def test_every_pattern_matches_a_title() -> None:
    extra = ("SPAN risk array, long future", "Christoffersen conditional coverage", "Generalized Black-Scholes")
    titles = [*(case.mechanism for case in CASES), *extra]
    assert [r.pattern.pattern for r in RISK_RULES if not any(r.pattern.search(t) for t in titles)] == []
    assert find_routes("no_such_rule") == ()


def mutations(value: Any, tolerance: Any) -> Iterator[Any]:
    """Each copy in which one number is further from zero by a hundredth, or twice its tolerance if that is more."""
    if isinstance(value, dict):
        for key, part in value.items():
            for changed in mutations(part, tolerance):
                yield {**value, key: changed}
    elif isinstance(value, list):
        for i, part in enumerate(value):
            for changed in mutations(part, tolerance):
                yield [*value[:i], changed, *value[i + 1 :]]
    elif isinstance(value, str):
        yield f"{value}?"
    else:
        exact = Decimal(str(value))
        step = max(abs(exact) / 100, 3 * Decimal(str(tolerance or 0)), Decimal("0.0001"))
        yield exact + (step if exact >= 0 else -step)


@pytest.mark.parametrize("case", [c for c in CASES if c.name not in SLOW], ids=lambda c: c.name)
def test_wrong_expectations_fail(case: Case) -> None:
    wrong = list(mutations(case.expected, case.tolerance))
    assert wrong
    for expected in wrong[:40]:
        outcome = run_case(msgspec.structs.replace(case, expected=expected))
        assert outcome.status is Status.FAILED, expected


@pytest.mark.parametrize("case", [c for c in CASES if c.name not in SLOW], ids=lambda c: c.name)
def test_inputs_that_are_no_numbers_fail_by_name(case: Case) -> None:
    for name, value in case.inputs.items():
        if isinstance(value, bool | str | dict | list):
            continue
        outcome = run_case(msgspec.structs.replace(case, inputs={**case.inputs, name: "many"}))
        assert outcome.status is Status.FAILED, name
        assert any("was 'many'" in reason for reason in outcome.reasons), outcome.reasons


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("bt-01", {"p": 0}, "share must be above 0 and below 1, was 0.0"),
        ("bt-01", {"exceptions": 2000}, "exceptions must be between 0 and 1043, was 2000"),
        ("bt-02", {"n00": -1}, "transitions must be at least 0"),
        ("bt-10", {"n": 10**9}, "inputs.n must be between 1 and 100000"),
        ("col-02", {"T_M": 0}, "days must be at least 1"),
        ("csa-02", {"mta": -1}, "inputs.mta must be at least 0, was -1"),
        ("es-975", {"alpha": 1}, "must be above 0 and below 1, was 1.0"),
        ("es-ore", {"n": 5000}, "losses must hold the 50 worst of 5000, were 10"),
        ("fhs-01", {"returns": []}, "returns must begin with one that is not 0"),
        ("liq-01", {"adv": 0}, "daily_volume must be above 0"),
        ("opt-01", {"type": "X"}, "inputs.type must be C or P, was 'X'"),
        ("opt-01", {"vol": -1}, "volatility must be a finite number of at least 0"),
        ("pm-07", {"buckets": 0}, "buckets 1 to 1000"),
        ("pm-01", {"shocks": [0]}, "an extreme move must not be 0"),
        ("proc-01", {"margin": [1]}, "margin must be more than 1 values above 0"),
        ("simm-c203", {"sensitivities": [["A", "9", 1]]}, "bucket '9' must have a risk weight"),
        ("span-02", {"risk_array": []}, "risk arrays must have one length, at least 1"),
        ("span-03", {"positions": [1]}, "inputs.positions must have one number for each of"),
        ("vmgh-01", {"uncovered": -1}, "inputs.uncovered must be at least 0, was -1"),
        ("wf-01", {"loss": -1}, "must be at least 0, was -1"),
    ],
)
def test_wrong_inputs_fail_with_one_message(name: str, change: dict[str, Any], message: str) -> None:
    case = by_name(name)
    outcome = run_case(msgspec.structs.replace(case, inputs={**case.inputs, **change}))
    assert outcome.status is Status.FAILED
    assert len(outcome.reasons) == 1 and message in outcome.reasons[0]


ODD = [0, -1, None, [], {}, "x", True, Decimal("1e300"), 10**400, [0], [None], {"a": {}}]


@pytest.mark.parametrize("case", [c for c in CASES if c.name not in SLOW], ids=lambda c: c.name)
def test_odd_inputs_never_end_in_a_bare_exception(case: Case) -> None:
    for name in case.inputs:
        for odd in ODD:
            outcome = run_case(msgspec.structs.replace(case, inputs={**case.inputs, name: odd}))
            heads = [reason.split(":")[0] for reason in outcome.reasons]
            assert not any(head.endswith(("Error", "Operation", "Broken")) for head in heads), outcome.reasons


def test_a_span_like_total_with_spreads_leaves_the_core_door() -> None:
    """Without spread and credit the requirement is scenario and charge; with them it is not ours."""
    case = by_name("span-05")
    assert run_case(case, "core").reasons[0].startswith("core door: spread charges and credits")
    plain = {**case.inputs, "intra_commodity_spread": 0, "inter_commodity_credit": 0}
    expected = {"span_risk": 6620, "total_requirement": 7820}
    for door in ("core", "risk"):
        assert run_case(msgspec.structs.replace(case, inputs=plain, expected=expected), door).status is Status.PASSED


def test_mirrors() -> None:
    """Scans, deliveries and tear-ups on the other side."""
    scan = by_name("span-03")
    inputs = {**scan.inputs, "positions": [-1, 1]}
    pnl = [-x for x in scan.expected["pnl"]]
    expected = {"scan": -min(pnl), "scenario_index": pnl.index(min(pnl)) + 1, "pnl": pnl}
    assert run_case(msgspec.structs.replace(scan, inputs=inputs, expected=expected), "core").status is Status.PASSED
    two_way = by_name("csa-09")
    inputs = {"value": 800_000, "ia": 0, "threshold_receive": 300_000}
    assert run_case(msgspec.structs.replace(two_way, inputs=inputs, expected=500_000)).status is Status.PASSED
    torn = by_name("tear-01")
    inputs = {"ccp_unmatched_short": 30, "longs": torn.inputs["shorts"]}
    assert run_case(msgspec.structs.replace(torn, inputs=inputs)).status is Status.PASSED


def test_a_scan_of_few_scenarios_is_what_it_is() -> None:
    case = by_name("span-02")
    expected = {"scan": 7, "scenario_index": 2, "pnl": [5, -7]}
    assert run_case(msgspec.structs.replace(case, inputs={"risk_array": [5, -7]}, expected=expected)).reasons == ()
    gains = {"scan": 0, "pnl": [5, 7]}
    assert run_case(msgspec.structs.replace(case, inputs={"risk_array": [5, 7]}, expected=gains)).reasons == ()


def test_a_case_may_leave_out_what_is_nothing() -> None:
    case = by_name("csa-04")
    inputs = {k: v for k, v in case.inputs.items() if k != "disputed"}
    assert run_case(msgspec.structs.replace(case, inputs=inputs)).status is Status.PASSED


def test_collateral_in_transit_counts_as_held() -> None:
    case = by_name("csa-06")
    inputs = copy.deepcopy(case.inputs)
    inputs["held_post_haircut"] -= 50_000
    inputs["in_transit"] = 50_000
    assert run_case(msgspec.structs.replace(case, inputs=inputs)).status is Status.PASSED
