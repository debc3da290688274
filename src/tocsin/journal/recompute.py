"""
Recompute what a journal says, cycle by cycle (rules JN-046, JN-048).
"""

from tocsin.core.codec import encode
from tocsin.core.errors import DataError, InvariantBroken, JournalError, Refused
from tocsin.engine.engine import Engine
from tocsin.engine.messages import CycleResult
from tocsin.journal.records import Close, CommandDigest, CycleRecords, hash_cut, read_genesis
from tocsin.sheet.terms import decode_sheet

SEE_VERIFY = "`tocsin verify` names the first difference"
"""How a message ends that tells of a journal which is not what its commands give."""


def start_engine(header: bytes, *, shards: int = 1) -> Engine:
    """
    Return the engine of a journal's genesis.

    Raises:
        JournalError: The header is no genesis, or its sheet or time cannot be used.
    """
    genesis = read_genesis(header)
    try:
        return Engine(decode_sheet(genesis.sheet), genesis.time_ns, shards=shards)
    except DataError as error:
        raise JournalError(f"the journal's genesis cannot be used: {error}") from None


def replay_cycle(engine: Engine, cycle: CycleRecords) -> CycleResult | None:
    """
    Submit a journaled cycle's commands and, if it was cut, run it and compare with what the journal says of it.

    Returns:
        The result, or None for the cycle that is still open.

    Raises:
        JournalError: A command is refused, or digest, cut or root are others than the journal says.
    """
    for nth, command in enumerate(cycle.commands):
        answer = engine.submit(command)
        if isinstance(answer, Refused):
            problem = f"command {nth} is refused ({answer.number}: {answer.detail})"
            raise JournalError(f"cycle {engine.cycle}: {problem}; {SEE_VERIFY}")
    cut, close = cycle.cut, cycle.close
    if cut is None:
        return None
    if cut.cycle != engine.cycle:
        raise JournalError(f"cut must be of cycle {engine.cycle}, was of {cut.cycle}")
    if cut.commands != CommandDigest(cycle.commands).digest() or (close is not None and close.cut != hash_cut(cut)):
        raise JournalError(f"cycle {cut.cycle}: its cut was made over other commands, or was changed; {SEE_VERIFY}")
    try:
        result = engine.cut(cut.next_time_ns)
    except (InvariantBroken, DataError) as error:
        raise JournalError(f"cycle {cut.cycle} cannot be recomputed: {error}") from None
    if close is not None and encode(close) != encode(Close.of(result, cut)):
        roots = f"root {close.root.hex()}, its commands give {result.root.hex()}"
        what = roots if close.root != result.root else "other decisions, marks or bucket roots than its commands give"
        raise JournalError(f"cycle {cut.cycle}: the journal says {what}; {SEE_VERIFY}")
    return result
