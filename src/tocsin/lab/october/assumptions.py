"""
List what is assumed, each with its number and where it comes from; the demo prints it, the docs page repeats it.
"""

from typing import NamedTuple

from tocsin.core.integers import PPM
from tocsin.lab.october import build, markets, population
from tocsin.lab.october.bars import load_markets
from tocsin.lab.october.liquidity import Y_PPM
from tocsin.lab.october.paths import MARK_RULE
from tocsin.lab.october.world import World


class Assumption(NamedTuple):
    """
    One row: what, its value with unit, and its basis (data, published, or choice).
    """

    name: str
    value: str
    basis: str


def list_assumptions(world: World) -> tuple[Assumption, ...]:
    """
    Return every assumption behind `world`, real things first.
    """
    facts = load_markets()
    known = sum(m.oi_usd is not None for m in facts)
    tiers = sum(bool(m.tiers) for m in facts)
    long = sum(m.move_90d_q99_ppm is not None for m in facts)
    share, moves = markets.open_interest_share_ppm(facts), markets.scale_move_ppm(facts)
    bands = ", ".join(f"{s:.1%}" for s in population.BAND_SHARES)
    cure, reserve = world.cure, f"{world.cure.reserve_ppm / PPM:.0%} of collateral"
    in_btc = f"{build.BTC_PART_PPM / PPM:.0%} of {build.BTC_HOLDERS_PPM / PPM:.0%} of accounts"
    per_market, in_global = f"{markets.FUND_PPM / PPM:.1%}", f"{build.GLOBAL_FUND_PPM / PPM:.0%}"
    median = f"{world.median_leverage_ppm / PPM:g}"
    return (
        Assumption("prices", f"{len(facts)} perpetuals, 3- and 5-minute bars", "data"),
        Assumption("path inside a bar", "seeded bridge through open, high, low, close", "choice"),
        Assumption(
            "mark", f"mean of {MARK_RULE.window_s} s, within {MARK_RULE.band_ppm / 1e4:g} % of last", "fitted to 2 lows"
        ),
        Assumption("open interest known", f"{known} of {len(facts)} markets", "data, close of 9 October"),
        Assumption("open interest of the rest", f"{share / PPM:.1%} of daily volume", "median of the known"),
        Assumption(
            "scale of the world", f"{world.scale_ppm / PPM:.1%} of real open interest and volume", "mean account"
        ),
        Assumption(
            "maintenance tiers known", f"{tiers} of {len(facts)}, else those of {markets.STAND_IN_TIERS}", "data"
        ),
        Assumption(
            "margin-call charge",
            f"99 % quantile of hourly moves ({long} markets: 90 days; else 44 h x {moves / PPM:.2f})",
            "data",
        ),
        Assumption("initial charge", f"{markets.INITIAL_FACTOR_PPM / PPM:g} x that", "choice"),
        Assumption("gap charge", "99 % quantile of 5-minute moves over 44 h", "data"),
        Assumption("accounts", f"{len(world.accounts):,}, synthetic, seed {world.seed}", "choice"),
        Assumption("notional of smallest 90 %, next 9 %, top 1 %", bands, "published concentration"),
        Assumption("median leverage", f"{median}; log-normal 0.7; large accounts x 0.8, 0.6", "choice"),
        Assumption(
            "BTC collateral",
            f"{in_btc}, haircut {world.btc_haircut_ppm / PPM:.0%}",
            "choice",
        ),
        Assumption(
            "owners that answer a call",
            f"{cure.share_ppm / PPM:.0%}, after {cure.delay_min_s} s plus exponential 240 s, with {reserve}",
            "choice",
        ),
        Assumption(
            "cost of forced orders", f"{Y_PPM / PPM:g} x daily volatility x sqrt(lots / daily volume)", "measured, calm"
        ),
        Assumption(
            "capacity",
            "per minute and side: what costs the impact bound by that law, at most 5 % of daily volume",
            "choice",
        ),
        Assumption(
            "funds",
            f"{per_market} of open interest per market, {in_global} of all in the global one",
            "choice",
        ),
    )
