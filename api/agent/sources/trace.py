"""A recorded trace as a source: it gives what was recorded up to the clock's time."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from io import TextIOWrapper
from pathlib import Path

from api.agent.sources.source import Collected
from api.domain.epochs import EPOCH_MS
from api.domain.replay import Replay
from api.domain.trace import Trace, read_trace
from api.errors import TraceRefused
from api.types import EnergySource

_GZIP_MAGIC = b"\x1f\x8b"


def load_trace(path: Path) -> Trace:
    """The trace in a CSV file, compressed with gzip or not (its first bytes decide, not its name).

    Raises:
        TraceRefused: The file cannot be read, or is malformed: with the row and the rule.
    """
    try:
        with path.open("rb") as file:
            is_compressed = file.read(2) == _GZIP_MAGIC
            file.seek(0)
            text = (
                TextIOWrapper(gzip.GzipFile(fileobj=file), encoding="utf-8", newline="")
                if is_compressed
                else TextIOWrapper(file, encoding="utf-8", newline="")
            )
            with text:
                return read_trace(_lines(text), path.name)
    except OSError as error:
        raise TraceRefused(f"{path} cannot be read: {error}", value=str(path)) from None


def _lines(text: TextIOWrapper) -> Iterator[str]:
    """The lines, with the row named where the file itself breaks off."""
    row = 1
    try:
        for line in text:
            yield line
            row += 1
    except UnicodeDecodeError as error:
        raise TraceRefused(f"not UTF-8: {error}", row=row) from None
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise TraceRefused(f"the compressed file is damaged: {error}", row=row) from None


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
