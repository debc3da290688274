"""
What an inclusion proof proves, as text and as JSON: an account in the smallest units, since a proof carries no sheet.
"""

from collections.abc import Iterator
from typing import Any

from tocsin.accounts.leaf import decode_leaf
from tocsin.engine.ledger import InclusionProof
from tocsin.views.why_numbers import format_moment


def describe_leaf(proof: InclusionProof) -> Iterator[str]:
    """
    Yield the lines of a proven account.
    """
    account = decode_leaf(proof.leaf)
    yield f"account {account.id} under root {account.root}, {account.mode.name.lower()} margin, bucket {proof.bucket}"
    stands = ", stands for losses of other accounts of its root" if account.recourse else ""
    linked = f"owner {account.owner}" if account.owner else "no owner"
    yield f"class {_words(account.kind.name)}, {linked}{stands}"
    yield f"after cycle {proof.cycle}, {format_moment(proof.time_ns)}: level {account.level.name.lower()}"
    for asset in sorted({**account.cash, **account.in_transit}):
        moving = account.in_transit.get(asset, 0)
        tail = f", {moving:,} in transit" if moving else ""
        yield f"  asset {asset}: cash {account.cash.get(asset, 0):,} units{tail}"
    for contract, (lots, entry) in sorted(account.positions.items()):
        yield f"  contract {contract}: {lots:+,} lots, entry sum {entry:,} units"
    for contract, (bid, ask) in sorted(account.holds.items()):
        yield f"  contract {contract}: orders resting, {bid:,} lots bid, {ask:,} ask"
    yield "  a call, a risk reduction or an intent is open" if any(proof.case_hash) else "  no case is open"


def leaf_value(proof: InclusionProof) -> dict[str, Any]:
    """
    Return a proven account as a JSON value; amounts are decimal strings.
    """
    account = decode_leaf(proof.leaf)
    return {
        "account": account.id,
        "root": account.root,
        "class": _words(account.kind.name),
        "owner": account.owner,
        "recourse": account.recourse,
        "mode": account.mode.name.lower(),
        "level": account.level.name.lower(),
        "bucket": proof.bucket,
        "cycle": proof.cycle,
        "time_ns": str(proof.time_ns),
        "cash": {str(a): str(n) for a, n in sorted(account.cash.items())},
        "in_transit": {str(a): str(n) for a, n in sorted(account.in_transit.items())},
        "positions": {str(c): {"lots": q, "entry": str(e)} for c, (q, e) in sorted(account.positions.items())},
        "holds": {str(c): {"bid": b, "ask": a} for c, (b, a) in sorted(account.holds.items())},
        "case_is_open": any(proof.case_hash),
    }


def _words(name: str) -> str:
    return name.lower().replace("_", " ")
