"""
Rules LG: hashes, leaves, roots, proofs.
"""

import pytest
from msgspec.structs import replace

from tests.helpers.small import BTC, PERP, USD, make_account, make_sheet
from tests.helpers.worlds import MINUTE, Driver
from tocsin.accounts.leaf import decode_leaf, encode_leaf
from tocsin.core.errors import DataError
from tocsin.core.hashing import ZERO_HASH, MerkleTree, compute_root, hash_bytes, hash_node
from tocsin.core.ids import bucket_of
from tocsin.engine import commands as cm
from tocsin.engine.case import Case, hash_case
from tocsin.engine.ledger import hash_bucket, hash_leaf, hash_state, verify_inclusion
from tocsin.margin.state import AccountClass, AccountState, Level, Mode

sides = pytest.mark.parametrize("side", [1, -1])


def test_lg_001_no_two_lists_of_parts_collide() -> None:
    """LG-001"""
    lists = [(b"t",), (b"t", b""), (b"t", b"a", b"b"), (b"t", b"ab"), (b"t", b"", b"ab"), (b"ta", b"b"), (b"u", b"ab")]
    assert len({hash_bytes(*parts) for parts in lists}) == len(lists)


@sides
def test_lg_002_leaf_bytes(side: int) -> None:
    """LG-002: field by field."""
    account = make_account(-5, 7, perp=side * 3, level=Level.MARGIN_CALL, mode=Mode.ISOLATED, holds={PERP: (8, 9)})
    account.in_transit = {BTC: 11}
    account.owner, account.kind, account.recourse = 77, AccountClass.VAULT, True

    def little(value: int, size: int) -> bytes:
        return value.to_bytes(size, "little", signed=True)

    leaf = encode_leaf(account)
    assert leaf == b"".join(
        [
            little(1, 8), little(1, 8), little(77, 8), little(1, 1), little(2, 1), little(2, 1), little(1, 1),
            little(2, 2), little(1, 2), little(1, 2),
            little(USD, 4), little(-5, 16), little(0, 16), little(BTC, 4), little(7, 16), little(11, 16),
            little(PERP, 4), little(side * 3, 8), little(side * 300_000, 16), little(PERP, 4), little(8, 8),
            little(9, 8),
        ]
    )  # fmt: skip
    assert decode_leaf(leaf) == account


def test_lg_002_one_account_has_one_leaf() -> None:
    """LG-002: insertion order does not show; what is not whole or canonical is no leaf."""
    one, two = AccountState(1, 1, cash={1: 5, 2: 6}), AccountState(1, 1, cash={2: 6, 1: 5})
    leaf = encode_leaf(one)
    assert leaf == encode_leaf(two)
    for bad in (leaf[:-1], leaf + b"\0", leaf[:34] + leaf[70:106] + leaf[34:70]):
        with pytest.raises(DataError):
            decode_leaf(bad)


def test_lg_003_the_case_is_in_the_leaf_hash() -> None:
    """LG-003"""
    assert hash_leaf(b"x", hash_case(None)) == hash_bytes(b"leaf", b"x", ZERO_HASH)
    assert hash_leaf(b"x", hash_case(Case(1))) != hash_leaf(b"x", ZERO_HASH)


def test_lg_004_buckets_and_the_tree() -> None:
    """LG-004: updated in place as if built anew; a leaf is never read as a node."""
    assert hash_bucket([]) == ZERO_HASH
    assert hash_bucket([b"a" * 32, b"b" * 32]) == hash_bytes(b"bucket", b"a" * 32, b"b" * 32)
    leaves = [bytes([i]) * 32 for i in range(8)]
    tree = MerkleTree(leaves)
    tree.update({3: b"x" * 32, 6: b"y" * 32})
    leaves[3], leaves[6] = b"x" * 32, b"y" * 32
    assert tree.root == MerkleTree(leaves).root
    assert [compute_root(leaf, i, tree.path(i)) for i, leaf in enumerate(leaves)] == [tree.root] * 8
    assert hash_node(leaves[0], leaves[1]) != hash_node(leaves[1], leaves[0])


def test_lg_005_the_state_root() -> None:
    """LG-005: each part counts."""
    root = hash_state(b"t" * 32, b"h" * 32, 1, 2)
    others = [hash_state(b"u" * 32, b"h" * 32, 1, 2), hash_state(b"t" * 32, b"i" * 32, 1, 2)]
    others += [hash_state(b"t" * 32, b"h" * 32, 2, 2), hash_state(b"t" * 32, b"h" * 32, 1, 3)]
    assert root not in others


class World(Driver):
    def __init__(self, side: int = 1, shards: int = 1, **more: object) -> None:
        super().__init__(make_sheet(), shards=shards)
        prices = {"asset": (USD,), "price": (1_000_000,)}
        self.ok(cm.SetMarks, contract=(PERP,), mark=(100_000,), funding=(0,), grade=(0,), **prices)
        self.cut()
        for account, root in ((1, 1), (2, 2), (3, 1)):
            self.open(account, root=root, deposit=100_000)
        self.fill(*((1, 2) if side > 0 else (2, 1)), 3, 300_000, PERP)
        self.extra(**more)
        self.cut()

    def extra(self, kind: type | None = None, **fields: object) -> None:
        if kind is not None:
            self.ok(kind, **fields)


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        (cm.FundDeposit, {"contract": -1, "asset": USD, "amount": 1}),
        (cm.FundDeposit, {"contract": PERP, "asset": USD, "amount": 1}),
        (cm.SetMarket, {"contract": PERP, "halted": True}),
        (cm.SetMarks, {"contract": (PERP,), "mark": (100_001,), "funding": (0,), "grade": (0,)}),
        (cm.SetMarks, {"contract": (PERP,), "mark": (100_000,), "funding": (1,), "grade": (0,)}),
        (cm.SetMarks, {"contract": (PERP,), "mark": (100_000,), "funding": (0,), "grade": (1,)}),
    ],
)
def test_lg_006_what_the_house_root_covers(kind: type, fields: dict) -> None:
    """LG-006: funds, halts, marks, funding, grades; the tree of accounts is the same."""
    # A check changes nothing but takes the same nonce and sequence.
    plain, other = World(kind=cm.OrderCheck, account=1, contract=PERP, lots=1), World(kind=kind, **fields)
    assert plain.engine.sequencer.nonces == other.engine.sequencer.nonces
    assert plain.engine.sequencer.sequence == other.engine.sequencer.sequence
    assert plain.results[-1].bucket_root == other.results[-1].bucket_root
    assert plain.results[-1].house_root != other.results[-1].house_root


@sides
def test_lg_007_inclusion_proofs(side: int) -> None:
    """LG-007: of an account beside another of its root; any change fails."""
    world = World(side, shards=3)
    root = world.results[-1].root
    assert bucket_of(1) != bucket_of(2)
    for account in (1, 2, 3):
        proof = world.engine.prove(account)
        assert verify_inclusion(proof, root)
        assert decode_leaf(proof.leaf) == world.engine.read(account)
        changed = [
            replace(proof, leaf=proof.leaf[:-1] + bytes([proof.leaf[-1] ^ 1])),
            replace(proof, case_hash=b"x" * 32),
            replace(proof, bucket=proof.bucket ^ 1),
            replace(proof, position=proof.position + 1),
            replace(proof, position=-1),
            replace(proof, leaf_hashes=(*proof.leaf_hashes, b"x" * 32)),
            replace(proof, path=proof.path[::-1]),
            replace(proof, house_root=b"x" * 32),
            replace(proof, cycle=proof.cycle + 1),
            replace(proof, time_ns=proof.time_ns + 1),
        ]
        assert not any(verify_inclusion(p, root) for p in changed)
    with pytest.raises(DataError, match="was 99"):
        world.engine.prove(99)


def test_lg_008_snapshots_hold_nothing_derived() -> None:
    """LG-008: taken twice, from any number of shards, they are the same bytes."""
    from tocsin.engine.engine import Engine

    world, other = World(shards=1), World(shards=7)
    assert world.engine.snapshot() == other.engine.snapshot()
    again = Engine.restore(world.engine.snapshot(), shards=64)
    assert again.snapshot() == world.engine.snapshot()
    assert again.cut(world.now + MINUTE).root == world.cut().root
