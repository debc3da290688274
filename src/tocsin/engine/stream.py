"""
Apply a shard's stream: the rows of the cycle, in sequence (rules CY-002, CY-020).

Accounts do not meet inside a shard, so only the order of an account's own rows matters: rows of accounts without a case
go to the store as one batch, the others one by one, because their intents decide what may be booked.
"""

from collections.abc import Iterable

from tocsin.accounts.store import RowKind, Rows
from tocsin.core.errors import Reason
from tocsin.engine import fills
from tocsin.engine.desk import ShardDesk
from tocsin.engine.messages import Item, Queued, Sent
from tocsin.engine.sequencer import ItemKind

_ROWS = {
    ItemKind.OPEN: (RowKind.OPEN, "account_opened"),
    ItemKind.DEPOSIT: (RowKind.CASH, "deposited"),
    ItemKind.WITHDRAW: (RowKind.WITHDRAW, "withdrawal"),
    ItemKind.FILL: (RowKind.TRADE, "filled"),
    ItemKind.HOLD: (RowKind.HOLD, "hold_set"),
    ItemKind.CHECK: (RowKind.CHECK, "order_checked"),
    ItemKind.MODE: (RowKind.MODE, "mode_changed"),
    ItemKind.OWNER: (RowKind.OWNER, "owner_linked"),
    ItemKind.TRANSFER: (RowKind.DEBIT, "transfer_sent"),
    ItemKind.BORROW: (RowKind.BORROW, "borrowed"),
}

_READ_FIRST = (ItemKind.DONE, ItemKind.FILL, ItemKind.BORROW)
"""Rows for which the account is read before they are applied."""


def apply_items(desk: ShardDesk, items: Iterable[Item]) -> None:
    """
    Apply rows in sequence and tell what became of each. Which accounts have a case does not change meanwhile.
    """
    batch, waiting = Rows(), list[Item]()
    for item in items:
        if waiting and desk.store.read(item.account) is None and item.kind in _READ_FIRST:
            # The account's own opening may be among the rows that wait.
            _tell_all(desk, batch, waiting)
            batch, waiting = Rows(), []
        if item.kind == ItemKind.DONE:
            fills.finish_intent(desk, item)
        elif item.kind == ItemKind.FILL and (
            item.intent or item.account in desk.cases or fills.is_beyond_cap(desk, item)
        ):
            fills.apply_fill(desk, item)
        elif item.account in desk.cases:
            if item.kind == ItemKind.MODE:
                # A call or an intent was made under the mode as it is (rule AC-033).
                _tell(desk, item, Reason.ACCOUNT_RESTRICTED, 0, 0)
                continue
            one = Rows()
            _add_row(desk, one, item)
            _tell_all(desk, one, [item])
        else:
            _add_row(desk, batch, item)
            waiting.append(item)
    _tell_all(desk, batch, waiting)


def _add_row(desk: ShardDesk, rows: Rows, item: Item) -> None:
    kind, b, fee = _ROWS[ItemKind(item.kind)][0], item.b, 0
    if kind == RowKind.CHECK:
        b = int(_reducing_only(desk, item))
    elif kind == RowKind.BORROW:
        b = _borrow_cap(desk, item)
    elif kind == RowKind.TRADE and item.fee:
        fee = fills.capped_fee(desk, item, item.b)
    rows.add(kind, item.account, item.key, item.a, b, item.c, item.d, fee)


def _borrow_cap(desk: ShardDesk, item: Item) -> int:
    """Return how much the account may owe of an asset: 0 if its class may not borrow, or orders may only reduce."""
    state, terms = desk.store.read(item.account), desk.valuation.assets[item.key].borrow
    if state is None or terms is None or desk.opened.reduce_only or not desk.sheet.classes[state.kind].borrows:
        return 0
    return terms.account_cap


def _reducing_only(desk: ShardDesk, item: Item) -> bool:
    """
    Say whether only a reducing order may pass: outage, risk reduction, closed market, mark not fresh, underlying
    outside its band, open interest at its cap (CY-015, CY-026, RQ-024).
    """
    case, line = desk.cases.get(item.account), desk.valuation.lines[item.key]
    restricted = case is not None and case.reducing
    closed = item.key in desk.opened.closed or not line.fresh or not line.opens
    full = item.key in desk.opened.room and abs(item.a) > desk.opened.room[item.key]
    return desk.opened.reduce_only or restricted or closed or full


def _tell_all(desk: ShardDesk, rows: Rows, items: list[Item]) -> None:
    results = desk.store.apply(rows)
    for item, reason, x, y in zip(items, results.reason, results.x, results.y, strict=True):
        desk.touched[item.account] = None
        if item.kind == ItemKind.FILL:
            fills.tell_own_fill(desk, item, reason, x, y)
        else:
            _tell(desk, item, reason, x, y)


def _tell(desk: ShardDesk, item: Item, reason: Reason, x: int, y: int) -> None:
    """Record what a row did: deposits for the vault, withdrawals for its queue, an event for everyone."""
    account, note = item.account, _ROWS[ItemKind(item.kind)][1]
    if not reason:
        if item.kind == ItemKind.OPEN:
            desk.add_to_bucket(account, item.a)
        elif item.kind == ItemKind.DEPOSIT:
            desk.close.deposits[item.key] = desk.close.deposits.get(item.key, 0) + item.a
            desk.mark_acted(account)
        elif item.kind == ItemKind.TRANSFER:
            bucket = desk.bucket(account)
            desk.close.sent.append(Sent(bucket, account, item.sequence, item.key, item.a, item.b, item.d))
        elif item.kind in (ItemKind.WITHDRAW, ItemKind.BORROW):
            desk.close.queued.append(Queued(desk.bucket(account), account, item.sequence, item.key, x))
    fields: dict[str, int | str] = {"key": item.key, "a": item.a, "b": item.b, "x": x, "y": y}
    if reason:
        fields |= {"command": note, "reason": f"R-{int(reason)}", "why": reason.name}
    desk.event(2, (item.sequence, 0, 0), "refused" if reason else note, account, **fields)
