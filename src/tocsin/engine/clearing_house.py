"""
The ClearingHouse: market-wide state, funds, suspense, default and error accounts, queues (rules CH-001 to CH-023).

At each close it works through what the shards report in (bucket, account, index) order, never in shard or arrival
order, and opens the next cycle. Its own accounts are a small unbounded `PlainStore`.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec

from tocsin.accounts.store import RowKind
from tocsin.core.codec import decode, encode, sort_map
from tocsin.core.errors import DataError, InvariantBroken
from tocsin.core.hashing import hash_bytes
from tocsin.core.ids import GLOBAL_FUND, OPERATOR, SUSPENSE, TRANSIT, default_account, market_fund
from tocsin.engine import lending, life, losses
from tocsin.engine import messages as ms
from tocsin.engine.capacity import grant_lots
from tocsin.engine.claims import STAND_IN, pay_claims
from tocsin.engine.deleveraging import close_lots, lots_wanted
from tocsin.engine.house import HouseDesk, HouseState, MovedIntent
from tocsin.engine.house_stream import apply_house_items, book_unbooked
from tocsin.engine.owners import sum_others, take_reports
from tocsin.engine.sequencer import HouseItem
from tocsin.margin.valuation import Valuation
from tocsin.procedures.liquidation import intent as it
from tocsin.sheet.marks import Marks, grade_by_age
from tocsin.sheet.terms import FeeSink, RiskSheet, decode_sheet, encode_sheet, hash_sheet
from tocsin.sheet.validate import validate_sheet


class Snapshot(msgspec.Struct, frozen=True, array_like=True):
    """The ClearingHouse at rest, between a close and the next opening."""

    state: HouseState
    leaves: tuple[bytes, ...]
    decisions: tuple[ms.Decision, ...]
    lots_wanted: dict[int, int]
    money_wanted: dict[int, int]
    root: bytes
    opened: ms.CycleOpen


class ClearingHouse(HouseDesk):
    """
    One object, one stream. `open` starts a cycle, `apply` takes its stream, `close` and `decide` end it.
    """

    def __init__(self, sheet: RiskSheet, time_ns: int) -> None:
        validate_sheet(sheet)
        state = HouseState(0, time_ns, encode_sheet(sheet), Marks({}, {}))
        super().__init__(sheet, state, Valuation(sheet, state.marks))
        self._decisions: tuple[ms.Decision, ...] = ()
        self._lots_wanted: dict[int, int] = {}
        self._money_wanted: dict[int, int] = {}
        self._opened = ms.CycleOpen(0, time_ns, b"", b"", Marks({}, {}), (), False, (), 0, {}, {})
        self._closes: Sequence[ms.ShardClose] = ()
        self._recourse: list[ms.Recourse] = []
        self._open_interest: dict[int, int] = {}
        self.open_accounts()

    def open(self, time_ns: int) -> ms.CycleOpen:
        """
        Open the next cycle at log time `time_ns`: book the own side of decisions, then take new marks and sheet.

        A late open (more than `late_cycles` nominal cycles after the last) is an outage: the cycle is reduce-only and
        deadlines move by the gap less one nominal cycle (rule CH-004).
        """
        state = self.state
        if time_ns <= state.time_ns and state.cycle:
            raise DataError(f"time_ns must be after {state.time_ns}, was {time_ns}")
        self.begin()
        gap = time_ns - state.time_ns
        interest = lending.compute_interest(self, gap) if state.cycle else {}
        late = state.cycle > 0 and gap > self.sheet.cycle.late_cycles * self.sheet.cycle.nominal_ns
        self._book_decisions()
        state.cycle += 1
        state.previous_ns, state.time_ns = state.time_ns, time_ns
        life.end_resuming(self)
        rescaled = life.open_rescaled(self)
        settled = life.open_settled(self)
        back = {r.contract for r in state.resuming}
        graded = grade_by_age(self.sheet, state.marks, time_ns, frozenset({*state.halted, *back}))
        grace = life.step_grace(self, late, graded)
        self.valuation = Valuation(self.sheet, graded)
        self.store.set_valuation(self.valuation)
        life.settle_house(self, settled)
        self._opened = ms.CycleOpen(
            cycle=state.cycle,
            time_ns=time_ns,
            sheet_hash=hash_sheet(self.sheet),
            sheet=state.sheet if state.sheet_changed else b"",
            marks=graded,
            decisions=self._decisions,
            reduce_only=late,
            closed=tuple(sorted({*state.halted, *state.frozen, *state.delisted, *back, *life.expired(self)})),
            outage_ns=gap - self.sheet.cycle.nominal_ns if late else 0,
            lots_wanted=self._lots_wanted,
            money_wanted=self._money_wanted,
            others=sum_others(state.linked),
            interest=interest,
            settled=settled,
            rescaled=rescaled,
            grace=grace,
            room=life.open_interest_room(self, self._open_interest, rescaled),
        )
        state.sheet_changed = False
        self._note_outage()
        return self._opened

    def _note_outage(self) -> None:
        if self._opened.reduce_only:
            gap = self._opened.time_ns - self.state.previous_ns
            self.note("outage", gap_ns=gap, moved_ns=self._opened.outage_ns)

    def _book_decisions(self) -> None:
        """Book the ClearingHouse's side of what the shards will book first in the cycle that opens."""
        for decision in self._decisions:
            match decision:
                case ms.CloseLots(contract=contract, lots=lots, value=value):
                    self.row(RowKind.TRADE, default_account(contract), contract, -lots, -value)
                case ms.Debit(asset=asset, amount=amount):
                    self.row(RowKind.CASH, SUSPENSE, asset, amount)
                    self.state.claims = pay_claims(self.state.claims, asset, amount)
                case ms.Recourse(asset=asset, amount=amount):
                    self.row(RowKind.CASH, SUSPENSE, asset, amount)
                    self.state.claims = pay_claims(self.state.claims, asset, amount, STAND_IN)
                case ms.Credit(asset=asset, amount=amount):
                    self.row(RowKind.CASH, TRANSIT, asset, -amount)
                case ms.Converted(collateral=collateral, given=given, asset=asset, got=got):
                    self.row(RowKind.CASH, GLOBAL_FUND, asset, -got)
                    self.row(RowKind.CASH, GLOBAL_FUND, collateral, given)
                case ms.Release(asset=asset, amount=amount):
                    self.state.vault[asset] = self.state.vault.get(asset, 0) - amount
                    if self.state.vault[asset] < 0:
                        raise InvariantBroken(f"vault of asset {asset} below zero: {self.state.vault[asset]}")
                case ms.Grant():
                    pass
        self.dealt_lots = {}

    def apply(self, items: Iterable[HouseItem]) -> None:
        """Apply the rows of its own stream in sequence."""
        apply_house_items(self, items)

    def close(self, closes: Sequence[ms.ShardClose], check: bool = True) -> None:
        """
        Work through the shards' closes: unbooked sides, takeovers, fees, funds, queues. `decide` follows with the root.
        """
        self._closes = closes
        self._recourse = []
        state = self.state
        for asset, amount in _sum_dicts([c.deposits for c in closes]).items():
            state.vault[asset] = state.vault.get(asset, 0) + amount
        for side in _merge(closes, lambda c: c.unbooked):
            book_unbooked(self, side)
        for sent in _merge(closes, lambda c: c.sent):
            self.row(RowKind.CASH, TRANSIT, sent.asset, sent.amount)
        for asset, amount in _sum_dicts([{f.asset: f.amount} for c in closes for f in c.trade_fees]).items():
            self.row(RowKind.CASH, OPERATOR, asset, amount)
            self.note("fund_income", OPERATOR, asset=asset, amount=amount, why="trading fees")
        lending.book_interest(self, _sum_pairs([c.interest for c in closes]))
        state.balances = _sum_pairs([c.balances for c in closes])
        state.linked = take_reports(state.linked, _merge(closes, lambda c: c.linked))
        for fee in _merge(closes, lambda c: c.fees):
            line = self.valuation.lines[fee.contract]
            sinks = {FeeSink.GLOBAL_FUND: GLOBAL_FUND, FeeSink.OPERATOR: OPERATOR}
            sink = sinks.get(line.terms.fee_sink, market_fund(fee.contract))
            self.row(RowKind.CASH, sink, line.asset, fee.amount)
            self.note("fund_income", sink, asset=line.asset, amount=fee.amount, why="liquidation fee")
        ended = {pair for c in closes for pair in c.ended}
        state.moved = [
            m for m in state.moved if (m.account, m.intent) not in ended and m.left and m.give_up_cycle > state.cycle
        ]
        stand_ins = _merge(closes, lambda c: c.stand_ins)
        for takeover in _merge(closes, lambda c: c.takeovers):
            self._take(takeover, [s for s in stand_ins if s.loser == takeover.account])
        losses.settle(self)
        self._queue_withdrawals(closes)
        self._step_house_intents()
        self._open_interest = life.sum_open_interest(self, _sum_dicts([c.longs for c in closes]))
        if check:
            self._check_sums(closes)
        if state.sheet_changed:
            self.sheet = decode_sheet(state.sheet)
            self.open_accounts()

    def _take(self, takeover: ms.Takeover, stand_ins: list[ms.StandIn]) -> None:
        """Book a takeover: positions to the default account at their mark, cash to suspense, claims by market."""
        weights: list[tuple[int, int]] = []
        for contract, lots, value in takeover.positions:
            line = self.valuation.lines[contract]
            # e = q x (m - F): the value at which the account was paid out, so that P&L starts at zero.
            self.row(RowKind.TRADE, default_account(contract), contract, lots, value + lots * line.funding)
            weights.append((contract, abs(lots) * line.notional * line.price))
        for asset, amount in takeover.cash:
            self.row(RowKind.CASH, SUSPENSE, asset, amount)
        give_up = self.state.cycle + self.sheet.liquidation.cancel_grace_cycles
        for number, contract, left in takeover.intents:
            self.state.moved.append(MovedIntent(takeover.account, number, contract, left, give_up))
        self._recourse += losses.book_takeover(self, takeover, weights, stand_ins)

    def _queue_withdrawals(self, closes: Sequence[ms.ShardClose]) -> None:
        recalled = frozenset(a for c in closes for a in c.recalled)
        queue = [*self.state.queue, *_merge(closes, lambda c: c.queued)]
        self.state.queue = [entry for entry in queue if entry.account not in recalled]

    def _step_house_intents(self) -> None:
        grace = self.sheet.liquidation.cancel_grace_cycles
        kept: list[it.Intent] = []
        for intent in self.state.intents:
            fresh = self.valuation.lines[intent.contract].fresh
            needed = fresh and self.lots(default_account(intent.contract), intent.contract) * intent.left < 0
            after = it.step_intent(
                intent, needed=needed, cycle=self.state.cycle, now_ns=self.state.time_ns, grace_cycles=grace
            )
            if after.state == it.IntentState.DONE:
                self.note("intent_done", intent=after.id, filled=after.filled)
                continue
            if after.state == it.IntentState.CANCEL_PENDING and intent.state != after.state:
                self.note("intent_cancel", intent=after.id, left=after.left)
            kept.append(after)
        self.state.intents = kept

    def _check_sums(self, closes: Sequence[ms.ShardClose]) -> None:
        """Stop if lots of a contract do not sum to zero or money of an asset is not what the vault holds (CH-010)."""
        lots = _sum_dicts([c.lots for c in closes])
        money = _sum_dicts([c.money for c in closes])
        for account in self.store.accounts():
            state = self.store.read(account)
            assert state is not None
            for contract, (held, entry) in state.positions.items():
                lots[contract] = lots.get(contract, 0) + held
                asset = self.valuation.lines[contract].asset
                money[asset] = money.get(asset, 0) - entry
            for asset, amount in state.cash.items():
                money[asset] = money.get(asset, 0) + amount
        for contract, total in lots.items():
            if total:
                raise InvariantBroken(f"cycle {self.state.cycle}: lots of contract {contract} sum to {total}, not 0")
        for asset in {**money, **self.state.vault}:
            books, vault = money.get(asset, 0), self.state.vault.get(asset, 0)
            if books != vault:
                raise InvariantBroken(f"cycle {self.state.cycle}: asset {asset}: books hold {books}, vault {vault}")

    def decide(self, root: bytes) -> None:
        """
        Share out what is scarce, with the root of the closed cycle as the start of every rotation (rule WF-010).
        """
        self.last_root = root
        closes = self._closes
        decisions: list[ms.Decision] = []
        closing = close_lots(self, _merge(closes, lambda c: c.lot_candidates), self._lots_wanted)
        self.dealt_lots = _sum_dicts([{d.contract: d.lots} for d in closing])
        decisions += closing
        # What an account pays for another one's loss is no gain to share another loss from.
        standing = {d.account for d in self._recourse}
        winners = [w for w in _merge(closes, lambda c: c.money_candidates) if w.account not in standing]
        decisions += self._recourse
        decisions += losses.share_losses(self, winners)
        decisions += [ms.Credit(s.to_bucket, s.to, s.asset, s.amount) for s in _merge(closes, lambda c: c.sent)]
        decisions += lending.convert_debts(self, _merge(closes, lambda c: c.conversions))
        decisions += self._release()
        decisions += grant_lots(self, _merge(closes, lambda c: c.requests))
        self._decisions = tuple(decisions)
        self._want()
        self._closes = ()

    def _release(self) -> list[ms.Decision]:
        """First come, first served while the vault holds out; partial allowed, the rest stays queued (CH-020)."""
        out: list[ms.Decision] = []
        vault = dict(self.state.vault)
        left: list[ms.Queued] = []
        for entry in self.state.queue:
            paid = min(entry.amount, max(0, vault.get(entry.asset, 0)))
            if paid:
                vault[entry.asset] -= paid
                out.append(ms.Release(entry.bucket, entry.account, entry.asset, paid))
            if paid < entry.amount:
                left.append(entry._replace(amount=entry.amount - paid))
        self.state.queue = left
        return out

    def _want(self) -> None:
        self._lots_wanted = lots_wanted(self)
        self._money_wanted = losses.money_wanted(self.state.claims, self._decisions)

    def root(self) -> bytes:
        """
        Return the ClearingHouse's root over its accounts, queues, marks with grades, sheet, market states and time.
        """
        self._sort_maps()
        accounts = self.store.accounts()
        return hash_bytes(b"house", encode(self.state), *self.store.leaves(accounts))

    def _sort_maps(self) -> None:
        state = self.state
        state.vault, state.lots_age = sort_map(state.vault), sort_map(state.lots_age)
        state.marks = Marks(sort_map(state.marks.contracts), sort_map(state.marks.prices))

    def snapshot(self) -> Snapshot:
        """Return all of it as a value."""
        self._sort_maps()
        state = decode(encode(self.state), HouseState)
        leaves = tuple(self.store.leaves(self.store.accounts()))
        return Snapshot(
            state, leaves, self._decisions, self._lots_wanted, self._money_wanted, self.last_root, self._opened
        )

    @classmethod
    def restore(cls, snapshot: Snapshot) -> "ClearingHouse":
        """Return the ClearingHouse of a snapshot."""
        state = decode(encode(snapshot.state), HouseState)
        house = cls.__new__(cls)
        sheet = decode_sheet(state.sheet)
        HouseDesk.__init__(house, sheet, state, Valuation(sheet, snapshot.opened.marks))
        house.store.load(list(snapshot.leaves))
        house.last_root = snapshot.root
        house._decisions = snapshot.decisions
        house._lots_wanted, house._money_wanted = dict(snapshot.lots_wanted), dict(snapshot.money_wanted)
        house._opened = snapshot.opened
        house._closes = ()
        house._recourse, house._open_interest = [], {}
        house._note_outage()
        return house


def _sum_dicts(parts: Iterable[dict[int, int]]) -> dict[int, int]:
    out: dict[int, int] = {}
    for part in parts:
        for key, value in part.items():
            out[key] = out.get(key, 0) + value
    return {k: out[k] for k in sorted(out)}


def _sum_pairs(parts: Iterable[dict[int, tuple[int, int]]]) -> dict[int, tuple[int, int]]:
    out: dict[int, tuple[int, int]] = {}
    for part in parts:
        for key, (a, b) in part.items():
            before = out.get(key, (0, 0))
            out[key] = before[0] + a, before[1] + b
    return {k: out[k] for k in sorted(out)}


def _merge(closes: Sequence[ms.ShardClose], pick: Callable[[ms.ShardClose], Sequence[Any]]) -> list[Any]:
    """Return the rows of all closes in (bucket, account, index) order: their leading fields."""
    return sorted(row for close in closes for row in pick(close))
