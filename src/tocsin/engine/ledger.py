"""
Bucket roots and inclusion proofs: which accounts a root commits to (rules LG-001 to LG-008).

Leaf hash = H("leaf", leaf bytes, case hash). Bucket root = H("bucket", leaf hashes by account). The bucket tree is a
Merkle tree over 4096 bucket roots; the state root is H("state", tree root, house root, cycle, time).
"""

import msgspec

from tocsin.core.hashing import ZERO_HASH, MerkleTree, compute_root, hash_bytes
from tocsin.core.limits import BUCKETS


def hash_leaf(leaf: bytes, case_hash: bytes) -> bytes:
    """
    Return the hash of an account's leaf and its case.
    """
    return hash_bytes(b"leaf", leaf, case_hash)


def hash_bucket(leaf_hashes: list[bytes]) -> bytes:
    """
    Return the root of a bucket from its leaf hashes, ascending by account; zeros for an empty one.
    """
    return hash_bytes(b"bucket", *leaf_hashes) if leaf_hashes else ZERO_HASH


def hash_state(tree_root: bytes, house_root: bytes, cycle: int, time_ns: int) -> bytes:
    """
    Return the state root of a cycle.
    """
    return hash_bytes(b"state", tree_root, house_root, cycle.to_bytes(8, "little"), time_ns.to_bytes(8, "little"))


def new_bucket_tree() -> MerkleTree:
    """
    Return the tree over 4096 empty buckets.
    """
    return MerkleTree([ZERO_HASH] * BUCKETS)


class InclusionProof(msgspec.Struct, frozen=True, array_like=True):
    """
    What ties one account to a state root: its leaf and case hash, its place among the bucket's leaf hashes, the path of
    the bucket, and the rest of the state.
    """

    leaf: bytes
    case_hash: bytes
    bucket: int
    position: int
    leaf_hashes: tuple[bytes, ...]
    path: tuple[bytes, ...]
    house_root: bytes
    cycle: int
    time_ns: int


def verify_inclusion(proof: InclusionProof, root: bytes) -> bool:
    """
    Return whether the proof's leaf is part of the state with `root`.
    """
    hashes = list(proof.leaf_hashes)
    if not (0 <= proof.position < len(hashes) and 0 <= proof.bucket < BUCKETS):
        return False
    if not (0 <= proof.cycle < 2**64 and 0 <= proof.time_ns < 2**64):
        return False
    if hashes[proof.position] != hash_leaf(proof.leaf, proof.case_hash):
        return False
    tree = compute_root(hash_bucket(hashes), proof.bucket, list(proof.path))
    return hash_state(tree, proof.house_root, proof.cycle, proof.time_ns) == root
