"""
What `replay`, `verify` and `why` share: the folder, the bar.
"""

from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tocsin.cli.output import UsageError
from tocsin.cli.progress import Advance, show_progress, show_wait

if TYPE_CHECKING:
    from tocsin.journal.disk import RealDisk

Report = Callable[[int, int, str], None]


def find_journal(path: Path) -> "RealDisk":
    """
    Return the disk of a journal's folder.

    Raises:
        UsageError: There is no such folder.
    """
    from tocsin.journal.disk import RealDisk

    if not path.exists():
        raise UsageError(f"JOURNAL must be the folder of a journal, was {path}: there is no such folder")
    return RealDisk(path)


def check_shards(shards: int) -> None:
    """
    Check the number of shards.

    Raises:
        UsageError: It is not 1 to 4096.
    """
    if not 1 <= shards <= 4096:
        raise UsageError(f"--shards must be 1 to 4096, was {shards}")


@contextmanager
def show_reading(label: str, *, unit: str) -> Generator[Report]:
    """
    Show that a journal is being opened, then, from the first report on, a bar with the time left.

    Returns:
        A function `report(done, total, note)`.
    """
    with ExitStack() as stack:
        wait = stack.enter_context(ExitStack())
        wait.enter_context(show_wait(f"opening {label}"))
        advance: list[Advance] = []

        def report(done: int, total: int, note: str) -> None:
            if not advance:
                wait.close()
                advance.append(stack.enter_context(show_progress(label, total=max(1, total), unit=unit)))
            advance[0](done, note)

        yield report
