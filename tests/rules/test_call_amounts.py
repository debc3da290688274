"""
Rules MC-020 to MC-025: what a collateral agreement moves, with both sides mirrored.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.procedures.margin_calls.amounts import (
    Approach,
    Movement,
    credit_support,
    credit_support_two_way,
    initial_margin_support,
    size_transfer,
)

MONEY = st.integers(0, 10**15)
SIGNED = st.integers(-(10**15), 10**15)


@pytest.mark.parametrize(
    ("exposure", "independent", "threshold", "required"),
    [(700, 0, 500, 200), (500, 0, 500, 0), (400, 0, 500, 0), (300, 100, 0, 400), (-200, 0, 0, 0), (-200, 250, 0, 50)],
)
def test_mc_020_support_is_what_is_above_the_threshold(
    exposure: int, independent: int, threshold: int, required: int
) -> None:
    """MC-020."""
    assert credit_support(exposure, independent, threshold) == required


@given(SIGNED, SIGNED, MONEY, MONEY)
def test_mc_021_the_other_side_computes_the_negative(value: int, ia: int, receive: int, pay: int) -> None:
    """MC-021, mirrored."""
    ours = credit_support_two_way(value, ia, receive, pay)
    assert credit_support_two_way(-value, -ia, pay, receive) == -ours
    assert max(ours, 0) == credit_support(value, ia, receive) and max(-ours, 0) == credit_support(-value, -ia, pay)


def test_mc_022_the_greater_of_margin_and_independent_amount() -> None:
    """MC-022."""
    assert initial_margin_support(900, 500, 450, Approach.GREATER_OF) == 450
    assert initial_margin_support(900, 500, 350, Approach.GREATER_OF) == 400
    assert initial_margin_support(900, 500, 450, Approach.DISTINCT) == 400
    assert initial_margin_support(300, 500, 0, Approach.DISTINCT) == 0


@pytest.mark.parametrize(("held", "moves"), [(401, 0), (400, 100), (399, 101)])
def test_mc_023_an_amount_equal_to_the_minimum_moves(held: int, moves: int) -> None:
    """MC-023, mirrored: a return meets the same minimum."""
    assert size_transfer(500, held, least=100) == (
        Movement.DELIVER if moves else Movement.NONE,
        moves,
        500 - held,
    )
    assert size_transfer(held, 500, least=100).amount == moves


def test_mc_024_rounding_is_against_the_transferor() -> None:
    """MC-024."""
    assert size_transfer(377, 0, multiple=10) == (Movement.DELIVER, 380, 377)
    assert size_transfer(0, 377, multiple=10) == (Movement.RETURN, 370, -377)
    assert size_transfer(0, 7, multiple=10) == (Movement.NONE, 0, -7)


@pytest.mark.parametrize(("disputed", "amount"), [(0, 390), (250, 140), (300, 0), (500, 0)])
def test_mc_025_what_is_disputed_stays(disputed: int, amount: int) -> None:
    """MC-025."""
    assert size_transfer(985, 600, disputed, least=100, multiple=10).amount == amount


@pytest.mark.parametrize(("required", "held"), [(900, 600), (600, 900), (600, 600)])
def test_mc_025_nothing_undisputed_is_no_movement(required: int, held: int) -> None:
    """MC-025, mirrored, without a minimum."""
    assert size_transfer(required, held, disputed=300) == (Movement.NONE, 0, required - held)


@given(MONEY, MONEY, MONEY, MONEY, st.integers(1, 10**6), MONEY)
def test_transfers_never_overshoot_by_a_multiple(
    required: int, held: int, disputed: int, least: int, multiple: int, more: int
) -> None:
    """MC-023 to MC-025."""
    moved = size_transfer(required, held, disputed, least=least, multiple=multiple)
    after = held + (moved.amount if moved.movement is Movement.DELIVER else -moved.amount)
    assert moved.amount % multiple == 0 and (moved.amount == 0) == (moved.movement is Movement.NONE)
    if moved.movement is Movement.DELIVER:
        assert required - disputed <= after < required - disputed + multiple and moved.short > 0
    elif moved.movement is Movement.RETURN:
        assert required + disputed <= after < required + disputed + multiple and moved.short < 0
    if moved.movement is Movement.DELIVER:
        assert size_transfer(required + more, held, disputed, least=least, multiple=multiple).amount >= moved.amount
