"""
The disk as the journal sees it: a small port, a way to publish a whole file, and the real disk.

Rules JN-020 to JN-023. Whatever the journal asks of a disk goes through these few calls, so that the same
journal code runs on `RealDisk` and, with crashes and errors, on `tocsin.journal.simdisk.SimDisk`.
"""

import contextlib
import fcntl
import os
from pathlib import Path
from threading import Thread
from typing import Protocol

from tocsin.core.errors import JournalError

TEMPORARY = ".tmp"
"""Suffix of a file that is not published yet; whatever bears it may be removed at any opening."""

SPARE_NAME = "journal-spare" + TEMPORARY
SPARE_BYTES_MIN = 1 << 20
"""Length from which a file is worth a spare, in bytes."""

_ZEROS = bytes(1 << 18)
_sync_data = getattr(os, "fdatasync", os.fsync)


class DiskFile(Protocol):
    """
    One open file. Every call raises `OSError` when the disk refuses.
    """

    @property
    def length(self) -> int: ...

    def read(self, offset: int, length: int) -> bytes:
        """Return up to `length` bytes from `offset`; fewer only at the end of the file."""
        ...

    def write(self, offset: int, data: bytes) -> None:
        """Write all of `data` at `offset`, growing the file if needed; not durable yet."""
        ...

    def truncate(self, length: int) -> None:
        """Cut the file to `length` bytes; not durable yet."""
        ...

    def sync_data(self) -> None:
        """Return only when all bytes written and the length are durable; never retry after an error."""
        ...

    def forget_cache(self) -> None:
        """
        Let the next read come from the disk where the cache holds nothing newer.

        After a failed sync a cache may call bytes clean that the disk does not hold; no later sync
        would write them, so an opening must not take them for durable (JN-018).
        """
        ...

    def close(self) -> None: ...


class Disk(Protocol):
    """
    One directory of files. Every call raises `OSError` when the disk refuses.
    """

    @property
    def place(self) -> str:
        """Say where this is, for messages."""
        ...

    def names(self) -> list[str]:
        """Return the names of all files, sorted; empty if the directory does not exist."""
        ...

    def create(self, name: str, length: int) -> DiskFile:
        """Make a file of `length` written zero bytes, replacing any of that name; not durable yet."""
        ...

    def prepare(self, length: int) -> None:
        """Be told that a file of `length` will be created soon; never raises."""
        ...

    def open(self, name: str, *, writable: bool) -> DiskFile: ...

    def rename(self, old: str, new: str) -> None:
        """Rename, replacing `new` as one step; not durable yet."""
        ...

    def remove(self, name: str) -> None:
        """Remove; not durable yet."""
        ...

    def sync_directory(self) -> None:
        """Return only when every creation, renaming and removal so far, and the directory, are durable."""
        ...

    def lock(self) -> None:
        """Become the only writer; raise `BlockingIOError` if there is one."""
        ...

    def unlock(self) -> None: ...


def publish(disk: Disk, name: str, data: bytes, length: int = 0) -> DiskFile:
    """
    Make a file appear under `name` whole and durable, or not at all (JN-020).

    The bytes are written to a temporary name and synced; only then does the file get its name, and only
    then is the directory synced. A crash at any point leaves no file, a temporary one, or the whole.

    Args:
        data: The first bytes of the file.
        length: Length in bytes to reserve, filled with zeros after `data`.

    Returns:
        The open file, writable.
    """
    file = disk.create(name + TEMPORARY, max(length, len(data)))
    try:
        file.write(0, data)
        file.sync_data()
        disk.rename(name + TEMPORARY, name)
        disk.sync_directory()
    except BaseException:
        file.close()
        raise
    return file


class RealFile:
    """
    A file of `RealDisk`.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    @property
    def length(self) -> int:
        return os.fstat(self._descriptor).st_size

    def read(self, offset: int, length: int) -> bytes:
        pieces: list[bytes] = []
        while length > 0:
            piece = os.pread(self._descriptor, length, offset)
            if not piece:
                break
            pieces.append(piece)
            offset += len(piece)
            length -= len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def write(self, offset: int, data: bytes) -> None:
        written = os.pwrite(self._descriptor, data, offset)
        while written < len(data):
            written += os.pwrite(self._descriptor, data[written:], offset + written)

    def truncate(self, length: int) -> None:
        os.ftruncate(self._descriptor, length)

    def sync_data(self) -> None:
        _sync_data(self._descriptor)

    def forget_cache(self) -> None:
        if hasattr(os, "posix_fadvise"):
            os.posix_fadvise(self._descriptor, 0, 0, os.POSIX_FADV_DONTNEED)

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


class RealDisk:
    """
    A directory of the file system, made on the first write if its parent exists.

    The lock is advisory (`flock` on the directory): it keeps a second Tocsin out, not other programs.
    A file that was announced with `prepare` is filled with zeros by a thread of its own, so that a
    new segment costs the writer a renaming and two syncs instead of the writing of all its zeros.
    """

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)
        self._directory = -1
        self._locked = False
        self._spare: _Spare | None = None

    @property
    def place(self) -> str:
        return str(self._path)

    def names(self) -> list[str]:
        try:
            return sorted(entry.name for entry in os.scandir(self._path) if entry.is_file())
        except FileNotFoundError:
            return []
        except NotADirectoryError:
            raise JournalError(
                f"journal must be a directory, was a file: {self._path}; name the directory that holds it"
            ) from None

    def create(self, name: str, length: int) -> RealFile:
        self._open_directory()
        spare, self._spare = self._spare, None
        file = spare.take(length) if spare is not None else None
        if file is not None:
            os.replace(self._path / SPARE_NAME, self._path / name)
            return file
        return _create_zeroed(self._path / name, length)

    def prepare(self, length: int) -> None:
        if self._spare is None and length >= SPARE_BYTES_MIN:
            self._spare = _Spare(self._path / SPARE_NAME, length)

    def open(self, name: str, *, writable: bool) -> RealFile:
        return RealFile(os.open(self._path / name, os.O_RDWR if writable else os.O_RDONLY))

    def rename(self, old: str, new: str) -> None:
        os.replace(self._path / old, self._path / new)

    def remove(self, name: str) -> None:
        os.unlink(self._path / name)

    def sync_directory(self) -> None:
        os.fsync(self._open_directory())
        _sync_path(self._path.absolute().parent)

    def lock(self) -> None:
        descriptor = self._open_directory()
        if self._locked:
            raise BlockingIOError("locked by this process")
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self._locked = True

    def unlock(self) -> None:
        if self._spare is not None:
            self._spare.drop()
            self._spare = None
        if self._directory >= 0:
            os.close(self._directory)
            self._directory = -1
        self._locked = False

    def _open_directory(self) -> int:
        if self._directory < 0:
            self._path.mkdir(exist_ok=True)
            self._directory = os.open(self._path, os.O_RDONLY)
        return self._directory


class _Spare:
    """
    A file of zeros in the making; on any error there is none, and the file is made when it is needed.
    """

    def __init__(self, path: Path, length: int) -> None:
        self._path, self._length = path, length
        self._file: RealFile | None = None
        self._thread = Thread(target=self._make, name="tocsin-journal-spare", daemon=True)
        try:
            self._thread.start()
        except RuntimeError:
            self._length = -1

    def take(self, length: int) -> RealFile | None:
        """
        Wait for the file and return it if it has `length`; else remove it.
        """
        if self._length == length:
            self._thread.join()
            if self._file is not None:
                return self._file
        self.drop()
        return None

    def drop(self) -> None:
        if self._thread.ident is not None:
            self._thread.join()
        if self._file is not None:
            self._file.close()
        self._path.unlink(missing_ok=True)

    def _make(self) -> None:
        with contextlib.suppress(OSError):
            file = _create_zeroed(self._path, self._length)
            try:
                # Not for durability: whoever takes the file syncs it again and then has little to wait for.
                file.sync_data()
            except OSError:
                file.close()
                raise
            self._file = file


def _create_zeroed(path: Path, length: int) -> RealFile:
    """
    Make a file of zeros; written, not only reserved, so that a later write changes data and no metadata.
    """
    file = RealFile(os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o644))
    try:
        for offset in range(0, length, len(_ZEROS)):
            file.write(offset, _ZEROS[: length - offset])
    except BaseException:
        file.close()
        raise
    return file


def _sync_path(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
