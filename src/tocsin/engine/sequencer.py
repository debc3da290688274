"""
The sequencer: checks a command, stamps it, deals its rows to streams (rules CM-001 to CM-012).

Refuses with a value whatever is malformed, unknown, repeated or late; a refused command leaves no trace in the state.
What is accepted is a fact for everyone behind it.
"""

from collections.abc import Iterator
from enum import IntEnum
from hashlib import sha256
from typing import NamedTuple

from tocsin.core import limits
from tocsin.core.codec import encode
from tocsin.core.errors import CodecError, InvariantBroken, Reason, Refused
from tocsin.core.hashing import ZERO_HASH, hash_bytes
from tocsin.core.ids import bucket_of
from tocsin.engine import commands as cm
from tocsin.engine.admission import Admission
from tocsin.engine.messages import Item
from tocsin.sheet.terms import RiskSheet


class ItemKind(IntEnum):
    """
    Kinds of rows: `OPEN` a root b mode; `DEPOSIT`, `WITHDRAW` key asset a units; `FILL` key contract a lots b value
    c, d holds; `HOLD` key contract a bid b ask; `CHECK` key contract a lots; `DONE` intent; `MODE` a mode; `OWNER` a
    owner; `TRANSFER` key asset a units b account d its bucket; `BORROW` key asset a units; the others are for the
    ClearingHouse and stand beside their command.
    """

    OPEN = 0
    DEPOSIT = 1
    WITHDRAW = 2
    FILL = 3
    HOLD = 4
    CHECK = 5
    DONE = 6
    MARKS = 7
    SHEET = 8
    MARKET = 9
    FUND = 10
    MODE = 11
    OWNER = 12
    TRANSFER = 13
    BORROW = 14
    DELIST = 15
    SETTLE = 16
    RESCALE = 17


class Accepted(NamedTuple):
    """The sequence numbers a command was stamped with: first, and how many rows."""

    first: int
    rows: int


class HouseItem(NamedTuple):
    """A row of the ClearingHouse's stream, with its command where the row alone does not say all."""

    item: Item
    command: cm.AnyCommand | None


class Stamped(NamedTuple):
    """A stamped command: its rows per bucket and for the ClearingHouse."""

    accepted: Accepted
    rows: list[tuple[int, Item]]
    house: list[HouseItem]


class Sequencer:
    """
    Deterministic admission. `directory` maps accounts to roots, `nonces` sources to their last nonce; both are part of
    the state, and so is `log_hash` over all rows.
    """

    def __init__(self) -> None:
        self.sequence = 0
        self.directory: dict[int, int] = {}
        self.nonces: dict[int, int] = {}
        self.log_hash = ZERO_HASH
        self._rows_hash = sha256()
        self._admission = Admission(self.directory)

    def set_terms(self, sheet: RiskSheet, marked: frozenset[int], vault: dict[int, int] | None = None) -> None:
        """Set what commands may name in the open cycle (`Admission.set_terms`)."""
        self._admission.set_terms(sheet, marked, vault)

    def stamp(self, command: cm.AnyCommand | bytes) -> Stamped | Refused:
        """
        Return the stamped rows of a command, or why it is refused.
        """
        try:
            # A value goes through its bytes as well: its fields may hold anything until then.
            is_bytes = isinstance(command, bytes | bytearray | memoryview)
            data = bytes(command) if is_bytes else cm.encode_command(command)
            if len(data) > limits.COMMAND_BYTES_MAX:
                return Refused(Reason.TOO_LARGE, limits.COMMAND_BYTES_MAX, len(data), "bytes of one command")
            command = cm.decode_command(data)
        except CodecError as error:
            text = str(error)
            reason = Reason.NOT_CANONICAL if "canonical" in text else Reason.MALFORMED
            return Refused(reason, detail=text)
        if not 0 <= command.source < 2**31:
            return Refused(Reason.OUT_OF_RANGE, detail=f"source must be 0 to 2^31 - 1, was {command.source}")
        last = self.nonces.get(command.source, 0)
        if not 1 <= command.nonce <= 2**62:
            return Refused(Reason.OUT_OF_RANGE, detail=f"nonce must be 1 to 2^62, was {command.nonce}")
        if command.nonce == last:
            return Refused(Reason.DUPLICATE, detail=f"nonce must be above {last}, was {command.nonce} again")
        if command.nonce < last:
            return Refused(Reason.OUT_OF_ORDER, detail=f"nonce must be above {last}, was {command.nonce}")
        refused = self._admission.check(command)
        if refused is not None:
            return refused
        self.nonces[command.source] = command.nonce
        stamped = self._deal(command)
        for row in _log_rows(stamped):
            self._rows_hash.update(encode(row))
        return stamped

    def close_log(self) -> bytes:
        """
        End the cycle's part of the log and return the hash of all rows stamped so far (rule LG-006).

        A chain over cycles of the rows in sequence, one by one, so that it does not know how rows were packed into
        commands or commands into batches.
        """
        self.log_hash = hash_bytes(b"log", self.log_hash, self._rows_hash.digest())
        self._rows_hash = sha256()
        return self.log_hash

    # Dealing: rows go to the bucket of their account's root; what has no account goes to the ClearingHouse.

    def _deal(self, command: cm.AnyCommand) -> Stamped:
        first = self.sequence
        rows: list[tuple[int, Item]] = []
        house: list[HouseItem] = []
        if isinstance(command, cm.Fills):
            self._deal_fills(command, first, rows, house)
        elif isinstance(command, cm.Holds):
            columns = zip(command.account, command.contract, command.bid, command.ask, strict=True)
            for i, (account, contract, bid, ask) in enumerate(columns):
                rows.append((self._bucket(account), Item(first + i, ItemKind.HOLD, account, contract, bid, ask)))
        else:
            item = self._account_item(command, first)
            if item is not None:
                rows.append((self._bucket(item.account), item))
            else:
                house.append(self._house_item(command, first))
        count = _row_count(command)
        self.sequence += count
        return Stamped(Accepted(first, count), rows, house)

    def _account_item(self, command: cm.AnyCommand, first: int) -> Item | None:
        """Return the row of a command about one account, or None if it is not about one."""
        match command:
            case cm.OpenAccount(account=account, root=root, mode=mode, kind=kind, recourse=recourse):
                self.directory[account] = root
                return Item(first, ItemKind.OPEN, account, 0, root, mode, int(kind), int(recourse))
            case cm.ChangeMode(account=account, mode=mode):
                return Item(first, ItemKind.MODE, account, 0, mode)
            case cm.LinkOwner(account=account, owner=owner):
                return Item(first, ItemKind.OWNER, account, 0, owner)
            case cm.Transfer(account=account, to=to, asset=asset, amount=amount):
                return Item(first, ItemKind.TRANSFER, account, asset, amount, to, d=self._bucket(to))
            case cm.Borrow(account=account, asset=asset, amount=amount):
                return Item(first, ItemKind.BORROW, account, asset, amount)
            case cm.Deposit(account=account, asset=asset, amount=amount):
                self._admission.paid_in(asset, amount)
                return Item(first, ItemKind.DEPOSIT, account, asset, amount)
            case cm.Withdraw(account=account, asset=asset, amount=amount):
                return Item(first, ItemKind.WITHDRAW, account, asset, amount)
            case cm.OrderCheck(account=account, contract=contract, lots=lots):
                return Item(first, ItemKind.CHECK, account, contract, lots)
            case cm.IntentDone(account=account, intent=intent) if account != cm.HOUSE:
                return Item(first, ItemKind.DONE, account, 0, intent=intent)
            case _:
                return None

    def _house_item(self, command: cm.AnyCommand, first: int) -> HouseItem:
        """Return the row of a command for the ClearingHouse."""
        match command:
            case cm.IntentDone(intent=intent):
                return HouseItem(Item(first, ItemKind.DONE, cm.HOUSE, 0, intent=intent), None)
            case cm.SetMarks():
                return HouseItem(Item(first, ItemKind.MARKS, cm.HOUSE, 0), command)
            case cm.SetSheet():
                return HouseItem(Item(first, ItemKind.SHEET, cm.HOUSE, 0), command)
            case cm.SetMarket(contract=contract, halted=halted):
                return HouseItem(Item(first, ItemKind.MARKET, cm.HOUSE, contract, int(halted)), None)
            case cm.FundDeposit(contract=contract, asset=asset, amount=amount):
                self._admission.paid_in(asset, amount)
                return HouseItem(Item(first, ItemKind.FUND, cm.HOUSE, contract, amount, asset), None)
            case cm.Delist(contract=contract):
                return HouseItem(Item(first, ItemKind.DELIST, cm.HOUSE, contract), None)
            case cm.Settle(contract=contract, price=price):
                return HouseItem(Item(first, ItemKind.SETTLE, cm.HOUSE, contract, price), None)
            case cm.Rescale(contract=contract, factor=factor):
                return HouseItem(Item(first, ItemKind.RESCALE, cm.HOUSE, contract, factor), command)
            case _:
                raise InvariantBroken(f"{type(command).__name__} has no row")

    def _bucket(self, account: int) -> int:
        return bucket_of(self.directory[account])

    def _deal_fills(self, command: cm.Fills, first: int, rows: list[tuple[int, Item]], house: list[HouseItem]) -> None:
        n = len(command.buyer)
        zeros, keep = (0,) * n, (-1,) * n
        for side in (1, -1):
            accounts = command.buyer if side == 1 else command.seller
            intents = (command.buyer_intent if side == 1 else command.seller_intent) or zeros
            bids = (command.buyer_bid if side == 1 else command.seller_bid) or keep
            asks = (command.buyer_ask if side == 1 else command.seller_ask) or keep
            fees = (command.buyer_fee if side == 1 else command.seller_fee) or zeros
            for i in range(n):
                account = accounts[i]
                item = Item(
                    # Buyer first: two stamps a fill.
                    first + 2 * i + (side < 0),
                    ItemKind.FILL,
                    account,
                    command.contract[i],
                    side * command.lots[i],
                    side * command.value[i],
                    bids[i],
                    asks[i],
                    intents[i],
                    fees[i],
                )
                if account in self.directory:
                    rows.append((bucket_of(self.directory[account]), item))
                else:
                    house.append(HouseItem(item, None))
        rows.sort(key=lambda row: row[1].sequence)
        house.sort(key=lambda row: row.item.sequence)


def _log_rows(stamped: Stamped) -> Iterator[tuple[int | bytes, ...]]:
    """
    Yield the rows of a stamped command in sequence, each with all it says.
    """
    items = [item for _, item in stamped.rows] + [entry.item for entry in stamped.house]
    commands = {entry.item.sequence: entry.command for entry in stamped.house}
    for item in sorted(items):
        match commands.get(item.sequence):
            case cm.SetMarks() as marks:
                slow = marks.slow or (0,) * len(marks.contract)
                columns = zip(marks.contract, marks.mark, marks.funding, marks.grade, slow, strict=True)
                rows = [*columns, *zip(marks.asset, marks.price, strict=True)]
                for i, row in enumerate(rows):
                    yield (item.sequence + i, item.kind, *row)
            case cm.SetSheet(sheet=sheet):
                yield (item.sequence, item.kind, sheet)
            case cm.Rescale(sheet=sheet):
                yield (*item, sheet)
            case _:
                yield tuple(item)


def _row_count(command: cm.AnyCommand) -> int:
    if isinstance(command, cm.Fills):
        return 2 * len(command.buyer)
    if isinstance(command, cm.Holds):
        return len(command.account)
    if isinstance(command, cm.SetMarks):
        return len(command.contract) + len(command.asset)
    return 1
