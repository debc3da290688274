"""
Forge a journal as well as one can: one deposit is larger by one unit, all checksums and the chain are made right again.
`python examples/forge_journal.py JOURNAL FORGED`, then `tocsin verify FORGED` finds it.
"""

import sys
from pathlib import Path

import msgspec

from tocsin.engine.commands import Deposit, decode_command, encode_command
from tocsin.journal.disk import RealDisk
from tocsin.journal.log import Journal
from tocsin.journal.records import RecordKind


def forge_journal(source: Path, target: Path) -> str:
    """
    Copy a journal, batch by batch, with its first deposit changed; return what was changed.
    """
    said = ""
    journal = Journal.open(RealDisk(source), read_only=True)
    with Journal.create(RealDisk(target), journal.header) as forged:
        for batch in journal.batches():
            for record in batch:
                payload = record.payload
                if record.kind == RecordKind.COMMAND and not said:
                    command = decode_command(payload)
                    if isinstance(command, Deposit):
                        said = f"deposit of account {command.account}: {command.amount} -> {command.amount + 1} units"
                        payload = encode_command(msgspec.structs.replace(command, amount=command.amount + 1))
                forged.append(record.kind, record.stream, payload)
            forged.commit()
    return said


if __name__ == "__main__":
    print(forge_journal(Path(sys.argv[1]), Path(sys.argv[2])))
