"""
SHA-256 with domain separation, a binary Merkle tree over a power of two of leaves, and CRC32C.

Rules LG-001 and LG-004. A tag byte keeps a leaf from being read as an inner node.
"""

from hashlib import sha256

import google_crc32c

HASH_BYTES = 32
ZERO_HASH = bytes(HASH_BYTES)


def hash_bytes(tag: bytes, *parts: bytes) -> bytes:
    """
    Return SHA-256 over a tag and parts, each with its length, so that no two part lists collide.
    """
    state = sha256(len(tag).to_bytes(1, "little") + tag)
    for part in parts:
        state.update(len(part).to_bytes(8, "little"))
        state.update(part)
    return state.digest()


def crc32c(data: bytes, seed: int = 0) -> int:
    """
    Return the CRC32C (Castagnoli) of `data`, continued from `seed`.
    """
    return int(google_crc32c.extend(seed, data))  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]


def hash_node(left: bytes, right: bytes) -> bytes:
    """
    Return the hash of an inner node.
    """
    return sha256(b"\x01" + left + right).digest()


class MerkleTree:
    """
    A binary tree over a fixed power-of-two number of 32-byte leaves, updated in place.

    Complexity: update O(log n) per changed leaf, shared among leaves changed together.
    """

    def __init__(self, leaves: list[bytes]) -> None:
        assert leaves and len(leaves) & (len(leaves) - 1) == 0, "a power of two of leaves"
        self._layers = [list(leaves)]
        while len(self._layers[-1]) > 1:
            below = self._layers[-1]
            self._layers.append([hash_node(below[i], below[i + 1]) for i in range(0, len(below), 2)])

    @property
    def root(self) -> bytes:
        return self._layers[-1][0]

    def leaf(self, index: int) -> bytes:
        return self._layers[0][index]

    def update(self, changed: dict[int, bytes]) -> None:
        """
        Replace leaves and recompute the nodes above them.
        """
        for index, value in changed.items():
            self._layers[0][index] = value
        indexes = set(changed)
        for below, above in zip(self._layers, self._layers[1:], strict=False):
            indexes = {i >> 1 for i in indexes}
            for i in indexes:
                above[i] = hash_node(below[2 * i], below[2 * i + 1])

    def path(self, index: int) -> list[bytes]:
        """
        Return the sibling hashes from leaf to root.
        """
        out: list[bytes] = []
        for layer in self._layers[:-1]:
            out.append(layer[index ^ 1])
            index >>= 1
        return out


def compute_root(leaf: bytes, index: int, path: list[bytes]) -> bytes:
    """
    Return the root that `leaf` at `index` with sibling hashes `path` implies.
    """
    node = leaf
    for sibling in path:
        node = hash_node(sibling, node) if index & 1 else hash_node(node, sibling)
        index >>= 1
    return node
