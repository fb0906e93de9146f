"""A recorded trace as a source: it gives what was recorded up to the clock's time."""

from __future__ import annotations

from pathlib import Path

from api.agent.sources.source import Collected
from api.domain.epochs import EPOCH_MS
from api.domain.replay import Replay
from api.domain.trace import Trace, read_trace
from api.files import trace_lines
from api.types import EnergySource


def load_trace(path: Path) -> Trace:
    """The trace in a CSV file, compressed with gzip or not.

    Raises:
        TraceRefused: The file cannot be read, or is malformed: with the row and the rule.
    """
    return read_trace(trace_lines(path), path.name)


class TraceSource:
    """Gives a replay's samples as the clock passes them; catching up, an epoch at a time."""

    def __init__(self, replay: Replay, after_ms: int | None) -> None:
        """Go on after the instant `after_ms`; None begins with the first sample."""
        self._replay = replay
        self._through_ms = replay.start_ms - 1 if after_ms is None else after_ms

    @property
    def energy_source(self) -> EnergySource:
        return EnergySource.MODELLED

    async def collect(self, now_ms: int) -> Collected | None:
        if now_ms <= self._through_ms:
            return None
        following = self._replay.next_after(self._through_ms)
        if following is None or following > now_ms:
            # Silence is declared in one piece, however long: after a trace's end it can be years.
            self._through_ms = now_ms
            return Collected([], now_ms)
        end_ms = following // EPOCH_MS * EPOCH_MS
        if end_ms <= self._through_ms:
            end_ms += EPOCH_MS
        # An epoch that ends in silence is declared complete by itself: what follows may be too far
        # ahead for reporters whose clocks are behind, and they wait for this.
        through_ms = min(now_ms, end_ms)
        samples = self._replay.between(self._through_ms, through_ms)
        self._through_ms = through_ms
        return Collected(samples, through_ms)

    async def close(self) -> None:
        """Nothing is held."""
