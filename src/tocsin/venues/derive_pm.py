"""
Derive's portfolio margin (PMRM 2) of one account in one underlying, by revaluation in scenarios.

Margins are net: what is left above the requirement, in quote units. An account may open while the initial margin is at
least 0 and stands while the maintenance margin is. Sizes are signed (+ long, - short); losses and charges are <= 0.
"""

import math
from collections.abc import Iterable
from typing import NamedTuple

from tocsin.core.errors import DataError
from tocsin.venues.derive_shocks import (
    Expiry,
    Group,
    Option,
    group_options,
    need_positive,
    revalue,
    shock_volatilities,
)
from tocsin.venues.derive_terms import PortfolioTerms, Scenario, Shock


class Collateral(NamedTuple):
    """
    One deposited asset: size >= 0, price, haircuts as shares of value (the initial one on top of maintenance).

    `risk_cancelling`: it moves with the underlying, so that scenarios move it too.
    """

    size: float
    price: float
    maintenance_haircut: float
    initial_extra_haircut: float
    confidence: float = 1.0
    risk_cancelling: bool = False


class Portfolio(NamedTuple):
    """
    One account: cash (signed), perpetuals with accrued P&L and funding, collateral, options with expiries, prices.

    `stable_price` is the price of the stable asset in which all is quoted: spot, forwards and the perpetual's price are
    in units of it, prices of collateral in dollars.
    """

    cash: float
    spot: float
    options: tuple[Option, ...] = ()
    expiries: tuple[Expiry, ...] = ()
    collaterals: tuple[Collateral, ...] = ()
    perps: float = 0.0
    perp_price: float = 0.0
    perp_pnl: float = 0.0
    funding: float = 0.0
    spot_confidence: float = 1.0
    perp_confidence: float = 1.0
    stable_price: float = 1.0


class Charges(NamedTuple):
    """
    Charges beside the scan, each <= 0: maintenance, and what initial margin adds to it.
    """

    maintenance: float
    initial_extra: float


class PortfolioMargin(NamedTuple):
    """
    Margins and their parts.

    `maintenance = mark_to_market + factor x worst_loss + perp + collateral + option`; initial the same with
    `initial_factor`, the extra charges and `oracle_charge`.
    """

    initial_margin: float
    maintenance_margin: float
    mark_to_market: float
    worst_loss: float
    worst_scenario: str
    initial_factor: float
    scenario_losses: tuple[float, ...]
    basis_charge: float
    perp: Charges
    collateral: Charges
    option: Charges
    oracle_charge: float


def compute_portfolio_margin(portfolio: Portfolio, terms: PortfolioTerms) -> PortfolioMargin:
    """
    Compute initial and maintenance margin of one account, with every part, in quote units, not rounded.

    Raises:
        DataError: A price, time, volatility or confidence is out of its range; an option's expiry is missing or given
            twice. The message names it.

    Complexity: scenarios x options.
    """
    _check_portfolio(portfolio)
    groups = group_options(portfolio.options, portfolio.expiries, terms.loss)
    losses = tuple(_scenario_loss(s, portfolio, groups, terms) for s in terms.scenarios)
    basis = sum(_basis_loss(g, terms) for g in groups)
    worst, name = min([(loss, i) for i, loss in enumerate(losses)] + [(basis, len(losses))])
    held = portfolio.cash + portfolio.perp_pnl + portfolio.funding + sum(_dollars(portfolio, portfolio.collaterals))
    value = held + sum(g.mark_value for g in groups)
    perp, collateral, option = _perp(portfolio, terms), _collateral(portfolio), _options(portfolio, terms)
    oracle = _oracle_charge(portfolio, terms)
    c = terms.contingency
    initial_factor = terms.loss.initial_factor + c.peg_factor * max(0.0, c.peg_threshold - portfolio.stable_price)
    charged = value + perp.maintenance + collateral.maintenance + option.maintenance
    extra = perp.initial_extra + collateral.initial_extra + option.initial_extra + oracle
    initial = charged + worst * initial_factor + extra
    maintenance = charged + worst * terms.loss.maintenance_factor
    if not (math.isfinite(initial) and math.isfinite(maintenance)):
        raise DataError("sizes, cash, haircuts and accrued amounts must be finite numbers; the margin is not")
    return PortfolioMargin(
        initial_margin=initial,
        maintenance_margin=maintenance,
        mark_to_market=value,
        worst_loss=worst,
        worst_scenario=_name_scenario(terms.scenarios[name]) if name < len(losses) else "basis",
        initial_factor=initial_factor,
        scenario_losses=losses,
        basis_charge=basis,
        perp=perp,
        collateral=collateral,
        option=option,
        oracle_charge=oracle,
    )


def _check_portfolio(portfolio: Portfolio) -> None:
    need_positive("spot", portfolio.spot)
    need_positive("stable_price", portfolio.stable_price)
    if portfolio.perps:
        need_positive("perp_price", portfolio.perp_price)
    for asset in portfolio.collaterals:
        if not (asset.size >= 0.0 and asset.price >= 0.0):
            raise DataError(f"collateral size and price must be at least 0, were {asset.size!r} and {asset.price!r}")


def _scenario_loss(scenario: Scenario, portfolio: Portfolio, groups: list[Group], terms: PortfolioTerms) -> float:
    """
    Return the damped P&L of one scenario.

    A tilt leaves spot where it is, whatever its cell says, and counts every expiry's change as a loss, whichever its
    sign.
    """
    tilt = scenario.shock in (Shock.LINEAR, Shock.ABS)
    spot = 1.0 if tilt else scenario.spot
    moving = sum(_dollars(portfolio, (c for c in portfolio.collaterals if c.risk_cancelling)))
    total = (portfolio.perps * portfolio.perp_price + moving) * (spot - 1.0)
    for group in groups:
        value = revalue(group, spot, shock_volatilities(group, scenario.shock, terms))
        value *= group.long_discount if value >= 0.0 else group.short_discount
        change = value - group.mark_value
        total += -abs(change) if tilt else change
    return total * scenario.damping


def _basis_loss(group: Group, terms: PortfolioTerms) -> float:
    """Return the forward contingency of one expiry, <= 0: it competes with the scenarios for the worst."""
    volatilities = [leg.volatility for leg in group.legs]
    moves = (terms.basis.spot_up, terms.basis.spot_down)
    change = min(0.0, *(revalue(group, move, volatilities) - group.mark_value for move in moves))
    return change * (terms.basis.add + terms.basis.mult * group.years)


def _perp(portfolio: Portfolio, terms: PortfolioTerms) -> Charges:
    notional = -abs(portfolio.perps) * portfolio.spot
    c = terms.contingency
    return Charges(notional * c.perp_maintenance, notional * c.perp_initial_extra)


def _dollars(portfolio: Portfolio, assets: Iterable[Collateral]) -> list[float]:
    """Return the value of each asset in units of the stable asset."""
    return [asset.size * asset.price / portfolio.stable_price for asset in assets]


def _collateral(portfolio: Portfolio) -> Charges:
    values = list(zip(_dollars(portfolio, portfolio.collaterals), portfolio.collaterals, strict=True))
    return Charges(
        -sum(value * asset.maintenance_haircut for value, asset in values),
        -sum(value * asset.initial_extra_haircut for value, asset in values),
    )


def _options(portfolio: Portfolio, terms: PortfolioTerms) -> Charges:
    """
    Charge shares of spot for what is short at a strike, calls and puts of one expiry netted.
    """
    net: dict[tuple[float, float], float] = {}
    for option in portfolio.options:
        key = (option.seconds_to_expiry, option.strike)
        net[key] = net.get(key, 0.0) + option.size
    naked = sum(min(0.0, size) for size in net.values()) * portfolio.spot
    c = terms.contingency
    return Charges(naked * c.option_maintenance, naked * c.option_initial_extra)


def _oracle_charge(portfolio: Portfolio, terms: PortfolioTerms) -> float:
    """
    Charge initial margin for feeds of a confidence below the threshold: the least of those a position rests on.

    Perpetuals rest on spot and their own feed, options on these (the perpetual's only if one is held) and on forward,
    rate and volatility, collateral on spot and its own. Confidence of the stable asset plays no part.
    """
    c = terms.contingency
    shared = (portfolio.spot_confidence, portfolio.perp_confidence) if portfolio.perps else (portfolio.spot_confidence,)

    def charge(notional: float, *confidences: float) -> float:
        for confidence in confidences:
            if not 0.0 <= confidence <= 1.0:
                raise DataError(f"confidence must be between 0 and 1, was {confidence!r}")
        least = min(confidences)
        return (1.0 - least) * c.confidence_factor * notional if least < c.confidence_threshold else 0.0

    total = charge(abs(portfolio.perps) * portfolio.spot, *shared)
    for expiry in portfolio.expiries:
        own = (expiry.forward_confidence, expiry.rate_confidence, expiry.volatility_confidence)
        size = sum(abs(o.size) for o in portfolio.options if o.seconds_to_expiry == expiry.seconds)
        total += charge(size * portfolio.spot, *shared, *own)
    for value, asset in zip(_dollars(portfolio, portfolio.collaterals), portfolio.collaterals, strict=True):
        total += charge(value, portfolio.spot_confidence, asset.confidence)
    return -total


def _name_scenario(scenario: Scenario) -> str:
    return f"spot x {scenario.spot:g}, volatility {scenario.shock}"
