"""What is known of a payment that is followed, and how the past is read for that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from api.chain.client import ChainClient
from api.chain.contracts import Contract, DecodedEvent
from api.chain.views import Block
from api.domain.way import Event, ExactTransfer, Part, ProvenReceipt, Step
from api.types import Digest

Spot = tuple[int, int]
"""A block and a log in it."""


def spot_of(event: DecodedEvent) -> Spot:
    return event.log.block_number, event.log.index


@dataclass(slots=True)
class Journey:
    """What of a payment went on to where, so far."""

    proven: ProvenReceipt
    to: Block
    steps: list[Step]
    parts: list[Part]
    transfer: ExactTransfer | None = None

    def leave(self, part: Part) -> None:
        if part.amount:
            self.parts.append(part)


class PastReader:
    """Reads events up to a journey's block."""

    def __init__(self, client: ChainClient) -> None:
        self._client = client
        self._times: dict[int, int] = {}

    async def _past(
        self, contract: Contract, names: Sequence[str], start: int, to: int, *indexed: bytes
    ) -> list[DecodedEvent]:
        """Events of a contract, oldest first; `indexed` narrows the first indexed fields."""
        first: bytes | Sequence[bytes] | None = [contract.abi.events[name].topic for name in names]
        topics = [first, *indexed]
        found = self._client.past_logs(
            addresses=[contract.address], topics=topics, from_block=start, to_block=to
        )
        return contract.decode_logs([log async for log in found])

    async def _time(self, block: int) -> int:
        if block not in self._times:
            self._times[block] = (await self._client.block(block)).time
        return self._times[block]

    async def _note(
        self, journey: Journey, kind: Event, event: DecodedEvent, amount: Fraction, of_usd6: int
    ) -> None:
        block, tx_hash = event.log.block_number, Digest(event.log.tx_hash)
        at = await self._time(block)
        journey.steps.append(Step(kind, block, at, tx_hash, amount, of_usd6))
