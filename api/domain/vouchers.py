"""What payers of InferencePayments and their session keys sign, and batches of vouchers as
`contracts/payments/VoucherBatch.sol` reads them. Amounts are 10⁻⁶ dollars.

`domain` is everywhere `payments_domain`'s, with which a signature is good for one contract on one
chain.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, field
from typing import Any, Final

from api.domain.codec import address_bytes, parse_address, parse_hex, parse_uint, to_hex
from api.domain.eip712 import Eip712Domain, TypedMessage
from api.domain.signing import Signer, require_signer
from api.errors import BadSignature, Malformed, OutOfRange, Oversized
from api.types import SIGNATURE_BYTES, UINT64_MAX, Address, Signature

MAX_USD6: Final = 2**56 - 1
"""Most that a channel can hold, and a voucher promise."""

MAX_LOCK_SECONDS: Final = 86_400
"""Longest time for which a lock holds."""

MAX_PARTS: Final = 127
MAX_PLACE: Final = 255
MAX_ACCOUNT_SIGNATURE_BYTES: Final = 2**16 - 1

PLAIN_VOUCHER_BYTES: Final = 93
"""Of a voucher that a key signed, whole to one cluster."""

_VOUCHER_FIELDS: Final = (
    ("payer", "address"),
    ("gateway", "address"),
    ("cumulativeUsd6", "uint256"),
)

_LOCK_FIELDS: Final = (
    ("payer", "address"),
    ("key", "address"),
    ("gateway", "address"),
    ("coverUsd6", "uint256"),
    ("until", "uint256"),
)

_SESSION_FIELDS: Final = (
    ("payer", "address"),
    ("key", "address"),
    ("gateway", "address"),
    ("limitUsd6", "uint256"),
    ("expiresAt", "uint256"),
    ("nonce", "uint256"),
    ("deadline", "uint256"),
)

_BY_CONTRACT: Final = 0x80


def payments_domain(chain_id: int, inference_payments: Address) -> Eip712Domain:
    """The domain of vouchers, locks and sessions, as InferencePayments computes it."""
    return Eip712Domain("Rackstream InferencePayments", "1", chain_id, inference_payments)


# -- what is signed -------------------------------------------------------------------------------


def voucher_message(
    domain: Eip712Domain, payer: Address, gateway: Address, cumulative_usd6: int
) -> TypedMessage:
    """The promise that `gateway` may have collected `cumulative_usd6` in all, by a key of `payer`
    or by its own.
    """
    return TypedMessage(domain, "Voucher", _VOUCHER_FIELDS, (payer, gateway, cumulative_usd6))


def account_voucher_message(
    domain: Eip712Domain, payer: Address, gateway: Address, cumulative_usd6: int
) -> TypedMessage:
    """The same promise as the code of a payer that is a contract is asked for it (ERC-1271)."""
    values = (payer, gateway, cumulative_usd6)
    return TypedMessage(domain, "AccountVoucher", _VOUCHER_FIELDS, values)


def lock_message(
    domain: Eip712Domain,
    payer: Address,
    key: Address,
    gateway: Address,
    cover_usd6: int,
    until: int,
) -> TypedMessage:
    """The consent of `key` to cover its channel up to `cover_usd6` until that Unix second."""
    return TypedMessage(domain, "Lock", _LOCK_FIELDS, (payer, key, gateway, cover_usd6, until))


@dataclass(frozen=True, slots=True)
class SessionAuthorization:
    """A payer's word that `key` may spend up to `limit_usd6` at `gateway`.

    Attributes:
        limit_usd6: What was collected before is in it.
        expires_at: Unix second from which nothing more is collected.
        nonce: The payer's present one on chain.
        deadline: Last Unix second at which it may be brought.
    """

    payer: Address
    key: Address
    gateway: Address
    limit_usd6: int
    expires_at: int
    nonce: int
    deadline: int

    def message(self, domain: Eip712Domain) -> TypedMessage:
        """What the payer signs."""
        return TypedMessage(domain, "SessionAuthorization", _SESSION_FIELDS, astuple(self))


# -- a voucher ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Voucher:
    """A promise with the signature of its key: the payer itself, or a session key of it.

    Attributes:
        cumulative_usd6: All that the key has promised this gateway so far, 0 to MAX_USD6.
    """

    payer: Address
    key: Address
    gateway: Address
    cumulative_usd6: int
    signature: Signature = field(repr=False)

    @classmethod
    def signed(
        cls,
        domain: Eip712Domain,
        signer: Signer,
        payer: Address,
        gateway: Address,
        cumulative_usd6: int,
    ) -> Voucher:
        """Raises OutOfRange: More than a channel can hold, or negative."""
        _check_usd6("cumulativeUsd6", cumulative_usd6)
        message = voucher_message(domain, payer, gateway, cumulative_usd6)
        return cls(payer, signer.address, gateway, cumulative_usd6, signer.sign(message.digest))

    @classmethod
    def from_payload(cls, payload: object, gateway: Address) -> Voucher:
        """The voucher to this gateway in a payment's JSON; its signature is not checked.

        Raises:
            Malformed: A field is missing or of another form.
            OutOfRange: It promises more than a channel can hold.
        """
        if not isinstance(payload, Mapping):
            raise Malformed("payload", payload, "an object")
        return cls(
            parse_address(payload.get("payer"), "payer"),
            parse_address(payload.get("key"), "key"),
            gateway,
            parse_uint(payload.get("cumulativeUsd6"), "cumulativeUsd6", MAX_USD6),
            Signature(parse_hex(payload.get("signature"), "signature", SIGNATURE_BYTES)),
        )

    def payload(self) -> dict[str, Any]:
        """As it stands in a payment's JSON, which names the gateway elsewhere."""
        return {
            "payer": self.payer,
            "key": self.key,
            "cumulativeUsd6": str(self.cumulative_usd6),
            "signature": to_hex(self.signature),
        }

    def require_signed(self, domain: Eip712Domain) -> None:
        """Check that its key signed it. Raises BadSignature, naming who did."""
        message = voucher_message(domain, self.payer, self.gateway, self.cumulative_usd6)
        require_signer(message.digest, self.signature, self.key)


# -- a lock ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Lock:
    """A key's consent that its gateway locks of the payer's balance what its channel may cost.

    Attributes:
        cover_usd6: All that the channel is to have collected or locked, 0 to MAX_USD6.
        until: Unix second at which the lock is over.
    """

    payer: Address
    key: Address
    gateway: Address
    cover_usd6: int
    until: int
    signature: Signature = field(repr=False)

    @classmethod
    def signed(
        cls,
        domain: Eip712Domain,
        signer: Signer,
        payer: Address,
        gateway: Address,
        cover_usd6: int,
        until: int,
    ) -> Lock:
        """Raises OutOfRange: More than a channel can hold, or negative."""
        _check_usd6("coverUsd6", cover_usd6)
        message = lock_message(domain, payer, signer.address, gateway, cover_usd6, until)
        signature = signer.sign(message.digest)
        return cls(payer, signer.address, gateway, cover_usd6, until, signature)

    @classmethod
    def from_payload(cls, payload: object, voucher: Voucher) -> Lock | None:
        """The lock in the JSON of a payment beside that voucher; its signature is not checked.

        Raises:
            Malformed: A field is missing or of another form.
            OutOfRange: It covers more than a channel can hold.
        """
        fields = payload.get("lock") if isinstance(payload, Mapping) else None
        if fields is None:
            return None
        if not isinstance(fields, Mapping):
            raise Malformed("lock", fields, "an object")
        return cls(
            voucher.payer,
            voucher.key,
            voucher.gateway,
            parse_uint(fields.get("coverUsd6"), "coverUsd6", MAX_USD6),
            parse_uint(fields.get("until"), "until", UINT64_MAX),
            Signature(parse_hex(fields.get("signature"), "signature", SIGNATURE_BYTES)),
        )

    def payload(self) -> dict[str, Any]:
        """As it stands in a payment's JSON, beside a voucher of the same channel."""
        return {
            "coverUsd6": str(self.cover_usd6),
            "until": self.until,
            "signature": to_hex(self.signature),
        }

    def message(self, domain: Eip712Domain) -> TypedMessage:
        """What its key signed."""
        return lock_message(domain, self.payer, self.key, self.gateway, self.cover_usd6, self.until)

    def require_signed(self, domain: Eip712Domain) -> None:
        """Check that its key signed it. Raises BadSignature, naming who did."""
        require_signer(self.message(domain).digest, self.signature, self.key)


# -- a batch --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Split:
    """What of a voucher goes to which cluster, filled in this order.

    Attributes:
        collected_usd6: What its channel has collected when the parts are to be filled.
        parts: (place in the batch's list of clusters, 10⁻⁶ dollars), 1 to MAX_PARTS of them.
    """

    collected_usd6: int
    parts: Sequence[tuple[int, int]]


Allocation = int | Split
"""The place in the batch's list of clusters of the one that gets all, or a split."""


def pack_voucher(voucher: Voucher, allocation: Allocation) -> bytes:
    """A voucher that a key signed, as `collect` reads it.

    Raises:
        BadSignature: No signature that packs: of another length, v other than 27 or 28, or s too
            high for its bit.
        OutOfRange: An amount, a place or the number of parts is more than fits.
    """
    signature = voucher.signature
    if len(signature) != SIGNATURE_BYTES or signature[64] not in (27, 28) or signature[32] >> 7:
        raise BadSignature("a packed signature is r, a low s, and v 27 or 28", value=voucher.key)
    y_parity = (signature[64] - 27) << 7
    compact = signature[:32] + bytes([signature[32] | y_parity]) + signature[33:64]
    return _packed(voucher.payer, voucher.cumulative_usd6, compact, allocation, 0)


def pack_account_voucher(
    payer: Address, cumulative_usd6: int, signature: bytes, allocation: Allocation
) -> bytes:
    """A voucher whose payer is a contract that answers for `signature`, as `collect` reads it.

    Raises:
        Oversized: The signature is longer than MAX_ACCOUNT_SIGNATURE_BYTES.
        OutOfRange: As `pack_voucher`.
    """
    if len(signature) > MAX_ACCOUNT_SIGNATURE_BYTES:
        raise Oversized("bytes of signature", len(signature), MAX_ACCOUNT_SIGNATURE_BYTES)
    signed = len(signature).to_bytes(2) + signature
    return _packed(payer, cumulative_usd6, signed, allocation, _BY_CONTRACT)


def _packed(
    payer: Address, cumulative_usd6: int, signed: bytes, allocation: Allocation, kind: int
) -> bytes:
    if isinstance(allocation, int):
        count, allocated = 0, _place(allocation)
    else:
        count = len(allocation.parts)
        if not 1 <= count <= MAX_PARTS:
            raise OutOfRange("parts", count, 1, MAX_PARTS)
        allocated = _usd6("collectedUsd6", allocation.collected_usd6) + b"".join(
            _place(place) + _usd6("part", amount) for place, amount in allocation.parts
        )
    amount = _usd6("cumulativeUsd6", cumulative_usd6)
    return bytes([count | kind]) + address_bytes(payer) + amount + signed + allocated


def _place(place: int) -> bytes:
    if not 0 <= place <= MAX_PLACE:
        raise OutOfRange("place", place, 0, MAX_PLACE)
    return bytes([place])


def _usd6(name: str, amount: int) -> bytes:
    _check_usd6(name, amount)
    return amount.to_bytes(7)


def _check_usd6(name: str, amount: int) -> None:
    if not 0 <= amount <= MAX_USD6:
        raise OutOfRange(name, amount, 0, MAX_USD6)
