"""
Hyperliquid: its rulebooks, and its auto-deleveraging score as the documentation states it (exact fractions).

The page on deleveraging gives one expression for both sides. For a short it ranks a *smaller* profit higher, since mark
over entry falls as a short gains; the score with the price term turned ranks profit first on both sides.
"""

from fractions import Fraction

from tocsin.venues import VenueRefusal
from tocsin.venues.contract import Mode, Product
from tocsin.venues.hyperliquid_margin import evaluate_cross, evaluate_isolated
from tocsin.venues.hyperliquid_pm import evaluate_portfolio
from tocsin.venues.registry import Rulebook

RULEBOOKS: tuple[Rulebook, ...] = (
    Rulebook(
        name="hyperliquid",
        title="Hyperliquid, cross (isolated legs included)",
        venue="hyperliquid",
        modes=(Mode.CROSS, Mode.ISOLATED),
        products=(Product.LINEAR,),
        evaluate=evaluate_cross,
        page="hyperliquid.md",
    ),
    Rulebook(
        name="hyperliquid-isolated",
        title="Hyperliquid, isolated",
        venue="hyperliquid",
        modes=(Mode.ISOLATED,),
        products=(Product.LINEAR,),
        evaluate=evaluate_isolated,
        page="hyperliquid.md",
    ),
    Rulebook(
        name="hyperliquid-pm",
        title="Hyperliquid, portfolio margin (alpha)",
        venue="hyperliquid",
        modes=(Mode.PORTFOLIO, Mode.CROSS),
        products=(Product.LINEAR,),
        evaluate=evaluate_portfolio,
        page="hyperliquid.md",
    ),
)


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
