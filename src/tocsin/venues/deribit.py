"""
Deribit's rulebooks: standard and portfolio margin, each segregated or cross collateral.
"""

from tocsin.venues.contract import Mode, Product
from tocsin.venues.deribit_account import evaluate_standard
from tocsin.venues.deribit_pm import evaluate_portfolio
from tocsin.venues.registry import Rulebook

_FUTURES = (Product.LINEAR, Product.INVERSE)

RULEBOOKS: tuple[Rulebook, ...] = (
    Rulebook(
        name="deribit-sm",
        title="Deribit, standard margin",
        venue="deribit",
        modes=(Mode.CROSS,),
        products=(*_FUTURES, Product.OPTION_INVERSE, Product.OPTION),
        evaluate=evaluate_standard,
        page="deribit.md",
    ),
    Rulebook(
        name="deribit-pm",
        title="Deribit, portfolio margin",
        venue="deribit",
        modes=(Mode.PORTFOLIO,),
        products=(*_FUTURES, Product.OPTION_INVERSE, Product.OPTION),
        evaluate=evaluate_portfolio,
        page="deribit.md",
    ),
)
