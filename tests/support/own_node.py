"""A node of a test's own: started, killed and paused as it needs."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time

import httpx

from api.types import LOCAL_CHAIN_ID

# Code that returns, or reverts with, what it was called with: calldatacopy, then return or revert.
ECHO_CODE = "0x365f5f37365ff3"
REFUSE_CODE = "0x365f5f37365ffd"


class Node:
    """An anvil process at a port that stays its own over restarts."""

    def __init__(self) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, chain_id: int = LOCAL_CHAIN_ID, accounts: int = 10) -> None:
        """With the keys of so many accounts of the well-known mnemonic."""
        numbers = {"--port": self.port, "--chain-id": chain_id, "--accounts": accounts}
        options = [str(part) for option in numbers.items() for part in option]
        self._process = subprocess.Popen(["anvil", *options, "--silent"])
        deadline = time.monotonic() + 30
        while True:
            try:
                self.rpc("eth_chainId")
                return
            except httpx.HTTPError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)

    def kill(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)
            self._process.kill()
            self._process.wait()
            self._process = None

    def pause(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        # A busy machine lets it answer for a moment longer.
        os.waitpid(self._process.pid, os.WUNTRACED)

    def go_on(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def rpc(self, method: str, *parameters: object) -> object:
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(parameters)}
        answer = httpx.post(self.url, json=body, timeout=5).json()
        assert "error" not in answer, answer
        return answer["result"]
