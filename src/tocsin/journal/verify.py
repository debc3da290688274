"""
Verify: recompute a journal from nothing and name the first difference (rules JN-051 to JN-056).

Checksums and chain say that the bytes are those that were written; recomputing says that they are what the commands
give. A journal that was re-made as a whole agrees with itself: only a root from elsewhere (`--root`) tells.
"""

from typing import NamedTuple

from tocsin.core.codec import encode
from tocsin.core.errors import CodecError, DataError, InvariantBroken, Refused
from tocsin.core.ids import bucket_of
from tocsin.engine import commands as cm
from tocsin.engine.engine import Engine
from tocsin.engine.messages import CycleResult
from tocsin.journal.disk import Disk
from tocsin.journal.log import Journal
from tocsin.journal.recompute import start_engine
from tocsin.journal.records import (
    Close,
    CommandDigest,
    CycleRecords,
    Progress,
    RecordError,
    hash_cut,
    read_cycles,
)

HOUSE = -1
"""Stands for the ClearingHouse where a difference is in no bucket."""

RECORDS = -2
"""Stands for the records themselves where a difference is in what the journal says of a cycle and in no state."""


class Difference(NamedTuple):
    """
    The first place where the journal is not what its commands give: cycle, bucket (-1: the ClearingHouse, -2: the
    cycle's records), and what.
    """

    cycle: int
    bucket: int
    what: str


class Verified(NamedTuple):
    """
    What was checked: records and cycles recomputed, the last root and chain head, whether a root from elsewhere was
    given and the cycle that has it (0: none), commands after the last cut, whether the journal was closed in order and
    bytes of an interrupted last write, and the first difference if any.
    """

    records: int
    cycles: int
    root: bytes
    head: bytes
    root_asked: bytes | None
    root_cycle: int
    open_commands: int
    closed: bool
    cut_bytes: int
    difference: Difference | None

    @property
    def ok(self) -> bool:
        """Whether nothing differs, and the root asked for (if any) is the root of a cycle."""
        return self.difference is None and (self.root_asked is None or self.root_cycle > 0)


def verify(disk: Disk, *, root: bytes | None = None, shards: int = 1, progress: Progress | None = None) -> Verified:
    """
    Recompute every cycle and compare opening, decisions, bucket roots, house root and state root with the journal.

    Snapshots are not used.

    Args:
        root: A state root known from elsewhere; some cycle must have it.
        shards: P to recompute with.
        progress: Called after each cycle with (records done, of how many, note).

    Raises:
        JournalError: No journal, no genesis, or bytes that fail checksum or chain (names file and byte).
    """
    journal = Journal.open(disk, read_only=True)
    try:
        return _verify(journal, root, shards, progress)
    finally:
        journal.close()


def _verify(journal: Journal, root: bytes | None, shards: int, progress: Progress | None) -> Verified:
    engine = start_engine(journal.header, shards=shards)
    last, found, cycles, pending = b"", 0, 0, 0
    difference: Difference | None = None
    try:
        for cycle in read_cycles(journal.records()):
            number = engine.cycle
            result, difference = _recompute(engine, cycle)
            if difference is not None:
                break
            if result is None:
                pending = len(cycle.commands)
                continue
            cycles, last = cycles + 1, result.root
            if result.root == root:
                found = number
            if progress is not None:
                progress(cycle.end, journal.count, f"cycle {number:,}")
    except RecordError as error:
        difference = Difference(engine.cycle, RECORDS, str(error))
    recovered = journal.recovered
    return Verified(
        journal.count,
        cycles,
        last,
        journal.head,
        root,
        found,
        pending,
        recovered.closed,
        recovered.cut_bytes,
        difference,
    )


def _recompute(engine: Engine, cycle: CycleRecords) -> tuple[CycleResult | None, Difference | None]:
    """
    Run a cycle and return its result, or the first difference from what the journal says of it.
    """
    number, cut = engine.cycle, cycle.cut
    for nth, command in enumerate(cycle.commands):
        answer = engine.submit(command)
        if isinstance(answer, Refused):
            what = f"command {nth} is refused ({answer.number}: {answer.detail}), so it cannot have been journaled"
            return None, Difference(number, _bucket_named(engine, command), what)
    if cut is None:
        return None, None
    if cut.cycle != number:
        return None, Difference(number, RECORDS, f"the cut is of cycle {cut.cycle}")
    counts = engine.row_counts()
    try:
        result = engine.cut(cut.next_time_ns)
    except (InvariantBroken, DataError) as error:
        return None, Difference(number, HOUSE, f"the cycle cannot be recomputed: {error}")
    difference = None if cycle.close is None else compare_close(cycle.close, result)
    return result, difference or _compare_records(cycle, number, counts)


def _compare_records(cycle: CycleRecords, number: int, counts: tuple[int, ...]) -> Difference | None:
    """
    Return what is wrong with a cycle's cut and close although the state they lead to is right.
    """
    cut, close = cycle.cut, cycle.close
    assert cut is not None
    if sum(cut.rows) != sum(counts) or (len(cut.rows) == len(counts) and cut.rows != counts):
        return Difference(number, RECORDS, f"streams hold {counts} rows, the cut says {cut.rows}")
    if cut.commands != CommandDigest(cycle.commands).digest():
        return Difference(number, RECORDS, "the cut was made over other commands")
    if close is not None and close.cut != hash_cut(cut):
        return Difference(number, RECORDS, "the close was made over another cut")
    return None


def _bucket_named(engine: Engine, data: bytes) -> int:
    """
    Return the lowest bucket of the open accounts that a command names, or `HOUSE`.
    """
    try:
        command = cm.decode_command(data)
    except CodecError:
        return RECORDS
    match command:
        case cm.OpenAccount():
            return bucket_of(command.root) if 0 < command.root < 2**63 else HOUSE
        case cm.Fills():
            accounts = (*command.buyer, *command.seller)
        case cm.Holds():
            accounts = command.account
        case cm.Deposit() | cm.Withdraw() | cm.OrderCheck() | cm.IntentDone():
            accounts = (command.account,)
        case _:
            accounts = ()
    directory = engine.sequencer.directory
    return min((bucket_of(directory[a]) for a in accounts if a in directory), default=HOUSE)


def compare_close(close: Close, result: CycleResult) -> Difference | None:
    """
    Return the first difference between what the journal says of a cycle and what was recomputed.

    Decisions first (their bucket is their account's), then the rest of the opening, buckets ascending, house, root.
    """
    number = result.opened.cycle
    said, found = close.opened.decisions, result.opened.decisions
    for a, b in zip(said, found, strict=False):
        if a != b:
            return Difference(number, b.bucket, f"decision: the journal says {a}, its commands give {b}")
    if len(said) != len(found):
        odd = (said if len(said) > len(found) else found)[min(len(said), len(found))]
        return Difference(number, odd.bucket, f"decisions: the journal has {len(said)}, its commands give {len(found)}")
    if encode(close.opened) != encode(result.opened):
        return Difference(number, HOUSE, "opening: time, sheet or marks are not what the commands give")
    said_roots = dict(zip(close.buckets, close.bucket_roots, strict=False))
    for bucket in sorted({**said_roots, **result.changed_buckets}):
        if said_roots.get(bucket) != result.changed_buckets.get(bucket):
            return Difference(number, bucket, _roots(said_roots.get(bucket), result.changed_buckets.get(bucket)))
    if close.house_root != result.house_root:
        return Difference(number, HOUSE, _roots(close.house_root, result.house_root))
    if close.root != result.root:
        return Difference(number, HOUSE, "state " + _roots(close.root, result.root))
    if len(close.buckets) != len(close.bucket_roots) or tuple(sorted(close.buckets)) != close.buckets:
        return Difference(number, RECORDS, "the close's list of bucket roots is not in order")
    return None


def _roots(said: bytes | None, found: bytes | None) -> str:
    def show(root: bytes | None) -> str:
        return "unchanged" if root is None else root.hex()

    return f"root: the journal says {show(said)}, its commands give {show(found)}"
