"""
`tocsin verify`: recompute a journal from nothing and name the first difference.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from tocsin.cli.journals import check_shards, find_journal, show_reading
from tocsin.cli.output import Exit, UsageError, print_json

if TYPE_CHECKING:
    from tocsin.journal.verify import Difference, Verified


def verify(
    journal: Path | None = None,
    /,
    *,
    root: str | None = None,
    proof: Path | None = None,
    shards: int = 1,
    json: bool = False,
) -> int:
    """
    Recompute a journal from nothing; name cycle and bucket of the first difference.

    Exit code 1 if something differs or no cycle has the root asked for, 3 if bytes are damaged.

    Parameters
    ----------
    journal:
        Folder of the journal.
    root:
        A state root known from elsewhere, 64 hexadecimal digits: some cycle must have it. Without it, a journal that
        was made anew as a whole cannot be told from the original.
    proof:
        Check, instead of a journal, a proof made with `tocsin why JOURNAL ACCOUNT --proof` against `--root`.
    shards:
        How many shards to recompute with, 1 to 4096; the result is the same.
    json:
        Print one JSON object.
    """
    from tocsin.journal.verify import verify as verify_journal

    check_shards(shards)
    wanted = None if root is None else parse_root(root)
    if proof is not None:
        if journal is not None or wanted is None:
            raise UsageError("--proof needs --root, a root known from elsewhere, and no JOURNAL")
        return _check_proof(proof, wanted, json=json)
    if journal is None:
        raise UsageError("JOURNAL must be the folder of a journal, was missing")
    disk = find_journal(journal)
    with show_reading(f"verify {journal}", unit="records") as report:
        found = verify_journal(disk, root=wanted, shards=shards, progress=report)
    if json:
        print_json(_value(found))
    else:
        for line in _lines(found):
            print(line)
    return Exit.OK if found.ok else Exit.FINDING


def parse_root(text: str) -> bytes:
    """
    Return the 32 bytes of a root in hexadecimal.

    Raises:
        UsageError: The text is not 64 hexadecimal digits.
    """
    digits = text.strip().lower().removeprefix("0x")
    if len(digits) != 64 or not set(digits) <= set("0123456789abcdef"):
        raise UsageError(f"--root must be 64 hexadecimal digits, was {text!r} ({len(digits)} characters)")
    return bytes.fromhex(digits)


def _value(found: "Verified") -> dict[str, object]:
    difference = found.difference
    return {
        "ok": found.ok,
        "records": found.records,
        "cycles": found.cycles,
        "root": found.root.hex(),
        "chain_head": found.head.hex(),
        "root_asked": found.root_asked.hex() if found.root_asked is not None else None,
        "root_cycle": found.root_cycle or None,
        "open_commands": found.open_commands,
        "closed_in_order": found.closed,
        "cut_bytes": found.cut_bytes,
        "difference": None
        if difference is None
        else {
            "cycle": difference.cycle,
            "where": _where(difference),
            "bucket": difference.bucket if difference.bucket >= 0 else None,
            "what": difference.what,
        },
    }


def _where(difference: "Difference") -> str:
    from tocsin.journal.verify import HOUSE, RECORDS

    if difference.bucket == RECORDS:
        return "records"
    return "clearing house" if difference.bucket == HOUSE else "bucket"


def _lines(found: "Verified") -> list[str]:
    out = [
        f"bytes: {found.records:,} records, checksums and chain whole, chain head {found.head.hex()}",
        f"recomputed: {found.cycles:,} cycles from the genesis, last root {found.root.hex() or '-'}",
    ]
    if found.cut_bytes:
        out.append(f"interrupted last write: {found.cut_bytes:,} bytes after the last whole batch passed over")
    if not found.closed:
        out.append("not closed in order: it is being written at this moment, or its writer was stopped")
    if found.open_commands:
        out.append(f"after the last cut: {found.open_commands:,} commands, not part of any root yet")
    out += _verdict(found)
    return out


def _verdict(found: "Verified") -> list[str]:
    difference = found.difference
    if difference is not None:
        where = {"bucket": f"bucket {difference.bucket}", "clearing house": "the ClearingHouse"}.get(
            _where(difference), "its records"
        )
        return [f"DIFFERS in cycle {difference.cycle}, {where}: {difference.what}"]
    if found.root_asked is None:
        return [
            "OK: the journal agrees with itself. One that was made anew as a whole would too: no root from elsewhere",
            "    was checked. To check one, give it with `--root HEX`.",
        ]
    if not found.root_cycle:
        return [f"NOT THE JOURNAL: it agrees with itself, but no cycle has root {found.root_asked.hex()}"]
    out = [f"OK: the journal agrees with itself, and cycle {found.root_cycle} has the root that was asked for."]
    if found.root_cycle < found.cycles:
        out.append(f"    The root vouches for cycles 1 to {found.root_cycle}; later ones agree with themselves only.")
    return out


def _check_proof(path: Path, root: bytes, *, json: bool) -> int:
    """
    Check a proof and show what it proves; only a genuine leaf is read.
    """
    from tocsin.engine.ledger import verify_inclusion
    from tocsin.journal.proof import read_proof
    from tocsin.views.leaf_text import describe_leaf, leaf_value

    found = read_proof(path.read_bytes())
    ok = verify_inclusion(found, root)
    if json:
        print_json({"ok": ok, "root": root.hex(), "account": leaf_value(found) if ok else None})
    elif ok:
        for line in describe_leaf(found):
            print(line)
        print(f"OK: this is part of the state with root {root.hex()}")
    else:
        print(f"NOT PROVEN: this is not part of the state with root {root.hex()}")
    return Exit.OK if ok else Exit.FINDING
