"""
The bytes of one batch: a header, records each with its CRC32C, and the chain hash over all of it.

Rules JN-001 to JN-006; the layout is drawn in docs/internals/journal-format.md. Integers are little-endian
and unsigned. Frames start at multiples of 512 bytes, so a write never shares a sector with bytes that
were acknowledged before it.
"""

import struct
from collections.abc import Callable, Iterator
from hashlib import sha256
from struct import Struct
from typing import NamedTuple, cast

import google_crc32c

from tocsin.core.errors import JournalError, LimitReached
from tocsin.core.hashing import HASH_BYTES, crc32c, hash_bytes
from tocsin.core.limits import COMMAND_BYTES_MAX

SECTOR_BYTES = 512
"""What a disk writes whole or not at all, at the least; frames are aligned to it."""

RECORD_BYTES_MAX = 4 * COMMAND_BYTES_MAX
"""Longest payload of one record, in bytes."""

BATCH_BYTES_MAX = 256 * 1024 * 1024
"""Most bytes of records between two commits."""

BATCH = b"TBAT"
SEAL = b"TSEA"

_FRAME = Struct("<4sIQI")
_RECORD = Struct("<III")
_CRC = Struct("<I")
_pack_record = _RECORD.pack
_pack_crc = _CRC.pack
_crc32c = cast(Callable[[bytes], int], google_crc32c.value)  # pyright: ignore[reportUnknownMemberType]

CRC_BYTES = _CRC.size
HEADER_BYTES = _FRAME.size + CRC_BYTES
RECORD_EXTRA_BYTES = _RECORD.size + CRC_BYTES
"""Bytes of a record besides its payload: length, kind, stream, CRC32C."""


class Record(NamedTuple):
    """
    One record: its number in the journal (from 0), its kind and stream (both 0 to 2^32 - 1), its bytes.
    """

    number: int
    kind: int
    stream: int
    payload: bytes


class FrameHeader(NamedTuple):
    """
    What the first bytes of a frame say: whether it is a seal, bytes of records, first number, how many.
    """

    is_seal: bool
    body_bytes: int
    first: int
    records: int

    @property
    def frame_bytes(self) -> int:
        """Bytes of the frame with its padding, a multiple of 512."""
        return frame_bytes(self.body_bytes)


class BadFrame(Exception):
    """Bytes are not the frame that should be there; the text says in what way."""


def align(length: int) -> int:
    """
    Round `length` >= 0 bytes up to a multiple of 512.
    """
    return -(-length // SECTOR_BYTES) * SECTOR_BYTES


def frame_bytes(body_bytes: int) -> int:
    """
    Return the length of a frame with `body_bytes` of records, padding included.
    """
    return align(HEADER_BYTES + body_bytes + HASH_BYTES)


def chain_start(header: bytes) -> bytes:
    """
    Return the chain head of a journal without records; it binds the journal's header (JN-004).
    """
    return hash_bytes(b"tocsin.journal", header)


def frame_salt(chain: bytes) -> int:
    """
    Return the start value of frame-header checksums in a segment that begins at chain head `chain`.

    Bytes inside a payload are thereby not taken for a frame unless their author knew that head.
    """
    return crc32c(chain)


def encode_record(kind: int, stream: int, payload: bytes) -> bytes:
    """
    Return the bytes of one record but its checksum, which `encode_batch` adds.

    Raises:
        JournalError: Kind or stream is not in 0 to 2^32 - 1.
        LimitReached: The payload is longer than `RECORD_BYTES_MAX`.
    """
    if len(payload) > RECORD_BYTES_MAX:
        raise LimitReached(f"record payload must be at most {RECORD_BYTES_MAX} bytes, was {len(payload)}")
    try:
        return _pack_record(len(payload), kind, stream) + payload
    except struct.error:
        raise JournalError(f"record kind and stream must be 0 to {2**32 - 1}, were {kind} and {stream}") from None


def encode_batch(records: list[bytes], first: int, chain: bytes, salt: int) -> tuple[bytes, bytes]:
    """
    Return the frame of `records` numbered from `first`, padded, and the chain head after it.
    """
    pieces = [b""] * (2 * len(records))
    pieces[0::2] = records
    pieces[1::2] = map(_pack_crc, map(_crc32c, records))
    body = b"".join(pieces)
    header = _encode_header(BATCH, len(body), first, len(records), salt)
    state = sha256(chain)
    state.update(header)
    state.update(body)
    head = state.digest()
    padding = bytes(-(len(header) + len(body) + HASH_BYTES) % SECTOR_BYTES)
    return b"".join((header, body, head, padding)), head


def encode_seal(first: int, chain: bytes, salt: int) -> bytes:
    """
    Return the frame that a clean close writes: no records, the chain head unchanged (JN-006).
    """
    frame = _encode_header(SEAL, 0, first, 0, salt) + chain
    return frame + bytes(align(len(frame)) - len(frame))


def read_header(data: bytes, offset: int, salt: int) -> FrameHeader | None:
    """
    Return the frame header at `offset`, or None if there is none with a right checksum.
    """
    raw = data[offset : offset + HEADER_BYTES]
    if len(raw) < HEADER_BYTES or raw[:4] not in (BATCH, SEAL):
        return None
    if _CRC.unpack_from(raw, _FRAME.size)[0] != crc32c(raw[: _FRAME.size], salt):
        return None
    magic, body_bytes, first, count = _FRAME.unpack_from(raw)
    return FrameHeader(magic == SEAL, body_bytes, first, count)


def read_frame(data: bytes, offset: int, header: FrameHeader, chain: bytes) -> bytes:
    """
    Check the whole frame at `offset` and return the chain head after it.

    Raises:
        BadFrame: Cut short, a record's checksum or length is wrong, or the chain does not follow.
    """
    end = offset + HEADER_BYTES + header.body_bytes
    stored = data[end : end + HASH_BYTES]
    if len(stored) < HASH_BYTES:
        raise BadFrame(f"needs {end + HASH_BYTES - offset} bytes, the file has {len(data) - offset}")
    if any(data[end + HASH_BYTES : offset + header.frame_bytes]):
        raise BadFrame("padding must be zeros")
    if header.is_seal:
        if header.body_bytes or header.records or stored != chain:
            raise BadFrame("the seal does not match the batches before it")
        return chain
    for _ in read_records(data, offset, header):
        pass
    state = sha256(chain)
    state.update(memoryview(data)[offset:end])
    if state.digest() != stored:
        raise BadFrame(f"chain hash must be {state.hexdigest()[:16]}, was {stored.hex()[:16]}")
    return stored


def read_records(data: bytes, offset: int, header: FrameHeader) -> Iterator[Record]:
    """
    Yield the records of the frame at `offset`, each after its checksum was compared.

    Raises:
        BadFrame: A record's checksum or length is wrong; names the record.
    """
    at = offset + HEADER_BYTES
    end = at + header.body_bytes
    for number in range(header.first, header.first + header.records):
        if end - at < RECORD_EXTRA_BYTES:
            raise BadFrame(f"record {number} runs past its batch")
        length, kind, stream = _RECORD.unpack_from(data, at)
        crc_at = at + _RECORD.size + length
        if crc_at + _CRC.size > end:
            raise BadFrame(f"record {number} runs past its batch")
        record = data[at:crc_at]
        if _CRC.unpack_from(data, crc_at)[0] != _crc32c(record):
            raise BadFrame(f"checksum of record {number} is wrong")
        yield Record(number, kind, stream, record[_RECORD.size :])
        at = crc_at + _CRC.size
    if at != end:
        raise BadFrame(f"batch must end with its last record, has {end - at} bytes more")


def _encode_header(magic: bytes, body_bytes: int, first: int, count: int, salt: int) -> bytes:
    raw = _FRAME.pack(magic, body_bytes, first, count)
    return raw + _pack_crc(crc32c(raw, salt))
