"""
Build the world: contracts from facts, accounts from a seed, opening fills, collateral.
"""

from tocsin.core.errors import ConfigError
from tocsin.core.integers import PPM, ceil_div
from tocsin.lab.october.bars import load_bars, load_hours, load_json, load_markets
from tocsin.lab.october.bridge import seeded
from tocsin.lab.october.cadence import START_S
from tocsin.lab.october.cure import CureModel
from tocsin.lab.october.markets import (
    STAND_IN_TIERS,
    TIERED_INITIAL_PPM,
    build_market,
    open_interest_share_ppm,
    open_interest_usd,
    scale_move_ppm,
    tiered_units,
)
from tocsin.lab.october.population import band_of, draw_positions, draw_sizes
from tocsin.lab.october.world import UNITS_PER_BTC, UNITS_PER_USDT, Fills, Market, World

ACCOUNTS_MIN, ACCOUNTS_MAX = 50, 50_000
LEVERAGE_DEFAULT = 8.0
START_FACTOR_PPM = 1_050_000
"""Least equity at the start over the initial requirement, besides room for the mark."""

DEPOSIT_PART_MIN = 4
"""At least one part in this many of the equity wanted was paid in, the rest may be profit."""

BTC_HOLDERS_PPM = 100_000
"""Share of accounts with part of their collateral in BTC."""

BTC_PART_PPM = 300_000
"""That part."""

BTC_HAIRCUT_PPM = 100_000
GLOBAL_FUND_PPM = 10_000
"""Opening balance of the global fund over total open interest."""

_LEVERAGE_DECILES_PERMILLE = (200, 408, 555, 693, 837, 1000, 1194, 1443, 1803, 2452, 5100)
"""Leverage over its median by decile: log-normal with a log standard deviation of 0.7, cut at both 1 % points."""

_LEVERAGE_BY_BAND_PERMILLE = (1000, 800, 600)
"""Smallest 90 %, next 9 %, top 1 % of accounts: large accounts run lower leverage."""


def build_world(
    *, accounts: int = 5_000, seed: int = 1, leverage: float = LEVERAGE_DEFAULT, cured_share: float = 0.0
) -> World:
    """
    Build everything the replay needs besides prices.

    Args:
        accounts: Number of synthetic accounts, 50 to 50,000.
        seed: Any integer; another seed draws other accounts in the same markets.
        leverage: Median of gross notional over equity, 1 to 50.
        cured_share: Share of owners that answer a margin call, 0 to 1.

    Returns:
        World in integers: positions of each contract add up to zero; every account starts above its initial
        requirement, whatever the path's seed.

    Raises:
        ConfigError: An argument is out of its range.
    """
    _check("accounts", accounts, ACCOUNTS_MIN, ACCOUNTS_MAX)
    _check("leverage", leverage, 1, 50)
    _check("cured share", cured_share, 0, 1)
    markets, scale_ppm = _build_markets(accounts)
    sizes_table = load_json("october_sizes.json")
    quantiles = list(zip(sizes_table["quantile_permille"], sizes_table["notional_usd_quantiles"], strict=True))
    gross_usd = sum(2 * m.open_interest_lots * m.mark for m in markets) / UNITS_PER_USDT
    positions = draw_positions(markets, accounts, draw_sizes(accounts, gross_usd, quantiles), seed)
    fills = _pair_fills(markets, positions, seed)
    usdt, btc, leverages = _fund_accounts(markets, positions, fills, accounts, seed, round(leverage * PPM))
    btc_market = next(m for m in markets if m.symbol == "BTC")
    interest = sum(m.open_interest_lots * m.mark for m in markets)
    return World(
        seed=seed,
        markets=markets,
        accounts=list(range(1, accounts + 1)),
        deposit_usdt=usdt,
        deposit_btc=btc,
        leverage_ppm=leverages,
        fills=fills,
        external_account=accounts + 1,
        global_fund_units=interest * GLOBAL_FUND_PPM // PPM,
        btc_haircut_ppm=BTC_HAIRCUT_PPM,
        btc_price_ticks=btc_market.price_ticks,
        scale_ppm=scale_ppm,
        median_leverage_ppm=round(leverage * PPM),
        cure=CureModel(seed=seed, share_ppm=round(cured_share * PPM)),
    )


def _check(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise ConfigError(f"{name} must be between {low} and {high}, was {value}")


def _build_markets(accounts: int) -> tuple[tuple[Market, ...], int]:
    """
    Return the contracts and the world's scale: accounts x mean account over both sides of open interest, at most 1.
    """
    facts = load_markets()
    share, moves = open_interest_share_ppm(facts), scale_move_ppm(facts)
    table = load_json("october_sizes.json")
    interest = sum(open_interest_usd(m, share) for m in facts)
    scale_ppm = min(PPM, accounts * table["notional_usd"] * PPM // (table["accounts"] * 2 * interest))
    stand_in = next(m.tiers for m in facts if m.symbol == STAND_IN_TIERS)
    return tuple(
        build_market(i + 1, m, scale_ppm=scale_ppm, share_ppm=share, move_scale_ppm=moves, tiers=m.tiers or stand_in)
        for i, m in enumerate(facts)
    ), scale_ppm


def _pair_fills(markets: tuple[Market, ...], positions: list[dict[int, int]], seed: int) -> Fills:
    """
    Pair longs with shorts in drawn order; each fill has the close of one of the 24 hours before 20:00.

    Hours whose close is more than 10 % away from the 20:00 price (markets listed that day) are left out.
    """
    fills, hours = Fills(), load_hours()
    for market, held in zip(markets, positions, strict=True):
        draw = seeded("fills", seed, market.symbol)
        now = market.price_ticks
        closes = [b.close for b in hours[market.symbol][-24:] if abs(b.close - now) * 10 <= now]
        longs = [(a, n) for a, n in held.items() if n > 0]
        shorts = [(a, -n) for a, n in held.items() if n < 0]
        draw.shuffle(longs)
        draw.shuffle(shorts)
        buyer, seller, left, right = -1, -1, 0, 0
        while longs or left:
            if not left:
                buyer, left = longs.pop()
            if not right:
                seller, right = shorts.pop()
            lots = min(left, right)
            price = closes[draw.getrandbits(30) % len(closes)]
            fills.buyer.append(buyer)
            fills.seller.append(seller)
            fills.contract.append(market.contract)
            fills.lots.append(lots)
            fills.value.append(price * market.units_per_tick_per_lot * lots)
            left -= lots
            right -= lots
    return fills


def _fund_accounts(
    markets: tuple[Market, ...], positions: list[dict[int, int]], fills: Fills, accounts: int, seed: int,
    median_ppm: int,
) -> tuple[list[int], list[int], list[int]]:  # fmt: skip
    """
    Return deposits in USDT units and satoshi, and resulting leverage in ppm, per account.

    Equity wanted = gross notional / leverage, at least `START_FACTOR_PPM` x initial requirement and what the
    positions lose if the 20:00 mark lies at the worse end of the last bar; deposit = equity wanted less the profit
    already in the positions at 20:00.
    """
    gross, initial, cushion, profit = ([0] * accounts for _ in range(4))
    bars = load_bars()
    for market, held in zip(markets, positions, strict=True):
        bar = next(b for b in bars[market.symbol] if b.start_s + b.seconds == START_S)
        room = max(bar.high - bar.close, bar.close - bar.low) * market.units_per_tick_per_lot
        for account, lots in held.items():
            gross[account - 1] += abs(lots) * market.mark
            tiered = ceil_div(tiered_units(market, lots) * TIERED_INITIAL_PPM, PPM)
            initial[account - 1] += max(tiered, abs(lots) * market.initial_charge)
            cushion[account - 1] += abs(lots) * room
            profit[account - 1] += lots * market.mark
    for buyer, seller, value in zip(fills.buyer, fills.seller, fills.value, strict=True):
        profit[buyer - 1] -= value
        profit[seller - 1] += value
    order = sorted(range(accounts), key=lambda i: (-gross[i], i))
    draw = seeded("leverage", seed, accounts)
    sat = next(m for m in markets if m.symbol == "BTC")
    usdt, btc, leverages = [0] * accounts, [0] * accounts, [0] * accounts
    for rank, i in enumerate(order):
        leverage = median_ppm * _LEVERAGE_BY_BAND_PERMILLE[band_of(rank, accounts)] // 1000
        decile, rest = divmod(draw.getrandbits(30) % 10_000, 1000)
        low, high = _LEVERAGE_DECILES_PERMILLE[decile : decile + 2]
        leverage = max(PPM, leverage * (low * 1000 + (high - low) * rest) // PPM)
        least = ceil_div(initial[i] * START_FACTOR_PPM, PPM) + cushion[i]
        equity = max(gross[i] * PPM // leverage, least, UNITS_PER_USDT)
        deposit = max(equity // DEPOSIT_PART_MIN, equity - profit[i])
        in_btc = 0
        if draw.getrandbits(30) % PPM < BTC_HOLDERS_PPM:
            in_btc = deposit * BTC_PART_PPM // PPM
            # The haircut is paid on top, so that the account still starts above its initial level.
            btc[i] = ceil_div(
                ceil_div(in_btc * PPM, PPM - BTC_HAIRCUT_PPM) * UNITS_PER_BTC,
                sat.price_ticks * (UNITS_PER_USDT // 10**sat.decimals),
            )
        usdt[i] = deposit - in_btc
        leverages[i] = gross[i] * PPM // max(1, deposit + profit[i])
    return usdt, btc, leverages
