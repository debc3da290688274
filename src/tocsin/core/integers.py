"""
Exact integer arithmetic with named rounding (rulebook UN-001 to UN-003).

Every function works on Python integers of any size; whether results fit a machine word is decided once,
at publication and admission (rule UN-010), never here.
"""

from math import isqrt as isqrt

PPM = 1_000_000
"""Parts per million: the scale of every published rate and factor."""

GAIN_PARTS = 256
"""Denominator of the part of a gain that counts against losses elsewhere, and of lambda."""

INT64_MAX = 2**63 - 1


def floor_div(a: int, b: int) -> int:
    """
    Divide and round toward minus infinity; `b` > 0.
    """
    assert b > 0
    return a // b


def ceil_div(a: int, b: int) -> int:
    """
    Divide and round toward plus infinity; `b` > 0.
    """
    assert b > 0
    return -(-a // b)


def trunc_div(a: int, b: int) -> int:
    """
    Divide and round toward zero; `b` > 0.
    """
    assert b > 0
    return a // b if a >= 0 else -(-a // b)


def sign(a: int) -> int:
    """
    Return -1, 0 or +1.
    """
    return (a > 0) - (a < 0)


def share_pro_rata(total: int, weights: list[int], *, first_extra: int = 0) -> list[int]:
    """
    Split `total` >= 0 in proportion to `weights` >= 0, in whole units that sum to `total` exactly.

    Each share is rounded down; the remainder r < number of weights > 0 is dealt one unit each to r
    claimants with positive weight, starting at position `first_extra` modulo their count (the policy
    `rotate`; rule WF-010). All-zero weights give all-zero shares.

    Invariants: when total <= sum(weights), no share exceeds its weight.
    Complexity: O(n).
    """
    assert total >= 0
    whole = sum(weights)
    if whole == 0:
        return [0] * len(weights)
    shares = [total * w // whole for w in weights]
    rest = total - sum(shares)
    if rest:
        # A claimant whose exact share is already whole takes no extra unit: with total <= whole this
        # keeps every share <= its weight, and fewer than `open_at` units remain by construction.
        open_at = [i for i, w in enumerate(weights) if total * w % whole]
        for k in range(rest):
            shares[open_at[(first_extra + k) % len(open_at)]] += 1
    return shares
