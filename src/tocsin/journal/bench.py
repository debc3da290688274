"""
`bench journal`: durable events per second, beside SQLite and beside the disk's own limit, in one run.

Every round measures each writer once, in turn, so that a busy moment hits all of them; the median over
rounds is reported. Each writer gets the same rows and makes each batch durable before the next one.
"""

import os
import sqlite3
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from tocsin.journal.disk import RealDisk
from tocsin.journal.log import Journal

BATCHES = (1, 10, 100, 1000)
PAYLOAD_BYTES = 100
FLOORS = {1000: 2.0}
"""Batch size -> least ratio to SQLite we aim at."""

Row = tuple[int, int, bytes]
Writer = Callable[[list[Row]], None]


def run_bench_journal(
    *, directory: str | None = None, rounds: int = 7, seconds_max: float = 0.25
) -> list[dict[str, object]]:
    """
    Measure committed records per second at batches of 1, 10, 100 and 1000 records of 100 bytes.

    Args:
        directory: Where to write, on the disk to be measured; the present directory if not given.
        rounds: Rounds, each with every writer once per batch size.
        seconds_max: Wall seconds each writer gets per round and batch size.

    Returns:
        One row per batch size and peer: `metric`, `value` (ours, events/s), `unit`, `peer`, `ratio`
        (ours / peer, same run), `floor` (least ratio aimed at, or None).
    """
    speeds: dict[tuple[str, int], list[float]] = {}
    with tempfile.TemporaryDirectory(dir=directory or Path.cwd(), prefix="bench-journal-") as place:
        for batch in BATCHES:
            writers = _open_writers(Path(place), batch)
            rows = [(number % 7, number % 3, os.urandom(PAYLOAD_BYTES)) for number in range(batch)]
            for _, write, _ in writers:
                write(rows)
            for turn in range(rounds):
                for name, write, _ in writers[turn % len(writers) :] + writers[: turn % len(writers)]:
                    speeds.setdefault((name, batch), []).append(_measure(write, rows, seconds_max))
            for _, _, close in writers:
                close()
    results: list[dict[str, object]] = []
    for batch in BATCHES:
        ours = median(speeds["journal", batch])
        for peer, floor in (
            ("SQLite WAL synchronous=FULL", FLOORS.get(batch)),
            ("bare fdatasync loop", None),
        ):
            ratio = ours / median(speeds[peer, batch])
            results.append(
                {
                    "metric": f"journal, batch {batch}",
                    "value": round(ours),
                    "unit": "events/s",
                    "peer": peer,
                    "ratio": round(ratio, 3),
                    "floor": floor,
                }
            )
    return results


def _measure(write: Writer, rows: list[Row], seconds_max: float) -> float:
    """
    Return rows per wall second of as many batches as fit in `seconds_max`, at least 3.
    """
    batches, start = 0, time.perf_counter()
    while batches < 3 or time.perf_counter() - start < seconds_max:
        write(rows)
        batches += 1
    return batches * len(rows) / (time.perf_counter() - start)


def _open_writers(place: Path, batch: int) -> list[tuple[str, Writer, Callable[[], None]]]:
    return [
        ("journal", *_open_journal(place / f"journal-{batch}")),
        ("SQLite WAL synchronous=FULL", *_open_sqlite(place / f"sqlite-{batch}.db")),
        ("bare fdatasync loop", *_open_bare(place / f"bare-{batch}")),
    ]


def _open_journal(path: Path) -> tuple[Writer, Callable[[], None]]:
    # Short segments, so that every measurement has its share of new segments.
    journal = Journal.create(RealDisk(path), b"bench", segment_bytes=16 * 1024 * 1024)

    def write(rows: list[Row]) -> None:
        journal.append_many(rows)
        journal.commit()

    return write, journal.close


def _open_sqlite(path: Path) -> tuple[Writer, Callable[[], None]]:
    """
    Open SQLite with what makes it fastest while every commit is durable.
    """
    connection = sqlite3.connect(path, isolation_level=None, cached_statements=16)
    for pragma in ("locking_mode=EXCLUSIVE", "journal_mode=WAL", "synchronous=FULL", "temp_store=MEMORY"):
        connection.execute(f"PRAGMA {pragma}")
    connection.execute("PRAGMA cache_size=-65536")
    connection.execute("CREATE TABLE log(number INTEGER PRIMARY KEY, kind INTEGER, stream INTEGER, payload BLOB)")

    def write(rows: list[Row]) -> None:
        connection.execute("BEGIN")
        connection.executemany("INSERT INTO log(kind, stream, payload) VALUES (?, ?, ?)", rows)
        connection.execute("COMMIT")

    return write, connection.close


def _open_bare(path: Path) -> tuple[Writer, Callable[[], None]]:
    """
    Write the bare payloads over a reserved file, without frames, checksums or chain: the disk's limit.
    """
    disk = RealDisk(path)
    length = 16 * 1024 * 1024
    file = disk.create("bare", length)
    file.sync_data()
    offset = 0

    def write(rows: list[Row]) -> None:
        nonlocal offset
        data = b"".join([payload for _, _, payload in rows])
        if offset + len(data) > length:
            offset = 0
        file.write(offset, data)
        file.sync_data()
        offset += len(data)

    return write, file.close
