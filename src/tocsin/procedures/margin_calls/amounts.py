"""
What a collateral agreement asks one side to move: required support, delivery, return (rules MC-020 to MC-025).

All amounts are units of the agreement's base currency, values of collateral after their haircuts. Rounding is to the
agreement's multiple and against the transferor: a delivery up, a return down.
"""

from enum import IntEnum
from typing import NamedTuple

from tocsin.core.integers import ceil_div, floor_div


class Movement(IntEnum):
    """Which way collateral moves, as the secured party sees it."""

    NONE = 0
    DELIVER = 1
    RETURN = 2


class Approach(IntEnum):
    """
    How an agreement puts initial margin and an independent amount together.

    `DISTINCT`: the independent amount is held elsewhere and does not count here. `GREATER_OF`: the larger of the two.
    """

    DISTINCT = 0
    GREATER_OF = 1


class Transfer(NamedTuple):
    """A movement and its amount: > 0, or 0 with `NONE`; and `short`, required less held (negative: excess)."""

    movement: Movement
    amount: int
    short: int


def credit_support(exposure: int, independent: int, threshold: int) -> int:
    """
    Return the collateral one side must have with the other, in units, >= 0 (rule MC-020).

    Args:
        exposure: Mark-to-market the secured party would lose, + the other owes, - it is owed.
        independent: Independent amount of the transferor less that of the secured party, of any sign.
        threshold: Exposure that stays unsecured, >= 0; 0 for cleared accounts and for a party in default.
    """
    assert threshold >= 0
    return max(0, exposure + independent - threshold)


def credit_support_two_way(value: int, independent: int, threshold_receive: int, threshold_pay: int) -> int:
    """
    Return the collateral balance of a two-way agreement, + to receive, - to pay (rule MC-021).

    Args:
        value: Mark-to-market, + the other side owes.
        independent: Independent amount in our favour, of any sign.
        threshold_receive: What the other side may owe unsecured, >= 0.
        threshold_pay: What we may owe unsecured, >= 0.

    Invariants: the other side, with signs and thresholds exchanged, computes the negative of it.
    """
    assert threshold_receive >= 0 and threshold_pay >= 0
    owed = value + independent
    return max(owed - threshold_receive, 0) if owed > 0 else min(owed + threshold_pay, 0)


def initial_margin_support(margin: int, threshold: int, independent: int, approach: Approach) -> int:
    """
    Return the collateral required for initial margin, in units, >= 0 (rule MC-022).

    Args:
        margin: Initial margin of the model, >= 0.
        threshold: Margin that stays unsecured, >= 0.
        independent: Independent amount agreed, >= 0.
        approach: How the two are put together.
    """
    assert margin >= 0 and threshold >= 0 and independent >= 0
    above = max(0, margin - threshold)
    return max(above, independent) if approach is Approach.GREATER_OF else above


def size_transfer(required: int, held: int, disputed: int = 0, *, least: int = 0, multiple: int = 1) -> Transfer:
    """
    Return what moves now: a delivery if collateral is short, a return if it is in excess (rules MC-023 to MC-025).

    Args:
        required: Credit support, >= 0.
        held: Collateral held and in transit, after haircuts, >= 0.
        disputed: Part of the movement that is disputed, >= 0: it is taken off first and stays until it is settled.
        least: Minimum transfer amount, >= 0; an amount equal to it moves.
        multiple: Amounts that move are multiples of it, >= 1.

    Invariants: never both movements; a larger `required` never lowers a delivery; a return never leaves less than
        `required`.
    """
    assert required >= 0 and held >= 0 and disputed >= 0 and least >= 0 and multiple >= 1
    short = required - held
    agreed = abs(short) - disputed
    if agreed <= 0 or agreed < least:
        return Transfer(Movement.NONE, 0, short)
    if short > 0:
        return Transfer(Movement.DELIVER, ceil_div(agreed, multiple) * multiple, short)
    amount = floor_div(agreed, multiple) * multiple
    return Transfer(Movement.RETURN if amount else Movement.NONE, amount, short)
