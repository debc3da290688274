"""
Percolator: losses shared by global scales instead of deleveraging. Whole units; scales are 64-bit binary fractions.

Source: the README's haircut `h`, and `crates/model_safety/src/crisis/haircut.rs` (loss sharing in constant time).
"""

from collections.abc import Iterable
from fractions import Fraction
from typing import NamedTuple

from tocsin.core.integers import trunc_div

SCALE_ONE = 2**64


def profit_haircut(vault: Fraction, capital: Fraction, insurance: Fraction, profits: Iterable[Fraction]) -> Fraction:
    """
    Return the share `h` of positive profit that is backed: `min(max(0, V - C - I), PNL+) / PNL+`.

    One where nobody has a profit. Losses count as no profit, they do not reduce it.
    """
    positive = sum((p for p in profits if p > 0), Fraction(0))
    if not positive:
        return Fraction(1)
    return min(max(Fraction(0), vault - capital - insurance), positive) / positive


class Totals(NamedTuple):
    """
    Sums over all users (principal, realised and unvested profit), the insurance fund, and collateral held.
    """

    principal: int
    realised: int
    warming: int
    insurance: int
    collateral: int

    @property
    def deficit(self) -> int:
        """Liabilities above assets, >= 0; insurance is an asset."""
        owed = self.principal + self.realised + self.warming
        return max(0, owed - self.collateral - self.insurance)


class Crisis(NamedTuple):
    """
    What was burned, drawn and cut: `equity_ratio` in 2^-64, rounded down; and the totals after.
    """

    burned_warming: int
    insurance_draw: int
    equity_ratio: int
    after: Totals


def apply_crisis(totals: Totals) -> Crisis:
    """
    Return a deficit's way through the stages: unvested profit, insurance, then principal and realised profit alike.

    The insurance fund counts among the assets, so that drawing on it uncovers as much as it pays: what is drawn is
    cut from equity too. Equity is multiplied by `1 - ratio` and cut; without equity a deficit stays.
    """
    burned = min(totals.deficit, max(0, totals.warming))
    left = totals._replace(warming=totals.warming - burned)
    draw = min(left.deficit, max(0, left.insurance))
    left = left._replace(insurance=left.insurance - draw)
    equity, ratio = left.principal + left.realised, 0
    if left.deficit and equity > 0:
        ratio = min(SCALE_ONE, left.deficit * SCALE_ONE // equity)
        keep = SCALE_ONE - ratio
        left = left._replace(
            principal=trunc_div(left.principal * keep, SCALE_ONE), realised=trunc_div(left.realised * keep, SCALE_ONE)
        )
    return Crisis(burned, draw, ratio, left)
