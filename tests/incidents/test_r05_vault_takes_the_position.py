"""
R5: what stands behind one market is that market's, auto-deleveraging starts by itself, and nobody picks a price.

26 March 2025, Hyperliquid: a trader sold 4 million dollars of a thin token (JELLY) to himself, drove its price up four
times, and let the vault take the short over. The vault pooled the capital of all markets, so that it never looked
bankrupt and auto-deleveraging never started; the market was closed by vote at 0.0095, a price nobody could trade at.
Here a market's losses draw on its own fund, lots the default account could not trade away go to the other side after a
published number of cycles whatever the funds hold, and a delivery price has a band.
"""

import pytest

from tests.helpers.incident import ALT, MARK, PERP, USD, Scene
from tocsin.core.ids import GLOBAL_FUND, market_fund
from tocsin.engine import commands as cm
from tocsin.sheet import terms as t

SIDES = pytest.mark.parametrize("side", [1, -1])
RICH = 10**12


def taken(side: int, *, patience: int = 3, fund: int = RICH, band_ppm: int = 0, global_cap_ppm: int = 0) -> Scene:
    """
    Account 1 is short 10 lots with 150,000, account 2 long; the price doubles and account 1 is taken over. Nobody
    trades: the market has no capacity.
    """
    scene = Scene(
        side,
        perp={"capacity_lots": 0, "units": 1 if side > 0 else 10**10},
        waterfall=t.WaterfallPolicy(adl_after_cycles=patience, global_draw_cap_ppm=global_cap_ppm),
        life=t.LifePolicy(settle_band_ppm=band_ppm),
    )
    for contract in (PERP, ALT, -1):
        scene.ok(cm.FundDeposit, contract=contract, asset=USD, amount=fund)
    scene.join(1, 150_000)
    scene.join(2, 10**9)
    scene.cut()
    scene.trade(1, -10, 2)
    scene.cut()
    scene.mark(2 * MARK)
    scene.cuts(2)
    assert (scene.lots(1), scene.default()) == (0, -10)
    return scene


@SIDES
def test_r5_adl_starts_though_the_funds_are_full(side: int) -> None:
    """WF-048: after more than three closes, at the mark; the loss ends there however far the price goes on."""
    scene = taken(side)
    scene.cuts(5)
    assert (scene.default(), scene.lots(2)) == (0, 0)
    spent = RICH - scene.cash(market_fund(PERP))
    assert spent == 10 * MARK - 150_000
    scene.mark(40 * MARK)
    scene.cuts(3)
    assert RICH - scene.cash(market_fund(PERP)) == spent


@SIDES
def test_r5_without_a_trigger_the_loss_goes_on(side: int) -> None:
    scene = taken(side, patience=10**6)
    scene.mark(40 * MARK)
    scene.cuts(6)
    assert scene.default() == -10
    assert RICH - scene.cash(market_fund(PERP)) == 10 * 39 * MARK - 150_000


@SIDES
def test_r5_losses_stay_in_their_market(side: int) -> None:
    """WF-047: of 850,000 the market's fund pays a quarter of what it holds a cycle, other funds nothing."""
    scene = taken(side, fund=100_000)
    assert scene.cash(market_fund(PERP)) == 75_000
    assert [scene.cash(f) for f in (market_fund(ALT), GLOBAL_FUND)] == [100_000, 100_000]
    assert scene.engine.opened.money_wanted == {USD: 850_000 - 25_000}
    shared = taken(side, fund=100_000, global_cap_ppm=1_000_000)
    assert [shared.cash(f) for f in (market_fund(ALT), GLOBAL_FUND)] == [100_000, 0]


@SIDES
def test_r5_a_rich_fund_does_not_pay_for_another_market(side: int) -> None:
    """WF-047: PERP's fund is full, ALT's is empty: what is lost in ALT stays a claim."""
    scene = Scene(side, alt={"capacity_lots": 0}, waterfall=t.WaterfallPolicy(global_draw_cap_ppm=0))
    scene.ok(cm.FundDeposit, contract=PERP, asset=USD, amount=RICH)
    scene.join(1, 150_000)
    scene.join(2, 850_000)
    scene.cut()
    scene.trade(1, -10, contract=ALT)
    scene.trade(2, -10)
    scene.cut()
    scene.mark(2 * MARK, alt=2 * MARK)
    scene.cuts(4)
    assert scene.cash(market_fund(PERP)) == RICH - 150_000
    assert [(c.contract, c.amount) for c in scene.engine.house.state.claims] == [(ALT, 850_000)]


def settle(scene: Scene, mark: int) -> list[str]:
    """Delist and ask for delivery at the price of `mark`; return what was answered."""
    scene.ok(cm.Delist, contract=PERP)
    price = mark if scene.side > 0 else 10**10 // mark
    scene.ok(cm.Settle, contract=PERP, price=price)
    events = scene.cut().events
    return [e.kind for e in events if e.kind.startswith("settle")]


@SIDES
def test_r5_a_delivery_price_off_the_market_is_refused(side: int) -> None:
    """LC-013: within 5 % of the last good mark, 200,000; the price before the pump is refused, the market's passes."""
    scene = taken(side, patience=10**6, band_ppm=50_000)
    assert settle(scene, 95_000) == ["settle_refused"]
    why = str(scene.said("settle_refused")[0]["why"])
    assert "within 50000 ppm of the last good one" in why
    assert str(side * 200_000) in why
    for mark, told in ((189_900, "settle_refused"), (210_100, "settle_refused"), (190_200, "settle_asked")):
        assert settle(scene, mark) == [told]
    scene.cut()
    assert (scene.lots(2), scene.default()) == (0, 0)


@SIDES
def test_r5_without_a_band_any_price_passes(side: int) -> None:
    """LC-010: so it was; the long side loses what it had gained."""
    scene = taken(side, patience=10**6)
    assert settle(scene, 95_000) == ["settle_asked"]
    scene.cut()
    assert scene.cash(2) < 10**9


@SIDES
def test_r5_a_grade_does_not_move_the_band(side: int) -> None:
    """LC-013, MK-017: a price nobody vouches for cannot be made the last good mark first."""
    scene = taken(side, patience=10**6, band_ppm=50_000)
    scene.mark(95_000, grade=1)
    scene.cut()
    assert settle(scene, 95_000) == ["settle_refused"]
