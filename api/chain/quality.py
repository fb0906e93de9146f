"""What of a cluster's time was busy and not billed, and what of its income came from related
parties, by the hour. All of it is read from the chain.

- GPU time is that of the reports that became Final, whose words are in the oracle's events. A
  sample behind them is shown by a reporter, with its proof.
- Paid is what customers paid for the cluster, fee and royalties included, in the hour in which it
  was collected, or settled by x402 and used. Who paid is told by `payers.py`.
- Related is whoever is declared (`contracts/registry/interfaces/IRelatedParties.sol`) for the hour.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from typing import Final

from api.abreast import abreast
from api.chain.client import ChainClient
from api.chain.contracts import (
    ClusterRegistry,
    Contract,
    DecodedEvent,
    InferencePayments,
    MetricsOracle,
    RelatedParties,
    Waterfall,
)
from api.chain.deployments import Deployment
from api.chain.past import PastReader
from api.chain.payers import PayersReader
from api.chain.views import Block
from api.domain.eip712 import word
from api.domain.epochs import epoch_at, epoch_start
from api.domain.figures import ClusterFigures
from api.domain.quality import Hour, Payment, Relation, hours_of
from api.errors import Oversized, UnknownCluster
from api.types import Address, ClusterId, Epoch

PARALLEL: Final = 8
"""Payments that are looked at side by side; each takes a few questions to the node."""


class QualityReader(PastReader):
    """Reads it of one cluster, on one deployment, as of one block."""

    def __init__(self, client: ChainClient, deployment: Deployment, cluster_id: ClusterId) -> None:
        super().__init__(client)
        self._cluster_id = cluster_id
        self._registry = ClusterRegistry(client, deployment.address_of("ClusterRegistry"))
        self._oracle = MetricsOracle(client, deployment.address_of("MetricsOracle"))
        self._waterfall = Waterfall(client, deployment.address_of("Waterfall"))
        self._payments = InferencePayments(client, deployment.address_of("InferencePayments"))
        self._related = RelatedParties(client, deployment.address_of("RelatedParties"))
        self._payers = PayersReader(client, deployment, self._payments, cluster_id)
        self._blocks = {name: record.block for name, record in deployment.contracts.items()}

    async def hours(
        self, count: int, *, most_payments: int | None = None, most_relations: int | None = None
    ) -> list[Hour]:
        """The newest `count` hours, the running one first, as of the newest block.

        Of those before the cluster's first only such as something was paid in.

        Raises:
            UnknownCluster: There is no such cluster.
            Oversized: There were more than `most_payments` in these hours, or the chain has more
                than `most_relations` words on the cluster's related parties.
            Unavailable, ChainError: The node does not tell.
        """
        to = await self._client.block()
        if not 1 <= self._cluster_id <= await self._registry.cluster_count(block=to.number):
            raise UnknownCluster(self._cluster_id)
        first, _ = await self._registry.epoch_range(self._cluster_id, block=to.number)
        newest = epoch_at(to.time)
        oldest = Epoch(max(newest - count + 1, 0))
        since = await self._first_block(oldest, to)
        return hours_of(
            [Epoch(epoch) for epoch in range(newest, oldest - 1, -1)],
            min(Epoch(first) if first else newest, newest),
            await self._measured(since, to.number),
            await self._paid(since, to.number, most_payments),
            await self.relations(to.number, most_relations),
        )

    async def relations(self, to: int, most: int | None = None) -> list[Relation]:
        """Everybody who was ever declared up to that block, with the epochs.

        Raises Oversized if that takes more than `most` events, Unavailable or ChainError.
        """
        ended: list[Relation] = []
        lasting: dict[Address, Relation] = {}
        seen = 0
        # However long ago: a relation that lasts is told of once.
        async for event in self._told_of_cluster(
            self._related, ("RelationDeclared", "RelationEnded"), 0, to
        ):
            seen += 1
            if most is not None and seen > most:
                raise Oversized("words on related parties", seen, most)
            account = event.fields["account"]
            if event.name == "RelationDeclared":
                # Of one that lasts it says that it was earlier.
                lasting[account] = Relation(account, Epoch(event.fields["fromEpoch"]), None)
            elif account in lasting:
                ended.append(replace(lasting.pop(account), last=Epoch(event.fields["toEpoch"])))
        return [*ended, *lasting.values()]

    async def _measured(self, since: int, to: int) -> Mapping[Epoch, ClusterFigures]:
        return {
            Epoch(event.fields["epoch"]): ClusterFigures.unpack(event.fields["figures"])
            for event in await self._of_cluster(self._oracle, ("FiguresFinal",), since, to)
        }

    async def _paid(self, since: int, to: int, most: int | None) -> list[Payment]:
        """What was paid for the cluster in these blocks: inference, then the rest."""
        allocated = await self._of_cluster(self._payments, ("IncomeAllocated",), since, to)
        received = [
            event
            for event in await self._of_cluster(self._waterfall, ("IncomeReceived",), since, to)
            if event.fields["payer"] != self._payments.address
        ]
        if most is not None and len(allocated) + len(received) > most:
            raise Oversized("payments in these hours", len(allocated) + len(received), most)
        inference = await abreast(lambda event: self._allocated(event, to), allocated, PARALLEL)
        others = await abreast(self._received, received, PARALLEL)
        return [*chain.from_iterable(inference), *others]

    async def _allocated(self, event: DecodedEvent, to: int) -> list[Payment]:
        epoch, amount = await self._epoch(event), event.fields["amountUsd6"]
        paid = await self._payers.of(event, to)
        told = [Payment(epoch, payer, part) for payer, part in paid.items()]
        untold = amount - sum(paid.values())
        return [*told, Payment(epoch, None, untold)] if untold else told

    async def _received(self, event: DecodedEvent) -> Payment:
        epoch = await self._epoch(event)
        return Payment(epoch, event.fields["payer"], event.fields["amountUsd6"])

    async def _epoch(self, event: DecodedEvent) -> Epoch:
        return epoch_at(await self._time(event.log.block_number))

    async def _of_cluster(
        self, contract: Contract, names: Sequence[str], since: int, to: int
    ) -> list[DecodedEvent]:
        return [event async for event in self._told_of_cluster(contract, names, since, to)]

    def _told_of_cluster(
        self, contract: Contract, names: Sequence[str], since: int, to: int
    ) -> AsyncIterator[DecodedEvent]:
        """A contract's events of the cluster: in all of them it is the first indexed field."""
        start = max(since, self._blocks[contract.ABI])
        return self._oldest_first(contract, names, start, to, word(self._cluster_id))

    async def _first_block(self, epoch: Epoch, to: Block) -> int:
        """The first block of an epoch that has begun, or the registry's own if that is later."""
        low, high, begins = self._blocks[self._registry.ABI], to.number, epoch_start(epoch)
        while low < high:
            middle = (low + high) // 2
            if await self._time(middle) < begins:
                low = middle + 1
            else:
                high = middle
        return low
