"""
Tables of brackets in files: deductions that follow from rates and floors, and those that do not.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from tocsin.desk.check import check_found
from tocsin.desk.rows import Report, Status
from tocsin.venues.readers.files import read_bytes
from tocsin.venues.reading import PayloadError

VECTORS = Path(__file__).parents[3] / "vectors" / "venues"


def check(value: Any) -> Report:
    report = Report()
    check_found(read_bytes(json.dumps(value).encode(), label="t"), report)
    return report


def recorded(*deductions: float, **fields: Any) -> dict[str, Any]:
    bounds = [(0, 50_000, 0.004), (50_000, 500_000, 0.005), (500_000, 1_000_000, 0.0065)]
    tiers = [
        {"tier": n, "min": floor, "max": cap, "mmr": rate, "deduction": deduction}
        for n, ((floor, cap, rate), deduction) in enumerate(zip(bounds, deductions, strict=True), 1)
    ]
    return {"id": "t", "venue": "binance_usdm", "symbol": "ETHUSDT", "tiers": tiers, "source": "a test"} | fields


def test_every_deduction_of_the_shipped_tables_reproduces() -> None:
    report = Report()
    check_found(read_bytes((VECTORS / "tiers.json.gz").read_bytes(), label="t"), report)
    assert report.count(Status.FAILED) == 0
    assert report.count(Status.PASSED) == 645
    assert all(row.reason for row in report.rows if row.status is Status.SKIPPED)


def test_a_deduction_that_does_not_follow_fails_by_its_bracket() -> None:
    assert check([recorded(0, 50, 800)]).rows[0].status is Status.PASSED
    row = check([recorded(0, 51, 800)]).rows[0]
    assert (row.status, str(row.reported), str(row.own)) == (Status.FAILED, "51", "50.000")
    assert "bracket 2 of 3" in row.reason


@pytest.mark.parametrize("missing", ["deduction", "mmr"])
def test_a_table_that_says_too_little_is_skipped_by_name(missing: str) -> None:
    table = recorded(0, 50, 800, formula="mm = notional*mmr")
    for tier in table["tiers"]:
        del tier[missing]
    row = check([table]).rows[0]
    assert (row.status, "mm = notional*mmr" in row.reason) == (Status.SKIPPED, True)
    high = recorded(0, 50, 800)
    del high["tiers"][0]
    assert "starts at 50000" in check([high]).rows[0].reason


def test_venues_own_lists_of_brackets_are_checked() -> None:
    binance = [{"symbol": "ETHUSDT", "brackets": [
        {"bracket": 1, "notionalFloor": 0, "notionalCap": 10000, "maintMarginRatio": 0.0065, "cum": 0},
        {"bracket": 2, "notionalFloor": 10000, "notionalCap": 100000, "maintMarginRatio": 0.01, "cum": 35},
    ]}]  # fmt: skip
    limits = [("BTCUSDT", "2000000", "0.005", ""), ("BTCUSDT", "2600000", "0.0056", "1200"),
              ("ETHUSDT", "900000", "0.005", ""), ("ETHUSDT", "1800000", "0.01", "4500")]  # fmt: skip
    bybit = {"retCode": 0, "result": {"category": "linear", "list": [
        {"id": n, "symbol": s, "riskLimitValue": cap, "maintenanceMargin": rate, "mmDeduction": cum}
        for n, (s, cap, rate, cum) in enumerate(limits)]}}  # fmt: skip
    for payload, symbols in ((binance, ["ETHUSDT"]), (bybit, ["BTCUSDT", "ETHUSDT"])):
        rows = check(payload).rows
        assert [(row.symbol, row.status) for row in rows] == [(symbol, Status.PASSED) for symbol in symbols]
    bybit["result"]["list"][1]["mmDeduction"] = "1300"
    assert check(bybit).rows[0].status is Status.FAILED


def test_a_rate_that_is_no_fraction_is_refused() -> None:
    table = [{"symbol": "X", "brackets": [{"notionalFloor": 0, "maintMarginRatio": 1.5, "cum": 0}]}]
    with pytest.raises(PayloadError, match=r"maintMarginRatio of a bracket must be from 0 to 1, was 1\.5"):
        check(table)
