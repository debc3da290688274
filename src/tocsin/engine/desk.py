"""
A shard's desk: its accounts, its open cases, and what the cycle at work has told so far (rules CY-002, CS-001).

The parts of a cycle (`decisions`, `stream`, `fills`, `point_b`) are functions on the desk; `shard` runs them in order.
"""

from bisect import insort

from tocsin.accounts.plain import PlainStore
from tocsin.accounts.store import AccountStore, RowKind, Rows
from tocsin.core.errors import InvariantBroken, Reason
from tocsin.core.ids import bucket_of
from tocsin.engine.case import Case
from tocsin.engine.messages import CycleOpen, Event, ShardClose
from tocsin.margin.state import AccountState, Level
from tocsin.margin.valuation import Valuation
from tocsin.sheet.marks import Marks
from tocsin.sheet.terms import RiskSheet


class ShardDesk:
    """
    State that outlives a cycle (`sheet`, `store`, `cases`, `watched`: accounts below `margin_call` or with a case) and
    the cycle's own (`opened`, `close`, `touched`: accounts whose leaf or case may have changed).
    """

    def __init__(self, sheet: RiskSheet) -> None:
        self.sheet = sheet
        self.valuation = Valuation(sheet, Marks({}, {}))
        self.store: AccountStore = PlainStore(self.valuation)
        self.cases: dict[int, Case] = {}
        self.watched: dict[int, None] = {}
        self.touched: dict[int, None] = {}
        self.opened = CycleOpen(0, 0, b"", b"", Marks({}, {}), (), False, (), 0, {}, {})
        self.close = empty_close()
        self.linked: dict[int, None] = {}
        self._nth: dict[int, int] = {}
        self._by_bucket: dict[int, list[int]] = {}

    def begin(self, opened: CycleOpen) -> None:
        """Begin a cycle: nothing told, nothing touched."""
        self.opened, self.close = opened, empty_close()
        self.touched, self._nth = {}, {}

    def bucket(self, account: int) -> int:
        """Return the bucket of an account of this shard."""
        return bucket_of(self.read(account).root)

    def bucket_accounts(self, bucket: int) -> list[int]:
        """Return the accounts of a bucket, ascending."""
        return self._by_bucket.get(bucket, [])

    def add_to_bucket(self, account: int, root: int) -> None:
        """Take a new account into the bucket of its root."""
        insort(self._by_bucket.setdefault(bucket_of(root), []), account)

    def read(self, account: int) -> AccountState:
        """Return an account that must exist."""
        state = self.store.read(account)
        if state is None:
            raise InvariantBroken(f"account {account} must be in its shard, was not")
        return state

    def case(self, account: int) -> Case:
        """Return the case of an account, opening one if there is none."""
        case = self.cases.get(account)
        if case is None:
            case = self.cases[account] = Case(account)
        return case

    def mark_acted(self, account: int) -> None:
        """Remember that a called account paid in or traded."""
        case = self.cases.get(account)
        if case is not None and case.call is not None:
            case.acted = True

    def row(
        self, kind: RowKind, account: int, key: int = 0, a: int = 0, b: int = 0, c: int = -1, d: int = -1, e: int = 0
    ) -> tuple[Reason, int, int]:
        """Apply one row to the store and return its result."""
        rows = Rows()
        rows.add(kind, account, key, a, b, c, d, e)
        results = self.store.apply(rows)
        self.touched[account] = None
        return results.reason[0], results.x[0], results.y[0]

    def value_at(self, marks: Marks) -> None:
        """Value accounts at `marks` from now on."""
        self.valuation = Valuation(self.sheet, marks)
        self.store.set_valuation(self.valuation)

    def record_crossings(self, phase: int, accounts: list[int] | None) -> None:
        """Set levels of the accounts given (None: all) and tell the crossings."""
        for account, before, after in self.store.crossings(accounts):
            self.touched[account] = None
            if after >= Level.MARGIN_CALL:
                self.watched[account] = None
            elif account not in self.cases:
                self.watched.pop(account, None)
            self.note(phase, account, "level_crossed", before=before.name, after=after.name)

    def event(self, phase: int, order: tuple[int, int, int], kind: str, account: int, **fields: int | str) -> None:
        """Tell a fact at its place in the cycle."""
        self.close.events.append(Event(self.opened.cycle, phase, order, kind, account, fields))

    def note(self, phase: int, account: int, kind: str, **fields: int | str) -> None:
        """Tell a fact whose place is (bucket, account, n-th of the account)."""
        nth = self._nth[account] = self._nth.get(account, 0) + 1
        self.event(phase, (self.bucket(account), account, nth), kind, account, **fields)


def empty_close() -> ShardClose:
    """
    Return a close that reports nothing.
    """
    return ShardClose({}, [], [], [], [], [], [], [], [], [], {}, {}, {}, [], [], [], [], [], [], {}, {}, {})
