"""Where services write their logs."""

from __future__ import annotations

from contextlib import suppress
from typing import TextIO


class LogStream:
    """A stream that takes what it can: a log that cannot be written (its disk is full, whoever read
    it is gone) is no reason to stop working.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with suppress(OSError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(OSError):
            self._stream.flush()
