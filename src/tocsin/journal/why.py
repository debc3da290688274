"""
Explain an account from a journal: replay its bucket and nothing else (rules WY-001 to WY-004).
"""

from collections.abc import Callable
from typing import NamedTuple

import msgspec

from tocsin.core.errors import DataError, JournalError, Refused
from tocsin.core.ids import bucket_of
from tocsin.engine.messages import CycleOpen, Item
from tocsin.engine.sequencer import Sequencer
from tocsin.engine.shard import Shard
from tocsin.engine.why import Step, trace_cycle
from tocsin.journal.disk import Disk
from tocsin.journal.log import Journal
from tocsin.journal.records import CycleRecords, read_cycles, read_genesis
from tocsin.sheet.terms import RiskSheet, decode_sheet


class Explanation(NamedTuple):
    """
    The steps of one account, its bucket, how many cycles were replayed, and how many bucket roots were met on the way;
    `last_sheet` names contracts and assets.
    """

    account: int
    bucket: int
    cycles: int
    roots_met: int
    steps: list[Step]
    last_sheet: RiskSheet


def explain(
    disk: Disk, account: int, *, cycle: int | None = None, progress: Callable[[int, str], None] | None = None
) -> Explanation:
    """
    Replay the account's bucket over the journaled openings and return each step that touched it.

    Args:
        cycle: Only steps of this cycle.
        progress: Called with (cycles done, note).

    Raises:
        JournalError: No journal, damaged, or the bucket's root is not what the journal says.
        DataError: The account is not in the journal.
    """
    journal = Journal.open(disk, read_only=True)
    try:
        return _Explainer(journal, account).run(cycle, progress)
    finally:
        journal.close()


class _Explainer:
    def __init__(self, journal: Journal, account: int) -> None:
        self._journal = journal
        self._account = account
        self._sheet = decode_sheet(read_genesis(journal.header).sheet)
        self._sequencer = Sequencer()
        self._sequencer.set_terms(self._sheet, frozenset())
        self._shard = Shard(self._sheet)
        self._bucket = -1
        self._roots_met = 0

    def run(self, cycle: int | None, progress: Callable[[int, str], None] | None) -> Explanation:
        steps: list[Step] = []
        cycles = 0
        for records in read_cycles(self._journal.records()):
            items = self._stamp(records)
            if records.close is None:
                continue
            cycles += 1
            step = self._trace(records, items)
            if step is not None and cycle in (None, step.cycle):
                steps.append(step)
            if progress is not None:
                progress(cycles, "")
        if self._bucket < 0:
            raise DataError(f"account must be one that the journal opens, was {self._account}")
        return Explanation(self._account, self._bucket, cycles, self._roots_met, steps, self._sheet)

    def _stamp(self, records: CycleRecords) -> list[Item]:
        """Stamp a cycle's commands and keep the rows of the account's bucket."""
        opened = records.close.opened if records.close is not None else None
        if opened is not None:
            if opened.sheet:
                self._sheet = decode_sheet(opened.sheet)
            self._sequencer.set_terms(self._sheet, frozenset(opened.marks.contracts))
        rows: list[tuple[int, Item]] = []
        for command in records.commands:
            answer = self._sequencer.stamp(command)
            if isinstance(answer, Refused):
                raise JournalError(f"a journaled command is refused ({answer.number}): run `tocsin verify`")
            rows.extend(answer.rows)
        if self._bucket < 0 and self._account in self._sequencer.directory:
            self._bucket = bucket_of(self._sequencer.directory[self._account])
        return [item for bucket, item in rows if bucket == self._bucket]

    def _trace(self, records: CycleRecords, items: list[Item]) -> Step | None:
        close = records.close
        assert close is not None
        if self._bucket < 0:
            # Nothing of the bucket exists yet, but the shard must see each sheet.
            self._shard.run(_only(close.opened, -1), [])
            return None
        step, found = trace_cycle(self._shard, _only(close.opened, self._bucket), items, self._account)
        said = dict(zip(close.buckets, close.bucket_roots, strict=True)).get(self._bucket)
        if said != found.roots.get(self._bucket):
            raise JournalError(
                f"cycle {close.opened.cycle}, bucket {self._bucket}: the journal's root is not what its commands give; "
                "run `tocsin verify`"
            )
        self._roots_met += said is not None
        return step


def _only(opened: CycleOpen, bucket: int) -> CycleOpen:
    """Return the opening with the decisions of one bucket."""
    return msgspec.structs.replace(opened, decisions=tuple(d for d in opened.decisions if d.bucket == bucket))
