"""
`tocsin replay`: recompute a journal and show what happened.
"""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from tocsin.cli.output import Exit, print_json, print_table
from tocsin.cli.progress import show_wait


def replay(
    journal: Path,
    /,
    *,
    events: bool = False,
    shards: Annotated[int, Parameter(help="How many shards to recompute with; the result is the same.")] = 1,
    json: bool = False,
) -> int:
    """
    Recompute a journal from its first record and count what happened.

    Parameters
    ----------
    journal:
        Folder of the journal.
    events:
        Print every event as one JSON line instead of the counts.
    json:
        Print one JSON object.
    """
    from tocsin.journal.disk import RealDisk
    from tocsin.journal.replay import replay_journal

    def show(line: str) -> None:
        print(line)

    with show_wait(f"recomputing {journal}"):
        found = replay_journal(RealDisk(journal), shards=shards, on_event=show if events else None)
    if events:
        return Exit.OK
    if json:
        print_json(
            {
                "cycles": found.cycles,
                "first_time_ns": str(found.first_ns),
                "last_time_ns": str(found.last_ns),
                "root": found.root.hex(),
                "events": found.counts,
            }
        )
        return Exit.OK
    rows = [(kind.replace("_", " "), f"{n:,}") for kind, n in found.counts.items()]
    print_table(f"{journal}: {found.cycles:,} cycles", [("event", "left"), ("number", "right")], rows)
    print(f"root {found.root.hex()}")
    return Exit.OK
