"""
R11: a price at which lots are closed by force never depends on how the close is cut up, and is never absurd.

Dango's test network: a bankruptcy price computed after matching, without bounds, closed positions by auto-deleveraging
at -45,763 and -9,804: 19.5 million dollars went from one side to the other. 3 and 5 June 2026: the price was computed
with the lots scheduled to close instead of the whole position; the engine closed at -0.597 where 76.32 was meant. Here
lots go to other accounts at the mark of the close that dealt them, orders of a liquidation have a limit within the
impact bound, and the bankruptcy price is that of the whole account and exists only between one tick and the cap.
"""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.incident import ALT, MARK, PERP, USD, CloseLots, Grant, Scene, incident_sheet
from tocsin.margin.prices import bankruptcy_price, bankruptcy_value
from tocsin.margin.state import AccountState
from tocsin.margin.valuation import Valuation
from tocsin.sheet import terms as t
from tocsin.sheet.marks import Grade, Mark, Marks

SIDES = pytest.mark.parametrize("side", [1, -1])


def at(side: int, mark: int = MARK) -> Valuation:
    entry = Mark(side * mark, 0, Grade.FRESH, 0)
    return Valuation(
        incident_sheet(side), Marks({PERP: entry, ALT: Mark(side * MARK, 0, Grade.FRESH, 0)}, {USD: 10**6})
    )


def holder(side: int, lots: int, cash: int, entry: int = MARK) -> AccountState:
    return AccountState(1, 1, cash={USD: cash}, positions={PERP: (side * lots, lots * entry)})


@SIDES
@settings(max_examples=30)
@given(cash=st.integers(-(10**7), 10**7), mark=st.integers(1, 300_000), lots=st.integers(1, 80))
def test_r11_the_price_is_of_the_whole_position_and_in_bounds(side: int, cash: int, mark: int, lots: int) -> None:
    """PR-005: `mark - equity / lots` of a long, up to one unit, between one and the cap, or none with the reason."""
    answer = bankruptcy_price(holder(side, lots, cash), at(side, mark), PERP)
    equity = cash + lots * (mark - MARK)
    if equity < 0:
        assert answer == (None, "already below")
    elif answer.mark is None:
        assert (answer.reason, lots * mark - equity <= lots) == ("never", True)
    else:
        price = side * answer.mark
        assert 1 <= price <= mark
        assert lots * (mark - price) > equity >= lots * (mark - price - 1)


@SIDES
def test_r11_a_part_costs_its_part(side: int) -> None:
    """
    PR-007: equity 80,000 behind 10 lots: one lot must bring 100,000 - 8,000, all of them 920,000. Divided by the lots
    to close, as in June 2026, the first lot alone would have had to bring 20,000 and could have been sold so.
    """
    for lots in range(1, 11):
        value = bankruptcy_value(lots * MARK, 80_000, lots * 5_000, 50_000)
        assert value == lots * 92_000
    assert MARK - 80_000 // 1 == 20_000
    assert bankruptcy_value(-MARK, 80_000, 5_000, 50_000) == -108_000


def crash(side: int, cash: int, mark: int, capacity: int) -> Scene:
    """Account 1 is long 20 lots, account 2 short 20; the price falls to `mark`, and lots are taken by force."""
    scene = Scene(side, perp={"capacity_lots": capacity}, waterfall=t.WaterfallPolicy(adl_after_cycles=0))
    scene.join(1, cash)
    scene.join(2, 10**7)
    scene.cut()
    scene.trade(1, 20, 2)
    scene.cut()
    scene.mark(mark)
    return scene


@SIDES
@settings(max_examples=10)
@given(cash=st.integers(100_000, 2_500_000), mark=st.integers(1, 99_999), capacity=st.integers(0, 30))
def test_r11_forced_closes_are_at_the_mark_or_within_its_bound(side: int, cash: int, mark: int, capacity: int) -> None:
    """WF-049, LQ-016: whatever is missing, another account's lots go at the mark; orders give up at most 1 %."""
    scene = crash(side, cash, mark, capacity)
    for _ in range(6):
        for closed in scene.decided(CloseLots):
            assert closed.value == closed.lots * side * mark
        for grant in scene.decided(Grant):
            assert abs(grant.limit - side * mark) * 100 <= mark
            assert side * grant.limit > 0
        scene.cut()


@SIDES
def test_r11_a_hopeless_account_does_not_move_the_price(side: int) -> None:
    """WF-049: 20 lots, 1,900,000 missing, equity per lot is -95,000: 45,763 below zero was such a price."""
    scene = crash(side, 100_000, 1, 0)
    scene.cuts(3)
    (closed,) = scene.decided(CloseLots)
    assert (closed.account, closed.lots, closed.value) == (2, side * 20, 20)
    scene.cuts(3)
    assert scene.cash(2) == 10**7 + 20 * 99_999 - (20 * 99_999 - 100_000)


@SIDES
def test_r11_orders_of_a_thin_account_keep_to_the_impact_bound(side: int) -> None:
    """LQ-016: equity of 4,900 a lot is far more than the bound of 1 %: the limit is 990 below 99,000, not 4,900."""
    scene = crash(side, 118_000, 99_000, 100)
    scene.cuts(2)
    (grant,) = scene.decided(Grant)
    assert side * grant.limit == 99_000 - 990
