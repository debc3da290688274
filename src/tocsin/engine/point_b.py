"""
Decision point B for one account: cures, expiries, calls, then intents and claims (rules CY-011 to CY-013).
"""

from tocsin.accounts.store import RowKind
from tocsin.engine.case import Case, Moved
from tocsin.engine.desk import ShardDesk
from tocsin.engine.messages import Request, Takeover
from tocsin.margin.levels import assess
from tocsin.margin.state import AccountState, Level
from tocsin.procedures.liquidation import intent as it
from tocsin.procedures.liquidation.plan import plan_liquidation
from tocsin.procedures.margin_calls import call as mc


def decide_account(desk: ShardDesk, account: int) -> None:
    """
    (1) Cures, (2) expiries, (3) calls, (4) intents and claims, for one account (DESIGN 2.5).
    """
    state, cycle, now = desk.read(account), desk.opened.cycle, desk.opened.time_ns
    case = desk.case(account)
    level = state.level
    if desk.opened.grace and level >= Level.MARGIN_CALL:
        # Nothing is called, expires or is liquidated before prices are known again (rule LC-004).
        _step_intents(desk, case, needed=case.reducing, cycle=cycle, now=now)
        desk.touched[account] = None
        if case.is_empty:
            desk.cases.pop(account, None)
        return
    _review_call(desk, state, case, level, now)
    if case.reducing and level < Level.MARGIN_CALL:
        case.reducing = False
        desk.note(3, account, "reduction_done")
    called = desk.sheet.calls.enabled and desk.sheet.classes[state.kind].called
    if level == Level.MARGIN_CALL and case.call is None and not case.reducing and called:
        _issue_call(desk, state, case, now)
    if level == Level.LIQUIDATION and not case.reducing:
        _start_reduction(desk, state, case, "liquidation level")
    _step_intents(desk, case, needed=case.reducing, cycle=cycle, now=now)
    taken = level >= Level.TAKEOVER
    if not taken and case.reducing:
        taken = not _plan(desk, state, case)
        # Collateral that nobody buys is taken over in the end: no account waits for ever (rule LQ-031).
        case.idle = case.idle + 1 if not state.positions and not case.intents else 0
        taken = taken or case.idle > desk.sheet.liquidation.cancel_grace_cycles
    if taken:
        _take_over(desk, state, case)
    desk.touched[account] = None
    if case.is_empty:
        desk.cases.pop(account, None)
        if state.level < Level.MARGIN_CALL:
            desk.watched.pop(account, None)


def _review_call(desk: ShardDesk, state: AccountState, case: Case, level: Level, now: int) -> None:
    if case.call is None:
        return
    outcome = mc.review_call(case.call, level, case.acted, now)
    if outcome == mc.Outcome.OPEN and not desk.sheet.calls.enabled:
        outcome = mc.Outcome.CANCELLED
    if outcome == mc.Outcome.OPEN:
        revised = mc.revise_deadline(case.call, state, desk.valuation, now)
        if revised is not case.call:
            case.call = revised
            desk.note(
                3, state.id, "call_revised", deadline_ns=revised.deadline_ns, t_star_minutes=revised.t_star_minutes
            )
            if revised.deadline_ns - now < desk.sheet.calls.t_min_ns and revised.t_star_minutes >= 0:
                outcome = mc.Outcome.EXPIRED
    if outcome == mc.Outcome.OPEN:
        return
    call, case.call, case.acted = case.call, None, False
    match outcome:
        case mc.Outcome.CURED:
            desk.note(3, state.id, "call_cured", issued_cycle=call.cycle, amount=call.amount)
        case mc.Outcome.CANCELLED:
            why = "market moved back" if level < Level.MARGIN_CALL else f"level {level.name.lower()}"
            if level == Level.MARGIN_CALL:
                why = "margin calls are off"
            desk.note(3, state.id, "call_cancelled", issued_cycle=call.cycle, amount=call.amount, why=why)
        case _:
            desk.note(3, state.id, "call_expired", issued_cycle=call.cycle, amount=call.amount)
            _start_reduction(desk, state, case, "call expired")


def _start_reduction(desk: ShardDesk, state: AccountState, case: Case, why: str) -> None:
    case.reducing = True
    desk.note(3, state.id, "reduction_started", why=why)
    _cancel_holds(desk, state)


def _cancel_holds(desk: ShardDesk, state: AccountState) -> None:
    if state.holds:
        desk.note(3, state.id, "cancel_orders", contracts=len(state.holds))


def _issue_call(desk: ShardDesk, state: AccountState, case: Case, now: int) -> None:
    numbers = assess(state, desk.valuation)
    call = mc.issue_call(state, desk.valuation, numbers, desk.opened.cycle, now)
    desk.note(
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
    if mc.is_too_short(call, desk.sheet.calls):
        desk.note(3, state.id, "call_expired", issued_cycle=call.cycle, amount=call.amount)
        _start_reduction(desk, state, case, "no time: T* below T_min")
    else:
        case.call, case.acted = call, False


def _step_intents(desk: ShardDesk, case: Case, *, needed: bool, cycle: int, now: int) -> None:
    grace = desk.sheet.liquidation.cancel_grace_cycles
    kept: list[it.Intent] = []
    for intent in case.intents:
        fresh = intent.contract in desk.valuation.lines and desk.valuation.lines[intent.contract].fresh
        after = it.step_intent(intent, needed=needed and fresh, cycle=cycle, now_ns=now, grace_cycles=grace)
        if after.state == it.IntentState.DONE:
            desk.note(3, case.account, "intent_done", intent=after.id, filled=after.filled)
            continue
        if after.state == it.IntentState.CANCEL_PENDING and intent.state != after.state:
            desk.note(3, case.account, "intent_cancel", intent=after.id, left=after.left)
        kept.append(after)
    case.intents[:] = kept
    case.moved[:] = [m for m in case.moved if m.left and m.give_up_cycle > cycle]


def _plan(desk: ShardDesk, state: AccountState, case: Case) -> bool:
    """Ask for the lots of the greedy plan; False if equity leaves nothing but a takeover."""
    working: dict[int, int] = {}
    for intent in case.intents:
        working[intent.contract] = working.get(intent.contract, 0) + intent.left
    plan = plan_liquidation(state, desk.valuation, working)
    if plan is None:
        return False
    bucket = desk.bucket(state.id)
    for index, part in enumerate(plan.slices):
        desk.close.requests.append(Request(bucket, state.id, index, part.contract, part.lots, part.limit))
    if plan.slices:
        desk.note(
            3,
            state.id,
            "plan",
            reaches=int(plan.reaches),
            cost=plan.cost,
            concession_max=plan.concession_max,
            slices=" ".join(f"{s.contract}:{s.lots}@{s.limit}" for s in plan.slices),
        )
    return True


def _take_over(desk: ShardDesk, state: AccountState, case: Case) -> None:
    """
    Move positions at mark, cash and intents to the ClearingHouse; nothing but holds is left (rules WF-040 on).
    """
    account = state.id
    for asset in sorted(state.in_transit):
        desk.row(RowKind.RECALL, account, asset)
        desk.close.recalled.append(account)
    positions: list[tuple[int, int, int]] = []
    for contract in sorted(state.positions):
        _, lots, value = desk.row(RowKind.TAKE, account, contract)
        positions.append((contract, lots, value))
    cash = tuple((asset, state.cash[asset]) for asset in sorted(state.cash))
    for asset, amount in cash:
        desk.row(RowKind.CASH, account, asset, -amount)
    moved = tuple((i.id, i.contract, i.left) for i in case.intents if i.left)
    give_up = desk.opened.cycle + desk.sheet.liquidation.cancel_grace_cycles
    case.moved.extend(Moved(number, contract, left, give_up) for number, contract, left in moved)
    case.intents.clear()
    case.reducing = False
    _cancel_holds(desk, state)
    desk.close.takeovers.append(Takeover(desk.bucket(account), account, tuple(positions), cash, moved))
    desk.note(
        3,
        account,
        "taken_over",
        level=state.level.name,
        positions=" ".join(f"{c}:{q}" for c, q, _ in positions),
        cash=" ".join(f"{a}:{v}" for a, v in cash),
    )
    desk.record_crossings(3, [account])
