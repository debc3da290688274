"""
Where the demo writes: a journal folder, and a report folder beside it. What is not the demo's is never touched.
"""

import re
from pathlib import Path

from tocsin.core.errors import ConfigError, DataError, TocsinError
from tocsin.journal.disk import RealDisk
from tocsin.journal.log import Journal
from tocsin.journal.records import read_genesis
from tocsin.sheet.terms import decode_sheet

SHEET_NAME = "october-2025 "
"""How the names of the demo's sheets begin."""

_OURS = re.compile(r"journal-\d{8}\.seg|journal-.*\.tmp")


def report_folder(journal: Path) -> Path:
    """
    Return the folder of pictures and page that belongs to a journal: `october.journal` has `october.report`.
    """
    stem = journal.name.removesuffix(".journal")
    return journal.with_name(f"{stem}.report")


def clear_journal(path: Path) -> None:
    """
    Make room for a journal at `path`: remove the one an earlier demo left there.

    Raises:
        ConfigError: Something else is there, or the folder above does not exist; nothing was removed.
    """
    if not path.exists():
        if not path.absolute().parent.is_dir():
            raise ConfigError(f"--out must be in an existing folder, was {path}: {path.absolute().parent} is not one")
        return
    if not path.is_dir():
        raise ConfigError(f"--out must be a folder to make, was a file: {path}; choose another name")
    names = sorted(entry.name for entry in path.iterdir())
    if not names:
        return
    foreign = [name for name in names if not _OURS.fullmatch(name)]
    if foreign:
        raise ConfigError(f"--out must be a new folder or the journal of an earlier demo, {path} holds {foreign[0]}")
    _check_is_demo(path)
    for name in names:
        (path / name).unlink(missing_ok=True)


def _check_is_demo(path: Path) -> None:
    """Check that the journal at `path` is a demo's; one that cannot be read is left where it is."""
    try:
        journal = Journal.open(RealDisk(path))
    except DataError:
        raise
    except TocsinError as error:
        raise ConfigError(f"--out must be a new folder or the journal of an earlier demo; {path}: {error}") from None
    try:
        name = decode_sheet(read_genesis(journal.header).sheet).name
    finally:
        journal.close()
    if not name.startswith(SHEET_NAME):
        raise ConfigError(
            f"--out must be a new folder or the journal of an earlier demo, {path} is a journal that begins with the "
            f"sheet {name!r}"
        )
