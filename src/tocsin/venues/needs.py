"""
What a venue's rule says of one leg: the amounts it needs at a price, and the sums of an account.
"""

from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import NamedTuple

from tocsin.venues import VenueRefusal
from tocsin.venues.contract import Leg, MissingInput, Portfolio, Product

ZERO, ONE = Decimal(0), Decimal(1)


class Need(NamedTuple):
    """
    What a leg needs at one price, amounts >= 0 in its settlement asset; None where a rate is not known.

    `fees` is the closing fee inside `maintenance`; `closing` what the liquidation test adds to it (a fee reserved there
    only). `why` names what is not known.
    """

    initial: Decimal | None
    maintenance: Decimal | None
    fees: Decimal = ZERO
    closing: Decimal = ZERO
    orders: Decimal = ZERO
    rate: Decimal | None = None
    tier: int | None = None
    why: str = ""


class Charge(NamedTuple):
    """
    A venue's requirement: `at(leg, price)`, and the prices above 0 at which it bends or jumps (brackets' edges).
    """

    at: Callable[[Leg, Decimal], Need]
    edges: Callable[[Leg], Iterable[Decimal]] = lambda leg: ()  # noqa: ARG005


class Totals(NamedTuple):
    """
    An account's cross part: equity (None: not known), initial and maintenance of its legs, notional; one asset.
    """

    equity: Decimal | None
    initial: Decimal | None
    maintenance: Decimal | None
    notional: Decimal


def need_mark(leg: Leg) -> Decimal:
    """
    Return a leg's mark, which must be above 0.
    """
    if leg.mark is None:
        raise MissingInput("mark", f"the value of {leg.symbol} is taken at it")
    if leg.mark <= 0:
        raise VenueRefusal(f"mark of {leg.symbol} must be above 0, was {leg.mark}")
    return leg.mark


def check_products(portfolio: Portfolio, products: tuple[Product, ...], name: str) -> None:
    """
    Refuse legs of products that a rulebook does not cover, naming the first.
    """
    for leg in portfolio.legs:
        if leg.product not in products:
            covered = " and ".join(products)
            raise VenueRefusal(f"{leg.symbol} is {leg.product}; {name} covers {covered} contracts alone")
