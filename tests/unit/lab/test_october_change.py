"""
Changing one value of the sheet by its path: what is reached, what is refused and how it is said.
"""

import pytest

from tocsin.core.errors import ConfigError, SheetError
from tocsin.lab.october import Rules, build_sheet, build_world
from tocsin.lab.october.change import change_sheet, list_paths, read_value
from tocsin.sheet.terms import Allocation, RiskSheet, hash_sheet


@pytest.fixture(scope="module")
def sheet() -> RiskSheet:
    return build_sheet(build_world(accounts=50), Rules.TOCSIN)


def test_values_of_each_kind_are_reached(sheet: RiskSheet) -> None:
    changed = change_sheet(
        sheet,
        (
            "calls.deadline_ns=600_000_000_000",
            "calls.enabled=off",
            "waterfall.lots=queue",
            "hysteresis_ppm.margin_call=70000",
            "hysteresis_ppm.2=60000",
            "contracts.BTC.capacity_lots=7",
            "contracts.ETH.tiers.1.lower=50001000000",
            "assets.BTC.haircuts.0.haircut_ppm=200000",
        ),
    )
    btc, eth = (next(c for c in changed.contracts if c.symbol == s) for s in ("BTC", "ETH"))
    assert changed.calls.deadline_ns == 600 * 10**9
    assert changed.calls.enabled is False
    assert changed.waterfall.lots is Allocation.QUEUE
    assert changed.hysteresis_ppm == (0, 70_000, 60_000, 0)
    assert btc.capacity_lots == 7
    assert eth.tiers[1].lower == 50_001_000_000
    assert next(a for a in changed.assets if a.symbol == "BTC").haircuts[0].haircut_ppm == 200_000
    assert change_sheet(sheet, ()) == sheet


def test_a_star_names_every_contract(sheet: RiskSheet) -> None:
    changed = change_sheet(sheet, ("contracts.*.fee_ppm=400",))
    assert {c.fee_ppm for c in changed.contracts} == {400}
    assert read_value(changed, "contracts.*.fee_ppm") == "400"
    assert read_value(changed, "contracts.*.capacity_lots") == "various"


def test_the_present_value_of_every_path_fits_it(sheet: RiskSheet) -> None:
    paths = list_paths(sheet)
    assert len(paths) == len(set(paths)) > 64 * 12
    for path in [p for p in paths if not p.startswith("contracts.") or p.startswith("contracts.BTC.")]:
        assert hash_sheet(change_sheet(sheet, (f"{path}={read_value(sheet, path)}",))) == hash_sheet(sheet), path


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("calls.dedline_ns=5", "was 'calls.dedline_ns'; nearest: calls.deadline_ns"),
        ("contracts.BTCC.capacity_lots=5", "nearest: contracts.BTC.capacity_lots"),
        ("deadline_ns=5", "nearest: calls.deadline_ns"),
        ("contracts.BTC=5", "--set must name a value of the sheet, was 'contracts.BTC'"),
        ("contracts.BTC.symbol=X", "--set must name a value of the sheet, was 'contracts.BTC.symbol'"),
        ("hysteresis_ppm.*=5", "--set must name a value of the sheet, was 'hysteresis_ppm.*'"),
        ("calls.deadline_ns", "--set must be PATH=VALUE"),
        ("calls.deadline_ns=", "--set must be PATH=VALUE"),
        ("=5", "--set must be PATH=VALUE"),
        ("calls.deadline_ns=1.5", "calls.deadline_ns must be an integer such as 900000000000, was '1.5'"),
        ("calls.enabled=maybe", "calls.enabled must be on or off, was 'maybe'"),
        ("waterfall.lots=que", "waterfall.lots must be one of pro_rata, queue, water_filling, min_max, was 'que'"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_message(sheet: RiskSheet, change: str, words: str) -> None:
    with pytest.raises(ConfigError) as refused:
        change_sheet(sheet, (change,))
    assert words in str(refused.value)


def test_a_bound_of_the_sheet_still_holds(sheet: RiskSheet) -> None:
    with pytest.raises(SheetError, match=r"hysteresis_ppm\[1\] must be between 0 and 1000000, was 1000001"):
        change_sheet(sheet, ("hysteresis_ppm.1=1000001",))
