"""
Rules RQ: what an account must have, mirrored long and short.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.small import ALT, PERP, make_account, make_sheet, value
from tocsin.margin.requirement import (
    INITIAL,
    LIQUIDATION,
    MARGIN_CALL,
    SCALE,
    TAKEOVER,
    compute_requirement,
    sum_requirement,
)
from tocsin.margin.valuation import compute_deductions
from tocsin.sheet import terms as t
from tocsin.sheet.marks import Grade

NO_CHARGE = {"charge_long": 0, "charge_short": 0}
sides = pytest.mark.parametrize("side", [1, -1])


@sides
def test_rq_001_a_sum_over_contracts(side: int) -> None:
    """RQ-001: collateral, P&L and other contracts change nothing."""
    parts = [make_account(perp=side * 4), make_account(alt=-side * 3)]
    both = make_account(999, 888, perp=side * 4, alt=-side * 3)
    both.positions[PERP] = (side * 4, 123)
    for level in range(4):
        assert sum_requirement(both, value(), level) == sum(sum_requirement(p, value(), level) for p in parts) > 0


@sides
@pytest.mark.parametrize(("lots", "need"), [(1, 5_000), (20, 100_000), (21, 110_000), (30, 200_000)])
def test_rq_002_brackets(side: int, lots: int, need: int) -> None:
    """RQ-002, RQ-003: 5 % to 2,000,000 of notional, 10 % beyond, continuous at the edge."""
    assert compute_requirement(make_account(perp=side * lots), value(), LIQUIDATION) == need


def test_rq_003_deductions() -> None:
    """RQ-003: the same as each bracket's rate on the notional inside it."""
    lowers, rates = (0, 100, 300, 1_000), (10, 20, 20, 50)
    deductions = compute_deductions(lowers, rates)
    assert deductions == (0, 1_000, 1_000, 31_000)
    for notional in (0, 99, 100, 101, 299, 300, 999, 1_000, 5_000):
        inside = sum(
            rate * (min(notional, upper) - lower)
            for lower, upper, rate in zip(lowers, (*lowers[1:], 10**9), rates, strict=True)
            if notional > lower
        )
        i = max(k for k, lower in enumerate(lowers) if lower <= notional)
        assert rates[i] * notional - deductions[i] == inside


@pytest.mark.parametrize(("side", "charge"), [(1, 3_000), (-1, 4_000)])
def test_rq_004_charge_per_side(side: int, charge: int) -> None:
    """RQ-004, RQ-005: at a low mark the charge is the larger component: factor 2 at initial, 1 at margin_call."""
    account, at = make_account(perp=side * 7), value(perp=100)
    needs = [compute_requirement(account, at, level) for level in (INITIAL, MARGIN_CALL, LIQUIDATION)]
    assert needs == [14 * charge, 7 * charge, 35]


@sides
def test_rq_005_maximum_or_sum(side: int) -> None:
    """RQ-005: per contract and level, after factors."""
    charges = {"charge_long": 5_000, "charge_short": 5_000}
    account = make_account(perp=side)
    needs = {
        combine: [
            compute_requirement(account, value(make_sheet(perp={**charges, "combine": combine})), level)
            for level in (INITIAL, MARGIN_CALL, LIQUIDATION, TAKEOVER)
        ]
        for combine in t.Combine
    }
    # Tiered 10,000, 6,250, 5,000, 3,333.335; charge 10,000, 5,000, 0, 0.
    assert needs[t.Combine.MAX] == [10_000, 6_250, 5_000, 3_334]
    assert needs[t.Combine.SUM] == [20_000, 11_250, 5_000, 3_334]


@sides
def test_rq_006_half_band_of_a_leg_that_is_not_fresh(side: int) -> None:
    """RQ-006: at initial only, on |q|, also on what orders would fill."""
    account = make_account(perp=side * 10)
    assert compute_requirement(account, value(), INITIAL) == 100_000
    assert compute_requirement(account, value(grade=Grade.STALE), INITIAL) == 120_000
    assert compute_requirement(account, value(grade=Grade.STALE), MARGIN_CALL) == 62_500


@pytest.mark.parametrize(
    ("lots", "hold", "counted"),
    [(10, (0, 0), 10), (10, (3, 0), 13), (10, (0, 5), 10), (10, (0, 25), -15), (10, (4, 25), -15), (0, (4, 6), -6)],
)
@sides
def test_rq_007_the_worst_of_three(side: int, lots: int, hold: tuple[int, int], counted: int) -> None:
    """RQ-007: the other side's hold is the mirrored one; below initial holds do not count."""
    sheet = make_sheet(perp=NO_CHARGE)
    bid, ask = hold if side > 0 else hold[::-1]
    account = make_account(perp=side * lots, holds={PERP: (bid, ask)})
    assert compute_requirement(account, value(sheet), INITIAL) == abs(counted) * 10_000
    assert compute_requirement(account, value(sheet), MARGIN_CALL) == lots * 6_250


@given(st.integers(-30, 30), st.integers(0, 40), st.integers(0, 40), st.data())
def test_rq_007_covers_every_partial_fill(lots: int, bid: int, ask: int, data: st.DataObject) -> None:
    """RQ-007"""
    filled = data.draw(st.integers(-ask, bid))
    held = make_account(perp=lots, holds={PERP: (bid, ask)})
    after = make_account(perp=lots + filled)
    assert compute_requirement(after, value(), INITIAL) <= compute_requirement(held, value(), INITIAL)


@sides
def test_rq_008_at_the_price_of_the_settlement_asset(side: int) -> None:
    """RQ-008: without haircut, at the cap while there is no price."""
    needs = [
        compute_requirement(make_account(coin=side * 10), value(btc=price), LIQUIDATION)
        for price in (1_000_000, 2_000_000, 0)
    ]
    assert needs == [50_000, 100_000, 200_000]


@given(st.integers(-60, 60), st.integers(-60, 60), st.integers(0, 3))
def test_rq_009_shrinking_never_needs_more(perp: int, alt: int, level: int) -> None:
    """RQ-009: along lots (perp, alt) x k for k from 1 to 0; convex to one unit of rounding."""
    needs = [compute_requirement(make_account(perp=perp * k, alt=alt * k), value(), level) for k in range(5)]
    assert needs[0] == 0
    assert needs == sorted(needs)
    assert all(b - a <= c - b + 1 for a, b, c in zip(needs, needs[1:], needs[2:], strict=False))


@sides
def test_rq_010_one_rounding_up(side: int) -> None:
    """RQ-010: 5,000.05 + 10,000.10 is 15,000.15."""
    at = value(perp=100_001, alt=100_001)
    assert compute_requirement(make_account(perp=side), at, LIQUIDATION) == 5_001
    assert compute_requirement(make_account(perp=side, alt=side), at, LIQUIDATION) == 15_001
    assert (SCALE, ALT) == (256 * 10**18, 2)
