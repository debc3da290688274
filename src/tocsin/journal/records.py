"""
What Tocsin writes into a journal: a genesis header, commands, cuts and closes (rules JN-040 to JN-044).

Commands are the log; cuts divide it into cycles; a close states what the cycle came to (opening, changed bucket roots,
house root, state root) so that a check can name the first difference. Events are never stored: they are recomputed.
A cut carries a digest of its commands and a close one of its cut, so that also a change that no state shows is seen.
"""

from collections.abc import Callable, Iterable, Iterator
from enum import IntEnum
from hashlib import sha256

import msgspec

from tocsin.core.codec import decode, encode
from tocsin.core.errors import CodecError, JournalError
from tocsin.core.hashing import hash_bytes
from tocsin.engine.messages import CycleOpen, CycleResult
from tocsin.journal.frames import Record

FORMAT = "tocsin-journal-1 rules-2"
"""Name of the layout and of the rules; the second number rises whenever a rule gives other bytes (golden roots)."""

Progress = Callable[[int, int, str], None]
"""Called as (records or cycles done, of how many, note) by whatever reads a whole journal."""


class RecordError(JournalError):
    """A record is whole, and yet no record of Tocsin's, or not where one can stand; the message names its number."""


INGRESS = 0
"""Stream tag of commands, cuts and closes of the embedded host: it has one physical sequence."""


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
    The end of a cycle: its number, the log time of the next, how many rows each stream holds (the ClearingHouse's
    first; the number of streams is what the host ran with and changes nothing), and the digest of its commands.
    """

    cycle: int
    next_time_ns: int
    rows: tuple[int, ...]
    commands: bytes


class Close(msgspec.Struct, frozen=True, array_like=True):
    """
    What a cycle came to: hash of its cut, opening with its decisions, buckets touched with their roots, house root,
    state root.
    """

    cut: bytes
    opened: CycleOpen
    buckets: tuple[int, ...]
    bucket_roots: tuple[bytes, ...]
    house_root: bytes
    root: bytes

    @classmethod
    def of(cls, result: CycleResult, cut: Cut) -> "Close":
        """Return the close of a cycle's result and its cut."""
        changed = result.changed_buckets
        return cls(
            hash_cut(cut), result.opened, tuple(changed), tuple(changed.values()), result.house_root, result.root
        )


class CycleRecords(msgspec.Struct):
    """
    One cycle as the journal tells it: command bytes, its cut, and its close if that was written; `end` is the number
    of the first record after it.
    """

    commands: list[bytes] = msgspec.field(default_factory=list[bytes])
    cut: Cut | None = None
    close: Close | None = None
    end: int = 0


class CommandDigest:
    """SHA-256 over the commands of a cycle, each after its length in 8 bytes (rule JN-043)."""

    def __init__(self, commands: Iterable[bytes] = ()) -> None:
        self._state = sha256(b"tocsin.commands")
        for command in commands:
            self.add(command)

    def add(self, command: bytes) -> None:
        """Take one more command."""
        self._state.update(len(command).to_bytes(8, "little"))
        self._state.update(command)

    def digest(self) -> bytes:
        """Return the digest of all commands so far."""
        return self._state.digest()


def hash_cut(cut: Cut) -> bytes:
    """
    Return the hash of a cut that its close carries (rule JN-043).
    """
    return hash_bytes(b"cut", encode(cut))


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
    Yield the cycles of a journal in order; only the last may be without cut (still open) or without close.

    Raises:
        RecordError: A record is of no known kind, cannot be decoded, or stands where it cannot be; names its number.
    """
    cycle = CycleRecords()
    for record in records:
        _take_record(cycle, record)
        if cycle.close is not None:
            yield cycle
            cycle = CycleRecords()
    if cycle.commands or cycle.cut is not None:
        yield cycle


def _take_record(cycle: CycleRecords, record: Record) -> None:
    try:
        kind = RecordKind(record.kind)
    except ValueError:
        raise RecordError(f"record {record.number}: kind must be 1, 2 or 3, was {record.kind}") from None
    if record.stream != INGRESS:
        raise RecordError(f"record {record.number}: stream must be {INGRESS}, was {record.stream}")
    if (kind == RecordKind.CLOSE) != (cycle.cut is not None):
        found = kind.name.lower()
        wanted = "the close of its cut must follow" if cycle.cut is not None else "a close must follow its cut"
        raise RecordError(f"record {record.number}: {wanted}, found a {found}")
    try:
        match kind:
            case RecordKind.COMMAND:
                cycle.commands.append(record.payload)
            case RecordKind.CUT:
                cycle.cut = decode(record.payload, Cut, limit=None)
            case RecordKind.CLOSE:
                cycle.close = decode(record.payload, Close, limit=None)
    except CodecError as error:
        raise RecordError(f"record {record.number} must be a {kind.name.lower()}, was not: {error}") from None
    cycle.end = record.number + 1
