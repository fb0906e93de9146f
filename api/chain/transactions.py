"""EIP-1559 transactions, signed: the raw bytes are what an outbox keeps and hands in again."""

from __future__ import annotations

from dataclasses import dataclass

import rlp  # type: ignore[import-untyped]

from api.chain.views import Fees
from api.domain.codec import address_bytes
from api.domain.hashing import keccak256
from api.domain.signing import Signer
from api.types import Address, Digest

_TYPE = b"\x02"


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


@dataclass(frozen=True, slots=True)
class SignedTransaction:
    """The bytes for `ChainClient.send_raw`, and the hash by which the chain will know them."""

    raw: bytes
    hash: Digest
    nonce: int


def sign_transaction(signer: Signer, transaction: Transaction) -> SignedTransaction:
    """Sign as EIP-1559 lays it down. The same transaction always gives the same bytes."""
    fields = [
        transaction.chain_id,
        transaction.nonce,
        transaction.fees.max_priority_fee,
        transaction.fees.max_fee,
        transaction.gas_limit,
        address_bytes(transaction.to),
        transaction.value,
        transaction.data,
        [],
    ]
    signature = signer.sign(keccak256(_TYPE + rlp.encode(fields)))
    fields += [
        signature[64] - 27,
        int.from_bytes(signature[:32], "big"),
        int.from_bytes(signature[32:64], "big"),
    ]
    raw = _TYPE + rlp.encode(fields)
    return SignedTransaction(raw, keccak256(raw), transaction.nonce)
