"""
Snapshot files: the state at one record of the journal, written whole or not at all.

Rules JN-028 to JN-030. A snapshot only saves time: the journal alone is enough, so a damaged one is
passed over with a note and never an error.
"""

import re
from hashlib import sha256
from struct import Struct
from typing import NamedTuple

from tocsin.core.errors import JournalError
from tocsin.core.hashing import HASH_BYTES, crc32c
from tocsin.journal.disk import Disk, publish

SNAPSHOTS_KEPT = 2
FORMAT_VERSION = 1

_MAGIC = b"TOCSIN-S"
_HEADER = Struct(f"<8sIIQQ{HASH_BYTES}sQ")
_CRC = Struct("<I")
_NAME = re.compile(r"snapshot-(\d{12})\.snap")


class Snapshot(NamedTuple):
    """
    State after `cycle`, after the first `record_number` records, where the chain head was `chain_head`.
    """

    cycle: int
    record_number: int
    chain_head: bytes
    payload: bytes


class LatestSnapshot(NamedTuple):
    """
    The newest whole snapshot, or None, and a note for each newer file that had to be passed over.
    """

    snapshot: Snapshot | None
    notes: tuple[str, ...]


def snapshot_name(cycle: int) -> str:
    """
    Return the file name of the snapshot after `cycle` >= 0.
    """
    return f"snapshot-{cycle:012d}.snap"


def write_snapshot(disk: Disk, cycle: int, record_number: int, chain_head: bytes, payload: bytes) -> None:
    """
    Write a snapshot durably, then remove all but the newest two.

    The older ones are removed only after the new one is durable (JN-029). An error leaves the older ones as
    they were, and does not harm the journal.

    Args:
        record_number: Number of records the state is a function of; the next to apply has this number.
        chain_head: The journal's chain head after those records.

    Raises:
        JournalError: The disk refused; no new snapshot.
    """
    name = snapshot_name(cycle)
    try:
        publish(disk, name, encode_snapshot(Snapshot(cycle, record_number, chain_head, payload))).close()
        for old in _snapshot_names(disk)[SNAPSHOTS_KEPT:]:
            disk.remove(old)
    except OSError as error:
        raise JournalError(f"cannot write {name} in {disk.place}: {error.strerror or error}") from error


def latest_snapshot(disk: Disk) -> LatestSnapshot:
    """
    Return the newest snapshot whose checksum and hash are right.

    The caller compares `record_number` and `chain_head` with the journal before it uses the payload.

    Raises:
        JournalError: The disk refused to read.
    """
    notes: list[str] = []
    try:
        for name in _snapshot_names(disk):
            file = disk.open(name, writable=False)
            try:
                data = file.read(0, file.length)
            finally:
                file.close()
            found = decode_snapshot(data)
            if isinstance(found, Snapshot) and name == snapshot_name(found.cycle):
                return LatestSnapshot(found, tuple(notes))
            reason = found if isinstance(found, str) else f"it is of cycle {found.cycle}"
            notes.append(f"{name} is damaged and was passed over: {reason}")
    except OSError as error:
        raise JournalError(f"cannot read snapshots in {disk.place}: {error.strerror or error}") from error
    return LatestSnapshot(None, tuple(notes))


def encode_snapshot(snapshot: Snapshot) -> bytes:
    """
    Return the bytes of a snapshot file: header, CRC32C of the header, payload, SHA-256 of all before it.
    """
    header = _HEADER.pack(
        _MAGIC,
        FORMAT_VERSION,
        0,
        snapshot.cycle,
        snapshot.record_number,
        snapshot.chain_head,
        len(snapshot.payload),
    )
    data = b"".join((header, _CRC.pack(crc32c(header)), snapshot.payload))
    return data + sha256(data).digest()


def decode_snapshot(data: bytes) -> Snapshot | str:
    """
    Return the snapshot with bytes `data`, or what is wrong with them.
    """
    start = _HEADER.size + _CRC.size
    if len(data) < start or data[: len(_MAGIC)] != _MAGIC:
        return "it does not begin like a snapshot"
    if _CRC.unpack_from(data, _HEADER.size)[0] != crc32c(data[: _HEADER.size]):
        return "checksum of its header is wrong"
    _, version, _, cycle, record_number, chain_head, length = _HEADER.unpack_from(data)
    if version != FORMAT_VERSION:
        return f"it has format version {version}, this release reads {FORMAT_VERSION}"
    if len(data) != start + length + HASH_BYTES:
        return f"length must be {start + length + HASH_BYTES} bytes, was {len(data)}"
    if sha256(data[:-HASH_BYTES]).digest() != data[-HASH_BYTES:]:
        return "hash of its contents is wrong"
    return Snapshot(cycle, record_number, chain_head, data[start:-HASH_BYTES])


def _snapshot_names(disk: Disk) -> list[str]:
    """
    Return the names of published snapshots, newest first.
    """
    names = [name for name in disk.names() if _NAME.fullmatch(name)]
    return sorted(names, reverse=True)
