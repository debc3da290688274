"""
Rules SH: what a risk sheet must hold. Each bound alone is in tests/unit/sheet; here one violation per rule.
"""

import pytest
from msgspec.structs import replace

from tests.helpers.small import ASSETS, CONTRACTS, PERP, USD, make_sheet
from tests.helpers.worlds import Driver
from tocsin.core.errors import SheetError
from tocsin.engine import commands as cm
from tocsin.sheet import terms as t
from tocsin.sheet.validate import check_successor, validate_sheet

USD_TERMS = ASSETS[0]


def with_usd(**fields: object) -> dict:
    return {"assets": (replace(USD_TERMS, **fields), ASSETS[1])}


BROKEN = [
    ("SH-002", {"name": ""}, "name must be 1 to 64 printable ASCII characters, was ''"),
    ("SH-002", {"assets": ()}, "assets must be 1 to 16 entries, was 0"),
    ("SH-002", {"assets": (USD_TERMS, USD_TERMS)}, "unique: identifiers are never used twice, was 1"),
    ("SH-002", {"perp": {"asset": 9}}, "asset must be one of assets"),
    ("SH-003", with_usd(haircuts=(t.HaircutTier(1, 0),)), "lower must be 0, was 1"),
    ("SH-003", with_usd(haircuts=(t.HaircutTier(0, 5), t.HaircutTier(9, 4))), "between 5 and 1000000, was 4"),
    ("SH-003", with_usd(premium_ppm=1_000_001), "premium_ppm must be between 0 and 1000000"),
    ("SH-003", with_usd(stress_ppm=1_000_000), "stress_ppm must be between 0 and 999999"),
    ("SH-004", {"tiered": t.LevelFactors(1, 1, 2, 1)}, "tiered.liquidation must be at most tiered.margin_call = 1"),
    ("SH-004", {"charge": t.LevelFactors(1, 1, 1, 2)}, "charge.takeover must be at most charge.liquidation = 1"),
    ("SH-005", {"perp": {"mark_cap": 99_999}}, "mark_cap must be between 100000 and"),
    ("SH-005", {"perp": {"position_cap": 2**31 - 1, "mark_cap": 2**22}}, "at most 2251799813685248 units"),
    ("SH-005", {**with_usd(price_cap=10**9), "perp": {"position_cap": 2**25}}, "x price_cap must be at most"),
    ("SH-006", {"perp": {"tiers": (t.Tier(0, 60_000), t.Tier(5, 50_000))}}, "between 60000 and 1000000, was 50000"),
    ("SH-006", {"perp": {"tiers": (t.Tier(0, 60_000), t.Tier(0, 70_000))}}, "lower must be between 1 and"),
    ("SH-007", {"perp": {"charge_short": 950_000}}, "at most 2000000 ppm of the notional, was 2120000"),
    ("SH-008", {"perp": {"loadings": (1,) * 9}}, "loadings must be at most 8 factors, was 9"),
    ("SH-008", {"perp": {"own_loading": -1}}, "own_loading must be between 0"),
    ("SH-009", {"hysteresis_ppm": (0, 0, 1_000_001, 0)}, r"hysteresis_ppm\[2\] must be between 0 and 1000000"),
    ("SH-009", {"calls": t.CallPolicy(deadline_ns=5, t_min_ns=6)}, "t_min_ns must be between 0 and 5, was 6"),
    ("SH-009", {"liquidation": t.LiquidationPolicy(cancel_grace_cycles=0)}, "cancel_grace_cycles must be between 1"),
    ("SH-009", {"waterfall": t.WaterfallPolicy(market_draw_cap_ppm=1_000_001)}, "draw_cap_ppm must be between 0"),
    ("SH-009", {"cycle": t.CyclePolicy(late_cycles=0)}, "late_cycles must be between 1"),
    ("SH-010", {"perp": {"impact_ppm": 44_455}}, "fee_ppm \\+ impact_ppm.* must be at most 50000, .* was 50001"),
    ("SH-010", {**with_usd(premium_ppm=0), "perp": {"impact_ppm": 49_001}}, "at most 50000, .* was 50001"),
]


@pytest.mark.parametrize(("rule", "changes", "message"), BROKEN)
def test_a_broken_bound_names_field_value_and_bound(rule: str, changes: dict, message: str) -> None:
    """SH-002, SH-003, SH-004, SH-005, SH-006, SH-007, SH-008, SH-009, SH-010"""
    validate_sheet(make_sheet())
    with pytest.raises(SheetError, match=message):
        validate_sheet(make_sheet(**changes))


def test_sh_007_counts_both_components_and_the_band() -> None:
    """SH-007: 10 % x 2 + 900,000 x 2 / 1,000,000 + 2 % is over by two points; without the band it stands."""
    changes = {"charge_long": 900_000, "charge_short": 900_000}
    with pytest.raises(SheetError, match="was 2020000"):
        validate_sheet(make_sheet(perp=changes))
    validate_sheet(make_sheet(perp={**changes, "stale_half_band_ppm": 0}))


def test_sh_010_equality_stands() -> None:
    """SH-010: with the premium of 10 %, 45,454 x 1.1 = 49,999.4."""
    validate_sheet(make_sheet(perp={"impact_ppm": 44_454}))
    validate_sheet(make_sheet(**with_usd(premium_ppm=0), perp={"impact_ppm": 49_000}))


def test_sh_001_a_sheet_is_named_by_its_bytes() -> None:
    """SH-001"""
    sheet = make_sheet()
    assert t.hash_sheet(sheet) == t.hash_sheet(t.decode_sheet(t.encode_sheet(sheet)))
    assert t.hash_sheet(sheet) != t.hash_sheet(make_sheet(perp={"dust_lots": 4}))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"assets": ASSETS[:1], "contracts": CONTRACTS[:2]}, r"assets\[2\] must stay in the sheet"),
        (with_usd(symbol="EUR"), r"assets\[1\].symbol must be 'USD'"),
        (with_usd(price_cap=1_000_001), "price_cap must be 1000000: admitted cash is bounded at it, was 1000001"),
        ({"contracts": CONTRACTS[1:]}, r"contracts\[1\] must stay in the sheet"),
        ({"perp": {"units": 2}}, r"contracts\[1\].units must be 1, was 2"),
        ({"perp": {"position_cap": 999}}, "position_cap must be at least 1000, was 999"),
        ({"perp": {"mark_cap": 999_999}}, "mark_cap must be at least 1000000, was 999999"),
    ],
)
def test_sh_011_a_successor_keeps_what_was_admitted(changes: dict, message: str) -> None:
    """SH-011"""
    check_successor(make_sheet(), make_sheet(perp={"position_cap": 2_000, "tiers": (t.Tier(0, 60_000),)}))
    with pytest.raises(SheetError, match=message):
        check_successor(make_sheet(), make_sheet(**changes))


def test_sh_012_a_bad_sheet_is_refused_whole() -> None:
    """SH-012: an event with number and message; a good one is used from the next cycle on."""
    driver = Driver(make_sheet())
    bad = make_sheet(perp={"dust_lots": 9, "impact_ppm": 60_000})
    driver.ok(cm.SetSheet, sheet=t.encode_sheet(bad))
    driver.ok(cm.SetSheet, sheet=b"\xc0")
    result = driver.cut()
    refused = [e.fields for e in result.events if e.kind == "sheet_refused"]
    assert [f["reason"] for f in refused] == ["R-5004", "R-5004"]
    assert "fee_ppm + impact_ppm must be at most 50000" in refused[0]["why"]
    assert driver.engine.opened.sheet_hash == t.hash_sheet(make_sheet())

    good = make_sheet(perp={"dust_lots": 9})
    driver.ok(cm.SetSheet, sheet=t.encode_sheet(good))
    assert driver.engine.opened.sheet_hash == t.hash_sheet(make_sheet())
    driver.cut()
    assert driver.engine.opened.sheet_hash == t.hash_sheet(good)
    assert driver.engine.opened.sheet == t.encode_sheet(good)


def test_small_sheet_names() -> None:
    """SH-002: the sheet of these tests is one that is published."""
    assert (validate_sheet(make_sheet()).contracts[0].id, USD) == (PERP, 1)
