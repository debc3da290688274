"""
Vector files: what is read, what is refused and how, and how numbers are compared.
"""

import json
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from tocsin.conform import Case, Status, load_cases
from tocsin.conform.compare import Approximate, AtMost, Shared, Undefined, find_differences, to_plain
from tocsin.conform.inputs import Inputs
from tocsin.conform.numbers import InputError, format_number, parse_number
from tocsin.conform.run import run_case
from tocsin.core.errors import DataError

GOOD = {"engine": "e", "mechanism": "m", "inputs": {}, "expected": 1}


def write(tmp_path: Path, content: Any) -> Path:
    path = tmp_path / "v.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "v.json: file must be JSON, line 1 column 2: Expecting property name"),
        ('{"vectors": [NaN]}', "v.json: file must be JSON: NaN is not a number"),
        ("[" * 200_000, "v.json: file must be JSON"),
        ("3", "v.json: file must be an object with a list `vectors`, was 3"),
        ({"vectors": 3}, "v.json: vectors must be a list of cases, was 3"),
        ({}, "v.json: vectors must be a list of cases, was missing"),
        ({"vectors": [GOOD, 3]}, "v.json: vectors[1]: case must be an object, was 3"),
        ({"vectors": [{**GOOD, "engine": 3}]}, "v.json: vectors[0]: engine must be a name, was 3"),
        ({"vectors": [{**GOOD, "mechanism": ""}]}, "v.json: vectors[0]: mechanism must be a name"),
        ({"vectors": [{**GOOD, "inputs": []}]}, "v.json: vectors[0]: inputs must be an object, was []"),
        ({"vectors": [{k: v for k, v in GOOD.items() if k != "expected"}]}, "expected must be given, was missing"),
        ({"vectors": [{**GOOD, "inputs": {"param_set": "x"}}]}, 'inputs.param_set must be one of [], was "x"'),
    ],
)
def test_a_malformed_file_is_one_message_naming_file_record_and_field(
    tmp_path: Path, content: Any, message: str
) -> None:
    with pytest.raises(DataError) as caught:
        load_cases([write(tmp_path, content)])
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_is_one_message(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read: No such file"):
        load_cases([tmp_path / "none.json"])
    (tmp_path / "b.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match="must be UTF-8"):
        load_cases([tmp_path / "b.json"])


def test_a_bare_list_ids_without_engine_and_records_are_read(tmp_path: Path) -> None:
    assert len(load_cases([write(tmp_path, [GOOD, GOOD])])) == 2
    case = load_cases([write(tmp_path, {"vectors": [{"id": "a-1", "mechanism": "m", "inputs": {}, "expected": 1}]})])[0]
    assert (case.kind, case.name) == ("risk/m", "a-1")
    record = load_cases([write(tmp_path, {"records": [{"venue": "okx", "kind": "tier"}]})])[0]
    assert run_case(record).status is Status.SKIPPED


@pytest.mark.parametrize(
    ("mechanism", "inputs", "reason"),
    [
        ("loss_socialisation", {}, "inputs.winners must be given, was missing"),
        ("loss_socialisation", {"winners": 3}, "inputs.winners must be a list or an object, was 3"),
        ("loss_socialisation", {"winners": [["a", "x"]]}, "inputs.winners[a] must be a number, was 'x'"),
        ("loss_socialisation", {"winners": [["a"]]}, "inputs.winners[0] must be [name, number], was ['a']"),
        ("insurance_fund_delta", {"usdc": 1, "position_quantums_btc": 5}, "inputs.fill_quote_quantums must be given"),
        ("insurance_fund_delta", {"usdc": 1}, "inputs.position_quantums must be given"),
        ("bankruptcy_price_quote_quantums", {"usdc": 1, "positions": []}, "inputs.close_index must be between"),
        ("bankruptcy_price_quote_quantums", {"usdc": 1, "positions": [3]}, "inputs.positions[0] must be an object"),
        ("tiered_maintenance_with_deduction", {"notional": 1, "tiers": []}, "inputs.tiers must begin with"),
        ("capped_pro_rata_water_filling", {"winner_pnl": [1], "caps": ["2"], "budget": 1}, "inputs.caps must be 1"),
        ("liquidation_price_identity", {"position_size": 1, "mark_price": 0}, "must be above 0"),
        ("liquidation_price_identity", {"position_size": "1/0", "mark_price": 1}, "must be a number, was '1/0'"),
    ],
)
def test_wrong_inputs_of_a_known_mechanism_fail_with_a_named_reason(
    mechanism: str, inputs: dict[str, Any], reason: str
) -> None:
    outcome = run_case(Case("f.json", 0, "", "e", mechanism, inputs, {"x": 1}))
    assert outcome.status is Status.FAILED
    assert reason in outcome.reasons[0]


def test_inputs_nobody_reads_and_outputs_nobody_computes_are_named() -> None:
    inputs = {"winners": [["a", 1]], "losers_owed": 1, "collected": 1, "mood": "bad", "empty": None}
    case = Case("f.json", 0, "", "vega", "loss_socialisation", inputs, {"paid": {"a": 1}})
    assert run_case(case).reasons == ("not read: inputs.mood",)
    wanted = Case("f.json", 0, "", "vega", "loss_socialisation", inputs, {"mood": 1})
    assert run_case(wanted).reasons[0] == "mood: expected 1, was not computed"


def test_what_no_door_holds_is_skipped_by_name() -> None:
    orders = [{"size": 1, "price": 1}]
    inputs = {"position_size": 1, "mark_price": 1, "collateral": 1, "buy_orders": orders, "margin_factor": "0.5"}
    outcome = run_case(Case("f.json", 0, "", "vega", "liquidation_price_identity", inputs, {}))
    assert outcome.status is Status.SKIPPED
    assert outcome.reasons == (
        "core door: walks resting orders one by one; venue door: moves order margin of isolated mode",
    )


def test_objects_in_objects_tell_what_nobody_read() -> None:
    inputs = Inputs({"a": {"b": 1, "c": 2}, "d": 3})
    child = inputs.object("a")
    assert (child.whole("b"), child.names(), inputs.unread()) == (1, ["b", "c"], ["inputs.d", "inputs.a.c"])
    with pytest.raises(InputError, match=r"inputs.d must be an object, was 3"):
        inputs.object("d")


@pytest.mark.parametrize(
    ("mechanism", "inputs"),
    [
        ("loss_socialisation_funding_index", {"loss_1e6": 1}),
        ("partial_liquidation_share", {"positions": [], "collateral": 1, "share_multiple": 0}),
        ("dutch_auction_bid_cost", {"mark_to_market": 1, "discount": 0}),
    ],
)
def test_a_refusal_of_the_venue_is_an_answer(mechanism: str, inputs: dict[str, Any]) -> None:
    case = Case("f.json", 0, "", "any", mechanism, inputs, {"anything": "rejected"})
    assert run_case(case).status is Status.PASSED
    wrong = Case("f.json", 0, "", "any", mechanism, inputs, {"anything": 1})
    outcome = run_case(wrong)
    assert outcome.status is Status.FAILED and "was undefined: " in outcome.reasons[0]


def test_bounds_and_refusals_are_shown_as_text() -> None:
    assert to_plain([AtMost(Fraction(7, 20)), Undefined("why")]) == ["at most 0.35", {"undefined": "why"}]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (3, Fraction(3)),
        (Decimal("0.30"), Fraction(3, 10)),
        (" -1.5 ", Fraction(-3, 2)),
        ("505/1", Fraction(505)),
        ("1e-6", Fraction(1, 10**6)),
        (".5", Fraction(1, 2)),
        ("u64::MAX", Fraction(2**64 - 1)),
        (True, None),
        ("1/0", None),
        ("NaN", None),
        ("0x10", None),
        ("1e999999", None),
        (Decimal("1e99999"), None),
        (None, None),
    ],
)
def test_numbers_are_read_exactly(text: Any, value: Fraction | None) -> None:
    assert parse_number(text) == value


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (Fraction(-3), "-3"),
        (Fraction(-1, 8), "-0.125"),
        (Fraction(1, 3), "1/3 (about 0.333333333)"),
        (Fraction(5, 10**6), "0.000005"),
    ],
)
def test_numbers_are_shown_exactly(number: Fraction, text: str) -> None:
    assert format_number(number) == text


@pytest.mark.parametrize(
    ("expected", "actual", "tolerance", "agrees"),
    [
        (3, Fraction(3), None, True),
        (3, Fraction(3) + Fraction(1, 10**9), None, False),
        ("0.3", Fraction(3, 10), None, True),
        ("0.33333", Fraction(1, 3), None, False),
        ("0.333333", Fraction(1, 3), None, True),
        ("0.333335", Fraction(1, 3), None, False),
        (Decimal("0.30000000000000004"), Fraction(3, 10), None, True),
        (Decimal("0.3000001"), Fraction(3, 10), None, True),
        (Decimal("0.3001"), Fraction(3, 10), None, False),
        (100, Fraction(101), 1, True),
        (100, Fraction(102), "1", False),
        (100, Approximate(Fraction(101), Fraction(1)), None, True),
        (100, Approximate(Fraction(102), Fraction(1)), None, False),
        (34, Shared(34, Fraction(100, 3)), None, True),
        (33, Shared(34, Fraction(100, 3)), None, False),
        ("33.333333", Shared(34, Fraction(100, 3)), None, True),
        ("0.35", AtMost(Fraction(7, 20)), None, True),
        ("0.11", AtMost(Fraction(7, 20)), None, True),
        ("0.36", AtMost(Fraction(7, 20)), None, False),
        ("rejected", AtMost(Fraction(7, 20)), None, False),
        (True, True, None, True),
        (True, 1, None, False),
        ("DELIVER", "DELIVER", None, True),
        ("DELIVER", "RETURN", None, False),
        ([1, 2], [1], None, False),
        ({"a": 1}, {"a": 1, "b": 2}, None, True),
        ({"a": 1}, 3, None, False),
        (None, Fraction(0), None, False),
    ],
)
def test_comparison(expected: Any, actual: Any, tolerance: Any, agrees: bool) -> None:
    assert (find_differences(expected, actual, tolerance) == []) is agrees
