"""Receipts as they stand in the store and in answers."""

from __future__ import annotations

from typing import Any

from pydantic_core import from_json, to_json

from api.domain.codec import to_hex
from api.domain.merkle import MerkleTree
from api.domain.receipts import Receipt
from api.store.collections import Collection
from api.store.journal import StoredReceipt
from api.types import Digest


def receipt_content(receipt: Receipt) -> bytes:
    """A receipt as JSON."""
    return to_json(receipt.to_json())


def receipt_of(stored: StoredReceipt) -> Receipt:
    """The receipt in a row."""
    return Receipt.from_json(from_json(stored.content))


def receipt_shape(
    stored: StoredReceipt, collection: Collection | None, leaves: list[Digest]
) -> dict[str, Any]:
    """A receipt with its signature and, once it is behind a collection, the proof of that."""
    shape: dict[str, Any] = {
        "receipt": from_json(stored.content),
        "leaf": to_hex(stored.hash),
        "signature": to_hex(stored.signature),
        "isOpen": stored.is_open,
    }
    if collection is not None:
        shape["collection"] = {
            "root": to_hex(collection.root),
            "proof": [to_hex(node) for node in MerkleTree(leaves).proof(stored.hash)],
            "transaction": to_hex(collection.tx_hash) if collection.tx_hash else None,
            "block": collection.block_number,
        }
    return shape
