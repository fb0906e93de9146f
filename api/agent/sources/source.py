"""The seam between the agent and the GPUs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from api.domain.samples import Sample
from api.types import EnergySource


@dataclass(frozen=True, slots=True)
class Collected:
    """What a source gave.

    Attributes:
        samples: Ascending in time, all after the `through_ms` of the call before.
        through_ms: The source will give no more samples with at ≤ this Unix millisecond.
        missing: In words, why GPUs that should be there gave none: their silence is downtime.
    """

    samples: list[Sample]
    through_ms: int
    missing: tuple[str, ...] = ()


class Source(Protocol):
    """Samples of this agent's GPUs."""

    @property
    def energy_source(self) -> EnergySource:
        """Whether its energy counters are metered or modelled."""

    async def collect(self, now_ms: int) -> Collected | None:
        """What is new at `now_ms`; None while nothing is due.

        A recorded source may stop short of `now_ms` (`through_ms` says where), to hand over a long
        stretch in pieces: the caller asks again at once.

        Raises:
            SourceUnavailable: No GPU could be read; it may pass.
        """

    async def close(self) -> None:
        """Let go of the GPUs."""
