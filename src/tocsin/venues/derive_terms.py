"""
Derive's margin parameters, as dated data: portfolio margin (PMRM 2) and standard margin (SRM).

Rates are shares (0.05 is 5 %), times are years unless the name says otherwise. The numbers are in `data/derive`.
"""

from enum import StrEnum
from typing import Any, NamedTuple

from tocsin.venues.params import ParamSet


class Shock(StrEnum):
    """
    What a scenario does to volatility: moves it by the venue's range, leaves it, or tilts it by strike.
    """

    UP = "Up"
    DOWN = "Down"
    NONE = "None"
    LINEAR = "LINEAR"
    ABS = "ABS"


class Scenario(NamedTuple):
    """
    One cell of the scan: factor on spot, shock of volatility, factor on the resulting profit or loss.
    """

    spot: float
    shock: Shock
    damping: float = 1.0


class SkewTerms(NamedTuple):
    """
    Tilt of volatility by log strike: at most `cap + slope x sqrt(t)`, reached at a log distance from the forward of
    `width_scale x (width_static + width_slope x sqrt(t)) x sqrt(t)`, never nearer than `width_floor`.
    """

    linear_cap: float
    linear_slope: float
    abs_cap: float
    abs_slope: float
    width_floor: float
    width_scale: float
    width_static: float
    width_slope: float


class VolTerms(NamedTuple):
    """
    Move of volatility: `range x (30 days / max(t, days_floor)) ^ power`, power by side of 30 days; `up_floor` is the
    least volatility of an upward scenario.
    """

    range_up: float
    up_floor: float
    range_down: float
    power_short: float
    power_long: float
    days_floor: float


class LossTerms(NamedTuple):
    """
    Factors on the worst loss, and the discount of shocked option values: for an expiry worth something `static x
    exp(-t (rate x mult + add))`, for one that costs something the inverse, at most to the undiscounted value.
    """

    maintenance_factor: float
    initial_factor: float
    short_rate_mult: float
    long_rate_mult: float
    short_rate_add: float
    long_rate_add: float
    long_static: float
    short_static: float


class BasisTerms(NamedTuple):
    """
    Forward contingency of an expiry: its worse loss of two moves of the forward, times `add + mult x t`.
    """

    spot_up: float
    spot_down: float
    add: float
    mult: float


class ContingencyTerms(NamedTuple):
    """
    Charges beside the scan: depeg of the stable asset (initial factor only), low oracle confidence (initial only), and
    shares of spot for perpetuals and naked short options, the initial ones on top of maintenance.
    """

    peg_threshold: float
    peg_factor: float
    confidence_threshold: float
    confidence_factor: float
    perp_maintenance: float
    perp_initial_extra: float
    option_maintenance: float
    option_initial_extra: float


class PortfolioTerms(NamedTuple):
    """All parameters of portfolio margin for one underlying."""

    scenarios: tuple[Scenario, ...]
    skew: SkewTerms
    vol: VolTerms
    loss: LossTerms
    basis: BasisTerms
    contingency: ContingencyTerms


class StandardTerms(NamedTuple):
    """
    All parameters of standard margin for one underlying.

    Options: shares of spot (`call_maintenance`, `put_maintenance`, `initial_max` less out-of-the-money share, at least
    `initial_min`) or of value (`put_value_maintenance`); `put_initial_scale` on a put's maintenance margin;
    `unpaired_*` factors on the forward for net short calls. Perpetuals: shares of notional. Base assets: share of
    value that counts, scaled again for the initial margin. Oracle and depeg: initial only.
    """

    initial_max: float
    initial_min: float
    call_maintenance: float
    put_maintenance: float
    put_value_maintenance: float
    put_initial_scale: float
    unpaired_initial: float
    unpaired_maintenance: float
    perp_maintenance: float
    perp_initial: float
    oracle_threshold: float
    oracle_factor: float
    base_factor: float
    base_initial_scale: float
    depeg_threshold: float
    depeg_factor: float


def read_portfolio_terms(shipped: ParamSet) -> PortfolioTerms:
    """
    Return the terms of portfolio margin of a parameter set: groups are lists in the order of their fields.

    A damping may be a quotient ("0.6/11"): the venue states it so.
    """
    cells = shipped.get("scenarios")
    scenarios = tuple(Scenario(float(spot), Shock(shock), _quotient(damping)) for spot, shock, damping in cells)

    def numbers(name: str) -> list[float]:
        return [float(x) for x in shipped.get(name)]

    return PortfolioTerms(
        scenarios,
        SkewTerms(*numbers("skew")),
        VolTerms(*numbers("vol")),
        LossTerms(*numbers("loss")),
        BasisTerms(*numbers("basis")),
        ContingencyTerms(*numbers("contingency")),
    )


def read_standard_terms(shipped: ParamSet, underlying: str) -> StandardTerms:
    """
    Return the terms of standard margin of one underlying, or of "*" where a set has one market for all.

    Raises:
        MissingInput: The set does not hold the underlying; the message names the nearest.
    """
    markets = shipped.get("markets")
    row = shipped.get("markets", underlying if underlying in markets or "*" not in markets else "*")
    return StandardTerms(**{name: float(row[name]) for name in StandardTerms._fields})


def _quotient(value: Any) -> float:
    if isinstance(value, str):
        top, bottom = value.split("/")
        return float(top) / float(bottom)
    return float(value)
