"""
Bybit's rulebooks: unified account in cross, isolated and portfolio margin, and the classic account.
"""

from tocsin.venues.bybit_account import evaluate_cross
from tocsin.venues.bybit_classic import evaluate_classic
from tocsin.venues.bybit_isolated import evaluate_isolated
from tocsin.venues.bybit_pm import evaluate_portfolio
from tocsin.venues.contract import Mode, Product
from tocsin.venues.registry import Rulebook

_FUTURES = (Product.LINEAR, Product.INVERSE)

RULEBOOKS: tuple[Rulebook, ...] = (
    Rulebook(
        name="bybit",
        title="Bybit unified account, cross margin",
        venue="bybit",
        modes=(Mode.CROSS,),
        products=(*_FUTURES, Product.OPTION),
        evaluate=evaluate_cross,
        page="bybit.md",
    ),
    Rulebook(
        name="bybit-isolated",
        title="Bybit unified account, isolated margin",
        venue="bybit",
        modes=(Mode.ISOLATED,),
        products=_FUTURES,
        evaluate=evaluate_isolated,
        page="bybit.md",
    ),
    Rulebook(
        name="bybit-pm",
        title="Bybit unified account, portfolio margin",
        venue="bybit",
        modes=(Mode.PORTFOLIO,),
        products=(*_FUTURES, Product.OPTION),
        evaluate=evaluate_portfolio,
        page="bybit.md",
    ),
    Rulebook(
        name="bybit-classic",
        title="Bybit classic account, cross margin",
        venue="bybit",
        modes=(Mode.CROSS,),
        products=_FUTURES,
        evaluate=evaluate_classic,
        page="bybit.md",
    ),
)
