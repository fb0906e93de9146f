"""Epochs: the hours that everything measured is counted in (`contracts/libraries/Epochs.sol`)."""

from __future__ import annotations

from api.types import EPOCH_SECONDS, Epoch

EPOCH_MS = EPOCH_SECONDS * 1_000


def epoch_at(timestamp: int) -> Epoch:
    """The epoch in which the Unix second `timestamp` lies."""
    return Epoch(timestamp // EPOCH_SECONDS)


def epoch_at_ms(at_ms: int) -> Epoch:
    """The epoch in which the Unix millisecond `at_ms` lies."""
    return Epoch(at_ms // EPOCH_MS)


def epoch_start(epoch: Epoch) -> int:
    """First Unix second of `epoch`."""
    return epoch * EPOCH_SECONDS


def epoch_end(epoch: Epoch) -> int:
    """First Unix second after `epoch`."""
    return (epoch + 1) * EPOCH_SECONDS


def epoch_window_ms(epoch: Epoch) -> tuple[int, int]:
    """`epoch` as [start, end) in Unix milliseconds."""
    return epoch * EPOCH_MS, (epoch + 1) * EPOCH_MS
