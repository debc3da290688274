"""
Derive's portfolio margin: its parts, its rules one by one, and what must hold for every account.
"""

import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.core.errors import DataError
from tocsin.risk.pricing import price_option
from tocsin.venues.derive_pm import Collateral, Portfolio, PortfolioMargin, compute_portfolio_margin
from tocsin.venues.derive_shocks import YEAR_S, Expiry, Option, skew_factor, volatility_factor
from tocsin.venues.derive_terms import PortfolioTerms, Scenario, Shock, SkewTerms, read_portfolio_terms
from tocsin.venues.params import load

TERMS = read_portfolio_terms(load("derive", "pmrm2"))

DAY_S = 86_400
SPOT = 100_000.0
MONTH = Expiry(30 * DAY_S, SPOT)
CALM = TERMS._replace(scenarios=(Scenario(1.0, Shock.NONE),))
"""No scenario moves anything: what is left is discounts and charges."""


def margin_of(terms: PortfolioTerms = TERMS, **fields: Any) -> PortfolioMargin:
    return compute_portfolio_margin(Portfolio(**{"cash": 0.0, "spot": SPOT, **fields}), terms)


def move(spot: float, shock: Shock = Shock.NONE, damping: float = 1.0) -> PortfolioTerms:
    return TERMS._replace(scenarios=(Scenario(spot, shock, damping),))


sizes = st.floats(-50.0, 50.0).filter(lambda x: abs(x) > 1e-6)
seconds = st.sampled_from([0, 600, 5 * DAY_S, 30 * DAY_S, 200 * DAY_S])
options = st.builds(
    Option,
    seconds_to_expiry=seconds,
    strike=st.sampled_from([20_000.0, 80_000.0, 100_000.0, 101_000.0, 140_000.0, 500_000.0]),
    call=st.booleans(),
    volatility=st.floats(0.05, 3.0),
    size=sizes,
)
confidences = st.floats(0.0, 1.0)
collaterals = st.builds(
    Collateral,
    size=st.floats(0.0, 100.0),
    price=st.floats(0.0, 1e5),
    maintenance_haircut=st.floats(0.0, 0.5),
    initial_extra_haircut=st.floats(0.0, 0.5),
    confidence=confidences,
    risk_cancelling=st.booleans(),
)


@st.composite
def portfolios(draw: st.DrawFn) -> Portfolio:
    legs = tuple(draw(st.lists(options, max_size=5)))
    feeds = tuple(
        Expiry(s, draw(st.floats(80_000, 120_000)), draw(st.floats(-0.1, 0.3)), *(draw(confidences) for _ in range(3)))
        for s in sorted({leg.seconds_to_expiry for leg in legs})
    )
    return Portfolio(
        cash=draw(st.floats(-1e6, 1e6)),
        spot=SPOT,
        options=legs,
        expiries=feeds,
        collaterals=tuple(draw(st.lists(collaterals, max_size=3))),
        perps=draw(st.one_of(st.just(0.0), sizes)),
        perp_price=SPOT * draw(st.floats(0.9, 1.1)),
        perp_pnl=draw(st.floats(-1e5, 1e5)),
        funding=draw(st.floats(-1e3, 1e3)),
        spot_confidence=draw(confidences),
        perp_confidence=draw(confidences),
        stable_price=draw(st.floats(0.5, 1.1)),
    )


def gross(p: Portfolio) -> float:
    """Return the size of the account, for what floating point may leave where parts cancel."""
    held = sum(c.size * c.price / p.stable_price for c in p.collaterals)
    legs = sum(abs(o.size) * max(o.strike, SPOT) for o in p.options)
    return 1.0 + abs(p.cash) + abs(p.perps) * SPOT + held + legs * 10


@settings(max_examples=60)
@given(portfolios())
def test_the_parts_are_the_whole_and_charges_are_charges(p: Portfolio) -> None:
    m = compute_portfolio_margin(p, TERMS)
    kept = m.mark_to_market + m.perp.maintenance + m.collateral.maintenance + m.option.maintenance
    extra = m.perp.initial_extra + m.collateral.initial_extra + m.option.initial_extra + m.oracle_charge
    small = 1e-12 * gross(p)
    assert m.maintenance_margin == pytest.approx(kept + 0.8 * m.worst_loss, abs=small)
    assert m.initial_margin == pytest.approx(kept + m.initial_factor * m.worst_loss + extra, abs=small)
    assert m.worst_loss == min(*m.scenario_losses, m.basis_charge)
    assert max(m.basis_charge, m.oracle_charge, *m.perp, *m.collateral, *m.option) <= 0.0
    assert m.worst_loss <= 0.0
    assert m.initial_margin <= m.maintenance_margin + small


@settings(max_examples=60)
@given(portfolios(), st.floats(-1e5, 1e5))
def test_cash_counts_in_full_and_doubling_the_account_doubles_its_margin(p: Portfolio, cash: float) -> None:
    m = compute_portfolio_margin(p, TERMS)
    richer = compute_portfolio_margin(p._replace(cash=p.cash + cash), TERMS)
    assert richer.initial_margin - m.initial_margin == pytest.approx(cash, rel=1e-12, abs=1e-12 * gross(p))
    twice = p._replace(
        cash=2 * p.cash,
        perps=2 * p.perps,
        perp_pnl=2 * p.perp_pnl,
        funding=2 * p.funding,
        options=tuple(o._replace(size=2 * o.size) for o in p.options),
        collaterals=tuple(c._replace(size=2 * c.size) for c in p.collaterals),
    )
    doubled = compute_portfolio_margin(twice, TERMS)
    assert doubled.initial_margin == 2 * m.initial_margin
    assert doubled.maintenance_margin == 2 * m.maintenance_margin


@settings(max_examples=60)
@given(portfolios(), st.integers(0, 30))
def test_one_scenario_more_never_raises_a_margin(p: Portfolio, left_out: int) -> None:
    fewer = TERMS._replace(scenarios=TERMS.scenarios[:left_out] + TERMS.scenarios[left_out + 1 :])
    some, every = compute_portfolio_margin(p, fewer), compute_portfolio_margin(p, TERMS)
    assert every.initial_margin <= some.initial_margin
    assert every.maintenance_margin <= some.maintenance_margin


@settings(max_examples=40)
@given(portfolios())
def test_order_of_options_and_collateral_does_not_matter(p: Portfolio) -> None:
    turned = p._replace(options=p.options[::-1], collaterals=p.collaterals[::-1], expiries=p.expiries[::-1])
    a, b = compute_portfolio_margin(p, TERMS), compute_portfolio_margin(turned, TERMS)
    assert a.initial_margin == pytest.approx(b.initial_margin, abs=1e-12 * gross(p))
    assert a.maintenance_margin == pytest.approx(b.maintenance_margin, abs=1e-12 * gross(p))


@given(st.floats(0.01, 100.0), st.floats(0.9, 1.1))
def test_long_and_short_perpetuals_mirror_each_other(size: float, basis: float) -> None:
    even = TERMS._replace(scenarios=tuple(Scenario(s, Shock.NONE) for s in (0.875, 1.125)))
    long, short = (margin_of(even, perps=q, perp_price=SPOT * basis) for q in (size, -size))
    assert (long.initial_margin, long.maintenance_margin) == (short.initial_margin, short.maintenance_margin)


def test_a_perpetual_by_hand() -> None:
    m = margin_of(cash=50_000.0, perps=-2.0, perp_price=99_000.0, perp_pnl=-300.0, funding=-10.0)
    # Worst: spot up 18 %, 2 x 99,000 x 0.18, more than the damped tail 2 x 99,000 x 3 x 0.012.
    assert (m.worst_loss, m.worst_scenario) == (pytest.approx(-35_640.0), "spot x 1.18, volatility Up")
    assert m.perp == pytest.approx((-3_000.0, -1_000.0))
    assert m.maintenance_margin == pytest.approx(50_000 - 310 - 0.8 * 35_640 - 3_000)
    assert m.initial_margin == pytest.approx(50_000 - 310 - 35_640 - 4_000)


def test_collateral_is_worth_its_price_in_the_stable_asset_and_moves_if_it_cancels_risk() -> None:
    asset = Collateral(2.0, 95_000.0, 0.03, 0.015, risk_cancelling=True)
    m = margin_of(move(0.9), collaterals=(asset,), stable_price=0.95)
    assert m.mark_to_market == pytest.approx(200_000.0)
    assert m.collateral == pytest.approx((-6_000.0, -3_000.0))
    assert m.worst_loss == pytest.approx(-20_000.0)
    still = margin_of(move(0.9), collaterals=(asset._replace(risk_cancelling=False),), stable_price=0.95)
    assert still.worst_loss == 0.0


def test_a_depeg_raises_the_initial_factor_only() -> None:
    held = {"perps": 1.0, "perp_price": SPOT}
    pegged, broken = margin_of(**held), margin_of(**held, stable_price=0.90)
    assert (pegged.initial_factor, broken.initial_factor) == (1.0, pytest.approx(1.16))
    assert broken.maintenance_margin == pegged.maintenance_margin
    assert margin_of(**held, stable_price=0.98).initial_factor == 1.0


def test_options_cost_more_discounted_when_short_and_are_worth_less_when_long() -> None:
    years = 365 / 365
    feed = Expiry(365 * DAY_S, SPOT, 0.05)
    value = price_option(SPOT, SPOT, years, 0.6, call=True, rate=0.05)
    for size, factor in ((1.0, 0.95 * math.exp(-0.13)), (-1.0, min(math.exp(0.05), 1.04 * math.exp(0.105)))):
        m = margin_of(CALM, options=(Option(365 * DAY_S, SPOT, True, 0.6, size),), expiries=(feed,))
        assert m.mark_to_market == pytest.approx(size * value)
        assert m.scenario_losses == (pytest.approx(size * value * (factor - 1)),)


def test_a_negative_rate_counts_as_none() -> None:
    held = (Option(365 * DAY_S, SPOT, True, 0.6, 1.0),)
    a, b = (margin_of(options=held, expiries=(Expiry(365 * DAY_S, SPOT, r),)) for r in (-0.2, 0.0))
    assert a == b


@pytest.mark.parametrize("shock", [Shock.UP, Shock.DOWN, Shock.NONE])
def test_a_synthetic_forward_has_no_volatility(shock: Shock) -> None:
    feed = Expiry(60 * DAY_S, 101_000.0, 0.04)
    legs = (Option(60 * DAY_S, 90_000.0, True, 0.7, 3.0), Option(60 * DAY_S, 90_000.0, False, 0.7, -3.0))
    m = margin_of(move(0.9, shock), options=legs, expiries=(feed,))
    discount = math.exp(-0.04 * 60 / 365)
    assert m.mark_to_market == pytest.approx(3 * 11_000 * discount)
    moved = 3 * (0.9 * 101_000 - 90_000) * discount * 0.95 * math.exp(-(0.04 + 0.08) * 60 / 365)
    assert m.scenario_losses[0] == pytest.approx(moved - m.mark_to_market)
    assert m.option == (0.0, 0.0)


def test_the_basis_charge_takes_the_worse_side_and_grows_with_time() -> None:
    feed = Expiry(365 * DAY_S, SPOT)
    deep = (Option(365 * DAY_S, 1_000.0, True, 0.5, 1.0),)
    m = margin_of(CALM, options=deep, expiries=(feed,))
    assert m.basis_charge == pytest.approx(-0.045 * SPOT * (0.5 + 2.0 * 1.0))
    assert m.worst_scenario == "spot x 1, volatility None"
    dear = CALM._replace(basis=CALM.basis._replace(mult=20.0))
    worse = margin_of(dear, options=deep, expiries=(feed,))
    assert (worse.worst_scenario, worse.worst_loss) == ("basis", worse.basis_charge)


def test_naked_shorts_pay_by_strike_net_of_the_other_side() -> None:
    def charge(*sizes_and_kinds: tuple[float, bool], strike: float = SPOT) -> float:
        legs = tuple(Option(30 * DAY_S, strike, call, 0.5, size) for size, call in sizes_and_kinds)
        return margin_of(options=legs, expiries=(MONTH,)).option.maintenance

    assert charge((-2.0, True)) == pytest.approx(-600.0)
    assert charge((-2.0, True), (1.5, False)) == pytest.approx(-150.0)
    assert charge((-2.0, True), (-1.0, False)) == pytest.approx(-900.0)
    assert charge((-2.0, True), (3.0, False)) == 0.0
    two = (Option(30 * DAY_S, SPOT, True, 0.5, -1.0), Option(30 * DAY_S, SPOT + 1, True, 0.5, 1.0))
    assert margin_of(options=two, expiries=(MONTH,)).option.maintenance == pytest.approx(-300.0)


def test_low_confidence_charges_initial_margin_by_the_weakest_feed() -> None:
    perp = {"perps": -2.0, "perp_price": SPOT}
    assert margin_of(**perp, spot_confidence=0.5, perp_confidence=0.4).oracle_charge == pytest.approx(-120_000.0)
    assert margin_of(**perp, spot_confidence=0.3, perp_confidence=0.4).oracle_charge == pytest.approx(-140_000.0)
    assert margin_of(**perp, spot_confidence=0.55, perp_confidence=0.55).oracle_charge == 0.0
    # An option rests on the perpetual's feed only where a perpetual is held.
    held = {"options": (Option(30 * DAY_S, SPOT, True, 0.5, 3.0),), "expiries": (MONTH,)}
    assert margin_of(**held, perp_confidence=0.0).oracle_charge == 0.0
    both = margin_of(**held, **perp, perp_confidence=0.2)
    assert both.oracle_charge == pytest.approx(-0.8 * SPOT * (2 + 3))
    for name in ("forward_confidence", "rate_confidence", "volatility_confidence"):
        weak = {**held, "expiries": (MONTH._replace(**{name: 0.1}),)}
        assert margin_of(**weak).oracle_charge == pytest.approx(-0.9 * SPOT * 3)
    asset = Collateral(1.0, 50_000.0, 0.0, 0.0, confidence=0.5)
    assert margin_of(collaterals=(asset,), stable_price=0.5).oracle_charge == pytest.approx(-50_000.0)
    assert margin_of(collaterals=(asset,), spot_confidence=0.2).oracle_charge == pytest.approx(-40_000.0)
    charged, free = margin_of(**perp, perp_confidence=0.4), margin_of(**perp)
    assert charged.maintenance_margin == free.maintenance_margin


@pytest.mark.parametrize(("left", "share"), [(1_800, 1.0), (1_801, 1.0), (900, 0.5), (180, 0.1), (0, 0.0)])
def test_near_expiry_only_what_is_not_averaged_yet_moves(left: int, share: float) -> None:
    free = TERMS._replace(loss=TERMS.loss._replace(long_static=1.0, long_rate_add=0.0))._replace(
        scenarios=(Scenario(0.8, Shock.NONE),)
    )
    deep = (Option(left, 1_000.0, True, 0.5, 1.0),)
    m = margin_of(free, options=deep, expiries=(Expiry(left, 100_000.0),))
    assert m.mark_to_market == pytest.approx(99_000.0)
    assert m.scenario_losses[0] == pytest.approx(-20_000.0 * share)


def test_a_tilt_is_a_loss_either_way_and_leaves_spot_alone() -> None:
    legs = (Option(60 * DAY_S, 140_000.0, True, 0.7, 2.0),)
    feed = Expiry(60 * DAY_S, SPOT)
    for shock in (Shock.LINEAR, Shock.ABS):
        bought, moved = (margin_of(move(s, shock), options=legs, expiries=(feed,)) for s in (1.0, 1.3))
        assert bought.scenario_losses == moved.scenario_losses
        assert bought.scenario_losses[0] < 0
        damped = margin_of(move(1.0, shock, 0.25), options=legs, expiries=(feed,))
        assert damped.scenario_losses[0] == 0.25 * bought.scenario_losses[0]
        assert margin_of(move(1.3, shock), perps=5.0, perp_price=SPOT).scenario_losses == (0.0,)


def test_volatility_moves_more_the_nearer_the_expiry_down_to_the_floor() -> None:
    vol = TERMS.vol
    assert volatility_factor(Shock.NONE, 0, vol) == 1.0
    assert volatility_factor(Shock.UP, 30 * DAY_S, vol) == 1.5
    assert volatility_factor(Shock.DOWN, 30 * DAY_S, vol) == 0.725
    assert volatility_factor(Shock.UP, 0, vol) == volatility_factor(Shock.UP, DAY_S, vol) == 1 + 0.5 * 30**0.3
    assert volatility_factor(Shock.UP, 120 * DAY_S, vol) == pytest.approx(1 + 0.5 * 0.25**0.13)
    assert volatility_factor(Shock.DOWN, DAY_S, vol._replace(range_down=2.0)) == 0.0


def test_upward_volatility_has_a_floor_and_others_none() -> None:
    still = (Option(30 * DAY_S, SPOT, True, 0.1, -1.0),)
    up, none = (margin_of(move(1.0, s), options=still, expiries=(MONTH,)) for s in (Shock.UP, Shock.NONE))
    at_floor = price_option(SPOT, SPOT, 30 * DAY_S / YEAR_S, 0.45, call=True)
    cost = min(1.0, 1.04 * math.exp(30 / 365 * 0.08))
    assert up.scenario_losses[0] == pytest.approx(-at_floor * cost - up.mark_to_market)
    assert none.scenario_losses[0] == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize(
    ("shock", "distance", "change", "factor"),
    [
        (Shock.LINEAR, 0.0, {}, 1.0),
        (Shock.LINEAR, 9.0, {}, 1.1),
        (Shock.LINEAR, -9.0, {}, 0.9),
        (Shock.ABS, -9.0, {}, 1.1),
        # Half the width of 4 x (0.6 - 0.1) x 1 = 2.
        (Shock.LINEAR, 1.0, {}, 1.05),
        (Shock.LINEAR, -1.0, {}, 0.95),
        (Shock.ABS, -1.0, {}, 1.05),
        (Shock.ABS, 1.0, {"width_floor": 10.0}, 1.01),
        (Shock.LINEAR, 1e-9, {"width_floor": 0.0, "width_scale": 0.0}, 1.1),
        (Shock.LINEAR, -1e-9, {"width_floor": 0.0, "width_scale": 0.0}, 0.9),
        (Shock.ABS, 0.0, {"width_floor": 0.0, "width_scale": 0.0}, 1.0),
        # A negative cap bounds from the strike's side only, and a volatility never falls below 0.
        (Shock.LINEAR, 1.0, {"linear_slope": -0.35}, 0.8),
        (Shock.LINEAR, 4.0, {"linear_slope": -0.35}, 0.6),
        (Shock.LINEAR, -1.0, {"linear_slope": -0.35}, 1.2),
        (Shock.LINEAR, 40.0, {"linear_slope": -0.35}, 0.0),
        (Shock.LINEAR, -9.0, {"linear_slope": 5.0}, 0.0),
    ],
)
def test_a_tilt_of_one_year(shock: Shock, distance: float, change: dict[str, float], factor: float) -> None:
    assert skew_factor(shock, distance, 1.0, TERMS.skew._replace(**change)) == pytest.approx(factor)


@given(st.floats(-5, 5), st.floats(-5, 5), st.floats(0.01, 2.0), st.builds(SkewTerms, *[st.floats(0, 3)] * 8))
def test_a_linear_tilt_never_falls_with_the_strike(a: float, b: float, root: float, skew: SkewTerms) -> None:
    low, high = sorted((a, b))
    tilt = [skew_factor(Shock.LINEAR, k, root, skew) for k in (low, high)]
    assert 0.0 <= tilt[0] <= tilt[1] + 1e-12


def test_the_dated_default_is_the_default_of_the_vectors() -> None:
    sets = json.loads((Path(__file__).parents[3] / "vectors" / "engines.json").read_text())["param_sets"]
    words = sets["pmrm2_default"]
    cells = [(s["SpotShock"], s["VolShockDirection"], s["DampeningFactor"]) for s in words["Scenarios"]]
    assert [shock for _, shock, _ in cells] == [s.shock for s in TERMS.scenarios]
    assert [x for cell in cells for x in cell[::2]] == pytest.approx([x for s in TERMS.scenarios for x in s[::2]])
    groups = [words[g] for g in ("SkewShock", "VolShock", "Margin", "BasisContingency", "OtherContingency")]
    assert [v for g in groups for v in g.values()] == pytest.approx([v for g in TERMS[1:] for v in g])


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"spot": 0.0}, "spot must be a finite number above 0, was 0.0"),
        ({"spot": math.nan}, "spot must be a finite number above 0, was nan"),
        ({"stable_price": 0.0}, "stable_price must be a finite number above 0"),
        ({"perps": 1.0}, "perp_price must be a finite number above 0, was 0.0"),
        ({"cash": math.nan}, "sizes, cash, haircuts and accrued amounts must be finite"),
        ({"cash": math.inf}, "sizes, cash, haircuts and accrued amounts must be finite"),
        ({"perps": math.nan, "perp_price": SPOT}, "must be finite"),
        ({"collaterals": (Collateral(-1.0, 1.0, 0.0, 0.0),)}, "collateral size and price must be at least 0"),
        ({"collaterals": (Collateral(1.0, math.nan, 0.0, 0.0),)}, "collateral size and price must be at least 0"),
        ({"options": (Option(5, 1.0, True, 0.5, 1.0),)}, "expiries must hold 5 seconds, of an option; was missing"),
        ({"expiries": (MONTH, MONTH)}, "expiries must be given once each, 2592000 seconds was given twice"),
        ({"expiries": (Expiry(-1, SPOT),)}, "expiry.seconds must be at least 0, was -1"),
        ({"expiries": (Expiry(1, 0.0),)}, "expiry.forward must be a finite number above 0"),
        ({"spot_confidence": 1.5, "perps": 1.0, "perp_price": SPOT}, "confidence must be between 0 and 1"),
        (
            {"options": (Option(2_592_000, 0.0, True, 0.5, 1.0),), "expiries": (MONTH,)},
            "option.strike must be a finite number above 0",
        ),
        (
            {"options": (Option(2_592_000, SPOT, True, -0.5, 1.0),), "expiries": (MONTH,)},
            "option.volatility must be at least 0, was -0.5",
        ),
        ({"collaterals": (Collateral(1.0, 1.0, math.nan, 0.0),)}, "haircuts"),
        ({"collaterals": (Collateral(1.0, 1.0, 0.0, 0.0, math.nan),)}, "confidence must be between 0 and 1, was nan"),
        (
            {"options": (Option(2_592_000, SPOT, True, 0.5, 1.0),), "expiries": (MONTH._replace(rate=math.nan),)},
            "expiry.rate x years must be below 700, was nan",
        ),
        (
            {"options": (Option(YEAR_S, SPOT, True, 0.5, 1.0),), "expiries": (Expiry(YEAR_S, SPOT, 1e4),)},
            "expiry.rate x years must be below 700",
        ),
    ],
)
def test_wrong_numbers_are_refused_by_name(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError) as caught:
        margin_of(**fields)
    assert message in str(caught.value)
