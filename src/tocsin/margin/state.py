"""
What margin functions read of one account.
"""

from dataclasses import dataclass, field
from enum import IntEnum


class Level(IntEnum):
    """The lowest level an account has fallen below; levels are nested (rule LV-001)."""

    CALM = 0
    INITIAL = 1
    MARGIN_CALL = 2
    LIQUIDATION = 3
    TAKEOVER = 4
    BANKRUPTCY = 5


class Mode(IntEnum):
    """
    How an account is margined: `CROSS`, `ISOLATED` (one contract only), `EXTERNAL` (unmargined, DESIGN 2.3), or
    `PORTFOLIO` (by the sheet's components for it).
    """

    CROSS = 0
    ISOLATED = 1
    EXTERNAL = 2
    PORTFOLIO = 3


class AccountClass(IntEnum):
    """Whose account it is; the sheet declares how each class is treated (rule AC-030)."""

    CLIENT = 0
    MARKET_MAKER = 1
    VAULT = 2
    HOUSE = 3


@dataclass(slots=True)
class AccountState:
    """
    One account.

    `cash` and `in_transit` are units per asset (in transit: leaving, >= 0, no longer part of equity); `positions`
    are (signed lots, signed entry sum in units) per contract, never zero lots; `holds` are the largest (bid, ask) lots
    resting per contract, both >= 0. `others` are the absolute lots per contract, and under the key `-1 - underlying`
    the absolute delta in valuation units, of the owner's other accounts as of the previous cycle; told with each
    opening, no part of the leaf. `owner` is who is behind it (0: nobody else is linked); with `recourse` it stands for
    the losses of other accounts of its root.
    """

    id: int
    root: int
    mode: Mode = Mode.CROSS
    level: Level = Level.CALM
    cash: dict[int, int] = field(default_factory=dict[int, int])
    in_transit: dict[int, int] = field(default_factory=dict[int, int])
    positions: dict[int, tuple[int, int]] = field(default_factory=dict[int, tuple[int, int]])
    holds: dict[int, tuple[int, int]] = field(default_factory=dict[int, tuple[int, int]])
    others: dict[int, int] = field(default_factory=dict[int, int])
    kind: AccountClass = AccountClass.CLIENT
    owner: int = 0
    recourse: bool = False

    def copy(self) -> "AccountState":
        """Return an independent copy."""
        return AccountState(
            self.id,
            self.root,
            self.mode,
            self.level,
            dict(self.cash),
            dict(self.in_transit),
            dict(self.positions),
            dict(self.holds),
            dict(self.others),
            self.kind,
            self.owner,
            self.recourse,
        )
