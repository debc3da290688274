"""
`tocsin replay`: recompute a journal and show what happened.
"""

import sys
from pathlib import Path

from tocsin.cli.journals import check_shards, find_journal, show_reading
from tocsin.cli.output import Exit, print_json, print_table


def replay(journal: Path, /, *, events: bool = False, shards: int = 1, json: bool = False) -> int:
    """
    Recompute a journal from its first record and count what happened.

    Parameters
    ----------
    journal:
        Folder of the journal.
    events:
        Print every event as one JSON line instead of the counts.
    shards:
        How many shards to recompute with, 1 to 4096; the result is the same.
    json:
        Print one JSON object.
    """
    from tocsin.journal.replay import replay_journal
    from tocsin.views.why_numbers import format_moment

    check_shards(shards)
    disk = find_journal(journal)
    with show_reading(f"replay {journal}", unit="records") as report:
        # Lines and a bar on one terminal would run into each other.
        progress = None if events and sys.stdout.isatty() else report
        found = replay_journal(disk, shards=shards, on_event=print if events else None, progress=progress)
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
    first, last = format_moment(found.first_ns), format_moment(found.last_ns)
    print(f"{journal}: {found.cycles:,} cycles, {first} to {last}")
    print_table("events by kind", [("event", "left"), ("number", "right")], rows)
    print(f"root {found.root.hex()}")
    return Exit.OK
