"""
Inclusion proofs: they verify, and no byte of any part may change.
"""

import msgspec
import pytest

from tests.helpers.chaos import wild_history
from tests.helpers.worlds import Driver
from tocsin.accounts.leaf import decode_leaf, encode_leaf
from tocsin.core.errors import DataError
from tocsin.core.hashing import MerkleTree, compute_root, hash_bytes
from tocsin.core.ids import bucket_of
from tocsin.engine.engine import Engine
from tocsin.engine.ledger import InclusionProof, hash_bucket, hash_leaf, verify_inclusion

replace = msgspec.structs.replace


@pytest.fixture(scope="module")
def world():
    made = wild_history(2, cycles=12, accounts=9, shards=3)
    for _ in range(3):
        made.open_account(root=4_242, deposit=7)
    made.cut()
    return made


def shared(world):
    """Return an account whose bucket holds others as well."""
    directory = world.engine.sequencer.directory
    roots = list(directory.values())
    return next(a for a, root in directory.items() if roots.count(root) > 1)


def test_every_account_is_proved(world):
    root = world.results[-1].root
    for account in world.accounts:
        proof = world.engine.prove(account)
        assert verify_inclusion(proof, root)
        assert decode_leaf(proof.leaf) == world.engine.read(account)
        assert proof.bucket == bucket_of(world.engine.sequencer.directory[account])
        assert len(proof.path) == 12


def test_a_proof_is_for_one_root_only(world):
    proof = world.engine.prove(1)
    for result in world.results[:-1]:
        assert not verify_inclusion(proof, result.root)


def flips(data):
    """Yield the bytes with each one byte changed, without the last one, and with one more."""
    for i in range(len(data)):
        yield data[:i] + bytes([data[i] ^ 1]) + data[i + 1 :]
    yield data[:-1]
    yield data + b"\x00"


def test_changing_any_byte_of_any_part_fails(world):
    root = world.results[-1].root
    for account in (1, shared(world)):
        proof = world.engine.prove(account)
        changed = 0
        for name in ("leaf", "case_hash", "house_root"):
            for data in flips(getattr(proof, name)):
                assert not verify_inclusion(replace(proof, **{name: data}), root), name
                changed += 1
        for name in ("leaf_hashes", "path"):
            parts = getattr(proof, name)
            for i, part in enumerate(parts):
                for data in flips(part):
                    assert not verify_inclusion(replace(proof, **{name: (*parts[:i], data, *parts[i + 1 :])}), root)
                    changed += 1
            for wrong in (parts[:-1], (*parts, bytes(32)), parts[::-1] if len({*parts}) > 1 else ()):
                assert not verify_inclusion(replace(proof, **{name: wrong}), root), name
        assert changed > 500


def test_changing_any_number_fails(world):
    root = world.results[-1].root
    proof = world.engine.prove(shared(world))
    for name in ("bucket", "position", "cycle", "time_ns"):
        value = getattr(proof, name)
        for wrong in (value + 1, value - 1, value ^ 64, -1, 2**70, -value - 1):
            assert not verify_inclusion(replace(proof, **{name: wrong}), root), (name, wrong)


def test_another_leaf_of_the_same_bucket_does_not_stand_in(world):
    root = world.results[-1].root
    proof = world.engine.prove(shared(world))
    for i in range(len(proof.leaf_hashes)):
        if i != proof.position:
            assert not verify_inclusion(replace(proof, position=i), root)


def test_one_unit_more_is_another_root(world):
    proof = world.engine.prove(1)
    state = decode_leaf(proof.leaf)
    state.cash[1] = state.cash.get(1, 0) + 1
    richer = encode_leaf(state)
    hashes = list(proof.leaf_hashes)
    hashes[proof.position] = hash_leaf(richer, proof.case_hash)
    forged = replace(proof, leaf=richer, leaf_hashes=tuple(hashes))
    assert not verify_inclusion(forged, world.results[-1].root)


def test_what_is_not_in_a_closed_cycle_has_no_proof():
    driver = Driver()
    driver.open(1)
    with pytest.raises(DataError, match="closed cycle"):
        driver.engine.prove(1)
    driver.cut()
    assert verify_inclusion(driver.engine.prove(1), driver.results[-1].root)
    driver.open(2)
    with pytest.raises(DataError, match="closed cycle, was 2"):
        driver.engine.prove(2)
    with pytest.raises(DataError, match="was 3"):
        driver.engine.prove(3)
    restored = Engine.restore(driver.cut() and driver.engine.snapshot())
    with pytest.raises(DataError):
        restored.prove(1)
    result = restored.cut(driver.now + 1)
    assert verify_inclusion(restored.prove(2), result.root)


def test_proofs_do_not_know_the_number_of_shards(world):
    for shards in (1, 64):
        engine = Engine.restore(world.engine.snapshot(), shards=shards)
        result = engine.cut(world.now + 1)
        assert verify_inclusion(engine.prove(1), result.root)
    assert isinstance(
        msgspec.msgpack.decode(msgspec.msgpack.encode(engine.prove(1)), type=InclusionProof), InclusionProof
    )


# Hashes


def test_tags_and_lengths_keep_part_lists_apart():
    lists = [(b"a", b"bc"), (b"ab", b"c"), (b"abc",), (b"abc", b""), (b"", b"abc"), ()]
    hashes = {hash_bytes(tag, *parts) for tag in (b"x", b"y", b"") for parts in lists}
    assert len(hashes) == 3 * len(lists)


def test_a_leaf_is_never_an_inner_node():
    left, right = hash_bytes(b"leaf", b"1"), hash_bytes(b"leaf", b"2")
    assert hash_bucket([left, right]) != compute_root(left, 0, [right])
    assert hash_leaf(left, right) != compute_root(left, 0, [right])


@pytest.mark.parametrize("size", [1, 2, 8, 64])
def test_an_updated_tree_is_the_tree_of_the_new_leaves(size):
    leaves = [hash_bytes(b"t", bytes([i])) for i in range(size)]
    tree = MerkleTree([bytes(32)] * size)
    for start in range(0, size, 3):
        tree.update({i: leaves[i] for i in range(start, min(size, start + 3))})
    assert tree.root == MerkleTree(leaves).root
    for i in range(size):
        assert compute_root(leaves[i], i, tree.path(i)) == tree.root
        assert compute_root(leaves[i], i ^ 1, tree.path(i)) != tree.root or size == 1
