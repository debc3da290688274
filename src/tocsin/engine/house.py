"""
The ClearingHouse's desk: its state, its own accounts, and what the cycle at work has told (rules CH-001, CH-010).

What the ClearingHouse does (`house_stream`, `publishing`, `losses`, `deleveraging`, `capacity`) are functions on the
desk; `clearing_house` runs them in order.
"""

import msgspec

from tocsin.accounts.plain import PlainStore
from tocsin.accounts.store import RowKind, Rows
from tocsin.core.errors import Reason
from tocsin.core.hashing import hash_bytes
from tocsin.core.ids import (
    GLOBAL_FUND,
    INTEREST,
    OPERATOR,
    SUSPENSE,
    TRANSIT,
    default_account,
    error_account,
    market_fund,
)
from tocsin.engine import messages as ms
from tocsin.engine.claims import Claim
from tocsin.engine.owners import LinkedAccount
from tocsin.margin.valuation import Valuation
from tocsin.procedures.liquidation.intent import Intent
from tocsin.sheet.marks import Marks
from tocsin.sheet.terms import RiskSheet


class MovedIntent(msgspec.Struct, frozen=True, array_like=True):
    """Lots of the default account that an intent taken over with its account may still trade."""

    account: int
    intent: int
    contract: int
    left: int
    give_up_cycle: int


class Resuming(msgspec.Struct, frozen=True, array_like=True):
    """A contract that comes back from a halt: since when, and how many fresh marks it had."""

    contract: int
    since_ns: int
    marks: int


class HouseState(msgspec.Struct, array_like=True):
    """
    Everything the ClearingHouse remembers besides its accounts; `encode` of it is hashed into every root.

    `claims` are losses no stage has paid yet; `lots_age` counts cycles since the default account last was flat in a
    contract; `frozen` are contracts whose opening is halted by a clamped mark; `previous_ns` is the last opening's
    time. `resuming`, `delisted` and `settled` are contracts in those states, `settling` final marks and `rescaling`
    factors for the next opening; since `grace_from_ns` (0: never) nothing is liquidated. `linked` are accounts with an
    owner, `balances` per lent asset what all accounts owe and own.
    """

    cycle: int
    time_ns: int
    sheet: bytes
    marks: Marks
    halted: list[int] = msgspec.field(default_factory=list[int])
    frozen: list[int] = msgspec.field(default_factory=list[int])
    vault: dict[int, int] = msgspec.field(default_factory=dict[int, int])
    claims: list[Claim] = msgspec.field(default_factory=list[Claim])
    queue: list[ms.Queued] = msgspec.field(default_factory=list[ms.Queued])
    intents: list[Intent] = msgspec.field(default_factory=list[Intent])
    moved: list[MovedIntent] = msgspec.field(default_factory=list[MovedIntent])
    lots_age: dict[int, int] = msgspec.field(default_factory=dict[int, int])
    sheet_changed: bool = True
    previous_ns: int = 0
    resuming: list[Resuming] = msgspec.field(default_factory=list[Resuming])
    delisted: list[int] = msgspec.field(default_factory=list[int])
    settled: list[int] = msgspec.field(default_factory=list[int])
    settling: dict[int, int] = msgspec.field(default_factory=dict[int, int])
    rescaling: dict[int, int] = msgspec.field(default_factory=dict[int, int])
    grace_from_ns: int = 0
    linked: list[LinkedAccount] = msgspec.field(default_factory=list[LinkedAccount])
    balances: dict[int, tuple[int, int]] = msgspec.field(default_factory=dict[int, tuple[int, int]])


class HouseDesk:
    """
    State that outlives a cycle (`sheet`, `state`, `store`) and the cycle's own (`valuation`, `events`).

    `last_root` is the state root of the last closed cycle, where rotations begin; `dealt_lots` are signed lots per
    contract that holders will close against the default account when the next cycle opens.
    """

    def __init__(self, sheet: RiskSheet, state: HouseState, valuation: Valuation) -> None:
        self.sheet = sheet
        self.state = state
        self.valuation = valuation
        self.store = PlainStore(valuation, bounded=False)
        self.events: list[ms.Event] = []
        self.last_root = bytes(32)
        self.dealt_lots: dict[int, int] = {}
        self._nth = 0

    def begin(self) -> None:
        """Begin a cycle: nothing told yet."""
        self.events, self._nth = [], 0

    def row(self, kind: RowKind, account: int, key: int, a: int, b: int = 0) -> tuple[Reason, int, int]:
        """Apply one row to the ClearingHouse's own accounts."""
        rows = Rows()
        rows.add(kind, account, key, a, b)
        result = self.store.apply(rows)
        return result.reason[0], result.x[0], result.y[0]

    def open_accounts(self) -> None:
        for account in (SUSPENSE, GLOBAL_FUND, OPERATOR, TRANSIT, INTEREST):
            if self.store.read(account) is None:
                self.row(RowKind.OPEN, account, 0, account)
        for terms in self.sheet.contracts:
            for account in (default_account(terms.id), error_account(terms.id), market_fund(terms.id)):
                if self.store.read(account) is None:
                    self.row(RowKind.OPEN, account, 0, account)

    def cash(self, account: int, asset: int) -> int:
        """Return the cash of an own account in one asset."""
        state = self.store.read(account)
        return 0 if state is None else state.cash.get(asset, 0)

    def lots(self, account: int, contract: int) -> int:
        """Return the lots of an own account in one contract."""
        state = self.store.read(account)
        return 0 if state is None else state.positions.get(contract, (0, 0))[0]

    def move(self, asset: int, amount: int, payer: int, payee: int) -> None:
        """Move cash between two own accounts."""
        if amount:
            self.row(RowKind.CASH, payer, asset, -amount)
            self.row(RowKind.CASH, payee, asset, amount)

    def note(self, kind: str, account: int = 0, **fields: int | str) -> None:
        """Record an event of the ClearingHouse."""
        self._nth += 1
        self.events.append(ms.Event(self.state.cycle, 4, (self._nth, 0, 0), kind, account, fields))

    def dealt(self, contract: int) -> int:
        """Return the signed lots that holders will close against the default account when the next cycle opens."""
        return self.dealt_lots.get(contract, 0)

    def first_extra(self, topic: int) -> int:
        """Return where the remainder of one allocation begins to be dealt: from the state root, different per topic."""
        return int.from_bytes(
            hash_bytes(b"rotate", self.last_root, topic.to_bytes(8, "little", signed=True))[:8], "little"
        )
