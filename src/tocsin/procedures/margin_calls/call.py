"""
A margin call and its life: issued -> cured | cancelled | expired (rules MC-001 to MC-015).

The amount is what equity lacks to leave the `margin_call` level. The deadline is the earlier of policy and T*, looked
at again each cycle; only a cure or an outage lengthens it.
"""

from enum import IntEnum

import msgspec

from tocsin.margin.cure import compute_shortfall, cure_quantity
from tocsin.margin.deadline import MINUTE_NS, Deadline, compute_deadline
from tocsin.margin.levels import Assessment
from tocsin.margin.state import AccountState, Level
from tocsin.margin.valuation import Valuation
from tocsin.sheet.terms import CallPolicy


class Call(msgspec.Struct, frozen=True, array_like=True):
    """
    An open call: when it was issued, what it asks (valuation units), by when, and every input needed to recompute it.

    `cures` are (asset, least units that cure) as of issue. `t_star_minutes` is -1 where the portfolio has no
    published risk; `buffer`, `gap` and `variance` (decimal digits: it may exceed 64 bits) are its inputs.
    """

    cycle: int
    issued_ns: int
    deadline_ns: int
    amount: int
    equity: int
    requirement: int
    cures: tuple[tuple[int, int], ...]
    t_star_minutes: int
    buffer: int
    gap: int
    variance: str


class Outcome(IntEnum):
    """How a review of an open call ended."""

    OPEN = 0
    CURED = 1
    CANCELLED = 2
    EXPIRED = 3


def latest_deadline(deadline: Deadline, policy: CallPolicy, now_ns: int) -> int:
    """
    Return `now + min(policy, T*)` in log time (rule MC-011).
    """
    if deadline.minutes is None:
        return now_ns + policy.deadline_ns
    return now_ns + min(policy.deadline_ns, deadline.minutes * MINUTE_NS)


def issue_call(account: AccountState, valuation: Valuation, numbers: Assessment, cycle: int, now_ns: int) -> Call:
    """
    Return the call of an account that is below its `margin_call` requirement.
    """
    risk = compute_deadline(account, valuation)
    cures: list[tuple[int, int]] = []
    for asset in sorted(valuation.assets):
        units = cure_quantity(account, valuation, asset)
        if units is not None:
            cures.append((asset, units))
    return Call(
        cycle=cycle,
        issued_ns=now_ns,
        deadline_ns=latest_deadline(risk, valuation.sheet.calls, now_ns),
        amount=compute_shortfall(account, valuation),
        equity=numbers.equity,
        requirement=numbers.requirements[1],
        cures=tuple(cures),
        t_star_minutes=-1 if risk.minutes is None else risk.minutes,
        buffer=risk.buffer,
        gap=risk.gap,
        variance=str(risk.variance),
    )


def is_too_short(call: Call, policy: CallPolicy) -> bool:
    """
    Return whether T* left no time worth calling for: risk reduction starts at once (rule MC-013).
    """
    return call.deadline_ns - call.issued_ns < policy.t_min_ns


def review_call(call: Call, level: Level, acted: bool, now_ns: int) -> Outcome:
    """
    Return what becomes of an open call at decision point B (rules MC-006 to MC-009).

    First, an account that has left `margin_call` is cured if it acted (paid in or reduced) and its call is cancelled if
    the market moved back, also in the deadline's own cycle; then an account further below is liquidated and its
    call cancelled; then a deadline at or before the cycle time expires.
    """
    if level < Level.MARGIN_CALL:
        return Outcome.CURED if acted else Outcome.CANCELLED
    if level > Level.MARGIN_CALL:
        return Outcome.CANCELLED
    if call.deadline_ns <= now_ns:
        return Outcome.EXPIRED
    return Outcome.OPEN


def revise_deadline(call: Call, account: AccountState, valuation: Valuation, now_ns: int) -> Call:
    """
    Return the call with `deadline := min(deadline, now + min(policy, T*))` (rule MC-012).
    """
    deadline = compute_deadline(account, valuation)
    latest = latest_deadline(deadline, valuation.sheet.calls, now_ns)
    if latest >= call.deadline_ns:
        return call
    return msgspec.structs.replace(
        call, deadline_ns=latest, t_star_minutes=-1 if deadline.minutes is None else deadline.minutes
    )


def shift_deadline(call: Call, outage_ns: int) -> Call:
    """
    Return the call moved by an outage: the gap less one nominal cycle (rule MC-014).
    """
    return msgspec.structs.replace(call, deadline_ns=call.deadline_ns + outage_ns)
