"""
R16: what orders tie up comes back to the unit when they are cancelled, and which margin an order draws on is chosen.

dYdX v4-web issue 832: free collateral stayed too low after cancels. v4-clients issue 313: users could not say per
order whether it is isolated or cross. Here the matching engine reports absolute resting lots, never changes, so that
nothing can drift; and the order names an account, each with its own mode, between which money moves by a checked
transfer.
"""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.incident import ALT, PERP, USD, Scene
from tocsin.engine import commands as cm
from tocsin.margin.state import Mode

SIDES = pytest.mark.parametrize("side", [1, -1])


def withdraws(scene: Scene, account: int) -> int:
    """Return how much of 10**9 may leave; it is paid back in."""
    scene.ok(cm.Withdraw, account=account, asset=USD, amount=10**9)
    events = [e for e in scene.cut().events if e.account == account and e.kind in ("withdrawal", "refused")]
    moved = int(events[-1].fields["x"]) if events[-1].kind == "withdrawal" else 0
    if moved:
        scene.ok(cm.Deposit, account=account, asset=USD, amount=moved)
    scene.cut()
    return moved


@SIDES
def test_r16_cancels_give_all_of_it_back(side: int) -> None:
    """RQ-007: 5 held, 7 bid, 20 offered: at worst 15 short, 150,000 of 1,000,000; cancelled, only the 5 count."""
    scene = Scene(side)
    scene.join(1, 10**6)
    scene.trade(1, 5)
    scene.cut()
    free = withdraws(scene, 1)
    assert free == 10**6 - 50_000
    scene.hold(1, 7, 20)
    assert withdraws(scene, 1) == 10**6 - 150_000
    scene.hold(1, 7, 0)
    assert withdraws(scene, 1) == 10**6 - 120_000
    scene.hold(1, 0, 0)
    assert withdraws(scene, 1) == free


@settings(max_examples=10)
@given(
    side=st.sampled_from((1, -1)),
    reports=st.lists(st.tuples(st.sampled_from((PERP, ALT)), st.integers(0, 9), st.integers(0, 9)), max_size=8),
)
def test_r16_only_the_last_report_counts(side: int, reports: list[tuple[int, int, int]]) -> None:
    """AC-010: orders placed, filled and cancelled in any number and order leave what the last report says."""
    scene = Scene(side)
    for account in (1, 2):
        scene.join(account, 10**6)
    last: dict[int, tuple[int, int]] = {}
    for contract, bid, ask in reports:
        scene.hold(1, bid, ask, contract)
        last[contract] = (bid, ask)
    for contract, (bid, ask) in last.items():
        scene.hold(2, bid, ask, contract)
    scene.cut()
    assert scene.state(1).holds == scene.state(2).holds
    assert withdraws(scene, 1) == withdraws(scene, 2)


@SIDES
def test_r16_isolated_and_cross_side_by_side(side: int) -> None:
    """
    AC-031, AC-033: two accounts of one root; the isolated one takes one contract and loses what was put behind it.
    """
    scene = Scene(side, perp={"capacity_lots": 0})
    scene.join(1, 10**6, root=50)
    scene.join(2, 0, root=50, mode=Mode.ISOLATED)
    scene.ok(cm.Transfer, account=1, to=2, asset=USD, amount=120_000)
    scene.cuts(2)
    assert [scene.ask(2, 10), scene.ask(2, 13)] == ["OK", "R-4001"]
    assert scene.ask(1, 13) == "OK"
    scene.trade(2, 10)
    scene.cut()
    assert scene.ask(2, 1, ALT) == "R-2006"
    scene.mark(80_000)
    scene.cuts(3)
    assert (scene.lots(2), scene.cash(2)) == (0, 0)
    assert scene.cash(1) == 880_000


@SIDES
def test_r16_in_one_cross_account_all_of_it_is_at_stake(side: int) -> None:
    """The same trade in the cross account: it stands, and pays for the fall with what lay beside it."""
    scene = Scene(side, perp={"capacity_lots": 0})
    scene.join(1, 10**6)
    scene.trade(1, 10)
    scene.cut()
    scene.mark(80_000)
    scene.cuts(3)
    assert scene.lots(1) == 10
    assert withdraws(scene, 1) == 10**6 - 200_000 - 80_000
