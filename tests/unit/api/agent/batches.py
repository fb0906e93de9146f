"""Batches to put into an outbox, and what an outbox still owes."""

from __future__ import annotations

from collections.abc import Callable

from api.agent.outbox import Outbox
from api.domain.codec import to_address
from api.domain.eip712 import agent_domain
from api.domain.samples import SampleBatch, SignedBatch, sign_batch
from api.domain.signing import Signer
from api.types import ClusterId, EnergySource

SIGNER = Signer(b"\x07" * 32)
ORACLE = to_address(b"\x33" * 20)
DOMAIN = agent_domain(31337, ORACLE)
A, B, C = "http://a", "http://b", "http://c"


def make(through_ms: int = 1_000) -> Callable[[int], SignedBatch]:
    def signed(sequence: int) -> SignedBatch:
        batch = SampleBatch.of(
            ClusterId(1), SIGNER.address, sequence, through_ms, EnergySource.METERED, []
        )
        return sign_batch(batch, SIGNER, DOMAIN)

    return signed


def sequences(outbox: Outbox, reporter: str) -> list[int]:
    """What the reporter is owed, oldest first."""
    found: list[int] = []
    while delivery := outbox.next_for(reporter, found[-1] if found else 0):
        found.append(delivery.sequence)
    return found
