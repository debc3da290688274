"""
Rules EQ: what an account is worth.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.small import ALT, BTC, COIN, PERP, USD, make_account, value
from tocsin.margin.state import AccountState
from tocsin.margin.valuation import compute_balances, compute_equity, compute_raw_equity


@pytest.mark.parametrize("side", [1, -1])
def test_eq_001_balances(side: int) -> None:
    """EQ-001: cash plus q (m - F) - e, per settlement asset."""
    account = AccountState(
        1, 1, cash={USD: 50}, positions={PERP: (side * 3, side * 290_000), ALT: (-side, 0), COIN: (side * 2, side * 7)}
    )
    balances = compute_balances(account, value(perp=101_000, alt=30, coin=-9, funding=40))
    # 3 x (101,000 - 40) - 290,000 = 12,880; -30; 2 x -9 - 7 = -25.
    assert balances == {USD: 50 + side * (12_880 - 30), BTC: -side * 25}


@pytest.mark.parametrize("side", [1, -1])
def test_eq_001_linear_and_inverse_gain_with_the_price(side: int) -> None:
    """EQ-001: an inverse mark rises toward zero with the price."""
    assert compute_balances(make_account(perp=side), value(perp=100_010))[USD] == side * 10
    assert compute_balances(make_account(coin=side), value(coin=-99_990))[BTC] == side * 10


@pytest.mark.parametrize(
    ("btc", "equity"),
    [(1, 1), (10, 18), (1_000, 1_800), (1_001, 1_801), (1_002, 1_803), (3_000, 4_800), (-10, -20)],
)
def test_eq_003_haircut_tiers(btc: int, equity: int) -> None:
    """EQ-003, EQ-004: price 2; 10 % off the first 1,000, 25 % beyond; rounded down."""
    assert compute_equity(make_account(btc=btc), value()) == equity


def test_eq_003_premium_of_a_negative_balance() -> None:
    """EQ-003: 10 %."""
    assert compute_equity(make_account(-100), value()) == -110


def test_eq_004_one_rounding_down() -> None:
    """EQ-004: 3 x 0.9 x 2 = 5.4 and -1.1 are 4.3; -5.5 + 1.8 is -3.7."""
    assert compute_equity(make_account(-1, 3), value()) == 4
    assert compute_equity(make_account(-5, 1), value()) == -4


@pytest.mark.parametrize(("usd", "btc", "raw"), [(-15, 10, 5), (15, -10, -5), (-21, 10, -1)])
def test_eq_005_raw_equity_has_no_haircut(usd: int, btc: int, raw: int) -> None:
    """EQ-005"""
    account = make_account(usd, btc)
    assert compute_raw_equity(account, value()) == raw
    assert compute_equity(account, value()) <= raw


@pytest.mark.parametrize(("btc", "equity", "raw"), [(10, 0, 0), (-10, -40, -40)])
def test_eq_006_without_a_price(btc: int, equity: int, raw: int) -> None:
    """EQ-006: nothing while owned, the cap (4) while owed."""
    assert compute_equity(make_account(btc=btc), value(btc=0)) == equity
    assert compute_raw_equity(make_account(btc=btc), value(btc=0)) == raw


@given(st.integers(-5_000, 5_000), st.integers(-5_000, 5_000), st.integers(0, 300))
def test_eq_007_concave_and_never_falling(usd: int, btc: int, step: int) -> None:
    """EQ-007: to one unit of rounding."""
    low, mid, high = (compute_equity(make_account(usd, btc + k * step), value()) for k in (0, 1, 2))
    assert low <= mid <= high
    assert high - mid <= mid - low + 1


def test_eq_008_what_is_no_equity() -> None:
    """EQ-008"""
    account = make_account(100, holds={PERP: (50, 50)})
    account.in_transit[USD] = 900
    assert compute_equity(account, value()) == 100


def test_eq_002_each_position_counts() -> None:
    """EQ-002: a position without a mark cannot be valued, so it can never be opened (MK-014)."""
    account = make_account(5)
    account.positions[77] = (1, 1)
    with pytest.raises(KeyError):
        compute_balances(account, value())
