"""
R1: gains that exist only at a mark are no collateral, and the interest a market may carry is bounded.

11 October 2022, Mango Markets: two accounts of one person, 5 million dollars each, took the two sides of a perpetual
on a thin token. He bought the token from 0.04 to 0.91 dollars; the long account then borrowed 116 million dollars of
other people's deposits against its unrealised gain and left. Here gains can be discounted at `initial`, a slow mark
makes `initial` tighter while the mark runs ahead of it, and open interest has a cap. Small numbers: 100 lots at
100,000, up 22 times; of what they paid in nobody else's money is ever paid out.
"""

import pytest

from tests.helpers.incident import MARK, USD, Scene
from tocsin.engine import commands as cm
from tocsin.sheet import terms as t

SIDES = pytest.mark.parametrize("side", [1, -1])
PAID_IN = 10_000_000
LOANS = t.BorrowTerms(10**12)


def pump(side: int, *, slow: int = 0, cap: int = 0, discount_ppm: int = 0) -> Scene:
    """Accounts 1 and 2 trade 100 lots with each other, or what the cap lets them; account 3 is a lender."""
    usd = {"borrow": LOANS, "gain_discount_ppm": discount_ppm}
    scene = Scene(side, usd=usd, perp={"open_interest_cap": cap})
    for account, cash in ((1, PAID_IN), (2, PAID_IN), (3, 10**9)):
        scene.join(account, cash)
    scene.cut()
    lots = 100 if scene.ask(1, 100) == "OK" else cap
    scene.trade(1, lots, 2)
    scene.cut()
    scene.mark(22 * MARK, slow=slow)
    scene.cut()
    scene.ok(cm.Borrow, account=1, asset=USD, amount=10**9)
    for _ in range(6):
        scene.cut()
        scene.ok(cm.Withdraw, account=1, asset=USD, amount=10**9)
    scene.mark()
    scene.cuts(3)
    return scene


@SIDES
def test_r1_the_attack_works_where_gains_count(side: int) -> None:
    """Equity 10,000,000 + 210,000,000; a tenth of 220,000,000 must stay; 198,000,000 leave, 178,000,000 of others."""
    scene = pump(side)
    assert scene.released(1, 2) == 198_000_000
    assert sum(c.amount for c in scene.engine.house.state.claims) == 198_000_000 - 2 * PAID_IN


@SIDES
@pytest.mark.parametrize("gate", [{"discount_ppm": 1_000_000}, {"slow": MARK}])
def test_r1_gains_are_no_collateral(side: int, gate: dict[str, int]) -> None:
    """
    RQ-026, RQ-027: the loan is refused. The loser's loss is shared from the winner's gain, so that what both get out is
    what both paid in, to the unit.
    """
    scene = pump(side, **gate)
    assert [f["reason"] for f in scene.ever("refused", 1) if f["command"] == "borrowed"] == ["R-4001"]
    assert scene.released(1, 2) == 2 * PAID_IN
    assert scene.engine.house.state.claims == []
    assert scene.cash(3) == 10**9


@SIDES
def test_r1_half_a_discount_gives_no_more_than_half(side: int) -> None:
    """RQ-027: half of 210,000,000 is required beside the tenth; 220,000,000 - 105,000,000 - 22,000,000 may leave."""
    assert pump(side, discount_ppm=500_000).released(1, 2) == 93_000_000


@SIDES
def test_r1_a_cap_bounds_what_a_pump_can_earn(side: int) -> None:
    """CY-026: with at most 10 lots the gain is 21,000,000; of 31,000,000 a tenth of 22,000,000 stays."""
    assert pump(side, cap=10).released(1, 2) == 28_800_000
