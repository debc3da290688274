"""
The journal: appending, rolling over, recovery, damage, refusals.
"""

import errno
from hashlib import sha256
from pathlib import Path

import pytest

from tests.helpers.journals import rewrite
from tocsin.core.errors import JournalError, LimitReached
from tocsin.core.hashing import crc32c
from tocsin.journal import log
from tocsin.journal.disk import Disk, RealDisk
from tocsin.journal.frames import (
    RECORD_EXTRA_BYTES,
    Record,
    chain_start,
    encode_batch,
    encode_record,
    frame_salt,
)
from tocsin.journal.log import Journal
from tocsin.journal.simdisk import SimDisk


def fill(disk: Disk, batches: int, *, close: bool = True, segment_bytes: int = 2048) -> list[Record]:
    journal = Journal.create(disk, b"header", segment_bytes=segment_bytes)
    for batch in range(batches):
        for number in range(batch % 4 + 1):
            journal.append(number, batch, b"%d of %d;" % (number, batch) * 9)
        journal.commit()
    records = list(journal.records())
    if close:
        journal.close()
    return records


def last_file(disk: SimDisk) -> str:
    return disk.names()[-1]


def test_numbers_count_from_zero_and_name_the_record() -> None:
    """JN-013: `append` returns the number under which the record is read again."""
    journal = Journal.create(SimDisk(), b"", segment_bytes=4096)
    numbers = [journal.append(1, 2, b"a"), journal.append(1, 2, b"b")]
    journal.commit()
    numbers.append(journal.append_many([(3, 4, b"c"), (5, 6, b"d")]))
    journal.commit()
    assert numbers == [0, 1, 2]
    assert list(journal.records()) == [
        Record(0, 1, 2, b"a"),
        Record(1, 1, 2, b"b"),
        Record(2, 3, 4, b"c"),
        Record(3, 5, 6, b"d"),
    ]


def test_only_committed_records_are_read() -> None:
    """JN-013: an appended record is not acknowledged."""
    journal = Journal.create(SimDisk(), b"", segment_bytes=4096)
    journal.append(1, 1, b"a")
    assert (list(journal.records()), journal.count) == ([], 0)


def test_commit_without_records_writes_nothing() -> None:
    """JN-013: the chain moves only with records."""
    disk = SimDisk()
    journal = Journal.create(disk, b"", segment_bytes=4096)
    before = disk.operations
    assert journal.commit() == journal.head
    assert disk.operations == before


def test_one_commit_is_one_write_and_one_sync() -> None:
    """JN-013: group commit."""
    disk = SimDisk()
    journal = Journal.create(disk, b"", segment_bytes=1 << 16)
    before = disk.operations
    journal.append_many([(1, 1, b"x" * 100)] * 100)
    journal.commit()
    assert disk.operations == before + 2


def test_same_records_give_the_same_bytes_and_chain() -> None:
    """JN-003, JN-004: no clock, no chance; another header or batch split gives another chain."""
    one, two, other = SimDisk(1), SimDisk(2), SimDisk(3)
    fill(one, 9)
    fill(two, 9)
    assert [one.contents(name) for name in one.names()] == [two.contents(name) for name in two.names()]
    assert Journal.create(other, b"other").head != Journal.create(SimDisk(), b"header").head


def test_chain_can_be_recomputed_with_any_tool() -> None:
    """JN-003, JN-004: SHA-256 over the head before and the batch's bytes, from a start that binds the header."""
    disk = SimDisk()
    journal = Journal.create(disk, b"header", segment_bytes=8192)
    journal.append(1, 2, b"payload")
    journal.commit()
    start = sha256(b"\x0etocsin.journal" + (6).to_bytes(8, "little") + b"header").digest()
    batch = disk.contents(last_file(disk))[512 : 512 + 24 + 7 + RECORD_EXTRA_BYTES]
    assert journal.head == sha256(start + batch).digest()


def test_many_segments_are_read_from_any_number() -> None:
    """JN-007, JN-008: rollover keeps order and numbers."""
    disk = SimDisk()
    records = fill(disk, 40)
    assert len(disk.names()) > 10
    journal = Journal.open(disk, read_only=True)
    assert journal.header == b"header"
    for start in range(len(records) + 2):
        assert list(journal.records(start)) == records[start:]


def test_batches_are_read_as_they_were_committed() -> None:
    """JN-014, JN-015: whole ones, from the one that holds a record."""
    disk = SimDisk()
    records = fill(disk, 20)
    journal = Journal.open(disk, read_only=True)
    assert [len(batch) for batch in journal.batches()] == [batch % 4 + 1 for batch in range(20)]
    assert [record for batch in journal.batches() for record in batch] == records
    assert next(journal.batches(4)) == records[3:6]


def test_chain_heads_of_the_past() -> None:
    """JN-003: the head after each batch, over segments and seals; none where no batch ends."""
    disk = SimDisk()
    journal = Journal.create(disk, b"header", segment_bytes=2048)
    heads = {0: journal.head}
    for batch in range(12):
        journal.append_many([(1, 1, b"x" * 50)] * (batch % 3 + 1))
        head = journal.commit()
        heads[journal.count] = head
        if batch % 5 == 4:
            journal.close()
            journal = Journal.open(disk)
    found = {count: journal.head_at(count) for count in range(40)}
    assert {count: head for count, head in found.items() if head is not None} == heads


def test_a_file_that_changes_under_an_open_journal_is_told() -> None:
    """JN-012: checksums are compared again when records are read."""
    disk = SimDisk()
    fill(disk, 3)
    journal = Journal.open(disk, read_only=True)
    for at, problem in ((1024 + 50, "checksum of record 1 is wrong"), (1024 + 5, "no frame begins here")):
        disk.flip("journal-00000000.seg", at)
        with pytest.raises(JournalError, match=f"damaged at byte 1024: {problem}; it was whole when"):
            list(journal.records())
        disk.flip("journal-00000000.seg", at)
    disk.flip("journal-00000000.seg", 1024 + 50)
    with pytest.raises(JournalError, match="damaged at byte 1024: checksum of record 1 is wrong"):
        journal.head_at(3)
    disk.remove("journal-00000000.seg")
    with pytest.raises(JournalError, match=r"cannot read journal-00000000.seg in the simulated disk: No such file"):
        next(journal.records())


def test_a_batch_longer_than_a_segment_gets_one_of_its_own() -> None:
    """JN-009: a batch is never split."""
    disk = SimDisk()
    journal = Journal.create(disk, b"", segment_bytes=2048)
    journal.append(1, 1, b"x" * 5000)
    journal.commit()
    journal.append(1, 1, b"y")
    journal.commit()
    journal.close()
    assert [record.payload for record in Journal.open(disk).records()] == [b"x" * 5000, b"y"]


def test_a_close_seals_and_gives_back_what_was_reserved() -> None:
    """JN-006: a closed journal ends with its seal, and closing again adds none."""
    disk = SimDisk()
    records = fill(disk, 2, segment_bytes=1 << 16)
    lengths = [len(disk.contents(last_file(disk)))]
    for _ in range(2):
        journal = Journal.open(disk)
        assert journal.recovered == (len(records), 0, "", lengths[0], "", True)
        journal.close()
        lengths.append(len(disk.contents(last_file(disk))))
    assert lengths == [4 * 512] * 3


def test_an_interrupted_batch_is_cut_and_reported() -> None:
    """JN-010, JN-011: the last batch, half there, is cut; the opening says how much and where."""
    disk = SimDisk()
    records = fill(disk, 2, close=False)
    disk.kill()
    disk.flip(last_file(disk), 1024 + 30)
    read_only = Journal.open(disk, read_only=True)
    journal = Journal.open(disk)
    for opened in (read_only, journal):
        assert list(opened.records()) == records[:1]
        assert opened.recovered.records == 1
        assert opened.recovered.cut_bytes > 100
        assert (opened.recovered.cut_file, opened.recovered.cut_offset) == ("journal-00000000.seg", 1024)
        assert opened.recovered.reason == "checksum of record 1 is wrong"
        assert not opened.recovered.closed
    disk.kill()
    assert Journal.open(disk).recovered.cut_bytes == 0


@pytest.mark.parametrize("sector", [0, 1])
def test_damage_before_the_last_batch_is_refused(sector: int) -> None:
    """JN-010, JN-012: a bad batch with a whole one after it was acknowledged, so it is damage."""
    disk = SimDisk()
    journal = Journal.create(disk, b"", segment_bytes=1 << 16)
    for _ in range(3):
        journal.append(1, 1, b"x" * 600)
        journal.commit()
    disk.kill()
    disk.flip(last_file(disk), 512 + 1024 + 512 * sector + 1)
    before = disk.contents(last_file(disk))
    for read_only in (True, False):
        with pytest.raises(JournalError, match=r"journal-00000000.seg is damaged at byte 1536: .*a later frame"):
            Journal.open(disk, read_only=read_only)
    assert disk.contents(last_file(disk)) == before


def test_every_changed_byte_of_a_closed_journal_is_told() -> None:
    """JN-012: no byte of a closed journal can change in silence, and none of its records be lost so."""
    pristine = SimDisk()
    records = fill(pristine, 7)
    silent: list[tuple[str, int]] = []
    for name in pristine.names():
        for at in range(len(pristine.contents(name))):
            pristine.flip(name, at, 0x41)
            try:
                journal = Journal.open(pristine, read_only=True)
                if journal.recovered.closed or list(journal.records()) != records:
                    silent.append((name, at))
            except JournalError as error:
                if "damaged" not in str(error) and "version" not in str(error) and "follow" not in str(error):
                    silent.append((name, at))
            pristine.flip(name, at, 0x41)
    assert silent == []


def forge(disk: SimDisk, first: int, record: bytes, count_bytes: int = 0) -> None:
    """
    Write a second frame after the first of `disk`, chain and checksums right, with `first` and odd bytes.
    """
    head = Journal.open(disk, read_only=True).head
    salt = frame_salt(chain_start(b"header"))
    frame, _ = encode_batch([record], first, head, salt)
    if count_bytes:
        body = frame[24 : 24 + len(record) + 4] + bytes(count_bytes)
        raw = b"TBAT" + len(body).to_bytes(4, "little") + first.to_bytes(8, "little") + (1).to_bytes(4, "little")
        raw += crc32c(raw, salt).to_bytes(4, "little") + body
        frame = (raw + sha256(head + raw).digest()).ljust(512, b"\0")
    disk.open(last_file(disk), writable=True).write(1024, frame)


def test_a_frame_with_a_wrong_number_is_refused() -> None:
    """JN-005, JN-012: a frame out of place is damage even when its checksums and chain are right."""
    disk = SimDisk()
    fill(disk, 1, close=False)
    disk.kill()
    forge(disk, 2, encode_record(1, 1, b"x"))
    with pytest.raises(JournalError, match="damaged at byte 1024: first record must be 1, was 2"):
        Journal.open(disk)


def test_bytes_after_the_last_record_of_a_batch_are_no_batch() -> None:
    """JN-002: every byte of a batch belongs to a record."""
    disk = SimDisk()
    fill(disk, 1, close=False)
    disk.kill()
    forge(disk, 1, encode_record(1, 1, b"x"), count_bytes=4)
    assert (
        Journal.open(disk, read_only=True).recovered.reason == "batch must end with its last record, has 4 bytes more"
    )


def frame_like(salt: int) -> bytes:
    return encode_batch([encode_record(1, 1, b"x")], 5, bytes(32), salt)[0]


@pytest.mark.parametrize(
    "payload",
    [
        bytes(512 - 24 - 12) + frame_like(0),
        bytes(512 - 24 - 12) + frame_like(frame_salt(chain_start(b"of another journal"))),
        bytes(512 - 24 - 12 + 1) + frame_like(frame_salt(chain_start(b"header"))),
    ],
    ids=["no salt", "another journal", "not aligned"],
)
def test_a_payload_that_looks_like_a_frame_does_not_stop_recovery(payload: bytes) -> None:
    """JN-005, JN-010: an interrupted batch is cut, whatever its payload contains."""
    disk = SimDisk()
    journal = Journal.create(disk, b"header", segment_bytes=8192)
    journal.append(1, 1, payload)
    journal.commit()
    disk.kill()
    disk.flip(last_file(disk), 512)
    assert Journal.open(disk).recovered[:2] == (0, 24 + 12 + len(payload) + 4 + 32)


def test_bytes_after_the_seal_are_reported() -> None:
    """JN-006, JN-011: then the journal was not left as the close left it."""
    disk = SimDisk()
    records = fill(disk, 2)
    file = disk.open(last_file(disk), writable=True)
    file.write(file.length, b"junk")
    journal = Journal.open(disk, read_only=True)
    assert list(journal.records()) == records
    assert (journal.recovered.closed, journal.recovered.cut_bytes) == (False, 4)


def test_an_opening_reserves_the_segment_again() -> None:
    """JN-018: so that commits change data and no metadata."""
    disk = SimDisk()
    fill(disk, 1, segment_bytes=8192)
    assert len(disk.contents(last_file(disk))) == 512 * 3
    Journal.open(disk)
    assert len(disk.contents(last_file(disk))) == 8192


def test_a_missing_segment_is_named() -> None:
    """JN-008, JN-012: a hole in the sequence of files."""
    disk = SimDisk()
    fill(disk, 20)
    disk.remove("journal-00000002.seg")
    with pytest.raises(JournalError, match=r"journal-00000002.seg is missing in the simulated disk"):
        Journal.open(disk)


def test_segments_of_another_journal_do_not_follow() -> None:
    """JN-008: a whole file from elsewhere has another chain head."""
    one, two = SimDisk(), SimDisk()
    fill(one, 20)
    journal = Journal.create(two, b"other", segment_bytes=2048)
    for record in Journal.open(one, read_only=True).records():
        journal.append(*record[1:])
        journal.commit()
    name = "journal-00000001.seg"
    one.create(name, 0).write(0, two.contents(name))
    with pytest.raises(JournalError, match=r"journal-00000001.seg does not follow .*: first record must be"):
        Journal.open(one)


def test_a_newer_format_is_named() -> None:
    """JN-007: another format version is no damage."""
    disk = SimDisk()
    fill(disk, 1)
    disk.flip(last_file(disk), 8, 3)
    with pytest.raises(JournalError, match="has format version 2; this release reads 1; use a newer release"):
        Journal.open(disk)


@pytest.mark.parametrize("code", [errno.EIO, errno.ENOSPC])
@pytest.mark.parametrize("step", [0, 1])
def test_an_error_poisons_and_keeps_what_was_acknowledged(code: int, step: int) -> None:
    """JN-016, JN-017: after an error nothing is taken, nothing is lost, and a new opening goes on."""
    disk = SimDisk(code)
    records = fill(disk, 2, close=False)
    disk.kill()
    journal = Journal.open(disk)
    journal.append(1, 1, b"not acknowledged")
    disk.fail_at = {disk.operations + step: code}
    with pytest.raises(JournalError, match="cannot commit a batch in the simulated disk: "):
        journal.commit()
    for call in (journal.commit, lambda: journal.append(1, 1, b""), lambda: journal.append_many([])):
        with pytest.raises(JournalError, match="takes no more records since a commit failed"):
            call()
    assert list(journal.records()) == records
    journal.close()
    journal = Journal.open(disk)
    assert list(journal.records())[:3] == records
    journal.append(1, 1, b"again")
    journal.commit()


def test_an_interrupt_poisons_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """JN-016: whatever interrupts a commit, the journal does not guess what was written."""
    journal = Journal.create(SimDisk(), b"", segment_bytes=4096)
    journal.append(1, 1, b"")

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(log, "encode_batch", interrupt)
    with pytest.raises(KeyboardInterrupt):
        journal.commit()
    with pytest.raises(JournalError, match="since a commit failed"):
        journal.append(1, 1, b"")


def test_a_full_disk_stops_cleanly_and_goes_on_after_space() -> None:
    """JN-016, JN-017: ENOSPC when a new segment is due."""
    disk = SimDisk(capacity=2 * 2048 + 500)
    journal = Journal.create(disk, b"", segment_bytes=2048)
    for _ in range(4):
        journal.append(1, 1, b"x" * 50)
        journal.commit()
    journal.append(1, 1, b"x" * 50)
    with pytest.raises(JournalError, match="No space left on device"):
        journal.commit()
    journal.close()
    disk.capacity = 1 << 30
    journal = Journal.open(disk)
    assert journal.count == 4
    journal.append(1, 1, b"x")
    journal.commit()


@pytest.mark.parametrize("make", ["real", "simulated"])
def test_there_is_one_writer(make: str, tmp_path: Path) -> None:
    """JN-024: a second opening for writing is refused; reading is free."""
    disk = SimDisk() if make == "simulated" else RealDisk(tmp_path / "journal")
    other = disk if make == "simulated" else RealDisk(tmp_path / "journal")
    journal = Journal.create(disk, b"", segment_bytes=4096)
    for call in (Journal.open, lambda d: Journal.create(d, b"")):
        with pytest.raises(JournalError, match="is open for writing already; stop that process"):
            call(other)
    Journal.open(other, read_only=True).close()
    journal.close()
    Journal.open(other).close()


def test_a_failed_opening_lets_the_lock_go() -> None:
    """JN-024: an error while opening leaves no lock behind."""
    disk = SimDisk()
    with pytest.raises(JournalError, match=r"no journal in the simulated disk: no file named journal-00000000.seg"):
        Journal.open(disk)
    with Journal.create(disk, b"", segment_bytes=4096), pytest.raises(JournalError, match="open for writing already"):
        Journal.create(disk, b"", segment_bytes=4096)
    with pytest.raises(JournalError, match="holds a journal already"):
        Journal.create(disk, b"", segment_bytes=4096)
    Journal.open(disk).close()


def test_read_only_never_writes() -> None:
    """JN-018: not even the end of an interrupted write."""
    disk = SimDisk()
    fill(disk, 3, close=False)
    disk.kill()
    disk.flip(last_file(disk), 1024)
    before = (disk.operations, [disk.contents(name) for name in disk.names()])
    journal = Journal.open(disk, read_only=True)
    for call in (journal.commit, lambda: journal.append(1, 1, b"")):
        with pytest.raises(JournalError, match="open read-only"):
            call()
    journal.close()
    assert (disk.operations, [disk.contents(name) for name in disk.names()]) == before


def test_a_closed_journal_takes_nothing() -> None:
    """JN-006: closing twice is allowed, appending is not."""
    journal = Journal.create(SimDisk(), b"", segment_bytes=4096)
    journal.close()
    journal.close()
    with pytest.raises(JournalError, match="the journal is closed"):
        journal.append(1, 1, b"")


@pytest.mark.parametrize(
    ("header", "segment_bytes", "text"),
    [
        (bytes(1024 * 1024 + 1), 4096, "journal header must be at most 1048576 bytes, was 1048577"),
        (b"", 2047, "segment_bytes must be 2048 to 268435456, was 2047"),
        (b"", 2**28 + 1, "segment_bytes must be 2048 to 268435456, was 268435457"),
    ],
)
def test_bounds_of_create(header: bytes, segment_bytes: int, text: str) -> None:
    """JN-007: limits name value and bound, and nothing is made."""
    disk = SimDisk()
    with pytest.raises(LimitReached, match=text):
        Journal.create(disk, header, segment_bytes=segment_bytes)
    assert disk.names() == []


def test_a_batch_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """JN-009: records that would make the batch too long are refused, the others stay."""
    monkeypatch.setattr(log, "BATCH_BYTES_MAX", 4096)
    journal = Journal.create(SimDisk(), b"", segment_bytes=4096)
    journal.append(1, 1, bytes(4096 - RECORD_EXTRA_BYTES - 100))
    for call in (lambda: journal.append(1, 1, bytes(101)), lambda: journal.append_many([(1, 1, bytes(101))])):
        with pytest.raises(LimitReached, match="a batch must be at most 4096 bytes; commit more often"):
            call()
    journal.commit()
    assert journal.count == 1


def test_a_long_header_takes_several_sectors() -> None:
    """JN-007: up to 1 MiB."""
    disk = SimDisk()
    header = bytes(range(256)) * 20
    with Journal.create(disk, header, segment_bytes=2048) as journal:
        journal.append(1, 1, b"x")
        journal.commit()
    opened = Journal.open(disk)
    assert (opened.header, opened.count, opened.recovered.closed) == (header, 1, True)


def test_the_rewriting_helper_makes_a_whole_journal() -> None:
    """The tool of the tamper tests: batches kept, one record changed, everything else as it was."""
    disk, out = SimDisk(), SimDisk()
    records = fill(disk, 12)
    changed = rewrite(disk, out, lambda r: r._replace(payload=b"other") if r.number == 7 else r)
    assert changed == 1
    journal = Journal.open(out, read_only=True)
    assert journal.recovered.closed
    assert [r.payload for r in journal.records()] == [b"other" if r.number == 7 else r.payload for r in records]
    assert [len(b) for b in journal.batches()] == [len(b) for b in Journal.open(disk, read_only=True).batches()]
    assert journal.head != Journal.open(disk, read_only=True).head
