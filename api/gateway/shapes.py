"""Receipts as they stand in the store and in answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic_core import from_json, to_json

from api.domain.codec import to_hex
from api.domain.merkle import MerkleTree
from api.domain.receipts import Receipt
from api.store.journal import StoredReceipt
from api.types import Digest


def receipt_content(receipt: Receipt) -> bytes:
    """A receipt as JSON."""
    return to_json(receipt.to_json())


def receipt_of(stored: StoredReceipt) -> Receipt:
    """The receipt in a row."""
    return Receipt.from_json(from_json(stored.content))


@dataclass(frozen=True, slots=True)
class Behind:
    """Where a receipt's root is on chain, and the leaves under it; None until it is mined."""

    root: Digest
    leaves: Sequence[Digest]
    tx_hash: Digest | None
    block_number: int | None


@dataclass(frozen=True, slots=True)
class Fronted:
    """A payment that somebody else has brought, in `paid_in`: what of it the gateway owes, and by
    which transaction it gave that back; None as long as it has not.
    """

    paid_in: Digest | None
    unused_usd6: int
    refunded_in: Digest | None


def receipt_shape(
    stored: StoredReceipt, behind: Behind | None, fronted: Fronted | None = None
) -> dict[str, Any]:
    """A receipt with its signature and, once it is behind a collection, the proof of that; or what
    is refunded.
    """
    shape: dict[str, Any] = {
        "receipt": from_json(stored.content),
        "leaf": to_hex(stored.hash),
        "signature": to_hex(stored.signature),
        "isOpen": stored.is_open,
    }
    if behind is not None:
        shape["collection"] = {
            "root": to_hex(behind.root),
            "proof": [to_hex(node) for node in MerkleTree(behind.leaves).proof(stored.hash)],
            "transaction": to_hex(behind.tx_hash) if behind.tx_hash else None,
            "block": behind.block_number,
        }
    if fronted is not None:
        shape["refund"] = {
            "paidIn": to_hex(fronted.paid_in) if fronted.paid_in else None,
            "amountUsd6": str(fronted.unused_usd6),
            "transaction": to_hex(fronted.refunded_in) if fronted.refunded_in else None,
        }
    return shape
