"""
OKX's rulebooks: isolated, spot and futures mode (single currency), multi-currency mode, portfolio margin.
"""

from tocsin.venues.contract import Mode, Product
from tocsin.venues.okx_cross import evaluate_cross, evaluate_multi
from tocsin.venues.okx_isolated import evaluate_isolated
from tocsin.venues.okx_pm import evaluate_portfolio
from tocsin.venues.registry import Rulebook

_CONTRACTS = (Product.LINEAR, Product.INVERSE)
_OPTIONS = (Product.OPTION, Product.OPTION_INVERSE)

RULEBOOKS: tuple[Rulebook, ...] = (
    Rulebook(
        name="okx-isolated",
        title="OKX, isolated",
        venue="okx",
        modes=(Mode.ISOLATED,),
        products=(*_CONTRACTS, Product.SPOT_MARGIN),
        evaluate=evaluate_isolated,
        page="okx.md",
    ),
    Rulebook(
        name="okx-cross",
        title="OKX, cross by settlement currency",
        venue="okx",
        modes=(Mode.CROSS, Mode.ISOLATED),
        products=(*_CONTRACTS, *_OPTIONS, Product.SPOT_MARGIN),
        evaluate=evaluate_cross,
        page="okx.md",
    ),
    Rulebook(
        name="okx-multi",
        title="OKX, multi-currency margin",
        venue="okx",
        modes=(Mode.CROSS, Mode.ISOLATED),
        products=(*_CONTRACTS, *_OPTIONS, Product.SPOT_MARGIN),
        evaluate=evaluate_multi,
        page="okx.md",
    ),
    Rulebook(
        name="okx-pm",
        title="OKX, portfolio margin",
        venue="okx",
        modes=(Mode.PORTFOLIO, Mode.CROSS),
        products=(*_CONTRACTS, *_OPTIONS),
        evaluate=evaluate_portfolio,
        page="okx.md",
    ),
)
