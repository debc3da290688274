"""
Vega's margins of one futures position, its liquidation price and the network's disposals. Exact fractions.

Sizes are signed units (+ long, - short), prices and amounts quote units, slippage and risk factors shares of notional.
Margins are rounded up to whole units, the other levels down. The lognormal risk factors are floats, as Vega's are
(it votes on them). Source: public specifications 0019-MCAL and 0012-POSR; `core/risk`, `core/execution/liquidation`.
"""

from collections.abc import Iterable
from fractions import Fraction
from math import ceil, erfc, exp, floor, sqrt
from statistics import NormalDist
from typing import NamedTuple

from tocsin.venues import VenueRefusal

LEVEL_PLACES = 10**5
"""Scaling factors are cut to five decimal places."""


class Slippage(NamedTuple):
    """
    Slippage per unit of price: `linear |q| + quadratic q^2`.
    """

    linear: Fraction
    quadratic: Fraction = Fraction(0)


class RiskFactors(NamedTuple):
    """
    Share of notional held against a long and against a short.
    """

    long: Fraction
    short: Fraction


class Order(NamedTuple):
    """
    A resting order: size in units (> 0) and limit price.
    """

    size: Fraction
    price: Fraction


def slippage_factor(size: Fraction, linear: Fraction, quadratic: Fraction) -> Fraction:
    """
    Return slippage per unit of price: `linear |q| + quadratic q^2`, >= 0.
    """
    return linear * abs(size) + quadratic * size * size


def maintenance_margin(
    size: Fraction,
    mark: Fraction,
    *,
    linear: Fraction,
    quadratic: Fraction,
    risk_long: Fraction,
    risk_short: Fraction,
    funding: Fraction = Fraction(0),
) -> Fraction:
    """
    Return the maintenance margin of a position without orders, not rounded.

    `mark x (slippage + |q| x risk factor of its side) + max(0, q x funding)`, funding per unit accrued so far.
    """
    risk = risk_short if size < 0 else risk_long
    held = mark * (slippage_factor(size, linear, quadratic) + abs(size) * risk)
    return held + max(Fraction(0), size * funding)


def maintenance_with_orders(
    size: Fraction,
    mark: Fraction,
    slippage: Slippage,
    risk: RiskFactors,
    *,
    buys: Fraction = Fraction(0),
    sells: Fraction = Fraction(0),
    buy_value: Fraction | None = None,
    sell_value: Fraction | None = None,
    funding: Fraction = Fraction(0),
) -> Fraction:
    """
    Return the maintenance margin of a position with resting orders, not rounded: the worse of two sides.

    A side counts if the position with all its orders filled lies on it: the open position's slippage and risk if it
    stands on that side, plus risk factor times mark of *all* that side's orders. Slippage is never held on orders.

    Args:
        buys: Size of all resting buy orders, >= 0; `sells` likewise.
        buy_value: What the buys are held at in an auction, in place of buys x mark; `sell_value` likewise.
        funding: Per unit of an open position, as in `maintenance_margin`; added to both sides.
    """
    margins: list[Fraction] = []
    for side, orders, value, factor in ((1, buys, buy_value, risk.long), (-1, sells, sell_value, risk.short)):
        margin = Fraction(0)
        if side * size + orders > 0:
            held = max(Fraction(0), side * size)
            margin = mark * (slippage_factor(held, *slippage) + held * factor)
            margin += (orders * mark if value is None else value) * factor
        margins.append(margin + max(Fraction(0), size * funding))
    return max(margins) if size or buys or sells else Fraction(0)


class Levels(NamedTuple):
    """
    Margin levels in whole units.
    """

    maintenance: int
    search: int
    initial: int
    release: int


class Scaling(NamedTuple):
    """
    Factors of the levels above maintenance.
    """

    search: Fraction
    initial: Fraction
    release: Fraction


def margin_levels(maintenance: Fraction, scaling: Scaling) -> Levels:
    """
    Return all levels: maintenance rounded up, the others its factor (cut to five places) times it, rounded down.
    """
    base = ceil(maintenance)
    search, initial, release = (base * floor(f * LEVEL_PLACES) // LEVEL_PLACES for f in scaling)
    return Levels(base, search, initial, release)


def lognormal_risk_factors(*, risk_aversion: float, tau: float, sigma: float, mu: float = 0.0) -> RiskFactors:
    """
    Return the factors of the lognormal model: expected shortfall beyond the quantile `risk_aversion` (L) at `tau`.

    `long = 1 - e^(mu tau) N(z - s) / L`, `short = e^(mu tau) N(z + s) / L - 1`, `z = N^-1(L)`, `s = sigma sqrt(tau)`.
    Floats: about 10 digits of either are reliable. The interest rate of Vega's parameters is not used, as there.

    Raises:
        VenueRefusal: `risk_aversion` is not between 0 and 1, or time or volatility are negative.
    """
    if not 0 < risk_aversion < 1 or tau < 0 or sigma < 0:
        raise VenueRefusal("risk_aversion must be between 0 and 1, tau and sigma at least 0")
    z, spread = NormalDist().inv_cdf(risk_aversion), sigma * sqrt(tau)
    growth = exp(mu * tau) / risk_aversion
    below, above = (erfc(-(z + x) / sqrt(2)) / 2 for x in (-spread, spread))
    return RiskFactors(Fraction(1 - growth * below), Fraction(growth * above - 1))


def funding_payment(
    futures_average: Fraction,
    spot_average: Fraction,
    *,
    rate: Fraction = Fraction(0),
    elapsed: Fraction = Fraction(0),
    lower: Fraction | None = None,
    upper: Fraction | None = None,
) -> Fraction:
    """
    Return what a long unit pays at the end of a funding period, > 0 from long to short.

    `f - s + clamp((1 + elapsed x rate) s - f, lower x s, upper x s)`; without clamps the futures price cancels.
    """
    interest = (1 + elapsed * rate) * spot_average - futures_average
    if lower is not None:
        interest = max(lower * spot_average, interest)
    if upper is not None:
        interest = min(upper * spot_average, interest)
    return futures_average - spot_average + interest


def minimum_margin_factor(slippage: Slippage, risk: RiskFactors) -> Fraction:
    """
    Return what the margin factor of isolated mode must exceed: the larger risk factor plus linear slippage.
    """
    return max(risk) + slippage.linear


def isolated_position_margin(size: Fraction, average_entry: Fraction, factor: Fraction) -> int:
    """
    Return `|q| x average entry x factor`, rounded down to whole units.
    """
    return floor(abs(size) * average_entry * factor)


def isolated_order_margin(
    size: Fraction,
    buys: Iterable[Order],
    sells: Iterable[Order],
    factor: Fraction,
    auction_price: Fraction | None = None,
) -> int:
    """
    Return the order margin of isolated mode: the larger of both sides' `sum(size x limit x factor)`, rounded down.

    Orders against the position are taken best price first and cost nothing until it is closed. In an auction an order
    counts at the auction price if that is higher.
    """
    best_first = (sorted(buys, key=lambda o: -o.price), sorted(sells, key=lambda o: o.price))
    out = 0
    for side, orders in zip((1, -1), best_first, strict=True):
        covered = max(Fraction(0), -side * size)
        total = Fraction(0)
        for order in orders:
            free = min(covered, order.size)
            covered -= free
            total += (order.size - free) * max(order.price, auction_price or order.price)
        out = max(out, floor(total * factor))
    return out


def liquidation_price(
    size: Fraction,
    mark: Fraction,
    collateral: Fraction,
    *,
    linear: Fraction,
    quadratic: Fraction,
    risk_long: Fraction,
    risk_short: Fraction,
    funding: Fraction = Fraction(0),
) -> Fraction | None:
    """
    Return the price at which collateral plus P&L equals the maintenance margin, at least 0.

    `p = (C - q x mark - max(0, q x funding)) / (slippage(q) + |q| x risk - q)`.

    Returns:
        0 without a position or where p would be negative; None where the denominator is 0 (not defined).
    """
    if not size:
        return Fraction(0)
    risk = risk_short if size < 0 else risk_long
    denominator = slippage_factor(size, linear, quadratic) + abs(size) * risk - size
    if not denominator:
        return None
    price = (collateral - size * mark - max(Fraction(0), size * funding)) / denominator
    return max(Fraction(0), price)


def liquidation_price_with_orders(
    size: Fraction,
    mark: Fraction,
    collateral: Fraction,
    side: int,
    orders: Iterable[Order],
    slippage: Slippage,
    risk: RiskFactors,
    funding: Fraction = Fraction(0),
) -> Fraction | None:
    """
    Return the liquidation price if orders of one side (+1 buys, -1 sells) fill best first on the way there.

    Each fill marks the position to its price. The walk ends where the position so far is closed out before the next
    order's price is reached.

    Returns:
        As `liquidation_price`; None as soon as one step is not defined.
    """
    terms = {
        "linear": slippage.linear,
        "quadratic": slippage.quadratic,
        "risk_long": risk.long,
        "risk_short": risk.short,
        "funding": funding,
    }
    price = liquidation_price(size, mark, collateral, **terms)
    for order in sorted(orders, key=lambda o: -side * o.price):
        if price is None or (side * size > 0 and side * (order.price - price) < 0):
            break
        collateral += size * (order.price - mark)
        size, mark = size + side * order.size, order.price
        price = liquidation_price(size, mark, collateral, **terms)
    return price


def disposal_sizes(
    position: int,
    *,
    fraction: Fraction,
    full_size: int,
    max_consumed: Fraction,
    available: int,
    steps_max: int = 10_000,
) -> list[int]:
    """
    Return the sizes in which the network sells a position it took over, one a step, the same volume before each.

    A position of at most `full_size` goes at once, a larger one by `ceil(fraction x |q|)`; each at most
    `ceil(max_consumed x available)`, the volume within the disposal's price range. Without any the list ends.

    Raises:
        VenueRefusal: More than `steps_max` steps.
    """
    left, out = abs(position), list[int]()
    limit = ceil(max_consumed * available)
    while left:
        size = min(left if left <= full_size else ceil(fraction * left), limit, left)
        if size <= 0:
            break
        if len(out) == steps_max:
            raise VenueRefusal(f"the position is not disposed of in {steps_max} steps")
        out.append(size)
        left -= size
    return out
