"""
R17: every state has a way out that takes a bounded number of cycles.

dYdX v4-chain change 536: accounts could not be liquidated because the same position, which nobody would take, was
tried first each time. Drift changes 2122 and 2123: users stayed "being liquidated" after they had recovered. Synthetix
v3: a flagged account cannot be rescued. Here an account that pays in leaves the liquidation; an order nobody answers
is given up; a leg that cannot be traded does not hold up the others; collateral nobody buys is taken over. A model
test over wild histories looks at every cycle for states without an exit (tests/properties/test_broad.py).
"""

import pytest

from tests.helpers.incident import ALT, COIN, MARK, PERP, USD, Scene
from tocsin.engine import commands as cm
from tocsin.margin.state import Level
from tocsin.procedures.liquidation.intent import Intent
from tocsin.sheet import terms as t

SIDES = pytest.mark.parametrize("side", [1, -1])


def reducing(side: int, *, alt: int = 0, **changes: object) -> Scene:
    """Account 1 is long 10 lots with 10 %; a fall leaves less than 5 %. With `alt` of ALT as well PERP is halted."""
    scene = Scene(side, **changes)
    scene.join(1, 100_000 + 10_000 * alt)
    scene.trade(1, 10)
    if alt:
        scene.trade(1, alt, contract=ALT)
    scene.cut()
    scene.mark(MARK - (10_600 if alt else 5_400))
    if alt:
        scene.ok(cm.SetMarket, contract=PERP, halted=True)
    scene.cuts(2)
    assert scene.state(1).level == Level.LIQUIDATION
    return scene


def intents(scene: Scene) -> list[Intent]:
    return [i for shard in scene.engine.shards for case in shard.cases.values() for i in case.intents]


@SIDES
def test_r17_whoever_pays_in_is_free_again(side: int) -> None:
    """CY-011: the reduction ends in the same cycle, its orders are cancelled, and the account may open and withdraw."""
    scene = reducing(side)
    scene.cut()
    scene.ok(cm.Deposit, account=1, asset=USD, amount=500_000)
    scene.cut()
    assert len(scene.said("reduction_done", 1)) == 1
    scene.cuts(5)
    assert all(not shard.cases for shard in scene.engine.shards)
    assert scene.ask(1, 1) == "OK"
    scene.ok(cm.Withdraw, account=1, asset=USD, amount=1_000)
    scene.cuts(2)
    assert scene.released(1) == 1_000


@SIDES
def test_r17_orders_that_nobody_answers_are_given_up(side: int) -> None:
    """LQ-006, LQ-007: after its life an intent is cancelled, after the grace given up; the plan asks for new lots."""
    scene = reducing(side, liquidation=t.LiquidationPolicy(cancel_grace_cycles=2))
    seen: dict[int, int] = {}
    for _ in range(20):
        scene.cut()
        for intent in intents(scene):
            seen[intent.id] = seen.get(intent.id, 0) + 1
    assert len(seen) >= 3
    # Two minutes of life, two cycles of grace, and the cycle at whose end it is looked at.
    assert max(seen.values()) <= 5


@SIDES
def test_r17_a_leg_that_cannot_be_traded_does_not_hold_up_the_other(side: int) -> None:
    """LQ-012: PERP is halted, ALT is sold; once that is filled the account is out of its liquidation."""
    scene = reducing(side, alt=10)
    scene.cut()
    (working,) = intents(scene)
    assert working.contract == ALT
    scene.serve(1, working.id, working.left, MARK, ALT)
    scene.cuts(2)
    assert (intents(scene), scene.lots(1)) == ([], 10)
    assert 0 < scene.lots(1, ALT) < 10
    assert scene.state(1).level < Level.MARGIN_CALL


@SIDES
def test_r17_a_market_that_never_comes_back_is_settled(side: int) -> None:
    """
    LC-005, LC-012: its only leg halted, the account can but wait; delisting and delivery pay it out and end the case.
    """
    scene = Scene(side, perp={"units": 1 if side > 0 else 10**10})
    scene.join(1, 100_000)
    scene.join(2, 10**6)
    scene.trade(1, 10, 2)
    scene.cut()
    scene.mark(MARK - 5_400)
    scene.ok(cm.SetMarket, contract=PERP, halted=True)
    scene.cuts(12)
    assert (scene.state(1).level, scene.lots(1), intents(scene)) == (Level.LIQUIDATION, 10, [])
    scene.ok(cm.Delist, contract=PERP)
    price = 95_000 if side > 0 else 10**10 // 95_000
    scene.ok(cm.Settle, contract=PERP, price=price)
    scene.cuts(3)
    final = 95_000 if side > 0 else -(-(10**10) // price)
    assert (scene.lots(1), scene.lots(2)) == (0, 0)
    assert (scene.cash(1), scene.cash(2)) == (100_000 - 10 * (MARK - final), 10**6 + 10 * (MARK - final))
    assert all(not shard.cases for shard in scene.engine.shards)


@SIDES
def test_r17_collateral_that_nobody_buys_is_taken_over(side: int) -> None:
    """
    LQ-031: a loan against a coin, below liquidation, no position, and a fund that cannot buy: after the grace the
    account is taken over instead of waiting for ever.
    """
    lend = t.BorrowTerms(10**9)
    scene = Scene(
        side,
        usd={"borrow": lend},
        coin={"row": (-200_000, -150_000, -100_000, -50_000, 50_000, 100_000, 150_000, 200_000), "underlying": 1},
        underlyings=(t.UnderlyingTerms(1, "COIN"),),
        scenarios=tuple(f"{k}" for k in range(8)),
        scenario=t.LevelFactors(2_000_000, 1_500_000, 1_000_000, 500_000),
    )
    scene.join(1, 0, coin=100_000)
    scene.join(2, 10**8)
    scene.cut()
    scene.ok(cm.Borrow, account=1, asset=USD, amount=90_000)
    scene.cuts(2)
    assert scene.cash(1) == -90_000
    # 100,000 coins at 1.25 less 10 % are 112,500 against 90,000 and a fifth of 125,000 at risk.
    scene.mark(coin=1_250_000)
    cycles = 0
    while scene.state(1).cash and cycles < 20:
        scene.cut()
        cycles += 1
    assert len(scene.ever("conversion_asked", 1)) >= 1
    assert len(scene.ever("taken_over", 1)) == 1
    assert cycles <= 3 + t.LiquidationPolicy().cancel_grace_cycles
    assert scene.cash(1, COIN) == scene.cash(1) == 0
