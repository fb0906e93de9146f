"""EIP-1559 transactions, signed: the raw bytes are what an outbox keeps and hands in again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import rlp  # type: ignore[import-untyped]

from api.chain.views import Fees
from api.domain.codec import address_bytes, to_hex
from api.domain.hashing import keccak256
from api.domain.signing import Signer, require_signer
from api.errors import BadSignature, Incoherent, Malformed
from api.types import Address, Digest, Signature

_TYPE: Final = b"\x02"

# What is signed of a transaction, in EIP-1559's order, by the names that JSON-RPC gives.
_FIELDS: Final = (
    "chainId", "nonce", "maxPriorityFeePerGas", "maxFeePerGas", "gas", "to", "value", "data",
    "accessList",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Transaction:
    """A call of a contract, not yet signed. `value` is in wei."""

    chain_id: int
    nonce: int
    to: Address
    data: bytes
    gas_limit: int
    fees: Fees
    value: int = 0

    @property
    def digest(self) -> Digest:
        """What its sender signs."""
        return keccak256(_TYPE + rlp.encode(self._fields()))

    def signed(self, signature: Signature) -> SignedTransaction:
        """The transaction with its sender's signature, which is not checked."""
        raw = _TYPE + rlp.encode(
            [
                *self._fields(),
                signature[64] - 27,
                int.from_bytes(signature[:32], "big"),
                int.from_bytes(signature[32:64], "big"),
            ]
        )
        return SignedTransaction(raw, keccak256(raw), self.nonce)

    def request(self, sender: Address) -> dict[str, Any]:
        """The same as `eth_signTransaction` takes it."""
        numbers = {
            "type": int.from_bytes(_TYPE, "big"),
            "chainId": self.chain_id,
            "nonce": self.nonce,
            "gas": self.gas_limit,
            "maxFeePerGas": self.fees.max_fee,
            "maxPriorityFeePerGas": self.fees.max_priority_fee,
            "value": self.value,
        }
        return {
            "from": sender,
            "to": self.to,
            "data": to_hex(self.data),
            "accessList": [],
            **{name: hex(number) for name, number in numbers.items()},
        }

    def _fields(self) -> list[Any]:
        return [
            self.chain_id,
            self.nonce,
            self.fees.max_priority_fee,
            self.fees.max_fee,
            self.gas_limit,
            address_bytes(self.to),
            self.value,
            self.data,
            [],
        ]


@dataclass(frozen=True, slots=True)
class SignedTransaction:
    """The bytes for `ChainClient.send_raw`, and the hash by which the chain will know them."""

    raw: bytes
    hash: Digest
    nonce: int


def sign_transaction(signer: Signer, transaction: Transaction) -> SignedTransaction:
    """Sign as EIP-1559 lays it down. The same transaction always gives the same bytes."""
    return transaction.signed(signer.sign(transaction.digest))


def require_signed(transaction: Transaction, raw: bytes, sender: Address) -> SignedTransaction:
    """What somebody else signed, if it is this very transaction of this sender.

    Raises:
        Malformed: No EIP-1559 transaction.
        Incoherent: Another transaction; the message names the first field that differs.
        BadSignature: Not the sender's, or in a spelling that the chain does not take.
    """
    try:
        fields = rlp.decode(raw[1:]) if raw[:1] == _TYPE else None
    except rlp.exceptions.DecodingError:
        fields = None
    if not isinstance(fields, list) or len(fields) != len(_FIELDS) + 3:
        raise Malformed("transaction", to_hex(raw), "a signed one of EIP-1559")
    asked = rlp.decode(rlp.encode(transaction._fields()))
    for name, got, wanted in zip(_FIELDS, fields, asked, strict=False):
        if got != wanted:
            raise Incoherent(f"{name} is not the one asked for", value=name)
    parity, r, s = fields[len(_FIELDS) :]
    if not all(isinstance(part, bytes) and len(part) <= 32 for part in (parity, r, s)):
        raise Malformed("transaction", to_hex(raw), "a signature of three numbers")
    y_parity = int.from_bytes(parity, "big")
    if y_parity > 1:
        raise BadSignature(f"the parity is {y_parity}, 0 or 1 are allowed", value=y_parity)
    signature = Signature(r.rjust(32, b"\0") + s.rjust(32, b"\0") + bytes([27 + y_parity]))
    require_signer(transaction.digest, signature, sender)
    signed = transaction.signed(signature)
    if signed.raw != raw:
        raise Malformed("transaction", to_hex(raw), "the numbers in their shortest form")
    return signed
