"""
What became of each case, and of all of them.
"""

from enum import StrEnum
from typing import Any

import msgspec

from tocsin.conform.vectors import Case


class Status(StrEnum):
    """A case agrees, disagrees, or was not run."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"


class Outcome(msgspec.Struct, frozen=True):
    """
    One case's end: which door it went through (empty if none), what came out, and each difference or the reason.
    """

    case: Case
    status: Status
    door: str = ""
    actual: Any = None
    reasons: tuple[str, ...] = ()


class Report(msgspec.Struct, frozen=True):
    """
    All outcomes, in the order of the cases.
    """

    outcomes: tuple[Outcome, ...]

    def count(self, status: Status) -> int:
        """Return how many cases ended so."""
        return sum(o.status is status for o in self.outcomes)

    @property
    def ok(self) -> bool:
        """True if none failed and at least one passed."""
        return self.count(Status.FAILED) == 0 < self.count(Status.PASSED)

    @property
    def closing_line(self) -> str:
        passed, failed, skipped = (self.count(s) for s in (Status.PASSED, Status.FAILED, Status.SKIPPED))
        return f"{passed} passed, {failed} failed, {skipped} skipped"

    def group(self, status: Status) -> dict[tuple[str, str, str], int]:
        """
        Return counts by (engine/mechanism, door, reason) of the cases that ended so, in order of appearance.
        """
        out: dict[tuple[str, str, str], int] = {}
        for o in self.outcomes:
            if o.status is status:
                reason = "; ".join(o.reasons) if status is Status.SKIPPED else ""
                key = (o.case.kind, o.door, reason)
                out[key] = out.get(key, 0) + 1
        return out
