"""
What the ClearingHouse and Shards tell each other once a cycle, and what they tell the world (rules CY-001 to CY-006).

`CycleOpen` goes from the ClearingHouse to every shard, `ShardClose` back. Lists in a close are in (bucket, account,
index) order within the shard; the ClearingHouse sorts what it merges, so the number of shards does not matter.
"""

from typing import NamedTuple

import msgspec

from tocsin.sheet.marks import Marks


class Grant(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """Signed lots that may be traded for an account by force, at no worse than `limit` per lot, until `expires_ns`."""

    bucket: int
    account: int
    intent: int
    contract: int
    lots: int
    limit: int
    expires_ns: int


class CloseLots(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """ADL: signed lots booked against the default account at the mark of the cycle in which they were frozen."""

    bucket: int
    account: int
    contract: int
    lots: int
    value: int


class Debit(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """Loss sharing: units taken from a winner's gains."""

    bucket: int
    account: int
    asset: int
    amount: int


class Recourse(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """Units taken from an account that stands for a loss of another account of its root."""

    bucket: int
    account: int
    asset: int
    amount: int


class Credit(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """Units that come to an account from another."""

    bucket: int
    account: int
    asset: int
    amount: int


class Converted(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """`given` units of `collateral` sold for `got` units of `asset`, which the account owes."""

    bucket: int
    account: int
    collateral: int
    given: int
    asset: int
    got: int


class Release(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """Units that leave the vault from an account's in-transit amount."""

    bucket: int
    account: int
    asset: int
    amount: int


Decision = Grant | CloseLots | Debit | Recourse | Credit | Converted | Release


class CycleOpen(msgspec.Struct, frozen=True, array_like=True):
    """
    What every shard is told at the start of a cycle.

    `sheet` is the canonical sheet in the first cycle that uses it, else empty. `closed` are contracts in which only
    reducing orders pass (halted, or with a mark beyond its cap). `lots_wanted` asks holders on the other
    side of the default account's lots (signed lots to be closed), `money_wanted` asks winners per asset.

    `others` are, per linked account, what its owner's other accounts hold (`AccountState.others`). `interest` is per
    asset the charge on negative and the credit on positive balances, in 10^-12. `settled` are final marks per lot of
    contracts paid out as this cycle opens, `rescaled` factors of lots. In `grace` nothing is liquidated. `room` is, per
    contract with a cap, by how many lots its open interest may still grow, as of the previous close (rule CY-026).
    """

    cycle: int
    time_ns: int
    sheet_hash: bytes
    sheet: bytes
    marks: Marks
    decisions: tuple[Decision, ...]
    reduce_only: bool
    closed: tuple[int, ...]
    outage_ns: int
    lots_wanted: dict[int, int]
    money_wanted: dict[int, int]
    others: dict[int, dict[int, int]] = msgspec.field(default_factory=dict[int, dict[int, int]])
    interest: dict[int, tuple[int, int]] = msgspec.field(default_factory=dict[int, tuple[int, int]])
    settled: dict[int, int] = msgspec.field(default_factory=dict[int, int])
    rescaled: dict[int, int] = msgspec.field(default_factory=dict[int, int])
    grace: bool = False
    room: dict[int, int] = msgspec.field(default_factory=dict[int, int])


def open_contracts(opened: CycleOpen) -> frozenset[int]:
    """
    Return the contracts that commands of the cycle may name: those with a mark that are not being paid out.
    """
    return frozenset(opened.marks.contracts) - frozenset(opened.settled)


class Item(NamedTuple):
    """
    One stamped row of a stream. `kind` is an `ItemKind`; the other fields mean what that kind says.
    """

    sequence: int
    kind: int
    account: int
    key: int
    a: int = 0
    b: int = 0
    c: int = -1
    d: int = -1
    intent: int = 0
    fee: int = 0


class Request(NamedTuple):
    """Signed lots a plan asks for, with the limit per lot."""

    bucket: int
    account: int
    nth: int
    contract: int
    lots: int
    limit: int


class Takeover(NamedTuple):
    """An account's positions (contract, lots, booked value), cash (asset, units) and open intents, moved whole."""

    bucket: int
    account: int
    positions: tuple[tuple[int, int, int], ...]
    cash: tuple[tuple[int, int], ...]
    intents: tuple[tuple[int, int, int], ...]


class Unbooked(NamedTuple):
    """A side of a fill that goes to the error account, or to the default account if it fills a moved intent."""

    bucket: int
    account: int
    nth: int
    contract: int
    lots: int
    value: int
    intent: int
    reason: int


class Queued(NamedTuple):
    """Units asked out of the vault."""

    bucket: int
    account: int
    nth: int
    asset: int
    amount: int


class Fee(NamedTuple):
    """A liquidation fee for a market's fund."""

    bucket: int
    account: int
    nth: int
    contract: int
    amount: int


class LotCandidate(NamedTuple):
    """
    A holder that can close lots against the default account: its side of one contract, frozen at the close.

    Fields as in `tocsin.procedures.waterfall.scores.Candidate`. `spreads` is how many whole spreads of all its rows in
    this contract's asset may be closed without raising its requirement; 0 where they are no spread (rule WF-037).
    """

    bucket: int
    account: int
    contract: int
    lots: int
    profit: int
    entry_value: int
    notional: int
    equity: int
    reserved: int = 0
    side: int = 1
    balance: int = 0
    requirement: int = 0
    safe: int = -1
    spreads: int = 0


class MoneyCandidate(NamedTuple):
    """A winner in one asset: unrealised gains, what it may pay, and its rank inputs."""

    bucket: int
    account: int
    asset: int
    profit: int
    capacity: int
    notional: int
    equity: int


class Sent(NamedTuple):
    """Units on their way from one account to another, which lives in `to_bucket`."""

    bucket: int
    account: int
    nth: int
    asset: int
    amount: int
    to: int
    to_bucket: int


class TradeFee(NamedTuple):
    """What a side of a fill pays to the operator, units of an asset (negative: a rebate)."""

    bucket: int
    account: int
    nth: int
    asset: int
    amount: int


class Linked(NamedTuple):
    """
    What a linked account holds: absolute lots per contract, and absolute delta under `-1 - underlying`; owner 0: it is
    linked no more.
    """

    bucket: int
    account: int
    owner: int
    held: tuple[tuple[int, int], ...]


class StandIn(NamedTuple):
    """Units that an account with recourse could pay for the loss of `loser`, another account of its root."""

    bucket: int
    account: int
    loser: int
    asset: int
    amount: int


class Conversion(NamedTuple):
    """Up to `have` units of `collateral` that shall pay `need` units of `asset`, which the account owes."""

    bucket: int
    account: int
    nth: int
    collateral: int
    have: int
    asset: int
    need: int


class Event(msgspec.Struct, frozen=True, array_like=True):
    """
    A fact, recomputed from the log. `phase` 0 decisions, 1 point A, 2 commands, 3 point B, 4 ClearingHouse.
    """

    cycle: int
    phase: int
    order: tuple[int, int, int]
    kind: str
    account: int
    fields: dict[str, int | str]


class ShardClose(NamedTuple):
    """What one shard reports at the end of a cycle."""

    roots: dict[int, bytes]
    requests: list[Request]
    takeovers: list[Takeover]
    unbooked: list[Unbooked]
    queued: list[Queued]
    fees: list[Fee]
    lot_candidates: list[LotCandidate]
    money_candidates: list[MoneyCandidate]
    recalled: list[int]
    ended: list[tuple[int, int]]
    deposits: dict[int, int]
    lots: dict[int, int]
    money: dict[int, int]
    events: list[Event]
    sent: list[Sent]
    trade_fees: list[TradeFee]
    linked: list[Linked]
    stand_ins: list[StandIn]
    conversions: list[Conversion]
    interest: dict[int, tuple[int, int]]
    balances: dict[int, tuple[int, int]]
    longs: dict[int, int]


class CycleResult(NamedTuple):
    """A closed cycle: what opened it, its roots, and its events in canonical order."""

    opened: CycleOpen
    root: bytes
    bucket_root: bytes
    house_root: bytes
    changed_buckets: dict[int, bytes]
    events: list[Event]
    counts: tuple[int, ...]
