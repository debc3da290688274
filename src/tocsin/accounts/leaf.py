"""
The leaf: an account as fixed-width little-endian bytes (rule LG-002).

Header: id i64, root i64, owner i64, mode u8, level u8, class u8, recourse u8, counts of assets, positions, holds u16
each. Then, ascending by id: assets
(id i32, cash i128, in transit i128), positions (contract i32, lots i64, entry sum i128), holds (contract i32, bid i64,
ask i64). Nothing derived is stored.
"""

import struct

from tocsin.core.errors import DataError
from tocsin.margin.state import AccountClass, AccountState, Level, Mode

_HEADER = struct.Struct("<qqqBBBBHHH")
_HOLD = struct.Struct("<iqq")
_MONEY = 16


def _money(value: int) -> bytes:
    return value.to_bytes(_MONEY, "little", signed=True)


def encode_leaf(account: AccountState) -> bytes:
    """
    Return the leaf bytes of an account. Assets with neither cash nor in-transit units are left out.
    """
    assets = sorted(
        a for a in {**account.cash, **account.in_transit} if account.cash.get(a) or account.in_transit.get(a)
    )
    out = [
        _HEADER.pack(
            account.id,
            account.root,
            account.owner,
            account.mode,
            account.level,
            account.kind,
            account.recourse,
            len(assets),
            len(account.positions),
            len(account.holds),
        )
    ]
    for asset in assets:
        out.append(asset.to_bytes(4, "little", signed=True))
        out.append(_money(account.cash.get(asset, 0)))
        out.append(_money(account.in_transit.get(asset, 0)))
    for contract in sorted(account.positions):
        lots, entry = account.positions[contract]
        out.append(contract.to_bytes(4, "little", signed=True) + lots.to_bytes(8, "little", signed=True))
        out.append(_money(entry))
    out += [_HOLD.pack(contract, *account.holds[contract]) for contract in sorted(account.holds)]
    return b"".join(out)


def decode_leaf(data: bytes) -> AccountState:
    """
    Return the account of leaf bytes.

    Raises:
        DataError: The bytes are not one whole leaf in canonical form.
    """
    try:
        account = _read(data)
    except (struct.error, ValueError, IndexError):
        raise DataError(f"leaf must be whole, was {len(data)} bytes that do not parse") from None
    if encode_leaf(account) != data:
        raise DataError(f"leaf of account {account.id} must be canonical, was not: ids ascend and nothing is empty")
    return account


def _read(data: bytes) -> AccountState:
    ident, root, owner, mode, level, kind, recourse, assets, positions, holds = _HEADER.unpack_from(data)
    account = AccountState(ident, root, Mode(mode), Level(level), kind=AccountClass(kind), owner=owner)
    account.recourse = bool(recourse)
    at = _HEADER.size

    def take(size: int) -> int:
        nonlocal at
        if at + size > len(data):
            raise ValueError
        at += size
        return int.from_bytes(data[at - size : at], "little", signed=True)

    for _ in range(assets):
        asset = take(4)
        cash, in_transit = take(_MONEY), take(_MONEY)
        if cash:
            account.cash[asset] = cash
        if in_transit:
            account.in_transit[asset] = in_transit
    for _ in range(positions):
        contract = take(4)
        lots = take(8)
        account.positions[contract] = (lots, take(_MONEY))
    for _ in range(holds):
        contract = take(4)
        bid = take(8)
        account.holds[contract] = (bid, take(8))
    if at != len(data):
        raise ValueError
    return account
