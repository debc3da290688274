"""
`tocsin demo`: 10 October 2025 through the engine, the same accounts under two sets of rules.
"""

import os
import shutil
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from tocsin.cli.output import Exit, UsageError, print_json
from tocsin.cli.progress import show_progress
from tocsin.core.errors import ConfigError, SheetError

if TYPE_CHECKING:
    from tocsin.lab.october.outcome import Outcome
    from tocsin.lab.october.study import Column, Setting
    from tocsin.views.october_report import Result
    from tocsin.views.tables import Table

SEEDS_MAX = 100


def demo(
    *,
    accounts: int = 5_000,
    seed: int = 1,
    seeds: int = 1,
    leverage: float = 8.0,
    cured: float = 0.0,
    tables: bool = False,
    margin_calls: Literal["on", "off"] = "on",
    changes: Annotated[tuple[str, ...], Parameter(name="--set", negative=())] = (),
    out: Path = Path("october.journal"),
    exit: bool = False,  # noqa: A002 - the name of the option
    json: bool = False,
    port: int = 0,
) -> int:
    """
    Replay 10 October 2025, 20:00 to 23:00 UTC: real prices, synthetic accounts, two sets of rules side by side.

    Writes the journal of Tocsin's run, pictures and a report page, and serves the page until Ctrl-C.

    Parameters
    ----------
    accounts
        Number of synthetic accounts, 50 to 50,000.
    seed
        Another seed draws other accounts, and other paths inside the price bars.
    seeds
        Run so many seeds, at half, once and twice the leverage, and print minimum, median and maximum.
    leverage
        Median of gross notional over equity at 20:00, 1 to 50.
    cured
        Share of owners who answer a margin call with money, 0 to 1.
    tables
        Add tables: 0, 25 and 50 % of owners answer; half and double cadence.
    margin_calls
        `off` runs Tocsin's rules without margin calls and prints before and after.
    changes
        PATH=VALUE: change one value of Tocsin's risk sheet and print before and after, such as
        calls.deadline_ns=600000000000 or contracts.*.impact_ppm=5000. May be repeated.
    out
        Folder of the journal; the one of an earlier demo is replaced. Page and pictures go beside it.
    exit
        End after printing instead of serving the report page.
    json
        Print one JSON object and end.
    port
        Where to serve the page on 127.0.0.1; 0 takes a free one.
    """
    from tocsin.cli.serve import serve_report
    from tocsin.lab.october.sheets import Rules
    from tocsin.lab.october.study import Setting
    from tocsin.views.october_report import build_json, write_head, write_text

    calls = margin_calls == "on"
    base = Setting(Rules.TOCSIN, accounts, seed, leverage, cured, calls=calls, changes=changes, journal=out)
    report = _prepare(base, out, seeds=seeds, port=port)
    if not json:
        print(write_head(base), flush=True)
    run = _Run(base, report)
    if run.preview() and not json:
        print(f"First picture, of fewer accounts and soon replaced: {report / 'price.svg'}\n", flush=True)
    result = run.full(seeds=seeds, tables=tables)
    if json:
        print_json(build_json(result))
    else:
        print(write_text(result), end="", flush=True)
        if not exit:
            serve_report(report / "index.html", port=port)
    return Exit.OK if result.is_whole else Exit.INTERNAL


def _prepare(base: "Setting", out: Path, *, seeds: int, port: int) -> Path:
    """
    Check all that was asked for, then make room for the journal; return the folder of the report.

    Whatever is wrong shows here, before the long run and before anything is removed.
    """
    from tocsin.lab.october.place import clear_journal, report_folder

    if not abs(base.seed) < 2**53:
        raise UsageError(f"--seed must be within +-2^53, was {base.seed}")
    if not 1 <= seeds <= SEEDS_MAX:
        raise UsageError(f"--seeds must be 1 to {SEEDS_MAX}, was {seeds}")
    if not 0 <= port <= 65_535:
        raise UsageError(f"--port must be 0 to 65535, was {port}")
    try:
        base.build_sheet(base.build_world())
        clear_journal(out)
    except (ConfigError, SheetError) as error:
        raise UsageError(str(error)) from None
    report = report_folder(out)
    report.mkdir(exist_ok=True)
    return report


class _Run:
    """One call of the demo: settings, outcomes, files."""

    def __init__(self, base: "Setting", report: Path) -> None:
        self._base = base
        self._report = report
        self._processes = max(1, min(8, len(os.sched_getaffinity(0)))) if hasattr(os, "sched_getaffinity") else 2

    def preview(self) -> bool:
        """Put the picture of a small world on disk; False if the whole one is small itself."""
        from dataclasses import replace

        from tocsin.lab.october.study import PREVIEW_ACCOUNTS, main_settings

        if self._base.accounts < 3 * PREVIEW_ACCOUNTS:
            return False
        small = replace(self._base, accounts=PREVIEW_ACCOUNTS, journal=None)
        columns = self._run_columns(main_settings(small), "first picture")
        self._write_pictures(columns, PREVIEW_ACCOUNTS)
        return True

    def full(self, *, seeds: int, tables: bool) -> "Result":
        """Run everything, write pictures and page, and return what was found."""
        from tocsin.lab.october import list_assumptions
        from tocsin.lab.october.bars import load_json
        from tocsin.lab.october.study import Column, choose_stories, main_settings
        from tocsin.views.october_report import Result, render_page

        columns = self._run_columns(main_settings(self._base), "replaying")
        side = [*(self._side_tables() if tables else ()), *(self._ranges(seeds) if seeds > 1 else ())]
        last = list(columns.values())[-1]
        world = self._base.build_world()
        result = Result(
            base=self._base,
            columns=columns,
            changes=self._list_changes(),
            stories=tuple(choose_stories(last, columns[Column.VENUE], world)),
            side_tables=tuple(side),
            assumptions=list_assumptions(world),
            published=load_json("october_published.json"),
            journal=self._base.journal or Path("october.journal"),
            report=self._report,
            program=_name_program(),
            make=_is_made_here(),
        )
        pictures = self._write_pictures(columns, self._base.accounts)
        (self._report / "index.html").write_text(render_page(result, pictures), encoding="utf-8")
        return result

    def _run_columns(self, settings: "dict[Column, Setting]", label: str) -> "dict[Column, Outcome]":
        return dict(zip(settings, self._run_all(list(settings.values()), label), strict=True))

    def _run_all(self, settings: "list[Setting]", label: str) -> "list[Outcome]":
        from tocsin.lab.october.study import count_cycles, run_settings

        with show_progress(label, total=count_cycles(settings), unit="cycles") as advance:
            return run_settings(settings, processes=self._processes, watch=lambda done, _all: advance(done, ""))

    def _write_pictures(self, columns: "dict[Column, Outcome]", accounts: int) -> tuple[str, str]:
        from tocsin.lab.october.cadence import END_S, SECOND_NS, START_S
        from tocsin.lab.october.paths import build_paths
        from tocsin.views.october_pictures import draw_payers, draw_price

        btc = next(p for p in build_paths(self._base.seed) if p.symbol == "BTC")
        marks = [btc.mark_at(t * SECOND_NS) for t in range(START_S, END_S + 1)]
        pictures = draw_price(marks, columns, accounts=accounts), draw_payers(columns, accounts=accounts)
        for name, picture in zip(("price.svg", "payers.svg"), pictures, strict=True):
            (self._report / name).write_text(picture, encoding="utf-8")
        return pictures

    def _list_changes(self) -> tuple[tuple[str, str, str], ...]:
        """Return path, value before and value after of each change of the sheet."""
        from dataclasses import replace

        from tocsin.lab.october.change import read_value

        world = self._base.build_world()
        before = replace(self._base, calls=True, changes=()).build_sheet(world)
        after = self._base.build_sheet(world)
        paths = [change.partition("=")[0].strip() for change in self._base.changes]
        if not self._base.calls:
            paths.insert(0, "calls.enabled")
        return tuple((p, read_value(before, p), read_value(after, p)) for p in dict.fromkeys(paths))

    def _side_tables(self) -> "list[Table]":
        from tocsin.lab.october.cadence import Cadence
        from tocsin.lab.october.sheets import Rules
        from tocsin.lab.october.study import CURED_SHARES, cadence_settings, cured_settings
        from tocsin.views.october_tables import build_side_table

        cured = cured_settings(self._base)
        cadences = [cadence_settings(self._base, rules) for rules in (Rules.VENUE, Rules.TOCSIN)]
        found = self._run_all([*cured, *cadences[0], *cadences[1]], "tables")
        names = [f"{cadence.name.lower()}" for cadence in Cadence]
        return [
            build_side_table(
                "Tocsin rules, by share of owners who answer a call", [f"{s:.0%}" for s in CURED_SHARES], found[:3]
            ),
            build_side_table("Venue-style rules, by cadence of cycles", names, found[3:6]),
            build_side_table("Tocsin rules, by cadence of cycles", names, found[6:]),
        ]

    def _ranges(self, seeds: int) -> "list[Table]":
        from tocsin.lab.october.sheets import Rules
        from tocsin.lab.october.study import range_leverages, range_settings
        from tocsin.views.october_tables import build_range_table

        leverages = range_leverages(self._base)
        both = (Rules.VENUE, Rules.TOCSIN)
        settings = [s for lev in leverages for rules in both for s in range_settings(self._base, seeds, lev, rules)]
        found = iter(self._run_all(settings, f"{seeds} seeds"))
        out: list[Table] = []
        for lev in leverages:
            columns = [(name, [next(found) for _ in range(seeds)]) for name in ("venue", "Tocsin")]
            out.append(build_range_table(f"Range over {seeds} seeds, median leverage {lev:g}", columns))
        return out


def _name_program() -> str:
    """Return how to call this program from the present folder: by name if the shell finds it."""
    if shutil.which("tocsin") is not None:
        return "tocsin"
    path = Path(sys.argv[0])
    if path.name != "tocsin":
        return f"{Path(sys.executable).name} -m tocsin"
    from tocsin.views.october_report import shown_path

    with suppress(ValueError):
        path = path.absolute().relative_to(Path.cwd())
    return shown_path(path).removeprefix("./")


def _is_made_here() -> bool:
    """Return whether `make demo` in the present folder runs this very program."""
    made = Path(".venv/bin/tocsin")
    return Path("Makefile").is_file() and made.is_file() and Path(sys.argv[0]).absolute() == made.absolute()
