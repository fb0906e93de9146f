"""A deposit to InferencePayments by signature: EIP-3009's authorisation, bound to whose balance it
is for, so that anybody may bring it and nobody can give it to somebody else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from api.domain.eip712 import Eip712Domain, TypedMessage, address_word, word
from api.domain.hashing import keccak256
from api.types import Address, Digest

_FIELDS: Final = (
    ("from", "address"),
    ("to", "address"),
    ("value", "uint256"),
    ("validAfter", "uint256"),
    ("validBefore", "uint256"),
    ("nonce", "bytes32"),
)

_OFFSET: Final = 3 * 32


def bound_nonce(purpose: bytes, payer: Address, reference: bytes) -> Digest:
    """keccak256(abi.encode(purpose, payer, reference)): of a transfer for that payer's balance."""
    return keccak256(
        word(_OFFSET)
        + address_word(payer)
        + reference
        + word(len(purpose))
        + purpose.ljust(32, b"\0")
    )


def deposit_nonce(payer: Address, salt: bytes) -> Digest:
    """`InferencePayments.depositNonce`."""
    return bound_nonce(b"Deposit", payer, salt)


def receive_message(
    stablecoin: Eip712Domain,
    owner: Address,
    payments: Address,
    amount_usd6: int,
    valid_after: int,
    valid_before: int,
    nonce: Digest,
) -> TypedMessage:
    """What the owner of dollars signs so that `payments` alone can take them."""
    values = owner, payments, amount_usd6, valid_after, valid_before, nonce
    return TypedMessage(stablecoin, "ReceiveWithAuthorization", _FIELDS, values)


@dataclass(frozen=True, slots=True)
class DepositAuthorization:
    """The word of `owner` that its dollars go to the balance of `payer`.

    Attributes:
        amount_usd6: In 10⁻⁶ dollars.
        valid_after, valid_before: Unix seconds between which it can be brought, both exclusive.
        salt: 32 bytes that make it another one than the last.
    """

    owner: Address
    payer: Address
    amount_usd6: int
    valid_after: int
    valid_before: int
    salt: bytes

    def message(self, stablecoin: Eip712Domain, payments: Address) -> TypedMessage:
        """What the owner signs, in the stablecoin's own domain."""
        return receive_message(
            stablecoin,
            self.owner,
            payments,
            self.amount_usd6,
            self.valid_after,
            self.valid_before,
            deposit_nonce(self.payer, self.salt),
        )
