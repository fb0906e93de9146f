"""Who paid for what a cluster was allocated as income of inference, to the unit.

1. What a gateway collected is in its call's own bytes, which name each payer and the clusters.
2. What was settled by x402 is in the settler's events: each payer's payments without what was
   credited to it; those of what was settled ahead are in the transaction before.
3. What was swept are the transfers to the cluster's address since the sweep before, but for those
   that the settler made.

Nobody is named where a contract stood between and the events leave it open.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from api.chain.abi import contract_abi
from api.domain.batches import breakdown_of, unpack_vouchers
from api.domain.codec import to_hex
from api.domain.exact_batches import ExactBatch
from api.domain.vouchers import payments_domain
from api.domain.work import Work
from api.errors import RackstreamError
from api.types import Address, ClusterId, Digest
from scripts._lib.events import PastEvent, in_transaction, oldest_first
from scripts._lib.posted import transaction
from scripts._lib.record import Record


class Payers:
    """Of one cluster's income."""

    def __init__(self, record: Record, cluster_id: int) -> None:
        deployment = record.deployment
        self._cluster_id = ClusterId(cluster_id)
        self._payments = deployment.address_of("InferencePayments")
        self._settler = deployment.address_of("X402Settler")
        self._stablecoin = deployment.stablecoin_address()
        self._settler_block = deployment.contracts["X402Settler"].block
        self._vouchers_domain = payments_domain(record.chain_id, self._payments)

    def of(self, allocated: PastEvent) -> Mapping[Address, int]:
        """Who paid how much of an IncomeAllocated, in 10⁻⁶ dollars; nobody where it is not told."""
        events = in_transaction("InferencePayments", self._payments, allocated.tx_hash)
        before = [one for one in events if one.spot < allocated.spot]
        try:
            if allocated.fields["gateway"] == self._settler:
                paid = self._settled(allocated, before)
            else:
                paid = self._collected(allocated, before)
        except RackstreamError:
            # Anybody may write bytes that look like a collection's.
            return {}
        told = sum(paid.values())
        # Of a stablecoin that keeps a part of what moves, nobody knows of whom.
        return paid if told <= allocated.fields["amountUsd6"] else {}

    def _collected(
        self, allocated: PastEvent, before: Sequence[PastEvent]
    ) -> Mapping[Address, int]:
        gateway, root = allocated.fields["gateway"], allocated.fields["receiptsRoot"]
        collections = [
            one
            for one in before
            if one.name == "VouchersCollected"
            and (one.fields["gateway"], one.fields["receiptsRoot"]) == (gateway, root)
        ]
        if not collections:
            # It paid at once, with its own dollars.
            return {gateway: allocated.fields["amountUsd6"]}
        carrier = transaction(Digest(_bytes(allocated.tx_hash)))
        collect = contract_abi("InferencePayments").functions["collect"]
        if str(carrier["to"]).lower() != self._payments.lower():
            return {}
        arguments = collect.decode_arguments(_bytes(carrier["input"]))
        if not arguments:
            return {}
        vouchers, works, _ = arguments
        brought = breakdown_of(
            unpack_vouchers(vouchers, self._vouchers_domain, gateway),
            [Work(*one) for one in works],
            collections[-1].fields["entries"],
            {},
        )
        paid: Counter[Address] = Counter()
        for one in brought:
            if one.work.cluster_id == self._cluster_id:
                paid[one.payer] += one.brought_usd6
        return paid

    def _settled(self, allocated: PastEvent, before: Sequence[PastEvent]) -> Mapping[Address, int]:
        """By the settler's last word before it, and what was credited since."""
        words = [
            one
            for one in in_transaction("X402Settler", self._settler, allocated.tx_hash)
            if one.name in ("Settled", "Allocated", "PassedOn", "Swept")
            and one.spot < allocated.spot
        ]
        told = words[-1]
        if told.name == "Swept":
            return self._swept(told)
        if told.name == "Settled":
            batch = ExactBatch.of(told.fields["entries"])
        else:
            batch = self._ahead(told)
        credits = [one for one in before if one.name == "Credited" and one.spot > told.spot]
        return batch.income_by_payer(credits[0].fields["entries"] if credits else [])

    def _ahead(self, closed: PastEvent) -> ExactBatch:
        (found,) = oldest_first(
            "X402Settler", self._settler, ["SettledAhead"], None, self._cluster_id,
            to_hex(closed.fields["batchId"]), from_block=self._settler_block,
            to_block=closed.block,
        )  # fmt: skip
        return ExactBatch.of(found.fields["entries"])

    def _swept(self, sweep: PastEvent) -> Mapping[Address, int]:
        gateway, pay_to = sweep.fields["gateway"], sweep.fields["payTo"]
        earlier = [
            one
            for one in oldest_first(
                "X402Settler", self._settler, ["Swept"], self._cluster_id, gateway, pay_to,
                from_block=self._settler_block, to_block=sweep.block,
            )
            if one.spot < sweep.spot
        ]  # fmt: skip
        since = earlier[-1].spot if earlier else (self._settler_block, -1)
        settled: Counter[tuple[str, Address, int]] = Counter()
        for event in oldest_first(
            "X402Settler", self._settler, ["Settled", "SettledAhead"], gateway, self._cluster_id,
            from_block=since[0], to_block=sweep.block,
        ):  # fmt: skip
            for one in ExactBatch.of(event.fields["entries"]).payments:
                if one is not None:
                    settled[event.tx_hash, one.payer, one.amount_usd6] += 1
        paid: Counter[Address] = Counter()
        for event in oldest_first(
            "Stablecoin", self._stablecoin, ["Transfer"], None, pay_to,
            from_block=since[0], to_block=sweep.block,
        ):  # fmt: skip
            payer, amount = event.fields["from"], event.fields["value"]
            if not since < event.spot < sweep.spot or not amount:
                continue
            if settled[event.tx_hash, payer, amount]:
                settled[event.tx_hash, payer, amount] -= 1
            else:
                paid[payer] += amount
        return paid


def _bytes(text: object) -> bytes:
    return bytes.fromhex(str(text).removeprefix("0x"))
