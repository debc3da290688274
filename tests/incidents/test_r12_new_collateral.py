"""
R12, the part that exists: no single sheet and no price makes a worthless token good collateral at once.

1 April 2026, Drift: with signatures collected in advance and no delay a token of no worth was listed as collateral,
limits were lifted, and 285 million dollars left in 31 withdrawals within 12 minutes. Quorum, delay and ramps of
parameters are not built yet. What is: new collateral can be listed at no weight, a price is never taken above the cap
of its asset, and no later sheet lifts that cap.
"""

import pytest
from msgspec.structs import replace

from tests.helpers.incident import COIN, USD, Scene
from tocsin.engine import commands as cm
from tocsin.sheet import terms as t

LEND = t.BorrowTerms(10**12)
NO_WEIGHT = (t.HaircutTier(0, 1_000_000),)


def drained(*, coin: dict[str, object], price: int = 4_000_000) -> int:
    """Return what leaves against 1,000,000 units of a coin that its owner prices at `price`."""
    scene = Scene(usd={"borrow": LEND}, coin=coin)
    scene.join(1, 0, coin=1_000_000)
    scene.join(2, 10**9)
    scene.cut()
    scene.mark(coin=price)
    scene.cut()
    scene.ok(cm.Borrow, account=1, asset=USD, amount=10**9)
    scene.cuts(2)
    return scene.released(1)


def test_r12_full_weight_at_any_price_is_the_incident() -> None:
    """At 4 less 10 %: 3,600,000 of other people's dollars for nothing."""
    assert drained(coin={}) == 3_600_000


def test_r12_new_collateral_at_no_weight_lends_nothing() -> None:
    """EQ-003: a haircut of 100 %, whatever the price."""
    assert drained(coin={"haircuts": NO_WEIGHT}) == 0


@pytest.mark.parametrize("price", [4_000_001, 10**12])
def test_r12_a_price_above_the_cap_is_the_cap(price: int) -> None:
    """MK-015: a price driven up a million times lends what the cap does."""
    assert drained(coin={}, price=price) == 3_600_000


def test_r12_a_small_weight_lends_little_and_less_the_more_there_is() -> None:
    """EQ-003: half of the first 1,000 units counts, nothing of the rest: 4 x 500."""
    tiers = (t.HaircutTier(0, 500_000), t.HaircutTier(1_000, 1_000_000))
    assert drained(coin={"haircuts": tiers}) == 2_000


@pytest.mark.parametrize(
    ("cap", "told"), [(4_000_000, "sheet_set"), (8_000_000, "sheet_refused"), (1, "sheet_refused")]
)
def test_r12_no_sheet_lifts_the_cap(cap: int, told: str) -> None:
    """SH-011, SH-012: the sheet is refused whole and says which field; everything stays as it was."""
    scene = Scene()
    old = scene.engine.house.sheet
    coin = replace(old.assets[1], price_cap=cap)
    scene.ok(cm.SetSheet, sheet=t.encode_sheet(replace(old, name="lifted", assets=(old.assets[0], coin))))
    events = [e for e in scene.cut().events if e.kind.startswith("sheet_")]
    assert [e.kind for e in events] == [told]
    if told == "sheet_refused":
        assert f"assets[{COIN}].price_cap" in str(events[0].fields["why"])
    scene.mark(coin=10**9)
    scene.cut()
    assert scene.engine.opened.marks.prices[COIN] == 4_000_000
