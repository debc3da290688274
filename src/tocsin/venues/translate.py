"""
One venue's account as another venue would hold it: same coins, prices and money, the other's symbols and contracts.

Dollars and stablecoins count as one another. What a venue has no contract or mode for is refused by name; rates and
brackets that the first venue stated are left behind.
"""

from collections.abc import Iterable
from decimal import Decimal, localcontext

import msgspec

from tocsin.venues import VenueRefusal
from tocsin.venues.contract import NUMBERS, Balance, Leg, Mode, Portfolio, Product
from tocsin.venues.listing import find_listing
from tocsin.venues.products import mark_of
from tocsin.venues.question import DOLLARS
from tocsin.venues.registry import ONE_WAY, Rulebook

_OPTIONS = (Product.OPTION, Product.OPTION_INVERSE)


def translate(portfolio: Portfolio, book: Rulebook) -> Portfolio:
    """
    Return the account in the terms of a rulebook; one of the rulebook's own venue keeps its symbols and rates.

    A single leg takes isolated or cross margin, whichever the rulebook has; its collateral is the account's money.

    A venue without hedge mode holds the two sides of a position as one.

    Raises:
        VenueRefusal: The rulebook has no contract for a leg, settles it in another kind of money, or has no mode in
            which the legs stand together.
    """
    if portfolio.venue == book.venue:
        return fit_mode(portfolio, book) if portfolio.legs else portfolio
    with localcontext(NUMBERS):
        legs = tuple(_translate_leg(leg, book, portfolio) for leg in portfolio.legs)
        if book.venue in ONE_WAY:
            legs = net_sides(legs)
        settle = legs[0].settle if legs else ""
        balances = tuple(_rename(b, settle) for b in _join(portfolio.balances))
        return msgspec.structs.replace(
            fit_mode(msgspec.structs.replace(portfolio, legs=legs, balances=balances), book), venue=book.venue, extra={}
        )


def fit_mode(portfolio: Portfolio, book: Rulebook) -> Portfolio:
    """
    Return the account in a mode of the rulebook: as it is if the rulebook has it; a single leg in the one it has.
    """
    used = {leg.mode for leg in portfolio.legs}
    if portfolio.mode is Mode.PORTFOLIO:
        used.add(Mode.PORTFOLIO)
    if used <= set(book.modes):
        return portfolio
    leg, *more = portfolio.legs
    if more and Mode.ISOLATED in used:
        raise VenueRefusal("isolated legs cannot be put together; ask for one leg at a time")
    together = next((m for m in (Mode.CROSS, Mode.PORTFOLIO) if m in book.modes), None)
    if together is not None:
        legs = tuple(msgspec.structs.replace(x, mode=together, isolated_collateral=None) for x in portfolio.legs)
        balances = portfolio.balances
        if leg.isolated_collateral is not None:
            balances = (Balance(asset=leg.settle, amount=leg.isolated_collateral, price=_dollar(leg.settle)),)
        return msgspec.structs.replace(portfolio, legs=legs, balances=balances, mode=together)
    if more:
        raise VenueRefusal("isolated margin keeps every leg apart; ask for one leg at a time")
    money = [b.amount for b in portfolio.balances if b.asset == leg.settle]
    alone = msgspec.structs.replace(leg, mode=Mode.ISOLATED, isolated_collateral=money[0] if money else None)
    return msgspec.structs.replace(portfolio, legs=(alone,), mode=Mode.ISOLATED)


def net_sides(legs: Iterable[Leg]) -> tuple[Leg, ...]:
    """
    Return the legs with the two sides of a hedged position as one, of the same profit; others as they are.

    Raises:
        VenueRefusal: The sides cancel, stand in isolated margin, or a profit of theirs belongs to no entry price.
    """
    out: dict[str, Leg] = {}
    for leg in legs:
        one = out.get(leg.symbol)
        plain = msgspec.structs.replace(leg, hedge_side="")
        out[leg.symbol] = plain if one is None or not leg.hedge_side else _add_sides(one, plain)
    return tuple(out.values())


def _add_sides(one: Leg, other: Leg) -> Leg:
    size = one.size + other.size
    if not size or Mode.ISOLATED in (one.mode, other.mode):
        raise VenueRefusal(f"{one.symbol} has no hedge mode there, and its two sides leave no position; net them first")
    entry: Decimal | None = None
    if one.entry is not None and other.entry is not None:
        if one.product is Product.INVERSE:
            over = (one.size / one.entry + other.size / other.entry) / size
            entry = 1 / over if over > 0 else None
        else:
            entry = (one.size * one.entry + other.size * other.entry) / size
        if entry is None or entry <= 0:
            raise VenueRefusal(f"{one.symbol} has no hedge mode there; the profit of its two sides has no entry price")
    return msgspec.structs.replace(
        one,
        size=size,
        entry=entry,
        order_buy=one.order_buy + other.order_buy,
        order_sell=one.order_sell + other.order_sell,
        accrued_funding=one.accrued_funding + other.accrued_funding,
    )


def _translate_leg(leg: Leg, book: Rulebook, portfolio: Portfolio) -> Leg:
    wanted = _OPTIONS if leg.product in _OPTIONS else (leg.product,)
    listing = find_listing(book, leg.underlying, wanted, portfolio.time)
    settle = listing.spell(listing.settle, leg.underlying)
    if leg.settle and settle != leg.settle and not (settle in DOLLARS and leg.settle in DOLLARS):
        raise VenueRefusal(f"settles {leg.underlying} in {settle}; the account's leg is in {leg.settle}")
    contract = listing.size_of(leg.underlying)
    option, mark, entry = leg.option, leg.mark, leg.entry
    words: dict[str, object] = {}
    if option is not None:
        days = None if option.expiry_years is None else option.expiry_years * 365
        words = {"strike": option.strike, "days": days, "side": "C" if option.is_call else "P"}
        if listing.product is not leg.product:
            base = leg.index or option.forward or mark_of(leg)
            factor = base if leg.product is Product.OPTION_INVERSE else 1 / base
            mark = None if mark is None else mark * factor
            entry = None if entry is None else entry * factor
    return msgspec.structs.replace(
        leg,
        symbol=listing.spell(listing.symbol, leg.underlying, **words),  # pyright: ignore[reportArgumentType]
        product=listing.product,
        size=leg.size * leg.contract_size / contract,
        contract_size=contract,
        settle=settle,
        mark=mark,
        entry=entry,
        index=leg.index or leg.mark,
        order_buy=leg.order_buy * leg.contract_size / contract,
        order_sell=leg.order_sell * leg.contract_size / contract,
        leverage=None,
        maintenance_rate=None,
        initial_rate=None,
        deduction=None,
        fee_rate=None,
    )


def _join(balances: tuple[Balance, ...]) -> tuple[Balance, ...]:
    """
    Return the balances with all dollars and stablecoins as one.
    """
    dollars = [b for b in balances if b.asset in DOLLARS]
    if len(dollars) < 2:
        return balances
    total = sum((b.amount * (b.price or Decimal(1)) for b in dollars), Decimal(0))
    one = Balance(asset=dollars[0].asset, amount=total, price=Decimal(1))
    return (one, *(b for b in balances if b.asset not in DOLLARS))


def _rename(balance: Balance, settle: str) -> Balance:
    if balance.asset in DOLLARS and settle in DOLLARS:
        return msgspec.structs.replace(balance, asset=settle, price=balance.price or Decimal(1))
    return balance


def _dollar(asset: str) -> Decimal | None:
    return Decimal(1) if asset in DOLLARS else None
