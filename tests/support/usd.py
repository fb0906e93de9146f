"""What an owner of USDC signs: EIP-2612 permits and the authorizations of EIP-3009."""

from __future__ import annotations

from typing import Any

from ape import chain
from ape.api import AccountAPI
from ape.contracts import ContractInstance
from eth_account.messages import encode_typed_data

from tests.support.signing import signed

TYPES = {
    "Permit": [
        ("owner", "address"),
        ("spender", "address"),
        ("value", "uint256"),
        ("nonce", "uint256"),
        ("deadline", "uint256"),
    ],
    "TransferWithAuthorization": [
        ("from", "address"),
        ("to", "address"),
        ("value", "uint256"),
        ("validAfter", "uint256"),
        ("validBefore", "uint256"),
        ("nonce", "bytes32"),
    ],
    "ReceiveWithAuthorization": [
        ("from", "address"),
        ("to", "address"),
        ("value", "uint256"),
        ("validAfter", "uint256"),
        ("validBefore", "uint256"),
        ("nonce", "bytes32"),
    ],
    "CancelAuthorization": [("authorizer", "address"), ("nonce", "bytes32")],
}


def sign_usd(
    token: ContractInstance, signer: AccountAPI, kind: str, message: dict[str, Any]
) -> tuple[int, bytes, bytes]:
    """(v, r, s) of `kind`, one of TYPES, in the domain of USDC: ("USDC", "2")."""
    return signed(
        signer,
        encode_typed_data(
            domain_data={
                "name": "USDC",
                "version": "2",
                "chainId": chain.chain_id,
                "verifyingContract": token.address,
            },
            message_types={kind: [{"name": name, "type": type_} for name, type_ in TYPES[kind]]},
            message_data=message,
        ),
    )


def as_bytes(signature: tuple[int, bytes, bytes]) -> bytes:
    """The 65 bytes r, s, v of a signature."""
    v, r, s = signature
    return r.rjust(32, b"\0") + s.rjust(32, b"\0") + bytes([v])
