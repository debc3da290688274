"""
How a venue spells a coin's contracts: symbol, settlement asset, contract size, from its dated `listings` parameters.

`data/<venue>/listings.json` holds `"contracts"`: each with `product`, patterns `symbol` and `settle` (`{coin}` stands
for the coin, in options also `{strike}`, `{days}` and `{side}`, C or P), and `contract_size` by coin, `"*"` for any
other. An entry with `rulebooks` is for these alone.
"""

from collections.abc import Mapping
from decimal import Decimal

import msgspec

from tocsin.core.errors import ConfigError
from tocsin.venues import VenueRefusal
from tocsin.venues.contract import Product
from tocsin.venues.params import Params, suggest
from tocsin.venues.registry import Rulebook


class NoContract(VenueRefusal):
    """
    A rulebook takes no contract of the kind asked for, or none on the coin is listed.
    """


class Listing(msgspec.Struct, frozen=True, kw_only=True):
    """
    One kind of contract of a venue. `contract_size` is in base units (linear, options) or quote units (inverse).
    """

    product: Product
    symbol: str
    settle: str
    contract_size: Mapping[str, Decimal]
    rulebooks: tuple[str, ...] = ()

    def size_of(self, coin: str) -> Decimal:
        """
        Return the contract size of a coin that is listed.
        """
        return self.contract_size[coin if coin in self.contract_size else "*"]

    def spell(self, pattern: str, coin: str, *, strike: Decimal | None = None, days: Decimal | None = None,
              side: str = "") -> str:  # fmt: skip
        """
        Return a pattern of this listing with its words filled in.
        """
        words = {"coin": coin, "strike": _plain(strike), "days": _plain(days), "side": side}
        for word, text in words.items():
            pattern = pattern.replace("{" + word + "}", text)
        return pattern


def find_listing(book: Rulebook, coin: str, products: tuple[Product, ...], at: str = "") -> Listing:
    """
    Return the listing of a coin's contract: of the first of these products that the rulebook takes and lists for it.

    Raises as `find_listings`.
    """
    return find_listings(book, coin, products, at)[0]


def find_listings(book: Rulebook, coin: str, products: tuple[Product, ...], at: str = "") -> tuple[Listing, ...]:
    """
    Return the listings of a coin's contracts, at least one, in the order of the products.

    Raises:
        NoContract: It takes none of them, or none is listed for the coin; the message names the nearest that is.
        VenueRefusal: How the venue spells its contracts is not shipped.
    """
    taken = [p for p in products if p in book.products]
    if not taken:
        raise NoContract(f"takes {', '.join(book.products)}; not {' or '.join(products)}")
    try:
        found = Params(book.venue, at).get("listings").decode(list[Listing], "contracts")
    except ConfigError as error:
        raise VenueRefusal(f"how it spells its contracts is not shipped ({error})") from None
    fitting = [x for p in taken for x in found if x.product is p and (not x.rulebooks or book.name in x.rulebooks)]
    own = tuple(x for x in fitting if coin in x.contract_size or "*" in x.contract_size)
    if own:
        return own
    known = sorted({name for x in fitting for name in x.contract_size})
    raise NoContract(f"no {' or '.join(taken)} contract on {coin} is listed{suggest(coin, known)}")


def _plain(value: Decimal | None) -> str:
    return "" if value is None else format(value.normalize(), "f")
