"""The way of a payment's dollars: from a request's receipt to whoever has them now.

Amounts are exact fractions of 10⁻⁶ dollars. Where they are at a block adds up to what was paid: the
charge of what a voucher pays, all that the one payment of x402 brings, what was given back of it
included.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import Any

from api.domain.codec import parse_digest, parse_hex, to_hex
from api.domain.eip712 import Eip712Domain
from api.domain.merkle import verify_proof
from api.domain.receipts import Receipt
from api.domain.signing import require_signer
from api.errors import Incoherent, Malformed
from api.types import SIGNATURE_BYTES, Address, Digest, Signature


@dataclass(frozen=True, slots=True)
class ProvenReceipt:
    """A receipt with its gateway's signature and, once it was to be collected, the root that it is
    under, and the proof of that. Nothing of it is believed before `require_true`.
    """

    receipt: Receipt
    signature: Signature
    root: Digest | None
    proof: Sequence[Digest]

    def require_true(self, domain: Eip712Domain) -> None:
        """Raises BadSignature if its gateway did not sign it, Incoherent if the proof is none."""
        message = self.receipt.message(domain)
        require_signer(message.digest, self.signature, self.receipt.gateway)
        if self.root is not None and not verify_proof(self.root, message.struct_hash, self.proof):
            raise Incoherent(
                f"the proof does not lead from the receipt to {to_hex(self.root)}",
                value=to_hex(message.struct_hash),
                limit=to_hex(self.root),
            )

    @classmethod
    def from_json(cls, data: object) -> ProvenReceipt:
        """As a gateway tells it. Raises InvalidInput, naming the field."""
        if not isinstance(data, Mapping):
            raise Malformed("receipt", data, "an object")
        signature = Signature(parse_hex(data.get("signature"), "signature", SIGNATURE_BYTES))
        receipt = Receipt.from_json(data.get("receipt"))
        collection = data.get("collection")
        if collection is None:
            return cls(receipt, signature, None, ())
        if not isinstance(collection, Mapping) or not isinstance(collection.get("proof"), list):
            raise Malformed("collection", collection, "a root and a proof")
        proof = [parse_digest(node, "proof") for node in collection["proof"]]
        return cls(receipt, signature, parse_digest(collection.get("root"), "root"), proof)


class Place(StrEnum):
    """Where a part of a payment can be."""

    DUE = "due"
    """Charged, and not collected; promised, and not paid."""
    PENDING = "pending"
    """Settled ahead of its use, which its gateway has not said yet."""
    UNSWEPT = "unswept"
    """Brought to the cluster's address by somebody else, for anybody to sweep."""
    CREDIT = "credit"
    """Not used, and given back to its payer's balance."""
    PLATFORM = "platform"
    """The platform's fee."""
    ROYALTY = "royalty"
    """Of the model's owner."""
    STABLECOIN = "stablecoin"
    """What the stablecoin kept of a transfer."""
    DEFERRED = "deferred"
    """Collected, refused by the waterfall, and owed to the cluster."""
    UNDISTRIBUTED = "undistributed"
    ESCROW = "escrow"
    """Set aside for operating cost that is not final."""
    OPERATOR = "operator"
    """Final operating cost."""
    TRANCHE = "tranche"
    RESERVE = "reserve"
    DRAWN = "drawn"
    """Drawn from the reserve for hardware."""
    WAITING = "waiting"
    """The holders', and not streaming yet."""
    STREAMING = "streaming"
    """Streams to whoever then holds."""
    HOLDER = "holder"
    """Earned."""


@dataclass(frozen=True, slots=True)
class Part:
    """So much of the payment is there.

    Attributes:
        who: Whom the royalty is for, the tranche, or the holder whose shares earned it.
        payee: Whom a claim pays, where that is somebody else: assigned income's payee, or the
            holder's own choice.
        is_assigned: Whether the income of these shares is assigned to the payee.
        until: Where it streams: to which second of the stream's time.
    """

    place: Place
    amount: Fraction
    who: Address | None = None
    payee: Address | None = None
    is_assigned: bool = False
    until: int | None = None

    def to_json(self) -> dict[str, Any]:
        shape: dict[str, Any] = {"place": self.place.value, "amountUsd6": str(self.amount)}
        if self.who is not None:
            shape["who"] = self.who
        if self.payee is not None:
            shape |= {"payee": self.payee, "isAssigned": self.is_assigned}
        if self.until is not None:
            shape["until"] = self.until
        return shape


class Event(StrEnum):
    """What moved a part of the payment."""

    COLLECTED = "collected"
    SETTLED = "settled"
    SETTLED_AHEAD = "settledAhead"
    ALLOCATED = "allocated"
    """What was used of it was said."""
    PASSED_ON = "passedOn"
    """Nobody said for a day what was used of it."""
    CREDITED = "credited"
    FRONTED = "fronted"
    """Somebody else brought it to the stablecoin."""
    SWEPT = "swept"
    REFUNDED = "refunded"
    """Its gateway gave so much back from its own dollars, which are no part of the payment."""
    RECEIVED = "received"
    DISTRIBUTED = "distributed"
    STREAMED = "streamed"


@dataclass(frozen=True, slots=True)
class Step:
    """`amount` of the payment went on, among `of_usd6` in all."""

    event: Event
    block: int
    at: int
    tx_hash: Digest
    amount: Fraction
    of_usd6: int

    def to_json(self) -> dict[str, Any]:
        return {
            "event": self.event.value,
            "block": self.block,
            "at": self.at,
            "transaction": to_hex(self.tx_hash),
            "amountUsd6": str(self.amount),
            "ofUsd6": str(self.of_usd6),
        }


@dataclass(frozen=True, slots=True)
class ExactTransfer:
    """What a payer's authorisation has moved to the address of a cluster and a gateway."""

    nonce: Digest
    pay_to: Address
    value_usd6: int

    def to_json(self) -> dict[str, Any]:
        return {
            "nonce": to_hex(self.nonce),
            "payTo": self.pay_to,
            "valueUsd6": str(self.value_usd6),
        }


@dataclass(frozen=True, slots=True)
class Way:
    """The way of a receipt's payment up to a block, of Unix second `at`; `transfer` once there is
    one.
    """

    receipt: Receipt
    block: int
    at: int
    steps: Sequence[Step]
    parts: Sequence[Part]
    transfer: ExactTransfer | None = None

    @property
    def paid_usd6(self) -> int:
        """All that is followed."""
        receipt = self.receipt
        return receipt.promised_usd6 if receipt.has_own_payment else receipt.charge_usd6

    def __post_init__(self) -> None:
        """Raises Incoherent if the parts are not what was paid: then the chain was read wrongly."""
        total = sum((part.amount for part in self.parts), Fraction(0))
        if total != self.paid_usd6:
            raise Incoherent(
                f"the parts add up to {total}, {self.paid_usd6} was paid",
                value=str(total),
                limit=self.paid_usd6,
            )

    def to_json(self) -> dict[str, Any]:
        """Amounts are fractions of 10⁻⁶ dollars, as numerator/denominator."""
        return {
            "receipt": self.receipt.to_json(),
            "paidUsd6": str(self.paid_usd6),
            "transfer": None if self.transfer is None else self.transfer.to_json(),
            "block": self.block,
            "at": self.at,
            "steps": [step.to_json() for step in self.steps],
            "parts": [part.to_json() for part in self.parts],
        }
