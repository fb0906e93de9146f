"""secp256k1 signatures over digests, as OpenZeppelin's ECDSA accepts them.

libsecp256k1 (coincurve) does the work: about 30 µs a signature, 60 µs a recovery.
"""

from __future__ import annotations

from typing import Any

from coincurve import PrivateKey, PublicKey

from api.domain.codec import to_address
from api.domain.hashing import keccak256
from api.errors import BadSignature, KeyRefused
from api.types import Address, Digest, Signature

_HALF_ORDER = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0
_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


class Signer:
    """A private key that signs digests. Neither its repr nor its errors show the key."""

    __slots__ = ("_key", "address")

    def __init__(self, key: bytes) -> None:
        if len(key) != 32 or not 0 < int.from_bytes(key, "big") < _ORDER:
            raise KeyRefused("the key is not a secp256k1 private key (32 bytes, below the order)")
        self._key = PrivateKey(key)
        self.address = _address_of(self._key.public_key)

    @classmethod
    def from_hex(cls, text: str) -> Signer:
        """The key that `text` spells, with or without 0x.

        Raises KeyRefused, without naming the text.
        """
        try:
            key = bytes.fromhex(text.removeprefix("0x"))
        except ValueError:
            raise KeyRefused("the key is not hex") from None
        return cls(key)

    @classmethod
    def from_keystore(cls, keystore: str, password: str) -> Signer:
        """The key in the text of a Web3 Secret Storage (version 3) file.

        Raises:
            KeyRefused: Not such a file, or the wrong password.
        """
        # eth_account takes half a second to import and only keystores need it.
        from eth_account import Account

        try:
            key: Any = Account.decrypt(keystore, password)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            # eth_account reads the file's structure without checking it.
            raise KeyRefused(f"the keystore cannot be opened: {error}") from None
        return cls(bytes(key))

    def sign(self, digest: Digest) -> Signature:
        """65 bytes r, s, v. Deterministic (RFC 6979): the same digest gives the same signature."""
        signed = self._key.sign_recoverable(digest, hasher=None)
        return Signature(signed[:64] + bytes([27 + signed[64]]))

    def __repr__(self) -> str:
        return f"Signer({self.address})"


def recover(digest: Digest, signature: bytes) -> Address:
    """The account whose signature over `digest` this is.

    Raises:
        BadSignature: Not 65 bytes, v other than 27 or 28, s in the upper half (a second spelling of
            the same signature), or no point on the curve.
    """
    if len(signature) != 65:
        raise BadSignature(
            f"a signature is {len(signature)} bytes, 65 are needed", value=len(signature), limit=65
        )
    if signature[64] not in (27, 28):
        raise BadSignature(f"v is {signature[64]}, 27 or 28 are allowed", value=signature[64])
    if int.from_bytes(signature[32:64], "big") > _HALF_ORDER:
        raise BadSignature("s lies in the upper half of the order")
    recoverable = signature[:64] + bytes([signature[64] - 27])
    try:
        public_key = PublicKey.from_signature_and_message(recoverable, digest, hasher=None)
    except ValueError as error:
        raise BadSignature(f"the signature recovers to no account: {error}") from None
    return _address_of(public_key)


def require_signer(digest: Digest, signature: bytes, claimed: Address) -> None:
    """Check that `claimed` signed `digest`. Raises BadSignature naming both accounts if not."""
    signer = recover(digest, signature)
    if signer != claimed:
        raise BadSignature(f"signed by {signer}, not by {claimed}", value=signer, limit=claimed)


def _address_of(public_key: PublicKey) -> Address:
    return to_address(keccak256(public_key.format(compressed=False)[1:])[12:])
