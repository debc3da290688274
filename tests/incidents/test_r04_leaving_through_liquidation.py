"""
R4: leaving through the liquidation is never cheaper than closing, and nobody can take out what closing will cost.

12 March 2025, Hyperliquid: a trader long 300 million dollars of ETH took his unrealised profit out as cash, let the
rest be liquidated, and left the position to the vault, which lost 4 million closing it. Here `initial` must stay
behind whoever takes money out, large positions need more at every level, and all equity goes with the position. Small
numbers: 1,000 lots of 100,000, whose sale moves the price by 4 %.
"""

import pytest

from tests.helpers.incident import ALT, MARK, PERP, USD, Scene
from tocsin.core.ids import market_fund
from tocsin.engine import commands as cm
from tocsin.sheet import terms as t

SIDES = pytest.mark.parametrize("side", [1, -1])
NO_FLOOR = t.LevelFactors(1_000_000, 1_000_000, 1_000_000, 666_667)
BY_SIZE = (t.Tier(0, 50_000), t.Tier(20_000_000, 100_000))
HIGH = 120_000


def build(side: int, *, floor: bool, by_size: bool) -> Scene:
    """Account 1 buys 1,000 lots from account 2, gains 20 %, and takes out all it can."""
    perp = {"capacity_lots": 0} | ({"tiers": BY_SIZE} if by_size else {})
    changes = {} if floor else {"tiered": NO_FLOOR}
    lend = {"borrow": t.BorrowTerms(10**12)}
    policy = t.WaterfallPolicy(adl_after_cycles=3)
    scene = Scene(side, perp=perp, usd=lend, waterfall=policy, **changes)
    scene.join(1, 30_000_000)
    scene.join(2, 10**9)
    scene.cut()
    scene.trade(1, 1_000, 2)
    scene.cut()
    scene.mark(HIGH)
    scene.cut()
    scene.ok(cm.Borrow, account=1, asset=USD, amount=10**9)
    scene.cuts(2)
    return scene


def abandon(scene: Scene, low: int) -> tuple[int, int]:
    """
    The price falls to `low`; account 1 is taken over, and its lots go at 4 % less. Return what it would have had left
    by closing at that price itself, and what the market's fund made of it (< 0: missing).
    """
    taken_out = scene.released(1)
    equity = 30_000_000 + 1_000 * (low - MARK) - taken_out
    closing = equity - 1_000 * (low // 25)
    scene.mark(low)
    scene.cuts(2)
    assert (scene.lots(1), scene.cash(1), scene.default()) == (0, 0, 1_000)
    scene.mark(low - low // 25)
    scene.cuts(6)
    assert (scene.default(), scene.lots(2)) == (0, 0)
    missing = sum(c.amount for c in scene.engine.house.state.claims)
    missing += sum(f["amount"] for f in scene.ever("debited", 2))
    shared = sum(f["shared"] for f in scene.ever("loss_shared"))
    return closing, scene.cash(market_fund(PERP)) - missing - shared


@SIDES
def test_r4_without_a_floor_the_house_pays(side: int) -> None:
    """One rate for all sizes and no floor: 5 % stay, 4 % fall due on closing, of which half a fall of 2.5 % is left."""
    scene = build(side, floor=False, by_size=False)
    assert scene.released(1) == 50_000_000 - 6_000_000
    closing, fund = abandon(scene, 117_000)
    assert closing == 3_000_000 - 4_680_000
    assert fund == closing < 0


@SIDES
def test_r4_what_stays_pays_for_closing(side: int) -> None:
    """
    AC-006, RQ-002: at 120 million 11 million are due, 22 stay behind. Taken over with 6 million at 104,000; closing
    costs 4.16: whoever leaves through the liquidation gives up 1.84 million to the market's fund.
    """
    scene = build(side, floor=True, by_size=True)
    assert scene.released(1) == 50_000_000 - 22_000_000
    closing, fund = abandon(scene, 104_000)
    assert closing == 6_000_000 - 4_160_000
    assert fund == closing > 0


@SIDES
@pytest.mark.parametrize(("floor", "by_size", "stays"), [(False, False, 5), (True, False, 10), (False, True, 9)])
def test_r4_floor_and_size_each_leave_more(side: int, floor: bool, by_size: bool, stays: int) -> None:
    """AC-006, RQ-002: 5, 10 and 9.17 per cent of 120 million."""
    scene = build(side, floor=floor, by_size=by_size)
    assert (50_000_000 - scene.released(1)) * 100 // (1_000 * HIGH) == stays


@SIDES
def test_r4_cash_that_is_lost_already_does_not_leave(side: int) -> None:
    """AC-006: without lending only cash goes, and no gain: min(cash, balance, headroom)."""
    scene = Scene(side)
    scene.join(1, 12_000_000)
    scene.trade(1, 1_000)
    scene.cut()
    scene.mark(HIGH, alt=MARK)
    scene.cut()
    scene.ok(cm.Withdraw, account=1, asset=USD, amount=10**9)
    scene.cuts(2)
    assert scene.released(1) == 12_000_000
    assert scene.lots(1, ALT) == 0 < scene.lots(1)
