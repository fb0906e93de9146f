"""What a registered model is called, and in which order works stand."""

from __future__ import annotations

import pytest
from eth_abi.abi import encode
from eth_utils.crypto import keccak

from api.domain.codec import to_address
from api.domain.work import NO_MODEL, Work, model_id_of
from api.types import ClusterId, Digest

OWNER = to_address(b"\x0b" * 20)


@pytest.mark.parametrize("name", ["", "m", "m" * 31, "m" * 32, "m" * 33, "m" * 128])
def test_model_id_of__name_of_any_length__is_the_hash_that_solidity_makes(name: str) -> None:
    assert model_id_of(OWNER, name) == keccak(encode(["address", "string"], [OWNER, name]))


def test_work__sorted__is_by_cluster_then_by_model_as_a_number() -> None:
    low, high = Digest(b"\x00" * 31 + b"\xff"), Digest(b"\x01" + b"\x00" * 31)
    one, two = ClusterId(1), ClusterId(2)
    first, *others = Work(one, NO_MODEL), Work(one, low), Work(one, high), Work(two)
    assert sorted([*others, first]) == [first, *others]
    assert sorted([others[1], first, others[2], others[0]]) == [first, *others]
