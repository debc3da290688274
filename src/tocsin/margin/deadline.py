"""
T*: how long a called account may take, from its own risk (rules MC-010 to MC-014).

`T* = floor((buffer - gap)^2 / (z^2 x sigma_1^2))` whole minutes, in big integers: the time within which a driftless
path with one-minute deviation sigma_1 reaches the buffer with the probability that z stands for (reflection principle).
"""

from typing import NamedTuple

from tocsin.margin.requirement import LIQUIDATION, compute_requirement
from tocsin.margin.state import AccountState
from tocsin.margin.valuation import Valuation, compute_equity

MINUTE_NS = 60 * 10**9


class Deadline(NamedTuple):
    """
    T* and its inputs: buffer and gap in valuation units, variance in valuation units squared per minute; `minutes` is
    None when the portfolio carries no published risk.
    """

    minutes: int | None
    buffer: int
    gap: int
    variance: int


def compute_variance(account: AccountState, valuation: Valuation) -> int:
    """
    Return the one-minute variance of the account's value from the published loadings, exact.

    Common factors add within a factor before squaring; own parts are squared per contract.
    """
    factors: list[int] = []
    own = 0
    for contract, (lots, _) in account.positions.items():
        terms = valuation.lines[contract].terms
        while len(factors) < len(terms.loadings):
            factors.append(0)
        for k, loading in enumerate(terms.loadings):
            factors[k] += lots * loading
        own += (lots * terms.own_loading) ** 2
    return own + sum(f * f for f in factors)


def compute_deadline(account: AccountState, valuation: Valuation) -> Deadline:
    """
    Return T* in whole minutes, rounded down: 0 if the buffer does not exceed the gap charge, None if sigma_1 is 0.
    """
    buffer = compute_equity(account, valuation) - compute_requirement(account, valuation, LIQUIDATION)
    gap = sum(abs(q) * valuation.lines[c].terms.gap_charge for c, (q, _) in account.positions.items())
    variance = compute_variance(account, valuation)
    return Deadline(t_star_minutes(buffer, gap, variance, valuation.sheet.calls.z_hundredths), buffer, gap, variance)


def t_star_minutes(buffer: int, gap: int, variance: int, z_hundredths: int) -> int | None:
    """
    Return T* from its inputs (rule MC-010), capped at one year.

    Invariants: a smaller buffer, a larger gap or a larger variance never lengthens it.
    """
    if buffer <= gap:
        return 0
    if variance == 0:
        return None
    return min(10_000 * (buffer - gap) ** 2 // (z_hundredths**2 * variance), 366 * 24 * 60)
