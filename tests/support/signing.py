"""Signatures as contracts take them."""

from __future__ import annotations

from typing import Any

from ape import chain
from ape.api import AccountAPI
from ape.contracts import ContractInstance
from eth_account.messages import SignableMessage, encode_typed_data

_CURVE_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


def signed(signer: AccountAPI, message: SignableMessage) -> tuple[int, bytes, bytes]:
    """(v, r, s) of `message`, r and s padded: ape drops their leading zeros."""
    signature = signer.sign_message(message)
    assert signature is not None
    return signature.v, signature.r.rjust(32, b"\0"), signature.s.rjust(32, b"\0")


def mirrored(v: int, r: bytes, s: bytes) -> tuple[int, bytes, bytes]:
    """The other signature that recovers to the same signer: contracts refuse its s as too high."""
    return 55 - v, r, (_CURVE_ORDER - int.from_bytes(s)).to_bytes(32)


def permit_message(
    share: ContractInstance, chain_id: int | None = None, **permit: Any
) -> SignableMessage:
    """What an owner signs for `permit` of a share, by eth_account and not by the contract."""
    return encode_typed_data(
        domain_data={
            "name": share.name(),
            "version": "1",
            "chainId": chain_id or chain.chain_id,
            "verifyingContract": share.address,
        },
        message_types={
            "Permit": [
                {"name": "owner", "type": "address"},
                {"name": "spender", "type": "address"},
                {"name": "value", "type": "uint256"},
                {"name": "nonce", "type": "uint256"},
                {"name": "deadline", "type": "uint256"},
            ]
        },
        message_data=permit,
    )
