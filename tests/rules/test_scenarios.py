"""
Rules RQ-020 to RQ-040, SH-020 to SH-027, MK-018: scenarios, add-ons, what publication checks; mirrored long and short.
"""

import pytest
from msgspec.structs import replace

from tests.helpers.worlds import INVERSE, LINEAR, Driver
from tocsin.core.errors import SheetError
from tocsin.core.limits import UNDERLYINGS_MAX
from tocsin.engine import commands as cm
from tocsin.margin.requirement import INITIAL, LIQUIDATION, MARGIN_CALL, SCALE, TAKEOVER, compute_requirement
from tocsin.margin.requirement import sum_requirement as exact_sum
from tocsin.margin.scenario import scenario_component, scenario_values, sum_scenarios
from tocsin.margin.state import AccountState, Mode
from tocsin.margin.valuation import Valuation
from tocsin.sheet import terms as t
from tocsin.sheet.marks import Grade, Mark, Marks
from tocsin.sheet.validate import check_successor, validate_sheet

USD, BTC = 1, 2
PERP, ALT, COIN, DATED = 1, 2, 3, 4
BITCOIN, OTHER = 1, 2
MARKS = {PERP: 100_000, ALT: 100_000, COIN: -100_000, DATED: 110_000}

SHOCKS = (-200_000, -100_000, -50_000, -10_000, 10_000, 50_000, 100_000, 200_000)
ARRAY = tuple(s // 10 for s in SHOCKS)
"""A lot of 100,000 units gains or loses up to 20,000."""
COIN_ARRAY = (-25_000, -11_000, -5_000, -1_000, 1_000, 4_500, 9_000, 16_000)
"""A long lot of an inverse contract loses more than it gains."""

FACTORS = t.LevelFactors(1_500_000, 1_000_000, 800_000, 500_000)
ONE = t.LevelFactors(1_000_000, 1_000_000, 1_000_000, 1_000_000)
LEVELS = (INITIAL, MARGIN_CALL, LIQUIDATION, TAKEOVER)

sides = pytest.mark.parametrize("side", [1, -1])


def linear(ident, underlying, **fields):
    return t.ContractTerms(
        ident, f"C{ident}", t.Kind.LINEAR, USD, 1, 1_000_000, 10_000, (t.Tier(0, 50_000),), underlying=underlying,
        **fields,
    )  # fmt: skip


CONTRACTS = {
    PERP: linear(PERP, BITCOIN, array=ARRAY, delta=100_000),
    ALT: linear(ALT, OTHER, array=ARRAY, delta=100_000),
    COIN: t.ContractTerms(
        COIN, "COIN", t.Kind.INVERSE, BTC, 10**10, 1_000_000, 10_000, (t.Tier(0, 50_000),), underlying=BITCOIN,
        array=COIN_ARRAY, delta=200_000,
    ),
    DATED: linear(DATED, BITCOIN, array=tuple(a + 300 for a in ARRAY), delta=110_000),
}  # fmt: skip
UNDERLYINGS = {
    BITCOIN: t.UnderlyingTerms(BITCOIN, "BTC", 128, PERP, 100_000, 20_000),
    OTHER: t.UnderlyingTerms(OTHER, "ALT", 64),
}
PORTFOLIO = t.Components(scenario=FACTORS, addon=ONE)


def make_sheet(contracts=None, underlyings=None, usd=None, btc=None, **fields):
    """Return the sheet; the mappings change fields of one contract, underlying or asset."""
    assets = (
        t.AssetTerms(USD, "USD", 2, 1_000_000, (t.HaircutTier(0, 0),)),
        t.AssetTerms(BTC, "BTC", 8, 4_000_000, (t.HaircutTier(0, 100_000),), underlying=BITCOIN, row=SHOCKS),
    )
    base = t.RiskSheet(
        "scenarios", t.Preset.EXCHANGE, (replace(assets[0], **(usd or {})), replace(assets[1], **(btc or {}))),
        tuple(replace(c, **(contracts or {}).get(c.id, {})) for c in CONTRACTS.values()), t.OFF, t.OFF, (0, 0, 0, 0),
        portfolio=PORTFOLIO, scenarios=tuple("abcdefgh"), alone_256=64,
        underlyings=tuple(replace(u, **(underlyings or {}).get(u.id, {})) for u in UNDERLYINGS.values()),
    )  # fmt: skip
    return replace(base, **fields)


def value(sheet=None, marks=None, slow=None, grade=Grade.FRESH):
    found = {c: Mark(m, 0, grade, 0, (slow or {}).get(c, 0)) for c, m in {**MARKS, **(marks or {})}.items()}
    return Valuation(validate_sheet(sheet or make_sheet()), Marks(found, {USD: 1_000_000, BTC: 2_000_000}))


def held(lots=None, *, usd=0, btc=0, mode=Mode.PORTFOLIO, holds=None, others=None):
    """Return an account that entered at the marks of `MARKS`."""
    return AccountState(
        1, 1, mode, cash={a: u for a, u in ((USD, usd), (BTC, btc)) if u}, holds=holds or {}, others=others or {},
        positions={c: (q, q * MARKS[c]) for c, q in (lots or {}).items() if q},
    )  # fmt: skip


def needs(account, valuation=None, levels=LEVELS):
    valuation = valuation or value()
    return [compute_requirement(account, valuation, level) for level in levels]


def bare(*contracts):
    """Return changes that take the arrays off, so that only what is tested counts."""
    return {c: {"array": ()} for c in contracts or CONTRACTS}


# --- on the owner ----------------------------------------------------------------------------------------------------


@sides
def test_rq_020_tiers_on_the_owner(side):
    """RQ-020: 5 % to 1,000,000 and 10 % beyond; 10 lots above 5 others are 50,000 to the edge and 50,000 past it."""
    sheet = make_sheet({PERP: {"tiers": (t.Tier(0, 50_000), t.Tier(1_000_000, 100_000))}}, tiered=FACTORS)
    at = value(sheet)

    def need(lots, others):
        return needs(held({PERP: side * lots}, mode=Mode.CROSS, others={PERP: others}), at, [MARGIN_CALL])[0]

    assert [need(10, 0), need(10, 5), need(10, 10), need(10, 500)] == [50_000, 75_000, 100_000, 100_000]
    # Both halves of 20 lots together never need less than 20 lots in one account (150,000).
    assert need(20, 0) == 150_000 <= need(10, 10) * 2
    # 1.5, 1, 0.8 and 0.5 of 75,000.
    whole = needs(held({PERP: side * 10}, mode=Mode.CROSS, others={PERP: 5}), at)
    assert whole == [112_500, 75_000, 60_000, 37_500]


@sides
def test_rq_021_liquidity(side):
    """RQ-021: nothing to 500,000 of notional, 2 % beyond, by the add-on factor, on the owner."""
    thin = {**bare(), PERP: {"array": (), "liquidity": (t.Tier(0, 0), t.Tier(500_000, 20_000))}}
    at = value(make_sheet(thin, portfolio=t.Components(addon=FACTORS)))
    assert [needs(held({PERP: side * q}), at, [MARGIN_CALL])[0] for q in (5, 6, 20)] == [0, 2_000, 30_000]
    assert needs(held({PERP: side * 20}), at) == [45_000, 30_000, 24_000, 15_000]
    # 5 others take the free part: 5 lots cost 10,000.
    assert needs(held({PERP: side * 5}, others={PERP: 5}), at, [MARGIN_CALL]) == [10_000]


@sides
def test_rq_022_concentration(side):
    """RQ-022: 1 % of the delta above 1,000,000; legs against each other concentrate nothing, legs beside add up."""
    focus = {BITCOIN: {"concentration": (t.Tier(0, 0), t.Tier(1_000_000, 10_000))}}
    at = value(make_sheet(bare(), focus, btc={"row": (), "underlying": -1}))

    def need(**fields):
        return needs(held(**fields), at, [MARGIN_CALL])[0]

    assert need(lots={PERP: side * 10}) == 0
    assert need(lots={PERP: side * 20}) == 10_000
    # 2,000,000 - 1,650,000 of delta; 2,000,000 + 1,100,000; 2,000,000 + 2,000,000 of the coin contract.
    assert need(lots={PERP: side * 20, DATED: -side * 15}) == 0
    assert need(lots={PERP: side * 20, DATED: side * 10}) == 21_000
    assert need(lots={PERP: side * 20, COIN: side * 10}) == 30_000
    # Another underlying has brackets of its own: none.
    assert need(lots={PERP: side * 20, ALT: side * 90}) == 10_000
    # With orders `initial` takes the reach: 20 held and 10 more are 3,000,000; 20 less 45 are 2,500,000 the other way.
    more, less = ((10, 0), (0, 45)) if side > 0 else ((0, 10), (45, 0))
    orders = [held({PERP: side * 20}, holds={PERP: h}) for h in (more, less)]
    assert [needs(o, at, [INITIAL, MARGIN_CALL]) for o in orders] == [[20_000, 10_000], [15_000, 10_000]]


@sides
def test_rq_023_others_are_absolute(side):
    """RQ-023: delta of the others under -1 - underlying, lots under the contract, whatever side either is on."""
    focus = {BITCOIN: {"concentration": (t.Tier(0, 0), t.Tier(1_000_000, 10_000))}}
    at = value(make_sheet(bare(), focus))
    account = held({PERP: side * 10}, others={-1 - BITCOIN: 600_000, -1 - OTHER: 10**9, PERP: 10**6})
    assert needs(account, at, [MARGIN_CALL]) == [6_000]
    assert needs(held({PERP: side * 10}, others={-1 - BITCOIN: 10**7}), at, [MARGIN_CALL]) == [10_000]


@sides
def test_rq_024_gamma_outside_the_band(side):
    """RQ-024: one unit beyond a band of 20,000 around 99,999 is 10.0001 ppm, counted as 11; a lot adds 11 x gamma."""
    changes = {**bare(), PERP: {"array": (), "gamma": 1_000_000}}
    sheet = make_sheet(changes, {BITCOIN: {"reference": 99_999}}, portfolio=t.Components(addon=FACTORS))
    inside, above, below = (value(sheet, {PERP: m}) for m in (119_999, 120_000, 79_998))
    assert [v.lines[PERP].opens for v in (inside, above, below)] == [True, False, False]
    assert [v.lines[DATED].opens for v in (inside, above, below)] == [True, False, False]
    assert above.lines[ALT].opens
    account = held({PERP: side * 10})
    assert needs(account, inside) == [0, 0, 0, 0]
    # 10 lots x 1,000,000 x 11 ppm = 110 by 1.5, 1, 0.8, 0.5.
    assert needs(account, above) == needs(account, below) == [165, 110, 88, 55]


@sides
def test_rq_025_only_at_initial_and_without_a_factor(side):
    """RQ-025: half band, slow mark and discount are the same with add-ons off and on, and 0 below `initial`."""
    changes = {**bare(), PERP: {"array": (), "stale_half_band_ppm": 20_000}}
    for factors in (t.OFF, FACTORS):
        sheet = make_sheet(changes, usd={"gain_discount_ppm": 500_000}, portfolio=t.Components(addon=factors))
        account = held({PERP: side * 10})
        assert needs(account, value(sheet, grade=Grade.STALE)) == [20_000, 0, 0, 0]
        assert needs(account, value(sheet, slow={PERP: 100_000 - side * 3_000})) == [30_000, 0, 0, 0]
        account.positions[PERP] = (side * 10, side * 10 * 100_000 - 8_001)
        assert needs(account, value(sheet)) == [4_001, 0, 0, 0]


@sides
def test_rq_026_a_slow_mark_only_tightens(side):
    """RQ-026: it adds what the faster mark gives the side it favours, and gives nothing to the other."""
    at = {s: value(make_sheet(bare()), slow={PERP: s}) for s in (90_000, 100_000, 112_000)}
    found = {s: needs(held({PERP: side * 10}), at[s], [INITIAL])[0] for s in at}
    assert found == (
        {90_000: 100_000, 100_000: 0, 112_000: 0} if side > 0 else {90_000: 0, 100_000: 0, 112_000: 120_000}
    )
    # An inverse mark is below 0: -100,000 against a slow -104,000 favours the long by 4,000 BTC units a lot.
    coin = value(make_sheet(bare()), slow={COIN: -104_000})
    assert needs(held({COIN: side * 10}), coin, [INITIAL]) == [80_000 if side > 0 else 0]


@sides
def test_rq_027_gains_are_discounted_per_asset(side):
    """RQ-027: 30 % of the sum of gains and losses in USD, at least of 0; BTC gains at their price."""
    sheet = make_sheet(bare(), usd={"gain_discount_ppm": 300_000}, btc={"row": (), "underlying": -1})
    account = held({PERP: side * 10, ALT: -side * 10})
    # +100,000 on one, -40,000 on the other.
    up = value(sheet, {PERP: 100_000 + side * 10_000, ALT: 100_000 + side * 4_000})
    assert needs(account, up, [INITIAL]) == [18_000]
    down = value(sheet, {PERP: 100_000 - side * 10_000, ALT: 100_000 - side * 4_000})
    assert needs(account, down, [INITIAL]) == [0]
    both = replace(sheet, assets=(sheet.assets[0], replace(sheet.assets[1], gain_discount_ppm=100_000)))
    # 10 x 5,000 BTC units at 2 a unit, 10 %: a loss in USD does not lessen it.
    account.positions[COIN] = (side * 10, side * -1_000_000)
    there = value(both, {COIN: -100_000 + side * 5_000, ALT: 100_000 + side * 4_000})
    assert needs(account, there, [INITIAL]) == [10_000]


@sides
def test_rq_007_add_ons_with_orders(side):
    """RQ-007, RQ-021, RQ-022: each add-on at the worst of none, all bids, all asks, also where nothing is held."""
    thin = {**bare(), PERP: {"array": (), "liquidity": (t.Tier(0, 0), t.Tier(500_000, 20_000))}}
    focus = {BITCOIN: {"concentration": (t.Tier(0, 0), t.Tier(1_000_000, 10_000))}}
    more, less = (lambda n: (n, 0) if side > 0 else (0, n)), (lambda n: (0, n) if side > 0 else (n, 0))
    at = value(make_sheet(thin))
    found = [
        needs(held({PERP: side * q}, holds={PERP: h}), at, [INITIAL, MARGIN_CALL])
        for q, h in ((5, more(4)), (5, less(4)), (5, less(16)), (0, more(6)), (0, less(6)))
    ]
    assert found == [[8_000, 0], [0, 0], [12_000, 0], [2_000, 0], [2_000, 0]]
    # Concentration: an order in another contract of the underlying reaches as far.
    at = value(make_sheet(bare(), focus))
    orders = held({PERP: side * 10}, holds={DATED: more(10), ALT: more(99)})
    assert needs(orders, at, [INITIAL, MARGIN_CALL]) == [11_000, 0]
    assert needs(held(holds={DATED: more(10)}), at, [INITIAL, MARGIN_CALL]) == [1_000, 0]


@sides
def test_lc_006_the_hedge_that_expires_is_not_counted_on(side):
    """
    LC-006: 10 of PERP against 10 of DATED. At `initial` and `margin_call` the account needs at least what it would
    without the contract about to expire, closed at its mark: 200,000.
    """
    at = value()
    soon = Valuation(at.sheet, replace(at.marks, expiring=(DATED,)))
    account = held({PERP: side * 10, DATED: -side * 10})
    assert needs(account, at) == ([4_500, 3_000, 2_400, 1_500] if side > 0 else [0, 0, 0, 0])
    assert needs(account, soon) == [300_000, 200_000, *(needs(account, at)[2:])]
    # Orders in it count at `initial` only while it is there: with them it needs more than without it.
    account.holds = {DATED: (0, 30) if side < 0 else (30, 0), PERP: (1, 1)}
    # Held: 11 of PERP and up to 20 of DATED the same way, 20,300 or 19,700 a lot; without: 11 of PERP.
    assert needs(account, soon, [INITIAL]) == needs(account, at, [INITIAL]) != [330_000]
    account.holds = {DATED: (0, 1) if side > 0 else (1, 0)}
    assert needs(account, soon, [INITIAL]) == [300_000]
    # What is not held changes nothing; closing it turns its P&L into cash, whose risk is then counted.
    other = held({PERP: side * 10})
    assert needs(other, soon) == needs(other, at)
    coin = Valuation(at.sheet, replace(at.marks, expiring=(COIN,)))
    account = held({COIN: side * 2, PERP: -side * 10})
    account.positions[COIN] = (side * 2, side * 2 * -100_000 - 50_000)
    # Without it 200,000 of PERP, and 20 % of 50,000 units at 2, gained: against it (rise) or with it (fall).
    alone = needs(held({PERP: -side * 10}, btc=50_000), at, [MARGIN_CALL])
    assert needs(account, coin, [MARGIN_CALL]) == alone == [220_000 if side < 0 else 180_000]


# --- scenarios -------------------------------------------------------------------------------------------------------


@sides
def test_rq_030_values_per_underlying(side):
    """RQ-030: lots x array at the price of the settlement asset, x 10^12; contracts without array are not in it."""
    account = held({PERP: side * 10, COIN: side * 2, ALT: side * 3})
    no_row = value(make_sheet(btc={"row": (), "underlying": -1}))
    values = scenario_values(account, no_row)
    # Shock -20 %: 10 x -20,000, and 2 x -25,000 BTC units at 2.
    assert values[BITCOIN][0] == side * (-200_000 - 100_000) * 10**12
    assert values[BITCOIN][7] == side * (200_000 + 64_000) * 10**12
    assert values[OTHER] == [side * 3 * a * 10**12 for a in ARRAY]
    assert scenario_values(held({ALT: side}), value(make_sheet(bare(ALT)))) == {}


@sides
def test_rq_031_joint_loss(side):
    """RQ-031: gains of BTC count for 128/256, of ALT for 64/256, against losses of the other."""
    # BTC loses 200,000 where ALT gains 60,000, of which 15,000 count; in the mirror BTC's 200,000 count for 100,000.
    assert needs(held({PERP: side * 10, ALT: -side * 3}), levels=[MARGIN_CALL]) == [185_000]
    # ALT loses 300,000 where BTC gains 200,000, of which 100,000 count.
    assert needs(held({PERP: side * 10, ALT: -side * 15}), levels=[MARGIN_CALL]) == [200_000]
    # The same way there is nothing to offset.
    assert needs(held({PERP: side * 10, ALT: side * 3})) == [390_000, 260_000, 208_000, 130_000]


@sides
def test_rq_032_inside_one_underlying(side):
    """RQ-032: all but the 300 a lot by which the arrays differ offsets."""
    found = needs(held({PERP: side * 10, DATED: -side * 10}), levels=[MARGIN_CALL])
    assert found == [3_000 if side > 0 else 0]
    assert needs(held({PERP: side * 10, DATED: -side * 4}), levels=[MARGIN_CALL]) == [121_200 if side > 0 else 118_800]


@sides
@pytest.mark.parametrize(("alone", "need"), [(0, 200_000), (102, 200_000), (103, 201_172), (256, 500_000)])
def test_rq_033_never_less_than_lambda_alone(side, alone, need):
    """RQ-033: alone BTC loses 200,000 and ALT 300,000; 102/256 of 500,000 are 199,218.75, 103/256 are 201,171.875."""
    at = value(make_sheet(alone_256=alone))
    account = held({PERP: side * 10, ALT: -side * 15})
    assert needs(account, at, [MARGIN_CALL]) == [need]
    found = sum_scenarios(scenario_values(account, at), at)
    assert (found.joint, found.floor) == (200_000 * 256 * 10**12, 500_000 * alone * 10**12)
    assert found.total == max(found.joint, found.floor)
    # The worst is the first with the largest joint loss: long BTC and short ALT fear the rise of ALT.
    assert found.worst == (7 if side > 0 else 0)
    assert {u: v // 10**12 for u, v in found.values.items()} == {BITCOIN: 200_000, OTHER: -300_000}


def test_rq_033_ties_go_to_the_first_scenario():
    """RQ-033: two scenarios that are as bad as each other."""
    at = value(make_sheet({PERP: {"array": (0, -5, 0, -5, 0, 0, 0, 0)}}))
    assert sum_scenarios(scenario_values(held({PERP: 1}), at), at).worst == 1


@sides
def test_rq_034_convex_never_negative_nothing_for_nothing(side):
    """RQ-034: also with holds that make it larger, and where every scenario gains."""
    sizes = [needs(held({PERP: side * q, ALT: -side * 7}), levels=[MARGIN_CALL])[0] for q in range(-40, 41, 4)]
    assert all(b - a <= c - b for a, b, c in zip(sizes, sizes[1:], sizes[2:], strict=False))
    assert needs(AccountState(1, 1, Mode.PORTFOLIO)) == [0, 0, 0, 0]
    # One that gains in every scenario needs nothing; its mirror loses the most.
    gains = value(make_sheet({PERP: {"array": tuple(abs(a) * side for a in ARRAY)}}))
    assert needs(held({PERP: side * 10}), gains) == [0, 0, 0, 0]
    assert needs(held({PERP: -side * 10}), gains, [MARGIN_CALL]) == [200_000]


@sides
def test_rq_035_coin_collateral_in_the_scenarios(side):
    """RQ-035: 1,000,000 BTC units at 2 lose 400,000 at -20 %: all of a short of 20, and on top of a long."""
    coins = {"btc": 1_000_000}
    assert needs(held(**coins), levels=[MARGIN_CALL]) == [400_000]
    found = needs(held({PERP: side * 20}, **coins), levels=[MARGIN_CALL])
    assert found == [800_000 if side > 0 else 0]
    # A debt in coin fears the rise; it stands beside the longs of its underlying.
    assert needs(held(btc=-1_000_000), levels=[MARGIN_CALL]) == [400_000]
    assert needs(held({PERP: side * 20}, btc=-1_000_000), levels=[MARGIN_CALL]) == [0 if side > 0 else 800_000]
    # P&L of the coin contract is balance: 10 lots gained 5,000 units each, at 2, and lose 20 % of that.
    at = value(make_sheet(bare(COIN)), {COIN: -100_000 + side * 5_000})
    assert needs(held({COIN: side * 10}), at, [MARGIN_CALL]) == [20_000]


@sides
def test_rq_035_a_debt_without_a_price_counts_at_the_cap(side):
    """RQ-035: an asset owed without a price is the dearest it can be, 4 a unit; one owned is worth nothing."""
    at = Valuation(make_sheet(), Marks({c: Mark(m, 0, Grade.FRESH, 0) for c, m in MARKS.items()}, {USD: 1_000_000}))
    # 20 % of 10,000 x 4; beside it a lot that loses 20,000 where the debt gains, of which 128/256 count, or loses too.
    assert needs(held(btc=-10_000), at, [MARGIN_CALL]) == [8_000]
    assert needs(held(btc=10_000), at, [MARGIN_CALL]) == [0]
    found = needs(held({ALT: side}, btc=-10_000), at, [MARGIN_CALL])
    assert found == [20_000 - 4_000 if side > 0 else 28_000]


@sides
def test_rq_036_orders_at_their_worst_in_each_scenario(side):
    """RQ-036: none, all bids, all asks, per contract and scenario; `initial` only (factor 1.5)."""
    more = (lambda n: (n, 0)) if side > 0 else (lambda n: (0, n))
    less = (lambda n: (0, n)) if side > 0 else (lambda n: (n, 0))

    def need(**fields):
        return needs(held(**fields), levels=[INITIAL, MARGIN_CALL])

    assert need(lots={PERP: side * 10}, holds={PERP: more(5)}) == [450_000, 200_000]
    assert need(lots={PERP: side * 10}, holds={PERP: less(5)}) == [300_000, 200_000]
    assert need(lots={PERP: side * 10}, holds={PERP: less(40)}) == [900_000, 200_000]
    assert need(holds={PERP: more(5)}) == [150_000, 0]
    # The hedge may go: 10 against 10 of the other contract, of which all may be closed.
    hedge = need(lots={PERP: side * 10, DATED: -side * 10}, holds={DATED: more(10)})
    assert hedge == [300_000, 3_000 if side > 0 else 0]
    # Orders in two contracts that hedge each other are each at their worst.
    both = need(holds={PERP: more(10), DATED: less(10)})
    # What would gain is taken as not filled: 10 PERP lose 200,000 in one direction, 10 DATED in the other 203,000 for
    # who sold them (+20 %: 20,300 a lot), 197,000 for who bought them (-20 %: 19,700).
    assert both == [304_500 if side > 0 else 300_000, 0]


@sides
@pytest.mark.parametrize("combine", list(t.Combine))
def test_rq_040_how_components_are_put_together(side, combine):
    """RQ-040: tiered 5 % and charge 2,000 a lot, then scenarios, by sum or the larger, then add-ons."""
    changes = {PERP: {"charge_long": 2_000, "charge_short": 2_000, "liquidity": (t.Tier(0, 10_000),)}}
    components = t.Components(FACTORS, ONE, t.LevelFactors(200_000, 100_000, 0, 0), ONE, combine)
    at = value(make_sheet(changes, portfolio=components))
    account = held({PERP: side * 10})
    # Own (the larger): 75,000, 50,000, 40,000, 25,000 against a charge of 20,000; scenario 40,000, 20,000, 0, 0.
    added = [115_000, 70_000, 40_000, 25_000] if combine == t.Combine.SUM else [75_000, 50_000, 40_000, 25_000]
    assert needs(account, at) == [n + 10_000 for n in added]
    # At a larger scenario factor the scenario is the larger of both, and the charge counts where tiers are off.
    heavy = replace(components, scenario=FACTORS, tiered=t.OFF)
    found = needs(account, value(make_sheet(changes, portfolio=heavy)))
    own = 20_000 if combine == t.Combine.SUM else 0
    assert found == [n + own + 10_000 for n in (300_000, 200_000, 160_000, 100_000)]


@sides
def test_rq_040_the_mode_chooses_the_factors(side):
    """RQ-040: cross and isolated by the sheet's own factors, portfolio by its own; without those, by the sheet's."""
    sheet = make_sheet(tiered=ONE)
    account = held({PERP: side * 10})
    found = {}
    for mode in (Mode.CROSS, Mode.ISOLATED, Mode.PORTFOLIO):
        account.mode = mode
        found[mode] = needs(account, value(sheet), [MARGIN_CALL])[0]
    assert found == {Mode.CROSS: 50_000, Mode.ISOLATED: 50_000, Mode.PORTFOLIO: 200_000}
    assert needs(account, value(replace(sheet, portfolio=None)), [MARGIN_CALL]) == [50_000]
    # Scenarios may count for cross accounts as well.
    account.mode = Mode.CROSS
    assert needs(account, value(replace(sheet, scenario=ONE)), [MARGIN_CALL]) == [250_000]


def test_all_of_it_is_one_sum_rounded_once():
    """RQ-010, RQ-040: thirds of a unit from tiers, scenarios and add-ons make one unit more, not three."""
    changes = {PERP: {"tiers": (t.Tier(0, 3),), "liquidity": (t.Tier(0, 3),), "array": (-1, *[0] * 7)}}
    third = t.LevelFactors(300_000, 300_000, 0, 0)
    at = value(make_sheet(changes, portfolio=t.Components(ONE, t.OFF, third, ONE)))
    account = held({PERP: 1})
    assert exact_sum(account, at, MARGIN_CALL) * 10 == 9 * SCALE
    assert needs(account, at, [MARGIN_CALL]) == [1]
    assert scenario_component(account, at) == 256 * 10**12


# --- what publication checks -----------------------------------------------------------------------------------------


def refused(field, sheet):
    with pytest.raises(SheetError) as caught:
        validate_sheet(sheet)
    text = str(caught.value)
    assert text.startswith(f"{field} must be "), text
    assert ", was " in text


MANY = tuple(f"s{i}" for i in range(129))
DOWN = t.LevelFactors(1, 2, 0, 0)


def test_the_sheet_of_these_tests_is_accepted():
    """SH-020 to SH-027: so that each refusal below has one cause."""
    assert validate_sheet(make_sheet())
    wide = {c: {"array": (0,) * 128} for c in CONTRACTS}
    assert validate_sheet(make_sheet(wide, btc={"row": (0,) * 128}, scenarios=MANY[:128]))
    none = make_sheet(bare(), btc={"row": (), "underlying": -1}, scenarios=())
    assert validate_sheet(none)


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("scenarios", {"scenarios": tuple("abcdefg")}),
        ("scenarios", {"scenarios": MANY}),
        ("scenarios[1]", {"scenarios": ("a", "", *"cdefgh")}),
        ("scenarios[1]", {"scenarios": ("a", "x" * 65, *"cdefgh")}),
        ("scenarios[]", {"scenarios": tuple("aacdefgh")}),
        ("alone_256", {"alone_256": -1}),
        ("alone_256", {"alone_256": 257}),
        ("scenario.margin_call", {"scenario": DOWN}),
        ("addon.margin_call", {"addon": DOWN}),
        ("portfolio.tiered.margin_call", {"portfolio": t.Components(tiered=DOWN)}),
        ("portfolio.charge.margin_call", {"portfolio": t.Components(charge=DOWN)}),
        ("portfolio.scenario.margin_call", {"portfolio": t.Components(scenario=DOWN)}),
        ("portfolio.addon.margin_call", {"portfolio": t.Components(addon=DOWN)}),
    ],
)
def test_sh_020_scenarios_and_factors(field, changes):
    """SH-020"""
    refused(field, make_sheet(**changes))


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("gain_256", {"gain_256": 257}),
        ("gain_256", {"gain_256": -1}),
        ("symbol", {"symbol": ""}),
        ("concentration[0].lower", {"concentration": (t.Tier(1, 0),)}),
        ("concentration[1].rate_ppm", {"concentration": (t.Tier(0, 5), t.Tier(9, 4))}),
        ("contract", {"contract": ALT}),
        ("contract", {"contract": 77}),
        ("reference", {"contract": -1}),
        ("reference", {"reference": -100_000}),
        ("reference", {"reference": 1_000_001, "band": 0}),
        ("band", {"band": -1}),
        ("band", {"band": 100_001}),
    ],
)
def test_sh_021_underlyings(field, change):
    """SH-021"""
    refused(f"underlyings[{BITCOIN}].{field}", make_sheet(underlyings={BITCOIN: change}))


def test_sh_021_measured_by_an_inverse_contract_but_not_by_an_option():
    """SH-021: the reference has the sign of the contract's marks; identifiers are unique."""
    assert validate_sheet(make_sheet(underlyings={BITCOIN: {"contract": COIN, "reference": -100_000}}))
    refused("underlyings[1].reference", make_sheet(underlyings={BITCOIN: {"contract": COIN, "reference": 100_000}}))
    refused("underlyings[1].contract", make_sheet(call(), underlyings={BITCOIN: {"contract": DATED}}))
    refused("underlyings[].id", make_sheet(underlyings={OTHER: {"id": BITCOIN}}))
    assert validate_sheet(make_sheet(underlyings={BITCOIN: {"band": 100_000}}))


def call(**fields):
    option = t.OptionTerms(True, 100_000)
    return {DATED: {"kind": t.Kind.OPTION, "option": option, "expiry_ns": 10**18, **fields}}


@pytest.mark.parametrize(
    ("field", "contract", "change"),
    [
        ("array", PERP, {"array": ARRAY[:-1]}),
        ("array", PERP, {"array": (*ARRAY, 1)}),
        ("underlying", ALT, {"underlying": 3}),
        ("underlying", ALT, {"underlying": -1}),
        ("array x position_cap", ALT, {"array": (2**51 // 10_000 + 1, *ARRAY[1:])}),
        ("array x position_cap", ALT, {"array": (-(2**51) // 10_000 - 1, *ARRAY[1:])}),
        ("array x position_cap x price_cap", COIN, {"array": (2**51 // 10_000 // 4 + 1, *ARRAY[1:])}),
        ("gamma", PERP, {"gamma": -1}),
        ("gamma", ALT, {"gamma": 1}),
        ("delta", ALT, {"delta": 1, "underlying": -1, "array": ()}),
        ("delta x position_cap", PERP, {"delta": 2**51 // 10_000 + 1}),
        ("delta x position_cap", PERP, {"delta": -(2**51) // 10_000 - 1}),
        ("liquidity[0].lower", PERP, {"liquidity": (t.Tier(1, 0),)}),
        ("liquidity[1].lower", PERP, {"liquidity": (t.Tier(0, 0), t.Tier(0, 1))}),
        ("liquidity[1].rate_ppm", PERP, {"liquidity": (t.Tier(0, 7), t.Tier(9, 5))}),
    ],
)
def test_sh_022_arrays_deltas_and_brackets(field, contract, change):
    """SH-022"""
    refused(f"contracts[{contract}].{field}", make_sheet({contract: change}))


def test_sh_023_all_of_it_at_the_caps():
    """
    SH-023: at the caps a lot of 10,000 may require 2 x 2^51 / 10,000 = 450,359,962,737 units: tiers 50,000, array
    20,000, and gamma by 11 times, (1,000,000 + 100,000) / 100,000 of the reference.
    """
    parts = t.Components(ONE, ONE, ONE, ONE)
    most = (2 * 2**51 // 10_000 - 50_000 - 20_000) // 11
    spare = 2 * 2**51 // 10_000 - 50_000 - 20_000 - 11 * most

    def sheet(**fields):
        return make_sheet({PERP: {"gamma": most, **fields}}, portfolio=parts)

    field = "contracts[1]: portfolio.requirement at the caps"
    assert validate_sheet(sheet(charge_long=spare, charge_short=spare))
    refused(field, sheet(gamma=most + 1))
    refused(field, sheet(charge_short=spare + 1))
    refused(field, sheet(charge_long=spare + 1))
    # 11 ppm of 1,000,000 are 11 units a lot.
    refused(field, sheet(stale_half_band_ppm=11))
    refused(field, sheet(liquidity=(t.Tier(0, 0), t.Tier(5, 11))))
    refused(field, sheet(tiers=(t.Tier(0, 50_000), t.Tier(5, 50_011))))
    refused(field, sheet(array=(*ARRAY[:-1], 20_011)))
    refused(field, sheet(array=(-20_011, *ARRAY[1:])))
    # Cross accounts by their own factors.
    refused(
        "contracts[1]: requirement at the caps",
        replace(make_sheet({PERP: {"gamma": most}}), addon=t.LevelFactors(1_100_000, 0, 0, 0)),
    )


def test_sh_023_concentration_counts_in_valuation_units():
    """SH-023: delta x last rate x position cap beside the rest."""
    most_delta = 2**51 // 10_000
    focus = {BITCOIN: {"concentration": (t.Tier(0, 0), t.Tier(5, 1_000_000))}}
    assert validate_sheet(make_sheet({PERP: {"delta": most_delta}}, focus))
    double = t.Components(scenario=FACTORS, addon=t.LevelFactors(2_000_000, 0, 0, 0))
    field = "contracts[1]: portfolio.requirement at the caps with concentration"
    refused(field, make_sheet({PERP: {"delta": most_delta}}, focus, portfolio=double))
    refused(field, make_sheet({PERP: {"delta": -most_delta}}, focus, portfolio=double))


def test_sh_023_measured_by_another_contract():
    """SH-023: gamma by how far the measuring contract's own cap is from its reference, whatever the sign."""
    parts = t.Components(addon=ONE)
    coin = {"contract": COIN, "reference": -100_000, "band": 0}
    # The cap of COIN is 400,000: at most 5 times the reference beyond it, though PERP's own would be 11.
    most = 2 * 2**51 // 10_000 // 5

    def sheet(gamma):
        return make_sheet({PERP: {"gamma": gamma}, COIN: {"mark_cap": 400_000}}, {BITCOIN: coin}, portfolio=parts)

    assert validate_sheet(sheet(most))
    refused("contracts[1]: portfolio.requirement at the caps", sheet(most + 1))


def test_sh_023_both_sides_of_the_sum_at_the_bound():
    """SH-023: 2^52 = 4,503,599,627,370,496 valuation units: delta by the last rate, times 10,000 lots, and the rest."""
    focus = {BITCOIN: {"concentration": (t.Tier(0, 0), t.Tier(5, 500_000), t.Tier(9, 1_000_000))}}
    parts = t.Components(charge=ONE, addon=t.LevelFactors(2_000_000, 0, 0, 0))

    def sheet(charge):
        return make_sheet({PERP: {"delta": 225_179_981_368, "charge_long": charge}}, focus, portfolio=parts)

    # 2 x 225,179,981,368 a lot leave 2^52 / 10,000 - 450,359,962,736 = 1.05: a charge of 1.
    assert validate_sheet(sheet(1))
    refused("contracts[1]: portfolio.requirement at the caps with concentration", sheet(2))


@pytest.mark.parametrize(
    "fields",
    [
        {"underlyings": {OTHER: {"id": 0, "symbol": "x" * 32}}, "contracts": {ALT: {"underlying": 0}}},
        {"underlyings": {OTHER: {"id": 2**15 - 1, "gain_256": 256}}, "contracts": {ALT: {"underlying": 2**15 - 1}}},
        {"underlyings": {BITCOIN: {"gain_256": 0, "band": 0, "reference": 1_000_000}}},
        {"alone_256": 0}, {"alone_256": 256},
        {"life": t.LifePolicy(0, 0, 0, 0)}, {"life": t.LifePolicy(10**15, 1_000_000, 10_000, 10**15)},
        {"btc": {"row": (-666_666, *[0] * 7), "haircuts": (t.HaircutTier(0, 0),)}},
        {"usd": {"gain_discount_ppm": 1_000_000}},
        {"usd": {"borrow": t.BorrowTerms(0, 0, 1, 0, 0, 0, 1)}},
        {"usd": {"borrow": t.BorrowTerms(2**53, 0, 999_999, 100_000_000, 100_000_000, 1_000_000, 1_000_000)}},
        {"contracts": {ALT: {"gamma": 0, "delta": 2**51 // 10_000}}},
        {"contracts": {PERP: {"expiry_ns": 2**62, "look_ahead_ns": 2**62, "trade_fee_cap_ppm": 1_000_000}}},
        {"contracts": {ALT: {"array": (2**51 // 10_000, *ARRAY[1:])}}, "portfolio": t.Components()},
    ],
)  # fmt: skip
def test_bounds_are_accepted(fields):
    """SH-020 to SH-027: each at the last value that is allowed."""
    assert validate_sheet(make_sheet(**fields))


def test_sh_021_how_many():
    """SH-021: at most so many underlyings, with numbers from 0 to 2^15 - 1."""
    more = tuple(t.UnderlyingTerms(100 + i, f"U{i}") for i in range(UNDERLYINGS_MAX - 2))
    sheet = make_sheet()
    assert validate_sheet(replace(sheet, underlyings=(*sheet.underlyings, *more)))
    last = t.UnderlyingTerms(99, "LAST")
    refused("underlyings", replace(sheet, underlyings=(*sheet.underlyings, *more, last)))
    for number in (-1, 2**15):
        wrong = replace(last, id=number)
        refused(f"underlyings[{number}].id", replace(sheet, underlyings=(*sheet.underlyings, wrong)))


def test_sh_024_collateral_counts_for_what_it_risks():
    """SH-024: 20 % x 1.5 = 30 % at risk: the haircut of the last tier is at most 70 %."""

    def coin(haircut):
        return make_sheet(btc={"haircuts": (t.HaircutTier(0, 0), t.HaircutTier(9, haircut))})

    assert validate_sheet(coin(700_000))
    refused("assets[2].row x portfolio.scenario.initial", coin(700_001))
    # Cross accounts too, by their own factor; gains of a row cost nothing.
    refused("assets[2].row x scenario.initial", make_sheet(scenario=t.LevelFactors(4_500_001, 0, 0, 0)))
    up = (0, *[666_666] * 7)
    assert validate_sheet(make_sheet(btc={"row": up, "haircuts": (t.HaircutTier(0, 1_000_000),)}))
    # 666,667 x 1.5 rounds up to 1,000,001.
    refused("assets[2].row x portfolio.scenario.initial", make_sheet(btc={"row": (0, *[666_667] * 7)}))
    refused("assets[2].row", make_sheet(btc={"row": SHOCKS[:-1]}))
    refused("assets[2].underlying", make_sheet(btc={"underlying": 9}))
    refused("assets[2].underlying", make_sheet(btc={"row": ()}))
    refused("assets[1].gain_discount_ppm", make_sheet(usd={"gain_discount_ppm": 1_000_001}))
    refused("assets[1].gain_discount_ppm", make_sheet(usd={"gain_discount_ppm": -1}))


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("option", call(option=None)),
        ("option", {DATED: {"option": t.OptionTerms(True, 5)}}),
        ("option.strike", call(option=t.OptionTerms(True, 0))),
        ("expiry_ns", call(expiry_ns=0)),
        ("units x strike", call(option=t.OptionTerms(True, 99_999))),
        ("units x strike", call(option=t.OptionTerms(True, 10**9, in_coin=True), units=99_999)),
        ("base", {DATED: {"base": BTC}}),
        ("base_units", {DATED: {"base_units": 1}}),
        ("base", {DATED: {"kind": t.Kind.SPOT, "array": (), "delta": 0}}),
        ("base", {DATED: {"kind": t.Kind.SPOT, "array": (), "delta": 0, "base": USD}}),
        ("kind", {DATED: {"kind": t.Kind.SPOT, "base": BTC, "base_units": 1}}),
        ("kind", {DATED: {"kind": t.Kind.SPOT, "array": (), "base": BTC, "base_units": 1}}),
        ("base_units", {DATED: {"kind": t.Kind.SPOT, "array": (), "delta": 0, "base": BTC}}),
    ],
)
def test_sh_025_options_and_spot(field, change):
    """SH-025"""
    refused(f"contracts[{DATED}].{field}", make_sheet(change))


def test_sh_025_what_is_accepted():
    """SH-025: options in units and in coin of 100,000 a lot; spot of two assets, within 2^51 units and value."""
    assert validate_sheet(make_sheet(call()))
    in_coin = t.OptionTerms(False, 1, in_coin=True)
    assert validate_sheet(make_sheet(call(option=in_coin, units=100_000)))
    spot = {"kind": t.Kind.SPOT, "array": (), "delta": 0, "base": BTC}
    assert validate_sheet(make_sheet({DATED: {**spot, "base_units": 2**51 // 10_000 // 4}}))
    at = "contracts[4].base_units x position_cap"
    refused(f"{at} x price_cap", make_sheet({DATED: {**spot, "base_units": 2**51 // 10_000 // 4 + 1}}))
    refused(at, make_sheet({DATED: {**spot, "base_units": 2**51 // 10_000 + 1}}))


@pytest.mark.parametrize(
    ("field", "fields"),
    [
        ("contracts[1].look_ahead_ns", {"contracts": {PERP: {"look_ahead_ns": 1}}}),
        ("contracts[1].look_ahead_ns", {"contracts": {PERP: {"expiry_ns": 5, "look_ahead_ns": 6}}}),
        ("contracts[1].look_ahead_ns", {"contracts": {PERP: {"expiry_ns": 5, "look_ahead_ns": -1}}}),
        ("contracts[1].expiry_ns", {"contracts": {PERP: {"expiry_ns": -1}}}),
        ("contracts[1].expiry_ns", {"contracts": {PERP: {"expiry_ns": 2**62 + 1}}}),
        ("contracts[1].trade_fee_cap_ppm", {"contracts": {PERP: {"trade_fee_cap_ppm": 1_000_001}}}),
        ("life.grace_ns", {"life": t.LifePolicy(grace_ns=11, grace_max_ns=10)}),
        ("life.grace_max_ns", {"life": t.LifePolicy(grace_max_ns=10**15 + 1)}),
        ("life.quorum_ppm", {"life": t.LifePolicy(quorum_ppm=1_000_001)}),
        ("life.quorum_marks", {"life": t.LifePolicy(quorum_marks=10_001)}),
    ],
)
def test_sh_026_life_and_fees(field, fields):
    """SH-026"""
    refused(field, make_sheet(**fields))


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("account_cap", {"account_cap": -1}),
        ("kink_ppm", {"kink_ppm": 0}),
        ("kink_ppm", {"kink_ppm": 1_000_000}),
        ("rate_ppm", {"rate_ppm": -1}),
        ("rate_kink_ppm", {"rate_kink_ppm": 49_999}),
        ("rate_full_ppm", {"rate_full_ppm": 99_999}),
        ("rate_full_ppm", {"rate_full_ppm": 100_000_001}),
        ("reserve_ppm", {"reserve_ppm": 1_000_001}),
        ("close_ppm", {"close_ppm": 0}),
        ("close_ppm", {"close_ppm": 1_000_001}),
    ],
)
def test_sh_027_loans(field, change):
    """SH-027"""
    loan = t.BorrowTerms(10, 50_000, 800_000, 100_000, 100_000, 0, 500_000)
    assert validate_sheet(make_sheet(usd={"borrow": loan}))
    refused(f"assets[1].borrow.{field}", make_sheet(usd={"borrow": replace(loan, **change)}))


# --- published beside them -------------------------------------------------------------------------------------------


@sides
def test_mk_018_slow_marks_as_published(side):
    """MK-018, RQ-026: kept to the mark's own distance, left out with the wrong sign, and gone with the next without."""
    contract, mark = (LINEAR, 100_000_000) if side > 0 else (INVERSE, -100_000)
    driver = Driver()
    driver.marks()
    driver.cut()

    def published(*slow):
        driver.ok(
            cm.SetMarks, contract=(contract,), mark=(mark,), funding=(0,), grade=(0,), asset=(), price=(), slow=slow
        )
        kinds = [e.kind for e in driver.cut().events]
        return driver.engine.opened.marks.contracts[contract].slow, "slow_mark_refused" in kinds

    assert published(mark // 10 * 9) == (mark // 10 * 9, False)
    assert published(mark * 3) == (mark * 2, False)
    assert published(-mark) == (0, True)
    assert published(mark // 10 * 9) == (mark // 10 * 9, False)
    assert published() == (0, False)


def follows(new, old=None, factors=None):
    try:
        check_successor(old or make_sheet(), new, factors)
    except SheetError as error:
        return str(error)
    return ""


@pytest.mark.parametrize(
    ("field", "new"),
    [
        ("portfolio", make_sheet(portfolio=None)),
        ("assets[2].price_cap", make_sheet(btc={"price_cap": 3_999_999})),
        ("assets[2].symbol", make_sheet(btc={"symbol": "XBT"})),
        ("underlyings[1].symbol", make_sheet(underlyings={BITCOIN: {"symbol": "XBT"}})),
        ("contracts[2].symbol", make_sheet({ALT: {"symbol": "OLD"}})),
        ("contracts[2].underlying", make_sheet({ALT: {"underlying": BITCOIN}})),
        ("contracts[2].expiry_ns", make_sheet({ALT: {"expiry_ns": 5}})),
        ("contracts[2].units", make_sheet({ALT: {"units": 2}})),
        ("contracts[2].mark_cap", make_sheet({ALT: {"mark_cap": 999_999}})),
        ("contracts[2].position_cap", make_sheet({ALT: {"position_cap": 9_999}})),
    ],
)
def test_sh_011_what_may_not_change(field, new):
    """SH-011"""
    assert follows(new).startswith(f"{field} must be ")


def test_sh_011_rescaled_and_settled():
    """SH-011, LC-014, LC-020: by a factor of 4 exactly, caps with it; a settled contract may go and not come back."""
    old = make_sheet({ALT: {"units": 8, "mark_cap": 999_998, "position_cap": 2_000}})
    new = {"units": 2, "mark_cap": 250_000, "position_cap": 8_000}
    assert follows(make_sheet({ALT: new}), old, {ALT: 4}) == ""
    for name, value_ in (("units", 3), ("mark_cap", 249_999), ("position_cap", 7_999)):
        wrong = follows(make_sheet({ALT: {**new, name: value_}}), old, {ALT: 4})
        assert wrong.startswith(f"contracts[2].{name} must be ")
    whole = make_sheet()
    less = replace(whole, contracts=tuple(c for c in whole.contracts if c.id != ALT))
    assert follows(less) == "contracts[2] must stay in the sheet, was missing"
    assert follows(less, factors={ALT: 0}) == ""
    assert follows(whole, old=less, factors={ALT: 0}).startswith("contracts[2] must be a new number")
    gone = replace(whole, underlyings=whole.underlyings[:1], contracts=tuple(c for c in whole.contracts if c.id != ALT))
    assert follows(gone, old=less) == "underlyings[2] must stay in the sheet, was missing"


@sides
def test_rq_024_a_what_if_moves_the_band_too(side):
    """RQ-024, PR-011: other marks give what a new valuation at them gives; well inside the band nothing counts."""
    sheet = make_sheet({PERP: {"gamma": 1_000_000}, DATED: {"gamma": 500_000}})
    inside, there = value(sheet), 100_000 + side * 25_000
    assert inside.beyond[BITCOIN] == 0 and inside.lines[PERP].opens
    moved, anew = inside.with_marks({PERP: there}, {}), value(sheet, {PERP: there})
    assert moved.beyond == anew.beyond == {BITCOIN: 50_000}
    assert moved.lines == anew.lines
    assert moved.lines[DATED].gamma == 500_000 * 50_000
