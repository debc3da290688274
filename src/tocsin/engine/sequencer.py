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
from tocsin.core.errors import CodecError, Reason, Refused
from tocsin.core.hashing import ZERO_HASH, hash_bytes
from tocsin.core.ids import bucket_of
from tocsin.engine import commands as cm
from tocsin.engine.messages import Item
from tocsin.sheet.terms import RiskSheet

HOUSE = 0
"""Account number by which fills name the default account."""

HOUSE_STREAM = -1
"""The ClearingHouse's stream; others are bucket numbers until they are dealt to shards."""


class ItemKind(IntEnum):
    """
    Kinds of rows: `OPEN` a root b mode; `DEPOSIT`, `WITHDRAW` key asset a units; `FILL` key contract a lots b value
    c, d holds; `HOLD` key contract a bid b ask; `CHECK` key contract a lots; `DONE` intent; the others are for the
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


def _in_range(value: int, low: int, high: int) -> bool:
    return low <= value <= high


class Sequencer:
    """
    Deterministic admission. `directory` maps accounts to roots, `nonces` sources to their last nonce; both are part of
    the state, and so is `log_hash` over all rows. `contracts` and `assets` are those that fills and deposits may name
    in the open cycle.
    """

    def __init__(self) -> None:
        self.sequence = 0
        self.directory: dict[int, int] = {}
        self.nonces: dict[int, int] = {}
        self.log_hash = ZERO_HASH
        self._rows_hash = sha256()
        self._contracts: frozenset[int] = frozenset()
        self._all_contracts: frozenset[int] = frozenset()
        self._assets: frozenset[int] = frozenset()
        self._vault: dict[int, int] = {}

    def set_terms(self, sheet: RiskSheet, marked: frozenset[int], vault: dict[int, int] | None = None) -> None:
        """
        Set which contracts are known and which have a mark, from the sheet and marks of the open cycle, and what the
        vault held when it opened (None where only accepted commands are stamped again).
        """
        self._vault = dict(vault or {})
        self._all_contracts = frozenset(c.id for c in sheet.contracts)
        self._contracts = self._all_contracts & marked
        self._assets = frozenset(a.id for a in sheet.assets)

    def stamp(self, command: cm.AnyCommand | bytes) -> Stamped | Refused:
        """
        Return the stamped rows of a command, or why it is refused.
        """
        if isinstance(command, bytes | bytearray | memoryview):
            data = bytes(command)
            if len(data) > limits.COMMAND_BYTES_MAX:
                return Refused(Reason.TOO_LARGE, limits.COMMAND_BYTES_MAX, len(data), "bytes of one command")
            try:
                command = cm.decode_command(data)
            except CodecError as error:
                text = str(error)
                reason = Reason.NOT_CANONICAL if "canonical" in text else Reason.MALFORMED
                return Refused(reason, detail=text)
        if not _in_range(command.source, 0, 2**31 - 1):
            return Refused(Reason.OUT_OF_RANGE, detail=f"source must be 0 to 2^31 - 1, was {command.source}")
        last = self.nonces.get(command.source, 0)
        if not _in_range(command.nonce, 1, 2**62):
            return Refused(Reason.OUT_OF_RANGE, detail=f"nonce must be 1 to 2^62, was {command.nonce}")
        if command.nonce == last:
            return Refused(Reason.DUPLICATE, detail=f"nonce must be above {last}, was {command.nonce} again")
        if command.nonce < last:
            return Refused(Reason.OUT_OF_ORDER, detail=f"nonce must be above {last}, was {command.nonce}")
        refused = self._check(command)
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

    def _check(self, command: cm.AnyCommand) -> Refused | None:
        match command:
            case cm.OpenAccount():
                return self._check_open(command)
            case cm.Deposit() | cm.Withdraw():
                return (
                    self._check_account(command.account)
                    or self._check_asset(command.asset)
                    or _check_positive("amount", command.amount, limits.CASH_MAX)
                    or (self._check_vault(command.asset, command.amount) if isinstance(command, cm.Deposit) else None)
                )
            case cm.Fills():
                return self._check_fills(command)
            case cm.Holds():
                return self._check_holds(command)
            case cm.OrderCheck():
                if command.lots == 0 or abs(command.lots) > limits.LOTS_MAX:
                    return Refused(
                        Reason.OUT_OF_RANGE, detail=f"lots must be +-1 to {limits.LOTS_MAX}, was {command.lots}"
                    )
                return self._check_account(command.account) or self._check_contract(command.contract)
            case cm.IntentDone():
                return None if command.account == HOUSE else self._check_account(command.account)
            case cm.SetMarks():
                return self._check_marks(command)
            case cm.SetSheet():
                return None
            case cm.SetMarket():
                if command.contract not in self._all_contracts:
                    return Refused(
                        Reason.UNKNOWN_CONTRACT, detail=f"contract must be in the sheet, was {command.contract}"
                    )
                return None
            case cm.FundDeposit():
                if command.contract != -1 and command.contract not in self._all_contracts:
                    return Refused(
                        Reason.UNKNOWN_CONTRACT, detail=f"contract must be -1 or in the sheet, was {command.contract}"
                    )
                return (
                    self._check_asset(command.asset)
                    or _check_positive("amount", command.amount, limits.CASH_MAX)
                    or self._check_vault(command.asset, command.amount)
                )

    def _check_account(self, account: int) -> Refused | None:
        if account in self.directory:
            return None
        return Refused(Reason.UNKNOWN_ACCOUNT, detail=f"account must be open, was {account}")

    def _check_asset(self, asset: int) -> Refused | None:
        if asset in self._assets:
            return None
        return Refused(Reason.UNKNOWN_ASSET, detail=f"asset must be in the sheet, was {asset}")

    def _check_vault(self, asset: int, amount: int) -> Refused | None:
        """Refuse what would lift the vault above its bound, counting all that was paid in since the cycle opened."""
        after = self._vault.get(asset, 0) + amount
        if after <= limits.VAULT_MAX:
            return None
        return Refused(
            Reason.ADMISSION_BOUND,
            after,
            limits.VAULT_MAX,
            f"amount must leave the vault of asset {asset} at most {limits.VAULT_MAX}, would be {after}",
        )

    def _check_contract(self, contract: int) -> Refused | None:
        if contract in self._contracts:
            return None
        return Refused(Reason.UNKNOWN_CONTRACT, detail=f"contract must be in the sheet and marked, was {contract}")

    def _check_open(self, command: cm.OpenAccount) -> Refused | None:
        for name, value in (("account", command.account), ("root", command.root)):
            if not _in_range(value, 1, limits.ACCOUNT_ID_MAX):
                return Refused(Reason.OUT_OF_RANGE, detail=f"{name} must be 1 to {limits.ACCOUNT_ID_MAX}, was {value}")
        if command.account in self.directory:
            return Refused(Reason.ACCOUNT_EXISTS, detail=f"account must be new, was {command.account}")
        return None

    def _check_fills(self, command: cm.Fills) -> Refused | None:
        columns = (command.buyer, command.seller, command.contract, command.lots, command.value)
        optional = (
            command.buyer_intent,
            command.seller_intent,
            command.buyer_bid,
            command.buyer_ask,
            command.seller_bid,
            command.seller_ask,
        )
        refused = _check_columns(columns, optional)
        if refused is not None:
            return refused
        for i, (buyer, seller, contract, lots, value) in enumerate(zip(*columns, strict=True)):
            at = f"row {i}: "
            if contract not in self._contracts:
                return Refused(
                    Reason.UNKNOWN_CONTRACT, detail=f"{at}contract must be in the sheet and marked, was {contract}"
                )
            if not _in_range(lots, 1, limits.LOTS_MAX):
                return Refused(Reason.OUT_OF_RANGE, detail=f"{at}lots must be 1 to {limits.LOTS_MAX}, was {lots}")
            if not _in_range(value, -(2**61), 2**61):
                return Refused(Reason.OUT_OF_RANGE, detail=f"{at}value must be within +-2^61, was {value}")
            for name, side in (("buyer", buyer), ("seller", seller)):
                if not _in_range(side, 0, limits.ACCOUNT_ID_MAX):
                    return Refused(
                        Reason.OUT_OF_RANGE, detail=f"{at}{name} must be 0 to {limits.ACCOUNT_ID_MAX}, was {side}"
                    )
        for column in optional[:2]:
            for i, intent in enumerate(column):
                if intent < 0:
                    return Refused(Reason.OUT_OF_RANGE, detail=f"row {i}: intent must be >= 0, was {intent}")
        for column in optional[2:]:
            for i, hold in enumerate(column):
                if not _in_range(hold, -1, limits.LOTS_MAX):
                    return Refused(
                        Reason.OUT_OF_RANGE, detail=f"row {i}: hold must be -1 to {limits.LOTS_MAX}, was {hold}"
                    )
        return None

    def _check_holds(self, command: cm.Holds) -> Refused | None:
        columns = (command.account, command.contract, command.bid, command.ask)
        refused = _check_columns(columns, ())
        if refused is not None:
            return refused
        for i, (account, contract, bid, ask) in enumerate(zip(*columns, strict=True)):
            bad = self._check_account(account) or self._check_contract(contract)
            if bad is not None:
                return Refused(bad.reason, detail=f"row {i}: {bad.detail}")
            if not (_in_range(bid, 0, limits.LOTS_MAX) and _in_range(ask, 0, limits.LOTS_MAX)):
                return Refused(
                    Reason.OUT_OF_RANGE,
                    detail=f"row {i}: bid and ask must be 0 to {limits.LOTS_MAX}, were {bid}, {ask}",
                )
        return None

    def _check_marks(self, command: cm.SetMarks) -> Refused | None:
        columns = (command.contract, command.mark, command.funding, command.grade)
        refused = _check_columns(columns, ()) if any(columns) or not command.asset else None
        if refused is not None:
            return refused
        if len(command.asset) != len(command.price):
            return Refused(Reason.MALFORMED, detail="asset and price must be equally long")
        for i, contract in enumerate(command.contract):
            if contract not in self._all_contracts:
                return Refused(
                    Reason.UNKNOWN_CONTRACT, detail=f"row {i}: contract must be in the sheet, was {contract}"
                )
            if not _in_range(command.grade[i], 0, 2):
                return Refused(Reason.OUT_OF_RANGE, detail=f"row {i}: grade must be 0, 1 or 2, was {command.grade[i]}")
        for asset in command.asset:
            bad = self._check_asset(asset)
            if bad is not None:
                return bad
        return None

    # Dealing: rows go to the bucket of their account's root; what has no account goes to the ClearingHouse.

    def _deal(self, command: cm.AnyCommand) -> Stamped:
        first = self.sequence
        rows: list[tuple[int, Item]] = []
        house: list[HouseItem] = []
        match command:
            case cm.OpenAccount(account=account, root=root, mode=mode):
                self.directory[account] = root
                rows.append((bucket_of(root), Item(first, ItemKind.OPEN, account, 0, root, mode)))
            case cm.Deposit(account=account, asset=asset, amount=amount):
                self._vault[asset] = self._vault.get(asset, 0) + amount
                rows.append((self._bucket(account), Item(first, ItemKind.DEPOSIT, account, asset, amount)))
            case cm.Withdraw(account=account, asset=asset, amount=amount):
                rows.append((self._bucket(account), Item(first, ItemKind.WITHDRAW, account, asset, amount)))
            case cm.OrderCheck(account=account, contract=contract, lots=lots):
                rows.append((self._bucket(account), Item(first, ItemKind.CHECK, account, contract, lots)))
            case cm.IntentDone(account=account, intent=intent):
                item = Item(first, ItemKind.DONE, account, 0, intent=intent)
                if account == HOUSE:
                    house.append(HouseItem(item, None))
                else:
                    rows.append((self._bucket(account), item))
            case cm.Holds():
                for i, (account, contract, bid, ask) in enumerate(
                    zip(command.account, command.contract, command.bid, command.ask, strict=True)
                ):
                    rows.append((self._bucket(account), Item(first + i, ItemKind.HOLD, account, contract, bid, ask)))
            case cm.Fills():
                self._deal_fills(command, first, rows, house)
            case cm.SetMarks():
                house.append(HouseItem(Item(first, ItemKind.MARKS, HOUSE, 0), command))
            case cm.SetSheet():
                house.append(HouseItem(Item(first, ItemKind.SHEET, HOUSE, 0), command))
            case cm.SetMarket():
                house.append(
                    HouseItem(Item(first, ItemKind.MARKET, HOUSE, command.contract, int(command.halted)), None)
                )
            case cm.FundDeposit(contract=contract, asset=asset, amount=amount):
                self._vault[asset] = self._vault.get(asset, 0) + amount
                house.append(HouseItem(Item(first, ItemKind.FUND, HOUSE, contract, amount, asset), None))
        count = _row_count(command)
        self.sequence += count
        return Stamped(Accepted(first, count), rows, house)

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
                columns = zip(marks.contract, marks.mark, marks.funding, marks.grade, strict=True)
                rows = [*columns, *zip(marks.asset, marks.price, strict=True)]
                for i, row in enumerate(rows):
                    yield (item.sequence + i, item.kind, *row)
            case cm.SetSheet(sheet=sheet):
                yield (item.sequence, item.kind, sheet)
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


def _check_positive(name: str, value: int, most: int) -> Refused | None:
    if _in_range(value, 1, most):
        return None
    return Refused(Reason.OUT_OF_RANGE, detail=f"{name} must be 1 to {most}, was {value}")


def _check_columns(columns: tuple[tuple[int, ...], ...], optional: tuple[tuple[int, ...], ...]) -> Refused | None:
    n = len(columns[0])
    if not 1 <= n <= limits.BATCH_ROWS_MAX:
        return Refused(Reason.OUT_OF_RANGE, detail=f"rows must be 1 to {limits.BATCH_ROWS_MAX}, were {n}")
    if any(len(c) != n for c in columns) or any(len(c) not in (0, n) for c in optional):
        return Refused(Reason.MALFORMED, detail=f"columns must be equally long ({n} rows)")
    return None
