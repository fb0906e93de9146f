"""What income is for: what a cluster did with a model, as `contracts/types/Work.sol` has it."""

from __future__ import annotations

from typing import Final, NamedTuple

from api.domain.eip712 import address_word, word
from api.domain.hashing import keccak256
from api.types import Address, ClusterId, Digest

NO_MODEL: Final = Digest(bytes(32))
"""A model that nobody is owed a royalty for."""


class Work(NamedTuple):
    """A cluster's, with a registered model. Ordered as a collection wants them: by cluster, then by
    model.
    """

    cluster_id: ClusterId
    model_id: Digest = NO_MODEL


def model_id_of(owner: Address, name: str) -> Digest:
    """How `ModelRegistry` calls a model: keccak256(abi.encode(owner, name))."""
    text = name.encode()
    padding = bytes(-len(text) % 32)
    return keccak256(address_word(owner) + word(64) + word(len(text)) + text + padding)
