"""
The real disk: that each call of the port reaches the system, and what its errors say.
"""

import errno
import os
import time
from pathlib import Path

import pytest

from tocsin.core.errors import JournalError
from tocsin.journal import disk as disk_module
from tocsin.journal.disk import RealDisk, publish
from tocsin.journal.log import Journal


def test_a_published_file_is_whole_and_synced_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """JN-020, JN-021: data, name, directory, and the directory's own entry, in this order."""
    calls: list[str] = []
    real_fsync, real_replace, real_data = os.fsync, os.replace, disk_module._sync_data

    def name_of(descriptor: int) -> str:
        return Path(f"/proc/self/fd/{descriptor}").resolve().name

    def fsync(descriptor: int) -> None:
        calls.append(f"fsync {name_of(descriptor)}")
        real_fsync(descriptor)

    def sync_data(descriptor: int) -> None:
        calls.append(f"fdatasync {name_of(descriptor)}")
        real_data(descriptor)

    def replace(old: Path, new: Path) -> None:
        calls.append(f"rename {old.name} {new.name}")
        real_replace(old, new)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "replace", replace)
    monkeypatch.setattr(disk_module, "_sync_data", sync_data)
    place = tmp_path / "journal"
    publish(RealDisk(place), "name", b"data", 1000).close()
    assert calls == ["fdatasync name.tmp", "rename name.tmp name", "fsync journal", f"fsync {tmp_path.name}"]
    assert (place / "name").read_bytes() == b"data" + bytes(996)


def test_data_are_synced_with_the_system_call() -> None:
    """JN-021: the best sync the system has."""
    assert disk_module._sync_data is getattr(os, "fdatasync", os.fsync)


def test_a_short_write_is_finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """JN-021: the system may write less than asked."""
    real = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda fd, data, at: real(fd, data[:3], at))
    file = RealDisk(tmp_path).create("name", 0)
    file.write(2, b"0123456789")
    assert file.read(0, 100) == b"\0\x000123456789"
    file.close()


def test_an_error_of_the_system_becomes_one_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """JN-016: no traceback of the system, but what was tried, where and why not."""
    journal = Journal.create(RealDisk(tmp_path / "j"), b"", segment_bytes=4096)
    journal.append(1, 1, b"x")

    def fail(_: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(disk_module, "_sync_data", fail)
    with pytest.raises(JournalError, match=f"cannot commit a batch in {tmp_path}/j: Input/output error"):
        journal.commit()
    journal.close()


def test_places_that_cannot_be_a_journal(tmp_path: Path) -> None:
    """JN-022: a file, a directory without a parent, an empty place."""
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(JournalError, match="journal must be a directory, was a file"):
        Journal.open(RealDisk(tmp_path / "file"), read_only=True)
    with pytest.raises(JournalError, match="a/b: No such file or directory"):
        Journal.create(RealDisk(tmp_path / "a" / "b"), b"")
    with pytest.raises(JournalError, match="no journal in"):
        Journal.open(RealDisk(tmp_path / "nothing"), read_only=True)
    assert not (tmp_path / "nothing").exists()


def test_unpublished_files_are_dropped_by_the_next_writer(tmp_path: Path) -> None:
    """JN-020: what never got its name was never acknowledged; files of others stay."""
    Journal.create(RealDisk(tmp_path), b"", segment_bytes=4096).close()
    for name in ("journal-00000001.seg.tmp", "journal-spare.tmp", "notes.tmp"):
        (tmp_path / name).write_bytes(b"x")
    Journal.open(RealDisk(tmp_path), read_only=True).close()
    assert len(RealDisk(tmp_path).names()) == 4
    Journal.open(RealDisk(tmp_path)).close()
    assert RealDisk(tmp_path).names() == ["journal-00000000.seg", "notes.tmp"]


def test_a_spare_is_used_and_never_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """JN-023: a segment announced in time is there when it is needed, of the right length, all zeros."""
    monkeypatch.setattr(disk_module, "SPARE_BYTES_MIN", 4096)
    disk = RealDisk(tmp_path)
    disk.prepare(8192)
    disk.prepare(8192)
    file = disk.create("name", 8192)
    assert (file.read(0, 9000), disk.names()) == (bytes(8192), ["name"])
    disk.prepare(8192)
    other = disk.create("other", 4096)
    assert (other.length, disk.names()) == (4096, ["name", "other"])
    disk.prepare(8192)
    disk.unlock()
    assert disk.names() == ["name", "other"]
    file.close()
    other.close()


def test_a_spare_that_cannot_be_made_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """JN-023: the file is then made when it is needed."""
    monkeypatch.setattr(disk_module, "SPARE_BYTES_MIN", 4096)
    real, disk = disk_module._create_zeroed, RealDisk(tmp_path)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(disk_module, "_create_zeroed", full)
    disk.prepare(8192)
    assert disk._spare is not None
    disk._spare._thread.join()
    monkeypatch.setattr(disk_module, "_create_zeroed", real)
    file = disk.create("name", 8192)
    assert (file.length, disk.names()) == (8192, ["name"])
    file.close()


def test_a_journal_prepares_its_next_segment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """JN-023: from half of a segment on, once."""
    asked: list[int] = []
    disk = RealDisk(tmp_path)
    monkeypatch.setattr(disk, "prepare", asked.append)
    journal = Journal.create(disk, b"", segment_bytes=8192)
    seen: list[int] = []
    for _ in range(20):
        journal.append(1, 1, b"x")
        journal.commit()
        seen.append(len(asked))
    journal.close()
    # 15 frames fit beside the header, less one kept free for the seal.
    assert seen == [0] * 7 + [1] * 7 + [1] * 6
    assert asked == [8192]


def test_clock_is_not_part_of_the_bytes(tmp_path: Path) -> None:
    """JN-003: two journals of the same records are the same bytes, whenever they were written."""
    for name in ("a", "b"):
        with Journal.create(RealDisk(tmp_path / name), b"h", segment_bytes=4096) as journal:
            journal.append(1, 1, b"x")
            journal.commit()
        time.sleep(0.002)
    one, two = ((tmp_path / name / "journal-00000000.seg").read_bytes() for name in ("a", "b"))
    assert one == two
