"""
Explain an account from a journal: replay its bucket and nothing else (rules WY-001 to WY-003).
"""

from typing import NamedTuple

import msgspec

from tocsin.core.errors import CodecError, DataError, InvariantBroken, JournalError, Refused
from tocsin.core.ids import bucket_of
from tocsin.engine.commands import OpenAccount, decode_command
from tocsin.engine.messages import CycleOpen, Item, open_contracts
from tocsin.engine.sequencer import Sequencer
from tocsin.engine.why import Step, Witness
from tocsin.journal.disk import Disk
from tocsin.journal.log import Journal
from tocsin.journal.recompute import SEE_VERIFY
from tocsin.journal.records import CycleRecords, Progress, RecordKind, read_cycles, read_genesis
from tocsin.sheet.terms import decode_sheet
from tocsin.sheet.validate import validate_sheet

_OPEN = OpenAccount.__name__.encode()
_OPEN_WITHIN = 32
"""A command's name stands in its first bytes."""


class Explanation(NamedTuple):
    """
    The steps of one account, its bucket, how many closed cycles were replayed, and how many bucket roots were met on
    the way.
    """

    account: int
    bucket: int
    cycles: int
    roots_met: int
    steps: list[Step]


def explain(disk: Disk, account: int, *, cycle: int | None = None, progress: Progress | None = None) -> Explanation:
    """
    Replay the account's bucket over the journaled openings and return each step that touched it.

    Args:
        cycle: Stop after this cycle and return only its step.
        progress: Called after each cycle with (cycles done, of how many, note).

    Raises:
        JournalError: No journal, damaged, or the bucket's root is not what the journal says.
        DataError: The account is not in the journal, or the cycle is not closed.
    """
    journal = Journal.open(disk, read_only=True)
    try:
        root, cycles = _survey(journal, account)
        if cycle is not None and not 1 <= cycle <= cycles:
            raise DataError(f"cycle must be 1 to {cycles}, was {cycle}")
        return _Explainer(journal, account, bucket_of(root)).run(cycle, cycles, progress)
    finally:
        journal.close()


def _survey(journal: Journal, account: int) -> tuple[int, int]:
    """
    Return the root of an account and how many cycles were closed, without recomputing anything.
    """
    root, cycles = 0, 0
    known: list[int] = []
    for record in journal.records():
        if record.kind == RecordKind.CLOSE:
            cycles += 1
        elif record.kind == RecordKind.COMMAND and not root and _OPEN in record.payload[:_OPEN_WITHIN]:
            try:
                command = decode_command(record.payload)
            except CodecError:
                continue
            if isinstance(command, OpenAccount):
                known.append(command.account)
                root = command.root if command.account == account else 0
    if not root:
        raise _unknown_account(account, known)
    return root, cycles


def _unknown_account(account: int, known: list[int]) -> DataError:
    error = DataError(f"account must be one that the journal opens, was {account}")
    near = sorted(sorted(known, key=lambda a: (abs(a - account), a))[:3])
    error.add_note(f"it opens {len(known):,}; nearest: {', '.join(map(str, near))}" if near else "it opens no account")
    return error


class _Explainer:
    def __init__(self, journal: Journal, account: int, bucket: int) -> None:
        self._journal = journal
        self._bucket = bucket
        self._sheet = validate_sheet(decode_sheet(read_genesis(journal.header).sheet))
        self._sequencer = Sequencer()
        self._sequencer.set_terms(self._sheet, frozenset())
        self._shard = Witness(self._sheet, account)
        self._roots_met = 0

    def run(self, wanted: int | None, cycles: int, progress: Progress | None) -> Explanation:
        steps: list[Step] = []
        done = 0
        for records in read_cycles(self._journal.records()):
            if records.close is None:
                break
            step = self._replay(records, records.close.opened)
            done += 1
            if step is not None and wanted in (None, step.cycle):
                steps.append(step)
            if progress is not None:
                progress(done, cycles, "")
            if wanted == records.close.opened.cycle:
                break
        return Explanation(self._shard.account, self._bucket, done, self._roots_met, steps)

    def _replay(self, records: CycleRecords, opened: CycleOpen) -> Step | None:
        try:
            items = self._stamp(records.commands, opened)
            step, found = self._shard.trace(_only(opened, self._bucket), items)
        except (InvariantBroken, DataError, LookupError, ValueError) as error:
            # An opening is taken from the journal as it stands; a forged one may not even make sense.
            problem = f"cannot be replayed from its opening ({type(error).__name__}: {error})"
            raise JournalError(f"cycle {opened.cycle} {problem}; {SEE_VERIFY}") from None
        close = records.close
        assert close is not None
        said = dict(zip(close.buckets, close.bucket_roots, strict=False)).get(self._bucket)
        if said != found.roots.get(self._bucket):
            where = f"cycle {opened.cycle}, bucket {self._bucket}"
            raise JournalError(f"{where}: the journal's root is not what its commands give; {SEE_VERIFY}")
        self._roots_met += said is not None
        return step

    def _stamp(self, commands: list[bytes], opened: CycleOpen) -> list[Item]:
        """Stamp a cycle's commands and keep the rows of the account's bucket."""
        if opened.sheet:
            self._sheet = validate_sheet(decode_sheet(opened.sheet))
        self._sequencer.set_terms(self._sheet, open_contracts(opened))
        rows: list[Item] = []
        for command in commands:
            answer = self._sequencer.stamp(command)
            if isinstance(answer, Refused):
                problem = f"a journaled command is refused ({answer.number}: {answer.detail})"
                raise JournalError(f"cycle {opened.cycle}: {problem}; {SEE_VERIFY}")
            rows.extend(item for bucket, item in answer.rows if bucket == self._bucket)
        return rows


def _only(opened: CycleOpen, bucket: int) -> CycleOpen:
    """Return the opening with the decisions of one bucket."""
    return msgspec.structs.replace(opened, decisions=tuple(d for d in opened.decisions if d.bucket == bucket))
