"""
Liquidation and bankruptcy prices of a position inside its account, and bankruptcy value of a partial close
(rules PR-001 to PR-007).

A price here is a mark per lot in units of the settlement asset. One mark before the answer the account stands, at it
it falls: answers are found by bisection over whole marks, with all other legs, funding and balances as they are.
"""

from typing import NamedTuple

from tocsin.core.integers import floor_div
from tocsin.margin.requirement import compute_requirement
from tocsin.margin.state import AccountState, Level
from tocsin.margin.valuation import Valuation, compute_equity, compute_raw_equity


class PriceAnswer(NamedTuple):
    """
    The mark at which a level is reached, or None and why: `no position`, `already below`, or `never`: no mark on the
    losing side within the contract's cap reaches it.
    """

    mark: int | None
    reason: str = ""


def _falls(account: AccountState, valuation: Valuation, contract: int, mark: int, level: Level) -> bool:
    moved = valuation.with_mark(contract, mark)
    if level == Level.BANKRUPTCY:
        return compute_raw_equity(account, moved) < 0
    return compute_equity(account, moved) < compute_requirement(account, moved, level - 1)


def liquidation_price(
    account: AccountState, valuation: Valuation, contract: int, level: Level = Level.LIQUIDATION
) -> PriceAnswer:
    """
    Return the first mark per lot, moving against the position, at which equity is below the requirement of `level`.

    The tiers are those at that mark. Equity less requirement is concave in one contract's mark, so it falls below zero
    once on the losing side and bisection finds the only crossing.

    Complexity: O(positions x log(mark cap)).
    """
    position = account.positions.get(contract)
    if position is None or contract not in valuation.lines:
        return PriceAnswer(None, "no position")
    line = valuation.lines[contract]
    now = line.mark
    if _falls(account, valuation, contract, now, level):
        return PriceAnswer(None, "already below")
    cap = line.terms.mark_cap
    low, high = (1, cap) if now > 0 else (-cap, -1)
    worst = low if position[0] > 0 else high
    if not _falls(account, valuation, contract, worst, level):
        return PriceAnswer(None, "never")
    stands, falls = now, worst
    while abs(stands - falls) > 1:
        middle = (stands + falls) // 2
        if _falls(account, valuation, contract, middle, level):
            falls = middle
        else:
            stands = middle
    return PriceAnswer(falls)


def bankruptcy_price(account: AccountState, valuation: Valuation, contract: int) -> PriceAnswer:
    """
    Return the first mark per lot, moving against the position, at which unhaircut equity is below zero (rule PR-005).
    """
    return liquidation_price(account, valuation, contract, Level.BANKRUPTCY)


def concession_limit(equity: int, freed: int, requirement: int) -> int:
    """
    Return how much a close may cost the account below mark: `E x min(1, freed / requirement)`, rounded down, >= 0
    (rule PR-006). Equity and both requirements are those of the liquidation level.
    """
    if equity <= 0:
        return 0
    if requirement <= 0 or freed >= requirement:
        return equity
    return floor_div(equity * max(freed, 0), requirement)


def bankruptcy_value(value_at_mark: int, equity: int, freed: int, requirement: int) -> int:
    """
    Return what closing a part must at least bring so that it costs the fund nothing (rule PR-007).

    Args:
        value_at_mark: Value of the closed lots at mark, signed: > 0 received for a long, < 0 paid for a short.
        equity: Equity of the account, may be negative.
        freed: Requirement that the close frees.
        requirement: Requirement of the whole account, > 0.

    Returns:
        `value_at_mark - floor(E x freed / requirement)`: rounded up, so that rounding never costs the fund.
    """
    return value_at_mark - floor_div(equity * freed, requirement)
