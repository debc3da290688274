"""
Frames: layout, checksums, chain.
"""

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.core.errors import JournalError, LimitReached
from tocsin.core.hashing import crc32c
from tocsin.journal.frames import (
    RECORD_BYTES_MAX,
    BadFrame,
    Record,
    chain_start,
    encode_batch,
    encode_record,
    encode_seal,
    frame_bytes,
    read_frame,
    read_header,
    read_records,
)

CHAIN = chain_start(b"header")
rows = st.lists(
    st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1), st.binary(max_size=700)),
    min_size=1,
    max_size=8,
)


def test_layout_of_a_batch_byte_by_byte() -> None:
    """JN-001, JN-002, JN-003: the documented layout, built here by hand."""
    frame, head = encode_batch([encode_record(5, 6, b"abc")], 9, CHAIN, 77)
    record = bytes.fromhex("03000000 05000000 06000000") + b"abc"
    record += crc32c(record).to_bytes(4, "little")
    header = b"TBAT" + len(record).to_bytes(4, "little") + (9).to_bytes(8, "little") + (1).to_bytes(4, "little")
    header += crc32c(header, 77).to_bytes(4, "little")
    assert head == sha256(CHAIN + header + record).digest()
    assert frame == (header + record + head).ljust(512, b"\0")


def test_layout_of_a_seal() -> None:
    """JN-006: a seal holds no record and leaves the chain as it is."""
    seal = encode_seal(4, CHAIN, 77)
    header = b"TSEA" + bytes(4) + (4).to_bytes(8, "little") + bytes(4)
    assert seal == (header + crc32c(header, 77).to_bytes(4, "little") + CHAIN).ljust(512, b"\0")
    read = read_header(seal, 0, 77)
    assert read is not None and read.is_seal and read_frame(seal, 0, read, CHAIN) == CHAIN


@given(rows, st.integers(0, 2**40))
def test_what_is_read_is_what_was_written(batch: list[tuple[int, int, bytes]], first: int) -> None:
    """JN-001, JN-005: any records come back, and the frame is a whole number of sectors."""
    frame, head = encode_batch([encode_record(*row) for row in batch], first, CHAIN, 3)
    header = read_header(frame, 0, 3)
    assert header is not None and (header.first, header.records) == (first, len(batch))
    assert len(frame) == header.frame_bytes == frame_bytes(header.body_bytes)
    assert len(frame) % 512 == 0
    assert read_frame(frame, 0, header, CHAIN) == head
    assert list(read_records(frame, 0, header)) == [Record(first + i, *row) for i, row in enumerate(batch)]


@given(st.data())
def test_no_changed_byte_goes_unseen(data: st.DataObject) -> None:
    """JN-002, JN-003: one changed byte anywhere in a frame, padding included, is seen."""
    frame, _ = encode_batch([encode_record(1, 2, b"x" * 40), encode_record(3, 4, b"")], 0, CHAIN, 3)
    at = data.draw(st.integers(0, len(frame) - 1))
    bad = bytearray(frame)
    bad[at] ^= data.draw(st.integers(1, 255))
    header = read_header(bytes(bad), 0, 3)
    if header is not None:
        with pytest.raises(BadFrame):
            read_frame(bytes(bad), 0, header, CHAIN)


def test_checksum_is_compared_even_if_the_chain_was_made_right() -> None:
    """JN-002: a record with a wrong checksum is named, also in a chain that follows."""
    record = bytearray(encode_record(1, 2, b"abc") + bytes(4))
    header = b"TBAT" + len(record).to_bytes(4, "little") + bytes(8) + (1).to_bytes(4, "little")
    header += crc32c(header, 3).to_bytes(4, "little")
    frame = (header + record + sha256(CHAIN + header + record).digest()).ljust(512, b"\0")
    read = read_header(frame, 0, 3)
    assert read is not None
    with pytest.raises(BadFrame, match="checksum of record 0"):
        read_frame(frame, 0, read, CHAIN)


def test_frames_of_another_segment_are_none() -> None:
    """JN-005: the checksum of a frame header is salted, so bytes in a payload are not taken for a frame."""
    frame, _ = encode_batch([encode_record(1, 2, b"")], 0, CHAIN, 3)
    assert read_header(frame, 0, 4) is None


@pytest.mark.parametrize(("kind", "stream"), [(-1, 0), (2**32, 0), (0, -1), (0, 2**32)])
def test_kind_and_stream_are_bounded(kind: int, stream: int) -> None:
    """JN-001: 32 bits each."""
    with pytest.raises(JournalError, match=f"must be 0 to 4294967295, were {kind} and {stream}"):
        encode_record(kind, stream, b"")


def test_payload_is_bounded() -> None:
    """JN-001: the longest payload is a limit, not a surprise."""
    with pytest.raises(LimitReached, match=f"at most {RECORD_BYTES_MAX} bytes, was {RECORD_BYTES_MAX + 1}"):
        encode_record(0, 0, bytes(RECORD_BYTES_MAX + 1))
