"""
R14: whoever is about to be liquidated is told before, in steps, with the amount that cures, for a machine to read.

Asked for in Hummingbot (issue 3035), freqtrade (13456, change 13556), Sovryn (1236) and ScavengerBot (36): venues
liquidate without a word, and where they warn, the text does not say how much is enough. Here a call is an event with
amount, deadline and the exact quantity of each asset that cures; one unit less does not.
"""

import pytest

from tests.helpers.incident import COIN, MARK, USD, Scene
from tests.helpers.worlds import MINUTE
from tocsin.engine import commands as cm
from tocsin.sheet import terms as t

SIDES = pytest.mark.parametrize("side", [1, -1])


def called(side: int, *, calls: bool = True) -> Scene:
    """Account 1 is long 10 lots with 97,000; the price falls to 96,000."""
    scene = Scene(side, calls=t.CallPolicy(enabled=calls), perp={"capacity_lots": 0})
    scene.join(1, 97_000)
    scene.trade(1, 10)
    scene.cut()
    scene.mark(96_000)
    scene.cuts(2)
    return scene


@SIDES
def test_r14_the_call_says_what_cures_and_by_when(side: int) -> None:
    """
    MC-001 to MC-004, MC-011: equity 57,000; 6.25 % of 960,000 is 60,000 and 5 % above it, 63,000, ends the call: 6,000
    of USD, or 3,334 of a coin at 2 less 10 %.
    """
    scene = called(side)
    (call,) = scene.ever("call_issued", 1)
    assert (call["equity"], call["requirement"], call["amount"]) == (57_000, 60_000, 6_000)
    assert call["cures"] == f"{USD}:6000 {COIN}:3334"
    left = int(call["deadline_ns"]) - scene.results[-1].opened.time_ns
    assert 5 * MINUTE <= left <= 15 * MINUTE
    assert scene.lots(1) == 10


@SIDES
@pytest.mark.parametrize("asset", [USD, COIN])
@pytest.mark.parametrize("missing", [0, 1])
def test_r14_the_amount_is_exact(side: int, asset: int, missing: int) -> None:
    """MC-004: what the call says cures, and one unit less does not."""
    scene = called(side)
    (call,) = scene.ever("call_issued", 1)
    cures = dict(map(int, part.split(":")) for part in str(call["cures"]).split())
    scene.ok(cm.Deposit, account=1, asset=asset, amount=cures[asset] - missing)
    scene.cut()
    assert len(scene.ever("call_cured", 1)) == 1 - missing


@SIDES
def test_r14_warned_called_reduced_in_this_order(side: int) -> None:
    """LV-001, CY-011: first it may not open, then it is called, then liquidated."""
    scene = called(side)
    scene.mark(95_000)
    scene.cuts(2)
    told = [
        e for e in scene.events() if e.account == 1 and e.kind in ("level_crossed", "call_issued", "reduction_started")
    ]
    assert [str(e.fields.get("after", e.kind)) for e in told] == [
        "INITIAL", "MARGIN_CALL", "call_issued", "LIQUIDATION", "reduction_started",
    ]  # fmt: skip


@SIDES
def test_r14_without_calls_nothing_is_said(side: int) -> None:
    """A venue's way: the same account stands at the same level and hears nothing."""
    scene = called(side, calls=False)
    assert scene.ever("call_issued", 1) == []
    scene.mark(MARK - 5_500)
    scene.cuts(2)
    assert len(scene.ever("reduction_started", 1)) == 1
