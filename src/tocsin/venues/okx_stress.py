"""
What an OKX risk unit loses in a stress test: contracts, options and spot under moves of price and volatility.

Contracts move by size x index x shock: the basis between index and mark stays. Inverse contracts are counted in USD at
the moved price. Options are priced by Black-76 on the moved forward, in floats, rounded to their shortest digits.
"""

from collections.abc import Sequence
from decimal import Decimal

import msgspec

from tocsin.risk.pricing import price_option
from tocsin.venues.contract import Leg, MissingInput, Product
from tocsin.venues.okx_account import Account, Move
from tocsin.venues.okx_rates import ONE, OPTIONS, ZERO
from tocsin.venues.products import mark_of

STATES = ("same", "up points", "up percent", "down points", "down percent")
DAY = ONE / 365


class Volatility(msgspec.Struct, frozen=True):
    """Largest volatility changes by days to expiry, between them linear: points (1.00 is 100 %) and percent."""

    days: tuple[Decimal, ...]
    points: tuple[Decimal, ...]
    percent: tuple[Decimal, ...]


def index_of(leg: Leg) -> Decimal:
    """
    Return the index that a shock moves: the leg's, else its mark.
    """
    return leg.index if leg.index is not None else mark_of(leg)


def profit_of(
    legs: Sequence[Leg],
    spot: Decimal,
    shock: Decimal,
    account: Account,
    volatility: Volatility,
    state: str,
) -> Decimal:
    """
    Return the unit's profit at a price move and a volatility state, USD, signed.
    """
    result = spot * shock
    for leg in legs:
        if leg.product in OPTIONS:
            result += option_profit(leg, shock, account, volatility, state)
        elif leg.product is Product.INVERSE:
            result += leg.size * leg.contract_size * shock * index_of(leg) / mark_of(leg)
        else:
            result += leg.size * leg.contract_size * index_of(leg) * shock * account.price(leg.settle, Move())
    return result


def option_profit(leg: Leg, shock: Decimal, account: Account, volatility: Volatility, state: str) -> Decimal:
    """
    Return an option position's profit at a price move and a volatility state, USD, signed.
    """
    forward, _, vol, years = _terms(leg)
    there = max(vol + _volatility_change(years, volatility, vol, state), ZERO)
    change = _value(leg, forward * (ONE + shock), there, years) - _value(leg, forward, vol, years)
    unit = ONE if leg.product is Product.OPTION_INVERSE else account.price(leg.settle, Move())
    return leg.size * leg.contract_size * change * unit


def decay_of(leg: Leg) -> Decimal:
    """
    Return what an option position gains in one day that passes, quote, signed.
    """
    forward, _, vol, years = _terms(leg)
    change = _value(leg, forward, vol, max(years - DAY, ZERO)) - _value(leg, forward, vol, years)
    return leg.size * leg.contract_size * change


def _terms(leg: Leg) -> tuple[Decimal, Decimal, Decimal, Decimal]:
    found = leg.option
    if found is None:
        raise MissingInput("option", f"{leg.symbol}: strike, forward, volatility and time of an option are needed")
    for name in ("forward", "vol", "expiry_years"):
        if getattr(found, name) is None:
            raise MissingInput(f"option.{name}", f"{leg.symbol}: a stress test prices the option from it")
    return found.forward or ZERO, found.strike, found.vol or ZERO, found.expiry_years or ZERO


def _value(leg: Leg, forward: Decimal, vol: Decimal, years: Decimal) -> Decimal:
    """Return an option's Black-76 value per coin, in quote (a float's digits, as a decimal)."""
    assert leg.option is not None
    value = price_option(float(forward), float(leg.option.strike), float(years), float(vol), call=leg.option.is_call)
    return Decimal(repr(value))


def _volatility_change(years: Decimal, table: Volatility, vol: Decimal, state: str) -> Decimal:
    """Return the change of volatility in a state; the tables are linear between their days and flat beyond them."""
    if state == "same":
        return ZERO
    kind = table.points if state.endswith("points") else table.percent
    size = _interpolate(years * 365, table.days, kind)
    change = size if state.endswith("points") else size * vol
    return change if state.startswith("up") else -change


def _interpolate(day: Decimal, days: Sequence[Decimal], values: Sequence[Decimal]) -> Decimal:
    if day >= days[-1]:
        return values[-1]
    for low, high, start, end in zip(days, days[1:], values, values[1:], strict=False):
        if day <= high:
            return start + (end - start) * (day - low) / (high - low)
    return values[-1]
