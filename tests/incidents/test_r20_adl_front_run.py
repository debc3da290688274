"""
R20: auto-deleveraging cannot be blocked by a change of the target or by a stale flag.

GMX, audit of 2023 (findings 153, 210, 216): a keeper names account and size; if the position is smaller by then,
the whole order reverts, so that a user who closes a little first escapes; and the flag that switches it on may be older
than the price. Here candidates are frozen at the close and booked first thing in the next cycle, before any command;
each close looks again at what is held, wanted and reserved, and deals at a fresh mark only.
"""

import pytest

from tests.helpers.hedged import FUTURE, USD, World
from tocsin.engine.messages import CloseLots
from tocsin.margin.state import Mode

SIDES = pytest.mark.parametrize("side", [1, -1])


def announced(side: int, *, future: int = -13_000, grade: int = 0) -> World:
    """
    Accounts 4 and 5 are short 6 and 4; account 1 was taken over with their 10, and the close announced it. Account 6 is
    short 8 with little behind it. The next cycle opens with FUTURE moved by `future`, graded `grade`.
    """
    world = World(side)
    for account, cash in ((4, 1_000_000), (5, 1_000_000), (6, 60_000)):
        world.open(account, deposit=cash, asset=USD, mode=Mode.CROSS)
    world.cut()
    world.trade(1, 4, 6)
    world.trade(1, 5, 4)
    world.cut()
    world.mark(future=-13_000)
    world.cut()
    world.mark(future=future, grade=grade)
    world.cut()
    assert world.engine.opened.lots_wanted == {FUTURE: side * 10}
    return world


def decided(world: World) -> dict[int, int]:
    return {d.account: abs(d.lots) for d in world.engine.opened.decisions if isinstance(d, CloseLots)}


@SIDES
def test_r20_who_closes_some_lots_first_gives_the_rest(side: int) -> None:
    """Forewarned, account 4 closes one lot: the deal goes by the positions of its close, not the announced ones."""
    world = announced(side)
    world.trade(4, world.MAKER, 1)
    world.cut()
    assert decided(world) == {4: 5, 5: 4}
    world.cut()
    assert (world.lots(4), world.lots(5), world.default()) == (0, 0, 1)


@SIDES
def test_r20_after_the_deal_no_command_comes_before_it(side: int) -> None:
    """Dealt lots are closed before the cycle's commands: a fill of the same cycle finds the account flat, and opens."""
    world = announced(side)
    world.cut()
    assert decided(world) == {4: 6, 5: 4}
    world.trade(4, world.MAKER, 6)
    world.cut()
    kinds = [e.kind for e in world.results[-1].events if e.account == 4 and e.kind in ("adl", "filled")]
    assert kinds == ["adl", "filled"]
    assert (world.lots(4), world.default()) == (6, 0)


@SIDES
def test_r20_what_is_no_longer_needed_is_not_dealt(side: int) -> None:
    """Before the deal account 6 is taken over with 8 lots of the other side: 2 are left, and 2 are dealt."""
    for move, needed in ((-13_000, 10), (5_000, 2)):
        world = announced(side, future=move)
        world.trade(6, world.MAKER, -8)
        world.cut()
        assert (world.engine.read(6).positions == {}) == (needed == 2)
        taken = decided(world)
        assert taken.get(4, 0) + taken.get(5, 0) + taken.get(6, 0) == needed


@SIDES
def test_r20_a_mark_that_went_stale_deals_nothing(side: int) -> None:
    """Announced at a fresh mark, the deal waits while the mark is stale, and is announced again when it is fresh."""
    world = announced(side, grade=1)
    world.cut()
    assert decided(world) == {}
    world.mark(future=-13_000)
    dealt = []
    for _ in range(4):
        world.cut()
        dealt.append(decided(world))
    assert dealt == [{}, {}, {4: 6, 5: 4}, {}]
