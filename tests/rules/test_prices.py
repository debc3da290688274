"""
Rules PR: liquidation and bankruptcy prices, concession, bankruptcy value, mirrored.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.small import ALT, COIN, PERP, make_account, make_sheet, value
from tocsin.margin.levels import compute_level
from tocsin.margin.prices import bankruptcy_price, bankruptcy_value, concession_limit, liquidation_price
from tocsin.margin.state import AccountState, Level
from tocsin.sheet.terms import LevelFactors

sides = pytest.mark.parametrize("side", [1, -1])
PLAIN = make_sheet(charge=LevelFactors(0, 0, 0, 0), hysteresis_ppm=(0, 0, 0, 0))


@pytest.mark.parametrize(
    ("side", "level", "mark"),
    [
        # 10 lots, 60,000: 60,000 + 10 (m - 100,000) < 0.05 x 10 m  <=>  9.5 m < 940,000, and so on.
        (1, Level.LIQUIDATION, 98_947),
        (-1, Level.LIQUIDATION, 100_953),
        (1, Level.TAKEOVER, 97_241),
        (-1, Level.TAKEOVER, 102_581),
        (1, Level.BANKRUPTCY, 93_999),
        (-1, Level.BANKRUPTCY, 106_001),
    ],
)
def test_pr_001_and_pr_002_the_first_mark_that_falls(side: int, level: Level, mark: int) -> None:
    """PR-001, PR-002: one mark before it stands."""
    account = make_account(60_000, perp=side * 10)
    assert liquidation_price(account, value(PLAIN), PERP, level).mark == mark
    assert compute_level(account, value(PLAIN, perp=mark)) >= level
    assert compute_level(account, value(PLAIN, perp=mark + side)) < level


@sides
def test_pr_001_an_inverse_contract(side: int) -> None:
    """PR-001: marks are negative and move the same way."""
    account = make_account(btc=100_000, coin=side * 10)
    mark = liquidation_price(account, value(PLAIN), COIN).mark
    assert (mark + 100_000) * side < 0
    assert compute_level(account, value(PLAIN, coin=mark)) is Level.LIQUIDATION
    assert compute_level(account, value(PLAIN, coin=mark + side)) < Level.LIQUIDATION


@sides
def test_pr_003_why_there_is_none(side: int) -> None:
    """PR-003"""
    at = value(PLAIN)
    assert liquidation_price(make_account(5, perp=side), at, ALT) == (None, "no position")
    assert liquidation_price(make_account(49_999, perp=side * 10), at, PERP) == (None, "already below")
    assert liquidation_price(make_account(10**7, perp=side), at, PERP) == (None, "never")
    assert liquidation_price(AccountState(1, 1), at, 77) == (None, "no position")


@sides
@given(usd=st.integers(0, 300_000), btc=st.integers(0, 30_000), lots=st.integers(1, 40), alt=st.integers(-20, 20))
def test_pr_004_with_all_else_as_it_is(side: int, usd: int, btc: int, lots: int, alt: int) -> None:
    """PR-004, PR-005: over haircut tiers, brackets and another leg."""
    account = make_account(usd, btc, perp=side * lots, alt=alt)
    for level in (Level.LIQUIDATION, Level.BANKRUPTCY):
        answer = liquidation_price(account, value(PLAIN), PERP, level)
        if answer.mark is None:
            continue
        assert (100_000 - answer.mark) * side > 0
        assert compute_level(account, value(PLAIN, perp=answer.mark)) >= level
        assert compute_level(account, value(PLAIN, perp=answer.mark + side)) < level


@sides
def test_pr_005_bankruptcy_reads_no_haircut(side: int) -> None:
    """PR-005: 10,000 BTC are 20,000 raw, 15,300 by schedule."""
    account = make_account(btc=10_000, perp=side * 10)
    assert bankruptcy_price(account, value(PLAIN), PERP).mark == 100_000 - side * 2_001


@pytest.mark.parametrize(
    ("equity", "freed", "requirement", "limit"),
    [
        (901, 1, 2, 450),
        (900, 2, 2, 900),
        (900, 3, 2, 900),
        (900, 1, 0, 900),
        (0, 1, 2, 0),
        (-7, 1, 2, 0),
        (9, -1, 2, 0),
    ],
)
def test_pr_006_concession(equity: int, freed: int, requirement: int, limit: int) -> None:
    """PR-006: rounded down, never below 0."""
    assert concession_limit(equity, freed, requirement) == limit


@pytest.mark.parametrize(
    ("side", "equity", "least"), [(1, 901, 49_550), (-1, 901, -50_450), (1, -901, 50_451), (-1, -901, -49_549)]
)
def test_pr_007_bankruptcy_value(side: int, equity: int, least: int) -> None:
    """PR-007: half of the account closed at a value of 50,000; rounded so that the fund never pays for rounding."""
    assert bankruptcy_value(side * 50_000, equity, 1, 2) == least
