"""
Apply the ClearingHouse's own stream, and the sides of fills that shards could not book (rules CH-002, CY-023, CY-024).
"""

from collections.abc import Iterable

import msgspec

from tocsin.accounts.store import RowKind
from tocsin.core.errors import InvariantBroken, Reason
from tocsin.core.ids import GLOBAL_FUND, OPERATOR, default_account, error_account, market_fund
from tocsin.engine import commands as cm
from tocsin.engine import life
from tocsin.engine import messages as ms
from tocsin.engine.house import HouseDesk
from tocsin.engine.publishing import set_marks, set_sheet
from tocsin.engine.sequencer import HouseItem, ItemKind
from tocsin.procedures.liquidation import intent as it


def apply_house_items(house: HouseDesk, items: Iterable[HouseItem]) -> None:
    """
    Apply the rows of its own stream in sequence.
    """
    for item, command in items:
        match item.kind:
            case ItemKind.FUND:
                account = {-1: GLOBAL_FUND, -2: OPERATOR}.get(item.key) or market_fund(item.key)
                house.row(RowKind.CASH, account, item.b, item.a)
                house.state.vault[item.b] = house.state.vault.get(item.b, 0) + item.a
                house.note("fund_paid_in", account, asset=item.b, amount=item.a)
            case ItemKind.MARKET:
                life.set_market(house, item.key, bool(item.a))
            case ItemKind.DELIST:
                life.delist(house, item.key)
            case ItemKind.SETTLE:
                life.ask_settlement(house, item.key, item.a)
            case ItemKind.RESCALE:
                assert isinstance(command, cm.Rescale)
                life.ask_rescale(house, command)
            case ItemKind.FILL:
                _apply_fill(house, item)
            case ItemKind.DONE:
                house.state.intents = [i for i in house.state.intents if i.id != item.intent]
                house.note("intent_done", intent=item.intent)
            case ItemKind.MARKS:
                assert isinstance(command, cm.SetMarks)
                set_marks(house, command)
            case ItemKind.SHEET:
                assert isinstance(command, cm.SetSheet)
                set_sheet(house, command.sheet)
            case _:
                raise InvariantBroken(f"row kind {item.kind} is not for the ClearingHouse")


def _apply_fill(house: HouseDesk, item: ms.Item) -> None:
    """Book a side that names the default account's intent, or no known account: the error account takes the rest."""
    fits = 0
    for i, intent in enumerate(house.state.intents):
        if (
            item.account == 0
            and item.intent == intent.id
            and item.key == intent.contract
            and intent.left * item.a > 0
            and abs(item.b) <= abs(item.a) * house.valuation.lines[item.key].terms.mark_cap
        ):
            fits = min(abs(item.a), abs(intent.left))
            lots, value = it.split_fill(item.a, item.b, fits)
            house.row(RowKind.TRADE, default_account(item.key), item.key, lots, value)
            after = it.fill_intent(intent, lots)
            house.state.intents[i : i + 1] = [] if after.state == it.IntentState.DONE else [after]
            house.note(
                "house_filled",
                default_account(item.key),
                contract=item.key,
                lots=lots,
                value=value,
                intent=intent.id,
            )
            if lots == item.a:
                return
            _book_error(house, item.key, item.a - lots, item.b - value, item.account, Reason.UNKNOWN_INTENT)
            return
    reason = Reason.UNKNOWN_INTENT if item.account == 0 else Reason.UNKNOWN_ACCOUNT
    _book_error(house, item.key, item.a, item.b, item.account, reason)


def _book_error(house: HouseDesk, contract: int, lots: int, value: int, account: int, reason: Reason) -> None:
    house.row(RowKind.TRADE, error_account(contract), contract, lots, value)
    house.note(
        "error_booked",
        error_account(contract),
        contract=contract,
        lots=lots,
        value=value,
        for_account=account,
        reason=f"R-{int(reason)}",
        why=reason.name,
    )


def book_unbooked(house: HouseDesk, side: ms.Unbooked) -> None:
    """
    Book a side that its shard could not: an intent taken over in the default account, all else in the error account.
    """
    if not side.intent:
        _book_error(house, side.contract, side.lots, side.value, side.account, Reason(side.reason))
        return
    house.row(RowKind.TRADE, default_account(side.contract), side.contract, side.lots, side.value)
    house.state.moved = [
        msgspec.structs.replace(m, left=m.left - side.lots)
        if (m.account, m.intent) == (side.account, side.intent)
        else m
        for m in house.state.moved
    ]
    house.note(
        "house_filled",
        default_account(side.contract),
        contract=side.contract,
        lots=side.lots,
        value=side.value,
        intent=side.intent,
        for_account=side.account,
    )
