"""
Derive's margins through the venue door: the shipped vectors, their parts, overrides, and inputs that are wrong.
"""

import copy
import gzip
import json
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tocsin.conform import Case, Status, load_cases, run_cases
from tocsin.conform.inputs import Inputs
from tocsin.conform.numbers import parse_number
from tocsin.conform.run import run_case
from tocsin.conform.venue_derive_margin import run_portfolio_margin, run_standard_margin
from tocsin.core.errors import DataError

VECTORS = Path(__file__).parents[2] / "vectors"
RECORDS = load_cases([VECTORS / "derive.json.gz"])
ENGINES = [c for c in load_cases([VECTORS / "engines.json"]) if c.mechanism in ("portfolio_margin", "standard_margin")]
RUNNERS = {"portfolio_margin": run_portfolio_margin, "standard_margin": run_standard_margin}


def leaves(expected: Any, found: Any) -> list[tuple[Fraction, Fraction]]:
    if isinstance(expected, dict):
        return [pair for key, value in expected.items() for pair in leaves(value, found[key])]
    if isinstance(expected, list):
        return [pair for a, b in zip(expected, found, strict=True) for pair in leaves(a, b)]
    number = parse_number(expected)
    assert number is not None
    return [(number, found.value)]


def test_every_shipped_case_passes_and_every_input_is_read() -> None:
    for cases, count in ((RECORDS, 83), (ENGINES, 117)):
        assert len(cases) == count
        outcomes = run_cases(cases, "venue").outcomes
        assert [(o.case.id, o.status, o.reasons) for o in outcomes] == [(c.id, Status.PASSED, ()) for c in cases]


def test_all_values_agree_far_within_the_tolerance() -> None:
    """
    Stated tolerances are 1e-6 and 1e-3; what is left is the floats of both sides.
    """
    pairs = [
        pair
        for case in (*RECORDS, *ENGINES)
        for pair in leaves(case.expected, RUNNERS[case.mechanism](Inputs(case.inputs)))
    ]
    assert len(pairs) > 3_000
    assert max(abs(a - b) / max(1, abs(a)) for a, b in pairs) < Fraction(1, 10**8)


def test_all_but_one_record_say_the_loss_of_every_scenario() -> None:
    portfolio = [c for c in RECORDS if c.mechanism == "portfolio_margin"]
    silent = [c.name for c in portfolio if "scenario_losses" not in c.expected]
    assert silent == ["dv-pm2-test_67_misc_skew_scenario_with_spot_move"]
    told = [c for c in portfolio if c.name not in silent]
    cells = [len(c.inputs["params"]["Scenarios"]) for c in told]
    assert [len(c.expected["scenario_losses"]) for c in told] == cells


@pytest.mark.parametrize("case", [RECORDS[0], RECORDS[-1], ENGINES[0], ENGINES[-1]], ids=lambda c: c.kind)
def test_a_wrong_expectation_fails(case: Case) -> None:
    slip = {"portfolio_margin": Fraction(1, 10**5), "standard_margin": Fraction(1, 100)}[case.mechanism]
    for name in ("initial_margin", "maintenance_margin"):
        wrong = copy.deepcopy(case.expected)
        number = parse_number(wrong[name])
        assert number
        wrong[name] = str(number * (1 + slip))
        outcome = run_case(msgspec.structs.replace(case, expected=wrong))
        assert outcome.status is Status.FAILED
        assert outcome.reasons[0].startswith(f"{name}: expected ")


def find_case(name: str) -> Case:
    return next(c for c in RECORDS if name in c.name)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("params", "Margin", "MM_LOSS_FACTOR"), Decimal("0.9")),
        (("params", "SkewShock", "ABS_CBASE"), 3),
        (("params", "VolShock", "VOLRANGEUP"), 2),
        (("params", "Margin", "BASE_STATIC_DISCOUNT_NEG"), Decimal("0.5")),
        (("params", "BasisContingency", "BASIS_CONT_MULT_FACTOR"), 90),
        (("params", "OtherContingency", "MM_OPTION_PERCENT"), 1),
        (("spot_confidence",), Decimal("0.3")),
        (("stable_price",), Decimal("0.5")),
        (("expiries", 0, "rate"), Decimal("0.9")),
        (("options", 0, "amount"), -1_000),
        (("collaterals", 0, "mm_haircut"), Decimal("0.9")),
        (("cash",), -1),
    ],
)
def test_every_input_counts(path: tuple[Any, ...], value: Any) -> None:
    case = find_case("test_75_")
    inputs = copy.deepcopy(case.inputs)
    place: Any = inputs
    for step in path[:-1]:
        place = place[step]
    assert place[path[-1]] != value
    place[path[-1]] = value
    assert run_case(msgspec.structs.replace(case, inputs=inputs)).status is Status.FAILED


@pytest.mark.parametrize(
    ("name", "path", "value", "message"),
    [
        ("test_75_", ("params", "Margin"), None, "inputs.params.Margin must be given, was missing"),
        ("test_75_", ("params", "Margin"), 3, "inputs.params.Margin must be an object, was 3"),
        (
            "test_75_",
            ("params", "Scenarios", 0, "VolShockDirection"),
            "Sideways",
            "must be one of Up, Down, None, LINEAR",
        ),
        ("test_75_", ("params", "Scenarios", 0, "SpotShock"), -1, "SpotShock must be at least 0, was -1"),
        ("test_75_", ("spot",), 0, "spot must be a finite number above 0, was 0.0"),
        ("test_75_", ("spot",), None, "inputs.spot must be given, was missing"),
        ("test_75_", ("cash",), "1e350", "inputs.cash must be a number below 1e308"),
        ("test_75_", ("cash",), "NaN", "inputs.cash must be a number, was 'NaN'"),
        ("test_75_", ("options", 1, "call"), 1, "inputs.options[1].call must be true or false, was 1"),
        ("test_75_", ("options", 0, "seconds_to_expiry"), 5, "expiries must hold 5.0 seconds, of an option"),
        ("srm-Test28", ("spot", "ETH"), None, "inputs.spot.ETH must be given, of a position; was missing"),
        ("srm-Test28", ("entry", "ETH"), None, "inputs.entry.ETH must be given with a perpetual, was missing"),
        (
            "srm-Test28",
            ("spot_perp_confidence", "ETH"),
            [1],
            "inputs.spot_perp_confidence.ETH must be [spot, perpetual]",
        ),
        ("srm-Test28", ("options", 0, "underlying"), "SOL", "inputs.spot.SOL must be given, of a position"),
        ("srm-Test28", ("params", "perp_mm"), None, "inputs.params.perp_mm must be given, was missing"),
    ],
)
def test_wrong_inputs_fail_with_a_named_reason(name: str, path: tuple[Any, ...], value: Any, message: str) -> None:
    case = find_case(name)
    inputs = copy.deepcopy(case.inputs)
    place: Any = inputs
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    outcome = run_case(msgspec.structs.replace(case, inputs=inputs))
    assert outcome.status is Status.FAILED
    assert message in outcome.reasons[0]


def test_the_settlement_window_blends_the_average_with_the_forward() -> None:
    blended = [o for o in find_case("srm-Test25").inputs["options"] if o["seconds_to_expiry"] == 900]
    assert {round(float(Fraction(o["forward"])), 6) for o in blended} == {1450.168708}


def write(tmp_path: Path, records: list[Any], name: str = "r.json") -> Path:
    path = tmp_path / name
    text = json.dumps({"what": "test", "records": records})
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return path


def read_first_record(model: str) -> dict[str, Any]:
    document = json.loads(gzip.decompress((VECTORS / "derive.json.gz").read_bytes()))
    return next(r for r in document["records"] if r["model"] == model)


def test_portfolio_sets_without_feeds_are_skipped_by_name(tmp_path: Path) -> None:
    models = ("SRM portfolio (IM/MM in whole USD)", "PMRM v1 portfolio (IM/MM in whole USD)")
    cases = load_cases([write(tmp_path, [{"venue": "derive", "model": m, "case": {}} for m in models])])
    report = run_cases(cases)
    assert report.closing_line == "0 passed, 0 failed, 2 skipped"
    assert [o.case.mechanism for o in report.outcomes] == list(models)
    assert {o.reasons for o in report.outcomes} == {
        ("the record holds no feeds (forwards, volatilities) and no parameters",)
    }


@pytest.mark.parametrize(
    ("model", "path", "value", "message"),
    [
        ("PMRM_2", ("case",), None, "records[0].case must be given, was missing"),
        ("PMRM_2", ("case", "Scenario", "SpotPrice"), None, "records[0].case.Scenario.SpotPrice must be given"),
        ("PMRM_2", ("case", "Result", "IM"), None, "records[0].case.Result.IM must be given, was missing"),
        ("PMRM_2", ("case", "Scenario", "Options"), 3, "records[0].case.Scenario.Options must be a list of objects"),
        ("SRM (units 1e18)", ("case", "Scenario", "Cash"), "x", "a number in units of 10^-18 was 'x'"),
        ("SRM (units 1e18)", ("case", "Scenario", "PerpPrice"), [1], "PerpPrice must hold two markets, ETH and BTC"),
        ("SRM (units 1e18)", ("case", "Scenario", "OptionVols"), [], "the lists of options must be of one length"),
    ],
)
def test_a_malformed_record_is_one_message_naming_record_and_field(
    tmp_path: Path, model: str, path: tuple[str, ...], value: Any, message: str
) -> None:
    record = read_first_record(model)
    place = record
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    with pytest.raises(DataError) as caught:
        load_cases([write(tmp_path, [record])])
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_compressed_files_are_read_and_broken_ones_refused(tmp_path: Path) -> None:
    whole = write(tmp_path, [read_first_record("PMRM_2")], "r.json.gz")
    assert run_cases(load_cases([whole])).closing_line == "1 passed, 0 failed, 0 skipped"
    cut = tmp_path / "cut.json.gz"
    cut.write_bytes(whole.read_bytes()[:-50])
    plain = tmp_path / "plain.json.gz"
    plain.write_text("{}")
    for path in (cut, plain, tmp_path / "none.json.gz"):
        with pytest.raises(DataError, match=f"{path.name}: cannot be read: "):
            load_cases([path])
