"""
What every verb shares: exit codes, JSON, tables, messages.
"""

import json
import sys
from collections.abc import Iterable, Sequence
from enum import IntEnum
from typing import Any


class Exit(IntEnum):
    """
    Exit codes; scripts may rely on them.
    """

    OK = 0
    FINDING = 1
    USAGE = 2
    DATA = 3
    INTERNAL = 4
    INTERRUPTED = 130
    BROKEN_PIPE = 141


class UsageError(Exception):
    """
    Arguments that parse but make no sense together; the message names them and what is accepted.
    """


def print_error(message: str, hints: Iterable[str] = ()) -> None:
    """
    Print one line and its hints on standard error.
    """
    print(f"tocsin: {message}", file=sys.stderr)
    for hint in hints:
        print(f"  hint: {hint}", file=sys.stderr)


def print_json(value: Any) -> None:
    """
    Print one JSON document on standard output, keys in the order given, bytes as hex.
    """
    json.dump(value, sys.stdout, indent=2, ensure_ascii=False, allow_nan=False, default=_encode_other)
    sys.stdout.write("\n")


def print_table(title: str, columns: Sequence[tuple[str, str]], rows: Iterable[Sequence[str]]) -> None:
    """
    Print a table on standard output; plain text without colour when it is not a terminal.

    Args:
        columns: Heading and alignment (`left` or `right`) of each.
        rows: Cells as text, one for each column; square brackets are printed as they are.
    """
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title, title_justify="left", title_style="bold", box=SIMPLE_HEAD, pad_edge=False)
    for heading, justify in columns:
        table.add_column(heading, justify="right" if justify == "right" else "left", no_wrap=True)
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    # A pipe has no width: a file must not lose columns because a terminal would.
    Console(highlight=False, width=None if sys.stdout.isatty() else 500).print(table)


def _encode_other(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.hex()
    raise TypeError(f"{type(value).__name__} has no JSON form")
