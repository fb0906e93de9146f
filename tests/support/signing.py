"""Signatures as contracts take them."""

from __future__ import annotations

from ape.api import AccountAPI
from eth_account.messages import SignableMessage

_CURVE_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


def signed(signer: AccountAPI, message: SignableMessage) -> tuple[int, bytes, bytes]:
    """(v, r, s) of `message`, r and s padded: ape drops their leading zeros."""
    signature = signer.sign_message(message)
    assert signature is not None
    return signature.v, signature.r.rjust(32, b"\0"), signature.s.rjust(32, b"\0")


def mirrored(v: int, r: bytes, s: bytes) -> tuple[int, bytes, bytes]:
    """The other signature that recovers to the same signer: contracts refuse its s as too high."""
    return 55 - v, r, (_CURVE_ORDER - int.from_bytes(s)).to_bytes(32)
