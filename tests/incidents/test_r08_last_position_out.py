"""
R8: the last position of a market can be liquidated like any other, and every unit of it is booked.

10 October 2025, dYdX v4: the whole open interest of an isolated market was closed by one liquidation; its pool of
collateral was moved away before the insurance fund had paid in, a transfer would have been negative, an invariant
tripped, and the chain stood still for about 8 hours. Here each close books takeovers, fees, funds and claims in one
fixed order and then checks that lots sum to zero and money is what the vaults hold; `Scene` recomputes that, from the
bytes of a snapshot, after every cut.
"""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.incident import ALT, PERP, USD, Scene
from tocsin.core.ids import GLOBAL_FUND, OPERATOR, SUSPENSE, default_account, error_account, market_fund
from tocsin.engine import commands as cm
from tocsin.sheet import terms as t

SIDES = pytest.mark.parametrize("side", [1, -1])


def last_out(side: int, *, lots: int, cash: int, fund: int, mark: int, other: int, shards: int = 3) -> Scene:
    """
    Accounts 1 and 2 hold all of the market against each other, or account 2 does so alone against the default account;
    the price goes against account 1 until nothing is left. Nobody else trades.
    """
    policy = t.WaterfallPolicy(adl_after_cycles=1, market_draw_cap_ppm=1_000_000)
    scene = Scene(side, shards=shards, waterfall=policy, perp={"capacity_lots": 0})
    if fund:
        scene.ok(cm.FundDeposit, contract=PERP, asset=USD, amount=fund)
    scene.join(1, cash)
    scene.join(2, other)
    scene.cut()
    scene.trade(1, lots, 2)
    scene.cut()
    scene.mark(mark)
    scene.cuts(7)
    return scene


def total(scene: Scene) -> int:
    own = [SUSPENSE, GLOBAL_FUND, OPERATOR]
    own += [kind(c) for c in (PERP, ALT) for kind in (market_fund, default_account, error_account)]
    return sum(scene.cash(a) for a in (1, 2, *own))


@SIDES
@pytest.mark.parametrize("fund", [0, 100_000, 10**9])
def test_r8_the_last_lots_go_and_the_market_is_empty(side: int, fund: int) -> None:
    """WF-047, CH-010: 10 lots with 150,000, the price falls 40 %: 250,000 are missing."""
    scene = last_out(side, lots=10, cash=150_000, fund=fund, mark=60_000, other=10**8)
    assert [scene.lots(a) for a in (1, 2)] == [0, 0]
    assert scene.default() == 0
    assert total(scene) == 150_000 + 10**8 + fund == scene.engine.house.state.vault[USD]
    assert scene.cash(market_fund(PERP)) == max(0, fund - 250_000)
    # What the fund does not pay the only winner does, out of the gain.
    assert scene.cash(2) == 10**8 + 400_000 - max(0, 250_000 - fund)
    assert scene.engine.house.state.claims == []


@SIDES
def test_r8_both_sides_of_the_last_trade_may_fall(side: int) -> None:
    """The winner is taken over as well: the default account holds both sides, which is nothing."""
    scene = last_out(side, lots=10, cash=150_000, fund=0, mark=60_000, other=60_000)
    scene.mark(200_000)
    scene.cuts(6)
    assert [scene.lots(a) for a in (1, 2)] == [0, 0]
    assert scene.default() == 0
    assert total(scene) == 210_000 == scene.engine.house.state.vault[USD]


@settings(max_examples=12)
@given(
    side=st.sampled_from((1, -1)),
    lots=st.integers(1, 60),
    cash=st.integers(0, 800_000),
    other=st.integers(0, 6_000_000),
    fund=st.integers(0, 400_000),
    mark=st.integers(1, 300_000),
)
def test_r8_no_last_position_stops_the_engine(
    side: int, lots: int, cash: int, other: int, fund: int, mark: int
) -> None:
    """CH-010: whatever the sizes, nothing is lost or made, and any number of shards ends in the same root."""
    if not cash or not other:
        cash, other = cash + 1, other + 1
    worlds = [
        last_out(side, lots=lots, cash=cash, fund=fund, mark=mark, other=other, shards=shards) for shards in (1, 7)
    ]
    assert worlds[0].results[-1].root == worlds[1].results[-1].root
    assert total(worlds[0]) == cash + other + fund
    assert worlds[0].lots(1) + worlds[0].lots(2) + worlds[0].default() == 0
