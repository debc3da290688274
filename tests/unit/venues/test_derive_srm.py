"""
Derive's standard margin: its rules by hand, and what must hold for every account.
"""

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.core.errors import DataError
from tocsin.risk.pricing import price_option
from tocsin.venues.derive_srm import (
    Market,
    StandardMargin,
    StandardOption,
    compute_standard_margin,
    greatest_loss,
    margin_expiry,
    margin_short_option,
    value_option,
)
from tocsin.venues.derive_terms import read_standard_terms
from tocsin.venues.params import load

TERMS = read_standard_terms(load("derive", "srm_tests"), "ETH")

SPOT = 1_500.0
MONTH_S = 30 * 86_400
LIVE = TERMS._replace(initial_min=0.13, call_maintenance=0.09, put_maintenance=0.09, put_value_maintenance=0.09)
"""Option shares of the chain's configuration, 2026-01."""


def option(size: float, strike: float, call: bool = True, **fields: Any) -> StandardOption:
    good = {"seconds_to_expiry": MONTH_S, "volatility": 0.8, "forward": SPOT}
    return StandardOption(strike=strike, call=call, size=size, **{**good, **fields})


def margin_of(*options: StandardOption, cash: float = 0.0, stable_price: float = 1.0, **fields: Any) -> StandardMargin:
    market = Market(**{"spot": SPOT, "options": options, **fields})
    return compute_standard_margin(cash, {"ETH": market}, {"ETH": TERMS}, stable_price)


legs = st.builds(
    option,
    size=st.floats(-20.0, 20.0).filter(lambda x: abs(x) > 1e-6),
    strike=st.sampled_from([300.0, 1_000.0, 1_500.0, 1_700.0, 4_000.0]),
    call=st.booleans(),
    volatility=st.floats(0.1, 2.5),
)
expiries = st.lists(legs, min_size=1, max_size=6)


def test_a_strangle_by_hand() -> None:
    common = {"volatility": 0.5, "forward": 100_000.0}
    call, put = option(-10.0, 110_000.0, **common), option(-10.0, 90_000.0, False, **common)
    value = -value_option(call) - value_option(put)
    assert value == pytest.approx(41_031, abs=10)
    # 9 % of spot each for maintenance; 13 % each for initial, as 15 % less 10 % out of the money is below the least.
    kept, opening = (margin_expiry([call, put], 100_000.0, LIVE, initial=i) for i in (False, True))
    assert kept == pytest.approx(-value - 2 * 10 * 9_000)
    assert opening == pytest.approx(-value - 2 * 10 * 13_000)


@pytest.mark.parametrize(
    ("strike", "call", "share"),
    [
        (1_500.0, True, 0.15),
        (1_200.0, True, 0.15),
        (1_530.0, True, 0.13),
        (1_575.0, True, 0.10),
        (3_000.0, True, 0.10),
        (1_500.0, False, 0.15),
        (1_470.0, False, 0.13),
        (600.0, False, 0.10),
    ],
)
def test_the_initial_share_falls_with_distance_out_of_the_money(strike: float, call: bool, share: float) -> None:
    leg = option(-2.0, strike, call)
    value = value_option(leg)
    assert value == -2.0 * price_option(SPOT, strike, 30 / 365, 0.8, call=call)
    initial = margin_short_option(leg, SPOT, TERMS, initial=True)
    maintenance = margin_short_option(leg, SPOT, TERMS, initial=False)
    by_spot, by_value = value - 0.075 * SPOT * 2, value * 1.075
    kept = by_spot if call else min(by_spot, by_value)
    assert maintenance == pytest.approx(kept)
    opening = value - share * SPOT * 2
    assert initial == pytest.approx(opening if call else min(opening, 1.05 * kept))


def test_a_put_deep_in_the_money_pays_by_its_value() -> None:
    leg = option(-1.0, 6_000.0, False)
    value = value_option(leg)
    assert margin_short_option(leg, SPOT, TERMS, initial=False) == pytest.approx(1.075 * value)
    assert margin_short_option(leg, SPOT, TERMS, initial=True) == pytest.approx(1.05 * 1.075 * value)


def test_a_spread_never_needs_more_than_it_can_lose_and_a_box_what_it_pays() -> None:
    spread = [option(-1.0, 1_400.0), option(1.0, 1_500.0)]
    assert margin_expiry(spread, SPOT, TERMS, initial=True) == -100.0
    assert margin_expiry(spread, SPOT, TERMS, initial=False) == -100.0
    box = [option(-1.0, 1_000.0), option(1.0, 1_000.0, False), option(1.0, 1_900.0), option(-1.0, 1_900.0, False)]
    assert margin_expiry(box, SPOT, TERMS, initial=False) == -900.0


def test_net_short_calls_cost_a_share_of_the_forward_beyond_the_last_strike() -> None:
    ratio = [option(2.0, 1_000.0), option(-3.0, 1_600.0)]
    assert greatest_loss(ratio, 1.1) == pytest.approx(-1.1 * SPOT)
    assert greatest_loss(ratio, 1.2) == pytest.approx(-1.2 * SPOT)
    assert greatest_loss([], 1.1) == 0.0
    assert greatest_loss([option(-2.0, 1_000.0, False)], 1.1) == -2_000.0


@settings(max_examples=60)
@given(expiries)
def test_the_greatest_loss_is_the_least_payoff_up_to_the_last_strike(options: list[StandardOption]) -> None:
    def payoff(price: float) -> float:
        return sum(o.size * max(0.0, price - o.strike if o.call else o.strike - price) for o in options)

    net_calls = sum(o.size for o in options if o.call)
    loss = greatest_loss(options, 0.0)
    grid = [payoff(float(price)) for price in range(0, int(max(o.strike for o in options)) + 1, 50)]
    assert loss == pytest.approx(min(0.0, *grid), abs=1e-9)
    if net_calls >= 0:
        assert min(payoff(p) for p in (1e4, 1e6)) >= loss - 1e-6


@settings(max_examples=60)
@given(expiries, legs, st.booleans())
def test_an_option_bought_never_lowers_the_margin_of_its_expiry(
    options: list[StandardOption], extra: StandardOption, initial: bool
) -> None:
    bought = extra._replace(size=abs(extra.size))
    before = margin_expiry(options, SPOT, TERMS, initial=initial)
    assert margin_expiry([*options, bought], SPOT, TERMS, initial=initial) >= before - 1e-9 * abs(before)


@settings(max_examples=60)
@given(expiries)
def test_parts_are_the_whole_initial_is_dearer_and_margins_double_with_the_account(
    options: list[StandardOption],
) -> None:
    held = {"cash": 500.0, "perps": -3.0, "perp_price": 1_505.0, "perp_pnl": -40.0, "base": 2.0, "stable_price": 0.97}
    m = margin_of(*options, **held, spot_confidence=0.35)
    for level in m[:2]:
        assert level.margin == pytest.approx(sum(level[1:]), abs=1e-6)
        assert max(level.perp, level.option, level.depeg, level.oracle) <= 0.0
    assert (m.maintenance.depeg, m.maintenance.oracle) == (0.0, 0.0)
    assert m.initial.margin <= m.maintenance.margin
    twice = margin_of(
        *(o._replace(size=2 * o.size) for o in options),
        **{**held, "cash": 1_000.0, "perps": -6.0, "perp_pnl": -80.0, "base": 4.0},
        spot_confidence=0.35,
    )
    assert twice.initial.margin == 2 * m.initial.margin
    assert twice.maintenance.margin == 2 * m.maintenance.margin


@given(st.floats(0.001, 1_000.0), st.floats(1_000.0, 2_000.0))
def test_long_and_short_perpetuals_mirror_each_other(size: float, price: float) -> None:
    long, short = (margin_of(perps=q, perp_price=price) for q in (size, -size))
    assert long == short
    assert long.initial.margin == pytest.approx(-0.065 * size * price)


def test_a_mixed_account_by_hand() -> None:
    m = margin_of(cash=100.0, perps=2.0, perp_price=1_505.0, perp_pnl=-60.0, funding=20.0, base=1.0)
    assert m.maintenance.margin == pytest.approx(100 - 0.05 * 3_010 - 60 + 20 + 150)
    assert m.initial.margin == pytest.approx(100 - 0.065 * 3_010 - 60 + 20 + 150)
    assert m.mark_to_market == pytest.approx(100 - 60 + 20 + 1_500)


def test_the_initial_margin_scales_the_base_asset_again() -> None:
    live = TERMS._replace(base_factor=0.8, base_initial_scale=0.9375)
    m = compute_standard_margin(0.0, {"ETH": Market(spot=SPOT, base=2.0)}, {"ETH": live})
    assert (m.maintenance.margin, m.initial.margin) == (2_400.0, 2_250.0)


def test_a_depeg_charges_perpetuals_and_short_options() -> None:
    sold, bought = option(-2.0, 1_500.0), option(5.0, 1_500.0)
    m = margin_of(sold, bought, perps=-1.0, perp_price=SPOT, base=7.0, stable_price=0.88)
    assert m.initial.depeg == pytest.approx(-0.10 * 1.2 * SPOT * 3)
    assert margin_of(sold, stable_price=0.98).initial.depeg == 0.0


def test_low_confidence_charges_what_rests_on_the_feed() -> None:
    def oracle(*options: StandardOption, **fields: Any) -> float:
        return margin_of(*options, **fields).initial.oracle

    assert oracle(perps=2.0, perp_price=SPOT, perp_confidence=0.1) == pytest.approx(-0.9 * 0.4 * SPOT * 2)
    assert oracle(perps=2.0, perp_price=SPOT, perp_confidence=0.4) == 0.0
    assert oracle(base=1.0, perp_confidence=0.1) == 0.0
    assert oracle(base=1.0, spot_confidence=0.15) == pytest.approx(-510.0)
    assert oracle(option(3.0, 1_500.0), spot_confidence=0.1) == 0.0
    for name in ("volatility_confidence", "forward_confidence"):
        assert oracle(option(-3.0, 1_500.0, **{name: 0.2})) == pytest.approx(-0.8 * 0.4 * SPOT * 3)
    assert oracle(option(-3.0, 1_500.0), spot_confidence=0.2) == pytest.approx(-0.8 * 0.4 * SPOT * 3)


def test_underlyings_and_expiries_do_not_offset_each_other() -> None:
    sold, bought = option(-1.0, 1_400.0), option(1.0, 1_500.0)
    eth = Market(spot=SPOT, options=(sold,))
    btc = Market(spot=SPOT, options=(bought,))
    both = compute_standard_margin(0.0, {"ETH": eth, "BTC": btc}, {"ETH": TERMS, "BTC": TERMS})
    alone = compute_standard_margin(0.0, {"ETH": eth}, {"ETH": TERMS})
    assert both.initial == alone.initial
    later = bought._replace(seconds_to_expiry=2 * MONTH_S)
    assert margin_of(sold, later).initial == alone.initial
    assert margin_of(sold, bought).initial.margin > alone.initial.margin


def test_at_expiry_an_option_is_worth_its_payoff() -> None:
    m = margin_of(option(-1.0, 1_400.0, seconds_to_expiry=0), option(1.0, 1_450.0, seconds_to_expiry=0))
    assert m.mark_to_market == pytest.approx(-50.0)
    assert m.maintenance.margin == -50.0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"spot": 0.0}, "spot of ETH must be a finite number above 0, was 0.0"),
        ({"perps": 1.0}, "perp_price of ETH must be a finite number above 0, was 0.0"),
        ({"base": -1.0}, "base of ETH must be at least 0, was -1.0"),
        ({"cash": math.nan}, "sizes, cash and accrued amounts must be finite numbers"),
        ({"stable_price": -1.0}, "stable_price must be a finite number above 0"),
        ({"base": 1.0, "spot_confidence": 2.0}, "confidence must be between 0 and 1, was 2.0"),
        ({"options": (option(1.0, -5.0),)}, "strike of an option on ETH must be a finite number above 0"),
        ({"options": (option(1.0, 5.0, forward=0.0),)}, "forward of an option on ETH must be a finite number above 0"),
        ({"options": (option(math.nan, 5.0),)}, "size of an option on ETH must be a finite number, was nan"),
        (
            {"options": (option(1.0, 5.0, volatility=-1.0),)},
            "time and volatility of an option on ETH must be at least 0",
        ),
        ({"options": (option(1.0, 5.0), option(1.0, 6.0, forward=1.0))}, "must have one forward, were [1500.0, 1.0]"),
    ],
)
def test_wrong_numbers_are_refused_by_name(change: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError) as caught:
        margin_of(**change)
    assert message in str(caught.value)


def test_an_underlying_without_terms_is_refused() -> None:
    with pytest.raises(DataError, match=r"terms must hold the underlying 'SOL', hold \['ETH'\]"):
        compute_standard_margin(0.0, {"SOL": Market(spot=1.0)}, {"ETH": TERMS})
