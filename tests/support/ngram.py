"""`python -m api.ngram` as a process: a language model without a GPU, at a port of its own."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import httpx

from scripts._lib.processes import Program, free_ports

ROOT = Path(__file__).resolve().parents[2]


class NgramProcess:
    """Settings are given by their names: `NgramProcess(folder, tokens_per_second=50)`.

    Attributes:
        url: Without `/v1`, which OpenAI's clients have in their base URL.
    """

    def __init__(self, folder: Path, **settings: object) -> None:
        port = free_ports(1)[0]
        self.url = f"http://127.0.0.1:{port}"
        given = {f"RACKSTREAM_NGRAM_{name.upper()}": str(value) for name, value in settings.items()}
        self._program = Program(
            "ngram",
            [sys.executable, "-m", "api.ngram"],
            {**os.environ, "RACKSTREAM_NGRAM_PORT": str(port), **given},
            folder / "ngram.log",
            self._answers,
            directory=ROOT,
        )

    def start(self) -> NgramProcess:
        """Start it and wait until it answers. Raises ProcessFailure."""
        self._program.start()
        return self

    def stop(self) -> None:
        self._program.stop()

    def wait(self) -> int:
        """Wait until it has ended by itself; its status."""
        process = self._program._process
        assert process is not None
        return process.wait(10)

    @property
    def pid(self) -> int | None:
        return self._program.pid

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/health", timeout=1).status_code == 200
        except httpx.TransportError:
            return False
