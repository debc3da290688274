"""
The report of the October replay: as text for a terminal, as one page, and as one JSON object.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from textwrap import wrap
from typing import Any

from tocsin.lab.october.assumptions import Assumption
from tocsin.lab.october.outcome import Outcome
from tocsin.lab.october.study import Column, Setting, Story
from tocsin.views import october_tables as ot
from tocsin.views.report import CommandLine, ReportData, Section, render_report
from tocsin.views.tables import Table, render_text

WIDTH = 100
FOR_SCALE = "Published figures of the day are of other accounts: how large it was, not how this run should end."

TITLE = "10 October 2025 through the engine"
REAL = (
    "Real: prices of 64 perpetuals, 20:00 to 23:00 UTC; open interest of 15, maintenance tiers of 42 of them; the "
    "shape of account sizes."
)
SYNTHETIC = (
    "Synthetic: every account. Drawn from a seed, with stated assumptions; so this compares rules on the same "
    "accounts, and says nothing about who was liquidated that day."
)
RULES = (
    "Venue-style: no margin call, whole accounts liquidated, ADL and losses by queue. Tocsin: calls with deadlines, "
    "the least that is needed, ADL pro rata, losses by water-filling. Same accounts, tiers, funds, marks and capacity."
)


@dataclass(frozen=True, slots=True)
class Result:
    """
    Everything the demo found.

    Attributes:
        base: What was asked for.
        columns: Outcomes of the result, the last one is that of the journal.
        changes: Path, value before, value after of each change.
        side_tables: Cure shares, cadences, ranges; may be empty.
        journal: Folder of the journal as the reader would type it.
        report: Folder of page and pictures.
        program: How to call `tocsin` from here.
        make: Whether `make demo` runs this demo from here.
    """

    base: Setting
    columns: dict[Column, Outcome]
    changes: tuple[tuple[str, str, str], ...]
    stories: tuple[Story, ...]
    side_tables: tuple[Table, ...]
    assumptions: tuple[Assumption, ...]
    published: dict[str, Any]
    journal: Path
    report: Path
    program: str = "tocsin"
    make: bool = False

    @property
    def last(self) -> Outcome:
        """The outcome whose journal was written."""
        return list(self.columns.values())[-1]

    @property
    def is_whole(self) -> bool:
        """Whether money and lots were conserved in every run."""
        return all(o.residue == 0 for o in self.columns.values())


def write_head(base: Setting) -> str:
    """
    Return the lines that come before the run: what is real, what is not, what is compared.
    """
    kind = f"{base.accounts:,} accounts, seed {base.seed}, median leverage {base.leverage:g}"
    kind += f", {base.cured_share:.0%} of owners answer a call"
    lines = [TITLE, "", *_wrap(REAL), *_wrap(SYNTHETIC), *_wrap(RULES), "", kind]
    return "\n".join(lines) + "\n"


def write_text(result: Result) -> str:
    """
    Return what the demo prints after the run; no line is longer than `WIDTH` but for paths and commands.
    """
    parts = [_write_changes(result), render_text(ot.build_result(result.columns))]
    parts += ["\n".join(_wrap(text)) + "\n" for text in compare(result)]
    parts.append(render_text(ot.build_worse(result.columns)))
    parts += [render_text(table) for table in result.side_tables]
    parts.append(render_text(ot.build_published(result.published)))
    parts.append(f"Journal  {shown_path(result.journal)}, root of its last cycle\n         {result.last.root}\n")
    parts.append(
        f"Report   {shown_path(result.report / 'index.html')}, with pictures price.svg and payers.svg beside it\n"
    )
    lines = [f"Three accounts of {result.base.accounts:,}, step by step:"]
    for story in result.stories:
        lines += [f"  {ot.describe_story(story)} ({ot.describe_elsewhere(story)})", f"    {why_line(result, story)}"]
    parts.append("\n".join(lines) + "\n")
    what, line = suggest(result)
    parts.append(f"{what}\n    {line}\n")
    return "\n".join(part for part in parts if part)


def _write_changes(result: Result) -> str:
    lines = [f"  {path}: {before} -> {after}" for path, before, after in result.changes]
    return "\n".join(["Changed under Tocsin's rules:", *lines]) + "\n" if lines else ""


def compare(result: Result) -> list[str]:
    """
    Return a sentence on what a change made worse and better, if there was one.
    """
    columns = result.columns
    if Column.CHANGED not in columns:
        return []
    worse = ot.list_worse(columns[Column.CHANGED], columns[Column.TOCSIN])
    better = ot.list_worse(columns[Column.TOCSIN], columns[Column.CHANGED])
    return [f"Of {ot.COMPARED} measures the change made {len(worse)} worse and {len(better)} better."]


def why_line(result: Result, story: Story) -> str:
    """
    Return the command that explains an account.
    """
    return f"{result.program} why {shown_path(result.journal)} {story.account}"


def suggest(result: Result) -> tuple[str, str]:
    """
    Return one change worth trying, as a sentence and a command.
    """
    if Column.CHANGED not in result.columns:
        what, options = "Change one thing; the same accounts are shown before and after:", "--margin-calls off"
    else:
        what, options = "Another change, before and after:", "--set waterfall.lots=queue"
    return what, f'make demo ARGS="{options}"' if result.make else f"{result.program} demo {options}"


def shown_path(path: Path) -> str:
    """
    Return a path as one would type it: relative ones begin with `./`, one with other characters is quoted.
    """
    text = str(path)
    if not path.is_absolute() and not text.startswith("."):
        text = f"./{text}"
    return text if all(c.isalnum() or c in "._-/+,:@" for c in text) else "'" + text.replace("'", "'\\''") + "'"


def render_page(result: Result, pictures: Sequence[str]) -> str:
    """
    Return the report page; `pictures` are price and payers, SVG.
    """
    table = ot.build_result(result.columns)
    assumed = Table("", ("assumption", "value", "basis"), tuple((a.name, a.value, a.basis) for a in result.assumptions))
    changes = Table("Changed under Tocsin's rules", ("path", "before", "after"), result.changes)
    what, line = suggest(result)
    commands = [
        CommandLine(f"{ot.describe_story(s)}; {ot.describe_elsewhere(s)}", why_line(result, s)) for s in result.stories
    ]
    journal, root = shown_path(result.journal), result.last.root
    sections = (
        Section("What is real, and what is not", (REAL, SYNTHETIC, RULES)),
        Section("The day", pictures=(pictures[0],)),
        Section(
            "The same accounts, side by side",
            tuple(compare(result)),
            tables=(*((changes,) if result.changes else ()), table, ot.build_worse(result.columns)),
        ),
        Section("Who pays", pictures=(pictures[1],)),
        *((Section("Other settings", tables=result.side_tables),) if result.side_tables else ()),
        Section(
            "For scale",
            (FOR_SCALE,),
            tables=(ot.build_published(result.published),),
        ),
        Section("Three accounts, step by step", commands=tuple(commands)),
        Section(
            "Check it",
            (f"Root of the last cycle: {root}",),
            commands=(
                CommandLine(
                    "recompute everything from the journal", f"{result.program} verify {journal} --root {root}"
                ),
                CommandLine(what, line),
            ),
        ),
        Section("Assumptions", tables=(assumed,)),
    )
    kind = f"{result.base.accounts:,} synthetic accounts, seed {result.base.seed}; real prices; two sets of rules."
    return render_report(ReportData(TITLE, kind, sections))


def build_json(result: Result) -> dict[str, Any]:
    """
    Return the result as one JSON object; money in millionths of a USDT.
    """
    skipped = ("call_times", "forced", "events")
    runs = [
        {
            "column": column.value,
            **{f.name: getattr(o, f.name) for f in fields(o) if f.name not in skipped},
        }
        for column, o in result.columns.items()
    ]
    return {
        "unit": "0.000001 USDT",
        "accounts": result.base.accounts,
        "seed": result.base.seed,
        "leverage": result.base.leverage,
        "cured_share": result.base.cured_share,
        "accounts_are": "synthetic",
        "prices_are": "real",
        "changes": [{"path": p, "before": b, "after": a} for p, b, a in result.changes],
        "runs": runs,
        "not_better_under_tocsin": [
            {"measure": name, "venue": venue, "tocsin": ours}
            for name, venue, ours in ot.list_worse(result.columns[Column.TOCSIN], result.columns[Column.VENUE])
        ],
        "tables": [{"title": t.title, "columns": t.columns, "rows": t.rows} for t in result.side_tables],
        "published_of_other_accounts": result.published["hyperliquid_20251010"],
        "assumptions": [a._asdict() for a in result.assumptions],
        "stories": [
            {"account": s.account, "name": ot.describe_story(s), "why": why_line(result, s)} for s in result.stories
        ],
        "journal": str(result.journal),
        "report": str(result.report / "index.html"),
        "root": result.last.root,
        "try": suggest(result)[1],
    }


def _wrap(text: str) -> list[str]:
    return wrap(text, WIDTH, break_on_hyphens=False)
