"""
A shard: the accounts and cases of its buckets, run one cycle at a time (rules CY-010 to CY-030, DESIGN 2.5).

A cycle: decisions, marks and decision point A, commands in sequence, decision point B. A shard reads its own stream and
the ClearingHouse's opening, nothing else.
"""

from collections.abc import Iterable

import msgspec

from tocsin.accounts.plain import PlainStore
from tocsin.accounts.store import AccountStore, RowKind, Rows
from tocsin.core.errors import InvariantBroken, Reason
from tocsin.core.ids import bucket_of
from tocsin.core.integers import PPM
from tocsin.engine import candidates
from tocsin.engine.case import Case, Moved, decode_case, encode_case, hash_case
from tocsin.engine.ledger import hash_bucket, hash_leaf
from tocsin.engine.messages import (
    CloseLots,
    CycleOpen,
    Debit,
    Event,
    Fee,
    Grant,
    Item,
    Queued,
    Release,
    Request,
    ShardClose,
    Takeover,
    Unbooked,
)
from tocsin.engine.sequencer import ItemKind
from tocsin.margin.levels import assess
from tocsin.margin.state import AccountState, Level, Mode
from tocsin.margin.valuation import Valuation, compute_balances
from tocsin.procedures.liquidation import intent as it
from tocsin.procedures.liquidation.plan import plan_liquidation
from tocsin.procedures.margin_calls import call as mc
from tocsin.sheet.marks import Marks
from tocsin.sheet.terms import RiskSheet, decode_sheet

ERROR = 0
"""Intent number of an unbooked side that goes to the error account."""


class Shard:
    """
    Accounts of some buckets. `run` closes one cycle; between cycles the state is at rest.
    """

    def __init__(self, sheet: RiskSheet) -> None:
        self.sheet = sheet
        self.valuation = Valuation(sheet, Marks({}, {}))
        self.store: AccountStore = PlainStore(self.valuation)
        self.cases: dict[int, Case] = {}
        self._by_bucket: dict[int, list[int]] = {}
        self._hashes: dict[int, bytes] = {}
        self._sums: dict[int, tuple[dict[int, int], dict[int, int]]] = {}
        self._lots: dict[int, int] = {}
        self._money: dict[int, int] = {}
        self._watched: dict[int, None] = {}
        self._touched: dict[int, None] = {}
        self._nth: dict[int, int] = {}
        self._open = CycleOpen(0, 0, b"", b"", Marks({}, {}), (), False, (), 0, {}, {})
        self._close = _empty_close()

    # Reading

    def bucket(self, account: int) -> int:
        """Return the bucket of an account of this shard."""
        return bucket_of(self.read(account).root)

    def read(self, account: int) -> AccountState:
        """Return an account that must exist."""
        state = self.store.read(account)
        if state is None:
            raise InvariantBroken(f"account {account} must be in its shard, was not")
        return state

    def bucket_accounts(self, bucket: int) -> list[int]:
        """Return the accounts of a bucket, ascending."""
        return self._by_bucket.get(bucket, [])

    def leaf_hashes(self, bucket: int) -> list[bytes]:
        """Return the leaf hashes of a bucket, ascending by account."""
        return [self._hashes[a] for a in self.bucket_accounts(bucket)]

    # The cycle

    def run(self, opened: CycleOpen, items: Iterable[Item]) -> ShardClose:
        """
        Run one cycle over the opening and this shard's rows in sequence; return its close.
        """
        self._open = opened
        self._close = _empty_close()
        self._touched, self._nth = {}, {}
        if opened.sheet:
            self.sheet = decode_sheet(opened.sheet)
            self._value_at(self.valuation.marks)
        self._apply_decisions()
        self._apply_marks()
        self._apply_items(items)
        self._decide()
        self._refresh_ledger()
        self._offer_candidates()
        close = self._close
        return close._replace(lots=dict(self._lots), money=dict(self._money))

    def _event(self, phase: int, order: tuple[int, int, int], kind: str, account: int, **fields: int | str) -> None:
        self._close.events.append(Event(self._open.cycle, phase, order, kind, account, fields))

    def _note(self, phase: int, account: int, kind: str, **fields: int | str) -> None:
        """Record an event ordered by (bucket, account, n-th of the account)."""
        nth = self._nth[account] = self._nth.get(account, 0) + 1
        self._event(phase, (self.bucket(account), account, nth), kind, account, **fields)

    def _row(
        self, kind: RowKind, account: int, key: int = 0, a: int = 0, b: int = 0, c: int = -1, d: int = -1
    ) -> tuple[Reason, int, int]:
        rows = Rows()
        rows.add(kind, account, key, a, b, c, d)
        results = self.store.apply(rows)
        self._touched[account] = None
        return results.reason[0], results.x[0], results.y[0]

    # Decisions of the ClearingHouse, before new marks

    def _apply_decisions(self) -> None:
        for decision in self._open.decisions:
            account = decision.account
            if self.store.read(account) is None:
                continue
            match decision:
                case Grant():
                    self._grant(decision)
                case CloseLots(contract=contract, lots=lots, value=value):
                    reason, _, cash = self._row(RowKind.TRADE, account, contract, lots, value)
                    if reason:
                        raise InvariantBroken(f"account {account}: ADL lots of {contract} must book, was {reason.name}")
                    self._note(0, account, "adl", contract=contract, lots=lots, value=value, cash=cash)
                case Debit(asset=asset, amount=amount):
                    self._row(RowKind.CASH, account, asset, -amount)
                    self._note(0, account, "haircut", asset=asset, amount=amount)
                case Release(asset=asset, amount=amount):
                    self._row(RowKind.RELEASE, account, asset, amount)
                    self._note(0, account, "released", asset=asset, amount=amount)

    def _grant(self, grant: Grant) -> None:
        """Open an intent over lots that are still unreserved (ADL may have closed some of those asked for)."""
        case = self._case(grant.account)
        held = self.read(grant.account).positions.get(grant.contract, (0, 0))[0]
        free = abs(held) - abs(it.reserved_lots(case.intents, grant.contract))
        size = min(abs(grant.lots), free) if held * grant.lots < 0 else 0
        self._touched[grant.account] = None
        if size <= 0:
            return
        lots = size if grant.lots > 0 else -size
        case.intents.append(it.Intent(grant.intent, grant.contract, lots, grant.limit, grant.expires_ns))
        self._note(
            0,
            grant.account,
            "intent_granted",
            intent=grant.intent,
            contract=grant.contract,
            lots=lots,
            limit=grant.limit,
            expires_ns=grant.expires_ns,
        )

    def _value_at(self, marks: Marks) -> None:
        self.valuation = Valuation(self.sheet, marks)
        self.store.set_valuation(self.valuation)

    def _apply_marks(self) -> None:
        """Take the marks of the cycle; decision point A: levels of all accounts, crossings recorded."""
        self._value_at(self._open.marks)
        self._record_crossings(1, None)
        if self._open.outage_ns:
            for account in sorted(self.cases):
                case = self.cases[account]
                if case.call is not None:
                    case.call = mc.shift_deadline(case.call, self._open.outage_ns)
                    self._touched[account] = None
                    self._note(1, account, "deadline_moved", outage_ns=self._open.outage_ns)

    def _record_crossings(self, phase: int, accounts: list[int] | None) -> None:
        for account, before, after in self.store.crossings(accounts):
            self._touched[account] = None
            if after >= Level.MARGIN_CALL:
                self._watched[account] = None
            elif account not in self.cases:
                self._watched.pop(account, None)
            self._note(phase, account, "level_crossed", before=before.name, after=after.name)

    # Commands, in sequence

    def _apply_items(self, items: Iterable[Item]) -> None:
        for item in items:
            account, kind = item.account, item.kind
            if kind == ItemKind.FILL:
                self._apply_fill(item)
                continue
            if kind == ItemKind.DONE:
                self._finish_intent(item)
                continue
            row, note = _ROWS[ItemKind(kind)]
            b = item.b
            if kind == ItemKind.CHECK:
                case = self.cases.get(account)
                restricted = case is not None and case.reducing
                closed = item.key in self._open.closed or not self.valuation.lines[item.key].fresh
                b = int(self._open.reduce_only or restricted or closed)
            reason, x, y = self._row(row, account, item.key, item.a, b)
            if kind == ItemKind.OPEN:
                self._add_to_bucket(account, item.a)
            elif kind == ItemKind.DEPOSIT and not reason:
                self._close.deposits[item.key] = self._close.deposits.get(item.key, 0) + item.a
                self._mark_acted(account)
            elif kind == ItemKind.WITHDRAW and not reason:
                self._close.queued.append(Queued(self.bucket(account), account, item.sequence, item.key, x))
            name = note if not reason else "refused"
            fields: dict[str, int | str] = {"key": item.key, "a": item.a, "b": item.b, "x": x, "y": y}
            if reason:
                fields |= {"command": note, "reason": f"R-{int(reason)}", "why": reason.name}
            self._event(2, (item.sequence, 0, 0), name, account, **fields)

    def _mark_acted(self, account: int) -> None:
        case = self.cases.get(account)
        if case is not None and case.call is not None:
            case.acted = True

    def _add_to_bucket(self, account: int, root: int) -> None:
        members = self._by_bucket.setdefault(bucket_of(root), [])
        members.append(account)
        members.sort()

    def _apply_fill(self, item: Item) -> None:
        """
        Book one side of a fill: an intent's within the intent, an own one outside reserved lots; what cannot be booked
        goes to the error account with an event (rules CY-020 to CY-024).
        """
        account, contract = item.account, item.key
        state = self.read(account)
        if abs(item.b) > abs(item.a) * self.valuation.lines[contract].terms.mark_cap:
            self._to_house(item, item.a, item.b, ERROR, Reason.OUT_OF_RANGE)
            return
        held = state.positions.get(contract, (0, 0))[0]
        case = self.cases.get(account)
        fits, reason = abs(item.a), Reason.OK
        if item.intent:
            if self._fill_moved(item, case):
                return
            fits, reason = self._intent_room(item, case, held)
        elif case is not None and held * item.a < 0:
            reserved = it.reserved_lots(case.intents, contract)
            if reserved:
                fits, reason = min(fits, abs(held) - abs(reserved)), Reason.LOTS_RESERVED
        lots, value = it.split_fill(item.a, item.b, fits)
        if lots:
            booked, left, cash = self._row(RowKind.TRADE, account, contract, lots, value, item.c, item.d)
            if booked:
                lots, value, reason = 0, 0, booked
            else:
                self._after_fill(item, case, lots, value, left, cash)
        if lots != item.a:
            self._to_house(item, item.a - lots, item.b - value, ERROR, reason)

    def _after_fill(self, item: Item, case: Case | None, lots: int, value: int, left: int, cash: int) -> None:
        account, contract = item.account, item.key
        self._event(
            2,
            (item.sequence, 0, 0),
            "filled",
            account,
            contract=contract,
            lots=lots,
            value=value,
            intent=item.intent,
            position=left,
            cash=cash,
        )
        if not item.intent:
            self._mark_acted(account)
            return
        assert case is not None
        for i, intent in enumerate(case.intents):
            if intent.id == item.intent:
                case.intents[i] = it.fill_intent(intent, lots)
                if value > lots * intent.limit:
                    # Bought above or sold below the limit: a fill is a fact, so it stands, and is told.
                    limit = intent.limit
                    self._event(2, (item.sequence, 0, 2), "limit_broken", account, intent=intent.id, limit=limit)
        self._charge_fee(item, value)

    def _charge_fee(self, item: Item, value: int) -> None:
        """Take the liquidation fee, rounded down and at most what is left above zero, for the market's fund (LQ-008)."""
        line = self.valuation.lines[item.key]
        balance = compute_balances(self.read(item.account), self.valuation).get(line.asset, 0)
        fee = min(abs(value) * line.terms.fee_ppm // PPM, max(0, balance))
        if fee:
            self._row(RowKind.CASH, item.account, line.asset, -fee)
            self._close.fees.append(Fee(self.bucket(item.account), item.account, item.sequence, item.key, fee))
            self._event(2, (item.sequence, 1, 0), "fee", item.account, contract=item.key, amount=fee)

    def _intent_room(self, item: Item, case: Case | None, held: int) -> tuple[int, Reason]:
        for intent in case.intents if case is not None else ():
            if intent.id == item.intent and intent.contract == item.key and intent.left * item.a > 0:
                room = min(abs(intent.left), abs(held) if held * item.a < 0 else 0)
                return min(abs(item.a), room), Reason.LOTS_RESERVED
        return 0, Reason.UNKNOWN_INTENT

    def _fill_moved(self, item: Item, case: Case | None) -> bool:
        """Send a fill of an intent that moved with its lots to the default account; the excess is an error."""
        for i, moved in enumerate(case.moved if case is not None else ()):
            if moved.intent == item.intent and moved.contract == item.key and moved.left * item.a > 0:
                lots, value = it.split_fill(item.a, item.b, min(abs(item.a), abs(moved.left)))
                assert case is not None
                case.moved[i] = msgspec.structs.replace(moved, left=moved.left - lots)
                self._touched[item.account] = None
                self._to_house(item, lots, value, item.intent, Reason.OK)
                if lots != item.a:
                    self._to_house(item, item.a - lots, item.b - value, ERROR, Reason.UNKNOWN_INTENT)
                return True
        return False

    def _to_house(self, item: Item, lots: int, value: int, intent: int, reason: Reason) -> None:
        self._close.unbooked.append(
            Unbooked(self.bucket(item.account), item.account, item.sequence, item.key, lots, value, intent, int(reason))
        )
        self._event(
            2,
            (item.sequence, 0, 1),
            "unbooked",
            item.account,
            contract=item.key,
            lots=lots,
            value=value,
            to="default" if intent else "error",
            reason=f"R-{int(reason)}",
            why=reason.name,
        )

    def _finish_intent(self, item: Item) -> None:
        case = self.cases.get(item.account)
        found = False
        for i, intent in enumerate(case.intents if case is not None else ()):
            if intent.id == item.intent and intent.state != it.IntentState.DONE:
                assert case is not None
                case.intents[i] = it.finish(intent)
                found = True
        for moved in list(case.moved if case is not None else ()):
            if moved.intent == item.intent:
                assert case is not None
                case.moved.remove(moved)
                self._close.ended.append((item.account, item.intent))
                found = True
        self._touched[item.account] = None
        name = "intent_done" if found else "refused"
        self._event(2, (item.sequence, 0, 0), name, item.account, intent=item.intent)

    # Decision point B

    def _decide(self) -> None:
        self._record_crossings(3, sorted(self._touched))
        active = sorted({**self._watched, **dict.fromkeys(self.cases)}, key=lambda a: (self.bucket(a), a))
        for account in active:
            self._decide_account(account)

    def _decide_account(self, account: int) -> None:
        """
        (1) Cures, (2) expiries, (3) calls, (4) intents and claims, for one account (DESIGN 2.5).
        """
        state, cycle, now = self.read(account), self._open.cycle, self._open.time_ns
        case = self._case(account)
        level = state.level
        self._review_call(state, case, level, now)
        if case.reducing and level < Level.MARGIN_CALL:
            case.reducing = False
            self._note(3, account, "reduction_done")
        if level == Level.MARGIN_CALL and case.call is None and not case.reducing and self.sheet.calls.enabled:
            self._issue_call(state, case, now)
        if level == Level.LIQUIDATION and not case.reducing:
            case.reducing = True
            self._note(3, account, "reduction_started", why="liquidation level")
            self._cancel_holds(state)
        self._step_intents(case, needed=case.reducing, cycle=cycle, now=now)
        taken = level >= Level.TAKEOVER
        if not taken and case.reducing:
            taken = not self._plan(state, case)
        if taken:
            self._take_over(state, case)
        self._touched[account] = None
        if case.is_empty:
            self.cases.pop(account, None)
            if state.level < Level.MARGIN_CALL:
                self._watched.pop(account, None)

    def _review_call(self, state: AccountState, case: Case, level: Level, now: int) -> None:
        if case.call is None:
            return
        outcome = mc.review_call(case.call, level, case.acted, now)
        if outcome == mc.Outcome.OPEN and not self.sheet.calls.enabled:
            outcome = mc.Outcome.CANCELLED
        if outcome == mc.Outcome.OPEN:
            revised = mc.revise_deadline(case.call, state, self.valuation, now)
            if revised is not case.call:
                case.call = revised
                self._note(
                    3, state.id, "call_revised", deadline_ns=revised.deadline_ns, t_star_minutes=revised.t_star_minutes
                )
                if revised.deadline_ns - now < self.sheet.calls.t_min_ns and revised.t_star_minutes >= 0:
                    outcome = mc.Outcome.EXPIRED
        if outcome == mc.Outcome.OPEN:
            return
        call, case.call, case.acted = case.call, None, False
        match outcome:
            case mc.Outcome.CURED:
                self._note(3, state.id, "call_cured", issued_cycle=call.cycle, amount=call.amount)
            case mc.Outcome.CANCELLED:
                why = "market moved back" if level < Level.MARGIN_CALL else f"level {level.name.lower()}"
                if level == Level.MARGIN_CALL:
                    why = "margin calls are off"
                self._note(3, state.id, "call_cancelled", issued_cycle=call.cycle, amount=call.amount, why=why)
            case _:
                self._note(3, state.id, "call_expired", issued_cycle=call.cycle, amount=call.amount)
                self._start_reduction(state, case, "call expired")

    def _start_reduction(self, state: AccountState, case: Case, why: str) -> None:
        case.reducing = True
        self._note(3, state.id, "reduction_started", why=why)
        self._cancel_holds(state)

    def _cancel_holds(self, state: AccountState) -> None:
        if state.holds:
            self._note(3, state.id, "cancel_orders", contracts=len(state.holds))

    def _issue_call(self, state: AccountState, case: Case, now: int) -> None:
        numbers = assess(state, self.valuation)
        call = mc.issue_call(state, self.valuation, numbers, self._open.cycle, now)
        self._note(
            3,
            state.id,
            "call_issued",
            amount=call.amount,
            deadline_ns=call.deadline_ns,
            equity=call.equity,
            requirement=call.requirement,
            t_star_minutes=call.t_star_minutes,
            buffer=call.buffer,
            gap=call.gap,
            variance=call.variance,
            cures=" ".join(f"{a}:{u}" for a, u in call.cures),
        )
        if mc.is_too_short(call, self.sheet.calls):
            self._note(3, state.id, "call_expired", issued_cycle=call.cycle, amount=call.amount)
            self._start_reduction(state, case, "no time: T* below T_min")
        else:
            case.call, case.acted = call, False

    def _step_intents(self, case: Case, *, needed: bool, cycle: int, now: int) -> None:
        grace = self.sheet.liquidation.cancel_grace_cycles
        kept: list[it.Intent] = []
        for intent in case.intents:
            fresh = intent.contract in self.valuation.lines and self.valuation.lines[intent.contract].fresh
            after = it.step_intent(intent, needed=needed and fresh, cycle=cycle, now_ns=now, grace_cycles=grace)
            if after.state == it.IntentState.DONE:
                self._note(3, case.account, "intent_done", intent=after.id, filled=after.filled)
                continue
            if after.state == it.IntentState.CANCEL_PENDING and intent.state != after.state:
                self._note(3, case.account, "intent_cancel", intent=after.id, left=after.left)
            kept.append(after)
        case.intents[:] = kept
        case.moved[:] = [m for m in case.moved if m.left and m.give_up_cycle > cycle]

    def _plan(self, state: AccountState, case: Case) -> bool:
        """Ask for the lots of the greedy plan; False if equity leaves nothing but a takeover."""
        working: dict[int, int] = {}
        for intent in case.intents:
            working[intent.contract] = working.get(intent.contract, 0) + intent.left
        plan = plan_liquidation(state, self.valuation, working)
        if plan is None:
            return False
        bucket = self.bucket(state.id)
        for index, part in enumerate(plan.slices):
            self._close.requests.append(Request(bucket, state.id, index, part.contract, part.lots, part.limit))
        if plan.slices:
            self._note(
                3,
                state.id,
                "plan",
                reaches=int(plan.reaches),
                cost=plan.cost,
                concession_max=plan.concession_max,
                slices=" ".join(f"{s.contract}:{s.lots}@{s.limit}" for s in plan.slices),
            )
        return True

    def _take_over(self, state: AccountState, case: Case) -> None:
        """
        Move positions at mark, cash and intents to the ClearingHouse; nothing but holds is left (rules WF-040 on).
        """
        account = state.id
        for asset in sorted(state.in_transit):
            self._row(RowKind.RECALL, account, asset)
            self._close.recalled.append(account)
        positions: list[tuple[int, int, int]] = []
        for contract in sorted(state.positions):
            _, lots, value = self._row(RowKind.TAKE, account, contract)
            positions.append((contract, lots, value))
        cash = tuple((asset, state.cash[asset]) for asset in sorted(state.cash))
        for asset, amount in cash:
            self._row(RowKind.CASH, account, asset, -amount)
        moved = tuple((i.id, i.contract, i.left) for i in case.intents if i.left)
        give_up = self._open.cycle + self.sheet.liquidation.cancel_grace_cycles
        case.moved.extend(Moved(number, contract, left, give_up) for number, contract, left in moved)
        case.intents.clear()
        case.reducing = False
        self._cancel_holds(state)
        self._close.takeovers.append(Takeover(self.bucket(account), account, tuple(positions), cash, moved))
        self._note(
            3,
            account,
            "taken_over",
            level=state.level.name,
            positions=" ".join(f"{c}:{q}" for c, q, _ in positions),
            cash=" ".join(f"{a}:{v}" for a, v in cash),
        )
        self._record_crossings(3, [account])

    def _case(self, account: int) -> Case:
        case = self.cases.get(account)
        if case is None:
            case = self.cases[account] = Case(account)
        return case

    # Closing

    def _refresh_ledger(self) -> None:
        """Recompute leaves of touched accounts, roots of their buckets, and the sums the ClearingHouse checks."""
        touched = sorted(self._touched)
        buckets: dict[int, None] = {}
        for account, leaf in zip(touched, self.store.leaves(touched), strict=True):
            self._hashes[account] = hash_leaf(leaf, hash_case(self.cases.get(account)))
            buckets[self.bucket(account)] = None
            self._resum(self.read(account))
        for bucket in sorted(buckets):
            self._close.roots[bucket] = hash_bucket(self.leaf_hashes(bucket))

    def _resum(self, state: AccountState) -> None:
        old_lots, old_money = self._sums.get(state.id, ({}, {}))
        lots = {c: q for c, (q, _) in state.positions.items()}
        money = dict(state.cash)
        for asset, units in state.in_transit.items():
            money[asset] = money.get(asset, 0) + units
        for contract, (_, entry) in state.positions.items():
            asset = self.valuation.lines[contract].asset
            money[asset] = money.get(asset, 0) - entry
        for totals, old, new in ((self._lots, old_lots, lots), (self._money, old_money, money)):
            for key in {**old, **new}:
                totals[key] = totals.get(key, 0) + new.get(key, 0) - old.get(key, 0)
        self._sums[state.id] = (lots, money)

    def _offer_candidates(self) -> None:
        """Report, when asked, who can close lots or has gains; frozen as of this close."""
        if not self._open.lots_wanted and not self._open.money_wanted:
            return
        for account in self.store.accounts():
            state = self.read(account)
            if state.mode == Mode.EXTERNAL or not state.positions:
                continue
            case = self.cases.get(account)
            intents = case.intents if case is not None else []
            bucket = self.bucket(account)
            self._close.lot_candidates.extend(
                candidates.offer_lots(bucket, state, self.valuation, intents, self._open.lots_wanted)
            )
            self._close.money_candidates.extend(
                candidates.offer_money(bucket, state, self.valuation, self._open.money_wanted)
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
        self._value_at(marks)
        self.store.load(leaves)
        for data in cases:
            case = decode_case(data)
            self.cases[case.account] = case
        for account, leaf in zip(self.store.accounts(), self.store.leaves(self.store.accounts()), strict=True):
            state = self.read(account)
            self._add_to_bucket(account, state.root)
            self._hashes[account] = hash_leaf(leaf, hash_case(self.cases.get(account)))
            self._resum(state)
            if state.level >= Level.MARGIN_CALL or account in self.cases:
                self._watched[account] = None


def _empty_close() -> ShardClose:
    return ShardClose({}, [], [], [], [], [], [], [], [], [], {}, {}, {}, [])


_ROWS = {
    ItemKind.OPEN: (RowKind.OPEN, "account_opened"),
    ItemKind.DEPOSIT: (RowKind.CASH, "deposited"),
    ItemKind.WITHDRAW: (RowKind.WITHDRAW, "withdrawal"),
    ItemKind.HOLD: (RowKind.HOLD, "hold_set"),
    ItemKind.CHECK: (RowKind.CHECK, "order_checked"),
}
