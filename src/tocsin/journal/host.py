"""
The embedded host: an engine whose log is a journal on one disk (rules JN-045 to JN-050).

A command is acknowledged when it is durable. A cut is durable before anyone sees what it did. After a crash the host
opens the newest snapshot that the journal's chain confirms, or starts from the genesis, and recomputes the rest.
After any error on the way to the disk the host stops: memory may be ahead of the disk, and only a new opening tells.
"""

from collections.abc import Generator, Iterable
from contextlib import contextmanager
from types import TracebackType
from typing import NamedTuple, Self

from tocsin.core.codec import encode
from tocsin.core.errors import CodecError, DataError, JournalError, LimitReached, Reason, Refused
from tocsin.engine.commands import AnyCommand, encode_command
from tocsin.engine.engine import Engine
from tocsin.engine.messages import CycleResult
from tocsin.engine.sequencer import Accepted
from tocsin.journal.disk import Disk
from tocsin.journal.frames import BATCH_BYTES_MAX, RECORD_EXTRA_BYTES
from tocsin.journal.log import Journal
from tocsin.journal.recompute import replay_cycle, start_engine
from tocsin.journal.records import (
    FORMAT,
    INGRESS,
    Close,
    CommandDigest,
    Cut,
    Genesis,
    RecordKind,
    encode_genesis,
    read_cycles,
)
from tocsin.journal.snapshot import latest_snapshot, write_snapshot
from tocsin.sheet.terms import RiskSheet, encode_sheet

BATCH_ROOM = 1 << 20
"""Bytes of a batch that commands leave free, for the cut that may follow."""


class Resumed(NamedTuple):
    """
    How an open host came to its state: cycle of the snapshot used (0: none), cycles recomputed, commands of the open
    cycle found, and notes on damage passed over or an interrupted write.
    """

    snapshot_cycle: int
    cycles: int
    commands: int
    notes: tuple[str, ...]


class EmbeddedHost:
    """
    One process, one disk. Not safe for use from several threads.

    `snapshot_failure` says why the last snapshot could not be written, or is empty; the journal alone is enough.
    """

    def __init__(self, disk: Disk, journal: Journal, engine: Engine, resumed: Resumed, snapshot_every: int) -> None:
        """Use `create` or `open`."""
        self._disk = disk
        self._journal = journal
        self.engine = engine
        self.resumed = resumed
        self.snapshot_failure = ""
        self._snapshot_every = snapshot_every
        self._digest = CommandDigest()
        self._batch_bytes = 0
        self._stopped = ""

    @classmethod
    def create(
        cls, disk: Disk, sheet: RiskSheet, time_ns: int, *, shards: int = 1, snapshot_every: int = 0, **options: int
    ) -> Self:
        """
        Make a new journal and the engine over it.

        Args:
            time_ns: Log time of the first cycle.
            shards: P; changes no byte of the state.
            snapshot_every: Cycles between snapshots, 0 for none.
            options: Passed to `Journal.create` (`segment_bytes`).

        Raises:
            JournalError: There is a journal already, or the disk refuses.
            SheetError: The sheet breaks a bound.
        """
        engine = Engine(sheet, time_ns, shards=shards)
        header = encode_genesis(Genesis(FORMAT, time_ns, encode_sheet(sheet)))
        journal = Journal.create(disk, header, **options)
        return cls(disk, journal, engine, Resumed(0, 0, 0, ()), snapshot_every)

    @classmethod
    def open(cls, disk: Disk, *, shards: int = 1, snapshot_every: int = 0) -> Self:
        """
        Open a journal and bring the engine to where it was; a cut whose close was not written is completed.

        Raises:
            JournalError: No journal, damaged, or what it says happened is not what its commands give.
        """
        journal = Journal.open(disk)
        try:
            engine, start, used, notes = _start(disk, journal, shards)
            host = cls(disk, journal, engine, Resumed(used, 0, 0, tuple(notes)), snapshot_every)
            cycles = 0
            for cycle in read_cycles(journal.records(start)):
                result = replay_cycle(engine, cycle)
                if result is None:
                    host._digest = CommandDigest(cycle.commands)
                    host.resumed = host.resumed._replace(commands=len(cycle.commands))
                    continue
                cycles += 1
                if cycle.close is None:
                    assert cycle.cut is not None
                    host._write_close(result, cycle.cut)
            host.resumed = host.resumed._replace(cycles=cycles)
            return host
        except BaseException:
            journal.close()
            raise

    @property
    def head(self) -> bytes:
        """Chain head of the journal after the last acknowledged batch."""
        return self._journal.head

    def submit(self, command: AnyCommand | bytes) -> Accepted | Refused:
        """
        Stamp a command and add it to the batch; it is acknowledged, and survives a crash, once `commit` returned.

        Raises:
            JournalError: The host has stopped; open it again.
            LimitReached: The batch is full; nothing was stamped, `commit` and submit again.
        """
        self._check_running()
        if isinstance(command, bytes | bytearray | memoryview):
            data = bytes(command)
        else:
            try:
                data = encode_command(command)
            except CodecError as error:
                return Refused(Reason.MALFORMED, detail=str(error))
        size = len(data) + RECORD_EXTRA_BYTES
        if self._batch_bytes + size > BATCH_BYTES_MAX - BATCH_ROOM:
            raise LimitReached(f"a batch must be at most {BATCH_BYTES_MAX - BATCH_ROOM} bytes; commit more often")
        answer = self.engine.submit(data)
        if isinstance(answer, Accepted):
            with self._stopping("a command could not be added to the batch"):
                self._journal.append(RecordKind.COMMAND, INGRESS, data)
            self._digest.add(data)
            self._batch_bytes += size
        return answer

    def commit(self) -> bytes:
        """
        Make all submitted commands durable in one write and return the journal's chain head.

        Raises:
            JournalError: The disk refused; nothing of the batch is acknowledged and the host must be opened again.
        """
        self._check_running()
        with self._stopping("a commit failed"):
            head = self._journal.commit()
        self._batch_bytes = 0
        return head

    def submit_all(self, commands: Iterable[AnyCommand | bytes]) -> list[Accepted | Refused]:
        """
        Submit commands and commit them together.
        """
        answers = [self.submit(command) for command in commands]
        self.commit()
        return answers

    def cut(self, next_time_ns: int) -> CycleResult:
        """
        Close the open cycle, durably, and open the next at log time `next_time_ns`; commits what was submitted.

        A snapshot that is due and cannot be written is told in `snapshot_failure`; the cut stands.

        Raises:
            DataError: The time is not after the open cycle's; nothing was written.
            JournalError: The disk refused; the host must be opened again, which says whether the cut happened.
            InvariantBroken: A defect; the host has stopped, the journal stays valid.
        """
        self._check_running()
        self.engine.check_time(next_time_ns)
        cut = Cut(self.engine.cycle, next_time_ns, self.engine.row_counts(), self._digest.digest())
        with self._stopping("a cut failed"):
            self._journal.append(RecordKind.CUT, INGRESS, encode(cut))
            self._journal.commit()
            result = self.engine.cut(next_time_ns)
            self._write_close(result, cut)
        if self._snapshot_every and cut.cycle % self._snapshot_every == 0:
            try:
                self.write_snapshot()
                self.snapshot_failure = ""
            except JournalError as error:
                self.snapshot_failure = str(error)
        return result

    def _write_close(self, result: CycleResult, cut: Cut) -> None:
        self._journal.append(RecordKind.CLOSE, INGRESS, encode(Close.of(result, cut)))
        self._journal.commit()
        self._digest = CommandDigest()
        self._batch_bytes = 0

    def write_snapshot(self) -> None:
        """
        Write the state durably beside the journal; only right after a cut.

        Raises:
            DataError: Commands were submitted since the last cut, or none was made yet.
            JournalError: The disk refused; no new snapshot, the journal goes on.
        """
        self._check_running()
        cycle, count = self.engine.cycle - 1, self._journal.count
        if not cycle:
            raise DataError("snapshot must be taken right after a cut, none was made yet")
        write_snapshot(self._disk, cycle, count, self._journal.head, self.engine.snapshot())

    def _check_running(self) -> None:
        if self._stopped:
            raise JournalError(f"the host has stopped since {self._stopped}; open it again to see what the disk holds")

    @contextmanager
    def _stopping(self, why: str) -> Generator[None]:
        """Stop the host if the block fails in whatever way: its memory may be ahead of the disk."""
        done = False
        try:
            yield
            done = True
        finally:
            if not done:
                self._stopped = why

    def close(self) -> None:
        """
        Let go of the journal; commands not committed are dropped.

        Raises:
            JournalError: The disk refused; what was acknowledged stays.
        """
        self._stopped = self._stopped or "it was closed"
        self._journal.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _start(disk: Disk, journal: Journal, shards: int) -> tuple[Engine, int, int, list[str]]:
    """
    Return engine, first record to apply, cycle of the snapshot used, and notes; a snapshot the chain does not confirm
    is passed over.
    """
    found, recovered = latest_snapshot(disk), journal.recovered
    snapshot, notes = found.snapshot, list(found.notes)
    if recovered.cut_bytes:
        notes.append(f"an interrupted write of {recovered.cut_bytes} bytes was cut from {recovered.cut_file}")
    if snapshot is not None:
        if journal.head_at(snapshot.record_number) == snapshot.chain_head:
            try:
                engine = Engine.restore(snapshot.payload, shards=shards)
                return engine, snapshot.record_number, snapshot.cycle, notes
            except CodecError as error:
                notes.append(f"snapshot of cycle {snapshot.cycle} cannot be read: {error}")
        else:
            notes.append(f"snapshot of cycle {snapshot.cycle} is not of this journal")
        notes.append("recomputing from the start")
    return start_engine(journal.header, shards=shards), 0, 0, notes
