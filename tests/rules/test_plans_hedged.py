"""
Rules LQ-013, LQ-014, LQ-017 and LQ-018 for accounts whose legs hedge each other, mirrored long and short.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.helpers.strategies import broad_worlds
from tocsin.margin.requirement import LIQUIDATION, MARGIN_CALL, compute_exit, compute_requirement
from tocsin.margin.state import AccountState, Mode
from tocsin.margin.valuation import Valuation, compute_equity
from tocsin.procedures.liquidation.plan import PARTS, expected_cost, plan_liquidation
from tocsin.sheet import terms as t
from tocsin.sheet.marks import Grade, Mark, Marks
from tocsin.sheet.validate import validate_sheet

USD = 1
NEAR, FAR, OTHER = 1, 2, 3
sides = pytest.mark.parametrize("side", [1, -1])
SHOCKS = (-200_000, -200_000, -100_000, -50_000, -10_000, 10_000, 50_000, 100_000, 200_000, 200_000)
BASIS = (1, -1, 0, 0, 0, 0, 0, 0, 1, -1)
"""The two ends come with both signs of the basis, so that a pair loses whichever side it is on."""


def contract(ident, underlying, basis, **fields):
    """Return a contract of 100,000 a lot that gains or loses 20,000 at the ends, and there `basis` more or less."""
    array = tuple(s // 10 + basis * b for s, b in zip(SHOCKS, BASIS, strict=True))
    terms = t.ContractTerms(
        ident, f"C{ident}", t.Kind.LINEAR, USD, 1, 1_000_000, 10_000, (t.Tier(0, 50_000),), impact_ppm=4_000,
        fee_ppm=1_000, underlying=underlying, array=array,
    )  # fmt: skip
    return replace(terms, **fields)


def value(*, stale=(), mode=t.LiquidationMode.GREEDY, near=None):
    """FAR has a basis of 1,000 to NEAR; `margin_call` asks for 1.25 of the loss, `liquidation` for all of it."""
    sheet = t.RiskSheet(
        "hedged", t.Preset.EXCHANGE, (t.AssetTerms(USD, "USD", 2, 1_000_000, (t.HaircutTier(0, 0),)),),
        (contract(NEAR, 1, 0, **(near or {})), contract(FAR, 1, 1_000), contract(OTHER, 2, 0, fee_ppm=0)),
        t.LevelFactors(1_000_000, 1_000_000, 1_000_000, 0), t.OFF, (0, 0, 0, 0),
        liquidation=t.LiquidationPolicy(mode),
        portfolio=t.Components(scenario=t.LevelFactors(1_500_000, 1_250_000, 1_000_000, 500_000)),
        scenarios=tuple("abcdefghij"),
        underlyings=(t.UnderlyingTerms(1, "BTC", 256), t.UnderlyingTerms(2, "ETH", 256)),
    )  # fmt: skip
    entries = {c: Mark(100_000, 0, Grade.STALE if c in stale else Grade.FRESH, 0) for c in (NEAR, FAR, OTHER)}
    return Valuation(validate_sheet(sheet), Marks(entries, {USD: 1_000_000}))


def held(usd, near=0, far=0, other=0):
    lots = {NEAR: near, FAR: far, OTHER: other}
    positions = {c: (q, q * 100_000) for c, q in lots.items() if q}
    return AccountState(1, 1, Mode.PORTFOLIO, cash={USD: usd}, positions=positions)


def sold(plan):
    return {s.contract: s.lots for s in plan.slices}


@sides
def test_lq_014_a_hedge_is_closed_together(side):
    """
    LQ-014: 1,000 of NEAR against 1,000 of FAR lose 1,000,000 together, 20,000,000 if one were gone. A lot of both costs
    2 x 500 and frees 1,250: with 1,230,000 (of 1,250,000), 250 k >= 20,000 first at k = 80, in parts of 256: 21 parts
    are 82.03, 83 lots. 20 parts are 78.1: 79 lots, too few.
    """
    account, at = held(1_230_000, side * 1_000, -side * 1_000), value()
    # Neither leg alone frees anything.
    assert compute_requirement(held(0, side * 1_000), at, MARGIN_CALL) > 1_250_000
    plan = plan_liquidation(account, at, {})
    assert sold(plan) == {NEAR: -side * 83, FAR: side * 83}
    assert (plan.reaches, plan.cost) == (True, 83 * 1_000)
    after = held(1_230_000, side * 917, -side * 917)
    assert 1_230_000 - plan.cost >= compute_exit(after, at, MARGIN_CALL)
    fewer = held(1_230_000, side * 921, -side * 921)
    assert compute_exit(fewer, at, MARGIN_CALL) > 1_230_000 - 79_000


@sides
def test_lq_013_and_lq_014_unequal_legs(side):
    """
    LQ-013, LQ-014: what is not hedged goes first. 1,000 of NEAR against 900 of FAR lose 20,000,000 - 900 x 19,000 =
    2,900,000: 3,625,000 needed. Each lot of NEAR frees 25,000 at a cost of 500: 125,000 / 24,500 = 5.1. All of NEAR
    would free nothing.
    """
    at = value()
    plan = plan_liquidation(held(3_500_000, side * 1_000, -side * 900), at, {})
    assert sold(plan) == {NEAR: -side * 6} and plan.reaches


@sides
def test_lq_014_single_legs_then_pairs(side):
    """
    LQ-014: with 1,100,000, 100 lots of NEAR are the most that frees anything: 900 pairs need 1,125,000 and 50,000 were
    spent. A pair frees 1,250 at 1,000: 75,000 / 250 = 300 pairs, 85 of 256 parts are 299, 86 are 303.
    """
    plan = plan_liquidation(held(1_100_000, side * 1_000, -side * 900), value(), {})
    assert sold(plan) == {NEAR: -side * 403, FAR: side * 303}
    assert plan.reaches and plan.cost == 403 * 500 + 303 * 500


@sides
def test_lq_013_a_hedge_stays_while_other_legs_suffice(side):
    """
    LQ-013: 100 pairs lose 100,000 beside the 400,000 of OTHER: 625,000 needed. A lot of OTHER frees 25,000 at 400:
    325,000 / 24,600 = 13.2.
    """
    plan = plan_liquidation(held(300_000, side * 100, -side * 100, side * 20), value(), {})
    assert sold(plan) == {OTHER: -side * 14} and plan.reaches


@sides
def test_lq_012_a_stale_leg_keeps_its_hedge(side):
    """LQ-012, LQ-014: one leg without a fresh mark: closing the other would free nothing, so that nothing is closed."""
    account = held(1_230_000, side * 1_000, -side * 1_000)
    plan = plan_liquidation(account, value(stale=(FAR,)), {})
    assert plan.slices == () and not plan.reaches and plan.cost == 0


@sides
def test_lq_014_all_of_it_where_less_does_not_reach(side):
    """LQ-014: 10,000 against 1,000 pairs: all are closed at 1,000 each, if that is the best that can be had."""
    plan = plan_liquidation(held(10_000, side * 1_000, -side * 1_000), value(), {})
    assert sold(plan) == {NEAR: -side * 1_000, FAR: side * 1_000}
    assert not plan.reaches


@sides
def test_lq_009_working_intents_of_a_hedge(side):
    """LQ-009, LQ-014: lots at work count as closed; what they leave unhedged is closed on the other side first."""
    at = value()
    account = held(1_230_000, side * 1_000, -side * 1_000)
    plan = plan_liquidation(account, at, {NEAR: -side * 83, FAR: side * 83})
    assert plan.slices == () and plan.reaches and plan.cost == 83_000
    # Only one side at work: 917 against 1,000 lose 2,660,000, and 3,325,000 - 26,250 k <= 1,230,000 - 41,500 - 500 k
    # first at k = 83.
    lone = plan_liquidation(account, at, {NEAR: -side * 83})
    assert sold(lone) == {FAR: side * 83} and lone.reaches


@sides
def test_lq_017_a_hedge_concedes_no_more_than_what_it_frees_together(side):
    """
    LQ-017: the first leg alone frees nothing, the second by itself far more than both. 83 of 1,000 pairs free 83,000 of
    1,000,000: at most 1,230,000 x 0.083 = 102,090 in all, half for each leg. The impact bound of 400 a lot is 33,200.
    """
    account = held(1_230_000, side * 1_000, -side * 1_000)
    plan = plan_liquidation(account, value(), {})
    assert plan.concession_max == 102_090
    assert [s.concession for s in plan.slices] == [33_200, 33_200]
    assert [s.limit for s in plan.slices] == [100_000 - side * 400, 100_000 + side * 400]
    # With next to nothing left both legs share it, 5,000 for each: 5 a lot.
    poor = plan_liquidation(held(10_000, side * 1_000, -side * 1_000), value(), {})
    assert poor.concession_max == 10_000
    assert [(s.concession, abs(s.limit - 100_000)) for s in poor.slices] == [(5_000, 5), (5_000, 5)]


@sides
def test_lq_018_full_closes_hedges_too(side):
    """LQ-018: every fresh leg whole, also those that free nothing alone; what frees most comes first."""
    full = value(mode=t.LiquidationMode.FULL)
    plan = plan_liquidation(held(1_230_000, side * 10, -side * 10, side * 3), full, {})
    assert [(s.contract, s.lots) for s in plan.slices] == [(OTHER, -side * 3), (NEAR, -side * 10), (FAR, side * 10)]
    stale = value(mode=t.LiquidationMode.FULL, stale=(FAR,))
    assert sold(plan_liquidation(held(1_230_000, side * 10, -side * 10), stale, {})) == {NEAR: -side * 10}


@sides
def test_lq_015_dust_of_a_single_leg(side):
    """LQ-015: a remainder below the dust goes too: 16 of 18 lots would be enough."""
    at = value(near={"dust_lots": 3})
    assert sold(plan_liquidation(held(50_000, side * 18), at, {})) == {NEAR: -side * 18}
    assert sold(plan_liquidation(held(50_000, side * 18), value(), {})) == {NEAR: -side * 17}


def test_parts():
    """LQ-014: hedged legs are closed in 256 parts, each leg's lots rounded up."""
    assert PARTS == 256


@given(broad_worlds(holds=False, fresh=True, priced=True), st.sampled_from(t.LiquidationMode))
def test_lq_017_never_more_than_the_plan_frees(world, mode):
    """LQ-016, LQ-017: concessions add up to at most E x min(1, freed / requirement), whatever hedges what."""
    sheet, marks, account = world
    valuation = Valuation(replace(sheet, liquidation=t.LiquidationPolicy(mode)), marks)
    plan = plan_liquidation(account, valuation, {})
    if plan is None:
        return
    assert sum(s.concession for s in plan.slices) <= plan.concession_max
    assert plan.concession_max <= compute_equity(account, valuation)
    if mode == t.LiquidationMode.FULL:
        assert {s.contract: -s.lots for s in plan.slices} == {c: q for c, (q, _) in account.positions.items()}
    assert compute_requirement(account, valuation, LIQUIDATION) >= 0


@sides
def test_lq_016_single_legs_share_by_what_they_free(side):
    """LQ-016: both free 20,000 a lot; that one may concede half as much a lot as the other changes nothing in it."""
    at = value(mode=t.LiquidationMode.FULL, near={"impact_ppm": 2_000})
    plan = plan_liquidation(held(1_000, side * 10, other=side * 10), at, {})
    assert {s.contract: (s.concession, s.limit) for s in plan.slices} == {
        NEAR: (500, 100_000 - side * 50),
        OTHER: (500, 100_000 - side * 50),
    }
    # 10 lots at 200 and 400 are the bounds of each.
    rich = plan_liquidation(held(10**6, side * 10, other=side * 10), at, {})
    assert {s.contract: s.concession for s in rich.slices} == {NEAR: 2_000, OTHER: 4_000}


@sides
def test_lq_011_costs_are_rounded_up(side):
    """LQ-011: 5,000 ppm of 100,001 are 500.005."""
    line = value().lines[NEAR]._replace(notional=100_001)
    assert expected_cost(line, side) == 501
    assert expected_cost(line, side * 1_000) == 500_005


@sides
def test_lq_009_what_is_no_longer_held_is_not_counted(side):
    """LQ-009: an intent in a contract that the account has left costs nothing."""
    account, at = held(30_000, side * 1), value()
    assert plan_liquidation(account, at, {FAR: side * 9}) == plan_liquidation(account, at, {})
