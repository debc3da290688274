"""
The world: positions add up to zero, sizes, collateral above the initial level, costs of forced orders.
"""

from collections import Counter
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.core.errors import ConfigError
from tocsin.lab.october import (
    CureModel,
    Rules,
    World,
    btc_price,
    build_paths,
    build_sheet,
    build_world,
    execution_price,
    list_assumptions,
)
from tocsin.lab.october.bars import load_markets
from tocsin.lab.october.cadence import SECOND_NS, START_S
from tocsin.lab.october.liquidity import impact_ppm
from tocsin.lab.october.markets import open_interest_share_ppm, open_interest_usd, tiered_units
from tocsin.lab.october.world import UNITS_PER_USDT
from tocsin.sheet.validate import validate_sheet


@pytest.fixture(scope="module")
def world() -> World:
    return build_world(accounts=5_000, seed=1)


def gross_by_account(world: World) -> list[int]:
    marks = {m.contract: m.mark for m in world.markets}
    return [sum(abs(q) * marks[c] for c, q in held.items()) for held in world.positions().values()]


def test_long_equals_short_equals_open_interest(world: World) -> None:
    long: Counter[int] = Counter()
    net: Counter[int] = Counter()
    for held in world.positions().values():
        for contract, lots in held.items():
            net[contract] += lots
            long[contract] += max(0, lots)
    assert {m.contract: net[m.contract] for m in world.markets} == {m.contract: 0 for m in world.markets}
    assert dict(long) == {m.contract: m.open_interest_lots for m in world.markets}


def test_fills_are_between_two_accounts_at_a_price_in_ticks(world: World) -> None:
    markets = {m.contract: m for m in world.markets}
    fills = world.fills
    rows = list(zip(fills.buyer, fills.seller, fills.contract, fills.lots, fills.value, strict=True))
    assert len(rows) == len(fills)
    for buyer, seller, contract, lots, value in rows:
        assert buyer != seller
        assert lots > 0
        price, rest = divmod(value, markets[contract].units_per_tick_per_lot * lots)
        assert rest == 0
        assert abs(price - markets[contract].price_ticks) * 10 <= markets[contract].price_ticks


def test_positions_are_within_their_caps(world: World) -> None:
    caps = {m.contract: m.position_max for m in world.markets}
    assert all(abs(q) <= caps[c] for held in world.positions().values() for c, q in held.items())


def test_concentration_is_near_the_published_one(world: World) -> None:
    gross = sorted(gross_by_account(world), reverse=True)
    whole = sum(gross)
    assert abs(sum(gross[:50]) / whole - 0.842) < 0.03
    assert abs(sum(gross[:500]) / whole - 0.983) < 0.01


def test_open_interest_keeps_its_ratios(world: World) -> None:
    facts = load_markets()
    share = open_interest_share_ppm(facts)
    assert sum(m.oi_usd is not None for m in facts) == 15
    for known, market in zip(facts, world.markets, strict=True):
        exact = open_interest_usd(known, share) * UNITS_PER_USDT * world.scale_ppm / 1e6
        assert 0 <= exact - market.open_interest_lots * market.mark < market.mark, market.symbol


@pytest.mark.parametrize(("seed", "leverage"), [(0, 8.0), (1, 30.0), (4, 50.0)])
def test_every_account_starts_above_its_initial_level(seed: int, leverage: float) -> None:
    world = build_world(accounts=1_000, seed=seed, leverage=leverage)
    for path_seed in (seed, seed + 100):
        marks = [path.mark_at(START_S * SECOND_NS) for path in build_paths(path_seed)]
        equity = start_equity(world, marks)
        for account, held in world.positions().items():
            needed = 0
            for contract, lots in held.items():
                market = world.markets[contract - 1]
                needed += max(2 * tiered_units(market, lots), abs(lots) * market.initial_charge)
            assert equity[account - 1] > needed, (account, path_seed)


def start_equity(world: World, marks: list[int]) -> list[int]:
    """Return equity after haircut of each account in units, at mark prices in ticks by contract."""
    satoshi = btc_price(world.btc_price_ticks)
    counted = 1_000_000 - world.btc_haircut_ppm
    out = [
        usdt + btc * satoshi * counted // 10**12
        for usdt, btc in zip(world.deposit_usdt, world.deposit_btc, strict=True)
    ]
    fills = world.fills
    for buyer, seller, contract, lots, value in zip(
        fills.buyer, fills.seller, fills.contract, fills.lots, fills.value, strict=True
    ):
        gain = lots * marks[contract - 1] * world.markets[contract - 1].units_per_tick_per_lot - value
        out[buyer - 1] += gain
        out[seller - 1] -= gain
    return out


def test_leverage_is_spread_around_the_median_asked_for() -> None:
    for leverage in (3.0, 8.0):
        spread = sorted(build_world(accounts=2_000, seed=2, leverage=leverage).leverage_ppm)
        assert 0.6 * leverage < spread[1000] / 1e6 < 1.2 * leverage
        assert spread[200] < spread[1000] / 2


def test_some_accounts_have_collateral_in_btc(world: World) -> None:
    assert 0.08 < sum(b > 0 for b in world.deposit_btc) / 5_000 < 0.12
    assert min(world.deposit_usdt) >= 0


def test_seeds_draw_other_accounts_in_the_same_markets() -> None:
    one, two = build_world(accounts=200, seed=1), build_world(accounts=200, seed=2)
    assert one.markets == two.markets
    assert one.fills != two.fills
    assert one == build_world(accounts=200, seed=1)


@pytest.mark.parametrize("accounts", [50, 5_000, 50_000])
def test_contracts_fit_a_risk_sheet(accounts: int) -> None:
    small = build_world(accounts=50)
    markets = small.markets if accounts == 50 else build_world(accounts=accounts).markets
    assert [m.contract for m in markets] == list(range(1, 65))
    for market in markets:
        assert 4 * UNITS_PER_USDT <= market.mark <= 10 * UNITS_PER_USDT
        assert market.charge < market.initial_charge < market.mark
        assert market.tiers[0][0] == 0
        assert all(a[0] < b[0] and a[1] < b[1] for a, b in pairwise(market.tiers))
    for rules in Rules:
        validate_sheet(build_sheet(small, rules))


def test_lots_are_whole_units_per_tick(world: World) -> None:
    for market in world.markets:
        # lot x tick, in units: both as decimal strings, so no float is involved.
        whole, _, fraction = market.lot_coins.partition(".")
        lot_scaled = int(whole + fraction) * 10 ** (18 - len(fraction))
        assert lot_scaled * UNITS_PER_USDT == market.units_per_tick_per_lot * 10 ** (18 + market.decimals), market


@pytest.mark.parametrize(
    ("field", "arguments"),
    [
        ("accounts", {"accounts": 49}),
        ("accounts", {"accounts": 50_001}),
        ("leverage", {"leverage": 0.5}),
        ("leverage", {"leverage": float("nan")}),
        ("cured share", {"cured_share": 1.5}),
    ],
)
def test_wrong_settings_name_the_field(field: str, arguments: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=f"{field} must be between"):
        build_world(**arguments)  # type: ignore[arg-type]


def test_who_answers_at_a_low_share_answers_at_a_high_one() -> None:
    answers = {
        share: {a for a in range(1, 2001) if CureModel(5, share).answer(a, 1_000)} for share in (0, 250_000, 500_000)
    }
    assert answers[0] == set()
    assert answers[250_000] < answers[500_000]
    assert 0.22 < len(answers[250_000]) / 2000 < 0.28
    assert 0.47 < len(answers[500_000]) / 2000 < 0.53


def test_answers_come_late_and_with_a_reserve() -> None:
    model = CureModel(5, 1_000_000)
    delays = []
    for account in range(1, 2001):
        cure = model.answer(account, 1_001)
        assert cure is not None
        assert cure.amount == 500
        delays.append(cure.delay_s)
    assert min(delays) >= 30
    assert max(delays) <= 30 + 1105
    assert 230 < sum(delays) / 2000 < 290


LOTS = st.integers(1, 10**8)


@given(LOTS, st.integers(1, 10**8))
def test_forced_orders_pay_on_both_sides(lots: int, last: int) -> None:
    market = MARKET
    buy, sell = execution_price(market, last, lots), execution_price(market, last, -lots)
    assert buy > last
    assert 1 <= sell <= last
    assert sell == 1 or buy - last == last - sell
    # Rounded against the order: never cheaper than the exact square root.
    assert (buy - last) ** 2 * market.volume_lots * 10**12 >= last**2 * market.impact_ppm**2 * lots


@given(LOTS, LOTS)
def test_larger_orders_cost_more(a: int, b: int) -> None:
    small, large = sorted((a, b))
    assert impact_ppm(MARKET, small) <= impact_ppm(MARKET, -large)


MARKET = build_world(accounts=50).markets[13]


def test_cost_of_a_btc_order() -> None:
    """0.75 x 2.1122 % x sqrt(1 / 100), both factors rounded up: 15,842 x 0.1 ppm."""
    assert MARKET.symbol == "BTC"
    lots = MARKET.volume_lots // 100
    assert impact_ppm(MARKET, lots) == 1585
    assert execution_price(MARKET, 1_000_000, -lots) == 998_415
    assert execution_price(MARKET, 1_000_000, 0) == 1_000_000


def test_the_square_root_is_rounded_up() -> None:
    """sqrt(1 / 2) is 707,106.78 ppm."""
    assert impact_ppm(replace(MARKET, impact_ppm=1_000_000, volume_lots=2), 1) == 707_107


def test_assumptions_state_their_numbers(world: World) -> None:
    rows = {row.name: row.value for row in list_assumptions(world)}
    assert rows["open interest known"] == "15 of 64 markets"
    assert rows["accounts"] == "5,000, synthetic, seed 1"
    assert all(row.name and row.value and row.basis for row in list_assumptions(world))
