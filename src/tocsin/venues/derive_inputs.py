"""
From a portfolio of the contract to the inputs of Derive's two margin models. Floats: options are priced.
"""

from collections.abc import Iterable
from datetime import timedelta
from decimal import Decimal
from typing import NamedTuple

from tocsin.risk.pricing import value_undiscounted
from tocsin.venues import VenueRefusal
from tocsin.venues.contract import NUMBERS, Leg, MissingInput, Portfolio, Product
from tocsin.venues.derive_shocks import YEAR_S
from tocsin.venues.params import parse_time
from tocsin.venues.products import entry_of, mark_of

CASH = ("USDC", "USD")
"""Assets that count as cash: the one in which all is quoted."""

_HALVINGS = 200


class OptionInput(NamedTuple):
    """One option as both models need it: seconds to expiry, volatility, forward, signed size in units."""

    seconds: float
    strike: float
    call: bool
    volatility: float
    forward: float
    size: float


def to_decimal(value: float) -> Decimal:
    """
    Return a float as the shortest decimal that reads back as it.
    """
    return Decimal(repr(value))


def units(leg: Leg) -> Decimal:
    """
    Return the signed size of a leg in base units.
    """
    return NUMBERS.multiply(leg.size, leg.contract_size)


def index_of(leg: Leg) -> Decimal:
    """
    Return the leg's index; `MissingInput` with its symbol where there is none.
    """
    if leg.index is None:
        raise MissingInput("index", f"margin of {leg.symbol} is a share of the index price")
    return leg.index


def unsettled(leg: Leg) -> Decimal:
    """
    Return a perpetual's profit since its last settlement, with accrued funding, signed.
    """
    change = NUMBERS.subtract(mark_of(leg), entry_of(leg))
    return NUMBERS.add(NUMBERS.multiply(units(leg), change), leg.accrued_funding)


def check_legs(portfolio: Portfolio) -> None:
    """
    Refuse what Derive does not list: other products than linear perpetuals and linear options.
    """
    for leg in portfolio.legs:
        if leg.product not in (Product.LINEAR, Product.OPTION):
            raise VenueRefusal(f"{leg.symbol} must be a linear contract or option at Derive, was {leg.product}")
        if leg.product is Product.OPTION and leg.option is None:
            raise MissingInput("option", f"the terms of {leg.symbol}")


def is_by_mark(leg: Leg) -> bool:
    """
    Tell whether an option's value is known from its mark alone: forward and volatility are not given, mark and index
    are.
    """
    terms = leg.option
    return (
        terms is not None
        and terms.forward is None
        and terms.vol is None
        and leg.mark is not None
        and leg.index is not None
    )


def read_option(leg: Leg, time: str, *, by_mark: bool = False) -> OptionInput:
    """
    Return an option's inputs. Its volatility, where not given, is the one that its mark implies.

    Args:
        by_mark: For rules that take the value and the payoff alone: where neither forward nor volatility is given, the
            index stands for the forward and, without a time, a year for the time: the value is then that of the mark
            (intrinsic value where the mark is below it).

    Raises:
        MissingInput: Forward, time to expiry, or both volatility and mark are missing.
    """
    terms = leg.option
    assert terms is not None
    at_mark = by_mark and is_by_mark(leg)
    forward_price = leg.index if at_mark else terms.forward
    if forward_price is None:
        raise MissingInput("forward", f"{leg.symbol} is priced from the forward of its expiry")
    years = terms.expiry_years
    if years is None and terms.expiry and time:
        left = parse_time(terms.expiry) - parse_time(time)
        years = NUMBERS.divide(Decimal(left // timedelta(seconds=1)), Decimal(YEAR_S))
    if years is None and at_mark:
        years = Decimal(1)
    if years is None:
        raise MissingInput("expiry_years", f"{leg.symbol} is priced with the time to its expiry")
    if years < 0:
        raise VenueRefusal(f"expiry_years of {leg.symbol} must be at least 0, was {years}")
    forward, strike, time_left = float(forward_price), float(terms.strike), float(years)
    if terms.vol is None and leg.mark is None:
        raise MissingInput("vol", f"{leg.symbol} has neither volatility nor mark")
    volatility = float(terms.vol or 0)
    if terms.vol is None:
        volatility = imply_volatility(float(mark_of(leg)), forward, strike, time_left, call=terms.is_call)
    return OptionInput(time_left * YEAR_S, strike, terms.is_call, volatility, forward, float(units(leg)))


def imply_volatility(price: float, forward: float, strike: float, years: float, *, call: bool) -> float:
    """
    Return the volatility at which an option is worth `price` undiscounted, 0 at or below intrinsic value.

    Raises:
        VenueRefusal: No volatility up to 10,000 % makes it worth so much.
    """
    root = years**0.5
    low, high = 0.0, 100.0
    if value_undiscounted(forward, strike, high * root, call=call) < price:
        raise VenueRefusal(f"no volatility gives a price of {price:g}: it is beyond the option's bound")
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        if value_undiscounted(forward, strike, middle * root, call=call) < price:
            low = middle
        else:
            high = middle
    return low if low == 0.0 else high


def option_value(leg: Leg, time: str) -> Decimal:
    """
    Return what an option position is worth now, signed: at its mark, else by its volatility.
    """
    if leg.mark is not None:
        return NUMBERS.multiply(units(leg), leg.mark)
    x = read_option(leg, time)
    deviation = x.volatility * (x.seconds / YEAR_S) ** 0.5
    return to_decimal(x.size * value_undiscounted(x.forward, x.strike, deviation, call=x.call))


def split_by_underlying(legs: Iterable[Leg]) -> dict[str, list[Leg]]:
    """
    Return the legs of each underlying, in the order of their first leg.
    """
    out: dict[str, list[Leg]] = {}
    for leg in legs:
        out.setdefault(leg.underlying, []).append(leg)
    return out
