"""
Draw a claim from funds in order, and settle a liquidation with the insurance fund (rules WF-020 to WF-022).

All amounts are units of one asset; a fund never goes below zero and never pays above its draw cap.
"""

from typing import NamedTuple

from tocsin.core.integers import share_pro_rata


class Stage(NamedTuple):
    """
    One absorber: its id, its balance in units (>= 0), and the most it may pay now (None: all it has).
    """

    fund: int
    balance: int
    cap: int | None = None

    @property
    def available(self) -> int:
        """Units the stage may pay now, >= 0."""
        return self.balance if self.cap is None else min(self.balance, self.cap)


class Draws(NamedTuple):
    """
    Units drawn per stage, in order, and what is left of the claim.
    """

    draws: list[tuple[int, int]]
    remainder: int


class SharedDraws(NamedTuple):
    """
    Units drawn per stage and claim (`draws[stage][claim]`), and what is left of each claim.
    """

    draws: list[list[int]]
    remainders: list[int]


def draw_stages(claim: int, stages: list[Stage]) -> Draws:
    """
    Draw one claim from stages in their order, each up to min(balance, cap) (WF-020).

    Args:
        claim: Units missing, >= 0.
        stages: Absorbers in the order of the waterfall.

    Returns:
        One (fund, units) per stage, zero included; draws and remainder sum to the claim.
    """
    assert claim >= 0
    draws: list[tuple[int, int]] = []
    for stage in stages:
        assert stage.balance >= 0 and (stage.cap is None or stage.cap >= 0)
        paid = min(claim, stage.available)
        draws.append((stage.fund, paid))
        claim -= paid
    return Draws(draws, claim)


def share_stages(claims: list[int], stages: list[Stage], *, first_extra: int = 0) -> SharedDraws:
    """
    Draw several claims of one cycle from the same stages, each stage shared pro rata (WF-021).

    A stage that covers all that is left pays it in full; one that does not is shared in proportion to what is
    left of each claim, its remainder by `ROTATE` from `first_extra`. No claim gains by coming first.

    Returns:
        Units per stage and claim; per claim, draws and remainder sum to the claim.
    """
    assert all(c >= 0 for c in claims)
    left = list(claims)
    draws: list[list[int]] = []
    for stage in stages:
        assert stage.balance >= 0 and (stage.cap is None or stage.cap >= 0)
        paid = share_pro_rata(min(sum(left), stage.available), left, first_extra=first_extra)
        left = [rest - units for rest, units in zip(left, paid, strict=True)]
        draws.append(paid)
    return SharedDraws(draws, left)


def insurance_fund_delta(received: int, bankruptcy_value: int, fee_cap: int) -> int:
    """
    Return what a liquidation fill adds to the insurance fund, in units (WF-022).

    Args:
        received: Cash the account got from the fill: > 0 for a sale, < 0 for a purchase.
        bankruptcy_value: Cash at which the fill would have left equity / requirement unchanged, same sign
            convention, rounded toward plus infinity.
        fee_cap: Most the fund may take, >= 0.

    Returns:
        `received - bankruptcy_value` if <= 0: the fund pays that much. Else the smaller of it and `fee_cap`.
    """
    assert fee_cap >= 0
    return min(received - bankruptcy_value, fee_cap)
