"""What tokens cost: an operator's signed quote, the price at a load, the charge for a request.

Prices are integers: 10⁻⁶ dollars for a million tokens. A charge is rounded up to a whole 10⁻⁶
dollar, once for a request.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from api.domain.codec import parse_address, parse_hex, parse_uint, to_hex
from api.domain.eip712 import Eip712Domain, TypedMessage
from api.domain.hashing import keccak256
from api.domain.signing import recover
from api.domain.work import Work, model_id_of
from api.errors import Incoherent, Malformed
from api.types import SIGNATURE_BYTES, UINT32_MAX, Address, ClusterId, Digest, Signature

MILLION: Final = 10**6
BPS: Final = 10_000

MAX_PRICE: Final = 10**12
"""A million dollars for a million tokens."""

MAX_MODEL_CHARS: Final = 128

_NOBODY: Final = Address("0x0000000000000000000000000000000000000000")

_QUOTE_FIELDS: Final = (
    ("clusterId", "uint256"),
    ("model", "bytes32"),
    ("inputFloor", "uint256"),
    ("inputCeiling", "uint256"),
    ("outputFloor", "uint256"),
    ("outputCeiling", "uint256"),
    ("validFrom", "uint256"),
    ("validUntil", "uint256"),
    ("modelOwner", "address"),
)


def gateway_domain(chain_id: int, inference_payments: Address) -> Eip712Domain:
    """The domain of quotes and receipts: whoever pays by this contract reads them."""
    return Eip712Domain("Rackstream Gateway", "1", chain_id, inference_payments)


def model_hash(model: str) -> Digest:
    """How a model's name stands in what is signed: keccak256 of its UTF-8."""
    return keccak256(model.encode())


@dataclass(frozen=True, slots=True)
class Price:
    """10⁻⁶ dollars for a million tokens that go in, and that come out."""

    input: int
    output: int

    def charge_up_usd6(self, input_tokens: int, output_tokens: int) -> int:
        """What so many tokens cost: ⌈(in × input + out × output) / 10⁶⌉, in 10⁻⁶ dollars."""
        return -(-(input_tokens * self.input + output_tokens * self.output) // MILLION)


@dataclass(frozen=True, slots=True)
class Quote:
    """What an operator asks for a model on its cluster.

    Attributes:
        floor, ceiling: Of an idle cluster, and of one without room.
        valid_from, valid_until: Unix seconds; from the first on, before the second.
        model_owner: Who registered a model of that name and gets its royalty; None if nobody does.
    """

    cluster_id: ClusterId
    model: str
    floor: Price
    ceiling: Price
    valid_from: int
    valid_until: int
    model_owner: Address | None = None

    def __post_init__(self) -> None:
        if self.floor.input > self.ceiling.input or self.floor.output > self.ceiling.output:
            raise Incoherent(
                f"the floor {self.floor} is above the ceiling {self.ceiling}",
                value=self.floor,
                limit=self.ceiling,
            )

    def price_at(self, load_bps: int) -> Price:
        """The price at a load of 0 to 10,000: linear from the floor to the ceiling, rounded down.

        A line, because it can be foreseen: half of the room taken is half of the way.
        """
        load = min(max(load_bps, 0), BPS)
        return Price(
            self.floor.input + (self.ceiling.input - self.floor.input) * load // BPS,
            self.floor.output + (self.ceiling.output - self.floor.output) * load // BPS,
        )

    @property
    def work(self) -> Work:
        """What is paid for where it is served."""
        if self.model_owner is None:
            return Work(self.cluster_id)
        return Work(self.cluster_id, model_id_of(self.model_owner, self.model))

    def message(self, domain: Eip712Domain) -> TypedMessage:
        """What the operator signs; `domain` is `gateway_domain`'s."""
        values = (
            int(self.cluster_id),
            model_hash(self.model),
            self.floor.input,
            self.ceiling.input,
            self.floor.output,
            self.ceiling.output,
            self.valid_from,
            self.valid_until,
            self.model_owner or _NOBODY,
        )
        return TypedMessage(domain, "Quote", _QUOTE_FIELDS, values)


@dataclass(frozen=True, slots=True)
class SignedQuote:
    """A quote with its operator's signature. The chain says whether that is the operator."""

    quote: Quote
    operator: Address
    signature: Signature

    def require_signed(self, domain: Eip712Domain) -> None:
        """Raises BadSignature or Incoherent: somebody else signed it."""
        signer = recover(self.quote.message(domain).digest, self.signature)
        if signer != self.operator:
            raise Incoherent(
                f"the quote is signed by {signer}, not by {self.operator}",
                value=signer,
                limit=self.operator,
            )

    def to_json(self) -> dict[str, Any]:
        quote = self.quote
        return {
            "clusterId": quote.cluster_id,
            "model": quote.model,
            "inputFloor": quote.floor.input,
            "inputCeiling": quote.ceiling.input,
            "outputFloor": quote.floor.output,
            "outputCeiling": quote.ceiling.output,
            "validFrom": quote.valid_from,
            "validUntil": quote.valid_until,
            "modelOwner": quote.model_owner,
            "operator": self.operator,
            "signature": to_hex(self.signature),
        }

    @classmethod
    def from_json(cls, data: object) -> SignedQuote:
        """Raises Malformed, OutOfRange or Incoherent, naming the field."""
        if not isinstance(data, Mapping):
            raise Malformed("quote", data, "an object")

        def price(name: str) -> int:
            return parse_uint(data.get(name), name, MAX_PRICE)

        if "modelOwner" not in data:
            # It is signed with the rest: without it no signature would fit.
            raise Malformed("modelOwner", None, "an address or null, signed by `ape run quote`")
        model, owner = data.get("model"), data["modelOwner"]
        if not isinstance(model, str) or not 0 < len(model) <= MAX_MODEL_CHARS:
            raise Malformed("model", model, f"a name of at most {MAX_MODEL_CHARS} characters")
        return cls(
            Quote(
                ClusterId(parse_uint(data.get("clusterId"), "clusterId", UINT32_MAX)),
                model,
                Price(price("inputFloor"), price("outputFloor")),
                Price(price("inputCeiling"), price("outputCeiling")),
                parse_uint(data.get("validFrom"), "validFrom", 2**40 - 1),
                parse_uint(data.get("validUntil"), "validUntil", 2**40 - 1),
                None if owner in (None, _NOBODY) else parse_address(owner, "modelOwner"),
            ),
            parse_address(data.get("operator"), "operator"),
            Signature(parse_hex(data.get("signature"), "signature", SIGNATURE_BYTES)),
        )
