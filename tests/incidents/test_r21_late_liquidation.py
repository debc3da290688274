"""
R21: what a late liquidation leaves unpaid is not taken from other people's margin, and one source that fails does not
stop the liquidation of everything else.

Flat Money, audit of December 2023: a position liquidated late had lost more than its margin, and the rest was taken
out of the pool in which all others' margin lay (finding 198); when the oracle fell over to its second source nothing
could be liquidated (finding 177). Here a loss beyond the account is a claim: funds pay it, then those who gained from
it, out of the gain and no further; and a leg without a fresh mark waits while the others are traded.
"""

import pytest

from tests.helpers.incident import ALT, COIN, MARK, PERP, USD, Debit, Scene
from tocsin.core.ids import market_fund
from tocsin.engine import commands as cm
from tocsin.margin.state import Level
from tocsin.sheet import terms as t

SIDES = pytest.mark.parametrize("side", [1, -1])


def late(side: int, *, fund: int = 0, mark: int = 50_000) -> Scene:
    """
    Account 1 is long 10 with 100,000 against account 2; account 3 is long 1 and loses; account 4 holds money only. The
    price falls to `mark` in one step: 400,000 are missing.
    """
    scene = Scene(side, perp={"capacity_lots": 0})
    for account, cash in ((1, 100_000), (2, 200_000), (3, 700_000), (4, 500_000)):
        scene.join(account, cash)
    if fund:
        scene.ok(cm.FundDeposit, contract=PERP, asset=USD, amount=fund)
    scene.cut()
    scene.trade(1, 10, 2)
    scene.trade(3, 1)
    scene.cut()
    scene.mark(mark)
    scene.cuts(4)
    return scene


@SIDES
def test_r21_the_winner_pays_out_of_the_gain_and_nobody_else(side: int) -> None:
    """WF-050: 500,000 gained, 400,000 missing: the 200,000 paid in stay, who lost or holds money only pays nothing."""
    scene = late(side)
    assert {d["account"] for d in _debits(scene)} == {2}
    gain = -scene.lots(2) * (MARK - 50_000)
    assert scene.cash(2) + gain == 200_000 + 100_000
    assert scene.cash(4) == 500_000
    assert scene.cash(3) == 700_000
    assert scene.engine.house.state.claims == []


def _debits(scene: Scene) -> list[dict[str, int]]:
    out = []
    for opened in [*(r.opened for r in scene.results), scene.engine.opened]:
        out += [{"account": d.account, "amount": d.amount} for d in opened.decisions if isinstance(d, Debit)]
    return out


@SIDES
def test_r21_what_a_winner_cannot_pay_stays_a_claim(side: int) -> None:
    """
    WF-050: what account 2 gained here it lost elsewhere: no net gain, so nothing is taken from its margin, nor from
    others'. The claim waits for income of the funds.
    """
    scene = Scene(side, perp={"capacity_lots": 0}, alt={"capacity_lots": 0})
    for account, cash in ((1, 100_000), (2, 200_000), (4, 500_000)):
        scene.join(account, cash)
    scene.cut()
    scene.trade(1, 10, 2)
    scene.trade(2, 10, contract=ALT)
    scene.cut()
    scene.mark(50_000, 40_000)
    scene.cuts(8)
    assert _debits(scene) == []
    assert [c.amount for c in scene.engine.house.state.claims] == [400_000]
    assert (scene.lots(2), scene.lots(2, ALT), scene.cash(2)) == (0, 10, 200_000 + 500_000)
    assert scene.cash(4) == 500_000
    scene.ok(cm.FundDeposit, contract=PERP, asset=USD, amount=2_000_000)
    scene.cuts(2)
    assert scene.engine.house.state.claims == []


@SIDES
def test_r21_a_winner_gives_no_more_than_it_stands_with(side: int) -> None:
    """
    WF-051: a gain of 600,000 and cash of 500,000, but 150,000 coins are owed, whose price doubles to 4 meanwhile: of
    550,000 missing at most the 500,000 that are left are taken.
    """
    scene = Scene(side, perp={"capacity_lots": 0}, coin={"borrow": t.BorrowTerms(10**12)})
    for account, usd, coin in ((1, 50_000, 0), (2, 500_000, 0), (4, 0, 10**6)):
        scene.join(account, usd, coin=coin)
    scene.cut()
    scene.ok(cm.Borrow, account=2, asset=COIN, amount=150_000)
    scene.cuts(2)
    assert scene.cash(2, COIN) == -150_000
    scene.trade(1, 10, 2)
    scene.cut()
    scene.mark(40_000, coin=4_000_000)
    scene.cuts(3)
    assert _debits(scene) == [{"account": 2, "amount": 500_000}]


@SIDES
@pytest.mark.parametrize("fund", [100_000, 10**9])
def test_r21_the_fund_comes_first(side: int, fund: int) -> None:
    """WF-047: a quarter of the fund a cycle, for the two until the winners are asked; they pay the rest."""
    scene = late(side, fund=fund)
    paid = fund - scene.cash(market_fund(PERP))
    assert paid + sum(d["amount"] for d in _debits(scene)) == 400_000
    assert paid == {100_000: 25_000 + 18_750, 10**9: 400_000}[fund]


def two_legs(side: int, alt: int) -> Scene:
    """Account 1 is long 10 of each; the source of PERP fails while ALT falls to `alt`."""
    scene = Scene(side)
    scene.join(1, 200_000)
    scene.trade(1, 10)
    scene.trade(1, 10, contract=ALT)
    scene.cut()
    scene.mark(MARK, alt)
    scene.ok(cm.SetMarks, contract=(PERP,), mark=(side * 30_000,), funding=(0,), grade=(1,), asset=(), price=())
    scene.cuts(2)
    return scene


@SIDES
def test_r21_a_failed_source_does_not_stop_the_liquidation(side: int) -> None:
    """LQ-012, MK-016: below liquidation with PERP at its last good mark; ALT is sold, PERP waits."""
    scene = two_legs(side, 89_000)
    assert scene.state(1).level == Level.LIQUIDATION
    slices = str(scene.said("plan", 1)[0]["slices"])
    assert {part.split(":")[0] for part in slices.split()} == {str(ALT)}


@SIDES
def test_r21_a_takeover_takes_the_stale_leg_too(side: int) -> None:
    """MK-016: below takeover everything goes, PERP at its last good mark; its lots wait until it is fresh."""
    scene = two_legs(side, 85_000)
    assert (scene.lots(1), scene.lots(1, ALT)) == (0, 0)
    assert scene.default() == 10
    taken = [e for e in scene.events("taken_over") if e.account == 1]
    assert len(taken) == 1
    for _ in range(14):
        scene.cut()
        assert PERP not in scene.engine.opened.lots_wanted
