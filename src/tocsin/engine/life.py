"""
Life of a contract: halted, resuming, delisted, settled, rescaled; and the grace after an outage (rules LC-001 to
LC-022).
"""

import msgspec

from tocsin.accounts.store import RowKind
from tocsin.core.errors import DataError, Reason
from tocsin.core.ids import default_account, error_account
from tocsin.core.integers import PPM
from tocsin.engine import commands as cm
from tocsin.engine.house import HouseDesk, Resuming
from tocsin.engine.owners import rescale_links
from tocsin.sheet.marks import Grade, Mark, Marks
from tocsin.sheet.named_fields import read_sheet
from tocsin.sheet.settlement import settlement_mark
from tocsin.sheet.terms import ContractTerms, Kind, hash_sheet
from tocsin.sheet.validate import check_successor


def set_market(house: HouseDesk, contract: int, halted: bool) -> None:
    """
    Halt a contract, or let it come back: it stays reduce-only until its grace is over (rules LC-002, LC-003).
    """
    state = house.state
    if contract in state.settled:
        house.note("market_refused", contract=contract, why="it is settled")
        return
    was = contract in state.halted
    state.halted = [c for c in state.halted if c != contract]
    state.resuming = [r for r in state.resuming if r.contract != contract]
    if halted:
        state.halted = sorted([*state.halted, contract])
    elif was and (house.sheet.life.grace_ns or house.sheet.life.quorum_marks > 1):
        entries = [*state.resuming, Resuming(contract, state.time_ns, 0)]
        state.resuming = sorted(entries, key=lambda r: r.contract)
    house.note("market_halted" if halted else "market_resumed", contract=contract)


def count_mark(house: HouseDesk, contract: int, grade: Grade) -> None:
    """Count a fresh publication of a contract that comes back from a halt."""
    if grade == Grade.FRESH:
        house.state.resuming = [
            msgspec.structs.replace(r, marks=r.marks + 1) if r.contract == contract else r for r in house.state.resuming
        ]


def end_resuming(house: HouseDesk) -> None:
    """
    Let go the contracts whose grace is over: long enough and often enough marked, or at the longest grace.
    """
    policy, now = house.sheet.life, house.state.time_ns
    kept: list[Resuming] = []
    for entry in house.state.resuming:
        waited = now - entry.since_ns
        ready = waited >= policy.grace_ns and entry.marks >= policy.quorum_marks
        if ready or waited >= policy.grace_max_ns:
            house.note("market_open", contract=entry.contract, marks=entry.marks)
        else:
            kept.append(entry)
    house.state.resuming = kept


def step_grace(house: HouseDesk, late: bool, graded: Marks) -> bool:
    """
    Return whether nothing may be liquidated in the cycle that opens (rule LC-004): after an outage until the grace is
    over and enough contracts are fresh, but no longer than the longest grace.
    """
    state, policy = house.state, house.sheet.life
    if late and policy.grace_ns:
        state.grace_from_ns = state.time_ns
    if not state.grace_from_ns:
        return False
    waited = state.time_ns - state.grace_from_ns
    marks = [m for c, m in graded.contracts.items() if c not in state.halted]
    fresh = sum(m.grade == Grade.FRESH for m in marks)
    ready = waited >= policy.grace_ns and fresh * 1_000_000 >= policy.quorum_ppm * len(marks)
    if ready or waited >= policy.grace_max_ns:
        state.grace_from_ns = 0
        house.note("grace_over", waited_ns=waited, fresh=fresh, contracts=len(marks))
    return bool(state.grace_from_ns)


def expired(house: HouseDesk) -> list[int]:
    """Return the contracts past their expiry, ascending."""
    now = house.state.time_ns
    return [t.id for t in house.sheet.contracts if t.expiry_ns and t.expiry_ns <= now]


def sum_open_interest(house: HouseDesk, longs: dict[int, int]) -> dict[int, int]:
    """
    Return the open interest per contract at a close: `longs`, the lots that accounts hold long, and the own accounts'.
    """
    out = dict(longs)
    for terms in house.sheet.contracts:
        for account in (default_account(terms.id), error_account(terms.id)):
            out[terms.id] = out.get(terms.id, 0) + max(0, house.lots(account, terms.id))
    return out


def open_interest_room(house: HouseDesk, held: dict[int, int], rescaled: dict[int, int]) -> dict[int, int]:
    """
    Return per contract with a cap by how many lots its open interest, `held` at the last close, may still grow (rule
    CY-026).
    """
    return {
        terms.id: max(0, terms.open_interest_cap - held.get(terms.id, 0) * rescaled.get(terms.id, 1))
        for terms in house.sheet.contracts
        if terms.open_interest_cap
    }


def delist(house: HouseDesk, contract: int) -> None:
    """Make a contract reduce-only for good, until it is settled (rule LC-005)."""
    state = house.state
    if contract in (*state.delisted, *state.settled):
        house.note("delist_refused", contract=contract, why="it is delisted already")
        return
    state.delisted = sorted([*state.delisted, contract])
    house.note("delisted", contract=contract)


def ask_settlement(house: HouseDesk, contract: int, price: int) -> None:
    """
    Take the delivery price of a contract that expired or is delisted, if it is near the last good mark (LC-013); it is
    paid out as the next cycle opens (LC-010).
    """
    state, terms = house.state, _terms(house, contract)
    if terms.kind == Kind.SPOT or contract in state.settling or contract in state.rescaling:
        house.note("settle_refused", contract=contract, why="spot, already asked, or about to be rescaled")
        return
    if contract not in state.delisted and contract not in expired(house):
        house.note("settle_refused", contract=contract, why="it has neither expired nor been delisted")
        return
    mark, clamped = settlement_mark(terms, price)
    if terms.kind != Kind.OPTION and mark == 0:
        house.note("settle_refused", contract=contract, why="price too small for a mark")
        return
    entry, band = state.marks.contracts[contract], house.sheet.life.settle_band_ppm
    if band and terms.kind != Kind.OPTION and abs(mark - entry.mark) * PPM > abs(entry.mark) * band:
        why = f"price must give a mark within {band} ppm of the last good one, {entry.mark}, gave {mark}"
        house.note("settle_refused", contract=contract, why=why)
        return
    state.settling = dict(sorted({**state.settling, contract: mark}.items()))
    house.note("settle_asked", contract=contract, price=price, mark=mark, clamped=int(clamped))


def ask_rescale(house: HouseDesk, command: cm.Rescale) -> None:
    """
    Take a new lot size with the sheet for it, or refuse both (rule LC-020): marks and units must divide exactly.
    """
    state, contract, k = house.state, command.contract, command.factor
    entry = state.marks.contracts.get(contract)
    why = ""
    if contract in state.settling or state.sheet_changed or entry is None:
        why = "it is about to be settled, was never marked, or another sheet comes first"
    elif any(x % k for x in (entry.mark, entry.funding, entry.slow)):
        why = f"mark {entry.mark}, funding {entry.funding} and slow mark {entry.slow} must be multiples of {k}"
    else:
        try:
            factors = {**dict.fromkeys(state.settled, 0), contract: k}
            sheet = check_successor(house.sheet, read_sheet(command.sheet), factors)
        except DataError as error:
            why = str(error)
        else:
            state.sheet, state.sheet_changed = command.sheet, True
            state.rescaling = dict(sorted({**state.rescaling, contract: k}.items()))
            house.note("rescale_asked", contract=contract, factor=k, hash=hash_sheet(sheet).hex())
            return
    house.note("rescale_refused", contract=contract, factor=k, reason=f"R-{int(Reason.SHEET_REFUSED)}", why=why)


def open_settled(house: HouseDesk) -> dict[int, int]:
    """
    Set the final marks of contracts that are paid out in the cycle that opens, and forget those paid out before.
    """
    state = house.state
    marks = {c: m for c, m in state.marks.contracts.items() if c not in state.settled}
    settling, state.settling = state.settling, {}
    for contract, mark in settling.items():
        marks[contract] = Mark(mark, marks[contract].funding, Grade.HALTED, state.time_ns)
        state.settled = sorted({*state.settled, contract})
        state.halted = sorted({*state.halted, contract})
        state.resuming = [r for r in state.resuming if r.contract != contract]
    state.marks = Marks(marks, state.marks.prices)
    return settling


def settle_house(house: HouseDesk, settled: dict[int, int]) -> None:
    """Pay out the ClearingHouse's own positions of settled contracts; their intents are void (rule LC-012)."""
    for contract in settled:
        for account in (default_account(contract), error_account(contract)):
            if house.lots(account, contract):
                _, lots, value = house.row(RowKind.TAKE, account, contract, 0)
                house.note("settled", account, contract=contract, lots=lots, value=value)
        _void(house, contract)


def open_rescaled(house: HouseDesk) -> dict[int, int]:
    """
    Rescale marks and the ClearingHouse's own lots for the cycle that opens (rule LC-020).
    """
    state = house.state
    rescaling, state.rescaling = state.rescaling, {}
    marks = dict(state.marks.contracts)
    for contract, k in rescaling.items():
        entry = marks[contract]
        marks[contract] = msgspec.structs.replace(
            entry, mark=entry.mark // k, funding=entry.funding // k, slow=entry.slow // k
        )
        for account in (default_account(contract), error_account(contract)):
            house.row(RowKind.RESCALE, account, contract, k)
        _void(house, contract)
        house.note("rescaled", contract=contract, factor=k)
    state.marks = Marks(marks, state.marks.prices)
    state.linked = rescale_links(state.linked, rescaling)
    return rescaling


def _void(house: HouseDesk, contract: int) -> None:
    state = house.state
    for intent in [i for i in state.intents if i.contract == contract]:
        house.note("intent_void", intent=intent.id, contract=contract, filled=intent.filled)
    state.intents = [i for i in state.intents if i.contract != contract]
    state.moved = [m for m in state.moved if m.contract != contract]


def _terms(house: HouseDesk, contract: int) -> ContractTerms:
    return next(c for c in house.sheet.contracts if c.id == contract)
