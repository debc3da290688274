"""
How large a default fund must be, and what each member pays into it (rules WF-070 and WF-071).

All amounts are units of one asset. Losses are those of a stress scenario beyond the group's own margin; a group is a
member with all its affiliates.
"""

from typing import NamedTuple

from tocsin.core.integers import ceil_div


class FundSize(NamedTuple):
    """
    The fund by three standards, in units, >= 0: the largest loss of one group, of two groups together in one scenario,
    and the larger of the largest and of the second and third together.
    """

    cover_one: int
    cover_two: int
    one_or_next_two: int


def size_default_fund(losses: list[list[int]]) -> FundSize:
    """
    Return the fund that covers the worst scenario (rule WF-070).

    Args:
        losses: Per group, per scenario: stress loss above the group's margin, in units; below 0 counts as 0. All
            groups have the same scenarios in the same order.

    Invariants: `cover_one <= one_or_next_two <= cover_two <= 2 x cover_one`; the order of groups and of
        scenarios does not matter.
    Source: PFMI Principle 4 (cover one, cover two); Regulation (EU) 648/2012 Article 42(3).
    """
    assert len({len(row) for row in losses}) <= 1, "every group has every scenario"
    one = two = emir = 0
    for scenario in zip(*losses, strict=True):
        worst = [*sorted((max(0, loss) for loss in scenario), reverse=True)[:3], 0, 0, 0]
        one = max(one, worst[0])
        two = max(two, worst[0] + worst[1])
        emir = max(emir, worst[0], worst[1] + worst[2])
    return FundSize(one, two, emir)


def share_default_fund(size: int, weights: list[int], minimum: int) -> list[int]:
    """
    Return each member's contribution: its part of the fund by weight, rounded up, at least the minimum (rule WF-071).

    Args:
        size: Units the fund must hold, >= 0.
        weights: What members are weighed by (mean initial margin), >= 0; not all 0 unless `size` is.
        minimum: Least contribution, >= 0.

    Invariants: contributions sum to `size` or more; a larger weight never pays less.
    """
    assert size >= 0 and minimum >= 0 and all(w >= 0 for w in weights)
    whole = sum(weights)
    assert whole or not size, "a fund needs a weight to be shared by"
    return [max(minimum, ceil_div(size * w, whole) if whole else 0) for w in weights]
