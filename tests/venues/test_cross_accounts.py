"""
Cross accounts of dYdX, Derive and smaller venues: what must hold for every account.
"""

from decimal import Decimal
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.venues.contract import Balance, Evaluation, Leg, NoPrice, Portfolio, Product
from tocsin.venues.registry import find_rulebook

D = Decimal
MARKETS = {"BTC-USD": "100000", "ETH-USD": "4000", "SOL-USD": "200"}


def leg(symbol: str, notional: int, **fields: Any) -> Leg:
    price = D(MARKETS[symbol])
    good: dict[str, Any] = {"settle": "USDC", "entry": price, "mark": price, "index": price}
    coin = symbol.split("-", maxsplit=1)[0]
    return Leg(symbol=symbol, underlying=coin, product=Product.LINEAR, size=D(notional) / price, **{**good, **fields})


accounts = st.dictionaries(
    st.sampled_from(sorted(MARKETS)), st.integers(-1000, 1000).filter(bool), min_size=1, max_size=3
).map(lambda found: tuple(leg(symbol, size) for symbol, size in sorted(found.items())))
money = st.integers(1, 3000)


def run(rules: str, legs: tuple[Leg, ...], cash: Decimal) -> Evaluation:
    if rules == "poloniex":
        legs = tuple(msgspec.structs.replace(x, maintenance_rate=D("0.006"), leverage=D(20)) for x in legs)
    return find_rulebook(rules).run(Portfolio(venue=rules, legs=legs, balances=(Balance(asset="USDC", amount=cash),)))


def gap(out: Evaluation) -> Decimal:
    assert out.equity is not None
    assert out.maintenance is not None
    return out.equity - out.maintenance


RULES = st.sampled_from(["dydx", "derive-sm", "poloniex"])


@settings(max_examples=60)
@given(rules=RULES, legs=accounts, cash=money)
def test_maintenance_is_at_most_initial_and_sums_over_legs(rules: str, legs: tuple[Leg, ...], cash: int) -> None:
    out = run(rules, legs, D(cash))
    assert out.initial is not None
    assert out.maintenance is not None
    assert 0 < out.maintenance <= out.initial
    assert out.maintenance == sum((x.maintenance or D(0) for x in out.legs), D(0))


@settings(max_examples=60)
@given(rules=RULES, legs=accounts, cash=money, more=money)
def test_the_price_is_where_the_account_reaches_its_requirement(
    rules: str, legs: tuple[Leg, ...], cash: int, more: int
) -> None:
    out = run(rules, legs, D(cash))
    richer = run(rules, legs, D(cash + more))
    for i, found in enumerate(out.legs):
        assert found.liquidation is not None
        price, mark = found.liquidation.price, legs[i].mark
        assert mark is not None
        if price is None:
            expected = NoPrice.ALREADY_BELOW if gap(out) <= 0 else NoPrice.FULLY_COLLATERALISED
            assert found.liquidation.reason is expected
            continue

        def at(there: Decimal, place: int = i) -> Decimal:
            moved = msgspec.structs.replace(legs[place], mark=there, index=there)
            return gap(run(rules, (*legs[:place], moved, *legs[place + 1 :]), D(cash)))

        sign = 1 if legs[i].size > 0 else -1
        assert (price - mark) * sign < 0
        assert at(price) <= D("1e-9")
        assert at(price * (1 + D("1e-6") * sign)) > 0
        further = richer.legs[i].liquidation
        assert further is not None
        if further.price is not None:
            assert (further.price - price) * sign <= 0


@settings(max_examples=40)
@given(rules=RULES, legs=accounts, cash=money)
def test_amounts_are_the_same_mirrored(rules: str, legs: tuple[Leg, ...], cash: int) -> None:
    out, back = (
        run(rules, tuple(msgspec.structs.replace(x, size=sign * x.size) for x in legs), D(cash)) for sign in (1, -1)
    )
    assert (out.initial, out.maintenance, out.equity) == (back.initial, back.maintenance, back.equity)
