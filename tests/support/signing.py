"""Signatures as contracts take them."""

from __future__ import annotations

from ape.api import AccountAPI
from eth_account.messages import SignableMessage


def signed(signer: AccountAPI, message: SignableMessage) -> tuple[int, bytes, bytes]:
    """(v, r, s) of `message`, r and s padded: ape drops their leading zeros."""
    signature = signer.sign_message(message)
    assert signature is not None
    return signature.v, signature.r.rjust(32, b"\0"), signature.s.rjust(32, b"\0")
