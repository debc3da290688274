"""
`tocsin desk check`: recompute recorded accounts, and say where and why venue, connector and rules differ.
"""

import sys
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from tocsin.cli.output import Exit, UsageError, print_error, print_json


def desk(
    what: Literal["check"],
    *files: Annotated[Path, Parameter(allow_leading_hyphen=True)],
    venue: str = "",
    rules: str = "",
    show_all: Annotated[bool, Parameter(name="--all")] = False,
    json: bool = False,
) -> int:
    """
    Check recorded positions and accounts: each margin, liquidation price and ratio recomputed by the venue's rules.

    Three columns, never mixed: what the venue reports, what a connector (ccxt) filled in, what the rules give. Each
    difference is traced to causes by swapping one input at a time. Exit code 1 if a figure failed or none passed,
    3 if a file cannot be read.

    Parameters
    ----------
    what
        `check`.
    files
        JSON: a venue's payload as it came, a ccxt dump, a bundle of payloads, or records; `-` for standard input.
    venue
        Whose payloads they are, where their fields do not tell.
    rules
        Judge every account by this rulebook.
    show_all
        Show also the figures that agree to the printed digits.
    json
        Print one object with every row.
    """
    from tocsin.core.errors import ConfigError
    from tocsin.desk.check import check_found
    from tocsin.desk.rows import Report, Status
    from tocsin.venues.readers.files import read_bytes
    from tocsin.venues.registry import find_rulebook
    from tocsin.views.desk_json import to_plain
    from tocsin.views.desk_text import render_report

    if not files:
        raise UsageError(f"desk {what} FILE... must name at least one file, was empty")
    for file in map(str, files):
        if file.startswith("-") and file != "-":
            raise UsageError(f"unknown option {file!r}")
    if rules:
        try:
            find_rulebook(rules)
        except ConfigError as error:
            raise UsageError(str(error)) from None
    report = Report()
    for file in files:
        check_found(read_bytes(_read(file), label=_label(file), venue=venue), report, rules=rules)
    if json:
        print_json(to_plain(report))
    else:
        sys.stdout.write(render_report(report, is_full=show_all))
    if report.ok:
        return Exit.OK
    if not json and not report.count(Status.FAILED):
        print_error("nothing could be checked: every figure was skipped, for the reasons above")
    return Exit.FINDING


def _read(file: Path) -> bytes:
    from tocsin.venues.readers.files import BYTES_MAX

    if str(file) == "-":
        return sys.stdin.buffer.read(BYTES_MAX + 1)
    with file.open("rb") as stream:
        return stream.read(BYTES_MAX + 1)


def _label(file: Path) -> str:
    return "standard input" if str(file) == "-" else file.name
