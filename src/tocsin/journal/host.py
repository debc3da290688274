"""
The embedded host: an engine whose log is a journal on one disk (rules JN-045 to JN-050).

A command is acknowledged when it is durable. A cut is durable before anyone sees what it did. After a crash the host
opens the newest snapshot that the journal's chain confirms, or starts from the genesis, and recomputes the rest.
"""

from collections.abc import Iterable
from types import TracebackType
from typing import NamedTuple, Self

from tocsin.core.errors import InvariantBroken, JournalError, Refused
from tocsin.engine.commands import AnyCommand, encode_command
from tocsin.engine.engine import Engine
from tocsin.engine.messages import CycleResult
from tocsin.engine.sequencer import Accepted
from tocsin.journal.disk import Disk
from tocsin.journal.log import Journal
from tocsin.journal.records import (
    FORMAT,
    Close,
    Cut,
    CycleRecords,
    Genesis,
    RecordKind,
    encode_genesis,
    read_cycles,
    read_genesis,
)
from tocsin.journal.snapshot import latest_snapshot, write_snapshot
from tocsin.core.codec import encode
from tocsin.sheet.terms import RiskSheet, decode_sheet, encode_sheet

INGRESS = 0
"""Stream tag of commands, cuts and closes of the embedded host: it has one physical sequence."""


class Resumed(NamedTuple):
    """How an open host came to its state: cycle of the snapshot used (0: none), cycles recomputed, notes on damage."""

    snapshot_cycle: int
    cycles: int
    notes: tuple[str, ...]


class EmbeddedHost:
    """
    One process, one disk. Not safe for use from several threads.
    """

    def __init__(self, disk: Disk, journal: Journal, engine: Engine, resumed: Resumed, snapshot_every: int) -> None:
        """Use `create` or `open`."""
        self._disk = disk
        self._journal = journal
        self.engine = engine
        self.resumed = resumed
        self._snapshot_every = snapshot_every

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
        return cls(disk, journal, engine, Resumed(0, 0, ()), snapshot_every)

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
            cycles = 0
            for cycle in read_cycles(journal.records(start)):
                result = replay_cycle(engine, cycle)
                cycles += result is not None
                if result is not None and cycle.close is None:
                    journal.append(RecordKind.CLOSE, INGRESS, encode(Close.of(result)))
                    journal.commit()
            return cls(disk, journal, engine, Resumed(used, cycles, notes), snapshot_every)
        except BaseException:
            journal.close()
            raise

    def submit(self, command: AnyCommand | bytes) -> Accepted | Refused:
        """
        Stamp a command and add it to the batch; it is acknowledged, and survives a crash, once `commit` returned.
        """
        if not isinstance(command, bytes):
            command = encode_command(command)
        answer = self.engine.submit(command)
        if isinstance(answer, Accepted):
            self._journal.append(RecordKind.COMMAND, INGRESS, command)
        return answer

    def commit(self) -> bytes:
        """
        Make all submitted commands durable in one write and return the journal's chain head.

        Raises:
            JournalError: The disk refused; nothing of the batch is acknowledged and the host must be opened again.
        """
        return self._journal.commit()

    def submit_all(self, commands: Iterable[AnyCommand | bytes]) -> list[Accepted | Refused]:
        """
        Submit commands and commit them together.
        """
        answers = [self.submit(command) for command in commands]
        self.commit()
        return answers

    def cut(self, next_time_ns: int) -> CycleResult:
        """
        Close the open cycle, durably, and open the next at log time `next_time_ns`.

        Raises:
            DataError: The time is not after the open cycle's; nothing was written.
            JournalError: The disk refused.
        """
        self.engine.check_time(next_time_ns)
        cut = Cut(self.engine.cycle, next_time_ns, self.engine.row_counts())
        self._journal.append(RecordKind.CUT, INGRESS, encode(cut))
        self._journal.commit()
        result = self.engine.cut(next_time_ns)
        self._journal.append(RecordKind.CLOSE, INGRESS, encode(Close.of(result)))
        self._journal.commit()
        if self._snapshot_every and result.opened.cycle % self._snapshot_every == 0:
            self.write_snapshot()
        return result

    def write_snapshot(self) -> None:
        """
        Write the state durably beside the journal; only right after a cut.
        """
        cycle, count = self.engine.cycle - 1, self._journal.count
        write_snapshot(self._disk, cycle, count, self._journal.head, self.engine.snapshot())

    def close(self) -> None:
        """
        Let go of the journal; commands not committed are dropped.
        """
        self._journal.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def start_engine(header: bytes, *, shards: int = 1) -> Engine:
    """
    Return the engine of a journal's genesis.
    """
    genesis = read_genesis(header)
    return Engine(decode_sheet(genesis.sheet), genesis.time_ns, shards=shards)


def _start(disk: Disk, journal: Journal, shards: int) -> tuple[Engine, int, int, tuple[str, ...]]:
    """
    Return engine, first record to apply, cycle of the snapshot used, and notes; a snapshot the chain does not confirm
    is passed over.
    """
    found = latest_snapshot(disk)
    snapshot, notes = found.snapshot, list(found.notes)
    if snapshot is not None:
        if journal.head_at(snapshot.record_number) == snapshot.chain_head:
            return Engine.restore(snapshot.payload, shards=shards), snapshot.record_number, snapshot.cycle, tuple(notes)
        notes.append(f"snapshot of cycle {snapshot.cycle} is not of this journal; recomputing from the start")
    return start_engine(journal.header, shards=shards), 0, 0, tuple(notes)


def replay_cycle(engine: Engine, cycle: CycleRecords) -> CycleResult | None:
    """
    Submit a journaled cycle's commands and, if it was cut, run it and compare with its close.

    Returns:
        The result, or None for the cycle that is still open.

    Raises:
        JournalError: A command is refused, or the root is another than the journal says.
    """
    for command in cycle.commands:
        answer = engine.submit(command)
        if isinstance(answer, Refused):
            raise JournalError(f"cycle {engine.cycle}: a journaled command is refused ({answer.number}): {answer.detail}")
    if cycle.cut is None:
        return None
    if cycle.cut.cycle != engine.cycle:
        raise JournalError(f"cut must be of cycle {engine.cycle}, was of {cycle.cut.cycle}")
    try:
        result = engine.cut(cycle.cut.next_time_ns)
    except InvariantBroken as error:
        raise JournalError(f"cycle {cycle.cut.cycle} cannot be recomputed: {error}") from None
    if cycle.close is not None and cycle.close.root != result.root:
        raise JournalError(
            f"cycle {cycle.cut.cycle}: the journal says root {cycle.close.root.hex()}, its commands give "
            f"{result.root.hex()}; run `tocsin verify`"
        )
    return result
