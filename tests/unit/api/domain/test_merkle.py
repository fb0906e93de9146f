"""Against a second implementation, over a heap counted from 1, and OpenZeppelin's own example."""

from __future__ import annotations

import pytest
from eth_abi.abi import encode
from eth_utils.crypto import keccak
from hypothesis import given
from hypothesis import strategies as st

from api.domain.hashing import hash_leaf
from api.domain.merkle import MerkleTree, merkle_root, verify_proof
from api.errors import NotFound
from api.types import ZERO_DIGEST, Digest
from tests.support.search import searched

digests = st.binary(min_size=32, max_size=32).map(Digest)
leaf_lists = st.lists(digests, min_size=1, max_size=70)


def heap_root(leaves: list[Digest]) -> bytes:
    """Leaf i of the sorted leaves is node 2n − 1 − i of a heap counted from 1."""
    count = len(leaves)
    heap = {2 * count - 1 - index: bytes(leaf) for index, leaf in enumerate(sorted(leaves))}
    for node in range(count - 1, 0, -1):
        heap[node] = keccak(b"".join(sorted((heap[2 * node], heap[2 * node + 1]))))
    return heap[1]


@pytest.mark.property
@searched(100)
@given(leaf_lists)
def test_merkle_root__any_leaves__is_that_of_the_second_implementation(
    leaves: list[Digest],
) -> None:
    assert merkle_root(leaves) == MerkleTree(leaves).root == heap_root(leaves)


@pytest.mark.property
@searched(100)
@given(leaf_lists, st.randoms())
def test_merkle_root__another_order__is_the_same(leaves: list[Digest], chance: object) -> None:
    shuffled = leaves.copy()
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    assert merkle_root(shuffled) == merkle_root(leaves)


@pytest.mark.property
@searched(100)
@given(leaf_lists)
def test_proof__of_every_leaf__verifies(leaves: list[Digest]) -> None:
    tree = MerkleTree(leaves)
    assert len(tree) == len(leaves)
    for leaf in leaves:
        assert leaf in tree
        assert verify_proof(tree.root, leaf, tree.proof(leaf))


@pytest.mark.property
@searched(100)
@given(leaf_lists, digests, st.data())
def test_verify_proof__of_a_stranger__is_refused(
    leaves: list[Digest], stranger: Digest, data: st.DataObject
) -> None:
    tree = MerkleTree(leaves)
    proof = tree.proof(data.draw(st.sampled_from(leaves)))
    if stranger not in leaves:
        assert not verify_proof(tree.root, stranger, proof)


def test_merkle_root__example_of_openzeppelin__is_the_published_one() -> None:
    # github.com/OpenZeppelin/merkle-tree, README, "Building a Tree".
    values = [
        ("0x1111111111111111111111111111111111111111", 5 * 10**18),
        ("0x2222222222222222222222222222222222222222", 25 * 10**17),
    ]
    leaves = [hash_leaf(encode(("address", "uint256"), value)) for value in values]
    expected = "d4dee0beab2d53f2cc83e567171bd2820e49898130a22622b10ead383e90bd77"
    assert merkle_root(leaves).hex() == expected


def test_merkle_root__one_leaf__is_the_leaf() -> None:
    leaf = hash_leaf(b"alone")
    assert merkle_root([leaf]) == leaf
    assert MerkleTree([leaf]).proof(leaf) == []


def test_merkle_root__no_leaf__is_zero() -> None:
    assert merkle_root([]) == ZERO_DIGEST
    assert MerkleTree([]).root == ZERO_DIGEST
    assert len(MerkleTree([])) == 0


def test_proof__of_a_stranger__is_refused() -> None:
    with pytest.raises(NotFound, match="is no leaf"):
        MerkleTree([hash_leaf(b"a")]).proof(hash_leaf(b"b"))


def test_hash_leaf__any_words__hash_of_the_hash() -> None:
    assert hash_leaf(b"words") == keccak(keccak(b"words"))
