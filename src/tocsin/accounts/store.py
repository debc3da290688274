"""
The columnar protocol of account stores (DESIGN 2.4; rules AC-001 to AC-012).

A batch is a set of equally long columns; results come back as columns. New kinds of change are new rows, not methods.
"""

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Protocol

from tocsin.core.errors import Reason
from tocsin.margin.state import AccountState, Level
from tocsin.margin.valuation import Valuation


class RowKind(IntEnum):
    """
    What a row does; columns `account, key, a, b, c, d, e` mean:

    - OPEN: a root, b mode, c class, d recourse (-1: client, none).
    - CASH: key asset, a signed units. A debit may make cash negative.
    - TRADE: key contract, a signed lots, b signed value, c and d the side's new bid and ask hold (-1: unchanged), e the
      trading fee in units (negative: a rebate).
    - WITHDRAW: key asset, a units wanted > 0; moves what may leave to in-transit; result is what moved.
    - RELEASE: key asset, a units that left the vault, taken from in-transit.
    - RECALL: key asset; all in-transit units go back to cash; result is what moved.
    - HOLD: key contract, a bid, b ask lots.
    - CHECK: key contract, a signed lots of an order to be placed; changes nothing.
    - TAKE: key contract; closes the position at its mark into cash; results are lots and their booked value.
    - OTHERS: key contract or `-1 - underlying`, a the absolute lots or delta of the owner's other accounts.
    - OWNER: a owner (0: none).
    - MODE: a mode; refused unless the account stands at `initial` in it.
    - DEBIT: key asset, a units > 0; all or nothing, as far as a withdrawal may go.
    - CREDIT: key asset, a units > 0: into cash if it fits, else into in-transit; results are the two parts.
    - BORROW: key asset, a units wanted > 0, b the account's cap; as WITHDRAW, but the balance may go below zero.
    - ACCRUE: key asset, a and b the charge on a negative and the credit on a positive balance, in 10^-12 of it; results
      are the units charged and credited.
    - CONVERT: key asset, a units > 0 received, b asset, c units given.
    - RESCALE: key contract, a factor k: lots and holds times k.
    """

    OPEN = 0
    CASH = 1
    TRADE = 2
    WITHDRAW = 3
    RELEASE = 4
    RECALL = 5
    HOLD = 6
    CHECK = 7
    TAKE = 8
    OTHERS = 9
    OWNER = 10
    MODE = 11
    DEBIT = 12
    CREDIT = 13
    BORROW = 14
    ACCRUE = 15
    CONVERT = 16
    RESCALE = 17


@dataclass(slots=True)
class Rows:
    """
    A batch of rows as columns of equal length.
    """

    kind: list[int] = field(default_factory=list[int])
    account: list[int] = field(default_factory=list[int])
    key: list[int] = field(default_factory=list[int])
    a: list[int] = field(default_factory=list[int])
    b: list[int] = field(default_factory=list[int])
    c: list[int] = field(default_factory=list[int])
    d: list[int] = field(default_factory=list[int])
    e: list[int] = field(default_factory=list[int])

    def add(
        self, kind: RowKind, account: int, key: int = 0, a: int = 0, b: int = 0, c: int = -1, d: int = -1, e: int = 0
    ) -> None:
        """Append one row."""
        self.kind.append(kind)
        self.account.append(account)
        self.key.append(key)
        self.a.append(a)
        self.b.append(b)
        self.c.append(c)
        self.d.append(d)
        self.e.append(e)

    def __len__(self) -> int:
        return len(self.kind)


@dataclass(slots=True)
class Results:
    """
    Per row: reason (0 done), and two amounts whose meaning the row kind gives (needed and available on a refusal).
    """

    reason: list[Reason] = field(default_factory=list[Reason])
    x: list[int] = field(default_factory=list[int])
    y: list[int] = field(default_factory=list[int])

    def add(self, reason: Reason, x: int = 0, y: int = 0) -> None:
        """Append one result."""
        self.reason.append(reason)
        self.x.append(x)
        self.y.append(y)


class AccountStore(Protocol):
    """
    What the engine asks of a store. Two implementations give the same bytes: the plain one is the specification.
    """

    def apply(self, rows: Rows) -> Results:
        """Apply rows in order; a refused row changes nothing."""
        ...

    def set_valuation(self, valuation: Valuation) -> None:
        """Set sheet and marks of the cycle; no account changes."""
        ...

    def crossings(self, accounts: list[int] | None = None) -> list[tuple[int, Level, Level]]:
        """
        Set the levels of the given accounts (None: all) from equity and requirement; return (account, before, after)
        of those that changed, ascending by account.
        """
        ...

    def read(self, account: int) -> AccountState | None:
        """Return one account; the caller must not change it."""
        ...

    def accounts(self) -> list[int]:
        """Return all account ids, ascending."""
        ...

    def leaves(self, accounts: list[int]) -> list[bytes]:
        """Return the leaf bytes of the given accounts (rule LG-002), without their cases."""
        ...

    def load(self, leaves: list[bytes]) -> None:
        """Add accounts from leaf bytes."""
        ...
