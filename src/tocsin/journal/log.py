"""
The journal: an append-only log of records on a disk, committed in batches, chained by SHA-256.

Rules JN-013 to JN-019 and JN-024. A record is acknowledged when `commit` has returned, and only then.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import NamedTuple, Self

from tocsin.core.errors import JournalError, LimitReached
from tocsin.journal.disk import TEMPORARY, Disk, DiskFile, publish
from tocsin.journal.frames import (
    BATCH_BYTES_MAX,
    CRC_BYTES,
    SECTOR_BYTES,
    Record,
    align,
    chain_start,
    encode_batch,
    encode_record,
    encode_seal,
    frame_bytes,
)
from tocsin.journal.reading import Frame, read_batch, read_frames, read_heads
from tocsin.journal.segments import (
    HEADER_BYTES_MAX,
    SEGMENT_BYTES_DEFAULT,
    SEGMENT_BYTES_MIN,
    Scan,
    SegmentHeader,
    check_follows,
    decode_segment_header,
    encode_segment_header,
    find_segments,
    scan_segment,
    segment_name,
)

_POISONED = "the journal takes no more records since a commit failed; open it again to see what the disk holds"


class Recovered(NamedTuple):
    """
    What an opening found: records kept, bytes of an interrupted write cut (or, read-only, to be cut) and
    where, why it was no whole batch, and whether the journal had been closed in order.
    """

    records: int
    cut_bytes: int
    cut_file: str
    cut_offset: int
    reason: str
    closed: bool


class Journal:
    """
    One journal, open for appending or read-only. Made by `create` and `open`.

    After any error while writing the journal is *poisoned*: `append` and `commit` raise, what was
    acknowledged stays readable, and only a new opening finds out what the disk holds.
    """

    def __init__(self, disk: Disk, header: bytes, segment_bytes: int, *, read_only: bool) -> None:
        """
        Start an empty journal object; use `Journal.create` or `Journal.open`.
        """
        self._disk = disk
        self._header = header
        self._segment_bytes = segment_bytes
        self._read_only = read_only
        self._refusal = "the journal is open read-only; open it for writing" if read_only else ""
        self._head = chain_start(header)
        self._count = 0
        self._firsts = array("Q")
        self._file: DiskFile | None = None
        self._salt = 0
        self._end = 0
        self._capacity = 0
        self._sealed = False
        self._prepared = False
        self._locked = False
        self._buffer: list[bytes] = []
        self._buffered_bytes = 0
        self._recovered = Recovered(0, 0, "", 0, "", True)

    @classmethod
    def create(cls, disk: Disk, header: bytes, *, segment_bytes: int = SEGMENT_BYTES_DEFAULT) -> Self:
        """
        Make a journal in an empty place; it is durable when this returns.

        Args:
            header: Bytes the journal carries for its reader, bound by the chain; at most 1 MiB.
            segment_bytes: Length reserved per segment file, rounded up to a multiple of 512.

        Raises:
            JournalError: There is a journal already, it is locked, or the disk refuses.
            LimitReached: Header or segment size is out of bounds.
        """
        if len(header) > HEADER_BYTES_MAX:
            raise LimitReached(f"journal header must be at most {HEADER_BYTES_MAX} bytes, was {len(header)}")
        if not SEGMENT_BYTES_MIN <= segment_bytes <= BATCH_BYTES_MAX:
            raise LimitReached(f"segment_bytes must be {SEGMENT_BYTES_MIN} to {BATCH_BYTES_MAX}, was {segment_bytes}")
        journal = cls(disk, header, align(segment_bytes), read_only=False)
        with journal._opening():
            if find_segments(disk.names(), disk.place):
                raise JournalError(f"{disk.place} holds a journal already; open it, or choose another place")
            journal._start_segment(0)
        return journal

    @classmethod
    def open(cls, disk: Disk, *, read_only: bool = False) -> Self:
        """
        Open a journal and check every byte of it; an interrupted last write is cut and told in `recovered`.

        What a writable opening shows is durable, also if the process before was killed between a write
        and its sync. A read-only opening never writes, and may show a batch that is not durable yet.

        Raises:
            JournalError: No journal, locked, damaged (names file, byte and what), or the disk refuses.
        """
        journal = cls(disk, b"", 0, read_only=read_only)
        with journal._opening():
            names = find_segments(disk.names(), disk.place)
            if not names:
                raise JournalError(f"no journal in {disk.place}: no file named {segment_name(0)}")
            for name in names:
                journal._load_segment(name, is_last=name == names[-1])
        return journal

    @property
    def header(self) -> bytes:
        return self._header

    @property
    def head(self) -> bytes:
        """Chain head after the last acknowledged batch."""
        return self._head

    @property
    def count(self) -> int:
        """Number of acknowledged records; the next record gets this number plus those appended."""
        return self._count

    @property
    def recovered(self) -> Recovered:
        return self._recovered

    def append(self, kind: int, stream: int, payload: bytes) -> int:
        """
        Add a record to the next batch and return its number; it is not acknowledged before `commit`.

        Raises:
            JournalError: Read-only, closed or poisoned; kind or stream is out of range.
            LimitReached: The payload, or the batch, would be too long; nothing was added.
        """
        if self._refusal:
            raise JournalError(self._refusal)
        record = encode_record(kind, stream, payload)
        buffered = self._buffered_bytes + len(record) + CRC_BYTES
        if buffered > BATCH_BYTES_MAX:
            raise LimitReached(f"a batch must be at most {BATCH_BYTES_MAX} bytes; commit more often")
        self._buffered_bytes = buffered
        self._buffer.append(record)
        return self._count + len(self._buffer) - 1

    def append_many(self, rows: Sequence[tuple[int, int, bytes]]) -> int:
        """
        Add rows (kind, stream, payload) as `append` does, all or none, and return the number of the first.

        Raises: As `append`.
        """
        if self._refusal:
            raise JournalError(self._refusal)
        records = [encode_record(kind, stream, payload) for kind, stream, payload in rows]
        buffered = self._buffered_bytes + sum(map(len, records)) + CRC_BYTES * len(records)
        if buffered > BATCH_BYTES_MAX:
            raise LimitReached(f"a batch must be at most {BATCH_BYTES_MAX} bytes; commit more often")
        self._buffered_bytes = buffered
        self._buffer += records
        return self._count + len(self._buffer) - len(records)

    def commit(self) -> bytes:
        """
        Make all appended records durable as one batch, whole or not at all, and return the chain head.

        One write and one sync; a segment more if the batch does not fit. Without records it does nothing.

        Raises:
            JournalError: The disk refused; the journal is poisoned and none of the batch is acknowledged.
        """
        if self._refusal:
            raise JournalError(self._refusal)
        if not self._buffer:
            return self._head
        length = frame_bytes(self._buffered_bytes)
        # Refuse from here on unless all of it succeeds, whatever may come up (JN-016).
        self._refusal = _POISONED
        try:
            # Room for one seal stays free, so that a close never needs a new segment.
            if self._end + length + SECTOR_BYTES > self._capacity:
                self._start_segment(length)
            frame, head = encode_batch(self._buffer, self._count, self._head, self._salt)
            file = self._open_file()
            file.write(self._end, frame)
            file.sync_data()
        except OSError as error:
            raise _refused(f"commit a batch in {self._disk.place}", error) from error
        self._refusal = ""
        self._head = head
        self._end += length
        self._count += len(self._buffer)
        self._sealed = False
        self._buffer.clear()
        self._buffered_bytes = 0
        if not self._prepared and 2 * self._end > self._capacity:
            self._prepared = True
            self._disk.prepare(self._segment_bytes)
        return head

    def records(self, start: int = 0) -> Iterator[Record]:
        """
        Yield acknowledged records in order from number `start` >= 0; checksums are compared again.

        Raises:
            JournalError: A file changed since the opening; names file and byte.
        """
        for batch in self.batches(start):
            yield from batch if batch[0].number >= start else batch[start - batch[0].number :]

    def batches(self, start: int = 0) -> Iterator[list[Record]]:
        """
        Yield acknowledged batches in order, whole ones, from the one that holds record number `start` >= 0.

        Raises:
            JournalError: A file changed since the opening; names file and byte.
        """
        for number in range(max(bisect_right(self._firsts, start) - 1, 0), len(self._firsts)):
            for frame in self._frames(number):
                if frame.header.first + frame.header.records > start and not frame.header.is_seal:
                    yield read_batch(frame)

    def head_at(self, count: int) -> bytes | None:
        """
        Return the chain head after the first `count` records, or None if no batch ends there.

        Complexity: reads the one segment in which that batch lies.

        Raises:
            JournalError: A file changed since the opening; names file and byte.
        """
        if count == 0:
            return chain_start(self._header)
        if count > self._count:
            return None
        number = max(bisect_left(self._firsts, count) - 1, 0)
        return next((head for end, head in read_heads(self._frames(number)) if end == count), None)

    def close(self) -> None:
        """
        Seal the journal and give back what was reserved and not used; drop records not committed.

        Closing twice, a poisoned or a read-only journal only lets go of the files.
        """
        try:
            if not self._refusal:
                self._refusal = "the journal is closed; open it again"
                file = self._open_file()
                if not self._sealed:
                    file.write(self._end, encode_seal(self._count, self._head, self._salt))
                    file.sync_data()
                    self._end += SECTOR_BYTES
                file.truncate(self._end)
        except OSError as error:
            raise _refused(f"close the journal in {self._disk.place}", error) from error
        finally:
            self._release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _release(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
        if self._locked:
            self._locked = False
            self._disk.unlock()

    def _open_file(self) -> DiskFile:
        assert self._file is not None
        return self._file

    @contextmanager
    def _opening(self) -> Generator[None]:
        """
        Take the lock, drop files that were never published, and let go of everything on any error.
        """
        disk, done = self._disk, False
        try:
            if not self._read_only:
                disk.lock()
                self._locked = True
                for name in disk.names():
                    if name.startswith("journal-") and name.endswith(TEMPORARY):
                        disk.remove(name)
            yield
            done = True
        except BlockingIOError:
            raise JournalError(
                f"the journal in {disk.place} is open for writing already; stop that process, or open it read-only"
            ) from None
        except OSError as error:
            raise _refused(f"open the journal in {disk.place}", error) from error
        finally:
            if not done:
                self._release()

    def _start_segment(self, frame_length: int) -> None:
        """
        Make the next segment durable, long enough for a frame of `frame_length`, and write there from now.
        """
        number = len(self._firsts)
        header = SegmentHeader(
            number, self._count, self._head, self._segment_bytes, self._header if number == 0 else b""
        )
        capacity = max(self._segment_bytes, header.frames_offset + frame_length + SECTOR_BYTES)
        file = publish(self._disk, segment_name(number), encode_segment_header(header), capacity)
        if self._file is not None:
            self._file.close()
        self._use(file, header, header.frames_offset, capacity)

    def _use(self, file: DiskFile, header: SegmentHeader, end: int, capacity: int) -> None:
        self._firsts.append(header.first)
        self._prepared = False
        self._file, self._salt, self._end, self._capacity = file, header.salt, end, capacity

    def _load_segment(self, name: str, *, is_last: bool) -> None:
        """
        Check one segment during an opening; repair the end of the last one if open for writing.
        """
        number = len(self._firsts)
        file = self._disk.open(name, writable=is_last and not self._read_only)
        try:
            file.forget_cache()
            data = file.read(0, file.length)
            header = decode_segment_header(data, name)
            if number == 0:
                self._header, self._head = header.header, chain_start(header.header)
                self._segment_bytes = header.segment_bytes
            check_follows(header, number, self._count, self._head)
            scan = scan_segment(data, header, name, is_last=is_last)
            self._head, self._count = scan.chain, scan.next
            if is_last and not self._read_only:
                self._repair(file, data, scan)
        except BaseException:
            file.close()
            raise
        if not is_last:
            file.close()
            self._firsts.append(header.first)
            return
        self._use(file, header, scan.end, max(len(data), self._segment_bytes))
        self._sealed = scan.sealed
        closed = scan.sealed and not scan.torn_bytes
        cut_file = name if scan.torn_bytes else ""
        self._recovered = Recovered(self._count, scan.torn_bytes, cut_file, scan.end, scan.torn_reason, closed)

    def _repair(self, file: DiskFile, data: bytes, scan: Scan) -> None:
        """
        Clear an interrupted write, reserve the segment again, and make all that is shown durable (JN-018).
        """
        if scan.torn_bytes:
            file.write(scan.end, bytes(scan.torn_bytes))
        if len(data) < self._segment_bytes:
            file.write(len(data), bytes(self._segment_bytes - len(data)))
        file.sync_data()
        self._disk.sync_directory()

    def _frames(self, number: int) -> Iterator[Frame]:
        """
        Yield the frames of segment `number` that hold acknowledged records.
        """
        limit = self._firsts[number + 1] if number + 1 < len(self._firsts) else self._count
        return read_frames(self._disk, number, self._firsts[number], limit)


def _refused(doing: str, error: OSError) -> JournalError:
    return JournalError(f"cannot {doing}: {error.strerror or error}")
