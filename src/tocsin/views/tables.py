"""
Tables as plain text of fixed width, the same bytes on every terminal; `report` renders the same as HTML.
"""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Table:
    """
    A heading, columns and rows of text.

    Attributes:
        columns: One heading each; the first is the row's name and stands left, the others right.
        rows: As many cells as columns; a row of one cell is a heading of the rows below it.
        note: A line below, may be empty.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""

    def __post_init__(self) -> None:
        for row in self.rows:
            assert len(row) in (1, len(self.columns)), f"{len(self.columns)} cells or one, was {row!r}"


def render_text(table: Table) -> str:
    """
    Return the table as lines of equal layout, without colour, ending with a newline.
    """
    full = [row for row in table.rows if len(row) == len(table.columns)]
    widths = [max([len(heading), *(len(row[i]) for row in full)], default=0) for i, heading in enumerate(table.columns)]
    lines = [table.title, ""] if table.title else []
    lines.append(_line(table.columns, widths))
    lines.append("  ".join("─" * width for width in widths))
    lines += [_line(row, widths) if len(row) == len(table.columns) else row[0] for row in table.rows]
    if table.note:
        lines += ["", table.note]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def join_side_by_side(blocks: Sequence[str], *, gap: int = 4) -> str:
    """
    Return blocks of text beside each other, tops aligned, ending with a newline.
    """
    split = [block.splitlines() for block in blocks]
    widths = [max(map(len, lines), default=0) for lines in split]
    height = max(map(len, split), default=0)
    out: list[str] = []
    for y in range(height):
        cells = [(lines[y] if y < len(lines) else "").ljust(width) for lines, width in zip(split, widths, strict=True)]
        out.append((" " * gap).join(cells).rstrip())
    return "\n".join(out) + "\n"


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    first = cells[0].ljust(widths[0])
    rest = [cell.rjust(width) for cell, width in zip(cells[1:], widths[1:], strict=True)]
    return "  ".join([first, *rest])
