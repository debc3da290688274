"""
Smaller venues and dYdX, Derive: published figures reproduced, and what must hold for every position.
"""

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.core.errors import ConfigError
from tocsin.venues import VenueRefusal
from tocsin.venues.assess import assess
from tocsin.venues.contract import (
    Balance,
    Evaluation,
    Leg,
    MissingInput,
    Mode,
    NoPrice,
    OptionTerms,
    Portfolio,
    Product,
)
from tocsin.venues.registry import all_rulebooks, find_rulebook
from tocsin.venues.smaller import RULEBOOKS

D = Decimal
ISOLATED_BOOKS = [b.name for b in RULEBOOKS if Mode.ISOLATED in b.modes]


def make(**fields: Any) -> Leg:
    """Return a leg of one contract of 1 BTC at 100, numbers given as text."""
    good: dict[str, Any] = {
        "symbol": "X",
        "underlying": "BTC",
        "product": Product.LINEAR,
        "size": "1",
        "settle": "USDT",
        "entry": "100",
        "mark": "100",
        "leverage": "10",
    }
    values = {**good, **fields}
    words = ("symbol", "underlying", "settle")
    return Leg(**{k: D(v) if type(v) is str and k not in words else v for k, v in values.items()})


def run(rules: str, *legs: Leg, **fields: Any) -> Evaluation:
    return find_rulebook(rules).run(Portfolio(venue=rules.split("-", maxsplit=1)[0], legs=legs, **fields))


def isolated(rules: str, **fields: Any) -> Evaluation:
    return run(rules, make(mode=Mode.ISOLATED, **fields))


def near(value: Decimal | None, expected: str, relative: str = "0.001") -> bool:
    assert value is not None
    return abs(value - D(expected)) <= abs(D(expected)) * D(relative)


PUBLISHED = """
# rules          size  cs           entry         mark lev  collateral   rate what   published tolerance
kucoin-isolated       1  0.001           26821      26802.8    -      5.3642  0.004 liq   21567 0.001
kucoin-isolated       2   0.01          4182.1      4225.01    -   3.6366087  0.005 liq   4023 0.0001
kucoin-isolated       2   0.01         4189.35      4183.38    -     3.35148  0.005 liq   4044.55 0.0001
kucoin                2    100        0.093795      0.09149    3           -  0.007 mm   0.128086 0
kucoin                2    100        0.093795      0.09149    3           -  0.007 im   6.0993333327234 1e-9
gate                  2     10         0.79271      0.79342    -  0.80460065  0.025 liq   0.77237 1e-5
gate                  2     10         0.79271      0.79342    -  0.80460065  0.025 mm   0.39671 1e-9
mexc                  1   0.01          1217.3            -  100   0.1290338  0.005 liq   1211.2 1e-4
mexc                  1   0.01          1217.3            -  100   0.1290338  0.005 im   0.1290338 0
aax                   1  0.001        36988.64     37652.77    -  4.23192435  0.006 liq   32954.85 1e-4
htx-isolated          1  0.001         47151.3      47158.6    2 24.96572007 0.0075 liq    22353.2291486146095 1e-12
htx-isolated          1  0.001         47151.3      47158.6    2 24.96572007 0.0075 ratio   1.044107779705080303 1e-12
htx                   1  0.001         63204.5      63165.5   20           -      - mm   0.2147627 0
poloniex              1  0.001        94193.42     94095.59   20           -  0.006 mm   0.56457354 0
poloniex              1  0.001        94193.42     94095.59   20           -  0.006 im   4.7047795 0
coinex           0.0007      1         29536.2            -    - 14.41289859  0.005 liq   8991.30137220818 1e-7
bydfi             0.001      1         3032.45      3032.37    1           - 0.0025 mm   0.007581125 0
bitmart              77  0.001           64.44        64.43    5           -  0.025 mm   0.124047 0
xt                  -10 0.0001           27060        27050   25           -      - im   1.0824 0
phemex                1  0.005         4444.74    3133.2499    2     11.1118   0.01 liq   2266.9 1e-4
bitget            0.001      1        107410.3       107415   20           -  0.004 im   5.435199 0
bitget-classic    0.002      1         37355.5      37370.5   20           -  0.004 im   3.73555 0
bingx               0.1      1           83.53        73.14    6           -      - im   1.3922 1e-4
digifinex             1  0.001         18369.3      18390.4   20           -      - im   0.918465 0
"""
_COLUMNS = ("size", "contract_size", "entry", "mark", "leverage", "isolated_collateral", "maintenance_rate")


def read_table() -> list[list[str]]:
    return [line.split() for line in PUBLISHED.splitlines() if line and not line.startswith("#")]


@pytest.mark.parametrize("row", read_table(), ids=lambda row: f"{row[0]} {row[8]} {row[9]}")
def test_published_figures(row: list[str]) -> None:
    rules, cells, quantity, expected, tolerance = row[0], row[1:8], *row[8:11]
    fields: dict[str, Any] = {name: None if x == "-" else x for name, x in zip(_COLUMNS, cells, strict=True)}
    fields["symbol"] = "BTC-USDT" if rules == "htx" else "X"
    mode = Mode.ISOLATED if fields["isolated_collateral"] else Mode.CROSS
    out = run(rules, make(mode=mode, **fields))
    leg = out.legs[0]
    found = {
        "liq": leg.liquidation.price if leg.liquidation else None,
        "mm": leg.maintenance,
        "im": leg.initial,
        "ratio": out.health.value if out.health else None,
    }[quantity]
    assert near(found, expected, tolerance)


def test_cross_equity_as_published() -> None:
    lighter = make(symbol="ETH", underlying="ETH", size="18.0193", entry="2669.84", mark="3013.8", initial_rate="0.05")
    out = run("lighter", lighter, equity=D("15298.072264"))
    assert out.legs[0].liquidation is not None
    assert near(out.legs[0].liquidation.price, "2191.1107231380406", "1e-4")
    assert out.initial is not None
    assert near(out.equity and out.equity - out.initial, "12582.743947", "1e-4")
    gate = make(size="-35", contract_size="0.01", entry="4346.1", mark="4362.5", maintenance_rate="0.005")
    out = run("gate", gate, equity=D("82.433006745942") - D("5.74"))
    assert out.legs[0].liquidation is not None
    assert near(out.legs[0].liquidation.price, "4555.42", "1e-5")
    orderly = make(size="-5", entry="27908.14", mark="27794.9", maintenance_rate="0.05", initial_rate="0.1")
    others = (D("489865.71329") / D("1.2385") - 5 * D("27794.9")) * D("0.05")
    out = run("modetrade", orderly, equity=D("489865.71329"), other_maintenance=others)
    assert out.legs[0].liquidation is not None
    assert near(out.legs[0].liquidation.price, "117335.92899428", "1e-5")


def test_the_closing_fee_enters_bitgets_ratio() -> None:
    leg = make(size="0.002", entry="37355.5", mark="37370.5", leverage="20", maintenance_rate="0.004")
    equity = D("11.634761394")
    out = run("bitget-classic", leg, equity=equity)
    assert out.health is not None
    assert near(out.health.value, "0.029550120396", "1e-8")
    assert near(out.maintenance, "0.298964", "0")


def test_phemex_inverse_by_its_page() -> None:
    leg = make(product=Product.INVERSE, size="1000", entry="10000", mark="10000", mode=Mode.ISOLATED, settle="BTC")
    # Liquidation value = 0.1 - 0.0005 + 0.01, price = 1000 / that; mirrored for a short.
    for size, value in (("1000", D("0.1095")), ("-1000", D("0.0905"))):
        out = run("phemex", _with(leg, size=D(size), isolated_collateral=D("0.01"), maintenance_rate=D("0.005")))
        assert out.legs[0].liquidation is not None
        assert near(out.legs[0].liquidation.price, str(1000 / value), "1e-10")


def _with(leg: Leg, **fields: Any) -> Leg:
    return msgspec.structs.replace(leg, **fields)


DYDX = (
    make(symbol="BTC-USD", size="-4.1368", entry="112196.87848803433", mark="108086.86937", leverage=None),
    make(symbol="ETH-USD", underlying="ETH", size="0.001", entry="3894.7", mark="3850.024845", leverage=None),
)


def test_dydx_account_as_published() -> None:
    money = D("608580.951601") + sum(leg.size * (leg.entry or 0) for leg in DYDX)
    out = run("dydx", *DYDX, balances=(Balance(asset="USDC", amount=money, price=D(1)),))
    assert near(out.equity, "161451.040416029", "1e-12")
    assert near(out.signed["freeCollateral"], "152508.28819133577", "1e-12")
    btc, eth = out.legs
    assert btc.liquidation is not None
    assert eth.liquidation is not None
    others = D("0.001") * D("3850.024845") * D("0.012")
    expected = (D("161451.040416029") + D("4.1368") * D("108086.86937") - others) / (D("4.1368") * D("1.012"))
    assert near(btc.liquidation.price, str(expected), "1e-10")
    assert eth.liquidation.reason is NoPrice.FULLY_COLLATERALISED


def test_dydx_initial_margin_grows_with_open_interest_and_maintenance_does_not() -> None:
    leg = make(symbol="SOL-USD", underlying="SOL", leverage=None)
    figures = []
    for interest in ("0", "20000000", "35000000", "50000000", "90000000"):
        out = run("dydx", leg, equity=D(1000), extra={"open_notional:SOL-USD": D(interest)})
        assert out.maintenance == D(5)
        figures.append(out.initial)
    assert figures == [D(10), D(10), D(55), D(100), D(100)]
    assert run("dydx", leg, equity=D(1000)).legs[0].basis.notes  # type: ignore[union-attr]


def test_dydx_a_users_leverage_counts_where_dearer() -> None:
    leg = make(symbol="BTC-USD", leverage="10")
    assert run("dydx", leg, equity=D(1000)).initial == D(10)
    assert run("dydx", _with(leg, leverage=D(80)), equity=D(1000)).initial == D(2)


def test_dydx_unknown_market_is_refused_by_name() -> None:
    with pytest.raises(MissingInput, match="maintenance_rate is missing: FOO-USD"):
        run("dydx", make(symbol="FOO-USD", underlying="FOO"), equity=D(1))


DERIVE_PERP = make(
    symbol="BTC-PERP",
    size="0.01",
    entry=str(D("84372.319949036835") - (D("-0.075737406633") - D("-0.000041006163")) / D("0.01")),
    mark="84372.319949036835",
    index="84363.26788266873",
    accrued_funding="-0.000041006163",
    leverage=None,
    settle="USDC",
)
DERIVE_CALL = make(
    symbol="BTC-20270924-85000-C",
    product=Product.OPTION,
    size="0.1",
    entry="14711.31",
    mark="14667.877695125091",
    index="84363.26788266873",
    leverage=None,
    settle="USDC",
    option=OptionTerms(is_call=True, strike=D(85000), expiry="2027-09-24T08:00:00Z"),
)
CASH = (Balance(asset="USDC", amount=D("4527.545388020506"), price=D(1)),)


def test_derive_account_as_published() -> None:
    out = run("derive-sm", DERIVE_PERP, DERIVE_CALL, balances=CASH)
    assert near(out.signed["maintenance_margin"], "4485.288016633255", "1e-10")
    assert near(out.signed["initial_margin"], "4471.789893720174", "1e-10")
    assert near(out.equity, "5994.257409543261", "1e-8")
    assert near(out.legs[0].maintenance, "42.257371387251", "1e-8")
    assert near(out.legs[0].initial, "55.755494300332", "1e-8")
    assert out.legs[1].maintenance == out.legs[1].initial == 0
    assert out.equity is not None
    assert out.maintenance is not None
    assert out.equity - out.maintenance == out.signed["maintenance_margin"]


def test_an_option_without_volatility_costs_the_time_to_the_call_and_nothing_else() -> None:
    portfolio = Portfolio(venue="derive", legs=(DERIVE_PERP, DERIVE_CALL), balances=CASH)
    found = assess(find_rulebook("derive-sm"), portfolio, {})
    assert found.t_star_minutes is None
    assert any("option.vol is missing" in note for note in found.notes)
    assert near(found.evaluation.signed["maintenance_margin"], "4485.288016633255", "1e-10")


@pytest.mark.parametrize(
    ("time", "maintenance", "initial"),
    [("2025-01-14", "50", "65"), ("2026-03-01", "65", "100"), ("2026-10-05", "45", "59.4"), ("", "45", "59.4")],
)
def test_derive_rates_and_price_follow_the_date(time: str, maintenance: str, initial: str) -> None:
    # Mark 1000, index 900: the share is of the mark until 2026, of the index since.
    leg = make(symbol="ETH-PERP", underlying="ETH", entry="1000", mark="1000", index="900", leverage=None)
    out = run("derive-sm", leg, time=time)
    assert (out.legs[0].maintenance, out.legs[0].initial) == (D(maintenance), D(initial))


def test_derive_liquidation_price_of_a_perpetual() -> None:
    for size, sign in (("1", 1), ("-1", -1)):
        leg = make(symbol="BTC-PERP", size=size, entry="1000", mark="1000", index="1000", leverage=None)
        out = run("derive-sm", leg, balances=(Balance(asset="USDC", amount=D(100)),))
        # 100 + s (P - 1000) = 0.05 P
        expected = (D(1000) * sign - 100) / (D(sign) - D("0.05"))
        assert out.legs[0].liquidation is not None
        assert near(out.legs[0].liquidation.price, str(expected), "1e-9")


def test_derive_portfolio_margin_needs_and_gives() -> None:
    leg = make(symbol="ETH-PERP", underlying="ETH", entry="2000", mark="2000", index="2000", leverage=None)
    out = run("derive-pm", leg, balances=(Balance(asset="USDC", amount=D(1000)),))
    # Worst cell -18 %: 360 x 0.8, 1.5 % of spot on top; initial 360 and 2 %.
    assert near(out.signed["maintenance_margin"], str(1000 - 288 - 30), "1e-9")
    assert near(out.signed["initial_margin"], str(1000 - 360 - 40), "1e-9")
    assert out.legs[0].liquidation is not None
    price = out.legs[0].liquidation.price
    # 1000 + (P - 2000) - 0.144 P - 0.015 P = 0
    assert near(price, str(D(1000) / (1 - D("0.144") - D("0.015"))), "1e-5")
    option = make(
        symbol="O",
        underlying="ETH",
        product=Product.OPTION,
        size="-1",
        mark="100",
        index="2000",
        leverage=None,
        option=OptionTerms(is_call=True, strike=D(2200), expiry_years=D("0.1"), forward=D(2000)),
    )
    with pytest.raises(MissingInput, match="rate is missing"):
        run("derive-pm", leg, option)
    with pytest.raises(VenueRefusal, match="one underlying"):
        run("derive-pm", leg, DERIVE_PERP)


def test_what_is_not_covered_is_named() -> None:
    for venue in ("whitebit", "toobit", "krakenfutures", "btse-isolated"):
        with pytest.raises(ConfigError, match="no rulebook for"):
            find_rulebook(venue)
    with pytest.raises(ConfigError, match="did you mean kucoin"):
        find_rulebook("kucoinn")


@pytest.mark.parametrize("rules", [b.name for b in all_rulebooks() if b.venue in {r.venue for r in RULEBOOKS}])
def test_missing_inputs_are_named(rules: str) -> None:
    book = find_rulebook(rules)
    mode = book.modes[0]
    with pytest.raises(MissingInput):
        run(rules, make(symbol="NEW", underlying="NEW", mode=mode, mark=None, entry=None))
    out = run(rules, make(symbol="NEW", underlying="NEW", mode=mode, maintenance_rate="0.01"))
    price = out.legs[0].liquidation
    assert price is not None
    assert price.reason is NoPrice.INPUT_MISSING
    notes = out.legs[0].basis.notes if out.legs[0].basis else ()
    assert any("equity" in note or "isolated_collateral" in note for note in notes)


rates = st.decimals("0.002", "0.05", places=4)
margins = st.decimals("0.06", "0.9", places=3)


@settings(max_examples=60)
@given(rules=st.sampled_from(ISOLATED_BOOKS), rate=rates, margin=margins, is_long=st.booleans(), more=rates)
def test_isolated_price_is_where_equity_meets_the_requirement(
    rules: str, rate: Decimal, margin: Decimal, is_long: bool, more: Decimal
) -> None:
    sign = 1 if is_long else -1
    leg = make(mode=Mode.ISOLATED, size=str(sign), maintenance_rate=str(rate), isolated_collateral=str(margin * 100))
    price = _price(run(rules, leg))
    assert price is not None
    assert price < 100 if is_long else price > 100
    # There the venue's own rule is met no more, a little before it is.
    hair = D("1e-9") * sign
    assert _price(run(rules, _with(leg, mark=price * (1 + hair)))) is not None
    assert _price(run(rules, _with(leg, mark=price * (1 - hair)))) is None
    # More money never brings it nearer.
    richer = _price(run(rules, _with(leg, isolated_collateral=(margin + more) * 100)))
    assert richer is None or (richer <= price if is_long else richer >= price)
    # A higher rate never takes it further away.
    dearer = _price(run(rules, _with(leg, maintenance_rate=rate + more)))
    assert dearer is None or (dearer >= price if is_long else dearer <= price)


def _price(out: Evaluation) -> Decimal | None:
    price = out.legs[0].liquidation
    assert price is not None
    return price.price


@settings(max_examples=40)
@given(rules=st.sampled_from([b.name for b in RULEBOOKS]), size=st.decimals("0.01", "50", places=2), rate=rates)
def test_mirrored_and_monotone_in_size(rules: str, size: Decimal, rate: Decimal) -> None:
    mode = find_rulebook(rules).modes[0]

    def amounts(units: Decimal) -> tuple[Decimal, Decimal]:
        out = run(rules, make(mode=mode, size=str(units), maintenance_rate=str(rate)))
        assert out.initial is not None
        assert out.maintenance is not None
        return out.initial, out.maintenance

    assert amounts(size) == amounts(-size)
    assert amounts(size) < amounts(size * 2)
