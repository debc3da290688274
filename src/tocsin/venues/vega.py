"""
Vega's margin of one futures position, as its public specification 0019-MCAL states it. Exact fractions.

Sizes are signed units (+ long, - short), prices and amounts quote units, slippage and risk factors shares of notional.
Tocsin's own requirement is piecewise linear in lots and cannot hold the quadratic slippage; this does.
"""

from fractions import Fraction


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
