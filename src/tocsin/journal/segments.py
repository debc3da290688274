"""
Segment files: their names, their header, and how far the batches in one are whole.

Rules JN-007 to JN-012. Recovery decides here between an interrupted last write, which is cut and reported,
and damage, which is refused.
"""

import re
from struct import Struct
from typing import NamedTuple

from tocsin.core.errors import JournalError
from tocsin.core.hashing import HASH_BYTES, crc32c
from tocsin.journal.frames import (
    BATCH,
    SEAL,
    SECTOR_BYTES,
    BadFrame,
    align,
    frame_salt,
    read_frame,
    read_header,
)

FORMAT_VERSION = 1
SEGMENT_BYTES_DEFAULT = 64 * 1024 * 1024
SEGMENT_BYTES_MIN = 2048
HEADER_BYTES_MAX = 1024 * 1024
"""Longest header a journal may carry, in bytes."""

_MAGIC = b"TOCSIN-J"
_HEADER = Struct(f"<8sIIQQQ{HASH_BYTES}s")
_CRC = Struct("<I")
_NAME = re.compile(r"journal-(\d{8})\.seg")


class SegmentHeader(NamedTuple):
    """
    What a segment says of itself.

    `number` counts from 0; `first` is the number of its first record; `chain` the chain head before it;
    `segment_bytes` the length new segments are reserved with; `header` the journal's own header, only in
    segment 0.
    """

    number: int
    first: int
    chain: bytes
    segment_bytes: int
    header: bytes

    @property
    def frames_offset(self) -> int:
        """Byte at which the first frame starts."""
        return align(_HEADER.size + len(self.header) + _CRC.size)

    @property
    def salt(self) -> int:
        return frame_salt(self.chain)


class Scan(NamedTuple):
    """
    How far one segment is whole: first free byte, chain head, next record number, whether the last frame
    is a seal, bytes of an interrupted write after it, and why they are no frame.
    """

    end: int
    chain: bytes
    next: int
    sealed: bool
    torn_bytes: int
    torn_reason: str


def segment_name(number: int) -> str:
    """
    Return the file name of segment `number`.
    """
    return f"journal-{number:08d}.seg"


def find_segments(names: list[str], place: str) -> list[str]:
    """
    Return the names of all segments in order.

    Raises:
        JournalError: One is missing between others; names it.
    """
    found = sorted(name for name in names if _NAME.fullmatch(name))
    for number, name in enumerate(found):
        if name != segment_name(number):
            raise JournalError(
                f"{segment_name(number)} is missing in {place}, which holds {found[-1]}; restore it from a copy"
            )
    return found


def encode_segment_header(header: SegmentHeader) -> bytes:
    """
    Return the bytes of a segment's header, padded to a multiple of 512.
    """
    raw = _HEADER.pack(
        _MAGIC,
        FORMAT_VERSION,
        len(header.header),
        header.number,
        header.first,
        header.segment_bytes,
        header.chain,
    )
    raw += header.header
    raw += _CRC.pack(crc32c(raw))
    return raw + bytes(header.frames_offset - len(raw))


def decode_segment_header(data: bytes, name: str) -> SegmentHeader:
    """
    Return the header of the segment with bytes `data`.

    Raises:
        JournalError: Not a segment, another format version, or damaged; names the file.
    """
    if len(data) < _HEADER.size or data[: len(_MAGIC)] != _MAGIC:
        raise JournalError(f"{name} is damaged at byte 0: no journal begins here; restore it from a copy")
    _, version, header_bytes, number, first, segment_bytes, chain = _HEADER.unpack_from(data)
    if version != FORMAT_VERSION:
        raise JournalError(
            f"{name} has format version {version}; this release reads {FORMAT_VERSION}; use a newer release"
        )
    crc_at = _HEADER.size + header_bytes
    header = SegmentHeader(number, first, chain, segment_bytes, data[_HEADER.size : crc_at])
    stored = data[crc_at : crc_at + _CRC.size]
    padding = data[crc_at + _CRC.size : header.frames_offset]
    if stored != _CRC.pack(crc32c(data[:crc_at])) or len(data) < header.frames_offset or any(padding):
        raise JournalError(f"{name} is damaged at byte 0: its header is wrong; restore it from a copy")
    return header


def check_follows(found: SegmentHeader, number: int, first: int, chain: bytes) -> None:
    """
    Check that a segment continues the one before it (JN-008).

    Raises:
        JournalError: Its number, first record or chain head is not the expected one.
    """
    name = segment_name(number)
    for field, expected, was in (
        ("segment number", number, found.number),
        ("first record", first, found.first),
        ("chain head", chain.hex()[:16], found.chain.hex()[:16]),
    ):
        if expected != was:
            raise JournalError(
                f"{name} does not follow the segment before it: {field} must be {expected}, was {was}; "
                "restore it from a copy"
            )


def scan_segment(data: bytes, header: SegmentHeader, name: str, *, is_last: bool) -> Scan:
    """
    Read every frame of a segment and find where its whole frames end.

    A write that was interrupted can only be the last frame of the last segment, because the next one is
    begun after the last is durable. So a bad frame anywhere else, or before a frame with a right header,
    is damage (JN-010).

    Raises:
        JournalError: The segment is damaged; names file, byte and what is wrong.
    """
    salt = header.salt
    offset, chain, following = header.frames_offset, header.chain, header.first
    sealed, problem = False, "no frame begins here"
    while (frame := read_header(data, offset, salt)) is not None:
        if frame.first != following:
            raise _damage(name, offset, f"first record must be {following}, was {frame.first}", "")
        try:
            chain = read_frame(data, offset, frame, chain)
        except BadFrame as error:
            problem = str(error)
            break
        sealed = frame.is_seal
        following += frame.records
        offset += frame.frame_bytes
    torn_bytes = len(data[offset:].rstrip(b"\0"))
    if torn_bytes and not is_last:
        raise _damage(name, offset, problem, "; another segment follows it, so it was whole once")
    later = _find_frame(data, offset + SECTOR_BYTES, salt)
    if later >= 0:
        raise _damage(name, offset, problem, f"; a later frame begins at byte {later}, so it was whole once")
    end = min(offset, len(data))
    return Scan(end, chain, following, sealed, torn_bytes, problem if torn_bytes else "")


def _find_frame(data: bytes, start: int, salt: int) -> int:
    for magic in (BATCH, SEAL):
        at = data.find(magic, start)
        while at >= 0:
            if at % SECTOR_BYTES == 0 and read_header(data, at, salt) is not None:
                return at
            at = data.find(magic, at + 1)
    return -1


def _damage(name: str, offset: int, problem: str, evidence: str) -> JournalError:
    return JournalError(f"{name} is damaged at byte {offset}: {problem}{evidence}; restore it from a copy")
