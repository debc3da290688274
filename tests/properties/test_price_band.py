"""
Bands of prices of an underlying: one mark before each answer the account stands, at it it falls (PR-010 to PR-014).
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.helpers import exact
from tests.helpers.strategies import broad_worlds
from tocsin.margin.price_band import GRID, price_band
from tocsin.margin.prices import liquidation_price
from tocsin.margin.state import AccountState, Level, Mode
from tocsin.margin.valuation import Valuation
from tocsin.sheet import terms as t
from tocsin.sheet.marks import Grade, Mark, Marks

USD, BTC = 1, 2
PERP, DATED, COIN, CALL = 1, 2, 3, 4
ZERO = (0,) * 8


def sheet(**fields):
    usd = t.AssetTerms(USD, "USD", 2, 1_000_000, (t.HaircutTier(0, 0),))
    btc = t.AssetTerms(BTC, "BTC", 8, 4_000_000, (t.HaircutTier(0, 0),), underlying=1, row=ZERO)
    perp = t.ContractTerms(PERP, "PERP", t.Kind.LINEAR, USD, 10, 1_000_000, 10_000, (t.Tier(0, 50_000),), underlying=1)
    dated = replace(perp, id=DATED, symbol="DATED")
    coin = t.ContractTerms(
        COIN, "COIN", t.Kind.INVERSE, BTC, 10**9, 1_000_000, 10_000, (t.Tier(0, 50_000),), underlying=1
    )
    call = t.ContractTerms(
        CALL, "CALL", t.Kind.OPTION, USD, 10, 1_000_000, 1_000, (t.Tier(0, 0),), charge_short=5_000, underlying=1,
        option=t.OptionTerms(True, 11_000), expiry_ns=10**18,
    )  # fmt: skip
    factors = t.LevelFactors(2_000_000, 1_250_000, 1_000_000, 500_000)
    return t.RiskSheet(
        "band", t.Preset.EXCHANGE, (usd, btc), (perp, dated, coin, call), factors, factors, (0, 0, 0, 0),
        scenarios=tuple("abcdefgh"), underlyings=(t.UnderlyingTerms(1, "BTC", 0, PERP, 100_000, 100_000),), **fields,
    )  # fmt: skip


def value():
    marks = {PERP: 100_000, DATED: 110_000, COIN: -100_000, CALL: 4_000}
    entries = {c: Mark(m, 0, Grade.FRESH, 0) for c, m in marks.items()}
    return Valuation(sheet(), Marks(entries, {USD: 1_000_000, BTC: 1_000_000}))


def held(usd=0, btc=0, **lots):
    names = {"perp": (PERP, 100_000), "dated": (DATED, 110_000), "coin": (COIN, -100_000), "call": (CALL, 4_000)}
    positions = {names[n][0]: (q, q * names[n][1]) for n, q in lots.items() if q}
    return AccountState(1, 1, cash={a: u for a, u in ((USD, usd), (BTC, btc)) if u}, positions=positions)


@pytest.mark.parametrize("side", [1, -1])
def test_pr_010_one_instrument_is_its_liquidation_price(side):
    """PR-010: on the losing side the band is the price of PR-001; the other side is never reached."""
    account = held(usd=100_000, perp=side * 10)
    band = price_band(account, value(), 1)
    losing, winning = (band.down, band.up) if side > 0 else (band.up, band.down)
    assert losing[0] == losing[1]
    assert losing[0].mark == liquidation_price(account, value(), PERP).mark
    assert winning[0].mark is None or side < 0
    assert band.moved == (PERP,) and band.measured_by == PERP


@pytest.mark.parametrize("side", [1, -1])
def test_pr_011_hedged_legs_move_together(side):
    """PR-011: long one, short the other of the same underlying: the pair falls much further away than either alone."""
    pair = held(usd=150_000, perp=side * 10, dated=-side * 10)
    band = price_band(pair, value(), 1)
    alone = liquidation_price(pair, value(), PERP).mark
    assert alone is not None
    # The pair's P&L moves by a tenth of a leg's; its requirement grows with the price on both legs.
    assert band.down[0].mark is None
    if band.up[0].mark is not None:
        assert abs(band.up[0].mark - 100_000) > abs(alone - 100_000)


def test_pr_011_coin_collateral_moves_too():
    """PR-011: long the coin contract with coin collateral falls sooner than with the same money in dollars."""
    with_coin, with_usd = held(btc=200_000, coin=10), held(usd=200_000, coin=10)
    near_coin = price_band(with_coin, value(), 1).down[0].mark
    near_usd = price_band(with_usd, value(), 1).down[0].mark
    assert near_coin is not None and near_usd is not None
    assert near_coin > near_usd


def test_pr_012_options_make_it_a_band():
    """PR-012: a short call over a long perpetual: far, the call stays; near, it takes all the perpetual gains."""
    account = held(usd=40_000, perp=1, call=-5)
    band = price_band(account, value(), 1)
    near, far = band.up
    assert near.mark is not None
    assert far.mark is None or far.mark >= near.mark


def test_pr_013_reasons():
    """PR-013: nothing held, nothing that measures, below already, never."""
    assert price_band(held(usd=5), value(), 1) is None
    assert price_band(held(perp=1), value(), 9) is None
    below = price_band(held(usd=1_000, perp=1), value(), 1)
    assert below.down[0] == below.up[0] and below.down[0].reason == "already below"
    rich = price_band(held(usd=10**9, perp=1), value(), 1)
    assert rich.down[0].reason == rich.up[1].reason == "never"


@given(
    broad_worlds(holds=False, priced=True),
    st.sampled_from((7, 8)),
    st.sampled_from((Level.LIQUIDATION, Level.BANKRUPTCY)),
)
def test_one_mark_before_the_band_it_stands_at_it_it_falls(world, underlying, level):
    """PR-014: recomputed in fractions, at both ends of the band."""
    from tocsin.margin import price_band as module

    found_sheet, marks, account = world
    account.mode = Mode.CROSS
    valuation = Valuation(found_sheet, marks)
    band = price_band(account, valuation, underlying, level)
    if band is None:
        return
    reference = valuation.lines[band.measured_by]

    def falls(mark, worst):
        there = module._moved_to(account, valuation, reference, band.moved, band.moved_assets, mark, worst)
        if level == Level.BANKRUPTCY:
            return exact.equity(account, found_sheet, there.marks, haircuts=False) < 0
        return exact.equity(account, found_sheet, there.marks) < exact.need(
            account, found_sheet, there.marks, level - 1
        )

    for side, step in ((band.down, -1), (band.up, 1)):
        for bound, worst in zip(side, (True, False), strict=True):
            if bound.mark is not None:
                assert falls(bound.mark, worst)
                assert not falls(bound.mark - step, worst)
    assert GRID == 64
