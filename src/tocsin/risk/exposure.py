"""
Exposure at default by the standardised approach (SA-CCR): interest-rate trades without a margin agreement.

Source: BCBS 279, The standardised approach for measuring counterparty credit risk exposures (2014).
"""

import math
from typing import NamedTuple

from tocsin.core.errors import DataError

SUPERVISORY_RATE = 0.05
_ADJACENT, _APART = 0.7, 0.3
"""Correlations of adjacent maturity buckets, and of the first with the third."""
_FLOOR = 0.05


class RateTrade(NamedTuple):
    """
    A trade: notional, start and end of its rate in years from now, delta (+1 long the rate, -1 short, an option's own),
    its value to us, and its currency: trades of one currency offset each other.
    """

    notional: float
    start: float
    end: float
    delta: float
    value: float
    currency: str = ""


class Exposure(NamedTuple):
    """Add-on, replacement cost, multiplier and exposure at default."""

    add_on: float
    replacement_cost: float
    multiplier: float
    ead: float


def option_delta(rate: float, strike: float, volatility: float, years: float, *, call: bool, long: bool) -> float:
    """
    Return the supervisory delta of an option on a rate: `N(+-d)`, signed by the side that is held.

    Raises:
        DataError: A rate, strike, volatility or time is not above 0.
    """
    if min(rate, strike, volatility, years) <= 0.0:
        raise DataError("rate, strike, volatility and years must be above 0")
    d = (math.log(rate / strike) + 0.5 * volatility**2 * years) / (volatility * math.sqrt(years))
    share = 0.5 * math.erfc(-(d if call else -d) / math.sqrt(2.0))
    return share * (1.0 if call else -1.0) * (1.0 if long else -1.0)


def rate_exposure(trades: list[RateTrade], factor: float, alpha: float = 1.4, collateral: float = 0.0) -> Exposure:
    """
    Return the exposure of one netting set of interest-rate trades; the add-ons of its currencies add up.

    Args:
        trades: All of them.
        factor: Supervisory factor (0.005).
        alpha: Multiple of the exposure.
        collateral: Net collateral held, in the trades' money.

    Raises:
        DataError: A trade ends before it starts.
    """
    sets: dict[str, list[float]] = {}
    for trade in trades:
        if not 0.0 <= trade.start < trade.end:
            raise DataError(f"a trade must end after it starts, was {trade.start!r} to {trade.end!r} years")
        index = 0 if trade.end < 1.0 else 1 if trade.end <= 5.0 else 2
        sets.setdefault(trade.currency, [0.0, 0.0, 0.0])[index] += _effective_notional(trade)
    add_on = factor * math.fsum(_offset_buckets(*buckets) for buckets in sets.values())
    above = math.fsum(t.value for t in trades) - collateral
    multiplier = 1.0
    if above < 0.0 < add_on:
        multiplier = min(1.0, _FLOOR + (1 - _FLOOR) * math.exp(above / (2 * (1 - _FLOOR) * add_on)))
    cost = max(0.0, above)
    return Exposure(add_on, cost, multiplier, alpha * (cost + multiplier * add_on))


def _effective_notional(trade: RateTrade) -> float:
    """Return delta x notional x supervisory duration x maturity factor."""
    near, far = math.exp(-SUPERVISORY_RATE * trade.start), math.exp(-SUPERVISORY_RATE * trade.end)
    return trade.delta * trade.notional * (near - far) / SUPERVISORY_RATE * math.sqrt(min(1.0, trade.end))


def _offset_buckets(one: float, two: float, three: float) -> float:
    """Return the effective notional of maturities below one year, to five, and beyond."""
    total = one**2 + two**2 + three**2
    return math.sqrt(max(0.0, total + 2 * _ADJACENT * (one * two + two * three) + 2 * _APART * one * three))
