"""Payments of x402's scheme `exact`: an authorisation of the stablecoin (EIP-3009) that anybody may
bring, as its payer signs it, as it stands in an envelope's `payload`, and as
`contracts/payments/PaymentBatch.sol` reads it. Amounts are 10⁻⁶ dollars.

    {"signature": "0x…", "authorization": {"from": "0x…", "to": "0x…", "value": "1000",
     "validAfter": "0", "validBefore": "1700000060", "nonce": "0x…32 bytes"}}
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from api.domain.codec import (
    address_bytes,
    parse_address,
    parse_digest,
    parse_hex,
    parse_uint,
    to_hex,
)
from api.domain.eip712 import Eip712Domain, TypedMessage, address_word, word
from api.domain.hashing import keccak256
from api.domain.receipts import RECEIPT_ID_BYTES
from api.domain.signing import Signer
from api.domain.work import Work
from api.domain.x402 import parse_object
from api.errors import Malformed, OutOfRange, Oversized
from api.types import UINT256_MAX, Address, Digest

MAX_VALUE_USD6: Final = 2**56 - 1
"""Most that the settler takes in one payment."""

MAX_TIME: Final = 2**40 - 1
"""Last Unix second that the settler can be told."""

MAX_SIGNATURE_BYTES: Final = 2_048

_FIELDS: Final = (
    ("from", "address"),
    ("to", "address"),
    ("value", "uint256"),
    ("validAfter", "uint256"),
    ("validBefore", "uint256"),
    ("nonce", "bytes32"),
)


@dataclass(frozen=True, slots=True)
class Authorization:
    """What a payer signs: valid after `valid_after` and before `valid_before`, Unix seconds."""

    payer: Address
    to: Address
    value: int
    valid_after: int
    valid_before: int
    nonce: Digest

    def message(self, domain: Eip712Domain) -> TypedMessage:
        """`domain` is the stablecoin's own."""
        values = (
            self.payer, self.to, self.value, self.valid_after, self.valid_before, bytes(self.nonce),
        )  # fmt: skip
        return TypedMessage(domain, "TransferWithAuthorization", _FIELDS, values)

    @property
    def entry(self) -> tuple[int, int]:
        """Its words in the settler's events, if it succeeds."""
        payer = int.from_bytes(address_bytes(self.payer))
        return payer << 96 | self.value, int.from_bytes(self.nonce)

    @property
    def receipt_id(self) -> bytes:
        """Of the one receipt that it pays. The nonce alone is chosen by the payer, who could choose
        the id of another's receipt.
        """
        return keccak256(address_bytes(self.payer) + self.nonce)[:RECEIPT_ID_BYTES]

    @property
    def unused_hash(self) -> Digest:
        """What stands in a receipt's place where nothing was given: like no receipt's hash, nor
        anything else that the payer could choose.
        """
        return keccak256(b"unused" + address_bytes(self.payer) + self.nonce)


@dataclass(frozen=True, slots=True)
class ExactPayment:
    """An authorisation with its payer's signature: a key's, or whatever a contract takes for its
    own. Nothing of it is proven.
    """

    authorization: Authorization
    signature: bytes = field(repr=False)

    @classmethod
    def signed(
        cls, authorization: Authorization, domain: Eip712Domain, signer: Signer
    ) -> ExactPayment:
        return cls(authorization, signer.sign(authorization.message(domain).digest))

    @classmethod
    def from_payload(cls, payload: Mapping[str, Any]) -> ExactPayment:
        """Raises Malformed, OutOfRange or Oversized, naming the field."""
        fields = parse_object(payload.get("authorization"), "authorization")
        authorization = Authorization(
            payer=parse_address(fields.get("from"), "from"),
            to=parse_address(fields.get("to"), "to"),
            value=parse_uint(fields.get("value"), "value", UINT256_MAX),
            valid_after=parse_uint(fields.get("validAfter"), "validAfter", UINT256_MAX),
            valid_before=parse_uint(fields.get("validBefore"), "validBefore", UINT256_MAX),
            nonce=parse_digest(fields.get("nonce"), "nonce"),
        )
        text = payload.get("signature")
        size = (len(text) - 2) // 2 if isinstance(text, str) else 0
        if size > MAX_SIGNATURE_BYTES:
            raise Oversized("bytes of signature", size, MAX_SIGNATURE_BYTES)
        if size <= 0:
            raise Malformed("signature", text, "0x and hex digits")
        return cls(authorization, parse_hex(text, "signature", size))

    def to_payload(self) -> dict[str, Any]:
        one = self.authorization
        return {
            "signature": to_hex(self.signature),
            "authorization": {
                "from": one.payer,
                "to": one.to,
                "value": str(one.value),
                "validAfter": str(one.valid_after),
                "validBefore": str(one.valid_before),
                "nonce": to_hex(one.nonce),
            },
        }

    def packed(self) -> bytes:
        """As the settler reads it. Raises OutOfRange for what does not fit there."""
        one = self.authorization
        _require("value", one.value, MAX_VALUE_USD6)
        _require("validAfter", one.valid_after, MAX_TIME)
        _require("validBefore", one.valid_before, MAX_TIME)
        return (
            address_bytes(one.payer)
            + one.value.to_bytes(7, "big")
            + one.valid_before.to_bytes(5, "big")
            + one.nonce
            + one.valid_after.to_bytes(5, "big")
            + len(self.signature).to_bytes(2, "big")
            + self.signature
        )


def credit_words(unused: Iterable[int]) -> list[int]:
    """What was not used of each payment of a batch, in their order, as the settler takes it."""
    return [place << 64 | amount for place, amount in enumerate(unused) if amount]


def batch_id(gateway: Address, work: Work, entries: Sequence[int]) -> Digest:
    """Under which the settler keeps a batch that was settled ahead of its use."""
    return keccak256(
        address_word(gateway)
        + word(work.cluster_id)
        + work.model_id
        + word(128)
        + word(len(entries))
        + b"".join(map(word, entries))
    )


def _require(name: str, value: int, maximum: int) -> None:
    if value > maximum:
        raise OutOfRange(name, value, 0, maximum)
