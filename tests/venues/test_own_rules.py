"""
Tocsin's own rules beside Binance's: two implementations, one in whole units, one in decimals, of the same brackets.
"""

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.desk.own_rules import OWN_RULES
from tocsin.venues import VenueRefusal
from tocsin.venues.contract import Balance, Leg, Mode, NoPrice, Portfolio, Product
from tocsin.venues.registry import find_rulebook

D = Decimal
EXCHANGE, BROKER, CLEARING = OWN_RULES
UM = find_rulebook("binance-usdm")


def leg(symbol: str, size: Decimal, price: Decimal, mark: Decimal | None = None, mode: Mode = Mode.CROSS) -> Leg:
    return Leg(
        symbol=symbol,
        underlying=symbol[:3],
        product=Product.LINEAR,
        size=size,
        entry=price,
        mark=mark or price,
        settle="USDT",
        mode=mode,
        isolated_collateral=size * size / abs(size) * price / 5 if mode is Mode.ISOLATED else None,
    )


sizes = st.decimals("0.01", "300", places=2)
marks = st.decimals("50000", "150000", places=1)


@settings(max_examples=50)
@given(size=sizes, mark=marks, short=st.booleans(), other=st.booleans(), share=st.decimals("0.02", "0.5", places=3))
def test_the_engine_liquidates_where_binance_does(
    size: Decimal, mark: Decimal, short: bool, other: bool, share: Decimal
) -> None:
    entry = D(100_000)
    legs = [leg("BTCUSDT", -size if short else size, entry, mark)]
    if other:
        legs.append(leg("ETHUSDT", D(7), D(3500)))
    wallet = size * entry * share
    portfolio = Portfolio(venue="binance", legs=tuple(legs), balances=(Balance(asset="USDT", amount=wallet),))
    own, theirs = EXCHANGE.run(portfolio), UM.run(portfolio)
    assert own.maintenance is not None and theirs.maintenance is not None
    assert abs(own.maintenance - theirs.maintenance) < D("0.001")
    assert own.equity is not None and theirs.equity is not None and abs(own.equity - theirs.equity) < D("0.001")
    ours, venue = own.legs[0].liquidation, theirs.legs[0].liquidation
    assert ours is not None and venue is not None
    assert (ours.price is None) == (venue.price is None), (ours, venue)
    if ours.price is not None and venue.price is not None:
        assert abs(ours.price / venue.price - 1) < D("1e-9")
    else:
        assert ours.reason is venue.reason


def test_presets_put_the_brackets_at_their_level() -> None:
    portfolio = Portfolio(
        venue="binance", legs=(leg("BTCUSDT", D(1), D(100_000)),), balances=(Balance(asset="USDT", amount=D(5000)),)
    )
    # Brackets: 100,000 x 0.4 % = 400.
    amounts = {b.name: (b.run(portfolio).initial, b.run(portfolio).maintenance) for b in OWN_RULES}
    assert amounts == {
        "tocsin-exchange": (800, 400),
        "tocsin-broker": (600, 320),
        "tocsin-clearing": (400, 200),
    }
    assert BROKER.run(portfolio).signed["margin_call"] == 400
    assert CLEARING.run(portfolio).signed["margin_call"] == 400


def test_isolated_legs_stand_alone() -> None:
    legs = tuple(leg(s, D(n), D(p), mode=Mode.ISOLATED) for s, n, p in (("BTCUSDT", 1, 100_000), ("ETHUSDT", -9, 3500)))
    own, theirs = (b.run(Portfolio(venue="binance", legs=legs)) for b in (EXCHANGE, UM))
    for ours, venue in zip(own.legs, theirs.legs, strict=True):
        assert ours.liquidation is not None and venue.liquidation is not None
        assert ours.liquidation.price is not None and venue.liquidation.price is not None
        assert abs(ours.liquidation.price / venue.liquidation.price - 1) < D("1e-9")


def test_what_the_sheet_does_not_hold_is_refused() -> None:
    inverse = Leg(symbol="BTCUSD_PERP", underlying="BTC", product=Product.INVERSE, size=D(1), mark=D(1), entry=D(1))
    with pytest.raises(VenueRefusal, match="holds linear contracts"):
        EXCHANGE.run(Portfolio(venue="binance", legs=(inverse,)))
    huge = leg("BTCUSDT", D(10**9), D(100_000))
    with pytest.raises(VenueRefusal, match="outside what the engine holds"):
        EXCHANGE.run(Portfolio(venue="binance", legs=(huge,), balances=(Balance(asset="USDT", amount=D(1)),)))


def test_below_and_never_carry_their_reasons() -> None:
    poor = Portfolio(
        venue="binance", legs=(leg("BTCUSDT", D(1), D(100_000)),), balances=(Balance(asset="USDT", amount=D(1)),)
    )
    found = EXCHANGE.run(poor).legs[0].liquidation
    assert found is not None and found.reason is NoPrice.ALREADY_BELOW
    rich = Portfolio(venue="binance", legs=poor.legs, balances=(Balance(asset="USDT", amount=D(200_000)),))
    found = EXCHANGE.run(rich).legs[0].liquidation
    assert found is not None and found.reason is NoPrice.FULLY_COLLATERALISED


def test_what_is_set_aside_is_no_money_of_the_cross_account() -> None:
    apart = leg("BTCUSDT", D(1), D(100_000), mode=Mode.ISOLATED)
    legs = (apart, leg("ETHUSDT", D(9), D(3500)))
    portfolio = Portfolio(venue="binance", legs=legs, balances=(Balance(asset="USDT", amount=D(25_000)),))
    own, theirs = EXCHANGE.run(portfolio), UM.run(portfolio)
    assert own.equity == theirs.equity == 25_000
    ours, venue = own.legs[1].liquidation, theirs.legs[1].liquidation
    assert ours is not None and venue is not None and ours.price is not None and venue.price is not None
    assert abs(ours.price / venue.price - 1) < D("1e-9")
