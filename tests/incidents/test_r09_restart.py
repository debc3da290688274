"""
R9: after an outage nobody is liquidated before prices are known again and there was time to act.

10 October 2025, dYdX v4: after about 8 hours without blocks the chain came back with the prices its validators had
last agreed on and liquidated at them; 27 claims, 462,000 dollars were paid. Here the first cycle after a gap is an
outage: orders only reduce, deadlines move, and nothing is called, expires or is liquidated until a grace is over and
enough contracts are fresh, at most for a published time.
"""

import pytest

from tests.helpers.incident import MARK, USD, Scene
from tests.helpers.worlds import MINUTE
from tocsin.engine import commands as cm
from tocsin.sheet import terms as t

SIDES = pytest.mark.parametrize("side", [1, -1])
GAP = 480 * MINUTE
GRACE = t.LifePolicy(grace_ns=5 * MINUTE, quorum_ppm=1_000_000, grace_max_ns=60 * MINUTE)
STALE = {"stale_after_ns": 10 * MINUTE}


def restart(side: int, life: t.LifePolicy, **changes: object) -> Scene:
    """Account 1 is long 10 lots with 120,000. The last price before the gap is 10 % down; then 8 hours of nothing."""
    scene = Scene(side, life=life, perp=STALE, alt=STALE, **changes)
    scene.join(1, 120_000)
    scene.trade(1, 10)
    scene.join(2, 10**7)
    scene.cut()
    scene.mark(90_000)
    scene.cut(GAP)
    return scene


def acted(scene: Scene) -> list[str]:
    kinds = ("taken_over", "reduction_started", "call_issued", "call_expired")
    return [e.kind for e in scene.events() if e.kind in kinds]


@SIDES
def test_r9_without_grace_old_prices_liquidate(side: int) -> None:
    scene = restart(side, t.LifePolicy())
    scene.cut()
    assert acted(scene) == ["taken_over"]


@SIDES
def test_r9_a_price_that_is_put_right_in_time_harms_nobody(side: int) -> None:
    """LC-004, CH-004: the market is back where it was; two minutes later the publisher says so."""
    scene = restart(side, GRACE)
    assert scene.engine.opened.reduce_only
    assert scene.engine.opened.grace
    scene.cuts(2)
    scene.mark()
    scene.cuts(10)
    assert acted(scene) == []
    assert scene.lots(1) == 10
    assert not scene.engine.opened.grace


@SIDES
def test_r9_who_pays_in_during_the_grace_is_not_liquidated(side: int) -> None:
    """LC-004: the price is right, and there was time to pay in."""
    scene = restart(side, GRACE)
    scene.cut()
    scene.ok(cm.Deposit, account=1, asset=USD, amount=60_000)
    scene.mark(90_000)
    scene.cuts(10)
    assert acted(scene) == []


@SIDES
def test_r9_grace_ends_and_so_does_patience(side: int) -> None:
    """LC-004: fresh, five minutes over, still below: taken over in the first cycle after the grace, not before."""
    scene = restart(side, GRACE)
    scene.mark(90_000)
    for minute in range(1, 8):
        scene.cut()
        assert (acted(scene) == []) == (minute <= 5), minute
    assert acted(scene) == ["taken_over"]


@SIDES
def test_r9_no_quorum_no_liquidation_but_not_for_ever(side: int) -> None:
    """LC-004: nothing is published, both contracts are stale after ten minutes: at the longest grace it ends."""
    scene = restart(side, GRACE)
    scene.ok(cm.SetMarket, contract=2, halted=False)
    for _ in range(59):
        scene.cut()
    assert acted(scene) == []
    scene.cuts(3)
    assert acted(scene) == ["taken_over"]


@SIDES
def test_r9_a_deadline_moves_with_the_outage(side: int) -> None:
    """MC-014: called with 15 minutes to pay, 8 hours of outage; what is left of them is left."""
    scene = Scene(side, life=GRACE, calls=t.CallPolicy())
    scene.join(1, 55_000)
    scene.trade(1, 10)
    scene.cut()
    scene.cut()
    (call,) = scene.ever("call_issued", 1)
    scene.mark(MARK)
    scene.cut(GAP)
    scene.cut()
    case = next(c for shard in scene.engine.shards for c in shard.cases.values())
    assert case.call is not None
    assert case.call.deadline_ns == int(call["deadline_ns"]) + GAP - MINUTE
    scene.ok(cm.Deposit, account=1, asset=USD, amount=50_000)
    scene.cuts(8)
    assert [f["amount"] for f in scene.ever("call_cured", 1)] == [call["amount"]]
    assert acted(scene) == ["call_issued"]


@SIDES
def test_r9_new_risk_waits_too(side: int) -> None:
    """CY-015: in the outage cycle only what reduces passes."""
    scene = restart(side, GRACE)
    assert scene.ask(2, 1) == "R-4004"
