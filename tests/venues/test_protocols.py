"""
Protocols through the contract: their own cases, closed forms, Derive's portfolio margin against its rule.
"""

from decimal import ROUND_CEILING, Decimal
from fractions import Fraction
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.venues import VenueRefusal, vega
from tocsin.venues.contract import Balance, Evaluation, Leg, MissingInput, Mode, OptionTerms, Portfolio, Product
from tocsin.venues.derive_pm import Portfolio as Inputs
from tocsin.venues.derive_pm import compute_portfolio_margin
from tocsin.venues.derive_shocks import YEAR_S, Expiry, Option
from tocsin.venues.derive_terms import read_portfolio_terms
from tocsin.venues.params import load
from tocsin.venues.registry import find_rulebook

D = Decimal


def perp(symbol: str = "M", size: str = "1", price: str = "100", **fields: Any) -> Leg:
    good: dict[str, Any] = {"product": Product.LINEAR, "entry": D(price), "mark": D(price), "settle": "USD"}
    return Leg(**{"symbol": symbol, "underlying": symbol, "size": D(size), **good, **fields})


def run(rules: str, *legs: Leg, **fields: Any) -> Evaluation:
    extra = {name: D(value) for name, value in fields.pop("extra", {}).items()}
    return find_rulebook(rules).run(Portfolio(venue=rules, legs=legs, extra=extra, **fields))


def price_of(out: Evaluation) -> Decimal | None:
    found = out.legs[0].liquidation
    assert found is not None
    return found.price


def test_synthetix_two_markets_as_in_its_test() -> None:
    terms = {"initial_ratio": "2", "min_initial_ratio": "0.01", "maintenance_scalar": "0.5"}
    own = {"skew_scale:BTC": "100", "min_margin:BTC": "1000", "skew_scale:ETH": "1000", "min_margin:ETH": "500"}
    out = run("synthetix", perp("BTC", "-2", "30000"), perp("ETH", "20", "2000"), extra={**terms, **own})
    assert (out.initial, out.maintenance) == (D(6500), D(4000))


def test_vega_maintenance_as_in_its_feature_test() -> None:
    terms = {"risk_long": "0.2", "risk_short": "0.1", "linear_slippage": "0.0873794174757282", "initial_scaling": "4"}
    out = run("vega", perp(size="13", price="14000000"), extra=terms)
    assert out.maintenance is not None
    assert out.maintenance.to_integral_value(ROUND_CEILING) == D(52303054)
    assert out.initial == out.maintenance * 4


@settings(max_examples=40)
@given(
    size=st.integers(-50, 50).filter(bool),
    collateral=st.integers(10, 4000),
    slippage=st.decimals("0", "0.1", places=3),
    risk=st.decimals("0.01", "0.5", places=3),
)
def test_vega_price_is_its_closed_form(size: int, collateral: int, slippage: Decimal, risk: Decimal) -> None:
    leg = perp(size=str(size), mode=Mode.ISOLATED, isolated_collateral=D(collateral))
    terms = {"risk_long": str(risk), "risk_short": str(risk), "linear_slippage": str(slippage)}
    found = price_of(run("vega", leg, extra=terms))
    factor = Fraction(slippage + risk)
    exact = vega.liquidation_price(
        Fraction(size),
        Fraction(100),
        Fraction(collateral),
        linear=Fraction(slippage),
        quadratic=Fraction(0),
        risk_long=Fraction(risk),
        risk_short=Fraction(risk),
    )
    if collateral <= abs(size) * 100 * factor or not exact:
        assert found is None
    else:
        assert found is not None
        assert abs(Fraction(found) - exact) <= exact / 10**9


def test_paradex_account_of_its_page() -> None:
    legs = (perp("BTC", "0.1", "60000"), perp("ETH", "-1", "3000"))
    legs = tuple(
        msgspec.structs.replace(leg, mark=D(mark), maintenance_rate=D("0.01"), initial_rate=D("0.02"))
        for leg, mark in zip(legs, ("54800", "3400"), strict=True)
    )
    out = run("paradex", *legs, balances=(Balance(asset="USD", amount=D(1000)),))
    assert (out.equity, out.maintenance) == (D(80), D("88.8"))
    assert out.health is not None
    assert out.health.state == "liquidation"


def test_paradex_market_and_leverage() -> None:
    leg = perp("BTC-USD-PERP", price="50000")
    assert run("paradex", leg).initial == D(1000)
    assert run("paradex", leg).maintenance == D(500)
    assert run("paradex", msgspec.structs.replace(leg, leverage=D(5))).initial == D(10000)
    with pytest.raises(MissingInput, match="no parameters of FOO"):
        run("paradex", perp("FOO"))


def test_drift_ratio_grows_with_size() -> None:
    rates = {"initial_rate": D("0.1"), "maintenance_rate": D("0.05")}
    small = run("drift", perp(**rates))
    assert (small.initial, small.maintenance) == (D(10), D(5))
    # imf 0.001 at 10^6 units: 0.8 x 0.1 + 0.001 x 1000 = 1.08, and 1.04.
    large = run("drift", perp(size="1000000", price="1", **rates), extra={"imf_factor": "0.001"})
    assert (large.initial, large.maintenance) == (D(1080000), D(1040000))


def test_dango_cuts_products_to_six_decimals() -> None:
    out = run("dango", perp(size="0.333333", price="0.000007", maintenance_rate=D("0.5")))
    assert out.maintenance == D("0.000001")
    assert run("dango", perp(size="-0.333333", price="0.000007", maintenance_rate=D("0.5"))).maintenance == D(
        "0.000001"
    )
    with pytest.raises(VenueRefusal, match="six decimals"):
        run("dango", perp(size="0.3333333", maintenance_rate=D("0.5")))


@pytest.mark.parametrize(
    ("rules", "named"),
    [("vega", "risk_long"), ("synthetix", "skew_scale"), ("dango", "maintenance_rate"), ("drift", "maintenance_rate")],
)
def test_a_market_without_terms_is_refused_by_name(rules: str, named: str) -> None:
    with pytest.raises(MissingInput, match=named):
        run(rules, perp())


def option(size: str, strike: str, years: str, *, call: bool) -> Leg:
    terms = OptionTerms(
        is_call=call, strike=D(strike), expiry_years=D(years), forward=D(2020), rate=D("0.05"), vol=D("0.7")
    )
    return perp(f"{strike}{'C' if call else 'P'}", size, "2000", product=Product.OPTION, option=terms)


def at_index(*legs: Leg) -> tuple[Leg, ...]:
    return tuple(msgspec.structs.replace(leg, underlying="ETH", index=D(2000)) for leg in legs)


sizes = st.decimals("-20", "20", places=1).filter(bool).map(str)
strikes = st.sampled_from(["1500", "2000", "2600"])


@settings(max_examples=25)
@given(short=sizes, other=sizes, perps=sizes, strikes=st.tuples(strikes, strikes), cash=st.integers(0, 10**6))
def test_derive_portfolio_margin_is_its_rule(
    short: str, other: str, perps: str, strikes: tuple[str, str], cash: int
) -> None:
    legs = at_index(option(short, strikes[0], "0.1", call=True), option(other, strikes[1], "0.4", call=False))
    legs += at_index(perp("ETH-PERP", perps, "2001"))
    out = run("derive-pm", *legs, balances=(Balance(asset="USDC", amount=D(cash)),))
    options = [(short, strikes[0], 0.1, True), (other, strikes[1], 0.4, False)]
    inputs = Inputs(
        cash=float(cash),
        spot=2000.0,
        options=tuple(Option(t * YEAR_S, float(k), c, 0.7, float(q)) for q, k, t, c in options),
        expiries=tuple(Expiry(t * YEAR_S, 2020.0, 0.05) for t in (0.1, 0.4)),
        perps=float(perps),
        perp_price=2001.0,
    )
    margin = compute_portfolio_margin(inputs, read_portfolio_terms(load("derive", "pmrm2")))
    scale = 1e-9 * (cash + 1e5)
    assert abs(float(out.signed["maintenance_margin"]) - margin.maintenance_margin) <= scale
    assert abs(float(out.signed["initial_margin"]) - margin.initial_margin) <= scale
    price = out.legs[2].liquidation
    assert price is not None
    if out.signed["maintenance_margin"] > 0 and price.price is not None:
        moved = float(price.price) / 2001.0
        there = inputs._replace(
            spot=2000.0 * moved,
            expiries=tuple(e._replace(forward=2020.0 * moved) for e in inputs.expiries),
            perp_price=2001.0 * moved,
            perp_pnl=float(perps) * 2001.0 * (moved - 1.0),
        )
        left = compute_portfolio_margin(there, read_portfolio_terms(load("derive", "pmrm2"))).maintenance_margin
        assert left <= 1e-6 * (cash + 1e5)


def test_derive_standard_margin_of_a_strangle() -> None:
    call, put = (
        msgspec.structs.replace(
            option("-10", strike, "0.08219178", call=is_call),
            underlying="BTC",
            index=D(100000),
            mark=D(mark),
            option=OptionTerms(
                is_call=is_call, strike=D(strike), expiry_years=D("0.0821917808"), forward=D(100000), vol=D("0.5")
            ),
        )
        for strike, is_call, mark in (("110000", True, "2275"), ("90000", False, "1828"))
    )
    out = run("derive-sm", call, put, balances=(Balance(asset="USDC", amount=D(0)),), time="2026-03-01")
    # Figures of the rule by hand: mark value and 9 %, 13 % of the index for each leg.
    assert abs(-out.signed["maintenance_margin"] - 221031) < 20
    assert abs(-out.signed["initial_margin"] - 301031) < 20
    implied = (
        msgspec.structs.replace(leg, option=msgspec.structs.replace(leg.option, vol=None)) for leg in (call, put)
    )
    again = run("derive-sm", *implied, balances=(Balance(asset="USDC", amount=D(0)),), time="2026-03-01")
    assert abs(again.signed["maintenance_margin"] - out.signed["maintenance_margin"]) < 20


def test_derive_short_options_of_an_api_payload_need_no_forward() -> None:
    # Positions carry mark and index alone: value at the mark, 9 % of the index for a short call by itself.
    terms = OptionTerms(is_call=True, strike=D(110000), expiry="2026-12-25T08:00:00Z")
    call = perp("C", "-2", "2275", product=Product.OPTION, underlying="BTC", index=D(100000), option=terms)
    out = run("derive-sm", call, balances=(Balance(asset="USDC", amount=D(50000)),))
    assert abs(out.signed["maintenance_margin"] - (50000 - 2 * (2275 + 9000))) < D("0.01")
    assert abs(out.signed["initial_margin"] - (50000 - 2 * (2275 + 13000))) < D("0.01")
    assert any("forward of C" in note for note in out.basis.notes)
    with pytest.raises(MissingInput, match="forward"):
        run("derive-pm", call, balances=(Balance(asset="USDC", amount=D(50000)),))
