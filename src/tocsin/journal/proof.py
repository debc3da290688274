"""
Prove one account from a journal, and read such a proof again (rules WY-006 and WY-007).

A proof is a small file: whoever holds a state root from elsewhere checks with it what the account held, without the
journal and without seeing anybody else's account.
"""

from typing import Any, NamedTuple

import msgspec

from tocsin.core.errors import DataError, JournalError
from tocsin.core.hashing import HASH_BYTES
from tocsin.engine.ledger import InclusionProof
from tocsin.journal.disk import Disk
from tocsin.journal.log import Journal
from tocsin.journal.recompute import replay_cycle, start_engine
from tocsin.journal.records import Progress, read_cycles

PROOF_FORMAT = "tocsin-proof-1"


class Proven(NamedTuple):
    """A proof and the state root it belongs to."""

    root: bytes
    proof: InclusionProof


class _ProofFile(msgspec.Struct, forbid_unknown_fields=True):
    """A proof as JSON: bytes in hexadecimal, the time as a decimal string."""

    format: str
    root: str
    cycle: int
    time_ns: str
    leaf: str
    case_hash: str
    bucket: int
    position: int
    leaf_hashes: list[str]
    path: list[str]
    house_root: str


def prove_account(disk: Disk, account: int, *, shards: int = 1, progress: Progress | None = None) -> Proven:
    """
    Recompute a journal and prove an account as of its last closed cycle.

    Raises:
        JournalError: No journal, damaged, without a closed cycle, or its commands do not give its roots.
        DataError: The account was not open in the last closed cycle.
    """
    journal = Journal.open(disk, read_only=True)
    try:
        engine, root = start_engine(journal.header, shards=shards), b""
        for cycle in read_cycles(journal.records()):
            result = replay_cycle(engine, cycle)
            if result is not None:
                root = result.root
            if progress is not None:
                progress(cycle.end, journal.count, "")
        if not root:
            raise JournalError(f"the journal in {disk.place} must hold a closed cycle, holds none")
        return Proven(root, engine.prove(account))
    finally:
        journal.close()


def proof_value(proven: Proven) -> dict[str, Any]:
    """
    Return a proof as a JSON value.
    """
    proof = proven.proof
    return msgspec.to_builtins(
        _ProofFile(
            PROOF_FORMAT,
            proven.root.hex(),
            proof.cycle,
            str(proof.time_ns),
            proof.leaf.hex(),
            proof.case_hash.hex(),
            proof.bucket,
            proof.position,
            [h.hex() for h in proof.leaf_hashes],
            [h.hex() for h in proof.path],
            proof.house_root.hex(),
        )
    )


def read_proof(data: bytes) -> InclusionProof:
    """
    Return the proof of a JSON file; the root it names is not part of it.

    Raises:
        DataError: Not a proof; names the field and what is accepted.
    """
    try:
        found = msgspec.json.decode(data, type=_ProofFile)
    except msgspec.DecodeError as error:
        raise DataError(f"proof must be a JSON object of format {PROOF_FORMAT}, was not: {error}") from None
    if found.format != PROOF_FORMAT:
        raise DataError(f"format must be {PROOF_FORMAT}, was {found.format!r}")
    if not (found.time_ns.isascii() and found.time_ns.isdecimal() and len(found.time_ns) <= 20):
        raise DataError(f"time_ns must be a decimal number, was {found.time_ns!r}")
    return InclusionProof(
        _read_hex("leaf", found.leaf, None),
        _read_hex("case_hash", found.case_hash, HASH_BYTES),
        found.bucket,
        found.position,
        tuple(_read_hex("leaf_hashes", h, HASH_BYTES) for h in found.leaf_hashes),
        tuple(_read_hex("path", h, HASH_BYTES) for h in found.path),
        _read_hex("house_root", found.house_root, HASH_BYTES),
        found.cycle,
        int(found.time_ns),
    )


def _read_hex(field: str, text: str, size: int | None) -> bytes:
    try:
        value = bytes.fromhex(text)
    except ValueError:
        value = b""
    if value.hex() != text.lower() or not value or (size is not None and len(value) != size):
        wanted = "hexadecimal digits" if size is None else f"{2 * size} hexadecimal digits"
        raise DataError(f"{field} must be {wanted}, was {text[:80]!r}")
    return value
