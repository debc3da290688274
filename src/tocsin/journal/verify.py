"""
Verify: recompute a journal from nothing and name the first difference (rules JN-051 to JN-055).

Checksums and chain say that the bytes are those that were written; recomputing says that they are what the commands
give. A journal that was re-made as a whole agrees with itself: only a root from elsewhere (`--root`) tells.
"""

from collections.abc import Callable
from typing import NamedTuple

from tocsin.core.codec import encode
from tocsin.core.errors import DataError, InvariantBroken, JournalError, Refused
from tocsin.engine.engine import Engine
from tocsin.engine.messages import CycleResult
from tocsin.journal.disk import Disk
from tocsin.journal.host import start_engine
from tocsin.journal.log import Journal
from tocsin.journal.records import Close, CycleRecords, read_cycles

HOUSE = -1
"""Stands for the ClearingHouse where a difference is in no bucket."""


class Difference(NamedTuple):
    """
    The first place where the journal is not what its commands give: cycle, bucket (-1: the ClearingHouse), and what.
    """

    cycle: int
    bucket: int
    what: str


class Verified(NamedTuple):
    """
    What was checked: records and cycles recomputed, the last root and chain head, whether a root from elsewhere was
    given and met, commands after the last cut, bytes of an interrupted last write, and the first difference if any.
    """

    records: int
    cycles: int
    root: bytes
    head: bytes
    root_asked: bytes | None
    root_cycle: int
    open_commands: int
    cut_bytes: int
    difference: Difference | None

    @property
    def ok(self) -> bool:
        """Whether nothing differs, and the root asked for (if any) is the root of a cycle."""
        return self.difference is None and (self.root_asked is None or self.root_cycle > 0)


def verify(
    disk: Disk, *, root: bytes | None = None, shards: int = 1, progress: Callable[[int, str], None] | None = None
) -> Verified:
    """
    Recompute every cycle and compare opening, decisions, bucket roots, house root and state root with the journal.

    Args:
        root: A state root known from elsewhere; some cycle must have it.
        shards: P to recompute with.
        progress: Called with (cycles done, note).

    Raises:
        JournalError: No journal, or bytes that fail checksum or chain (names file and byte).
    """
    journal = Journal.open(disk, read_only=True)
    try:
        return _verify(journal, root, shards, progress)
    finally:
        journal.close()


def _verify(
    journal: Journal, root: bytes | None, shards: int, progress: Callable[[int, str], None] | None
) -> Verified:
    engine = start_engine(journal.header, shards=shards)
    last, found, cycles, pending = b"", 0, 0, 0
    difference: Difference | None = None
    for cycle in read_cycles(journal.records()):
        number = engine.cycle
        result, difference = _recompute(engine, cycle)
        if difference is not None:
            break
        if result is None:
            pending = len(cycle.commands)
            continue
        cycles, last = cycles + 1, result.root
        if cycle.close is not None:
            difference = compare_close(cycle.close, result)
            if difference is not None:
                break
        if root is not None and result.root == root:
            found = number
        if progress is not None:
            progress(cycles, f"cycle {number}")
    cut_bytes = journal.recovered.cut_bytes
    return Verified(journal.count, cycles, last, journal.head, root, found, pending, cut_bytes, difference)


def _recompute(engine: Engine, cycle: CycleRecords) -> tuple[CycleResult | None, Difference | None]:
    number = engine.cycle
    for nth, command in enumerate(cycle.commands):
        answer = engine.submit(command)
        if isinstance(answer, Refused):
            bucket = HOUSE
            what = f"command {nth} is refused ({answer.number}: {answer.detail}), so it cannot have been journaled"
            return None, Difference(number, bucket, what)
    if cycle.cut is None:
        return None, None
    if cycle.cut.cycle != number:
        return None, Difference(number, HOUSE, f"the cut is of cycle {cycle.cut.cycle}")
    if len(cycle.cut.rows) == 1 + len(engine.shards) and cycle.cut.rows != engine.row_counts():
        return None, Difference(number, HOUSE, f"streams hold {engine.row_counts()} rows, the cut says {cycle.cut.rows}")
    if sum(cycle.cut.rows) != sum(engine.row_counts()):
        total = sum(engine.row_counts())
        return None, Difference(number, HOUSE, f"{total} rows were stamped, the cut says {sum(cycle.cut.rows)}")
    try:
        return engine.cut(cycle.cut.next_time_ns), None
    except (InvariantBroken, DataError) as error:
        return None, Difference(number, HOUSE, f"the cycle cannot be recomputed: {error}")


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
        return Difference(number, HOUSE, "list of bucket roots is not in order")
    return None


def _roots(said: bytes | None, found: bytes | None) -> str:
    def show(root: bytes | None) -> str:
        return "unchanged" if root is None else root.hex()

    return f"root: the journal says {show(said)}, its commands give {show(found)}"


def parse_root(text: str) -> bytes:
    """
    Return the 32 bytes of a root in hexadecimal.

    Raises:
        JournalError: The text is not 64 hexadecimal digits.
    """
    try:
        root = bytes.fromhex(text)
    except ValueError:
        root = b""
    if len(root) != 32:
        raise JournalError(f"--root must be 64 hexadecimal digits, was {text!r}")
    return root
