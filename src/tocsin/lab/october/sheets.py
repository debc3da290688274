"""
Publish the world's contracts as risk sheets: Tocsin's rules, and the venue-style rules they are compared with.

Both sheets have the same contracts, tiers and funds; they differ in policies only.
"""

from enum import Enum

from tocsin.lab.october.markets import FEE_PPM, INITIAL_FACTOR_PPM, TIERED_INITIAL_PPM, impact_bound_ppm
from tocsin.lab.october.world import UNITS_PER_USDT, Market, World
from tocsin.sheet.presets import HYSTERESIS_PPM, tiered_factors
from tocsin.sheet.terms import (
    Allocation,
    AssetTerms,
    CallPolicy,
    Combine,
    ContractTerms,
    HaircutTier,
    Kind,
    LevelFactors,
    LiquidationMode,
    LiquidationPolicy,
    Preset,
    RiskSheet,
    Tier,
    WaterfallPolicy,
)

USDT, BTC = 1, 2
"""Asset numbers: the settlement asset, and a collateral asset."""

USDT_PRICE = 1_000_000
"""Price of a unit of USDT: one valuation unit, throughout."""

DUST_USD = 50

INTENT_LIFE_NS = 10 * 10**9
"""A forced order works for two cycles of the core, then is cancelled and asked for anew at the marks of the day."""


class Rules(Enum):
    """The two sets of rules the demo compares."""

    TOCSIN = "tocsin"
    VENUE = "venue"


def btc_price(price_ticks: int) -> int:
    """
    Return the asset price of a satoshi, in millionths of a valuation unit, from BTC in ticks of 0.1 USDT; exact.
    """
    return price_ticks * 1_000


def build_contract(market: Market) -> ContractTerms:
    """
    Return the sheet's terms of a market; impact is the bound, which a minute of capacity costs.

    Fee and impact together stay within the first tier's rate, as rule SH-010 asks.
    """
    impact = impact_bound_ppm(market.tiers[0][1])
    return ContractTerms(
        id=market.contract,
        symbol=market.symbol,
        kind=Kind.LINEAR,
        asset=USDT,
        units=market.units_per_tick_per_lot,
        mark_cap=market.mark_max,
        position_cap=market.position_max,
        tiers=tuple(Tier(lower, rate) for lower, rate in market.tiers),
        charge_long=market.charge,
        charge_short=market.charge,
        combine=Combine.MAX,
        loadings=market.loadings,
        own_loading=market.own_loading,
        gap_charge=market.gap_charge,
        capacity_lots=market.capacity_lots,
        impact_ppm=impact,
        fee_ppm=FEE_PPM,
        dust_lots=min(max(1, DUST_USD * UNITS_PER_USDT // market.mark), market.position_max),
    )


def build_sheet(world: World, rules: Rules, *, calls: bool = True) -> RiskSheet:
    """
    Return the sheet of the replay: preset `exchange`, charges at `margin_call` and 1.5 times at `initial`.

    Args:
        world: Contracts and prices.
        rules: TOCSIN: calls, greedy plans, pro-rata lots, money by water-filling. VENUE: no calls, the whole account
            is liquidated, lots by queue, money by queue.
        calls: False turns margin calls off under Tocsin's rules too.
    """
    venue = rules is Rules.VENUE
    tiered = tiered_factors(Preset.EXCHANGE)
    assert tiered.initial == TIERED_INITIAL_PPM
    return RiskSheet(
        name=f"october-2025 {rules.value}",
        preset=Preset.EXCHANGE,
        assets=(
            AssetTerms(USDT, "USDT", 6, USDT_PRICE, (HaircutTier(0, 0),)),
            AssetTerms(BTC, "BTC", 8, 2 * btc_price(world.btc_price_ticks), (HaircutTier(0, world.btc_haircut_ppm),)),
        ),
        contracts=tuple(build_contract(m) for m in world.markets),
        tiered=tiered,
        charge=LevelFactors(INITIAL_FACTOR_PPM, 1_000_000, 0, 0),
        hysteresis_ppm=HYSTERESIS_PPM,
        calls=CallPolicy(enabled=calls and not venue),
        liquidation=LiquidationPolicy(
            mode=LiquidationMode.FULL if venue else LiquidationMode.GREEDY, intent_life_ns=INTENT_LIFE_NS
        ),
        waterfall=WaterfallPolicy(
            lots=Allocation.QUEUE if venue else Allocation.PRO_RATA,
            money=Allocation.QUEUE if venue else Allocation.WATER_FILLING,
        ),
    )
