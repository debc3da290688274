"""
Synthetix v3 perps: margins that grow with size over skew scale, and the market-wide liquidation window.

Exact fractions; the engine cuts each product and quotient at 10^-18. Sizes are signed units, amounts dollars. Source:
`PerpsMarketConfiguration.sol` and `PerpsMarket.sol` of the perps market.
"""

from collections.abc import Iterable
from fractions import Fraction
from typing import NamedTuple


class MarginTerms(NamedTuple):
    """
    A market's margin: skew scale (0: no impact), ratio at a size of it, least ratio, share of the initial ratio that
    is maintenance, amount added to both per position.
    """

    skew_scale: Fraction
    initial_ratio: Fraction
    min_initial_ratio: Fraction
    maintenance_scalar: Fraction
    min_margin: Fraction = Fraction(0)


class Margins(NamedTuple):
    """
    Initial and maintenance margin, without the liquidation reward.
    """

    initial: Fraction
    maintenance: Fraction


def position_margins(size: Fraction, price: Fraction, terms: MarginTerms) -> Margins:
    """
    Return the margins of one position, not rounded; nothing without a size.

    `IMR = |q| / skew scale x ratio + least ratio`, `MMR = IMR x scalar`; each times notional, plus the least amount.
    """
    if not size:
        return Margins(Fraction(0), Fraction(0))
    impact = abs(size) / terms.skew_scale if terms.skew_scale else Fraction(0)
    ratio = impact * terms.initial_ratio + terms.min_initial_ratio
    notional = abs(size) * price
    initial = notional * ratio + terms.min_margin
    return Margins(initial, notional * ratio * terms.maintenance_scalar + terms.min_margin)


def account_margins(positions: Iterable[tuple[Fraction, Fraction, MarginTerms]]) -> Margins:
    """
    Return the sum over (size, price, terms) of all positions: nothing offsets.
    """
    margins = [position_margins(*p) for p in positions]
    return Margins(sum((m.initial for m in margins), Fraction(0)), sum((m.maintenance for m in margins), Fraction(0)))


class WindowTerms(NamedTuple):
    """
    A market's liquidation window: fees, skew scale, multiplier, seconds; the |skew| / skew scale below which a full
    window more is allowed although it is used up (0: never).
    """

    maker_fee: Fraction
    taker_fee: Fraction
    skew_scale: Fraction
    multiplier: Fraction
    seconds: int
    max_premium: Fraction = Fraction(0)

    @property
    def capacity(self) -> Fraction:
        """Size that may be liquidated in one window, market-wide."""
        return (self.maker_fee + self.taker_fee) * self.skew_scale * self.multiplier * self.seconds


class LiquidationWindow:
    """
    What was liquidated in a market, and when: `liquidate` in order of time.

    Args:
        terms: The market's window.
    """

    def __init__(self, terms: WindowTerms) -> None:
        self.terms = terms
        self._done: list[tuple[int, Fraction]] = []

    def capacity_at(self, time_s: int) -> Fraction:
        """Return what may be liquidated at a time: the window less what fell within its last seconds, >= 0."""
        start = time_s - self.terms.seconds
        return max(Fraction(0), self.terms.capacity - sum(size for at, size in self._done if at > start))

    def liquidate(
        self, time_s: int, size: Fraction, *, skew: Fraction | None = None, unlimited: bool = False
    ) -> Fraction:
        """
        Return how much of |size| is liquidated at a time, and count it.

        Args:
            time_s: Seconds, never before the last call's.
            skew: The market's skew, for the rule of `max_premium`; it never applies twice at one time.
            unlimited: True for the endorsed liquidator, whose amounts are not limited but count.

        A market without capacity at all is set up wrongly and limits nothing.
        """
        wanted = abs(size)
        if not self.terms.capacity:
            return wanted
        amount = wanted if unlimited else min(self.capacity_at(time_s), wanted)
        fresh = not self._done or self._done[-1][0] != time_s
        if not amount and fresh and skew is not None and self.terms.skew_scale:
            if abs(skew) / self.terms.skew_scale < self.terms.max_premium:
                amount = min(self.terms.capacity, wanted)
        if amount:
            self._done.append((time_s, amount))
        return amount
