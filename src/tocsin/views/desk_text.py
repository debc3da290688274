"""
A check of recorded accounts as text: three columns side by side, the causes of what differs, what was skipped and why.
"""

import textwrap
from collections.abc import Iterable
from decimal import Decimal

from tocsin.desk.codes import Code, Part
from tocsin.desk.rows import QUANTITIES, Report, Row, Status
from tocsin.views.tables import Table, render_text

DASH = "–"
NONE = "none"
_WIDTH = 118
_DIGITS = 10


def render_report(report: Report, *, is_full: bool = False) -> str:
    """
    Return the report: differences by account, misses with their parts, skips by reason, the closing line.

    Args:
        is_full: Show every judged row and every note; else the rows with a difference beyond the printed digits, those
            that failed, and the notes on accounts with one that failed.
    """
    blocks: list[str] = []
    judged = [row for row in report.rows if row.quantity and (row.status is not Status.SKIPPED or row.code)]
    shown = [row for row in judged if is_full or _is_worth_showing(row)]
    if shown:
        blocks.append(render_text(_table(shown)))
    if not is_full and len(shown) < len(judged):
        same = len(judged) - len(shown)
        blocks.append(f"{same} more figures agree to the printed digits (--all shows them).\n")
    failed = [row for row in report.rows if row.status is Status.FAILED]
    if failed:
        blocks.append("Failed\n\n" + "".join(_describe(row) for row in failed))
    noted = {row.account for row in failed}
    notes = [(account, note) for account, note in report.notes if is_full or account in noted]
    if notes:
        blocks.append("Notes\n\n" + "".join(_wrap(f"{account}: {note}") for account, note in notes))
    skipped = [row for row in report.rows if row.status is Status.SKIPPED]
    if skipped:
        blocks.append("Skipped\n\n" + _by_reason(skipped))
    return "\n".join(blocks) + ("\n" if blocks else "") + closing_line(report) + "\n"


def closing_line(report: Report) -> str:
    """
    Return `N passed, N failed, N skipped`.
    """
    return ", ".join(f"{report.count(status)} {status}" for status in Status)


def format_figure(value: Decimal | None, *, is_none: bool = False) -> str:
    """
    Return a figure with at most ten significant digits, "none" for no price, a dash where there is nothing.
    """
    if value is None:
        return NONE if is_none else DASH
    if not value:
        return "0"
    if -6 <= value.adjusted() < _DIGITS:
        places = max(_DIGITS - 1 - value.adjusted(), 0)
        text = f"{value:.{places}f}"
        return text.rstrip("0").rstrip(".") if "." in text else text
    return f"{value.normalize():.6g}"


def _is_worth_showing(row: Row) -> bool:
    if row.status is Status.FAILED or row.connector is not None:
        return True
    return any(part.code is not Code.ROUNDING for part in row.parts)


def _table(rows: Iterable[Row]) -> Table:
    cells: list[tuple[str, ...]] = []
    account = ""
    for row in rows:
        if row.account != account:
            account = row.account
            cells.append((account,))
        name = QUANTITIES.get(row.quantity, row.quantity)
        relative = f"{row.relative * 100:.4f} %" if row.relative is not None else DASH
        cells.append(
            (
                f"  {row.symbol or 'account'}, {name}",
                format_figure(row.reported, is_none=bool(row.field)),
                format_figure(row.derived),
                format_figure(row.own, is_none=row.own_none),
                relative,
                str(row.status),
                str(row.code or DASH),
            )
        )
    return Table("", ("figure", "reported", "connector", "own", "difference", "status", "cause"), tuple(cells))


def _describe(row: Row) -> str:
    name = QUANTITIES.get(row.quantity, row.quantity)
    head = f"{row.account}: {row.symbol or 'account'}, {name}" if row.quantity else row.account
    if not row.quantity:
        reason = row.reason.removeprefix(f"{row.account}: ")
        return _wrap(f"{head}: {reason}")
    lines = [f"{head}\n"]
    if row.own is not None or row.own_none:
        own = format_figure(row.own, is_none=True)
        reported = format_figure(row.reported, is_none=True)
        lines.append(f"    {row.field} {reported}, own {own}\n")
    if row.parts:
        lines += [_describe_part(part) for part in row.parts]
    elif row.reason:
        # Among it a hint, where our rules cannot say.
        lines.append(_wrap(row.reason, "    "))
    if row.connector is not None:
        lines.append(_describe_part(row.connector))
    if row.basis:
        lines.append(_wrap(row.basis, "    "))
    return "".join(lines)


def _describe_part(part: Part) -> str:
    return _wrap(f"{part.code} {part.amount:+.8g}: {part.why}", "    ")


def _by_reason(rows: Iterable[Row]) -> str:
    groups: dict[str, list[str]] = {}
    for row in rows:
        name = row.account if not row.quantity else f"{row.account}: {row.symbol or 'account'} {row.quantity}"
        groups.setdefault(row.reason, []).append(name)
    lines: list[str] = []
    for reason, names in groups.items():
        few = "; ".join(names[:3]) + (f"; and {len(names) - 3} more" if len(names) > 3 else "")
        lines.append(_wrap(f"{len(names)} x {reason}", ""))
        lines.append(_wrap(few, "    "))
    return "".join(lines)


def _wrap(text: str, indent: str = "") -> str:
    return (
        textwrap.fill(text, _WIDTH, initial_indent=indent, subsequent_indent=f"{indent}    ", break_long_words=False)
        + "\n"
    )
