"""HolderDesk's digests: EIP-712, as any wallet computes it."""

from __future__ import annotations

import pytest
from ape import chain
from ape.api import AccountAPI
from ape.contracts import ContractInstance
from eth_abi.abi import encode
from eth_utils.crypto import keccak

from tests.support.desk import TYPES, Authorization, desk_message, digest, nonce

VIEWS = {
    "ClaimAuthorization": "claimDigest",
    "EncumbranceAuthorization": "encumbranceDigest",
    "AllowanceAuthorization": "allowanceDigest",
    "DelegationAuthorization": "delegationDigest",
}


def _authorization(kind: str, account: AccountAPI, clusters: list[int]) -> Authorization:
    """Another value for every field."""
    values = {
        "address": account.address,
        "uint32[]": clusters,
        "uint32": 7,
        "uint40": 2**40 - 1,
        "uint256": 2**255 + 3,
        "bytes32": nonce(5),
    }
    filled: Authorization = {name: values[type_] for name, type_ in TYPES[kind]}
    for place, (name, type_) in enumerate(TYPES[kind]):
        if type_ == "address":
            filled[name] = f"0x{place + 1:040x}"
        elif type_ == "uint256":
            filled[name] += place
    return filled


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("clusters", [[], [1], [2**32 - 1, 1, 2**31]])
def test_digest__any_authorization__is_what_eth_account_signs(
    desk: ContractInstance, holder: AccountAPI, kind: str, clusters: list[int]
) -> None:
    authorization = _authorization(kind, holder, clusters)
    on_chain = getattr(desk, VIEWS[kind])(authorization)
    assert on_chain == digest(desk_message(desk, kind, authorization))


@pytest.mark.parametrize("kind", TYPES)
def test_digest__by_hand__arrays_are_hashed_element_by_element(
    desk: ContractInstance, holder: AccountAPI, kind: str
) -> None:
    authorization = _authorization(kind, holder, [3, 2**32 - 1])
    members = ",".join(f"{type_} {name}" for name, type_ in TYPES[kind])
    types, values = ["bytes32"], [keccak(text=f"{kind}({members})")]
    for name, type_ in TYPES[kind]:
        if type_ == "uint32[]":
            types.append("bytes32")
            values.append(keccak(encode(["uint256"] * 2, authorization[name])))
        else:
            types.append(type_)
            values.append(authorization[name])
    domain = keccak(
        encode(
            ["bytes32", "bytes32", "bytes32", "uint256", "address"],
            [
                keccak(
                    text="EIP712Domain(string name,string version,uint256 chainId,"
                    "address verifyingContract)"
                ),
                keccak(text="Rackstream HolderDesk"),
                keccak(text="1"),
                chain.chain_id,
                desk.address,
            ],
        )
    )
    by_hand = keccak(b"\x19\x01" + domain + keccak(encode(types, values)))
    assert getattr(desk, VIEWS[kind])(authorization) == by_hand


def test_domain__as_of_eip5267__is_the_desks_on_this_chain(desk: ContractInstance) -> None:
    fields, name, version, chain_id, contract, salt, extensions = desk.eip712Domain()
    assert (fields, name, version) == (b"\x0f", "Rackstream HolderDesk", "1")
    assert (chain_id, contract) == (chain.chain_id, desk.address)
    assert (salt, extensions) == (b"\0" * 32, [])
