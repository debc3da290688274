"""
Snapshot files: whole or passed over, newest two kept.
"""

import errno
from hashlib import sha256

import pytest

from tocsin.core.errors import JournalError
from tocsin.core.hashing import crc32c
from tocsin.journal.simdisk import SimDisk, SimulatedCrash
from tocsin.journal.snapshot import Snapshot, encode_snapshot, latest_snapshot, snapshot_name, write_snapshot

HEAD = bytes(range(32))


def test_layout_byte_by_byte() -> None:
    """JN-028: the documented layout, built here by hand."""
    header = b"TOCSIN-S" + (1).to_bytes(4, "little") + bytes(4)
    header += (7).to_bytes(8, "little") + (99).to_bytes(8, "little") + HEAD + (5).to_bytes(8, "little")
    data = header + crc32c(header).to_bytes(4, "little") + b"state"
    assert encode_snapshot(Snapshot(7, 99, HEAD, b"state")) == data + sha256(data).digest()


def test_the_newest_comes_back() -> None:
    """JN-028: with cycle, record number, chain head and bytes."""
    disk = SimDisk()
    assert latest_snapshot(disk) == (None, ())
    for cycle in (5, 10, 9):
        write_snapshot(disk, cycle, cycle * 10, HEAD, b"state %d" % cycle)
    assert latest_snapshot(disk) == (Snapshot(10, 100, HEAD, b"state 10"), ())


def test_two_are_kept() -> None:
    """JN-029: the newest two."""
    disk = SimDisk()
    for cycle in (1, 2, 3, 4):
        write_snapshot(disk, cycle, 0, HEAD, b"")
    assert disk.names() == [snapshot_name(3), snapshot_name(4)]


def test_old_ones_go_only_after_the_new_one_is_durable() -> None:
    """JN-029: an error at any step leaves the newest acknowledged one."""
    for step in range(5):
        disk = SimDisk(step)
        for cycle in (1, 2):
            write_snapshot(disk, cycle, 0, HEAD, b"old")
        disk.fail_at = {disk.operations + step: errno.EIO}
        with pytest.raises(JournalError, match=r"cannot write snapshot-000000000003.snap in the simulated disk: "):
            write_snapshot(disk, 3, 0, HEAD, b"new")
        disk.crash()
        found = latest_snapshot(disk).snapshot
        assert found is not None and found.cycle >= 2
        write_snapshot(disk, 4, 0, HEAD, b"next")


def test_every_changed_byte_makes_the_older_one_count() -> None:
    """JN-030: a damaged newest is passed over with a note."""
    disk = SimDisk()
    for cycle in (1, 2):
        write_snapshot(disk, cycle, 0, HEAD, b"state" * 20)
    name = snapshot_name(2)
    for at in range(len(disk.contents(name))):
        disk.flip(name, at, 0x10)
        found, notes = latest_snapshot(disk)
        assert found is not None and found.cycle == 1
        assert len(notes) == 1 and notes[0].startswith(f"{name} is damaged and was passed over: ")
        disk.flip(name, at, 0x10)
    assert latest_snapshot(disk).notes == ()
    disk.flip(name, 20)
    assert latest_snapshot(disk).notes[0].endswith(": checksum of its header is wrong")


def test_cut_short_or_misnamed_is_passed_over() -> None:
    """JN-030: length and name count too."""
    disk = SimDisk()
    write_snapshot(disk, 1, 0, HEAD, b"state")
    whole = disk.contents(snapshot_name(1))
    disk.create(snapshot_name(2), 0).write(0, whole[:-1])
    disk.create(snapshot_name(3), 0).write(0, whole)
    found, notes = latest_snapshot(disk)
    assert found is not None and found.cycle == 1
    assert notes == (
        f"{snapshot_name(3)} is damaged and was passed over: it is of cycle 1",
        f"{snapshot_name(2)} is damaged and was passed over: length must be {len(whole)} bytes, was {len(whole) - 1}",
    )


def test_a_file_not_published_is_no_snapshot() -> None:
    """JN-028: it has no name yet."""
    disk = SimDisk()
    disk.crash_at = 3
    with pytest.raises(SimulatedCrash):
        write_snapshot(disk, 1, 0, HEAD, b"state")
    assert latest_snapshot(disk) == (None, ())
