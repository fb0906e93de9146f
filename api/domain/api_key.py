"""A session key of a payer as the API key that clients of language models send.

`rk_` and the base64url of the payer (20 bytes), the session's private key (32) and the first 4
bytes of keccak256 of these 52, so that a miscopied one is told from one that is not authorised.
What it may spend, where and until when is on chain: `InferencePayments.authorise`.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Final

from api.domain.codec import address_bytes, to_address
from api.domain.hashing import keccak256
from api.domain.signing import Signer
from api.errors import BadApiKey, KeyRefused
from api.types import Address

PREFIX: Final = "rk_"
API_KEY_CHARS: Final = 78

_PAYER_BYTES: Final = 20
_CHECKED_BYTES: Final = _PAYER_BYTES + 32
_CHECK_BYTES: Final = 4


class ApiKey:
    """A payer and a session key of it. Neither its repr nor its errors show the private key.

    Raises:
        KeyRefused: `secret` is no private key of secp256k1.
    """

    __slots__ = ("_secret", "payer", "signer")

    def __init__(self, payer: Address, secret: bytes) -> None:
        self.payer = payer
        self.signer = Signer(secret)
        self._secret = secret

    @classmethod
    def parse(cls, text: str) -> ApiKey:
        """The key that `text` spells. Raises BadApiKey, without naming the text."""
        if len(text) != API_KEY_CHARS or not text.startswith(PREFIX):
            raise BadApiKey(f"an API key is {PREFIX} and {API_KEY_CHARS - len(PREFIX)} characters")
        try:
            content = urlsafe_b64decode(text.removeprefix(PREFIX) + "=")
        except ValueError:
            raise BadApiKey("the API key is not base64url") from None
        # Decoding skips what is not of the alphabet, and ignores the last two bits.
        if _spelled(content) != text:
            raise BadApiKey("the API key is not base64url")
        checked, check = content[:_CHECKED_BYTES], content[_CHECKED_BYTES:]
        if keccak256(checked)[:_CHECK_BYTES] != check:
            raise BadApiKey("the API key was miscopied: its check does not hold")
        try:
            return cls(to_address(checked[:_PAYER_BYTES]), checked[_PAYER_BYTES:])
        except KeyRefused as refusal:
            raise BadApiKey(f"the API key holds no key: {refusal.message}") from None

    def text(self) -> str:
        """The API key itself, a secret."""
        checked = address_bytes(self.payer) + self._secret
        return _spelled(checked + keccak256(checked)[:_CHECK_BYTES])

    def __repr__(self) -> str:
        return f"ApiKey(payer={self.payer}, key={self.signer.address})"


def _spelled(content: bytes) -> str:
    return PREFIX + urlsafe_b64encode(content).decode().rstrip("=")
