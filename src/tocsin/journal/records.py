"""
What Tocsin writes into a journal: a genesis header, commands, cuts and closes (rules JN-040 to JN-044).

Commands are the log; cuts divide it into cycles; a close states what the cycle came to (opening, changed bucket roots,
house root, state root) so that a check can name the first difference. Events are never stored: they are recomputed.
"""

from collections.abc import Iterable, Iterator
from enum import IntEnum

import msgspec

from tocsin.core.codec import decode, encode
from tocsin.core.errors import CodecError, JournalError
from tocsin.engine.messages import CycleOpen, CycleResult
from tocsin.journal.frames import Record

FORMAT = "tocsin-journal-1"


class RecordKind(IntEnum):
    """Kinds of records in a journal."""

    COMMAND = 1
    CUT = 2
    CLOSE = 3


class Genesis(msgspec.Struct, frozen=True, array_like=True):
    """The journal's header: format, log time of the first cycle, canonical bytes of the first sheet."""

    format: str
    time_ns: int
    sheet: bytes


class Cut(msgspec.Struct, frozen=True, array_like=True):
    """
    The end of a cycle: its number, the log time of the next, and how many rows each stream holds (the ClearingHouse's
    first; the number of streams is what the host ran with and changes nothing).
    """

    cycle: int
    next_time_ns: int
    rows: tuple[int, ...]


class Close(msgspec.Struct, frozen=True, array_like=True):
    """What a cycle came to: opening with its decisions, changed buckets with their roots, house root, state root."""

    opened: CycleOpen
    buckets: tuple[int, ...]
    bucket_roots: tuple[bytes, ...]
    house_root: bytes
    root: bytes

    @classmethod
    def of(cls, result: CycleResult) -> "Close":
        """Return the close of a cycle's result."""
        changed = result.changed_buckets
        return cls(result.opened, tuple(changed), tuple(changed.values()), result.house_root, result.root)


class CycleRecords(msgspec.Struct):
    """One cycle as the journal tells it: command bytes, its cut, and its close if that was written."""

    commands: list[bytes]
    cut: Cut | None = None
    close: Close | None = None
    last_record: int = -1


def read_genesis(header: bytes) -> Genesis:
    """
    Return the genesis in a journal's header.

    Raises:
        JournalError: The header is not one of Tocsin's, or of another format.
    """
    try:
        genesis = decode(header, Genesis, limit=None)
    except CodecError as error:
        raise JournalError(f"header must be a {FORMAT} genesis, was not: {error}") from None
    if genesis.format != FORMAT:
        raise JournalError(f"format must be {FORMAT}, was {genesis.format!r}: use the version that wrote it")
    return genesis


def encode_genesis(genesis: Genesis) -> bytes:
    """
    Return the header bytes of a genesis.
    """
    return encode(genesis)


def read_cycles(records: Iterable[Record]) -> Iterator[CycleRecords]:
    """
    Yield the cycles of a journal in order; the last may be without cut (still open) or without close.

    Raises:
        JournalError: A record is of no known kind, cannot be decoded, or stands where it cannot be; names its number.
    """
    cycle = CycleRecords([])
    for record in records:
        try:
            kind = RecordKind(record.kind)
            if kind == RecordKind.CLOSE:
                if cycle.cut is None or cycle.close is not None:
                    raise JournalError(f"record {record.number}: a close must follow a cut, did not")
                cycle.close = decode(record.payload, Close, limit=None)
                cycle.last_record = record.number
                continue
            if cycle.cut is not None:
                yield cycle
                cycle = CycleRecords([])
            if kind == RecordKind.CUT:
                cycle.cut = decode(record.payload, Cut, limit=None)
            else:
                cycle.commands.append(record.payload)
            cycle.last_record = record.number
        except (ValueError, CodecError) as error:
            raise JournalError(f"record {record.number} must be a command, cut or close, was not: {error}") from None
    if cycle.commands or cycle.cut is not None:
        yield cycle
