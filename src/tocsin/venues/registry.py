"""
The list of venues' rulebooks: found by name, imported when asked for.
"""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import localcontext
from importlib import import_module

from tocsin.core.errors import ConfigError
from tocsin.venues import VenueRefusal
from tocsin.venues.checks import check_portfolio
from tocsin.venues.contract import NUMBERS, Evaluation, Mode, Portfolio, Product
from tocsin.venues.params import Params, suggest

MODULES: dict[str, str] = {
    "binance": "tocsin.venues.binance",
    "hyperliquid": "tocsin.venues.hyperliquid",
    "okx": "tocsin.venues.okx",
    "aax": "tocsin.venues.smaller",
    "backpack": "tocsin.venues.smaller",
    "bingx": "tocsin.venues.smaller",
    "bitget": "tocsin.venues.smaller",
    "bitmart": "tocsin.venues.smaller",
    "bybit": "tocsin.venues.bybit",
    "bydfi": "tocsin.venues.smaller",
    "coinex": "tocsin.venues.smaller",
    "deribit": "tocsin.venues.deribit",
    "digifinex": "tocsin.venues.smaller",
    "derive": "tocsin.venues.derive_portfolio",
    "dydx": "tocsin.venues.dydx_margin",
    "gate": "tocsin.venues.smaller",
    "htx": "tocsin.venues.smaller",
    "kucoin": "tocsin.venues.smaller",
    "lighter": "tocsin.venues.smaller",
    "mexc": "tocsin.venues.smaller",
    "modetrade": "tocsin.venues.smaller",
    "phemex": "tocsin.venues.smaller",
    "poloniex": "tocsin.venues.smaller",
    "xt": "tocsin.venues.smaller",
    "dango": "tocsin.venues.protocols",
    "drift": "tocsin.venues.protocols",
    "paradex": "tocsin.venues.protocols",
    "synthetix": "tocsin.venues.protocols",
    "vega": "tocsin.venues.protocols",
}
"""First word of a rulebook's name -> the module whose `RULEBOOKS` holds it (others' too). One line a venue."""


ONE_WAY = frozenset({
    "backpack", "dango", "deribit", "derive", "drift", "dydx", "hyperliquid", "lighter", "modetrade", "paradex",
    "synthetix", "vega",
})  # fmt: skip
"""Venues without hedge mode: an account has one net position a market."""

NOT_COVERED: dict[str, str] = {
    "btse": "no page or capture tells its maintenance rate; the captures show the account's total alone",
    "coinbaseinternational": "no capture of its own positions is at hand",
    "krakenfutures": "its margin schedule is not in the captures; their positions carry no margin",
    "toobit": "its captures hold neither maintenance rate nor brackets",
    "whitebit": "its liquidation price is not reproduced by any form tried (nearest 0.5 % off)",
}
"""Venues asked for that have no rulebook, and why."""


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
        if self.venue in ONE_WAY:
            _refuse_two_sides(self.venue, portfolio)
        with localcontext(NUMBERS):
            return self.evaluate(portfolio, params or Params(self.venue, portfolio.time))


def _refuse_two_sides(venue: str, portfolio: Portfolio) -> None:
    shorts = {leg.symbol for leg in portfolio.legs if leg.hedge_side == "short"}
    for leg in portfolio.legs:
        if leg.hedge_side == "long" and leg.symbol in shorts:
            raise VenueRefusal(f"{venue} has no hedge mode: give {leg.symbol} as one leg, the two sides netted")


def find_rulebook(name: str) -> Rulebook:
    """
    Return the rulebook of a name.

    Raises:
        ConfigError: No such rulebook; the message names the nearest ones.
    """
    for book in rulebooks_of(name.split("-", maxsplit=1)[0]):
        if book.name == name:
            return book
    venue = name.split("-", maxsplit=1)[0]
    if venue in NOT_COVERED:
        raise ConfigError(f"no rulebook for {venue}: {NOT_COVERED[venue]}")
    names = [book.name for book in all_rulebooks()]
    raise ConfigError(f"unknown rulebook {name!r}{suggest(name, names) or '; known: ' + ', '.join(names)}")


def all_rulebooks() -> tuple[Rulebook, ...]:
    """
    Return every rulebook, by venue in alphabetical order, each venue's in its own order.
    """
    return tuple(book for venue in sorted(MODULES) for book in rulebooks_of(venue))


def rulebooks_of(venue: str) -> tuple[Rulebook, ...]:
    """
    Return the rulebooks of one venue, () if it has none.
    """
    module = MODULES.get(venue)
    if module is None:
        return ()
    books: tuple[Rulebook, ...] = import_module(module).RULEBOOKS
    return tuple(book for book in books if book.name.split("-", maxsplit=1)[0] == venue)
