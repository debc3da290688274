"""
R2: a price that its source does not vouch for liquidates nobody.

December 2021, Mango Markets: an oracle published a price with a very wide interval of confidence; nobody looked at the
interval, and three accounts were liquidated for 124,000 dollars. Here a publisher grades what it publishes: what is
not fresh leaves the last good mark as it is, opens nothing, and is in no plan.
"""

import pytest

from tests.helpers.incident import MARK, PERP, Scene
from tocsin.margin.state import Level
from tocsin.sheet.marks import Grade

SIDES = pytest.mark.parametrize("side", [1, -1])


def three_accounts(side: int, grade: Grade, low: int = 50_000) -> Scene:
    """Three accounts are long 10 lots with 15 %; for three cycles the mark is said to be half of what it is."""
    scene = Scene(side)
    for account in (1, 2, 3):
        scene.join(account, 150_000)
        scene.trade(account, 10)
    scene.cut()
    scene.mark(low, grade=int(grade))
    scene.cuts(3)
    return scene


@SIDES
def test_r2_a_fresh_price_liquidates(side: int) -> None:
    """Were the same price fresh, all three would be gone."""
    scene = three_accounts(side, Grade.FRESH)
    assert len(scene.events("taken_over")) == 3


@SIDES
@pytest.mark.parametrize("grade", [Grade.STALE, Grade.HALTED])
def test_r2_a_doubtful_price_does_nothing(side: int, grade: Grade) -> None:
    """MK-017: not even a level moves but `initial`, which is not looked at for what is held already."""
    scene = three_accounts(side, grade)
    entry = scene.engine.opened.marks.contracts[PERP]
    assert (abs(entry.mark), entry.grade) == (MARK, grade)
    assert [scene.state(a).level for a in (1, 2, 3)] == [Level.CALM] * 3
    assert [scene.lots(a) for a in (1, 2, 3)] == [10] * 3
    assert scene.events("taken_over") == scene.events("reduction_started") == []


@SIDES
def test_r2_nobody_opens_on_a_doubtful_price(side: int) -> None:
    """CY-015: a low price that is not good enough to liquidate is not good enough to buy at either."""
    scene = three_accounts(side, Grade.STALE)
    scene.join(4, 10**7)
    scene.cut()
    assert scene.ask(4, 1) == "R-4004"
    assert scene.ask(1, -1) == "OK"
    scene.mark()
    scene.cut()
    assert scene.ask(4, 1) == "OK"


@SIDES
def test_r2_the_next_fresh_price_counts_at_once(side: int) -> None:
    """MK-017: doubt postpones, it does not excuse."""
    scene = three_accounts(side, Grade.STALE)
    scene.mark(50_000)
    scene.cuts(2)
    assert len(scene.events("taken_over")) == 3
