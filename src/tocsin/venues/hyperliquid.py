"""
Hyperliquid's auto-deleveraging score, as its documentation states it. Exact fractions.

The page gives one expression for both sides. For a short it ranks a *smaller* profit higher, since mark over entry
falls as a short gains; the score with the price term turned ranks profit first on both sides.
"""

from fractions import Fraction

from tocsin.venues import VenueRefusal


def documented_score(mark: Fraction, entry: Fraction, notional: Fraction, account_value: Fraction) -> Fraction:
    """
    Return `(mark / entry) x (notional / account value)`, the same for longs and shorts.

    Raises:
        VenueRefusal: Entry or account value are not above 0: such an account is liquidated, not deleveraged.
    """
    if entry <= 0 or account_value <= 0:
        raise VenueRefusal("entry and account value must be above 0")
    return mark / entry * (abs(notional) / account_value)


def profit_first_score(
    is_long: bool, mark: Fraction, entry: Fraction, notional: Fraction, account_value: Fraction
) -> Fraction:
    """
    Return the score with entry over mark for a short: the more profit and leverage, the higher, on both sides.

    Raises:
        VenueRefusal: As `documented_score`, or mark is not above 0.
    """
    if is_long:
        return documented_score(mark, entry, notional, account_value)
    return documented_score(entry, mark, notional, account_value)
