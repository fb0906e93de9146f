"""Who paid for what a cluster was allocated as income of inference, to the unit.

1. What a gateway collected is in its call's own bytes, which name each payer and the clusters.
2. What was settled by x402 is in the settler's events: each payer's payments without what was
   credited to it; those of what was settled ahead are in the transaction before.
3. What was swept are the transfers to the cluster's address since the sweep before, but for those
   that the settler made.

Nobody is named where a contract stood between and the events leave it open.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence

from api.chain.client import ChainClient
from api.chain.contracts import DecodedEvent, InferencePayments, Stablecoin, X402Settler
from api.chain.deployments import Deployment
from api.chain.past import PastReader, Spot, spot_of
from api.chain.views import Receipt
from api.domain.batches import breakdown_of, unpack_vouchers
from api.domain.codec import to_hex
from api.domain.eip712 import address_word, word
from api.domain.exact_batches import ExactBatch
from api.domain.vouchers import payments_domain
from api.domain.work import Work
from api.errors import Incoherent, InvalidInput, UndecodableAnswer
from api.types import Address, ClusterId


class PayersReader(PastReader):
    """Of one cluster's income, for one question: its sweeps are read once, from the newest back."""

    def __init__(
        self,
        client: ChainClient,
        deployment: Deployment,
        payments: InferencePayments,
        cluster_id: ClusterId,
    ) -> None:
        super().__init__(client)
        self._cluster_id = cluster_id
        self._payments = payments
        self._settler = X402Settler(client, deployment.address_of("X402Settler"))
        self._stablecoin = Stablecoin(client, deployment.stablecoin_address())
        self._start = deployment.contracts["X402Settler"].block
        self._voucher_domain = payments_domain(deployment.chain_id, payments.address)
        self._sweeps: AsyncIterator[DecodedEvent] | None = None
        self._oldest_sweep: dict[Address, Spot] = {}
        self._sweep_before: dict[Spot, Spot] = {}
        self._looking = asyncio.Lock()

    async def of(self, allocated: DecodedEvent, newest: int) -> Mapping[Address, int]:
        """Who paid how much of an IncomeAllocated, in 10⁻⁶ dollars; nobody where it is not told.

        Args:
            newest: The block as of which the question is; the same for all of it.

        Raises Unavailable or ChainError.
        """
        mined = await self._mined(allocated)
        events = self._payments.decode_logs(mined.logs)
        before = [one for one in events if spot_of(one) < spot_of(allocated)]
        try:
            if allocated.fields["gateway"] == self._settler.address:
                paid = await self._settled(allocated, mined, before, newest)
            else:
                paid = await self._collected(allocated, before)
        except (InvalidInput, UndecodableAnswer):
            # Anybody may write bytes that look like a collection's.
            return {}
        # Of a stablecoin that keeps a part of what moves, nobody knows of whom.
        return paid if sum(paid.values()) <= allocated.fields["amountUsd6"] else {}

    async def _collected(
        self, allocated: DecodedEvent, before: Sequence[DecodedEvent]
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
        calldata = await self._client.calldata(allocated.log.tx_hash, self._payments.address)
        arguments = calldata and self._payments.abi.functions["collect"].decode_arguments(calldata)
        if not arguments:
            return {}
        vouchers, works, _ = arguments
        brought = breakdown_of(
            unpack_vouchers(vouchers, self._voucher_domain, gateway),
            [Work(*one) for one in works],
            collections[-1].fields["entries"],
            {},
        )
        paid: Counter[Address] = Counter()
        for one in brought:
            if one.work.cluster_id == self._cluster_id:
                paid[one.payer] += one.brought_usd6
        return paid

    async def _settled(
        self, allocated: DecodedEvent, mined: Receipt, before: Sequence[DecodedEvent], newest: int
    ) -> Mapping[Address, int]:
        """By the settler's last word before it, and what was credited since."""
        words = [
            one
            for one in self._settler.decode_logs(mined.logs)
            if one.name in ("Settled", "Allocated", "PassedOn", "Swept")
            and spot_of(one) < spot_of(allocated)
        ]
        told = words[-1]
        if told.name == "Swept":
            return await self._swept(told, newest)
        if told.name == "Settled":
            batch = ExactBatch.of(told.fields["entries"])
        else:
            batch = await self._ahead(told)
        credits = [one for one in before if one.name == "Credited" and spot_of(one) > spot_of(told)]
        return batch.income_by_payer(credits[0].fields["entries"] if credits else [])

    async def _ahead(self, closed: DecodedEvent) -> ExactBatch:
        """The batch that was settled ahead of its use: mostly not long before."""
        batch_id = closed.fields["batchId"]
        async for ahead in self._newest_first(
            self._settler, ("SettledAhead",), self._start, closed.log.block_number,
            None, word(self._cluster_id), batch_id,
        ):  # fmt: skip
            return ExactBatch.of(ahead.fields["entries"])
        raise Incoherent(f"{to_hex(batch_id)} was closed and never settled", value=to_hex(batch_id))

    async def _swept(self, sweep: DecodedEvent, newest: int) -> Mapping[Address, int]:
        gateway, pay_to = sweep.fields["gateway"], sweep.fields["payTo"]
        cluster, to = word(self._cluster_id), sweep.log.block_number
        since = await self._swept_before(spot_of(sweep), newest)
        settled: Counter[tuple[bytes, Address, int]] = Counter()
        for event in await self._past(
            self._settler, ("Settled", "SettledAhead"), since[0], to,
            address_word(gateway), cluster,
        ):  # fmt: skip
            for payment in ExactBatch.of(event.fields["entries"]).payments:
                if payment is not None:
                    settled[event.log.tx_hash, payment.payer, payment.amount_usd6] += 1
        paid: Counter[Address] = Counter()
        for event in await self._past(
            self._stablecoin, ("Transfer",), since[0], to, None, address_word(pay_to)
        ):
            payer, amount = event.fields["from"], event.fields["value"]
            if not since < spot_of(event) < spot_of(sweep) or not amount:
                continue
            if settled[event.log.tx_hash, payer, amount]:
                settled[event.log.tx_hash, payer, amount] -= 1
            else:
                paid[payer] += amount
        return paid

    async def _swept_before(self, sweep: Spot, newest: int) -> Spot:
        """Where the same gateway's sweep before that one is; if it is the first, a spot before all
        that the settler did.

        Anybody may sweep, and for any gateway: to look for each alone could go on for hours.
        """
        async with self._looking:
            if self._sweeps is None:
                self._sweeps = self._newest_first(
                    self._settler, ("Swept",), self._start, newest, word(self._cluster_id)
                )
            if sweep not in self._sweep_before:
                async for one in self._sweeps:
                    gateway, spot = one.fields["gateway"], spot_of(one)
                    later = self._oldest_sweep.get(gateway)
                    self._oldest_sweep[gateway] = spot
                    if later is not None:
                        self._sweep_before[later] = spot
                    if later == sweep:
                        break
        return self._sweep_before.get(sweep, (self._start, -1))
