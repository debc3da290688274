"""
Kill writers of a real journal at random moments and check what is left. Runs as a program of its own.

`python killer.py DIRECTORY KILLS SEED` prints one line; exit status 1 and a reason if something was lost.
Each child opens the journal, appends batches, and tells the number of acknowledged records through a
pipe after each commit, until it is killed.
"""

import contextlib
import os
import signal
import sys
import time
from pathlib import Path
from random import Random

import tocsin.journal.disk
from tocsin.core.errors import JournalError
from tocsin.journal.disk import RealDisk
from tocsin.journal.log import Journal

KILLS_PER_JOURNAL = 15
SEGMENT_BYTES = 16 * 1024


def payload_of(number: int) -> bytes:
    return b"record %d;" % number * (number % 9 + 1)


def write_until_killed(directory: Path, pipe: int, seed: int) -> None:
    random = Random(seed)
    try:
        journal = Journal.open(RealDisk(directory))
    except JournalError:
        journal = Journal.create(RealDisk(directory), b"kill", segment_bytes=SEGMENT_BYTES)
    while True:
        os.write(pipe, journal.count.to_bytes(8, "little"))
        for _ in range(random.choice((1, 3, 20, 100))):
            number = journal.count + len(journal._buffer)
            journal.append(number % 5, number % 3, payload_of(number))
        journal.commit()


def run_child(directory: Path, random: Random) -> int:
    """
    Start a writer, kill it after a moment, and return the last number it acknowledged, or -1.
    """
    receiver, sender = os.pipe()
    seed, wait = (
        random.randrange(1 << 30),
        random.choice((0.0, random.random() * 0.004, random.random() * 0.02)),
    )
    child = os.fork()
    if child == 0:
        os.close(receiver)
        with contextlib.suppress(BaseException):
            write_until_killed(directory, sender, seed)
        os._exit(3)
    os.close(sender)
    # Mostly wait for a sign of life, so that the moment falls into the writing and not the start.
    told = os.read(receiver, 8) if random.random() < 0.8 else b""
    time.sleep(wait)
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    if not os.WIFSIGNALED(status):
        raise SystemExit(f"child ended by itself with status {status}")
    while piece := os.read(receiver, 1 << 16):
        told += piece
    os.close(receiver)
    return int.from_bytes(told[-8:], "little") if told else -1


def check(directory: Path, acked: int) -> int:
    """
    Return how many records are there; all acknowledged ones must be, with their bytes, in order.
    """
    try:
        journal = Journal.open(RealDisk(directory), read_only=True)
    except JournalError as error:
        if acked < 0 and "no journal in" in str(error):
            return 0
        raise
    found = 0
    for record in journal.records():
        expected = (found, found % 5, found % 3, payload_of(found))
        if tuple(record) != expected:
            raise SystemExit(f"record {found} is not what was written: {record}")
        found += 1
    if found < acked:
        raise SystemExit(f"{acked} records were acknowledged, {found} are there")
    journal.close()
    return found


def main(root: str, kills: int, seed: int) -> None:
    random = Random(seed)
    tocsin.journal.disk.SPARE_BYTES_MIN = 0
    total = 0
    acked = -1
    directory = Path(root) / "none"
    for kill in range(kills):
        if kill % KILLS_PER_JOURNAL == 0:
            directory, acked = Path(root) / f"journal-{kill}", -1
        acked = max(acked, run_child(directory, random))
        found = check(directory, acked)
        acked = max(acked, found) if acked >= 0 else acked
        total += found
    print(f"{kills} kills, {total} records checked, none lost")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
