"""Receipts of a gateway that a test plays, collected, split and followed on the test's chain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from ape.api import AccountAPI
from eth_account.signers.local import LocalAccount

from api.domain.eip712 import Eip712Domain
from api.domain.merkle import MerkleTree
from api.domain.prices import Price
from api.domain.receipts import Receipt
from api.domain.signing import Signer
from api.domain.way import Part, Place, ProvenReceipt, Way
from api.types import Address, ClusterId, Digest
from tests.support.payments import Till


@dataclass
class Counter:
    """A gateway's books: what it charged, under which root."""

    till: Till
    signer: Signer
    domain: Eip712Domain
    promised: dict[tuple[str, str], int] = field(default_factory=dict)
    made: int = 0

    def receipt(
        self, payer: AccountAPI, key: LocalAccount, cluster_id: int, charge_usd6: int
    ) -> Receipt:
        """What a request of that charge is told."""
        self.made += 1
        return Receipt(
            id=self.made.to_bytes(16),
            gateway=self.signer.address,
            payer=Address(str(payer.address)),
            key=Address(key.address),
            promised_usd6=0,
            cluster_id=ClusterId(cluster_id),
            model="rackstream-ngram",
            request_hash=Digest(bytes(32)),
            answer_hash=Digest(bytes(32)),
            input_tokens=1,
            output_tokens=1,
            price=Price(1, 1),
            charge_usd6=charge_usd6,
            served_at=1,
        )

    def proven(self, receipts: Sequence[Receipt]) -> list[ProvenReceipt]:
        """The receipts under one root, signed."""
        messages = [receipt.message(self.domain) for receipt in receipts]
        tree = MerkleTree([message.struct_hash for message in messages])
        return [
            ProvenReceipt(
                receipt,
                self.signer.sign(message.digest),
                tree.root,
                tree.proof(message.struct_hash),
            )
            for receipt, message in zip(receipts, messages, strict=True)
        ]

    def collect(
        self, payer: AccountAPI, key: LocalAccount, receipts: Sequence[Receipt], root: bytes
    ) -> Any:
        """One voucher of the key, over its receipts, with what came short before."""
        places: dict[int, int] = {}
        for receipt in receipts:
            place = self.till.clusters.index(int(receipt.cluster_id))
            places[place] = places.get(place, 0) + receipt.charge_usd6
        channel = str(payer.address), key.address
        promised = self.promised.get(channel, 0) + sum(places.values())
        self.promised[channel] = promised
        missing = promised - sum(places.values()) - self.till.collected(payer, key)
        if missing:
            place = min(places, default=0)
            places[place] = places.get(place, 0) + missing
        parts: Any = sorted(places.items()) if len(places) > 1 else next(iter(places))
        return self.till.collect(self.till.voucher(payer, key, promised, parts), root=root)


def amount_in(way: Way, place: Place) -> Fraction:
    """What of a payment is in that place."""
    return sum((part.amount for part in way.parts if part.place is place), Fraction(0))


def by_place(ways: Sequence[Way]) -> dict[tuple[Place, str | None, str | None], Fraction]:
    """Several payments together, by where and whose."""
    found: dict[tuple[Place, str | None, str | None], Fraction] = {}

    def of(part: Part) -> tuple[Place, str | None, str | None]:
        return part.place, part.who, part.payee

    for way in ways:
        for part in way.parts:
            found[of(part)] = found.get(of(part), Fraction(0)) + part.amount
    return found
