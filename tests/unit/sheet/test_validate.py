"""
Every bound of a sheet, broken once: refused as a whole with field, value and what is accepted.
"""

import msgspec
import pytest

from tests.helpers.worlds import ALT, BTC, INVERSE, LINEAR, USDT, Driver, small_sheet
from tocsin.core import limits
from tocsin.core.errors import SheetError
from tocsin.engine import commands as cm
from tocsin.engine.engine import Engine
from tocsin.sheet import terms as t
from tocsin.sheet.terms import decode_sheet, encode_sheet, hash_sheet
from tocsin.sheet.validate import check_successor, validate_sheet

replace = msgspec.structs.replace
SHEET = small_sheet()
PPM = 1_000_000


def asset(ident=USDT, **changes):
    """Return the sheet with one asset changed."""
    return replace(SHEET, assets=tuple(replace(a, **changes) if a.id == ident else a for a in SHEET.assets))


def contract(ident=LINEAR, sheet=SHEET, **changes):
    """Return the sheet with one contract changed."""
    return replace(sheet, contracts=tuple(replace(c, **changes) if c.id == ident else c for c in sheet.contracts))


def policy(name, **changes):
    """Return the sheet with one policy changed."""
    return replace(SHEET, **{name: replace(getattr(SHEET, name), **changes)})


def haircuts(*pairs):
    return asset(haircuts=tuple(t.HaircutTier(*p) for p in pairs))


def tiers(*pairs):
    return contract(tiers=tuple(t.Tier(*p) for p in pairs))


def many(kind, count):
    """Return `count` copies of an asset or contract with other ids."""
    return tuple(replace(kind, id=i) for i in range(count))


AT = f"contracts[{LINEAR}]"
IN = f"assets[{USDT}]"
FIRST = SHEET.contracts[0]
# (sheet, field, value, what is accepted)
BAD = [
    (replace(SHEET, name=""), "name", "''", "1 to 64 printable ASCII characters"),
    (replace(SHEET, name="x" * 65), "name", "x" * 65, "1 to 64 printable ASCII characters"),
    (replace(SHEET, assets=()), "assets", "0", "1 to 16"),
    (replace(SHEET, assets=many(SHEET.assets[0], 17)), "assets", "17", "1 to 16"),
    (replace(SHEET, contracts=many(FIRST, 4097)), "contracts", "4097", "at most 4096"),
    (replace(SHEET, assets=(*SHEET.assets, SHEET.assets[0])), "assets[].id", str(USDT), "unique"),
    (replace(SHEET, contracts=(*SHEET.contracts, FIRST)), "contracts[].id", str(LINEAR), "unique"),
    (replace(SHEET, assets=(replace(SHEET.assets[0], id=-1),)), "assets[-1].id", "-1", "between 0 and 32767"),
    (replace(SHEET, assets=(replace(SHEET.assets[0], id=2**15),)), "assets[32768].id", "32768", "between 0 and 32767"),
    (asset(symbol=""), f"{IN}.symbol", "''", "1 to 32 printable ASCII characters"),
    (asset(symbol="\x1b[31m"), f"{IN}.symbol", repr("\x1b[31m"), "1 to 32 printable ASCII characters"),
    (asset(symbol="x" * 33), f"{IN}.symbol", "x" * 33, "1 to 32 printable ASCII characters"),
    (asset(decimals=-1), f"{IN}.decimals", "-1", "between 0 and 18"),
    (asset(decimals=19), f"{IN}.decimals", "19", "between 0 and 18"),
    (asset(price_cap=0), f"{IN}.price_cap", "0", "between 1 and"),
    (asset(price_cap=2**40 + 1), f"{IN}.price_cap", str(2**40 + 1), "between 1 and"),
    (asset(premium_ppm=-1), f"{IN}.premium_ppm", "-1", "between 0 and 1000000"),
    (asset(premium_ppm=PPM + 1), f"{IN}.premium_ppm", "1000001", "between 0 and 1000000"),
    (asset(stress_ppm=-1), f"{IN}.stress_ppm", "-1", "between 0 and 999999"),
    (asset(stress_ppm=PPM), f"{IN}.stress_ppm", "1000000", "between 0 and 999999"),
    (asset(haircuts=()), f"{IN}.haircuts", "0", "1 to 64 tiers"),
    (haircuts(*((i, i) for i in range(65))), f"{IN}.haircuts", "65", "1 to 64 tiers"),
    (haircuts((1, 0)), f"{IN}.haircuts[0].lower", "1", "0"),
    (haircuts((0, -1)), f"{IN}.haircuts[0].haircut_ppm", "-1", "between 0 and 1000000"),
    (haircuts((0, PPM + 1)), f"{IN}.haircuts[0].haircut_ppm", "1000001", "between 0 and 1000000"),
    (haircuts((0, 5), (0, 6)), f"{IN}.haircuts[1].lower", "0", f"between 1 and {2**62}"),
    (haircuts((0, 5), (9, 4)), f"{IN}.haircuts[1].haircut_ppm", "4", "between 5 and"),
    (replace(SHEET, tiered=t.LevelFactors(-1, -1, -1, -1)), "tiered.initial", "-1", "between 0 and"),
    (replace(SHEET, tiered=t.LevelFactors(10**8 + 1, 0, 0, 0)), "tiered.initial", "100000001", "between 0 and"),
    (replace(SHEET, tiered=t.LevelFactors(1, 2, 0, 0)), "tiered.margin_call", "2", "at most tiered.initial = 1"),
    (replace(SHEET, tiered=t.LevelFactors(9, 2, 3, 0)), "tiered.liquidation", "3", "at most tiered.margin_call = 2"),
    (replace(SHEET, tiered=t.LevelFactors(9, 2, 1, 2)), "tiered.takeover", "2", "at most tiered.liquidation = 1"),
    (replace(SHEET, charge=t.LevelFactors(1, 2, 0, 0)), "charge.margin_call", "2", "at most charge.initial = 1"),
    (replace(SHEET, hysteresis_ppm=(0, -1, 0, 0)), "hysteresis_ppm[1]", "-1", "between 0 and 1000000"),
    (replace(SHEET, hysteresis_ppm=(0, 0, 0, PPM + 1)), "hysteresis_ppm[3]", "1000001", "between 0 and 1000000"),
    (contract(id=-1), "contracts[-1].id", "-1", "between 0 and 4095"),
    (contract(id=4096), "contracts[4096].id", "4096", "between 0 and 4095"),
    (contract(symbol=""), f"{AT}.symbol", "''", "1 to 32 printable ASCII characters"),
    (contract(asset=9), f"{AT}.asset", "9", f"one of assets [{USDT}, {BTC}]"),
    (contract(units=0), f"{AT}.units", "0", "between 1 and"),
    (contract(units=2**60 + 1), f"{AT}.units", str(2**60 + 1), "between 1 and"),
    (contract(mark_cap=99_999), f"{AT}.mark_cap", "99999", "between 100000 and"),
    (contract(mark_cap=2**44 + 1), f"{AT}.mark_cap", str(2**44 + 1), "between 100000 and"),
    (contract(position_cap=0), f"{AT}.position_cap", "0", "between 1 and"),
    (contract(position_cap=2**31), f"{AT}.position_cap", str(2**31), "between 1 and"),
    (
        contract(position_cap=9_100_000),
        f"{AT}.position_cap x mark_cap",
        str(9_100_000 * FIRST.mark_cap),
        f"at most {2**51} units",
    ),
    (
        contract(position_cap=4_300_000),
        f"{AT}.position_cap x mark_cap x price_cap",
        str(4_300_000 * FIRST.mark_cap * 11 // 10),
        f"at most {2**51} valuation units",
    ),
    (contract(tiers=()), f"{AT}.tiers", "0", "1 to 64 tiers"),
    (tiers(*((i, 0) for i in range(65))), f"{AT}.tiers", "65", "1 to 64 tiers"),
    (tiers((1, 20_000)), f"{AT}.tiers[0].lower", "1", "0"),
    (tiers((0, -1)), f"{AT}.tiers[0].rate_ppm", "-1", "between 0 and"),
    (tiers((0, PPM + 1)), f"{AT}.tiers[0].rate_ppm", "1000001", "between 0 and"),
    (tiers((0, 20_000), (10, 19_999)), f"{AT}.tiers[1].rate_ppm", "19999", "between 20000 and"),
    (tiers((0, 20_000), (0, 20_000)), f"{AT}.tiers[1].lower", "0", "between 1 and"),
    (tiers((0, 20_000), (2**51 + 1, 20_000)), f"{AT}.tiers[1].lower", str(2**51 + 1), "between 1 and"),
    (contract(charge_long=-1), f"{AT}.charge_long", "-1", "between 0 and"),
    (contract(charge_short=-1), f"{AT}.charge_short", "-1", "between 0 and"),
    (contract(charge_long=4 * FIRST.mark_cap + 1), f"{AT}.charge_long", "2000000001", "between 0 and 2000000000"),
    (contract(charge_short=4 * FIRST.mark_cap + 1), f"{AT}.charge_short", "2000000001", "between 0 and 2000000000"),
    (contract(stale_half_band_ppm=-1), f"{AT}.stale_half_band_ppm", "-1", "between 0 and"),
    (contract(stale_half_band_ppm=PPM + 1), f"{AT}.stale_half_band_ppm", "1000001", "between 0 and 1000000"),
    (contract(stale_after_ns=-1), f"{AT}.stale_after_ns", "-1", "between 0 and"),
    (contract(stale_after_ns=10**18 + 1), f"{AT}.stale_after_ns", str(10**18 + 1), "between 0 and"),
    (contract(loadings=(0,) * 9), f"{AT}.loadings", "9", "at most 8 factors"),
    (contract(loadings=(0, 2**44 + 1)), f"{AT}.loadings[1]", str(2**44 + 1), "between"),
    (contract(loadings=(-(2**44) - 1,)), f"{AT}.loadings[0]", str(-(2**44) - 1), "between"),
    (contract(own_loading=-1), f"{AT}.own_loading", "-1", "between 0 and"),
    (contract(own_loading=2**44 + 1), f"{AT}.own_loading", str(2**44 + 1), "between 0 and"),
    (contract(gap_charge=-1), f"{AT}.gap_charge", "-1", "between 0 and"),
    (contract(gap_charge=2**44 + 1), f"{AT}.gap_charge", str(2**44 + 1), "between 0 and"),
    (
        contract(gap_charge=2**51 // FIRST.position_cap + 1),
        f"{AT}.gap_charge x position_cap",
        str((2**51 // FIRST.position_cap + 1) * FIRST.position_cap),
        f"at most {2**51} valuation units",
    ),
    (contract(capacity_lots=-1), f"{AT}.capacity_lots", "-1", "between 0 and"),
    (contract(capacity_lots=2**31), f"{AT}.capacity_lots", str(2**31), "between 0 and"),
    (contract(impact_ppm=-1), f"{AT}.impact_ppm", "-1", "between 0 and"),
    (contract(impact_ppm=PPM + 1), f"{AT}.impact_ppm", "1000001", "between 0 and"),
    (contract(fee_ppm=-1), f"{AT}.fee_ppm", "-1", "between 0 and"),
    (contract(fee_ppm=PPM + 1), f"{AT}.fee_ppm", "1000001", "between 0 and"),
    (contract(dust_lots=-1), f"{AT}.dust_lots", "-1", "between 0 and"),
    (contract(dust_lots=100_001), f"{AT}.dust_lots", "100001", "between 0 and 100000"),
    (contract(fee_ppm=15_001), f"{AT}.fee_ppm + impact_ppm", "20001", "at most 20000"),
    (
        contract(stale_half_band_ppm=PPM, charge_long=FIRST.mark_cap),
        f"{AT}.tiers[-1].rate_ppm",
        "2200000",
        "2000000 ppm",
    ),
    (policy("calls", deadline_ns=0), "calls.deadline_ns", "0", "between 1 and"),
    (policy("calls", deadline_ns=10**15 + 1), "calls.deadline_ns", str(10**15 + 1), "between 1 and"),
    (policy("calls", t_min_ns=-1), "calls.t_min_ns", "-1", "between 0 and"),
    (policy("calls", t_min_ns=900 * 10**9 + 1), "calls.t_min_ns", "900000000001", "between 0 and 900000000000"),
    (policy("calls", z_hundredths=0), "calls.z_hundredths", "0", "between 1 and"),
    (policy("calls", z_hundredths=10_001), "calls.z_hundredths", "10001", "between 1 and"),
    (policy("liquidation", intent_life_ns=0), "liquidation.intent_life_ns", "0", "between 1 and"),
    (policy("liquidation", intent_life_ns=10**15 + 1), "liquidation.intent_life_ns", str(10**15 + 1), "between 1 and"),
    (policy("liquidation", cancel_grace_cycles=0), "liquidation.cancel_grace_cycles", "0", "between 1 and"),
    (policy("liquidation", cancel_grace_cycles=10_001), "liquidation.cancel_grace_cycles", "10001", "between 1 and"),
    (policy("waterfall", market_draw_cap_ppm=-1), "waterfall.market_draw_cap_ppm", "-1", "between 0 and"),
    (policy("waterfall", market_draw_cap_ppm=PPM + 1), "waterfall.market_draw_cap_ppm", "1000001", "between 0 and"),
    (policy("waterfall", global_draw_cap_ppm=-1), "waterfall.global_draw_cap_ppm", "-1", "between 0 and"),
    (policy("waterfall", global_draw_cap_ppm=PPM + 1), "waterfall.global_draw_cap_ppm", "1000001", "between 0 and"),
    (policy("waterfall", adl_after_cycles=-1), "waterfall.adl_after_cycles", "-1", "between 0 and"),
    (policy("waterfall", adl_after_cycles=10**6 + 1), "waterfall.adl_after_cycles", "1000001", "between 0 and"),
    (policy("cycle", nominal_ns=0), "cycle.nominal_ns", "0", "between 1 and"),
    (policy("cycle", nominal_ns=10**15 + 1), "cycle.nominal_ns", str(10**15 + 1), "between 1 and"),
    (policy("cycle", late_cycles=0), "cycle.late_cycles", "0", "between 1 and"),
    (policy("cycle", late_cycles=10**6 + 1), "cycle.late_cycles", "1000001", "between 1 and"),
]


@pytest.mark.parametrize(("sheet", "field", "value", "accepted"), BAD, ids=[f"{f}={v[:24]}" for _, f, v, _ in BAD])
def test_a_broken_bound_names_field_value_and_what_is_accepted(sheet, field, value, accepted):
    with pytest.raises(SheetError) as refused:
        validate_sheet(sheet)
    text = str(refused.value)
    assert text.startswith(field), text
    assert " must be " in text
    assert accepted in text
    assert f", was {value}" in text or f", was '{value}'" in text


@pytest.mark.parametrize(
    "sheet",
    [
        SHEET,
        replace(SHEET, contracts=()),
        replace(SHEET, name="x" * 64),
        haircuts((0, 0), (1, 0), (2, PPM)),
        tiers((0, 20_000), (1, 20_000), (2**51, 50_000)),
        asset(price_cap=1),
        asset(stress_ppm=PPM - 1, premium_ppm=PPM),
        contract(fee_ppm=15_000),
        contract(gap_charge=2**51 // FIRST.position_cap),
        contract(dust_lots=FIRST.position_cap, capacity_lots=2**31 - 1, loadings=(2**44, -(2**44))),
        policy("calls", t_min_ns=900 * 10**9),
        policy("waterfall", adl_after_cycles=0),
    ],
)
def test_what_lies_on_a_bound_is_accepted(sheet):
    assert validate_sheet(sheet) == sheet
    assert decode_sheet(encode_sheet(sheet)) == sheet


def test_an_engine_does_not_start_with_a_bad_sheet():
    with pytest.raises(SheetError, match="position_cap"):
        Engine(contract(position_cap=0), 1)


# Successors

SUCCESSORS = [
    (replace(SHEET, assets=SHEET.assets[:1], contracts=SHEET.contracts[:2]), f"assets[{BTC}]", "must stay"),
    (replace(SHEET, contracts=SHEET.contracts[1:]), AT, "must stay"),
    (asset(symbol="USD"), f"{IN}.symbol", "'USDT'"),
    (asset(price_cap=1_099_999), f"{IN}.price_cap", "1100000"),
    (asset(price_cap=1_100_001), f"{IN}.price_cap", "1100000"),
    (contract(symbol="XBT"), f"{AT}.symbol", "'BTCUSDT'"),
    (contract(kind=t.Kind.INVERSE), f"{AT}.kind", "LINEAR"),
    (contract(asset=BTC, position_cap=1_000), f"{AT}.asset", str(USDT)),
    (contract(units=11), f"{AT}.units", "10"),
    (contract(mark_cap=FIRST.mark_cap - 1), f"{AT}.mark_cap", f"at least {FIRST.mark_cap}"),
    (contract(position_cap=FIRST.position_cap - 1), f"{AT}.position_cap", f"at least {FIRST.position_cap}"),
    (contract(impact_ppm=PPM), f"{AT}.fee_ppm + impact_ppm", "at most"),
]


@pytest.mark.parametrize(("sheet", "field", "accepted"), SUCCESSORS)
def test_what_was_admitted_stays_admitted(sheet, field, accepted):
    with pytest.raises(SheetError) as refused:
        check_successor(SHEET, sheet)
    assert str(refused.value).startswith(field)
    assert accepted in str(refused.value)


@pytest.mark.parametrize(("sheet", "field", "accepted"), SUCCESSORS)
def test_a_refused_sheet_changes_nothing_and_says_why(sheet, field, accepted):
    driver = Driver(SHEET)
    driver.ok(cm.SetSheet, sheet=encode_sheet(sheet))
    result = driver.cut()
    (event,) = result.events
    assert event.kind == "sheet_refused"
    assert event.fields["why"].startswith(field)
    assert hash_sheet(driver.engine.house.sheet) == hash_sheet(SHEET)


@pytest.mark.parametrize(
    "sheet",
    [
        replace(SHEET, name="next"),
        contract(mark_cap=FIRST.mark_cap + 1, position_cap=FIRST.position_cap + 1),
        contract(INVERSE, tiers=(t.Tier(0, 30_000),)),
        replace(SHEET, contracts=(*SHEET.contracts, replace(FIRST, id=9, symbol="NEW"))),
        replace(SHEET, contracts=SHEET.contracts[::-1]),
    ],
)
def test_a_good_successor_is_used_from_the_next_cycle_on(sheet):
    driver = Driver(SHEET)
    driver.ok(cm.SetSheet, sheet=encode_sheet(sheet))
    assert driver.cut().opened.sheet_hash == hash_sheet(SHEET)
    assert driver.cut().opened.sheet_hash == hash_sheet(sheet)


def test_names_of_limits_are_those_of_the_rulebook():
    assert (limits.NOTIONAL_MAX, limits.CASH_MAX, limits.POSITIONS_MAX) == (2**51, 2**58, 64)
    assert {c.id for c in SHEET.contracts} == {LINEAR, ALT, INVERSE}
