"""OpenZeppelin's standard Merkle tree: what `MerkleProof.verify` checks on chain.

The layout is that of `@openzeppelin/merkle-tree`'s StandardMerkleTree: a complete binary tree of n
leaves in an array of 2n − 1 nodes, the root at 0, the children of node i at 2i + 1 and 2i + 2, the
leaves sorted by hash and placed from the end backwards. A pair is hashed in ascending order, so
that a proof needs no directions. The order in which leaves are given does not matter.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from api.domain.hashing import keccak256
from api.errors import NotFound
from api.types import ZERO_DIGEST, Digest


class MerkleTree:
    """The tree over `leaves` (32-byte hashes).

    Without a leaf its root is zero and it proves nothing.
    """

    __slots__ = ("_index", "_nodes")

    def __init__(self, leaves: Iterable[Digest]) -> None:
        ordered = sorted(leaves)
        self._nodes = _build(ordered)
        self._index: dict[bytes, int] = {}
        last = len(self._nodes) - 1
        for position, leaf in enumerate(ordered):
            self._index.setdefault(leaf, last - position)

    @property
    def root(self) -> Digest:
        return self._nodes[0] if self._nodes else ZERO_DIGEST

    def __len__(self) -> int:
        """The number of leaves."""
        return (len(self._nodes) + 1) // 2

    def __contains__(self, leaf: object) -> bool:
        return leaf in self._index

    def proof(self, leaf: Digest) -> list[Digest]:
        """The siblings on the way from `leaf` to the root.

        Raises:
            NotFound: It is no leaf of this tree.
        """
        at = self._index.get(leaf)
        if at is None:
            raise NotFound(f"0x{leaf.hex()} is no leaf of this tree", value=leaf)
        siblings: list[Digest] = []
        while at > 0:
            siblings.append(self._nodes[at + 1 if at % 2 else at - 1])
            at = (at - 1) // 2
        return siblings


def merkle_root(leaves: Iterable[Digest]) -> Digest:
    """The root of the tree over `leaves`; zero if there is none."""
    nodes = _build(sorted(leaves))
    return nodes[0] if nodes else ZERO_DIGEST


def verify_proof(root: Digest, leaf: Digest, proof: Sequence[Digest]) -> bool:
    """Whether `proof` leads from `leaf` to `root`, as `MerkleProof.verify` decides it."""
    node = leaf
    for sibling in proof:
        node = _hash_pair(node, sibling)
    return node == root


def _hash_pair(a: Digest, b: Digest) -> Digest:
    return keccak256(a + b if a < b else b + a)


def _build(ordered: list[Digest]) -> list[Digest]:
    if not ordered:
        return []
    count = len(ordered)
    nodes = [ZERO_DIGEST] * (count - 1)
    nodes.extend(reversed(ordered))
    for at in range(count - 2, -1, -1):
        nodes[at] = _hash_pair(nodes[2 * at + 1], nodes[2 * at + 2])
    return nodes
