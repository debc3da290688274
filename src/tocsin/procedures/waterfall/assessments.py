"""
A clearing house's losses after a default: whose money in which order, and what follows when it is spent.

Rules WF-072 to WF-075. All amounts are units of one asset, lots are whole. Members stand in canonical order; only the
last unit of one may depend on it.
"""

from typing import NamedTuple

from tocsin.core.integers import PPM, floor_div, share_pro_rata
from tocsin.procedures.waterfall.funds import Stage, draw_stages


class DefaultLoss(NamedTuple):
    """
    Who paid a default, in units and in this order; `uncovered` is what nobody owed any more.

    Margin and fund contribution of the defaulter, the clearing house's own capital, then per surviving member its
    contribution used and its assessment. They sum to the loss less `uncovered`.
    """

    defaulter_margin: int
    defaulter_contribution: int
    own_capital: int
    contributions: list[int]
    assessments: list[int]
    uncovered: int


class GainsHaircut(NamedTuple):
    """
    Gains after their haircut: what each is paid (losers pay in full, < 0), the cut as a fraction `cut / gains`, and
    what the gains could not cover.
    """

    paid: list[int]
    cut: int
    gains: int
    residual: int


def assessment_cap(contribution: int, multiple_ppm: int, called: int = 0) -> int:
    """
    Return what a member may still be assessed in one capped period, in units, >= 0, rounded down (rule WF-072).

    Args:
        contribution: Its default-fund contribution at the start of the period, >= 0.
        multiple_ppm: Cap as a multiple of the contribution, in ppm.
        called: What was assessed in the same period already, >= 0.
    """
    assert contribution >= 0 and multiple_ppm >= 0 and called >= 0
    return max(0, floor_div(contribution * multiple_ppm, PPM) - called)


def absorb_default(
    loss: int,
    defaulter_margin: int,
    defaulter_contribution: int,
    own_capital: int,
    contributions: list[int],
    caps: list[int],
    *,
    first_extra: int = 0,
) -> DefaultLoss:
    """
    Draw a default loss in the order of a clearing house (rule WF-073).

    Defaulter's margin, defaulter's contribution, own capital, then survivors' contributions and, when these are
    spent, assessments, each shared pro rata to what the member owes at that stage. Survivors' margin is never used.

    Args:
        loss: Units missing, >= 0.
        defaulter_margin: The defaulter's margin, >= 0.
        defaulter_contribution: Its default-fund contribution, >= 0.
        own_capital: The clearing house's capital that stands before the members', >= 0.
        contributions: Survivors' default-fund contributions, >= 0.
        caps: What each survivor may be assessed (`assessment_cap`), >= 0, in the same order.
        first_extra: Where the remainder policy `rotate` begins.

    Source: Regulation (EU) 648/2012 Article 45; the same order in the Swiss FinMIA Article 53.
    """
    assert len(contributions) == len(caps)
    stages = [defaulter_margin, defaulter_contribution, own_capital, sum(contributions), sum(caps)]
    drawn = draw_stages(loss, [Stage(i, balance) for i, balance in enumerate(stages)])
    units = [paid for _, paid in drawn.draws]
    return DefaultLoss(
        units[0],
        units[1],
        units[2],
        share_pro_rata(units[3], contributions, first_extra=first_extra),
        share_pro_rata(units[4], caps, first_extra=first_extra),
        drawn.remainder,
    )


def haircut_gains(uncovered: int, gains: list[int], *, first_extra: int = 0) -> GainsHaircut:
    """
    Cut the variation margin owed to winners by one share, so that it pays what is uncovered (rule WF-074).

    Args:
        uncovered: Units missing, >= 0.
        gains: Variation margin due since the default, + owed to the member, - owed by it.
        first_extra: Where the remainder policy `rotate` begins.

    Invariants: what is paid sums to `sum(gains) - uncovered + residual`; nobody pays for having gained.
    Source: ISDA, CCP Loss Allocation at the End of the Waterfall (2013).
    """
    assert uncovered >= 0
    winners = [max(0, g) for g in gains]
    whole = sum(winners)
    cut = min(uncovered, whole)
    shares = share_pro_rata(cut, winners, first_extra=first_extra)
    return GainsHaircut([g - s for g, s in zip(gains, shares, strict=True)], cut, whole, uncovered - cut)


def tear_up(lots: int, opposite: list[int], *, first_extra: int = 0) -> list[int]:
    """
    Return the lots torn up of each position opposite to the unmatched book, pro rata, whole (rule WF-075).

    Args:
        lots: Absolute lots of the clearing house that no one took over, >= 0.
        opposite: Absolute lots of each position on the other side, >= 0.
        first_extra: Where the remainder policy `rotate` begins.

    Invariants: exactly `min(lots, sum(opposite))` in total; none above what it has. Torn up at the last settlement
        price, so that no money beyond variation margin moves.
    """
    assert lots >= 0 and all(n >= 0 for n in opposite)
    return share_pro_rata(min(lots, sum(opposite)), opposite, first_extra=first_extra)
