"""
A shard: the accounts and cases of its buckets, run one cycle at a time (rules CY-010 to CY-024, DESIGN 2.5).

A cycle: decisions, marks and decision point A, commands in sequence, decision point B. A shard reads its own stream and
the ClearingHouse's opening, nothing else.
"""

from collections.abc import Iterable

from tocsin.engine import candidates, closing, opening
from tocsin.engine.case import decode_case, encode_case, hash_case
from tocsin.engine.decisions import apply_decisions
from tocsin.engine.desk import ShardDesk
from tocsin.engine.ledger import hash_bucket, hash_leaf
from tocsin.engine.messages import CycleOpen, Item, ShardClose
from tocsin.engine.point_b import decide_account
from tocsin.engine.stream import apply_items
from tocsin.margin.state import AccountState, Level, Mode
from tocsin.procedures.margin_calls.call import shift_deadline
from tocsin.sheet.marks import Marks
from tocsin.sheet.terms import RiskSheet, decode_sheet


class Shard(ShardDesk):
    """
    Accounts of some buckets. `run` closes one cycle; between cycles the state is at rest.
    """

    def __init__(self, sheet: RiskSheet) -> None:
        super().__init__(sheet)
        self._hashes: dict[int, bytes] = {}
        self._sums: dict[int, tuple[dict[int, int], dict[int, int], dict[int, int]]] = {}
        self._lots: dict[int, int] = {}
        self._longs: dict[int, int] = {}
        self._money: dict[int, int] = {}

    def leaf_hashes(self, bucket: int) -> list[bytes]:
        """Return the leaf hashes of a bucket, ascending by account."""
        return [self._hashes[a] for a in self.bucket_accounts(bucket)]

    # The cycle

    def run(self, opened: CycleOpen, items: Iterable[Item]) -> ShardClose:
        """
        Run one cycle over the opening and this shard's rows in sequence; return its close.
        """
        self.begin(opened)
        opening.accrue_interest(self)
        opening.tell_others(self)
        apply_decisions(self)
        if opened.sheet:
            # After the decisions: they were made for lots and caps as they were.
            self.sheet = decode_sheet(opened.sheet)
            self.value_at(self.valuation.marks)
        opening.rescale(self)
        self._apply_marks()
        apply_items(self, items)
        self._decide()
        closing.offer_stand_ins(self)
        self._refresh_ledger()
        closing.report_links(self)
        closing.report_loans(self)
        self._offer_candidates()
        return self.close._replace(lots=dict(self._lots), money=dict(self._money), longs=dict(self._longs))

    def _apply_marks(self) -> None:
        """Take the marks of the cycle; decision point A: levels of all accounts, crossings recorded."""
        self.value_at(self.opened.marks)
        opening.settle(self)
        self.record_crossings(1, None)
        if not self.opened.outage_ns:
            return
        for account in sorted(self.cases):
            case = self.cases[account]
            if case.call is not None:
                case.call = shift_deadline(case.call, self.opened.outage_ns)
                self.touched[account] = None
                self.note(1, account, "deadline_moved", outage_ns=self.opened.outage_ns)

    def _decide(self) -> None:
        """Decision point B: levels of touched accounts, then whoever is not calm, in (bucket, account) order."""
        self.record_crossings(3, sorted(self.touched))
        active = {**self.watched, **dict.fromkeys(self.cases)}
        for account in sorted(active, key=lambda a: (self.bucket(a), a)):
            decide_account(self, account)

    # Closing

    def _refresh_ledger(self) -> None:
        """Recompute leaves of touched accounts, roots of their buckets, and the sums the ClearingHouse checks."""
        touched = sorted(self.touched)
        buckets: dict[int, None] = {}
        for account, leaf in zip(touched, self.store.leaves(touched), strict=True):
            self._hashes[account] = hash_leaf(leaf, hash_case(self.cases.get(account)))
            buckets[self.bucket(account)] = None
            self._resum(self.read(account))
        for bucket in sorted(buckets):
            self.close.roots[bucket] = hash_bucket(self.leaf_hashes(bucket))

    def _resum(self, state: AccountState) -> None:
        old_lots, old_money, old_longs = self._sums.get(state.id, ({}, {}, {}))
        lots = {c: q for c, (q, _) in state.positions.items()}
        longs = {c: q for c, q in lots.items() if q > 0}
        money = dict(state.cash)
        for asset, units in state.in_transit.items():
            money[asset] = money.get(asset, 0) + units
        for contract, (_, entry) in state.positions.items():
            asset = self.valuation.lines[contract].asset
            money[asset] = money.get(asset, 0) - entry
        columns = (self._lots, old_lots, lots), (self._money, old_money, money), (self._longs, old_longs, longs)
        for totals, old, new in columns:
            for key in {**old, **new}:
                totals[key] = totals.get(key, 0) + new.get(key, 0) - old.get(key, 0)
        self._sums[state.id] = (lots, money, longs)

    def _offer_candidates(self) -> None:
        """Report, when asked, who can close lots or has gains; frozen as of this close."""
        if not self.opened.lots_wanted and not self.opened.money_wanted:
            return
        for account in self.store.accounts():
            state = self.read(account)
            if state.mode == Mode.EXTERNAL or not state.positions:
                continue
            case = self.cases.get(account)
            intents = case.intents if case is not None else []
            bucket, treated = self.bucket(account), self.sheet.classes[state.kind]
            if treated.deleveraged:
                self.close.lot_candidates.extend(
                    candidates.offer_lots(bucket, state, self.valuation, intents, self.opened.lots_wanted)
                )
            if treated.shares_losses:
                self.close.money_candidates.extend(
                    candidates.offer_money(bucket, state, self.valuation, self.opened.money_wanted)
                )

    # Snapshots

    def dump(self) -> tuple[list[bytes], list[bytes]]:
        """Return leaves and case bytes, ascending by account."""
        accounts = self.store.accounts()
        return self.store.leaves(accounts), [encode_case(self.cases[a]) for a in sorted(self.cases)]

    def load(self, leaves: list[bytes], cases: list[bytes], marks: Marks) -> None:
        """
        Take accounts and cases as of the end of a cycle with `marks`; derived state is rebuilt.
        """
        self.value_at(marks)
        self.store.load(leaves)
        for data in cases:
            case = decode_case(data)
            self.cases[case.account] = case
        for account, leaf in zip(self.store.accounts(), self.store.leaves(self.store.accounts()), strict=True):
            state = self.read(account)
            self.add_to_bucket(account, state.root)
            self._hashes[account] = hash_leaf(leaf, hash_case(self.cases.get(account)))
            self._resum(state)
            if state.owner:
                self.linked[account] = None
            if state.level >= Level.MARGIN_CALL or account in self.cases:
                self.watched[account] = None
