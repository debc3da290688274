"""
R15: whoever is deleveraged learns at once what was closed, at which price, why, and which legs are left.

Hummingbot, issue 3103: users of a strategy with two legs ask for a notice of auto-deleveraging. When a venue closes one
leg, the other stands alone, and only who knows of it can unwind it. Here the close is an event of the account with the
lots, their value at the mark and what it still holds; lots that hedge a leg in the same account are not closed at all
unless the sheet says so.
"""

import pytest

from tests.helpers.hedged import FUTURE, NEXT, USD, World
from tocsin.margin.state import Mode
from tocsin.sheet import terms as t

SIDES = pytest.mark.parametrize("side", [1, -1])


def play(side: int, mode: Mode, **policy: object) -> World:
    """Account 4 sells 10 FUTURE to account 1 and buys 10 NEXT elsewhere; account 1 is taken over."""
    world = World(side, **policy)
    world.open(4, deposit=1_000_000, asset=USD, mode=mode)
    world.cut()
    world.trade(1, 4, 10)
    world.trade(4, world.MAKER, 10, NEXT)
    world.cut()
    world.fall()
    return world


@SIDES
def test_r15_the_event_says_lots_price_and_legs_left(side: int) -> None:
    """A cross account has no offset between legs: its lots are closed, and it is told of the other leg."""
    world = play(side, Mode.CROSS)
    mark = 100_000 - side * 13_000
    told = [e for e in world.results[-1].events if e.kind == "adl"]
    assert [(e.account, e.phase) for e in told] == [(4, 0)]
    assert told[0].fields == {
        "contract": FUTURE,
        "lots": side * 10,
        "value": side * 10 * mark,
        "cash": 10 * 13_000,
        "left": f"{NEXT}:{side * 10}",
    }
    # Why: the default account had these lots to trade away, told by the close before.
    dealt = [e.fields for e in world.results[-2].events if e.kind == "adl_dealt"]
    assert [(f["contract"], f["lots"], f["wanted"]) for f in dealt] == [(FUTURE, 10, 10)]


@SIDES
@pytest.mark.parametrize("hedges", [t.Hedges.KEEP, t.Hedges.LAST])
def test_r15_a_hedge_within_the_account_is_spared(side: int, hedges: t.Hedges) -> None:
    """A portfolio account's hedge stays with `KEEP`; with `LAST` it goes only when no other lot is left."""
    world = play(side, Mode.PORTFOLIO, hedges=hedges)
    kept = hedges is t.Hedges.KEEP
    assert (world.lots(4), world.lots(4, NEXT)) == ((-10, 10) if kept else (0, 10))
    told = [e.fields["left"] for e in world.results[-1].events if e.kind == "adl"]
    assert told == ([] if kept else [f"{NEXT}:{side * 10}"])
