"""
R19: crumbs neither protect an account nor stop the engine.

dfinity public-multidex issue 6: one unit of dust in another asset made an account impossible to liquidate. Issue 12: a
sweep over all accounts without a bound hit the limit of a message and nothing was liquidated at all. Here a takeover
moves everything an account has, priced or not; a plan closes a remainder below the published dust with the rest; what
markets take in a cycle is bounded, and what was not served is asked for again; a batch above the bound is refused
whole.
"""

import pytest

from tests.helpers.incident import COIN, PERP, USD, Grant, Scene
from tocsin.core.errors import Reason, Refused
from tocsin.core.limits import BATCH_ROWS_MAX
from tocsin.engine import commands as cm

SIDES = pytest.mark.parametrize("side", [1, -1])


@SIDES
@pytest.mark.parametrize("dust", [0, 1])
@pytest.mark.parametrize("priced", [True, False])
def test_r19_a_unit_of_dust_does_not_protect(side: int, dust: int, priced: bool) -> None:
    """WF-040: with one unit of a coin, priced or not, the account is taken over in the same cycle, nothing stays."""
    scene = Scene(side, priced=priced)
    scene.join(1, 50_000, coin=dust)
    scene.trade(1, 10)
    scene.cut()
    scene.mark(97_000)
    scene.cuts(2)
    assert len(scene.said("taken_over", 1)) == 1
    state = scene.state(1)
    assert (state.cash, state.positions, state.in_transit) == ({}, {}, {})
    assert scene.engine.house.state.vault.get(COIN, 0) == dust


def plan(side: int, dust_lots: int) -> str:
    """Account 1 is long 20 lots and must close 18 of them."""
    scene = Scene(side, perp={"dust_lots": dust_lots, "fee_ppm": 0})
    scene.join(1, 116_000)
    scene.trade(1, 20)
    scene.cut()
    scene.mark(98_950)
    scene.cuts(2)
    return str(scene.said("plan", 1)[0]["slices"])


@SIDES
def test_r19_a_remainder_of_dust_goes_with_the_rest(side: int) -> None:
    """LQ-015: what would stay is below the dust of the contract: the whole leg goes."""
    lots = {}
    for dust in (0, 20):
        contract, rest = plan(side, dust).split(":")
        assert int(contract) == PERP
        lots[dust] = -side * int(rest.split("@")[0])
    assert 0 < lots[0] < 20 == lots[20]


@SIDES
def test_r19_many_at_once_are_served_in_bounded_turns(side: int) -> None:
    """
    CH-021: 40 accounts ask for more than 100 lots a minute take; each cycle grants at most 100, all get some, and those
    who have to wait ask again until nothing is left to ask.
    """
    scene = Scene(side, shards=5)
    accounts = range(10, 50)
    for account in accounts:
        scene.join(account, 97_000)
        scene.trade(account, 10)
    scene.cut()
    scene.mark(94_900)
    scene.cuts(2)
    served: dict[int, int] = {}
    turns: list[int] = []
    while granted := scene.decided(Grant):
        for g in granted:
            served[g.account] = served.get(g.account, 0) + abs(g.lots)
            scene.serve(g.account, g.intent, g.lots, 94_900)
        turns.append(sum(abs(g.lots) for g in granted))
        scene.cut()
    assert sorted(served) == list(accounts)
    assert max(turns) == 100
    assert 2 <= len(turns) < 20
    assert all(not shard.cases for shard in scene.engine.shards)


def test_r19_a_batch_above_the_bound_is_refused_whole() -> None:
    """CM-008: with what is accepted; nothing of it is done."""
    scene = Scene()
    scene.join(1, 1_000)
    rows = BATCH_ROWS_MAX + 1
    answer = scene.send(cm.Holds, account=(1,) * rows, contract=(PERP,) * rows, bid=(1,) * rows, ask=(0,) * rows)
    assert isinstance(answer, Refused)
    assert (answer.reason, str(BATCH_ROWS_MAX) in answer.detail) == (Reason.OUT_OF_RANGE, True)
    scene.cut()
    assert scene.state(1).holds == {}
    assert scene.cash(1, USD) == 1_000
