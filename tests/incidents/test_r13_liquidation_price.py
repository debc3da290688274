"""
R13: a liquidation price is the account's, not a leg's; where there is more than one, a band with what it assumes.

Reported again and again: Vega (frontend issues 2812, 4761, 5026; core 10247, 10558), TorchTrade issue 344 (the
estimate under cross margin left out what other positions require), Pendle's CrossEx arbitrage issue 39, pod-sdk issue
300. Here the price is found by asking the rules themselves, with all legs, funding, tiers at that price; it holds in
the engine to the tick. Resting orders do not move it: they count at `initial` alone.
"""

import pytest

from tests.helpers.incident import ALT, MARK, PERP, Scene
from tocsin.margin.levels import assess
from tocsin.margin.price_band import price_band
from tocsin.margin.prices import liquidation_price
from tocsin.margin.state import AccountState, Level
from tocsin.margin.valuation import Valuation
from tocsin.sheet import terms as t

SIDES = pytest.mark.parametrize("side", [1, -1])
TIERS = (t.Tier(0, 50_000), t.Tier(800_000, 100_000))


def stand(side: int, *, alt: int = 10, **changes: object) -> Scene:
    """Account 1 is long 10 PERP and `alt` ALT with 200,000; tiers rise at 800,000."""
    scene = Scene(side, perp={"tiers": TIERS, "capacity_lots": 0}, alt={"capacity_lots": 0}, **changes)
    scene.join(1, 200_000)
    scene.trade(1, 10)
    if alt:
        scene.trade(1, alt, contract=ALT)
    scene.cuts(2)
    return scene


def now(scene: Scene) -> tuple[AccountState, Valuation]:
    return scene.state(1), scene.engine.shards[0].valuation


def level_at(side: int, perp: int, *, legs: int = 10) -> Level:
    scene = stand(side, alt=legs)
    scene.mark(perp)
    scene.cut()
    crossed = scene.cut().events
    told = [e.fields["after"] for e in crossed if e.kind == "level_crossed" and e.account == 1 and e.phase == 1]
    return Level[str(told[0])] if told else Level.CALM


@SIDES
def test_r13_other_legs_count(side: int) -> None:
    """
    PR-001: 200,000 - 10 (100,000 - p) is below 5 % of 800,000 and 10 % of the rest where 9 p < 760,000; with the 50,000
    that the other leg requires where 9 p < 810,000.
    """
    alone = liquidation_price(*now(stand(side, alt=0)), PERP).mark
    together = liquidation_price(*now(stand(side)), PERP).mark
    assert (side * alone, side * together) == (84_444, 89_999)


@SIDES
def test_r13_one_tick_before_it_stands_at_it_it_falls(side: int) -> None:
    """PR-001 in the engine: at 90,000 the account is called, at 89,999 it is liquidated."""
    assert level_at(side, 90_000) < Level.LIQUIDATION
    assert level_at(side, 89_999) == Level.LIQUIDATION


@SIDES
def test_r13_the_estimate_that_leaves_legs_out_is_wrong(side: int) -> None:
    """At the price of the leg alone, 84,444, the account was liquidated long ago."""
    assert level_at(side, 84_445) > Level.LIQUIDATION
    assert level_at(side, 84_445, legs=0) < Level.LIQUIDATION
    assert level_at(side, 84_444, legs=0) == Level.LIQUIDATION


@SIDES
def test_r13_resting_orders_do_not_move_it(side: int) -> None:
    scene = stand(side)
    before = liquidation_price(*now(scene), PERP)
    scene.hold(1, 1, 5)
    scene.cut()
    assert scene.state(1).holds
    assert liquidation_price(*now(scene), PERP) == before


@SIDES
def test_r13_legs_of_one_underlying_move_together(side: int) -> None:
    """PR-010: both legs fall by 1 for 1; 6 ALT against 10 PERP hedge, and the fall is further away by both."""
    one = (t.UnderlyingTerms(1, "X", 0, PERP, side * MARK, MARK),)
    underlying = {"underlying": 1}
    for alt in (10, -6):
        scene = Scene(side, perp={"tiers": TIERS, "capacity_lots": 0, **underlying}, alt=underlying, underlyings=one)
        scene.join(1, 200_000)
        scene.trade(1, 10)
        scene.trade(1, alt, contract=ALT)
        scene.cuts(2)
        band = price_band(*now(scene), 1)
        assert band is not None
        assert (band.moved, band.measured_by) == ((PERP, ALT), PERP)
        near, far = band.down if side > 0 else band.up
        assert near == far, "no options, one answer"
        fall = side * near.mark
        assert fall != side * (liquidation_price(*now(scene), PERP).mark or 0)
        for mark, falls in ((fall + 1, False), (fall, True)):
            account, valuation = now(scene)
            there = valuation.with_marks({PERP: side * mark, ALT: side * mark}, {})
            assert (assess(account, there).level >= Level.LIQUIDATION) is falls
