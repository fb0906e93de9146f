"""A receipt: what one request was charged, for what, and to whom, signed by the gateway.

The receipts behind a collection are the leaves of an OpenZeppelin Merkle tree whose root stands on
chain. A leaf is the receipt's EIP-712 struct hash, of sixteen words, so that no inner node of two
can be taken for one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from api.domain.codec import parse_address, parse_digest, parse_hex, parse_uint, to_hex
from api.domain.eip712 import Eip712Domain, TypedMessage
from api.domain.prices import MAX_MODEL_CHARS, MAX_PRICE, Price, model_hash
from api.domain.vouchers import MAX_USD6
from api.errors import Malformed
from api.types import UINT32_MAX, Address, ClusterId, Digest

RECEIPT_ID_BYTES: Final = 16

NOBODY: Final = Address("0x0000000000000000000000000000000000000000")
"""The key of a receipt that is paid by itself, and by no voucher."""

_FIELDS: Final = (
    ("id", "bytes32"),
    ("gateway", "address"),
    ("payer", "address"),
    ("key", "address"),
    ("promisedUsd6", "uint256"),
    ("clusterId", "uint256"),
    ("model", "bytes32"),
    ("requestHash", "bytes32"),
    ("answerHash", "bytes32"),
    ("inputTokens", "uint256"),
    ("outputTokens", "uint256"),
    ("inputPrice", "uint256"),
    ("outputPrice", "uint256"),
    ("chargeUsd6", "uint256"),
    ("servedAt", "uint256"),
)


@dataclass(frozen=True, slots=True)
class Receipt:
    """What one request was charged.

    Attributes:
        id: Sixteen bytes, told before the answer: random, or the hash of the one payment behind it.
        gateway: Who served it, and signs.
        payer, key: Whose money, and which key of it said so; they may be the same.
        promised_usd6: The voucher behind it: what the key had promised the gateway in all. Zero
            where the gateway signs for the key, which was given to it as an API key. Of a payment
            by itself all that it brings.
        request_hash, answer_hash: SHA-256 of the bodies as the customer sent and received them.
        input_tokens, output_tokens: What was metered.
        price: At which they were charged.
        charge_usd6: In 10⁻⁶ dollars.
        served_at: Unix second at which the answer ended.
    """

    id: bytes
    gateway: Address
    payer: Address
    key: Address
    promised_usd6: int
    cluster_id: ClusterId
    model: str
    request_hash: Digest
    answer_hash: Digest
    input_tokens: int
    output_tokens: int
    price: Price
    charge_usd6: int
    served_at: int

    @property
    def has_own_payment(self) -> bool:
        """Whether it is paid by itself, and by no voucher."""
        return self.key == NOBODY

    def message(self, domain: Eip712Domain) -> TypedMessage:
        """What the gateway signs; `domain` is `gateway_domain`'s. Its struct hash is the leaf."""
        values = (
            self.id.ljust(32, b"\0"),
            self.gateway,
            self.payer,
            self.key,
            self.promised_usd6,
            int(self.cluster_id),
            model_hash(self.model),
            self.request_hash,
            self.answer_hash,
            self.input_tokens,
            self.output_tokens,
            self.price.input,
            self.price.output,
            self.charge_usd6,
            self.served_at,
        )
        return TypedMessage(domain, "Receipt", _FIELDS, values)

    def to_json(self) -> dict[str, Any]:
        return {
            "id": self.id.hex(),
            "gateway": self.gateway,
            "payer": self.payer,
            "key": self.key,
            "promisedUsd6": str(self.promised_usd6),
            "clusterId": self.cluster_id,
            "model": self.model,
            "requestHash": to_hex(self.request_hash),
            "answerHash": to_hex(self.answer_hash),
            "inputTokens": self.input_tokens,
            "outputTokens": self.output_tokens,
            "inputPrice": self.price.input,
            "outputPrice": self.price.output,
            "chargeUsd6": str(self.charge_usd6),
            "servedAt": self.served_at,
        }

    @classmethod
    def from_json(cls, data: object) -> Receipt:
        """Raises Malformed or OutOfRange, naming the field."""
        if not isinstance(data, Mapping):
            raise Malformed("receipt", data, "an object")

        def uint(name: str, most: int) -> int:
            return parse_uint(data.get(name), name, most)

        model = data.get("model")
        if not isinstance(model, str) or len(model) > MAX_MODEL_CHARS:
            raise Malformed("model", model, f"a name of at most {MAX_MODEL_CHARS} characters")
        return cls(
            parse_receipt_id(data.get("id")),
            parse_address(data.get("gateway"), "gateway"),
            parse_address(data.get("payer"), "payer"),
            parse_address(data.get("key"), "key"),
            uint("promisedUsd6", MAX_USD6),
            ClusterId(uint("clusterId", UINT32_MAX)),
            model,
            parse_digest(data.get("requestHash"), "requestHash"),
            parse_digest(data.get("answerHash"), "answerHash"),
            uint("inputTokens", UINT32_MAX),
            uint("outputTokens", UINT32_MAX),
            Price(uint("inputPrice", MAX_PRICE), uint("outputPrice", MAX_PRICE)),
            uint("chargeUsd6", MAX_USD6),
            uint("servedAt", 2**40 - 1),
        )


def parse_receipt_id(text: object) -> bytes:
    """The id that 32 hex digits spell. Raises Malformed."""
    if not isinstance(text, str):
        raise Malformed("receipt id", text, "32 hex digits")
    return parse_hex(f"0x{text}", "receipt id", RECEIPT_ID_BYTES)
