"""
Progress on standard error: a bar with unit, rate and time left on a terminal, nothing elsewhere.
"""

import os
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager

Advance = Callable[[int, str], None]


def is_shown() -> bool:
    """
    Return whether a person watches standard error.
    """
    return sys.stderr.isatty() and os.environ.get("TERM", "") != "dumb"


@contextmanager
def show_progress(label: str, *, total: int, unit: str) -> Generator[Advance]:
    """
    Show how far a long run is, until the block ends.

    Args:
        label: What is being done, such as `venue rules`.
        total: Number of units of the whole, > 0.
        unit: Name of what is counted, in the plural, such as `cycles`.

    Returns:
        A function `advance(done, note)`: `done` counts from the start; `note` is a short text, may be empty.
    """
    if not is_shown():
        yield _ignore
        return

    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=None),
        MofNCompleteColumn(),
        TextColumn("{task.fields[unit]}"),
        TimeRemainingColumn(compact=True, elapsed_when_finished=True),
        TextColumn("{task.fields[note]}", style="dim"),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True, expand=True) as progress:
        task = progress.add_task(label, total=total, unit=unit, note="")
        yield lambda done, note: progress.update(task, completed=done, note=note)


@contextmanager
def show_wait(label: str) -> Generator[None]:
    """
    Show that a run of unknown length goes on, until the block ends.
    """
    if not is_shown():
        yield
        return

    from rich.console import Console

    with Console(stderr=True).status(label):
        yield


def _ignore(_done: int, _note: str) -> None:
    """
    Advance nothing: nobody watches.
    """
