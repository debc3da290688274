"""
The simulated disk itself: it must be as bad as it says, or the durability tests mean little.
"""

import errno
from collections import Counter

import pytest

from tocsin.journal.simdisk import SimDisk, SimulatedCrash


def outcome(seed: int) -> bytes:
    """
    Return what a crash leaves of one unsynced sector of b over a synced sector of a.
    """
    disk = SimDisk(seed)
    file = disk.create("f", 512)
    file.write(0, b"a" * 512)
    file.sync_data()
    disk.sync_directory()
    file.write(0, b"b" * 512)
    disk.crash()
    return disk.open("f", writable=False).read(0, 512)


def test_an_unsynced_sector_is_kept_lost_mixed_or_garbage() -> None:
    """JN-025: each of the four happens, and nothing but them."""
    kinds: Counter[str] = Counter()
    for seed in range(400):
        data = outcome(seed)
        mixed = data == b"b" * data.count(b"b") + b"a" * data.count(b"a")
        kinds["new" if data == b"b" * 512 else "old" if data == b"a" * 512 else "mixed" if mixed else "garbage"] += 1
    assert set(kinds) == {"new", "old", "mixed", "garbage"}
    assert min(kinds.values()) > 5


def test_synced_bytes_survive() -> None:
    """JN-025: data synced and a name synced."""
    for seed in range(50):
        disk = SimDisk(seed)
        file = disk.create("f.tmp", 1000)
        file.write(100, b"kept" * 100)
        file.sync_data()
        disk.rename("f.tmp", "f")
        disk.sync_directory()
        disk.crash()
        assert disk.names() == ["f"]
        assert disk.contents("f") == bytes(100) + b"kept" * 100 + bytes(500)


def test_unsynced_names_may_vanish_or_come_back() -> None:
    """JN-025: creation, renaming and removal are undone for some seeds, and not for others."""
    left: set[tuple[str, ...]] = set()
    for seed in range(200):
        disk = SimDisk(seed)
        for name in ("old", "gone"):
            disk.create(name, 0)
        disk.sync_directory()
        disk.rename("old", "new")
        disk.remove("gone")
        disk.create("fresh", 0)
        disk.crash()
        left.add(tuple(disk.names()))
    assert {name for names in left for name in names} == {"old", "new", "gone", "fresh"}
    assert ("fresh", "new") in left and ("gone", "old") in left
    assert not any("old" in names and "new" in names for names in left)


def test_an_unsynced_length_may_be_old_new_or_between() -> None:
    """JN-025: growing and cutting."""
    lengths: set[int] = set()
    for seed in range(200):
        disk = SimDisk(seed)
        file = disk.create("f", 1000)
        file.sync_data()
        disk.sync_directory()
        file.truncate(600)
        disk.crash()
        lengths.add(len(disk.contents("f")))
    assert {600, 1000} <= lengths and all(600 <= length <= 1000 for length in lengths) and len(lengths) > 10


def test_a_killed_process_loses_nothing_it_wrote_but_its_handles() -> None:
    """JN-026: the cache outlives the process, the lock does not."""
    disk = SimDisk()
    disk.lock()
    file = disk.create("f", 0)
    file.write(0, b"seen")
    with pytest.raises(BlockingIOError):
        disk.lock()
    disk.kill()
    disk.lock()
    assert disk.contents("f") == b"seen"
    with pytest.raises(OSError, match="Bad file descriptor"):
        file.read(0, 1)


def test_a_failed_sync_calls_bytes_clean_that_are_lost() -> None:
    """JN-026: a second sync does not save them; reading past the cache shows the truth."""
    lost = 0
    for seed in range(50):
        disk = SimDisk(seed)
        file = disk.create("f", 512)
        file.sync_data()
        disk.sync_directory()
        file.write(0, b"b" * 512)
        disk.fail_at = {disk.operations: errno.EIO}
        with pytest.raises(OSError, match="Input/output error"):
            file.sync_data()
        assert file.read(0, 512) == b"b" * 512
        file.sync_data()
        file.forget_cache()
        after = file.read(0, 512)
        disk.crash()
        assert disk.contents("f") == after
        lost += after == bytes(512)
    assert 10 < lost < 40


def test_a_full_disk_writes_a_part() -> None:
    """JN-026: ENOSPC after a short write, also while a file is made."""
    disk = SimDisk(3, capacity=1000)
    file = disk.create("f", 0)
    with pytest.raises(OSError, match="No space left"):
        file.write(0, b"x" * 1001)
    assert disk.contents("f") == b"x" * file.length and file.length <= 1000
    with pytest.raises(OSError, match="No space left"):
        disk.create("g", 1001)
    assert len(disk.contents("g")) <= 1000


def test_a_crash_comes_where_it_was_ordered() -> None:
    """JN-027: in place of operation number n."""
    disk = SimDisk()
    disk.crash_at = 2
    file = disk.create("f", 0)
    file.write(0, b"x")
    with pytest.raises(SimulatedCrash):
        file.sync_data()
    assert disk.operations == 3


def test_a_seed_repeats() -> None:
    """JN-027: same seed, same calls, same bytes."""
    assert [outcome(seed) for seed in range(40)] == [outcome(seed) for seed in range(40)]
