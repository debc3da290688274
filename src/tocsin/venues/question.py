"""
A position in a coin's own terms (coins, strikes, days), and what it becomes at each venue.

The same question goes to every rulebook: same signed size in coins, entered at the price of now, nothing else in the
account but the collateral. Each venue's contract size, settlement asset and price unit come in here and nowhere else.
"""

from collections.abc import Mapping
from decimal import Decimal, localcontext
from enum import StrEnum

import msgspec

from tocsin.risk.pricing import price_option
from tocsin.venues import VenueRefusal
from tocsin.venues.contract import NUMBERS, Balance, Leg, Mode, OptionTerms, Portfolio, Product
from tocsin.venues.listing import Listing, find_listings
from tocsin.venues.registry import Rulebook

YEAR_DAYS = Decimal(365)
DOLLARS = frozenset({"USD", "USDT", "USDC", "USDe", "BUSD", "FDUSD", "DAI"})
"""Units that count as one US dollar when amounts of several venues stand beside each other."""


LEAST_PRICE = Decimal("1e-6")
"""What an option far out of the money is worth at least, in USD: venues have no mark of 0."""


class Kind(StrEnum):
    """What is asked for; `perp` is linear where the venue has it, else inverse."""

    PERP = "perp"
    LINEAR = "linear"
    INVERSE = "inverse"
    CALL = "call"
    PUT = "put"


_PRODUCTS: dict[Kind, tuple[Product, ...]] = {
    Kind.PERP: (Product.LINEAR, Product.INVERSE),
    Kind.LINEAR: (Product.LINEAR,),
    Kind.INVERSE: (Product.INVERSE,),
    Kind.CALL: (Product.OPTION, Product.OPTION_INVERSE),
    Kind.PUT: (Product.OPTION, Product.OPTION_INVERSE),
}


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """
    One leg: `size` in coins, signed (+ long, - short). Options: strike > 0, days left > 0, volatility > 0.
    """

    coin: str
    size: Decimal
    kind: Kind = Kind.PERP
    strike: Decimal | None = None
    days: Decimal | None = None
    vol: Decimal | None = None


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """
    What is compared: legs, the price of each coin (> 0), the collateral in USD (>= 0), the time of the parameters.

    `entry` holds the prices at which the legs were entered, where they are not the prices of now.
    """

    parts: tuple[Part, ...]
    prices: Mapping[str, Decimal]
    collateral: Decimal
    at: str = ""
    entry: Mapping[str, Decimal] = {}

    @property
    def notional(self) -> Decimal:
        """
        Return the sum of the legs' absolute sizes at the prices of now, in USD.
        """
        return sum((NUMBERS.multiply(abs(p.size), self.prices[p.coin]) for p in self.parts), Decimal(0))

    def scale(self, factor: Decimal) -> "Question":
        """
        Return the same question with every size and the collateral multiplied.
        """
        parts = tuple(msgspec.structs.replace(p, size=NUMBERS.multiply(p.size, factor)) for p in self.parts)
        collateral = NUMBERS.multiply(self.collateral, factor)
        return msgspec.structs.replace(self, parts=parts, collateral=collateral)

    def move(self, coin: str, price: Decimal) -> "Question":
        """
        Return the same position with one coin's price moved; it stays entered where it was.
        """
        return msgspec.structs.replace(self, prices={**self.prices, coin: price}, entry={**self.prices, **self.entry})


def build_portfolio(book: Rulebook, question: Question) -> Portfolio:
    """
    Return the question as an account of one venue, in its symbols, contracts and units.

    Legs stand in cross margin, in portfolio margin where the rulebook has no cross, a single one in isolated margin
    where it has nothing else.

    Raises:
        VenueRefusal: The rulebook has no such contract, or no mode in which legs stand together.
    """
    with localcontext(NUMBERS):
        mode = _choose_mode(book, len(question.parts))
        listings = _choose_listings(book, question)
        legs = tuple(_build_leg(p, x, question, mode) for p, x in zip(question.parts, listings, strict=True))
        first, listing = question.parts[0], listings[0]
        settle = listing.spell(listing.settle, first.coin)
        price = value_unit(settle, question.entry or question.prices)
        amount = question.collateral / price
        if mode is Mode.ISOLATED:
            legs = (msgspec.structs.replace(legs[0], isolated_collateral=amount),)
        now = value_unit(settle, question.prices)
        return Portfolio(
            venue=book.venue,
            legs=legs,
            balances=(Balance(asset=settle, amount=amount, price=now),),
            mode=mode,
            time=question.at,
        )


def value_unit(unit: str, prices: Mapping[str, Decimal]) -> Decimal:
    """
    Return the USD value of one unit of a venue's money: 1 for dollars and stablecoins, else the coin's price.

    Raises:
        VenueRefusal: It is neither.
    """
    if unit in DOLLARS:
        return Decimal(1)
    if unit in prices:
        return prices[unit]
    raise VenueRefusal(f"its amounts are in {unit!r}, which has no price here")


def _choose_mode(book: Rulebook, legs: int) -> Mode:
    wanted = [Mode.CROSS, Mode.PORTFOLIO] if legs > 1 else [Mode.CROSS, Mode.ISOLATED, Mode.PORTFOLIO]
    for mode in wanted:
        if mode in book.modes:
            return mode
    raise VenueRefusal("isolated margin keeps every leg apart; ask for one leg at a time")


def _choose_listings(book: Rulebook, question: Question) -> list[Listing]:
    """
    Return one listing a leg: all settled in dollars if they can be, else all in their coin, else the first of each.

    Two legs are never put into one contract: a pair of perpetuals stays a pair.
    """
    found = [find_listings(book, p.coin, _PRODUCTS[p.kind], question.at) for p in question.parts]
    for in_dollars in (True, False):
        fitting = [[x for x in listings if (x.settle in DOLLARS) is in_dollars] for listings in found]
        if not all(fitting):
            continue
        chosen = [listings[0] for listings in fitting]
        perpetuals = [(p.coin, x.symbol) for p, x in zip(question.parts, chosen, strict=True) if p.strike is None]
        if len(set(perpetuals)) == len(perpetuals):
            return chosen
    return [listings[0] for listings in found]


def _build_leg(part: Part, listing: Listing, question: Question, mode: Mode) -> Leg:
    price = question.prices[part.coin]
    entry = question.entry.get(part.coin, price)
    contract = listing.size_of(part.coin)
    if listing.product is Product.INVERSE:
        # Contracts of a fixed quote amount: as many as the coins were worth when they were bought.
        size, unit_price = part.size * entry / contract, (entry, price)
        option = None
    elif part.strike is None:
        size, unit_price = part.size / contract, (entry, price)
        option = None
    else:
        size, option = part.size / contract, _option_terms(part, price)
        unit_price = (_option_price(part, entry, listing), _option_price(part, price, listing))
    side = "" if option is None else "C" if option.is_call else "P"
    return Leg(
        symbol=listing.spell(listing.symbol, part.coin, strike=part.strike, days=part.days, side=side),
        underlying=part.coin,
        product=listing.product,
        size=size,
        contract_size=contract,
        settle=listing.spell(listing.settle, part.coin),
        entry=unit_price[0],
        mark=unit_price[1],
        index=price,
        mode=mode,
        option=option,
    )


def _option_terms(part: Part, price: Decimal) -> OptionTerms:
    assert part.strike is not None and part.days is not None
    return OptionTerms(
        is_call=part.kind is Kind.CALL,
        strike=part.strike,
        expiry_years=part.days / YEAR_DAYS,
        forward=price,
        rate=Decimal(0),
        vol=part.vol,
    )


def _option_price(part: Part, price: Decimal, listing: Listing) -> Decimal:
    """
    Return an option's Black-76 value, forward = price, rate 0, to 10 digits; in coins for a coin-settled one.
    """
    assert part.strike is not None and part.days is not None and part.vol is not None
    years = float(part.days / YEAR_DAYS)
    value = price_option(float(price), float(part.strike), years, float(part.vol), call=part.kind is Kind.CALL)
    dollars = max(Decimal(f"{value:.10g}"), LEAST_PRICE)
    return dollars / price if listing.product is Product.OPTION_INVERSE else dollars
