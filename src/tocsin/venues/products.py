"""
What a position of each product is worth at a price: notional and unrealised profit, as functions of a leg.

Linear: money in the quote asset. Inverse: money in the coin, contracts of a fixed quote amount. Options have their own
rules and are refused here.
"""

from decimal import Decimal

from tocsin.venues import VenueRefusal
from tocsin.venues.contract import NUMBERS, Leg, MissingInput, Product


def notional_at(leg: Leg, price: Decimal) -> Decimal:
    """
    Return the notional of a linear or inverse leg at a price > 0, >= 0, in its settlement asset.
    """
    units = NUMBERS.multiply(abs(leg.size), leg.contract_size)
    if leg.product is Product.INVERSE:
        return NUMBERS.divide(units, price)
    _refuse_options(leg)
    return NUMBERS.multiply(units, price)


def profit_between(leg: Leg, start: Decimal, end: Decimal) -> Decimal:
    """
    Return what the leg gains when its price goes from `start` to `end` (> 0), signed, in its settlement asset.
    """
    units = NUMBERS.multiply(leg.size, leg.contract_size)
    if leg.product is Product.INVERSE:
        return NUMBERS.subtract(NUMBERS.divide(units, start), NUMBERS.divide(units, end))
    _refuse_options(leg)
    return NUMBERS.multiply(units, NUMBERS.subtract(end, start))


def price_of_notional(leg: Leg, notional: Decimal) -> Decimal:
    """
    Return the price at which the leg's notional is `notional` > 0: where a bracket's edge lies on the price path.
    """
    units = NUMBERS.multiply(abs(leg.size), leg.contract_size)
    if leg.product is Product.INVERSE:
        return NUMBERS.divide(units, notional)
    _refuse_options(leg)
    return NUMBERS.divide(notional, units)


def mark_of(leg: Leg) -> Decimal:
    """
    Return the leg's mark; `MissingInput` with its symbol where there is none.
    """
    if leg.mark is None:
        raise MissingInput("mark", f"{leg.symbol} is valued at its mark price")
    return leg.mark


def entry_of(leg: Leg) -> Decimal:
    """
    Return the leg's entry price; `MissingInput` with its symbol where there is none.
    """
    if leg.entry is None:
        raise MissingInput("entry", f"the unrealised profit of {leg.symbol} needs its entry price")
    return leg.entry


def _refuse_options(leg: Leg) -> None:
    if leg.product in (Product.OPTION, Product.OPTION_INVERSE):
        raise VenueRefusal(f"{leg.symbol} is an option; its value is not linear in the price")
