"""
Turn market facts into contracts: lot, caps, tiers, charges, loadings, capacity, impact, funds.

Every coefficient is a stated function of what was known before 20:00 UTC. All sizes are scaled by one factor
(`scale_ppm`), so that open interest, volume and funds keep their ratios.
"""

from tocsin.core.integers import PPM, ceil_div
from tocsin.core.limits import LOTS_MAX, NOTIONAL_MAX
from tocsin.lab.october.bars import MarketFacts
from tocsin.lab.october.liquidity import Y_PPM
from tocsin.lab.october.world import UNITS_PER_USDT, Market

LOT_USD_MAX = 10
"""A lot is the largest of 1, 2, 5 x 10^k coins whose 20:00 price is at most this."""

MARK_MAX_FACTOR = 2
"""Cap on the mark over the 20:00 price; the highest ratio in the window is 1.12."""

INITIAL_FACTOR_PPM = 1_500_000
"""Initial charge over margin-call charge."""

TIERED_INITIAL_PPM = 2_000_000
"""Initial over liquidation requirement of the tiered component (preset `exchange`)."""

FEE_PPM = 500
"""Liquidation fee paid into the market's fund."""

IMPACT_PPM_MAX = 10_000
"""Largest concession on a forced order, where the first tier leaves room for it."""

FUND_PPM = 5_000
"""Opening balance of a market's fund over its open interest."""

STAND_IN_TIERS = "ENA"
"""Markets absent from the tier table get this market's: the table most of the known coins share."""


def scale_move_ppm(markets: tuple[MarketFacts, ...]) -> int:
    """
    Return the median, in ppm, of (99 % hourly move over 90 days) / (same over 44 hours) where both are known.
    """
    ratios = sorted(m.move_90d_q99_ppm * PPM // m.move_44h_q99_ppm for m in markets if m.move_90d_q99_ppm is not None)
    return ratios[len(ratios) // 2]


def hourly_move_ppm(facts: MarketFacts, scale_ppm: int) -> int:
    """
    Return the 99 % quantile of hourly moves used for charges: of 90 days, or of 44 hours scaled like the others.
    """
    if facts.move_90d_q99_ppm is not None:
        return facts.move_90d_q99_ppm
    return ceil_div(facts.move_44h_q99_ppm * scale_ppm, PPM)


def open_interest_share_ppm(markets: tuple[MarketFacts, ...]) -> int:
    """
    Return the median, in ppm, of open interest over daily volume where open interest is known.
    """
    ratios = sorted(m.oi_usd * PPM // m.volume_24h_usd for m in markets if m.oi_usd is not None)
    return ratios[len(ratios) // 2]


def open_interest_usd(facts: MarketFacts, share_ppm: int) -> int:
    """
    Return open interest in whole USD: the known one, else volume times `share_ppm`.
    """
    return facts.oi_usd if facts.oi_usd is not None else facts.volume_24h_usd * share_ppm // PPM


def size_lot(facts: MarketFacts) -> tuple[str, int]:
    """
    Return coins per lot as a decimal string, and units per tick and lot.
    """
    # Work in units per tick and lot, u: lot = u / (tick x 10^6) coins, and its price is price_ticks x u units.
    limit = LOT_USD_MAX * UNITS_PER_USDT // facts.price_ticks
    assert limit >= 1, facts.symbol
    digit, power = next((d, len(str(limit)) - 1) for d in (5, 2, 1) if d * 10 ** (len(str(limit)) - 1) <= limit)
    units = digit * 10**power
    places = facts.decimals - 6 + power
    coins = str(digit) + "0" * places if places >= 0 else "0." + "0" * (-places - 1) + str(digit)
    return coins, units


def impact_bound_ppm(first_rate_ppm: int) -> int:
    """
    Return the largest concession on a forced order: what fee and first tier leave (rule SH-010), at most 1 %.
    """
    return min(first_rate_ppm - FEE_PPM, IMPACT_PPM_MAX)


def build_market(
    contract: int, facts: MarketFacts, *, scale_ppm: int, share_ppm: int, move_scale_ppm: int,
    tiers: tuple[tuple[int, int], ...],
) -> Market:  # fmt: skip
    """
    Return the contract made of `facts`; amounts per lot are rounded up, sizes down (but at least one lot).
    """
    coins, units = size_lot(facts)
    mark = facts.price_ticks * units

    def per_lot(ppm: int) -> int:
        return ceil_div(mark * ppm, PPM)

    def to_lots(usd: int) -> int:
        return max(1, usd * UNITS_PER_USDT * scale_ppm // PPM // mark)

    interest = to_lots(open_interest_usd(facts, share_ppm))
    volume = to_lots(facts.volume_24h_usd)
    move = hourly_move_ppm(facts, move_scale_ppm)
    impact = ceil_div(Y_PPM * facts.sigma_day_ppm, PPM)
    bound = impact_bound_ppm(tiers[0][1])
    mark_max = MARK_MAX_FACTOR * mark
    return Market(
        contract=contract,
        symbol=facts.symbol,
        decimals=facts.decimals,
        lot_coins=coins,
        units_per_tick_per_lot=units,
        price_ticks=facts.price_ticks,
        mark_max=mark_max,
        position_max=min(2 * interest, NOTIONAL_MAX // mark_max, LOTS_MAX),
        tiers=tuple((lower * UNITS_PER_USDT, rate) for lower, rate in tiers),
        charge=per_lot(move),
        initial_charge=per_lot(ceil_div(move * INITIAL_FACTOR_PPM, PPM)),
        loadings=(mark * facts.market_1m_ppm // PPM,),
        own_loading=per_lot(facts.own_1m_ppm),
        gap_charge=per_lot(facts.move_5m_q99_ppm),
        capacity_lots=max(1, min(volume * bound**2 // impact**2, volume // 20)),
        open_interest_lots=interest,
        volume_lots=volume,
        impact_ppm=impact,
        fund_units=interest * mark * FUND_PPM // PPM,
    )


def tiered_units(market: Market, lots: int) -> int:
    """
    Return the tiered maintenance requirement of `lots` (either sign) at the 20:00 price, in units, rounded up.
    """
    notional = abs(lots) * market.mark
    owed, tiers = 0, market.tiers
    for i, (lower, rate) in enumerate(tiers):
        if notional <= lower:
            break
        upper = tiers[i + 1][0] if i + 1 < len(tiers) else notional
        owed += (min(notional, upper) - lower) * rate
    return ceil_div(owed, PPM)


def largest_lots(market: Market, rate_ppm: int = 150_000) -> int:
    """
    Return the lots whose notional reaches the first tier of at least `rate_ppm`: what a venue lets one account hold.
    """
    bound = next((lower for lower, rate in market.tiers if rate >= rate_ppm), market.tiers[-1][0])
    return max(1, bound // market.mark)
