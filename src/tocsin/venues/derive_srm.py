"""
Derive's standard margin (SRM) of one account: perpetuals, options and base assets of several underlyings.

Margins are net: what is left above the requirement, in quote units. An account may open while the initial margin is at
least 0 and stands while the maintenance margin is. Sizes are signed (+ long, - short). Positions in different
underlyings never offset each other; in one expiry, options do.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from tocsin.core.errors import DataError
from tocsin.risk.pricing import value_undiscounted
from tocsin.venues.derive_shocks import YEAR_S, need_positive
from tocsin.venues.derive_terms import StandardTerms


class StandardOption(NamedTuple):
    """
    One option: expiry, strike > 0, call or put, mark volatility >= 0, signed size, forward > 0, feeds' confidence.

    In the settlement window the forward is the blend of what is averaged already and what may still move.
    """

    seconds_to_expiry: float
    strike: float
    call: bool
    volatility: float
    size: float
    forward: float
    volatility_confidence: float = 1.0
    forward_confidence: float = 1.0


class Market(NamedTuple):
    """
    What one account holds in one underlying, and its prices.

    `base` >= 0 is the deposited underlying. `perp_pnl` and `funding` are accrued and not yet settled, signed.
    """

    spot: float
    perp_price: float = 0.0
    perps: float = 0.0
    perp_pnl: float = 0.0
    funding: float = 0.0
    base: float = 0.0
    options: tuple[StandardOption, ...] = ()
    spot_confidence: float = 1.0
    perp_confidence: float = 1.0


class Level(NamedTuple):
    """
    One level's net margin and its parts: cash and every other part signed, charges <= 0.
    """

    margin: float
    cash: float
    perp: float
    unsettled: float
    option: float
    base: float
    depeg: float
    oracle: float


class StandardMargin(NamedTuple):
    """Initial and maintenance margin with their parts; `mark_to_market` counts every asset in full."""

    initial: Level
    maintenance: Level
    mark_to_market: float


def compute_standard_margin(
    cash: float, markets: Mapping[str, Market], terms: Mapping[str, StandardTerms], stable_price: float = 1.0
) -> StandardMargin:
    """
    Compute initial and maintenance margin of one account, in quote units, not rounded.

    Args:
        cash: Signed.
        markets: By underlying.
        terms: Parameters of each underlying of `markets`.
        stable_price: Of the stable asset in which all is quoted, > 0.

    Raises:
        DataError: A price or confidence is out of its range, or an underlying has no terms; the message names it.
    """
    need_positive("stable_price", stable_price)
    for name, market in markets.items():
        if name not in terms:
            raise DataError(f"terms must hold the underlying {name!r}, hold {sorted(terms)}")
        _check(name, market)
    value = cash + sum(
        m.base * m.spot + m.perp_pnl + m.funding + sum(map(value_option, m.options)) for m in markets.values()
    )
    levels = [_compute_level(cash, markets, terms, stable_price, initial=initial) for initial in (True, False)]
    if not (math.isfinite(levels[0].margin) and math.isfinite(levels[1].margin)):
        raise DataError("sizes, cash and accrued amounts must be finite numbers; the margin is not")
    return StandardMargin(levels[0], levels[1], value)


def _check(name: str, market: Market) -> None:
    need_positive(f"spot of {name}", market.spot)
    if market.perps:
        need_positive(f"perp_price of {name}", market.perp_price)
    if not 0.0 <= market.base < math.inf:
        raise DataError(f"base of {name} must be at least 0, was {market.base!r}")
    for option in market.options:
        need_positive(f"strike of an option on {name}", option.strike)
        need_positive(f"forward of an option on {name}", option.forward)
        if not math.isfinite(option.size):
            raise DataError(f"size of an option on {name} must be a finite number, was {option.size!r}")
        if not (0.0 <= option.seconds_to_expiry < math.inf and 0.0 <= option.volatility < math.inf):
            raise DataError(
                f"time and volatility of an option on {name} must be at least 0, were {option.seconds_to_expiry!r} "
                f"and {option.volatility!r}"
            )


def _compute_level(
    cash: float,
    markets: Mapping[str, Market],
    terms: Mapping[str, StandardTerms],
    stable_price: float,
    *,
    initial: bool,
) -> Level:
    perp = unsettled = option = base = depeg = oracle = 0.0
    for name, market in markets.items():
        t = terms[name]
        perp -= abs(market.perps) * market.perp_price * (t.perp_initial if initial else t.perp_maintenance)
        unsettled += market.perp_pnl + market.funding
        for legs in _by_expiry(market.options):
            option += margin_expiry(legs, market.spot, t, initial=initial)
        base += market.base * market.spot * t.base_factor * (t.base_initial_scale if initial else 1.0)
        if initial:
            exposed = abs(market.perps) + sum(max(0.0, -o.size) for o in market.options)
            depeg -= max(0.0, t.depeg_threshold - stable_price) * t.depeg_factor * market.spot * exposed
            oracle -= _oracle_charge(market, t)
    return Level(
        cash + perp + unsettled + option + base + depeg + oracle, cash, perp, unsettled, option, base, depeg, oracle
    )


def margin_expiry(legs: Sequence[StandardOption], spot: float, terms: StandardTerms, *, initial: bool) -> float:
    """
    Return the net margin of all options of one expiry, <= 0: each short leg by itself, or the greatest loss if better.
    """
    alone = sum(margin_short_option(leg, spot, terms, initial=initial) for leg in legs)
    return max(alone, greatest_loss(legs, terms.unpaired_initial if initial else terms.unpaired_maintenance))


def margin_short_option(option: StandardOption, spot: float, terms: StandardTerms, *, initial: bool) -> float:
    """
    Return the net margin of one option by itself, <= 0: its value less a share of spot; nothing for a long one.
    """
    if option.size >= 0.0:
        return 0.0
    value = value_option(option)
    notional = spot * -option.size
    outside = (option.strike - spot if option.call else spot - option.strike) / spot
    share = max(terms.initial_max - max(0.0, outside), terms.initial_min)
    if option.call:
        return value - notional * (share if initial else terms.call_maintenance)
    maintenance = value + min(-terms.put_maintenance * notional, terms.put_value_maintenance * value)
    return min(value - notional * share, terms.put_initial_scale * maintenance) if initial else maintenance


def greatest_loss(legs: Sequence[StandardOption], unpaired_factor: float) -> float:
    """
    Return the least payoff at expiry, <= 0, over a settlement price of 0 and every strike.

    Calls sold on balance lose without bound above the last strike: each costs `unpaired_factor` times the forward more.
    """
    prices = sorted({0.0, *(leg.strike for leg in legs)})
    loss = min(0.0, *(sum(leg.size * _payoff(leg, price) for leg in legs) for price in prices))
    net_calls = sum(leg.size for leg in legs if leg.call)
    forward = legs[0].forward if legs else 0.0
    return loss + unpaired_factor * forward * min(0.0, net_calls)


def value_option(option: StandardOption) -> float:
    """
    Return the signed value of a position in an option: Black-76 at its forward, not discounted.
    """
    deviation = option.volatility * math.sqrt(option.seconds_to_expiry / YEAR_S)
    return option.size * value_undiscounted(option.forward, option.strike, deviation, call=option.call)


def _payoff(option: StandardOption, price: float) -> float:
    return max(0.0, price - option.strike if option.call else option.strike - price)


def _by_expiry(options: Iterable[StandardOption]) -> list[list[StandardOption]]:
    groups: dict[float, list[StandardOption]] = {}
    for option in options:
        groups.setdefault(option.seconds_to_expiry, []).append(option)
    for seconds, legs in groups.items():
        if len({leg.forward for leg in legs}) > 1:
            raise DataError(
                f"options that expire in {seconds:g} s must have one forward, were {[x.forward for x in legs]}"
            )
    return [groups[seconds] for seconds in sorted(groups)]


def _oracle_charge(market: Market, terms: StandardTerms) -> float:
    """
    Return the charge, >= 0, for low confidence of the feeds a position rests on.

    Perpetuals rest on spot and their own feed, short options on spot, forward and volatility, the base asset on spot.
    """

    def charge(size: float, *confidences: float) -> float:
        for confidence in confidences:
            if not 0.0 <= confidence <= 1.0:
                raise DataError(f"confidence must be between 0 and 1, was {confidence!r}")
        least = min(confidences)
        return size * market.spot * (1.0 - least) * terms.oracle_factor if least < terms.oracle_threshold else 0.0

    total = charge(abs(market.perps), market.spot_confidence, market.perp_confidence)
    total += charge(market.base, market.spot_confidence)
    for option in market.options:
        feeds = (market.spot_confidence, option.forward_confidence, option.volatility_confidence)
        total += charge(max(0.0, -option.size), *feeds)
    return total
