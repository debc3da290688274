"""
A simulated disk: it forgets what was not synced, tears sectors, and fails on request. For tests.

Rules JN-025 to JN-027. Everything is drawn from one seed, so that a seed that fails, fails again.
"""

import errno
import os
from dataclasses import dataclass, field
from random import Random

from tocsin.journal.frames import SECTOR_BYTES, align


class SimulatedCrash(BaseException):
    """The machine stopped just before an operation; the test calls `crash` or `kill` next."""


@dataclass
class _Node:
    """A file: what is seen, what is durable, which sectors of the one are not in the other yet."""

    seen: bytearray
    durable: bytearray = field(default_factory=bytearray)
    dirty: set[int] = field(default_factory=set[int])


class SimDisk:
    """
    A disk in memory that keeps after a crash only what it must, and of the rest whatever the seed says.

    - `crash()`: power loss. Each unsynced sector is kept, lost, mixed with the old one, or garbage; each
      unsynced creation, renaming or removal may be undone; an unsynced length is the old, new or between.
    - `kill()`: the process ended; what was seen stays seen, handles and the lock are gone.
    - A failed `sync_data` keeps some sectors, and calls all of them clean.

    Args:
        seed: Every random choice follows from it.
        capacity: Bytes all files together may have; beyond it `OSError(ENOSPC)`, after a part was written.
    """

    def __init__(self, seed: int = 0, *, capacity: int = 1 << 40) -> None:
        self.random = Random(seed)
        self.capacity = capacity
        self.operations = 0
        """Operations that change something, so far; `crash_at` and `fail_at` count the same way."""
        self.crash_at = -1
        self.fail_at: dict[int, int] = {}
        """Number of an operation -> errno it fails with."""
        self.generation = 0
        self._locked = False
        self._seen: dict[str, _Node] = {}
        self._durable: dict[str, _Node] = {}
        self._changes: list[tuple[_Node | None, str, str]] = []

    # ---- the port -------------------------------------------------------------------------------

    @property
    def place(self) -> str:
        return "the simulated disk"

    def names(self) -> list[str]:
        return sorted(self._seen)

    def create(self, name: str, length: int) -> "SimFile":
        self.operate()
        self._seen.pop(name, None)
        full = length > self.room()
        length = self.random.randint(0, self.room()) if full else length
        node = _Node(bytearray(length), dirty=set(range(align(length) // SECTOR_BYTES)))
        self._seen[name] = node
        self._changes.append((node, "", name))
        if full:
            raise _error(errno.ENOSPC)
        return SimFile(self, node)

    def prepare(self, length: int) -> None:
        """
        Do nothing: a spare file changes when bytes are written, not which are durable.
        """

    def open(self, name: str, *, writable: bool) -> "SimFile":
        if name not in self._seen:
            raise _error(errno.ENOENT)
        return SimFile(self, self._seen[name], writable=writable)

    def rename(self, old: str, new: str) -> None:
        self.operate()
        node = self._seen.pop(old)
        self._seen[new] = node
        self._changes.append((node, old, new))

    def remove(self, name: str) -> None:
        self.operate()
        del self._seen[name]
        self._changes.append((None, name, ""))

    def sync_directory(self) -> None:
        self.operate()
        self._durable = dict(self._seen)
        self._changes.clear()

    def lock(self) -> None:
        if self._locked:
            raise BlockingIOError(errno.EWOULDBLOCK, "locked")
        self._locked = True

    def unlock(self) -> None:
        self._locked = False

    # ---- faults ---------------------------------------------------------------------------------

    def crash(self) -> None:
        """
        Lose power: keep what is durable and a random part of the rest; close every file.
        """
        self.kill()
        names = dict(self._durable)
        prefix = self.random.random() < 0.5
        keep = self.random.randint(0, len(self._changes))
        for index, (node, old, new) in enumerate(self._changes):
            if (index >= keep) if prefix else (self.random.random() < 0.5):
                continue
            names.pop(old, None)
            if node is not None:
                names[new] = node
        for node in {id(node): node for node in names.values()}.values():
            self._forget(node)
        self._seen, self._durable = names, dict(names)
        self._changes.clear()

    def kill(self) -> None:
        """
        End the process: files and lock are let go, what was written is still seen.
        """
        self.generation += 1
        self._locked = False
        self.crash_at = -1
        self.fail_at.clear()

    def flip(self, name: str, offset: int, mask: int = 1) -> None:
        """
        Damage one byte of a file for good.
        """
        node = self._seen[name]
        node.seen[offset] ^= mask
        if offset < len(node.durable):
            node.durable[offset] ^= mask

    def contents(self, name: str) -> bytes:
        """
        Return the bytes of a file as seen.
        """
        return bytes(self._seen[name].seen)

    def _forget(self, node: _Node) -> None:
        choose = self.random.random
        length = len(node.durable)
        if len(node.seen) != length:
            low, high = sorted((length, len(node.seen)))
            length = self.random.choice((low, high, self.random.randint(low, high)))
        kept = bytearray(length)
        kept[: len(node.durable)] = node.durable[:length]
        whole = self.random.choice((0.0, 0.1, 0.5, 0.9, 1.0))
        for sector in sorted(node.dirty):
            low, high = sector * SECTOR_BYTES, min((sector + 1) * SECTOR_BYTES, length)
            if high <= low:
                continue
            new = node.seen[low:high]
            if choose() < whole:
                kept[low : low + len(new)] = new
            elif choose() < 0.3:
                cut = self.random.randint(0, len(new))
                kept[low : low + cut] = new[:cut]
                if choose() < 0.3:
                    kept[low:high] = self.random.randbytes(high - low)
        node.seen, node.durable, node.dirty = kept, bytearray(kept), set()

    def operate(self) -> None:
        """
        Count an operation; raise in place of it what was asked for.
        """
        number = self.operations
        self.operations += 1
        if number == self.crash_at:
            raise SimulatedCrash
        if number in self.fail_at:
            raise _error(self.fail_at[number])

    def room(self) -> int:
        """
        Return how many bytes all files may still grow by.
        """
        return self.capacity - sum(len(node.seen) for node in self._seen.values())


class SimFile:
    """
    A file of `SimDisk`.
    """

    def __init__(self, disk: SimDisk, node: _Node, *, writable: bool = True) -> None:
        self._disk, self._node, self._writable = disk, node, writable
        self._generation = disk.generation

    @property
    def length(self) -> int:
        return len(self._live().seen)

    def read(self, offset: int, length: int) -> bytes:
        return bytes(self._live().seen[offset : offset + length])

    def write(self, offset: int, data: bytes) -> None:
        node, disk = self._live(writing=True), self._disk
        room = disk.room() + len(node.seen) - offset
        try:
            disk.operate()
            if len(data) > room:
                raise _error(errno.ENOSPC)
        except OSError:
            # The caller sees an error, the disk a short write.
            _put(node, offset, data[: disk.random.randint(0, max(0, min(len(data), room)))])
            raise
        _put(node, offset, data)

    def truncate(self, length: int) -> None:
        node = self._live(writing=True)
        self._disk.operate()
        del node.seen[length:]
        node.dirty = {sector for sector in node.dirty if sector * SECTOR_BYTES < length}

    def sync_data(self) -> None:
        node, random = self._live(writing=True), self._disk.random
        try:
            self._disk.operate()
        except OSError:
            _persist(node, {sector for sector in node.dirty if random.random() < 0.5}, random.random() < 0.5)
            raise
        _persist(node, node.dirty, True)

    def forget_cache(self) -> None:
        node = self._live()
        for low in range(0, len(node.seen), SECTOR_BYTES):
            if low // SECTOR_BYTES not in node.dirty:
                high = min(low + SECTOR_BYTES, len(node.seen))
                node.seen[low:high] = node.durable[low:high].ljust(high - low, b"\0")

    def close(self) -> None:
        self._generation = -1

    def _live(self, *, writing: bool = False) -> _Node:
        if self._generation != self._disk.generation or (writing and not self._writable):
            raise _error(errno.EBADF)
        return self._node


def _put(node: _Node, offset: int, data: bytes) -> None:
    if not data:
        return
    end = offset + len(data)
    node.seen.extend(bytes(max(0, end - len(node.seen))))
    node.seen[offset:end] = data
    node.dirty.update(range(offset // SECTOR_BYTES, (end - 1) // SECTOR_BYTES + 1))


def _persist(node: _Node, sectors: set[int], with_length: bool) -> None:
    """
    Copy sectors to the durable side and call all of the file clean.
    """
    if with_length:
        del node.durable[len(node.seen) :]
        node.durable.extend(bytes(len(node.seen) - len(node.durable)))
    for sector in sectors:
        low, high = sector * SECTOR_BYTES, min((sector + 1) * SECTOR_BYTES, len(node.durable))
        if low < high:
            node.durable[low:high] = node.seen[low:high]
    node.dirty = set()


def _error(number: int) -> OSError:
    return OSError(number, os.strerror(number))
