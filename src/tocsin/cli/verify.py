"""
`tocsin verify`: recompute a journal from nothing and name the first difference.
"""

from pathlib import Path

from tocsin.cli.output import Exit, print_json
from tocsin.cli.progress import show_wait


def verify(journal: Path, /, *, root: str = "", shards: int = 1, json: bool = False) -> int:
    """
    Recompute a journal from nothing; name cycle and bucket of the first difference.

    Parameters
    ----------
    journal:
        Folder of the journal.
    root:
        A state root known from elsewhere, 64 hexadecimal digits: some cycle must have it. Without it, a journal that
        was made anew as a whole cannot be told from the original.
    shards:
        How many shards to recompute with; the result is the same.
    json:
        Print one JSON object.
    """
    from tocsin.journal.disk import RealDisk
    from tocsin.journal.verify import Verified, parse_root
    from tocsin.journal.verify import verify as verify_journal

    wanted = parse_root(root) if root else None
    with show_wait(f"recomputing {journal}"):
        found: Verified = verify_journal(RealDisk(journal), root=wanted, shards=shards)
    difference = found.difference
    if json:
        print_json(
            {
                "ok": found.ok,
                "records": found.records,
                "cycles": found.cycles,
                "root": found.root.hex(),
                "chain_head": found.head.hex(),
                "root_asked": root or None,
                "root_cycle": found.root_cycle or None,
                "cut_bytes": found.cut_bytes,
                "difference": difference and difference._asdict(),
            }
        )
        return Exit.OK if found.ok else Exit.FINDING
    for line in _lines(found):
        print(line)
    return Exit.OK if found.ok else Exit.FINDING


def _lines(found: object) -> list[str]:
    from tocsin.journal.verify import HOUSE, Verified

    assert isinstance(found, Verified)
    out = [
        f"checksums and chain: {found.records:,} records whole, chain head {found.head.hex()}",
        f"recomputed: {found.cycles:,} cycles, last root {found.root.hex() or '-'}",
    ]
    if found.cut_bytes:
        out.append(f"interrupted last write: {found.cut_bytes:,} bytes passed over")
    if found.open_commands:
        out.append(f"after the last cut: {found.open_commands:,} commands, not yet part of any root")
    if found.difference is not None:
        where = "the ClearingHouse" if found.difference.bucket == HOUSE else f"bucket {found.difference.bucket}"
        out.append(f"DIFFERS in cycle {found.difference.cycle}, {where}: {found.difference.what}")
    elif found.root_asked is None:
        out.append("OK: the journal agrees with itself. A journal made anew as a whole would too: compare a root")
        out.append("    published elsewhere with `--root HEX`")
    elif found.root_cycle:
        out.append(f"OK: cycle {found.root_cycle} has the root that was asked for")
    else:
        out.append(f"NOT THE JOURNAL: no cycle has root {found.root_asked.hex()}")
    return out
