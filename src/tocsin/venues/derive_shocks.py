"""
How Derive's portfolio margin moves options: forwards, volatilities and discounts of one expiry in one scenario.
"""

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from tocsin.core.errors import DataError
from tocsin.risk.pricing import value_undiscounted
from tocsin.venues.derive_terms import LossTerms, PortfolioTerms, Shock, SkewTerms, VolTerms

YEAR_S = 365 * 86_400
SETTLEMENT_S = 1_800
"""Seconds before expiry over which the settlement price is averaged: the part that is known no longer moves."""
_SHORT_TERM_DAYS = 30.0
_EXPONENT_MAX = 700.0


class Option(NamedTuple):
    """One option: its expiry, strike > 0, call or put, mark volatility >= 0, signed size."""

    seconds_to_expiry: float
    strike: float
    call: bool
    volatility: float
    size: float


class Expiry(NamedTuple):
    """One expiry: forward > 0 (settlement price once expired), rate, confidence of each feed (0 to 1)."""

    seconds: float
    forward: float
    rate: float = 0.0
    forward_confidence: float = 1.0
    rate_confidence: float = 1.0
    volatility_confidence: float = 1.0


class Leg(NamedTuple):
    """An option within its expiry; `log_strike` is ln(strike / forward)."""

    size: float
    strike: float
    call: bool
    volatility: float
    log_strike: float


class Group(NamedTuple):
    """Options of one expiry, with what does not change from scenario to scenario."""

    expiry: Expiry
    legs: tuple[Leg, ...]
    years: float
    root: float
    moving: float
    discount: float
    long_discount: float
    short_discount: float
    mark_value: float


def group_options(options: Sequence[Option], expiries: Sequence[Expiry], terms: LossTerms) -> list[Group]:
    """
    Return the options by expiry, nearest first, after checking every number a price comes from.
    """
    feeds: dict[float, Expiry] = {}
    for expiry in expiries:
        need_positive("expiry.forward", expiry.forward)
        if not 0.0 <= expiry.seconds < math.inf:
            raise DataError(f"expiry.seconds must be at least 0, was {expiry.seconds!r}")
        if expiry.seconds in feeds:
            raise DataError(f"expiries must be given once each, {expiry.seconds!r} seconds was given twice")
        feeds[expiry.seconds] = expiry
    legs: dict[float, list[Leg]] = {}
    for option in options:
        feed = feeds.get(option.seconds_to_expiry)
        if feed is None:
            raise DataError(f"expiries must hold {option.seconds_to_expiry!r} seconds, of an option; was missing")
        need_positive("option.strike", option.strike)
        if not 0.0 <= option.volatility < math.inf:
            raise DataError(f"option.volatility must be at least 0, was {option.volatility!r}")
        distance = math.log(option.strike) - math.log(feed.forward)
        leg = Leg(option.size, option.strike, option.call, option.volatility, distance)
        legs.setdefault(option.seconds_to_expiry, []).append(leg)
    return [_prepare(feeds[seconds], tuple(legs[seconds]), terms) for seconds in sorted(legs)]


def _prepare(expiry: Expiry, legs: tuple[Leg, ...], terms: LossTerms) -> Group:
    """
    Return an expiry's options with their mark value and the discounts of shocked values.

    A value below 0 is discounted the other way, which makes it cost more, but never beyond its undiscounted size.
    """
    years = expiry.seconds / YEAR_S
    rate = max(0.0, expiry.rate)
    if not (math.isfinite(expiry.rate) and rate * years < _EXPONENT_MAX):
        raise DataError(f"expiry.rate x years must be below {_EXPONENT_MAX:g}, was {expiry.rate!r} x {years!r}")
    discount = math.exp(-rate * years)
    long = terms.long_static * math.exp(-years * (rate * terms.long_rate_mult + terms.long_rate_add))
    exponent = years * (rate * terms.short_rate_mult + terms.short_rate_add)
    short = terms.short_static * math.exp(min(_EXPONENT_MAX, exponent))
    group = Group(
        expiry=expiry,
        legs=legs,
        years=years,
        root=math.sqrt(years),
        moving=min(1.0, expiry.seconds / SETTLEMENT_S),
        discount=discount,
        long_discount=long,
        short_discount=min(1.0 / discount, short),
        mark_value=0.0,
    )
    return group._replace(mark_value=revalue(group, 1.0, [leg.volatility for leg in legs]))


def revalue(group: Group, spot_factor: float, volatilities: Iterable[float]) -> float:
    """Return the value of an expiry's options at a moved forward and given volatilities, discounted at its rate."""
    forward = group.expiry.forward * (1.0 + group.moving * (spot_factor - 1.0))
    root = group.root
    total = 0.0
    for leg, volatility in zip(group.legs, volatilities, strict=True):
        total += leg.size * value_undiscounted(forward, leg.strike, volatility * root, call=leg.call)
    return total * group.discount


def volatility_factor(shock: Shock, seconds: float, terms: VolTerms) -> float:
    """
    Return the factor on volatility of an upward, downward or unmoved scenario, >= 0; nearer expiries move more.
    """
    if shock not in (Shock.UP, Shock.DOWN):
        return 1.0
    days = seconds / 86_400
    power = terms.power_short if days <= _SHORT_TERM_DAYS else terms.power_long
    reach = (_SHORT_TERM_DAYS / max(days, terms.days_floor)) ** power
    return 1.0 + terms.range_up * reach if shock is Shock.UP else max(0.0, 1.0 - terms.range_down * reach)


def skew_factor(shock: Shock, log_strike: float, root: float, terms: SkewTerms) -> float:
    """
    Return the factor on volatility of a tilt, >= 0.

    Args:
        shock: `LINEAR` raises it above the forward and lowers it below, `ABS` raises it on both sides.
        log_strike: ln(strike / forward).
        root: Root of the years to expiry.
        terms: Caps and widths.
    """
    linear = shock is Shock.LINEAR
    cap = terms.linear_cap + terms.linear_slope * root if linear else terms.abs_cap + terms.abs_slope * root
    width = max(terms.width_floor, terms.width_scale * (terms.width_static + terms.width_slope * root) * root)
    distance = log_strike if linear else abs(log_strike)
    if width:
        tilt = distance * cap / width
    else:
        # The cap is reached at once, on whichever side of the forward the strike is.
        tilt = math.copysign(math.inf, distance * cap) if distance * cap else 0.0
    # A negative cap bounds from one side only: the venue's rule clips by the side of the strike.
    return max(0.0, 1.0 + (min(tilt, cap) if distance >= 0.0 else max(tilt, -cap)))


def shock_volatilities(group: Group, shock: Shock, terms: PortfolioTerms) -> list[float]:
    """Return the volatility of each leg in a scenario, >= 0."""
    if shock in (Shock.LINEAR, Shock.ABS):
        return [leg.volatility * skew_factor(shock, leg.log_strike, group.root, terms.skew) for leg in group.legs]
    factor = volatility_factor(shock, group.expiry.seconds, terms.vol)
    floor = terms.vol.up_floor if shock is Shock.UP else 0.0
    return [max(floor, leg.volatility * factor) for leg in group.legs]


def need_positive(name: str, value: float) -> None:
    """
    Refuse a price that is no finite number above 0.

    Raises:
        DataError: The message names it.
    """
    if not 0.0 < value < math.inf:
        raise DataError(f"{name} must be a finite number above 0, was {value!r}")
