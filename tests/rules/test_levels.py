"""
Rules LV: levels, hysteresis, presets, mirrored.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.small import PERP, make_account, make_sheet, value
from tocsin.margin.levels import assess, compute_level
from tocsin.margin.requirement import INITIAL, LIQUIDATION, MARGIN_CALL, compute_exit
from tocsin.margin.state import AccountState, Level, Mode
from tocsin.sheet.presets import tiered_factors
from tocsin.sheet.terms import LevelFactors, Preset

sides = pytest.mark.parametrize("side", [1, -1])
PLAIN = make_sheet(charge=LevelFactors(0, 0, 0, 0))


def level(side: int, equity: int, was: Level = Level.CALM) -> Level:
    """10 lots at 100,000 and 5 %: 100,000, 62,500, 50,000, 33,333.35 -> 33,334."""
    return compute_level(make_account(equity, perp=side * 10, level=was), value(PLAIN))


@sides
@pytest.mark.parametrize(
    ("equity", "expected"),
    [
        (100_000, Level.CALM),
        (99_999, Level.INITIAL),
        (62_500, Level.INITIAL),
        (62_499, Level.MARGIN_CALL),
        (50_000, Level.MARGIN_CALL),
        (49_999, Level.LIQUIDATION),
        (33_334, Level.LIQUIDATION),
        (33_333, Level.TAKEOVER),
        (0, Level.TAKEOVER),
        (-1, Level.BANKRUPTCY),
    ],
)
def test_lv_001_and_lv_002_entering(side: int, equity: int, expected: Level) -> None:
    """LV-001, LV-002: equality stands."""
    assert level(side, equity) is expected


@sides
def test_lv_003_bankruptcy_reads_raw_equity(side: int) -> None:
    """LV-003: 30 % off by haircut and premium is no bankruptcy while the unhaircut sum is not negative."""
    account = make_account(-1_700, 1_000, perp=side)  # -1,870 + 1,800 by schedule, -1,700 + 2,000 raw
    assert compute_level(account, value(PLAIN)) is Level.TAKEOVER
    account = make_account(-2_001, 1_000, perp=side)
    assert compute_level(account, value(PLAIN)) is Level.BANKRUPTCY


@sides
@pytest.mark.parametrize(
    ("was", "equity", "expected"),
    [
        (Level.INITIAL, 99_999, Level.INITIAL),
        (Level.INITIAL, 100_000, Level.CALM),
        (Level.MARGIN_CALL, 65_624, Level.MARGIN_CALL),
        (Level.MARGIN_CALL, 65_625, Level.INITIAL),
        (Level.MARGIN_CALL, 100_000, Level.CALM),
        (Level.LIQUIDATION, 52_499, Level.LIQUIDATION),
        (Level.LIQUIDATION, 52_500, Level.MARGIN_CALL),
        (Level.LIQUIDATION, 65_625, Level.INITIAL),
        (Level.TAKEOVER, 33_334, Level.LIQUIDATION),
        (Level.BANKRUPTCY, 200_000, Level.CALM),
    ],
)
def test_lv_004_leaving(side: int, was: Level, equity: int, expected: Level) -> None:
    """LV-004: hysteresis 5 % at margin_call and liquidation."""
    assert level(side, equity, was) is expected


@sides
def test_lv_004_the_exit_is_rounded_up_once(side: int) -> None:
    """LV-004: 10,001.25 x 1.05 = 10,501.3125; rounding the requirement first would give 10,502.1."""
    account = make_account(perp=side)
    assert compute_exit(account, value(PLAIN, perp=160_020), MARGIN_CALL) == 10_502
    assert compute_exit(account, value(PLAIN, perp=100_019), LIQUIDATION) == 5_251  # 5,000.95 x 1.05 = 5,250.9975
    assert compute_exit(account, value(PLAIN), INITIAL) == 10_000


@sides
def test_lv_005_always_calm(side: int) -> None:
    """LV-005"""
    assert compute_level(make_account(-(10**9), perp=side, mode=Mode.EXTERNAL), value()) is Level.CALM
    assert compute_level(AccountState(1, 1, in_transit={1: 5}), value()) is Level.CALM
    assert assess(make_account(-5, perp=side, mode=Mode.EXTERNAL), value()).level is Level.CALM


@given(
    st.integers(-400_000, 400_000),
    st.integers(-2_000, 2_000),
    st.integers(-30, 30),
    st.integers(-30, 30),
    st.sampled_from(list(Level)),
    st.integers(0, 20),
)
def test_lv_006_two_forms_agree(usd: int, btc: int, perp: int, alt: int, was: Level, bid: int) -> None:
    """LV-006"""
    account = make_account(usd, btc, perp=perp, alt=alt, level=was, holds={PERP: (bid, 0)} if bid else None)
    assert compute_level(account, value()) is assess(account, value()).level


@pytest.mark.parametrize(
    ("preset", "needs", "at_maintenance", "below"),
    [
        (Preset.EXCHANGE, (100_000, 62_500, 50_000, 33_334), Level.MARGIN_CALL, Level.LIQUIDATION),
        (Preset.BROKER, (75_000, 50_000, 40_000, 25_000), Level.INITIAL, Level.MARGIN_CALL),
        (Preset.CLEARING, (50_000, 50_000, 25_000, 12_500), Level.CALM, Level.MARGIN_CALL),
    ],
)
@sides
def test_lv_010_presets(side: int, preset: Preset, needs: tuple, at_maintenance: Level, below: Level) -> None:
    """LV-010, LV-011, LV-012, LV-013: the venue's maintenance is 50,000; who has one unit less is at `below`."""
    at = value(make_sheet(preset=preset, tiered=tiered_factors(preset), charge=LevelFactors(0, 0, 0, 0)))
    assert assess(make_account(perp=side * 10), at).requirements == needs
    assert compute_level(make_account(50_000, perp=side * 10), at) is at_maintenance
    assert compute_level(make_account(49_999, perp=side * 10), at) is below
