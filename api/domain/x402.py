"""The envelopes of x402, version 2: what is asked for a request, what is brought for it, and what
became of that. Each is JSON in base64 in a header of its own:

    PAYMENT-REQUIRED   {"x402Version": 2, "error": "…", "resource": {"url": "…"},
                        "accepts": [offer, …]}
    PAYMENT-SIGNATURE  {"x402Version": 2, "accepted": offer, "payload": {…}}
    PAYMENT-RESPONSE   {"success": true, "transaction": "0x…", "network": "eip155:8453",
                        "payer": "0x…", "amount": "1000"}

    offer  {"scheme": "exact", "network": "eip155:8453", "amount": "1000", "asset": "0x…",
            "payTo": "0x…", "maxTimeoutSeconds": 60, "extra": {"name": "USDC", "version": "2"}}

What `payload` and `extra` hold is the scheme's affair (`api.domain.eip3009` for `exact`). What else
stands in an envelope (`resource`, `extensions`) is no part of a payment and is passed over. Amounts
are in the asset's unit, 10⁻⁶ dollars here.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from api.domain.codec import parse_address, parse_uint
from api.errors import Duplicated, Incoherent, Malformed, Oversized
from api.types import UINT32_MAX, UINT256_MAX, Address

X402_VERSION: Final = 2

PAYMENT_REQUIRED_HEADER: Final = "PAYMENT-REQUIRED"
PAYMENT_SIGNATURE_HEADER: Final = "PAYMENT-SIGNATURE"
PAYMENT_RESPONSE_HEADER: Final = "PAYMENT-RESPONSE"

MAX_HEADER_CHARACTERS: Final = 16 * 1024
"""Of a header that is read. A contract account's signature may be long; most servers take no more
than this in one header."""

MAX_OFFERS: Final = 32

_NETWORK = re.compile(r"[-a-z0-9]{3,8}:[-_a-zA-Z0-9]{1,32}\Z")
_EIP155 = re.compile(r"eip155:([1-9][0-9]{0,15})\Z")
_SCHEME = re.compile(r"[a-z][a-z0-9-]{0,31}\Z")
_TRANSACTION = re.compile(r"(?:0x[0-9a-f]{64})?\Z")


def network_of(chain_id: int) -> str:
    """A chain in the spelling of CAIP-2: `eip155:8453`."""
    return f"eip155:{chain_id}"


def chain_id_of(network: str) -> int:
    """The chain that a CAIP-2 name is of. Raises Malformed for one that is not EVM's."""
    found = _EIP155.match(network)
    if found is None:
        raise Malformed("network", network, "eip155: and a chain's id")
    return int(found[1])


@dataclass(frozen=True, slots=True)
class Offer:
    """One way to pay for a request (x402: payment requirements).

    Attributes:
        network: In the spelling of CAIP-2.
        amount: In the asset's unit.
        max_timeout_seconds: How long the payer's signature should hold.
        extra: The scheme's own; JSON.
    """

    scheme: str
    network: str
    amount: int
    asset: Address
    pay_to: Address
    max_timeout_seconds: int
    extra: Mapping[str, Any] = field(default_factory=dict)

    def is_accepted_by(self, accepted: Offer) -> bool:
        """Whether it is this offer that a payment was made for: the payer may add to `extra`."""
        return self._terms == accepted._terms and all(
            name in accepted.extra and accepted.extra[name] == value
            for name, value in self.extra.items()
        )

    @property
    def _terms(self) -> tuple[object, ...]:
        return (
            self.scheme, self.network, self.amount, self.asset, self.pay_to,
            self.max_timeout_seconds,
        )  # fmt: skip

    def to_json(self) -> dict[str, Any]:
        return {
            "scheme": self.scheme,
            "network": self.network,
            "amount": str(self.amount),
            "asset": self.asset,
            "payTo": self.pay_to,
            "maxTimeoutSeconds": self.max_timeout_seconds,
            "extra": dict(self.extra),
        }

    @classmethod
    def from_json(cls, data: object, name: str = "offer") -> Offer:
        """Raises Malformed or OutOfRange, naming the field."""
        fields = parse_object(data, name)
        return cls(
            scheme=_matching(fields.get("scheme"), f"{name}.scheme", _SCHEME, "a scheme's name"),
            network=_network(fields.get("network"), f"{name}.network"),
            amount=parse_uint(fields.get("amount"), f"{name}.amount", UINT256_MAX),
            asset=parse_address(fields.get("asset"), f"{name}.asset"),
            pay_to=parse_address(fields.get("payTo"), f"{name}.payTo"),
            max_timeout_seconds=parse_uint(
                fields.get("maxTimeoutSeconds"), f"{name}.maxTimeoutSeconds", UINT32_MAX
            ),
            extra=parse_object(_or(fields.get("extra"), {}), f"{name}.extra"),
        )


@dataclass(frozen=True, slots=True)
class PaymentRequired:
    """What a request costs, and in which ways it can be paid.

    Attributes:
        error: Why what was brought, or that nothing was, does not do.
        url: What is asked for.
        accepts: At least one way to pay, at most 32.
    """

    error: str
    url: str
    accepts: tuple[Offer, ...]

    def to_json(self) -> dict[str, Any]:
        return {
            "x402Version": X402_VERSION,
            "error": self.error,
            "resource": {"url": self.url},
            "accepts": [offer.to_json() for offer in self.accepts],
        }

    def to_header(self) -> str:
        return encode_header(self.to_json())

    @classmethod
    def from_header(cls, text: str) -> PaymentRequired:
        """Raises Malformed, Oversized, OutOfRange or Incoherent, naming the field."""
        fields = decode_header(text, PAYMENT_REQUIRED_HEADER)
        _require_version(fields)
        accepts = fields.get("accepts")
        if not isinstance(accepts, list) or not accepts:
            raise Malformed("accepts", accepts, "a list of offers")
        if len(accepts) > MAX_OFFERS:
            raise Oversized("offers", len(accepts), MAX_OFFERS)
        resource = parse_object(_or(fields.get("resource"), {}), "resource")
        return cls(
            error=_text(_or(fields.get("error"), ""), "error"),
            url=_text(_or(resource.get("url"), ""), "resource.url"),
            accepts=tuple(
                Offer.from_json(offer, f"accepts[{at}]") for at, offer in enumerate(accepts)
            ),
        )


@dataclass(frozen=True, slots=True)
class Payment:
    """What was brought for a request (x402: payment payload). Nothing of it is proven.

    Attributes:
        accepted: The offer that it is for, as the payer says.
        payload: The scheme's own; JSON.
    """

    accepted: Offer
    payload: Mapping[str, Any]

    def to_json(self) -> dict[str, Any]:
        return {
            "x402Version": X402_VERSION,
            "accepted": self.accepted.to_json(),
            "payload": dict(self.payload),
        }

    def to_header(self) -> str:
        return encode_header(self.to_json())

    @classmethod
    def from_json(cls, data: object) -> Payment:
        """Raises Malformed, OutOfRange or Incoherent, naming the field."""
        fields = parse_object(data, "payment")
        _require_version(fields)
        return cls(
            accepted=Offer.from_json(fields.get("accepted"), "accepted"),
            payload=parse_object(fields.get("payload"), "payload"),
        )

    @classmethod
    def from_header(cls, text: str) -> Payment:
        """Raises Malformed, Oversized, OutOfRange or Incoherent, naming the field."""
        return cls.from_json(decode_header(text, PAYMENT_SIGNATURE_HEADER))


@dataclass(frozen=True, slots=True)
class PaymentResponse:
    """What became of a payment (x402: settle response).

    Attributes:
        transaction: The hash of the transaction that settled it or is to settle it; empty if there
            is none, as for a voucher.
        amount: What was charged, where that is known.
        error_reason: A word of x402 for programs, if it did not succeed.
    """

    success: bool
    network: str
    transaction: str = ""
    payer: Address | None = None
    amount: int | None = None
    error_reason: str | None = None
    error_message: str | None = None

    def to_json(self) -> dict[str, Any]:
        fields = {
            "success": self.success,
            "transaction": self.transaction,
            "network": self.network,
            "payer": self.payer,
            "amount": None if self.amount is None else str(self.amount),
            "errorReason": self.error_reason,
            "errorMessage": self.error_message,
        }
        return {name: value for name, value in fields.items() if value is not None}

    def to_header(self) -> str:
        return encode_header(self.to_json())

    @classmethod
    def from_header(cls, text: str) -> PaymentResponse:
        """Raises Malformed, Oversized or OutOfRange, naming the field."""
        fields = decode_header(text, PAYMENT_RESPONSE_HEADER)
        success, payer, amount = fields.get("success"), fields.get("payer"), fields.get("amount")
        if not isinstance(success, bool):
            raise Malformed("success", success, "true or false")
        reason, message = fields.get("errorReason"), fields.get("errorMessage")
        return cls(
            success=success,
            network=_network(fields.get("network"), "network"),
            transaction=_matching(
                fields.get("transaction"), "transaction", _TRANSACTION, "a transaction's hash"
            ),
            payer=None if payer is None else parse_address(payer, "payer"),
            amount=None if amount is None else parse_uint(amount, "amount", UINT256_MAX),
            error_reason=None if reason is None else _text(reason, "errorReason"),
            error_message=None if message is None else _text(message, "errorMessage"),
        )


def encode_header(data: Mapping[str, Any]) -> str:
    """JSON as it stands in a header."""
    text = json.dumps(data, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return base64.b64encode(text.encode()).decode()


def decode_header(text: str, name: str) -> dict[str, Any]:
    """The JSON object in a header.

    Raises:
        Oversized: Above 16,384 characters.
        Malformed: No base64 of the standard alphabet with its padding, no UTF-8, no JSON, no
            object, a number that JSON does not know, or nested too deep.
        Duplicated: An object names a key twice, so that readers could differ.
    """
    if len(text) > MAX_HEADER_CHARACTERS:
        raise Oversized(f"characters in {name}", len(text), MAX_HEADER_CHARACTERS)
    try:
        decoded = base64.b64decode(text, validate=True).decode()
    except (binascii.Error, ValueError):
        raise Malformed(name, text, "base64 of UTF-8") from None
    return parse_json(decoded, name)


def parse_json(text: str, name: str) -> dict[str, Any]:
    """The JSON object that `text` spells. Raises Malformed or Duplicated."""
    try:
        data = json.loads(text, object_pairs_hook=_once, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise Malformed(name, text, "JSON") from None
    return parse_object(data, name)


def parse_object(data: object, name: str) -> dict[str, Any]:
    """`data`, if it is a JSON object. Raises Malformed."""
    if not isinstance(data, dict):
        raise Malformed(name, data, "an object")
    return data


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for name, value in pairs:
        if name in fields:
            raise Duplicated("key", name)
        fields[name] = value
    return fields


def _refuse_constant(name: str) -> None:
    raise ValueError(name)


def _require_version(fields: Mapping[str, Any]) -> None:
    version = fields.get("x402Version")
    if type(version) is not int or version != X402_VERSION:
        raise Incoherent(
            f"x402Version is {version!r}, {X402_VERSION} is spoken here",
            value=version,
            limit=X402_VERSION,
        )


def _or(value: object, default: object) -> object:
    return default if value is None else value


def _text(value: object, name: str) -> str:
    if not isinstance(value, str):
        raise Malformed(name, value, "a text")
    return value


def _matching(value: object, name: str, pattern: re.Pattern[str], expected: str) -> str:
    if not isinstance(value, str) or pattern.match(value) is None:
        raise Malformed(name, value, expected)
    return value


def _network(value: object, name: str) -> str:
    return _matching(value, name, _NETWORK, "a network's name (CAIP-2)")
