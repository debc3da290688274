"""
One seed of the durability simulation: sessions of a journal on a simulated disk, each ended by a fault.

`check_seed` raises if what an opening shows is not what was acknowledged, in order, plus at most the whole
batch that was in flight.
"""

import errno
from collections.abc import Callable
from random import Random

from tocsin.core.errors import JournalError
from tocsin.journal.log import Journal
from tocsin.journal.simdisk import SimDisk, SimulatedCrash
from tocsin.journal.snapshot import latest_snapshot, write_snapshot

Row = tuple[int, int, bytes]


class Model:
    """
    What must be on the disk: acknowledged rows, the batch in flight, the newest acknowledged snapshot.
    """

    def __init__(self, seed: int, disk: SimDisk) -> None:
        self.random = Random(seed)
        self.disk = disk
        self.created = False
        self.closed = False
        self.acked: list[Row] = []
        self.in_flight: list[Row] = []
        self.snapshot = -1
        self.snapshot_next = 0
        self.fault_armed = False

    def open(self) -> Journal | None:
        """
        Open or create, and compare with the model; None if an injected error came up.
        """
        # An opening that is interrupted may leave garbage where it reserves, which the next one reports.
        closed, self.closed = self.closed, False
        try:
            journal = Journal.open(self.disk)
        except JournalError as error:
            if self.fault_armed:
                return None
            if "no journal in" not in str(error) or self.created:
                raise
            try:
                journal = Journal.create(self.disk, b"header", segment_bytes=2048)
            except JournalError:
                assert self.fault_armed
                return None
        assert journal.header == b"header"
        self.compare(journal, closed=closed)
        self.created = True
        return journal

    def compare(self, journal: Journal, *, closed: bool) -> None:
        records = list(journal.records())
        assert [record.number for record in records] == list(range(len(records))) and journal.count == len(records)
        rows = [(record.kind, record.stream, record.payload) for record in records]
        assert rows in (self.acked, self.acked + self.in_flight), (
            f"acknowledged {len(self.acked)}, in flight {len(self.in_flight)}, found {len(rows)}"
        )
        if closed:
            assert journal.recovered.closed and journal.recovered.cut_bytes == 0, "a closed journal is sealed"
        # What an opening has shown counts as acknowledged: somebody may have acted on it.
        self.acked, self.in_flight = rows, []
        found = latest_snapshot(self.disk).snapshot
        cycle = -1 if found is None else found.cycle
        assert cycle >= self.snapshot, f"snapshot {self.snapshot} is gone, found {cycle}"
        assert found is None or found.payload == snapshot_payload(cycle)

    def work(self, journal: Journal) -> None:
        random = self.random
        for _ in range(random.randint(0, 4)):
            if random.random() < 0.15:
                self.snapshot_next += 1
                payload = snapshot_payload(self.snapshot_next)
                write_snapshot(self.disk, self.snapshot_next, journal.count, journal.head, payload)
                self.snapshot = self.snapshot_next
                continue
            rows = [random_row(random) for _ in range(random.choice((1, 1, 2, 5, 30)))]
            for row in rows:
                journal.append(*row)
            self.in_flight = rows
            journal.commit()
            self.acked, self.in_flight = self.acked + rows, []
        if random.random() < 0.2:
            journal.close()
            self.closed = True

    def session(self) -> None:
        """
        Open, work until a fault or the end of the session, then end the process or lose power.
        """
        random, disk = self.random, self.disk
        fault = random.choice(("none", "crash", "crash", "error", "full"))
        at = disk.operations + random.randint(0, 15)
        if fault == "crash":
            disk.crash_at = at
        elif fault == "error":
            disk.fail_at = {at: random.choice((errno.EIO, errno.ENOSPC))}
        elif fault == "full":
            disk.capacity = sum(len(disk.contents(name)) for name in disk.names()) + random.randint(0, 6000)
        self.fault_armed = fault in ("error", "full")
        journal = None
        try:
            journal = self.open()
            if journal is not None:
                self.work(journal)
        except SimulatedCrash:
            pass
        except JournalError:
            assert self.fault_armed
            assert journal is not None
            self.after_error(journal)
        disk.capacity = 1 << 40
        self.fault_armed = False
        if random.random() < 0.5:
            disk.kill()
        else:
            disk.crash()

    def after_error(self, journal: Journal) -> None:
        """
        A failed commit poisons; what was acknowledged stays readable.
        """
        assert [(r.kind, r.stream, r.payload) for r in journal.records()] == self.acked
        if self.in_flight:
            for call in (journal.commit, lambda: journal.append(1, 1, b"late")):
                try:
                    call()
                except JournalError:
                    continue
                raise AssertionError("a poisoned journal took a call")


def random_row(random: Random) -> Row:
    return random.randrange(1 << 32), random.randrange(16), random.randbytes(random.choice((0, 1, 20, 90)))


def snapshot_payload(cycle: int) -> bytes:
    return b"state after %d;" % cycle * 60


def check_seed(seed: int, make_disk: Callable[[int], SimDisk] = SimDisk) -> Model:
    """
    Run one seed; raises AssertionError or JournalError when something acknowledged is lost or half there.
    """
    model = Model(seed, make_disk(seed))
    for _ in range(model.random.randint(2, 6)):
        model.session()
    for _ in range(2):
        journal = model.open()
        assert journal is not None
        journal.append(7, 7, b"still takes records")
        model.in_flight = [(7, 7, b"still takes records")]
        journal.commit()
        model.acked, model.in_flight = model.acked + model.in_flight, []
        model.disk.crash()
    return model
