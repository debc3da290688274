"""
The shipped vector files through `tocsin conform`: they pass, their mirrors pass, wrong expectations fail.
"""

import copy
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tocsin.conform import Case, Status, core_prices, list_doors, load_cases, run_cases
from tocsin.conform.doors import CORE, ROUTES, VENUE
from tocsin.conform.numbers import parse_number
from tocsin.conform.run import run_case
from tocsin.conform.sheets import build_valuation
from tocsin.sheet.validate import validate_sheet

VECTORS = Path(__file__).parents[2] / "vectors"
CASES = load_cases([VECTORS / "engines.json"])
CORE_CASES = [case for case, door, _ in list_doors(CASES) if door == CORE]


def test_every_case_of_a_known_mechanism_passes_and_none_is_skipped() -> None:
    known = [c for c in CASES if c.mechanism in ROUTES]
    outcomes = run_cases(known).outcomes
    assert [(o.case.id, o.status, o.reasons) for o in outcomes] == [(c.id, Status.PASSED, ()) for c in known]
    assert len(known) == 210


def test_what_is_ours_goes_through_the_core_door() -> None:
    mechanisms = {case.mechanism for case in CORE_CASES}
    assert mechanisms == {m for m, routes in ROUTES.items() if routes[0].door == CORE} and len(CORE_CASES) == 20
    elsewhere = [case for case, door, _ in list_doors(CASES) if door == VENUE and case.mechanism in mechanisms]
    quadratic = [(c.mechanism, c.inputs["quadratic_slippage"]) for c in elsewhere]
    assert quadratic == [("liquidation_price_identity", "0.01")]


@pytest.mark.parametrize(("door", "passed"), [("core", 20), ("venue", 192)])
def test_one_door_only(door: str, passed: int) -> None:
    report = run_cases(CASES, door)
    assert report.count(Status.PASSED) == passed
    assert report.count(Status.FAILED) == 0
    assert {o.door for o in report.outcomes if o.status is Status.PASSED} == {door}


def test_shipped_core_cases_are_sheets_that_could_be_published(monkeypatch: pytest.MonkeyPatch) -> None:
    built: list[str] = []

    def build_and_validate(*args: Any, **kwargs: Any) -> Any:
        valuation = build_valuation(*args, **kwargs)
        built.append(validate_sheet(valuation.sheet).name)
        return valuation

    monkeypatch.setattr(core_prices, "build_valuation", build_and_validate)
    assert all(o.status is Status.PASSED for o in run_cases(CORE_CASES).outcomes)
    assert len(built) >= 17


# Mirrors: the same case on the other side. A long is worth what the short owes; risk factors change sides.


def mirror_bankruptcy(case: Case) -> dict[str, Any]:
    """Turn every position; cash such that the account's net collateral is the same."""
    inputs = copy.deepcopy(case.inputs)
    value = sum(
        Fraction(p["quantums"]) * p["price_usd"] * Fraction(10) ** p["atomic_resolution"] for p in inputs["positions"]
    )
    for position in inputs["positions"]:
        position["quantums"] = -position["quantums"]
    inputs["usdc"] = str(Fraction(inputs["usdc"]) + 2 * value)
    closed = inputs["positions"][inputs["close_index"]]
    at_mark = inputs["delta_quantums"] * closed["price_usd"] * Fraction(10) ** (closed["atomic_resolution"] + 6)
    inputs["delta_quantums"] = -inputs["delta_quantums"]
    # -dNNV changes sign, the share of net collateral does not.
    expected = case.expected["bankruptcy_price_quote_quantums"] + 2 * int(at_mark)
    return {"inputs": inputs, "expected": {"bankruptcy_price_quote_quantums": expected}}


def mirror_insurance(case: Case) -> dict[str, Any]:
    """Turn the position; the fill is as far from the bankruptcy value on the other side."""
    inputs = dict(case.inputs)
    gap = abs(Fraction(inputs["usdc"])) * 10**6 - inputs["fill_quote_quantums"]
    inputs["position_quantums_btc"] = -inputs["position_quantums_btc"]
    inputs["usdc"] = -inputs["usdc"]
    inputs["fill_quote_quantums"] = int(abs(inputs["usdc"]) * 10**6 + gap)
    fee = inputs["fill_quote_quantums"] * inputs["max_liquidation_fee_ppm"] // 10**6
    return {"inputs": inputs, "expected": {"insurance_fund_delta": min(fee, abs(int(gap)))}}


def mirror_price(case: Case) -> dict[str, Any]:
    inputs = dict(case.inputs)
    inputs["position_size"] = -inputs["position_size"]
    inputs["rf_long"], inputs["rf_short"] = inputs["rf_short"], inputs["rf_long"]
    return {"inputs": inputs, "expected": case.expected}


def mirror_tiers(case: Case) -> dict[str, Any]:
    return {"inputs": {**case.inputs, "notional": -case.inputs["notional"]}, "expected": case.expected}


def mirror_order(case: Case) -> dict[str, Any]:
    """Winners have no side: their order is turned instead; the level must not change, nor who pays what."""
    inputs = {k: list(reversed(v)) if isinstance(v, list) else v for k, v in case.inputs.items()}
    expected = {k: list(reversed(v)) if isinstance(v, list) else v for k, v in case.expected.items()}
    return {"inputs": inputs, "expected": expected}


MIRRORS = {
    "bankruptcy_price_quote_quantums": mirror_bankruptcy,
    "insurance_fund_delta": mirror_insurance,
    "liquidation_price_identity": mirror_price,
    "tiered_maintenance_with_deduction": mirror_tiers,
    "capped_pro_rata_water_filling": mirror_order,
}


@pytest.mark.parametrize("case", [c for c in CORE_CASES if c.mechanism in MIRRORS], ids=lambda c: c.id)
def test_mirrored_cases_pass_through_the_core_door(case: Case) -> None:
    mirrored = msgspec.structs.replace(case, **MIRRORS[case.mechanism](case))
    outcome = run_case(mirrored, CORE)
    assert (outcome.status, outcome.reasons) == (Status.PASSED, ())


def test_loss_sharing_gives_the_remainder_to_the_last_in_either_order() -> None:
    for case in (c for c in CORE_CASES if c.mechanism == "loss_socialisation"):
        winners = list(reversed(case.inputs["winners"]))
        owed, collected = case.inputs["losers_owed"], case.inputs["collected"]
        paid = {name: win * collected // owed for name, win in winners}
        paid[winners[-1][0]] += collected - sum(paid.values())
        mirrored = msgspec.structs.replace(case, inputs={**case.inputs, "winners": winners}, expected={"paid": paid})
        assert run_case(mirrored, CORE).status is Status.PASSED


def mutations(value: Any) -> Iterator[Any]:
    """
    Each copy of `value` in which one number is a hundredth further from zero (a whole number at least one), a text is
    another, a truth is turned. What is rejected may be any number up to a bound: it goes above one.
    """
    if isinstance(value, dict):
        for key, part in value.items():
            if key == "rejected_factor":
                yield {**value, key: "1.11"}
                continue
            for changed in mutations(part):
                yield {**value, key: changed}
    elif isinstance(value, list):
        for i, part in enumerate(value):
            for changed in mutations(part):
                yield [*value[:i], changed, *value[i + 1 :]]
    elif (number := parse_number(value)) is not None:
        more = abs(number) / 100
        sign = -1 if number < 0 else 1
        yield int(number + sign * max(1, more)) if number.denominator == 1 else f"{float(number + sign * more):.6f}"
    elif isinstance(value, bool):
        yield not value
    elif isinstance(value, str):
        yield "0"


@pytest.mark.parametrize("case", [c for c, door, _ in list_doors(CASES) if door], ids=lambda c: c.id)
def test_wrong_expectations_fail(case: Case) -> None:
    wrong = list(mutations(case.expected))
    assert wrong
    for expected in wrong:
        outcome = run_case(msgspec.structs.replace(case, expected=expected))
        assert outcome.status is Status.FAILED, expected
        assert outcome.reasons
