"""
The core door on inputs beyond the shipped cases, against independent closed forms.
"""

import importlib.util
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tocsin.conform.compare import Approximate, Undefined, find_differences
from tocsin.conform.core_prices import (
    accepts_price_case,
    run_bankruptcy_price,
    run_insurance_delta,
    run_liquidation_price,
    run_tiers,
)
from tocsin.conform.core_shares import run_loss_socialisation, run_water_filling
from tocsin.conform.inputs import Inputs
from tocsin.conform.numbers import format_number
from tocsin.conform.venue_vega import run_price

ADAPTER = Path(__file__).parents[2] / "examples" / "conform_adapter" / "dydx_fractions.py"
_spec = importlib.util.spec_from_file_location("dydx_fractions", ADAPTER)
assert _spec is not None and _spec.loader is not None
dydx = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(dydx)


def decimals(low: int, high: int, places: int) -> st.SearchStrategy[str]:
    """Decimal text between low and high with some places."""
    return st.integers(low * 10**places, high * 10**places).map(
        lambda n: f"{'-' if n < 0 else ''}{abs(n) // 10**places}.{abs(n) % 10**places:0{places}d}"
    )


LEGS = st.lists(
    st.fixed_dictionaries(
        {
            "asset": st.sampled_from(["BTC", "ETH", "X"]),
            "quantums": st.integers(-(10**11), 10**11).filter(bool),
            "price_usd": st.one_of(st.integers(1, 10**6), decimals(0, 5, 4).filter(lambda p: float(p) > 0)),
            "atomic_resolution": st.integers(-10, -4),
            "imf_ppm": st.integers(1_000, 1_000_000),
            "maintenance_fraction_ppm": st.integers(100_000, 1_000_000),
        }
    ),
    min_size=1,
    max_size=4,
)


@given(st.integers(-(10**6), 10**6), LEGS, st.data())
@settings(max_examples=150)
def test_bankruptcy_price_equals_the_published_formula(
    usdc: int, legs: list[dict[str, Any]], data: st.DataObject
) -> None:
    index = data.draw(st.integers(0, len(legs) - 1))
    size = legs[index]["quantums"]
    part = data.draw(st.integers(1, abs(size)))
    delta = -part if size > 0 else part
    inputs = {"usdc": usdc, "positions": legs, "close_index": index, "delta_quantums": delta}
    actual = run_bankruptcy_price(Inputs(inputs))["bankruptcy_price_quote_quantums"]
    try:
        expected = dydx.bankruptcy_price(usdc, legs, index, delta)
    except dydx.NoAnswer:
        assert isinstance(actual, Undefined)
    else:
        assert actual == expected


@given(
    st.integers(-(10**5), 10**5),
    st.integers(-(10**9), 10**9).filter(bool),
    st.integers(0, 10**12),
    st.integers(0, 1_000_000),
)
@settings(max_examples=80)
def test_insurance_delta_equals_the_published_formula(usdc: int, size: int, fill: int, fee_ppm: int) -> None:
    inputs = {
        "usdc": usdc,
        "position_quantums_btc": size,
        "fill_quote_quantums": fill,
        "max_liquidation_fee_ppm": fee_ppm,
    }
    assert run_insurance_delta(Inputs(inputs)) == dydx.answer_insurance(inputs)


@pytest.mark.parametrize("delta", [0, 5, -11, 11])
def test_a_close_that_is_none_has_no_bankruptcy_price(delta: int) -> None:
    leg = {"asset": "BTC", "quantums": 10, "price_usd": 50_000, "imf_ppm": 1, "maintenance_fraction_ppm": 1}
    inputs = Inputs({"usdc": 1, "positions": [leg], "close_index": 0, "delta_quantums": delta})
    assert isinstance(run_bankruptcy_price(inputs)["bankruptcy_price_quote_quantums"], Undefined)


def tiers_by_formula(notional: Fraction, tiers: list[tuple[int, Fraction]]) -> Fraction:
    """Margin of each slice of notional at its bracket's rate: the integral that the deductions stand for."""
    total = Fraction(0)
    for i, (lower, leverage) in enumerate(tiers):
        upper = tiers[i + 1][0] if i + 1 < len(tiers) else notional
        total += max(Fraction(0), min(notional, Fraction(upper)) - lower) / (2 * leverage)
    return total


@given(
    decimals(-3_000_000, 3_000_000, 3),
    st.lists(st.integers(1, 2_000_000), max_size=5, unique=True),
    st.lists(st.integers(1, 100), min_size=6, max_size=6, unique=True),
)
@settings(max_examples=100)
def test_tiers_equal_the_integral_of_rates(notional: str, bounds: list[int], leverages: list[int]) -> None:
    lowers = [0, *sorted(bounds)]
    falling = sorted(leverages, reverse=True)[: len(lowers)]
    tiers = [{"lower_bound": b, "max_leverage": k} for b, k in zip(lowers, falling, strict=True)]
    result = run_tiers(Inputs({"notional": notional, "tiers": tiers}))["maintenance_margin"]
    size = abs(Fraction(notional))
    exact = tiers_by_formula(size, [(b, Fraction(k)) for b, k in zip(lowers, falling, strict=True)])
    assert isinstance(result, Approximate)
    assert abs(result.value - exact) <= result.bound <= size / 10**6 + Fraction(1, 10**5)
    if all(10**6 % (2 * k) == 0 for k in falling):
        assert result.bound <= Fraction(1, 10**5)


PRICES = st.fixed_dictionaries(
    {
        "mark_price": decimals(0, 100_000, 3).filter(lambda p: float(p) > 0),
        "position_factor": st.sampled_from([1, 10, 100, 1000]),
        "position_size": st.integers(-50_000, 50_000),
        "linear_slippage": st.sampled_from(["0", "0.001", "0.25", "0.0873794174757282"]),
        "quadratic_slippage": st.just("0"),
        "rf_long": decimals(0, 1, 3),
        "rf_short": decimals(0, 2, 3),
        "funding_per_unit": st.one_of(st.just("0"), decimals(-20, 20, 2)),
        "collateral": st.one_of(st.just("equal to maintenance margin"), decimals(-(10**6), 10**8, 2)),
    }
)


@given(PRICES)
@settings(max_examples=200)
def test_liquidation_price_equals_the_closed_form(values: dict[str, Any]) -> None:
    assume(accepts_price_case(Inputs(values)) == "")
    exact = run_price(Inputs(values))["liquidation_price"]
    result = run_liquidation_price(Inputs(values))["liquidation_price"]
    assert isinstance(exact, Fraction)
    assert find_differences(format_number(exact).split(" ")[0], result) == [], (exact, result)
    rate = Fraction(values["linear_slippage"]) + Fraction(
        values["rf_short" if values["position_size"] < 0 else "rf_long"]
    )
    if isinstance(result, Approximate) and (rate * 10**6).denominator == 1 and rate < Fraction(99, 100):
        # A whole-ppm rate holds far inside 1 ppm of the price or of the mark.
        assert result.bound <= max(result.value, Fraction(values["mark_price"])) / 10**6


@pytest.mark.parametrize(
    ("size", "rate", "slippage", "collateral", "price"),
    [
        # p = (C - q x mark) / (slippage + |q| x rate - q), by hand.
        (10, "0.1", "0", "200", "88.8888888889"),
        (-10, "0.1", "0", "200", "109.0909090909"),
        (10, "0", "0.5", "500", "100"),
        (10, "0.1", "0", "1000", "0"),
        (10, "0.1", "0", "50", "105.5555555556"),
        (-10, "0.1", "0", "-1000", "0"),
        (-10, "1.5", "0", "1500", "100"),
        (0, "0.1", "0", "50", "0"),
    ],
)
def test_liquidation_price_by_hand(size: int, rate: str, slippage: str, collateral: str, price: str) -> None:
    values = {
        "mark_price": 100,
        "position_size": size,
        "linear_slippage": slippage,
        "rf_long": rate,
        "rf_short": rate,
        "collateral": collateral,
    }
    assert find_differences({"liquidation_price": price}, run_liquidation_price(Inputs(values))) == []


@pytest.mark.parametrize(("size", "price"), [(40_000, "123.4"), (-40_000, "1234.5"), (1, "5")])
def test_the_identity_is_exact(size: int, price: str) -> None:
    values = {
        "mark_price": price,
        "position_size": size,
        "position_factor": 10,
        "linear_slippage": "0.5",
        "rf_long": "0.1",
        "rf_short": "0.11",
        "funding_per_unit": "-3",
        "collateral": "equal to maintenance margin",
    }
    result = run_liquidation_price(Inputs(values))["liquidation_price"]
    assert (result.value, result.bound) == (Fraction(price), 0)


@pytest.mark.parametrize(
    ("size", "collateral", "price"),
    [
        # slippage(10) = 0.2 x 10 + 0.01 x 100 = 3, risk 1 or 2.
        (10, "500", "83.333333"),
        (-10, "500", "100"),
        (10, "1600", "0"),
    ],
)
def test_quadratic_slippage_by_hand(size: int, collateral: str, price: str) -> None:
    values = {
        "mark_price": 100,
        "position_size": size,
        "linear_slippage": "0.2",
        "quadratic_slippage": "0.01",
        "rf_long": "0.1",
        "rf_short": "0.2",
        "collateral": collateral,
    }
    assert accepts_price_case(Inputs(values)).startswith("slippage is quadratic")
    assert find_differences({"liquidation_price": price}, run_price(Inputs(values))) == []


def test_liquidation_price_without_denominator_is_undefined() -> None:
    values = {"mark_price": 100, "position_size": 1, "rf_long": 1, "collateral": "equal to maintenance margin"}
    assert accepts_price_case(Inputs(values))
    outputs = run_price(Inputs(values))
    assert find_differences({"liquidation_price": None}, outputs) == []
    assert find_differences({"error": "not defined"}, outputs) == []
    assert find_differences({"liquidation_price": 100}, outputs)


@pytest.mark.parametrize(
    ("pnl", "caps", "budget", "haircuts", "taken"),
    [
        ([100, 300, 600], ["0.1", "0.5", "1"], 280, ["0.1", "0.3", "0.3"], [10, 90, 180]),
        ([100, 100, 100], ["1", "1", "1"], 100, ["1/3"] * 3, [34, 33, 33]),
        ([100, 200], ["0.1", "0.2"], 500, ["0.1", "0.2"], [10, 40]),
        ([100, 200], ["0.1", "0.2"], 0, ["0", "0"], [0, 0]),
        ([100, -50, 300], ["1", "1", "1"], 40, ["0.1", "0", "0.1"], [10, 0, 30]),
        ([100, 300], ["1", "1"], "10.5", ["0.02625", "0.02625"], ["2.625", "7.875"]),
        ([30, 30, 30], ["0.05", "1", "1"], "10", ["0.05", "0.141666667", "0.141666667"], [1.5, "4.25", "4.25"]),
        ([3, 3, 4], ["0.5", "0.5", "0.5"], 5, ["0.5", "0.5", "0.5"], ["1.5", "1.5", 2]),
    ],
)
def test_water_filling_by_hand(pnl: Any, caps: Any, budget: Any, haircuts: Any, taken: Any) -> None:
    outputs = run_water_filling(Inputs({"winner_pnl": pnl, "caps": caps, "budget": budget}))
    assert find_differences({"haircuts": haircuts, "taken": taken}, outputs) == []


def test_water_filling_takes_names() -> None:
    inputs = {"winner_pnl": {"a": 100, "b": 300}, "caps": {"a": "0.1", "b": "1"}, "deficit": 100, "severity": "0.5"}
    outputs = run_water_filling(Inputs(inputs))
    assert find_differences({"taken": {"a": 10, "b": 40}, "uncovered": 0}, outputs) == []


@pytest.mark.parametrize(
    ("winners", "owed", "collected", "pool", "paid"),
    [
        ([["a", 80], ["b", 8000]], 8080, 5080, 0, {"a": 50, "b": 5030}),
        ([["p5", 800], ["p2", 7200], ["p4", 800]], 8800, 5800, 0, {"p5": 527, "p2": 4745, "p4": 528}),
        ([["p5", 80], ["p2", 7200], ["p4", 800]], 8080, 5080, 2900, {"p5": 79, "p2": 7110, "p4": 791}),
        ([["network", 80], ["b", 33], ["c", 33]], 146, 100, 0, {"network": 56, "b": 22, "c": 22}),
        ([["a", 80], ["b", 20]], 100, 100, 0, {"a": 80, "b": 20}),
        ([["a", 80], ["b", 20]], 100, 40, 1000, {"a": 80, "b": 20}),
        ([["a", 80], ["b", 20]], 100, 0, 0, {"a": 0, "b": 0}),
        ({"a": "0.8", "b": "0.3"}, "1.1", "0.4", 0, {"a": "0.2", "b": "0.2"}),
    ],
)
def test_loss_sharing_by_hand(winners: Any, owed: Any, collected: Any, pool: int, paid: Any) -> None:
    if isinstance(winners, list):
        assert sum(w for _, w in winners) in (owed, owed)
    inputs = {"winners": winners, "losers_owed": owed, "collected": collected, "insurance_pool": pool}
    outputs = run_loss_socialisation(Inputs(inputs))
    assert find_differences({"paid": paid}, outputs) == []
