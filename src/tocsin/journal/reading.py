"""
Read acknowledged batches of one segment again, after an opening has found them whole.

Rules JN-012 and JN-015. Checksums are compared again, because files may change under an open journal.
"""

from collections.abc import Iterator
from typing import NamedTuple

from tocsin.core.errors import JournalError
from tocsin.journal.disk import Disk
from tocsin.journal.frames import BadFrame, FrameHeader, Record, read_frame, read_header, read_records
from tocsin.journal.segments import decode_segment_header, segment_name


class Frame(NamedTuple):
    """
    Where a frame lies: the segment's name, chain head at its start and bytes; the frame's offset and header.
    """

    name: str
    start_chain: bytes
    data: bytes
    offset: int
    header: FrameHeader


def read_frames(disk: Disk, number: int, first: int, limit: int) -> Iterator[Frame]:
    """
    Yield the frames of segment `number` that hold records `first` (its first one) to `limit` - 1, and seals
    between them.

    Raises:
        JournalError: The disk refuses, or a file changed since the opening; names file and byte.
    """
    if first >= limit:
        return
    name = segment_name(number)
    try:
        file = disk.open(name, writable=False)
        try:
            data = file.read(0, file.length)
        finally:
            file.close()
    except OSError as error:
        raise JournalError(f"cannot read {name} in {disk.place}: {error.strerror or error}") from error
    segment = decode_segment_header(data, name)
    offset, following, salt = segment.frames_offset, first, segment.salt
    while following < limit:
        header = read_header(data, offset, salt)
        if header is None or header.first != following:
            raise _changed(name, offset, "no frame begins here")
        yield Frame(name, segment.chain, data, offset, header)
        following += header.records
        offset += header.frame_bytes


def read_batch(frame: Frame) -> list[Record]:
    """
    Return the records of a frame; none if it is a seal.

    Raises:
        JournalError: The file changed since the opening; names file and byte.
    """
    try:
        return list(read_records(frame.data, frame.offset, frame.header))
    except BadFrame as error:
        raise _changed(frame.name, frame.offset, str(error)) from None


def read_heads(frames: Iterator[Frame]) -> Iterator[tuple[int, bytes]]:
    """
    Yield, for each frame of a segment from its first, the number of records up to its end and the chain head there.

    Raises:
        JournalError: The file changed since the opening; names file and byte.
    """
    chain = b""
    for frame in frames:
        try:
            chain = read_frame(frame.data, frame.offset, frame.header, chain or frame.start_chain)
        except BadFrame as error:
            raise _changed(frame.name, frame.offset, str(error)) from None
        yield frame.header.first + frame.header.records, chain


def _changed(name: str, offset: int, problem: str) -> JournalError:
    return JournalError(f"{name} is damaged at byte {offset}: {problem}; it was whole when the journal was opened")
