"""
10 October 2025, 20:00 to 23:00 UTC: real prices, synthetic accounts, stated assumptions.

Comes in: the shipped tables of `tocsin.lab.data`, a seed, numbers of the reader's choice. Goes out:
integers for the engine. Pure functions of their arguments; see docs/explanation/october-2025.md.
"""

from tocsin.lab.october.assumptions import Assumption, list_assumptions
from tocsin.lab.october.build import build_world
from tocsin.lab.october.cadence import Cadence, cycle_times_ns
from tocsin.lab.october.cure import Cure, CureModel
from tocsin.lab.october.liquidity import execution_price
from tocsin.lab.october.paths import MARK_RULE, PricePath, build_paths
from tocsin.lab.october.sheets import BTC, USDT, Rules, btc_price, build_sheet
from tocsin.lab.october.world import Fills, Market, World

__all__ = [
    "build_world", "World", "Market", "Fills",
    "build_paths", "PricePath", "MARK_RULE",
    "build_sheet", "Rules", "USDT", "BTC", "btc_price",
    "Cadence", "cycle_times_ns",
    "Cure", "CureModel", "execution_price",
    "Assumption", "list_assumptions",
]  # fmt: skip
