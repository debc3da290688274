"""
Paradex's partial liquidation: all positions cut by the same share, in steps, until the margin ratio is low enough.

Exact fractions of the settlement asset. Source: the venue's page on liquidations. Its text states a fee of 70 % of the
margin that is closed away; its worked table takes 50 %, and so does this unless told otherwise.
"""

from collections.abc import Iterable
from fractions import Fraction
from typing import NamedTuple

from tocsin.venues import VenueRefusal

TABLE_FEE_SHARE = Fraction(1, 2)


class Position(NamedTuple):
    """
    A position: signed size, entry and mark price, maintenance margin fraction of notional.
    """

    size: Fraction
    entry: Fraction
    mark: Fraction
    fraction: Fraction


class Step(NamedTuple):
    """
    An account after closing a share: requirement left, fee paid, account value left, requirement over value (None if
    no value is left).
    """

    share: Fraction
    requirement: Fraction
    fee: Fraction
    value: Fraction
    ratio: Fraction | None


def account_value(collateral: Fraction, positions: Iterable[Position]) -> Fraction:
    """
    Return collateral plus unrealised profit at mark.
    """
    return collateral + sum((p.size * (p.mark - p.entry) for p in positions), Fraction(0))


def maintenance_requirement(positions: Iterable[Position]) -> Fraction:
    """
    Return the sum of notional x fraction.
    """
    return sum((abs(p.size) * p.mark * p.fraction for p in positions), Fraction(0))


def close_share(value: Fraction, requirement: Fraction, share: Fraction, fee_share: Fraction) -> Step:
    """
    Return the account after closing `share` of every position at mark, for a fee of that share x requirement x
    `fee_share`.
    """
    fee = share * requirement * fee_share
    left, rest = requirement * (1 - share), value - fee
    return Step(share, left, fee, rest, left / rest if rest > 0 else None)


def choose_share(
    value: Fraction, requirement: Fraction, *, step: Fraction, target: Fraction, fee_share: Fraction = TABLE_FEE_SHARE
) -> tuple[Fraction, list[Step]]:
    """
    Return the share that is closed and the table of all partial steps.

    The smallest multiple of `step` that brings requirement over value strictly under `target`; everything if no part
    does; nothing if the account's value covers its requirement.

    Raises:
        VenueRefusal: `step` is not above 0 and at most 1, or makes more than 10,000 steps.
    """
    if not 0 < step <= 1 or step * 10_000 < 1:
        raise VenueRefusal(f"share_multiple must be at least 0.0001 and at most 1, was {step}")
    steps: list[Step] = []
    share = step
    while share < 1:
        steps.append(close_share(value, requirement, share, fee_share))
        share += step
    if value >= requirement:
        return Fraction(0), steps
    return next((s.share for s in steps if s.ratio is not None and s.ratio < target), Fraction(1)), steps
