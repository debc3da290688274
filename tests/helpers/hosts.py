"""
Journals of small worlds, written through the embedded host, and forgeries of them.
"""

from collections.abc import Callable, Iterable
from functools import cache

import msgspec

from tests.helpers.chaos import wild_history
from tocsin.core.codec import encode
from tocsin.engine.commands import AnyCommand
from tocsin.engine.messages import CloseLots, CycleResult, Debit, Grant, Release
from tocsin.journal.disk import Disk
from tocsin.journal.host import INGRESS, EmbeddedHost
from tocsin.journal.log import Journal
from tocsin.journal.records import (
    Close,
    CommandDigest,
    Cut,
    CycleRecords,
    RecordKind,
    hash_cut,
    read_cycles,
)
from tocsin.journal.simdisk import SimDisk
from tocsin.sheet.terms import RiskSheet

Log = list[tuple[str, object]]


@cache
def wild_world(seed: int, cycles: int = 40, accounts: int = 8):
    """Return a finished random world: its log, first sheet, start and results; the same object each time."""
    return wild_history(seed, cycles=cycles, accounts=accounts)


@cache
def rich_world():
    """Return the first wild world in which every kind of decision and opening occurs."""
    for seed in range(200):
        world = wild_world(seed)
        opened = [r.opened for r in world.results[3:]]
        kinds = {type(d) for o in opened for d in o.decisions}
        fields = ("sheet", "closed", "lots_wanted", "money_wanted", "outage_ns")
        told = {e.kind for r in world.results for e in r.events}
        if kinds == {Grant, CloseLots, Debit, Release} and all(any(getattr(o, f) for o in opened) for f in fields):
            if {"order_checked", "hold_set", "call_issued", "fee"} <= told:
                return world
    raise AssertionError("no seed is rich enough")


def play(host: EmbeddedHost, log: Log) -> list[CycleResult]:
    """Submit and cut as the log says."""
    results: list[CycleResult] = []
    for what, value in log:
        if what == "command":
            host.submit(value)
        else:
            results.append(host.cut(value))
    return results


def write_journal(
    log: Log, sheet: RiskSheet, start_ns: int, *, disk: Disk | None = None, shards: int = 1, **options: int
) -> Disk:
    """Write a log as a journal, closed in order, and return its disk."""
    disk = disk or SimDisk(1)
    with EmbeddedHost.create(disk, sheet, start_ns, shards=shards, **{"segment_bytes": 1 << 16, **options}) as host:
        play(host, log)
        host.commit()
    return disk


@cache
def rich_disk() -> Disk:
    """Return the disk of the rich world's journal; not to be changed."""
    world = rich_world()
    return write_journal(world.log, world.first_sheet, world.start_ns)


def read_all(disk: Disk) -> tuple[bytes, list[CycleRecords]]:
    """Return header and cycles of a journal."""
    with Journal.open(disk, read_only=True) as journal:
        return journal.header, list(read_cycles(journal.records()))


def write_all(header: bytes, cycles: Iterable[CycleRecords]) -> SimDisk:
    """Write cycles as a whole, closed journal with its checksums and chain right."""
    disk = SimDisk(2)
    with Journal.create(disk, header, segment_bytes=1 << 16) as journal:
        for cycle in cycles:
            for command in cycle.commands:
                journal.append(RecordKind.COMMAND, INGRESS, command)
            for kind, value in ((RecordKind.CUT, cycle.cut), (RecordKind.CLOSE, cycle.close)):
                if value is not None:
                    journal.append(kind, INGRESS, encode(value))
            journal.commit()
    return disk


def forge(disk: Disk, edit: Callable[[int, CycleRecords], None], *, careful: bool = False) -> SimDisk:
    """
    Return a copy in which `edit(number, cycle)` changed cycles, checksums and chain made right again; `careful` also
    makes the digests and row counts inside cuts and closes right (one shard).
    """
    header, cycles = read_all(disk)
    for number, cycle in enumerate(cycles, start=1):
        before = len(cycle.commands)
        edit(number, cycle)
        if careful and cycle.cut is not None and before == len(cycle.commands):
            cycle.cut = replace(cycle.cut, commands=CommandDigest(cycle.commands).digest())
        if careful and cycle.cut is not None and cycle.close is not None:
            cycle.close = replace(cycle.close, cut=hash_cut(cycle.cut))
    return write_all(header, cycles)


def replace(struct: Cut | Close | AnyCommand, /, **changes: object):
    """Return a struct with fields changed."""
    return msgspec.structs.replace(struct, **changes)
