"""
The list of venues' rulebooks: found by name, imported when asked for.
"""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import localcontext
from importlib import import_module

from tocsin.core.errors import ConfigError
from tocsin.venues.checks import check_portfolio
from tocsin.venues.contract import NUMBERS, Evaluation, Mode, Portfolio, Product
from tocsin.venues.params import Params, suggest

MODULES: dict[str, str] = {
    "binance": "tocsin.venues.binance",
}
"""First word of a rulebook's name -> the module whose `RULEBOOKS` holds it. One line a venue."""


@dataclass(frozen=True, slots=True)
class Rulebook:
    """
    One venue's margin rules in one account mode.

    Attributes:
        name: What `--rules` takes: venue, a dash, the mode ("okx-multi").
        title: For people ("OKX, multi-currency margin").
        venue: Folder of its parameters.
        modes, products: What it can evaluate; other legs are refused.
        evaluate: Pure; raises `MissingInput` with the field that a rule lacks, `VenueRefusal` for what it cannot judge.
        page: Its page below `docs/venues`.
    """

    name: str
    title: str
    venue: str
    modes: tuple[Mode, ...]
    products: tuple[Product, ...]
    evaluate: Callable[[Portfolio, Params], Evaluation]
    page: str = ""

    def run(self, portfolio: Portfolio, params: Params | None = None) -> Evaluation:
        """
        Check the portfolio and evaluate it with the parameters valid at its time, or with those given.

        Raises:
            MissingInput: A rule lacks an input; `field` names it.
            VenueRefusal: The portfolio contradicts itself, or the rulebook has no answer for it.
        """
        check_portfolio(portfolio)
        with localcontext(NUMBERS):
            return self.evaluate(portfolio, params or Params(self.venue, portfolio.time))


def find_rulebook(name: str) -> Rulebook:
    """
    Return the rulebook of a name.

    Raises:
        ConfigError: No such rulebook; the message names the nearest ones.
    """
    module = MODULES.get(name.split("-", maxsplit=1)[0])
    if module:
        for book in _books(module):
            if book.name == name:
                return book
    names = [book.name for book in all_rulebooks()]
    raise ConfigError(f"unknown rulebook {name!r}{suggest(name, names) or '; known: ' + ', '.join(names)}")


def all_rulebooks() -> tuple[Rulebook, ...]:
    """
    Return every rulebook, by venue in alphabetical order, each venue's in its own order.
    """
    return tuple(book for module in dict(sorted(MODULES.items())).values() for book in _books(module))


def rulebooks_of(venue: str) -> tuple[Rulebook, ...]:
    """
    Return the rulebooks of one venue, () if it has none.
    """
    module = MODULES.get(venue)
    return _books(module) if module else ()


def _books(module: str) -> tuple[Rulebook, ...]:
    return import_module(module).RULEBOOKS
