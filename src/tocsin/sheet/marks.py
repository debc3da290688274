"""
Marks: what is published each cycle (rules MK-010 to MK-016).

A mark per lot `m` and a funding index `F` per contract, both in units of the settlement asset per lot; a price per
asset in millionths of a valuation unit per unit. A publication that cannot be used is refused per instrument; the last
good mark stays.
"""

from enum import IntEnum

import msgspec

from tocsin.core.errors import Reason
from tocsin.sheet.terms import ContractTerms, Kind, RiskSheet


class Grade(IntEnum):
    """What a mark may be used for: all of them count in equity and requirement, only `FRESH` ones in a plan."""

    FRESH = 0
    STALE = 1
    HALTED = 2


class Mark(msgspec.Struct, frozen=True, array_like=True):
    """
    Mark per lot, funding index per lot, grade, the log time of the last good publication, and a second, slow mark per
    lot (0: none), which may only tighten the `initial` level.
    """

    mark: int
    funding: int
    grade: Grade
    time_ns: int
    slow: int = 0


class Marks(msgspec.Struct, frozen=True, array_like=True):
    """
    All marks of one cycle. A contract or asset that was never marked is absent. `expiring` are the contracts in their
    look-ahead before expiry.
    """

    contracts: dict[int, Mark]
    prices: dict[int, int]
    expiring: tuple[int, ...] = ()


def check_mark(terms: ContractTerms, mark: int, funding: int) -> tuple[int, int, Reason]:
    """
    Return the mark and funding index to use and why they differ from what was published (rules MK-011, MK-012).

    A mark of the wrong sign (linear and spot marks are > 0, inverse ones < 0, options >= 0) is refused, and so is a
    funding index of what has none (options, spot). A mark or index outside the contract's cap is clamped to it and
    reported, which halts opening until a new sheet.
    """
    if not has_right_sign(terms.kind, mark) or (funding and terms.kind in (Kind.OPTION, Kind.SPOT)):
        return 0, 0, Reason.MARK_REFUSED
    cap = terms.mark_cap
    used, index = max(-cap, min(cap, mark)), max(-cap, min(cap, funding))
    clamped = used != mark or index != funding
    return used, index, Reason.MARK_CLAMPED if clamped else Reason.OK


def has_right_sign(kind: Kind, mark: int) -> bool:
    """
    Return whether a mark per lot has the sign of its kind: inverse < 0, options >= 0, all else > 0.
    """
    match kind:
        case Kind.INVERSE:
            return mark < 0
        case Kind.OPTION:
            return mark >= 0
        case _:
            return mark > 0


def grade_by_age(sheet: RiskSheet, marks: Marks, now_ns: int, halted: frozenset[int]) -> Marks:
    """
    Return `marks` with grades for the cycle time `now_ns`: halted contracts, then contracts whose last good mark is
    older than their `stale_after_ns` (0: never), else as published (rule MK-013); and with the contracts that expire
    within their look-ahead (rule LC-006).
    """
    out: dict[int, Mark] = {}
    expiring: list[int] = []
    for terms in sheet.contracts:
        entry = marks.contracts.get(terms.id)
        if entry is None:
            continue
        grade = entry.grade
        if terms.id in halted:
            grade = Grade.HALTED
        elif grade == Grade.FRESH and 0 < terms.stale_after_ns < now_ns - entry.time_ns:
            grade = Grade.STALE
        out[terms.id] = entry if grade == entry.grade else msgspec.structs.replace(entry, grade=grade)
        if terms.expiry_ns and now_ns >= terms.expiry_ns - terms.look_ahead_ns:
            expiring.append(terms.id)
    return Marks(out, marks.prices, tuple(expiring))
