"""
Replay: recompute a journal's events, which are never stored (rule JN-057).
"""

from collections.abc import Callable
from typing import NamedTuple

import msgspec

from tocsin.core.errors import JournalError
from tocsin.engine.messages import Event
from tocsin.journal.disk import Disk
from tocsin.journal.log import Journal
from tocsin.journal.recompute import replay_cycle, start_engine
from tocsin.journal.records import Progress, read_cycles


class Replayed(NamedTuple):
    """Cycles recomputed, log time of the first and last, the last root, and how often each kind of event occurred."""

    cycles: int
    first_ns: int
    last_ns: int
    root: bytes
    counts: dict[str, int]


def event_line(event: Event) -> str:
    """
    Return an event as one line of JSON.
    """
    fields = {"cycle": event.cycle, "kind": event.kind, "account": event.account, **event.fields}
    return msgspec.json.encode(fields).decode()


def replay_journal(
    disk: Disk,
    *,
    shards: int = 1,
    on_event: Callable[[str], None] | None = None,
    progress: Progress | None = None,
) -> Replayed:
    """
    Recompute every cycle of a journal.

    Args:
        on_event: Called with each event as a line of JSON, in canonical order.
        progress: Called after each cycle with (records done, of how many, note).

    Raises:
        JournalError: No journal, damaged, without a closed cycle, or its commands do not give its roots.
    """
    journal = Journal.open(disk, read_only=True)
    try:
        engine = start_engine(journal.header, shards=shards)
        counts: dict[str, int] = {}
        first, last, root, cycles = engine.opened.time_ns, 0, b"", 0
        for cycle in read_cycles(journal.records()):
            result = replay_cycle(engine, cycle)
            if result is None:
                continue
            cycles, last, root = cycles + 1, result.opened.time_ns, result.root
            for event in result.events:
                counts[event.kind] = counts.get(event.kind, 0) + 1
                if on_event is not None:
                    on_event(event_line(event))
            if progress is not None:
                progress(cycle.end, journal.count, f"cycle {cycles:,}")
        if not cycles:
            raise JournalError(f"the journal in {disk.place} must hold a closed cycle, holds none")
        return Replayed(cycles, first, last, root, {kind: counts[kind] for kind in sorted(counts)})
    finally:
        journal.close()
