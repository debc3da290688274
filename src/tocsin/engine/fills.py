"""
Book one side of a fill: into the account, its intent, the default account or the error account (rules CY-020 to
CY-024).

A fill is a fact and never refused; what cannot be booked goes to the ClearingHouse with an event.
"""

import msgspec

from tocsin.accounts.store import RowKind
from tocsin.core.errors import Reason
from tocsin.core.integers import PPM
from tocsin.engine.case import Case
from tocsin.engine.desk import ShardDesk
from tocsin.engine.messages import Fee, Item, TradeFee, Unbooked
from tocsin.margin.valuation import compute_balances
from tocsin.procedures.liquidation import intent as it

ERROR = 0
"""Intent number of an unbooked side that goes to the error account."""


def is_beyond_cap(desk: ShardDesk, item: Item) -> bool:
    """
    Return whether a fill's value is more than its lots at the contract's mark cap, so that no account may book it.
    """
    return abs(item.b) > abs(item.a) * desk.valuation.lines[item.key].terms.mark_cap


def tell_own_fill(desk: ShardDesk, item: Item, reason: Reason, left: int, cash: int) -> None:
    """
    Tell what became of an own fill that the store booked (reason OK) or could not book.
    """
    if reason:
        _to_house(desk, item, item.a, item.b, ERROR, reason)
    else:
        _after_fill(desk, item, None, item.a, item.b, left, cash)


def apply_fill(desk: ShardDesk, item: Item) -> None:
    """
    Book one side of a fill: an intent's within the intent, an own one outside reserved lots; what cannot be booked
    goes to the error account with an event (rules CY-020 to CY-024).
    """
    account, contract = item.account, item.key
    if is_beyond_cap(desk, item):
        _to_house(desk, item, item.a, item.b, ERROR, Reason.OUT_OF_RANGE)
        return
    held = desk.read(account).positions.get(contract, (0, 0))[0]
    case = desk.cases.get(account)
    fits, reason = abs(item.a), Reason.OK
    if item.intent:
        if _fill_moved(desk, item, case):
            return
        fits, reason = _intent_room(item, case, held)
    elif case is not None and held * item.a < 0:
        reserved = it.reserved_lots(case.intents, contract)
        if reserved:
            fits, reason = min(fits, abs(held) - abs(reserved)), Reason.LOTS_RESERVED
    lots, value = it.split_fill(item.a, item.b, fits)
    if lots:
        fee = capped_fee(desk, item, value) if item.fee else 0
        booked, left, cash = desk.row(RowKind.TRADE, account, contract, lots, value, item.c, item.d, fee)
        if booked:
            lots, value, reason = 0, 0, booked
        else:
            _after_fill(desk, item, case, lots, value, left, cash)
    if lots != item.a:
        _to_house(desk, item, item.a - lots, item.b - value, ERROR, reason)


def capped_fee(desk: ShardDesk, item: Item, value: int) -> int:
    """
    Return the trading fee of a fill as it is booked: at most the contract's cap on its value, rounded down (CY-025).
    """
    most = abs(value) * desk.valuation.lines[item.key].terms.trade_fee_cap_ppm // PPM
    return max(-most, min(most, item.fee))


def _after_fill(desk: ShardDesk, item: Item, case: Case | None, lots: int, value: int, left: int, cash: int) -> None:
    account, contract = item.account, item.key
    desk.event(
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
    fee = capped_fee(desk, item, value) if item.fee else 0
    if fee:
        asset = desk.valuation.lines[contract].asset
        desk.close.trade_fees.append(TradeFee(desk.bucket(account), account, item.sequence, asset, fee))
        desk.event(2, (item.sequence, 0, 3), "trade_fee", account, contract=contract, asked=item.fee, amount=fee)
    if not item.intent:
        desk.mark_acted(account)
        return
    assert case is not None
    for i, intent in enumerate(case.intents):
        if intent.id == item.intent:
            case.intents[i] = it.fill_intent(intent, lots)
            if value > lots * intent.limit:
                # Bought above or sold below the limit: a fill is a fact, so it stands, and is told.
                limit = intent.limit
                desk.event(2, (item.sequence, 0, 2), "limit_broken", account, intent=intent.id, limit=limit)
    _charge_fee(desk, item, value)


def _charge_fee(desk: ShardDesk, item: Item, value: int) -> None:
    """Take the liquidation fee, rounded down and at most what is left above zero, for the market's fund (LQ-008)."""
    line = desk.valuation.lines[item.key]
    balance = compute_balances(desk.read(item.account), desk.valuation).get(line.asset, 0)
    fee = min(abs(value) * line.terms.fee_ppm // PPM, max(0, balance))
    if fee:
        desk.row(RowKind.CASH, item.account, line.asset, -fee)
        desk.close.fees.append(Fee(desk.bucket(item.account), item.account, item.sequence, item.key, fee))
        desk.event(2, (item.sequence, 1, 0), "fee", item.account, contract=item.key, amount=fee)


def _intent_room(item: Item, case: Case | None, held: int) -> tuple[int, Reason]:
    for intent in case.intents if case is not None else ():
        if intent.id == item.intent and intent.contract == item.key and intent.left * item.a > 0:
            room = min(abs(intent.left), abs(held) if held * item.a < 0 else 0)
            return min(abs(item.a), room), Reason.LOTS_RESERVED
    return 0, Reason.UNKNOWN_INTENT


def _fill_moved(desk: ShardDesk, item: Item, case: Case | None) -> bool:
    """Send a fill of an intent that moved with its lots to the default account; the excess is an error."""
    for i, moved in enumerate(case.moved if case is not None else ()):
        if moved.intent == item.intent and moved.contract == item.key and moved.left * item.a > 0:
            lots, value = it.split_fill(item.a, item.b, min(abs(item.a), abs(moved.left)))
            assert case is not None
            case.moved[i] = msgspec.structs.replace(moved, left=moved.left - lots)
            desk.touched[item.account] = None
            _to_house(desk, item, lots, value, item.intent, Reason.OK)
            if lots != item.a:
                _to_house(desk, item, item.a - lots, item.b - value, ERROR, Reason.UNKNOWN_INTENT)
            return True
    return False


def _to_house(desk: ShardDesk, item: Item, lots: int, value: int, intent: int, reason: Reason) -> None:
    desk.close.unbooked.append(
        Unbooked(desk.bucket(item.account), item.account, item.sequence, item.key, lots, value, intent, int(reason))
    )
    desk.event(
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


def finish_intent(desk: ShardDesk, item: Item) -> None:
    """
    Take the market's word that an intent is done: nothing of it is reserved from here on (rule LQ-006).
    """
    case = desk.cases.get(item.account)
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
            desk.close.ended.append((item.account, item.intent))
            found = True
    desk.touched[item.account] = None
    name = "intent_done" if found else "refused"
    desk.event(2, (item.sequence, 0, 0), name, item.account, intent=item.intent)
