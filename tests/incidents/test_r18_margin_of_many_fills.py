"""
R18: margin is of what is held, not of how often it was traded.

nautilus_trader issue 4110: in hedging mode the margin of a market grew with every fill, since each opened a position
of its own. Here a position is one number of lots and one entry sum per contract, and portfolio accounts are margined
on what their legs lose together.
"""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.hedged import FUTURE, NEXT, USD, World
from tests.helpers.incident import PERP, Scene
from tocsin.engine import commands as cm
from tocsin.margin.requirement import INITIAL, compute_requirement
from tocsin.margin.state import Mode

SIDES = pytest.mark.parametrize("side", [1, -1])


@SIDES
def test_r18_a_hundred_fills_need_what_one_needs(side: int) -> None:
    """AC-021, AC-022: 100 times bought, 99 times sold is 1 lot: 10 % of 100,000."""
    scene = Scene(side)
    for account in (1, 2):
        scene.join(account, 10**6)
    scene.trade(1, 1)
    for k in range(199):
        scene.trade(2, 1 if k % 2 == 0 else -1)
    scene.cut()
    one, many = scene.state(1), scene.state(2)
    assert one.positions == many.positions
    needs = [compute_requirement(a, scene.engine.shards[0].valuation, INITIAL) for a in (one, many)]
    assert needs == [10_000, 10_000]


@settings(max_examples=15)
@given(side=st.sampled_from((1, -1)), fills=st.lists(st.integers(-9, 9).filter(bool), min_size=1, max_size=12))
def test_r18_any_way_to_a_position_needs_the_same(side: int, fills: list[int]) -> None:
    """AC-021 to AC-023: the requirement depends on the lots alone, equity on the money paid, both exactly."""
    scene = Scene(side)
    for account in (1, 2):
        scene.join(account, 10**7)
    for lots in fills:
        scene.trade(1, lots)
    if sum(fills):
        scene.trade(2, sum(fills))
    scene.cut()
    for lots in (3, -3):
        scene.ok(cm.OrderCheck, account=1, contract=PERP, lots=side * lots)
        scene.ok(cm.OrderCheck, account=2, contract=PERP, lots=side * lots)
    scene.cut()
    first, second = scene.said("order_checked", 1), scene.said("order_checked", 2)
    assert [(e["x"], e["y"]) for e in first] == [(e["x"], e["y"]) for e in second]
    assert len(first) == 2


@SIDES
@pytest.mark.parametrize(("mode", "needed"), [(Mode.CROSS, 200_000), (Mode.PORTFOLIO, 0)])
def test_r18_hedged_legs_of_a_portfolio_need_what_they_lose_together(side: int, mode: Mode, needed: int) -> None:
    """RQ-030: 10 of one against 10 of the next lose nothing in any scenario; cross margin counts both."""
    world = World(side)
    world.open(4, deposit=1_000_000, asset=USD, mode=mode)
    world.cut()
    for _ in range(10):
        world.trade(4, world.MAKER, 1)
        world.trade(4, world.MAKER, -1, NEXT)
    world.cut()
    assert (world.lots(4), world.lots(4, NEXT)) == (10, -10)
    state = world.engine.read(4)
    assert state is not None
    assert compute_requirement(state, world.engine.shards[0].valuation, INITIAL) == needed
    assert FUTURE in state.positions
