"""
Binance's rulebooks: USD-M futures, COIN-M futures, portfolio margin.
"""

from tocsin.venues.binance_futures import evaluate_coinm, evaluate_usdm
from tocsin.venues.binance_pm import evaluate_pm
from tocsin.venues.contract import Mode, Product
from tocsin.venues.registry import Rulebook

RULEBOOKS: tuple[Rulebook, ...] = (
    Rulebook(
        name="binance-usdm",
        title="Binance USD-M futures",
        venue="binance",
        modes=(Mode.CROSS, Mode.ISOLATED),
        products=(Product.LINEAR,),
        evaluate=evaluate_usdm,
        page="binance.md",
    ),
    Rulebook(
        name="binance-coinm",
        title="Binance COIN-M futures",
        venue="binance",
        modes=(Mode.CROSS, Mode.ISOLATED),
        products=(Product.INVERSE,),
        evaluate=evaluate_coinm,
        page="binance.md",
    ),
    Rulebook(
        name="binance-pm",
        title="Binance portfolio margin",
        venue="binance",
        modes=(Mode.PORTFOLIO,),
        products=(Product.LINEAR, Product.INVERSE),
        evaluate=evaluate_pm,
        page="binance.md",
    ),
)
