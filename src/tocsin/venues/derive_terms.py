"""
Derive's margin parameters, as dated data: portfolio margin (PMRM 2) and standard margin (SRM).

Rates are shares (0.05 is 5 %), times are years unless the name says otherwise. Amounts of margin are not here.
"""

from enum import StrEnum
from typing import NamedTuple


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


def _grid() -> tuple[Scenario, ...]:
    """
    Return the venue's 31 cells: 23 on a grid of 4.5 % of spot (the ends upward only), 6 damped tails, 2 tilts.
    """
    inner = [
        Scenario(spot, shock)
        for spot in (1.135, 1.09, 1.045, 1.0, 0.955, 0.91, 0.865)
        for shock in (Shock.DOWN, Shock.NONE, Shock.UP)
    ]
    tails = [
        Scenario(0.34, Shock.UP, 0.6 / 11),
        Scenario(0.67, Shock.UP, 1.2 / 11),
        Scenario(1.5, Shock.UP, 0.072),
        Scenario(2.0, Shock.UP, 0.036),
        Scenario(3.0, Shock.UP, 0.018),
        Scenario(4.0, Shock.UP, 0.012),
    ]
    ends = (Scenario(1.18, Shock.UP), Scenario(0.82, Shock.UP))
    return (ends[0], *inner, ends[1], *tails, Scenario(1.0, Shock.LINEAR), Scenario(1.0, Shock.ABS))


PORTFOLIO_TESTS_2026_01 = PortfolioTerms(
    scenarios=_grid(),
    skew=SkewTerms(0.15, -0.05, 0.15, -0.05, 0.01, 4.0, 0.6, -0.1),
    vol=VolTerms(0.5, 0.45, 0.275, 0.3, 0.13, 1.0),
    loss=LossTerms(0.8, 1.0, 0.5, 1.0, 0.08, 0.08, 0.95, 1.04),
    basis=BasisTerms(1.045, 0.955, 0.5, 2.0),
    contingency=ContingencyTerms(0.98, 2.0, 0.55, 1.0, 0.015, 0.005, 0.003, 0.002),
)
"""Default of the venue's own portfolio cases, derivexyz/v2-core at 7736900, 2026-01. The live chain has wider tails and
3 % for perpetuals; its parameters change by governance and are read there."""

STANDARD_TESTS_2026_01 = StandardTerms(
    0.15, 0.10, 0.075, 0.075, 0.075, 1.05, 1.2, 1.1, 0.05, 0.065, 0.4, 0.4, 0.1, 1.0, 0.98, 1.2
)
"""Parameters of the venue's own standard cases, derivexyz/v2-core at 7736900, 2026-01. The chain's configuration of the
same date has 9 % for option maintenance, 15 % and 13 % for option initial, 6.5 % and 10 % for perpetuals."""
