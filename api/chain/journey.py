"""What is known of a payment that is followed, and how it is noted."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from api.chain.contracts import DecodedEvent
from api.chain.past import PastReader
from api.chain.views import Block
from api.domain.way import Event, ExactTransfer, Part, ProvenReceipt, Step
from api.types import Digest


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


class JourneyReader(PastReader):
    """Reads events up to a journey's block, and notes what they did to its payment."""

    async def _note(
        self, journey: Journey, kind: Event, event: DecodedEvent, amount: Fraction, of_usd6: int
    ) -> None:
        block, tx_hash = event.log.block_number, Digest(event.log.tx_hash)
        at = await self._time(block)
        journey.steps.append(Step(kind, block, at, tx_hash, amount, of_usd6))
