"""
The rows of a check: three columns, the difference with its parts, how it ended.
"""

from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

import msgspec

from tocsin.desk.codes import Code, Part

QUANTITIES = {
    "initial": "initial margin",
    "maintenance": "maintenance margin",
    "liquidation": "liquidation price",
    "equity": "equity",
    "ratio": "health ratio",
    "unrealised": "unrealised profit",
    "isolated_collateral": "isolated collateral",
    "isolated_equity": "isolated equity",
    "notional": "notional",
    "available": "available",
    "orders": "margin of orders",
    "deduction": "deduction",
}
INPUTS = ("isolated_collateral", "orders")
"""Figures that the rules take as given: shown nowhere as a row."""
CONSISTENCY = ("unrealised", "notional")
"""Figures that follow from size and prices alone: a miss says that the payload is of two moments, not of a rule."""


class Status(StrEnum):
    """How a row ended."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """
    One figure of one account.

    Attributes:
        account: The reading's label. symbol: "" for the account.
        reported, derived, own: The three columns; None where there is none. `own_none`: our rules say "no price".
        field: The payload's name of `reported`; `derived_field` the connector's.
        difference: reported - own, exactly; `parts` sum to it. relative: its size over |reported|.
        hint: Where our rules cannot say: the mode under which they would give the reported figure.
        connector: derived - reported, where they differ by more than a connector's rounding; derived - own where the
            venue reports nothing.
        reason: Why it is skipped, or in words why it failed.
        basis: Formula, parameters and date of `own`.
    """

    account: str
    symbol: str
    quantity: str
    status: Status
    reported: Decimal | None = None
    field: str = ""
    derived: Decimal | None = None
    derived_field: str = ""
    own: Decimal | None = None
    own_none: bool = False
    difference: Decimal | None = None
    relative: Decimal | None = None
    tolerance: Decimal | None = None
    parts: tuple[Part, ...] = ()
    connector: Part | None = None
    hint: Part | None = None
    reason: str = ""
    basis: str = ""

    @property
    def code(self) -> Code | None:
        """
        Return the cause of the largest part of the difference, else the connector's, None if there is neither.

        Where venue and rules agree within the tolerance, a connector that does not is the cause.
        """
        agree = self.relative is not None and self.tolerance is not None and self.relative <= self.tolerance
        if self.parts and not (agree and self.connector is not None):
            return max(self.parts, key=lambda part: abs(part.amount)).code
        found = self.connector if agree and self.connector is not None else self.hint or self.connector
        return found.code if found else None


@dataclass
class Report:
    """
    All rows of a check, in the order of the files; `notes` are what readers assumed or saw, by account.
    """

    rows: list[Row] = field(default_factory=list[Row])
    notes: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])

    def count(self, status: Status) -> int:
        """
        Return how many rows ended so.
        """
        return sum(row.status is status for row in self.rows)

    @property
    def ok(self) -> bool:
        """
        Tell whether nothing failed and something passed.
        """
        return not self.count(Status.FAILED) and self.count(Status.PASSED) > 0
