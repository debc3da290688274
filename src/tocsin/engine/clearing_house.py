"""
The ClearingHouse: market-wide state, funds, suspense, default and error accounts, queues (rules CH-001 to CH-023).

At each close it works through what the shards report in (bucket, account, index) order, never in shard or arrival order,
and opens the next cycle. Its own accounts are a small unbounded `PlainStore`.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec

from tocsin.accounts.plain import PlainStore
from tocsin.accounts.store import RowKind, Rows
from tocsin.core.codec import decode, encode, sort_map
from tocsin.core.errors import CodecError, DataError, InvariantBroken, Reason
from tocsin.core.hashing import hash_bytes
from tocsin.core.ids import GLOBAL_FUND, SUSPENSE, default_account, error_account, market_fund
from tocsin.core.integers import share_pro_rata
from tocsin.core.limits import NOTIONAL_PER_LOT_MIN
from tocsin.engine import commands as cm
from tocsin.engine import losses
from tocsin.engine import messages as ms
from tocsin.engine.sequencer import HouseItem, ItemKind
from tocsin.margin.valuation import Valuation
from tocsin.procedures.liquidation import intent as it
from tocsin.sheet.marks import Grade, Mark, Marks, check_mark, grade_by_age
from tocsin.sheet.terms import ContractTerms, RiskSheet, decode_sheet, encode_sheet, hash_sheet
from tocsin.sheet.validate import check_successor, validate_sheet

MINUTE_NS = 60 * 10**9


class MovedIntent(msgspec.Struct, frozen=True, array_like=True):
    """Lots of the default account that an intent taken over with its account may still trade."""

    account: int
    intent: int
    contract: int
    left: int
    give_up_cycle: int


class HouseState(msgspec.Struct, array_like=True):
    """
    Everything the ClearingHouse remembers besides its accounts; `encode` of it is hashed into every root.

    `claims` are losses no stage has paid yet; `lots_age` counts cycles since the default account last was flat in a
    contract; `frozen` are contracts whose opening is halted by a clamped mark; `previous_ns` is the last opening's time.
    """

    cycle: int
    time_ns: int
    sheet: bytes
    marks: Marks
    halted: list[int] = msgspec.field(default_factory=list[int])
    frozen: list[int] = msgspec.field(default_factory=list[int])
    vault: dict[int, int] = msgspec.field(default_factory=dict[int, int])
    claims: list[losses.Claim] = msgspec.field(default_factory=list[losses.Claim])
    queue: list[ms.Queued] = msgspec.field(default_factory=list[ms.Queued])
    intents: list[it.Intent] = msgspec.field(default_factory=list[it.Intent])
    moved: list[MovedIntent] = msgspec.field(default_factory=list[MovedIntent])
    lots_age: dict[int, int] = msgspec.field(default_factory=dict[int, int])
    sheet_changed: bool = True
    previous_ns: int = 0


class Snapshot(msgspec.Struct, frozen=True, array_like=True):
    """The ClearingHouse at rest, between a close and the next opening."""

    state: HouseState
    leaves: tuple[bytes, ...]
    decisions: tuple[ms.Decision, ...]
    lots_wanted: dict[int, int]
    money_wanted: dict[int, int]
    root: bytes
    opened: ms.CycleOpen


class ClearingHouse:
    """
    One object, one stream. `open` starts a cycle, `close` ends it.
    """

    def __init__(self, sheet: RiskSheet, time_ns: int) -> None:
        validate_sheet(sheet)
        self.sheet = sheet
        self.state = HouseState(0, time_ns, encode_sheet(sheet), Marks({}, {}))
        self.valuation = Valuation(sheet, self.state.marks)
        self.store = PlainStore(self.valuation, bounded=False)
        self.events: list[ms.Event] = []
        self._decisions: tuple[ms.Decision, ...] = ()
        self._lots_wanted: dict[int, int] = {}
        self._money_wanted: dict[int, int] = {}
        self._root = bytes(32)
        self._opened = ms.CycleOpen(0, time_ns, b"", b"", Marks({}, {}), (), False, (), 0, {}, {})
        self._nth = 0
        self._closes: Sequence[ms.ShardClose] = ()
        self._dealt: dict[int, int] = {}
        self._open_accounts()

    # Accounts of its own

    def row(self, kind: RowKind, account: int, key: int, a: int, b: int = 0) -> tuple[Reason, int, int]:
        """Apply one row to the ClearingHouse's own accounts."""
        rows = Rows()
        rows.add(kind, account, key, a, b)
        result = self.store.apply(rows)
        return result.reason[0], result.x[0], result.y[0]

    def _open_accounts(self) -> None:
        for account in (SUSPENSE, GLOBAL_FUND):
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

    # Opening

    def open(self, time_ns: int) -> ms.CycleOpen:
        """
        Open the next cycle at log time `time_ns`: book the own side of decisions, then take new marks and sheet.

        A late open (more than `late_cycles` nominal cycles after the last) is an outage: the cycle is reduce-only and
        deadlines move by the gap less one nominal cycle (rule CH-004).
        """
        state = self.state
        if time_ns <= state.time_ns and state.cycle:
            raise DataError(f"time_ns must be after {state.time_ns}, was {time_ns}")
        self.events, self._nth = [], 0
        gap = time_ns - state.time_ns
        late = state.cycle > 0 and gap > self.sheet.cycle.late_cycles * self.sheet.cycle.nominal_ns
        self._book_decisions()
        state.cycle += 1
        state.previous_ns, state.time_ns = state.time_ns, time_ns
        graded = grade_by_age(self.sheet, state.marks, time_ns, frozenset(state.halted))
        self.valuation = Valuation(self.sheet, graded)
        self.store.set_valuation(self.valuation)
        self._opened = ms.CycleOpen(
            cycle=state.cycle,
            time_ns=time_ns,
            sheet_hash=hash_sheet(self.sheet),
            sheet=state.sheet if state.sheet_changed else b"",
            marks=graded,
            decisions=self._decisions,
            reduce_only=late,
            closed=tuple(sorted({*state.halted, *state.frozen})),
            outage_ns=gap - self.sheet.cycle.nominal_ns if late else 0,
            lots_wanted=self._lots_wanted,
            money_wanted=self._money_wanted,
        )
        state.sheet_changed = False
        self._note_outage()
        return self._opened

    def _note_outage(self) -> None:
        if self._opened.reduce_only:
            gap = self._opened.time_ns - self.state.previous_ns
            self.note("outage", gap_ns=gap, moved_ns=self._opened.outage_ns)

    def dealt(self, contract: int) -> int:
        """Return the signed lots that holders will close against the default account when the next cycle opens."""
        return self._dealt.get(contract, 0)

    def _book_decisions(self) -> None:
        """Book the ClearingHouse's side of what the shards will book first in the cycle that opens."""
        for decision in self._decisions:
            match decision:
                case ms.CloseLots(contract=contract, lots=lots, value=value):
                    self.row(RowKind.TRADE, default_account(contract), contract, -lots, -value)
                case ms.Debit(asset=asset, amount=amount):
                    self.row(RowKind.CASH, SUSPENSE, asset, amount)
                    self.state.claims = losses.pay_claims(self.state.claims, asset, amount)
                case ms.Release(asset=asset, amount=amount):
                    self.state.vault[asset] = self.state.vault.get(asset, 0) - amount
                    if self.state.vault[asset] < 0:
                        raise InvariantBroken(f"vault of asset {asset} below zero: {self.state.vault[asset]}")
                case ms.Grant():
                    pass
        self._dealt = {}

    # Its stream

    def apply(self, items: Iterable[HouseItem]) -> None:
        """
        Apply the rows of its own stream in sequence.
        """
        for item, command in items:
            match item.kind:
                case ItemKind.FUND:
                    account = GLOBAL_FUND if item.key == -1 else market_fund(item.key)
                    self.row(RowKind.CASH, account, item.b, item.a)
                    self.state.vault[item.b] = self.state.vault.get(item.b, 0) + item.a
                    self.note("fund_paid_in", account, asset=item.b, amount=item.a)
                case ItemKind.MARKET:
                    halted = [c for c in self.state.halted if c != item.key]
                    self.state.halted = sorted([*halted, item.key]) if item.a else halted
                    self.note("market_halted" if item.a else "market_resumed", contract=item.key)
                case ItemKind.FILL:
                    self._apply_fill(item)
                case ItemKind.DONE:
                    self.state.intents = [i for i in self.state.intents if i.id != item.intent]
                    self.note("intent_done", intent=item.intent)
                case ItemKind.MARKS:
                    assert isinstance(command, cm.SetMarks)
                    self._set_marks(command)
                case ItemKind.SHEET:
                    assert isinstance(command, cm.SetSheet)
                    self._set_sheet(command.sheet)
                case _:
                    raise InvariantBroken(f"row kind {item.kind} is not for the ClearingHouse")

    def _apply_fill(self, item: ms.Item) -> None:
        """Book a side that names the default account's intent, or no known account: the error account takes the rest."""
        fits = 0
        for i, intent in enumerate(self.state.intents):
            if (
                item.account == 0
                and item.intent == intent.id
                and item.key == intent.contract
                and intent.left * item.a > 0
                and abs(item.b) <= abs(item.a) * self.valuation.lines[item.key].terms.mark_cap
            ):
                fits = min(abs(item.a), abs(intent.left))
                lots, value = it.split_fill(item.a, item.b, fits)
                self.row(RowKind.TRADE, default_account(item.key), item.key, lots, value)
                after = it.fill_intent(intent, lots)
                self.state.intents[i : i + 1] = [] if after.state == it.IntentState.DONE else [after]
                self.note(
                    "house_filled",
                    default_account(item.key),
                    contract=item.key,
                    lots=lots,
                    value=value,
                    intent=intent.id,
                )
                if lots == item.a:
                    return
                self._book_error(item.key, item.a - lots, item.b - value, item.account, Reason.UNKNOWN_INTENT)
                return
        reason = Reason.UNKNOWN_INTENT if item.account == 0 else Reason.UNKNOWN_ACCOUNT
        self._book_error(item.key, item.a, item.b, item.account, reason)

    def _book_error(self, contract: int, lots: int, value: int, account: int, reason: Reason) -> None:
        self.row(RowKind.TRADE, error_account(contract), contract, lots, value)
        self.note(
            "error_booked",
            error_account(contract),
            contract=contract,
            lots=lots,
            value=value,
            for_account=account,
            reason=f"R-{int(reason)}",
            why=reason.name,
        )

    def _set_marks(self, command: cm.SetMarks) -> None:
        """Take marks for the next cycle, refusing or clamping per instrument (rules MK-011 to MK-015)."""
        contracts = dict(self.state.marks.contracts)
        prices = dict(self.state.marks.prices)
        terms = {c.id: c for c in self.sheet.contracts}
        for contract, mark, funding, grade in zip(
            command.contract, command.mark, command.funding, command.grade, strict=True
        ):
            self._set_mark(contracts, terms[contract], mark, funding, Grade(grade))
        for asset, price in zip(command.asset, command.price, strict=True):
            cap = next(a.price_cap for a in self.sheet.assets if a.id == asset)
            if price <= 0:
                self.note("price_refused", asset=asset, price=price, why="price must be above 0")
                continue
            if price > cap:
                self.note("price_clamped", asset=asset, price=price, cap=cap)
            prices[asset] = min(price, cap)
        self.state.marks = Marks(contracts, prices)

    def _set_mark(
        self, contracts: dict[int, Mark], terms: ContractTerms, mark: int, funding: int, grade: Grade
    ) -> None:
        used, index, reason = check_mark(terms, mark, funding)
        first = terms.id not in contracts
        if reason == Reason.MARK_REFUSED or (first and abs(used) < NOTIONAL_PER_LOT_MIN):
            self.note("mark_refused", contract=terms.id, mark=mark, reason=f"R-{int(Reason.MARK_REFUSED)}")
            return
        if reason == Reason.MARK_CLAMPED:
            self.note("mark_clamped", contract=terms.id, mark=mark, used=used, reason=f"R-{int(reason)}")
            self.state.frozen = sorted({*self.state.frozen, terms.id})
        contracts[terms.id] = Mark(used, index, grade, self.state.time_ns)

    def _set_sheet(self, data: bytes) -> None:
        """Take a new sheet for the next cycle, or refuse it whole with the field that is wrong (rule SH-012)."""
        try:
            sheet = check_successor(self.sheet, decode_sheet(data))
        except (CodecError, DataError) as error:
            self.note("sheet_refused", reason=f"R-{int(Reason.SHEET_REFUSED)}", why=str(error))
            return
        self.state.sheet = data
        self.state.sheet_changed = True
        self.state.frozen = []
        self.note("sheet_set", hash=hash_sheet(sheet).hex(), name=sheet.name)

    # Closing

    def close(self, closes: Sequence[ms.ShardClose], check: bool = True) -> None:
        """
        Work through the shards' closes: unbooked sides, takeovers, fees, funds, queues. `decide` follows with the root.
        """
        self._closes = closes
        state = self.state
        for asset, amount in _sum_dicts([c.deposits for c in closes]).items():
            state.vault[asset] = state.vault.get(asset, 0) + amount
        for side in _merge(closes, lambda c: c.unbooked):
            self._book_unbooked(side)
        for fee in _merge(closes, lambda c: c.fees):
            asset = self.valuation.lines[fee.contract].asset
            self.row(RowKind.CASH, market_fund(fee.contract), asset, fee.amount)
            self.note("fund_income", market_fund(fee.contract), asset=asset, amount=fee.amount, why="liquidation fee")
        ended = {pair for c in closes for pair in c.ended}
        state.moved = [
            m for m in state.moved if (m.account, m.intent) not in ended and m.left and m.give_up_cycle > state.cycle
        ]
        for takeover in _merge(closes, lambda c: c.takeovers):
            self._take(takeover)
        losses.settle(self)
        self._queue_withdrawals(closes)
        self._step_house_intents()
        if check:
            self._check_sums(closes)
        self.sheet = decode_sheet(state.sheet)
        self._open_accounts()

    def _book_unbooked(self, side: ms.Unbooked) -> None:
        if not side.intent:
            self._book_error(side.contract, side.lots, side.value, side.account, Reason(side.reason))
            return
        self.row(RowKind.TRADE, default_account(side.contract), side.contract, side.lots, side.value)
        self.state.moved = [
            msgspec.structs.replace(m, left=m.left - side.lots)
            if (m.account, m.intent) == (side.account, side.intent)
            else m
            for m in self.state.moved
        ]
        self.note(
            "house_filled",
            default_account(side.contract),
            contract=side.contract,
            lots=side.lots,
            value=side.value,
            intent=side.intent,
            for_account=side.account,
        )

    def _take(self, takeover: ms.Takeover) -> None:
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
        losses.book_takeover(self, takeover, weights)

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
            if money.get(asset, 0) != self.state.vault.get(asset, 0):
                raise InvariantBroken(
                    f"cycle {self.state.cycle}: asset {asset}: books hold {money.get(asset, 0)}, vault {self.state.vault.get(asset, 0)}"
                )

    # Decisions for the next cycle

    def decide(self, root: bytes) -> None:
        """
        Share out what is scarce, with the root of the closed cycle as the start of every rotation (rule WF-010).
        """
        self._root = root
        closes = self._closes
        decisions: list[ms.Decision] = []
        closing = self._close_lots(_merge(closes, lambda c: c.lot_candidates))
        self._dealt = _sum_dicts([{d.contract: d.lots} for d in closing])
        decisions += closing
        decisions += losses.share_losses(self, _merge(closes, lambda c: c.money_candidates), self.first_extra)
        decisions += self._release()
        decisions += self._grant(_merge(closes, lambda c: c.requests))
        self._decisions = tuple(decisions)
        self._want()
        self._closes = ()

    def first_extra(self, topic: int) -> int:
        """Return where the remainder of one allocation begins to be dealt: from the state root, different per topic."""
        return int.from_bytes(hash_bytes(b"rotate", self._root, topic.to_bytes(8, "little", signed=True))[:8], "little")

    def _close_lots(self, offered: list[ms.LotCandidate]) -> list[ms.CloseLots]:
        """ADL: deal the lots asked for in this cycle to the holders that offered them (rule WF-030)."""
        return losses.close_lots(self, offered, self._lots_wanted)

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

    def _grant(self, requests: list[ms.Request]) -> list[ms.Decision]:
        """
        Share each market's capacity per side pro rata over what plans ask, the default account among them (CH-021).
        """
        out: list[ms.Decision] = []
        keys = {(r.contract, r.lots > 0) for r in requests}
        own = self._house_requests()
        keys |= {(contract, lots > 0) for contract, lots in own.items()}
        expires = self.state.time_ns + self.sheet.liquidation.intent_life_ns
        for contract, buys in sorted(keys):
            asks = [r for r in requests if (r.contract, r.lots > 0) == (contract, buys)]
            house = own.get(contract, 0) if (own.get(contract, 0) > 0) == buys else 0
            wanted = [abs(r.lots) for r in asks] + [abs(house)]
            granted = share_pro_rata(
                min(self._capacity(contract), sum(wanted)), wanted, first_extra=self.first_extra(contract)
            )
            for request, lots in zip(asks, granted[:-1], strict=True):
                if lots:
                    number = self.state.cycle * 4096 + request.nth + 1
                    signed = lots if buys else -lots
                    out.append(
                        ms.Grant(request.bucket, request.account, number, contract, signed, request.limit, expires)
                    )
            if granted[-1]:
                self._open_house_intent(contract, granted[-1] if buys else -granted[-1], expires)
        return out

    def _capacity(self, contract: int) -> int:
        """Return the lots a side of a market takes in the time of the next nominal cycle, rounded down, at least 1."""
        line = self.valuation.lines[contract]
        elapsed = min(self._last_step_ns(), self.sheet.cycle.nominal_ns)
        return max(1, line.terms.capacity_lots * elapsed // MINUTE_NS) if line.terms.capacity_lots else 0

    def _last_step_ns(self) -> int:
        return max(1, self.state.time_ns - self.state.previous_ns)

    def _house_requests(self) -> dict[int, int]:
        """Return the signed lots of the default account that are fresh and not reserved yet."""
        out: dict[int, int] = {}
        for terms in self.sheet.contracts:
            lots = self.lots(default_account(terms.id), terms.id)
            if not lots or not self.valuation.lines[terms.id].fresh or terms.id in self._lots_wanted_next():
                continue
            free = losses.unreserved_lots(self, terms.id)
            if free:
                out[terms.id] = -free
        return out

    def _open_house_intent(self, contract: int, lots: int, expires: int) -> None:
        line = self.valuation.lines[contract]
        give = line.notional * line.terms.impact_ppm // 1_000_000
        limit = line.mark + give if lots > 0 else line.mark - give
        number = self.state.cycle * 4096 + contract + 1
        self.state.intents.append(it.Intent(number, contract, lots, limit, expires))
        self.note("house_intent", default_account(contract), intent=number, contract=contract, lots=lots, limit=limit)

    def _lots_wanted_next(self) -> dict[int, int]:
        return losses.lots_wanted(self)

    def _want(self) -> None:
        self._lots_wanted = self._lots_wanted_next()
        self._money_wanted = losses.money_wanted(self.state.claims, self._decisions)

    # Roots and snapshots

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
        return Snapshot(state, leaves, self._decisions, self._lots_wanted, self._money_wanted, self._root, self._opened)

    @classmethod
    def restore(cls, snapshot: Snapshot) -> "ClearingHouse":
        """Return the ClearingHouse of a snapshot."""
        house = cls.__new__(cls)
        house.state = decode(encode(snapshot.state), HouseState)
        house.sheet = decode_sheet(house.state.sheet)
        house.valuation = Valuation(house.sheet, snapshot.opened.marks)
        house.store = PlainStore(house.valuation, bounded=False)
        house.store.load(list(snapshot.leaves))
        house.events, house._nth = [], 0
        house._decisions, house._root = snapshot.decisions, snapshot.root
        house._lots_wanted, house._money_wanted = dict(snapshot.lots_wanted), dict(snapshot.money_wanted)
        house._opened = snapshot.opened
        house._closes = ()
        house._dealt = {}
        house._note_outage()
        return house


def _sum_dicts(parts: Iterable[dict[int, int]]) -> dict[int, int]:
    out: dict[int, int] = {}
    for part in parts:
        for key, value in part.items():
            out[key] = out.get(key, 0) + value
    return {k: out[k] for k in sorted(out)}


def _merge(closes: Sequence[ms.ShardClose], pick: Callable[[ms.ShardClose], Sequence[Any]]) -> list[Any]:
    """Return the rows of all closes in (bucket, account, index) order: their leading fields."""
    return sorted(row for close in closes for row in pick(close))
