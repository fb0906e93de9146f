"""A local chain that survives being killed.

Anvil keeps its chain in memory. A checkpoint writes all of it (blocks, receipts, state) to a file,
whole or not at all; after a crash the chain goes on from the newest one, like a chain that was
reorganised back to it: what was mined since is gone, and whoever sent it sends it again.
"""

from __future__ import annotations

import gzip
import http.client
import json
import os
import shutil
import threading
from pathlib import Path
from typing import Any

from scripts._lib.processes import ProcessFailure, Program, service_environment

HOST = "127.0.0.1"
MNEMONIC = "test test test test test test test test test test test junk"
"""The one that anvil, hardhat and ape print: its accounts are everybody's, and for a local chain
only.
"""

_TIMEOUT_SECONDS = 30.0


class NodeGone(Exception):
    """The node does not answer."""


class RpcRefused(Exception):
    """The node answered with an error."""


def rpc(port: int, method: str, *parameters: object, timeout: float = _TIMEOUT_SECONDS) -> Any:
    """One JSON-RPC request to a node on this machine. Raises NodeGone or RpcRefused."""
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": list(parameters)})
    connection = http.client.HTTPConnection(HOST, port, timeout=timeout)
    try:
        connection.request("POST", "/", body, {"Content-Type": "application/json"})
        answer = json.loads(connection.getresponse().read())
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise NodeGone(f"the node on port {port} does not answer: {error}") from error
    finally:
        connection.close()
    if "error" in answer:
        raise RpcRefused(f"{method}: {answer['error'].get('message', answer['error'])}")
    return answer["result"]


class Anvil:
    """Anvil on a port, its checkpoints in `state`. A Service.

    `generation` counts its starts, before each: a reader who sees another one than before looks
    again at what it sent.
    """

    name = "anvil"

    def __init__(
        self,
        port: int,
        state: Path,
        log: Path,
        *,
        genesis_time: int,
        confirmations: int = 0,
        accounts: int = 40,
    ) -> None:
        """
        Args:
            genesis_time: Unix second of the first block, from where the chain's clock runs.
            confirmations: Blocks on top of one that its readers take for final. So many are put on
                what is restored, which knows no state before its checkpoint's.
        """
        self.port = port
        self.url = f"http://{HOST}:{port}"
        self.generation = 0
        self._state = state
        self._history = state.with_suffix(".history")
        self._genesis_time = genesis_time
        self._newest_time = genesis_time
        self._confirmations = confirmations
        self._accounts = accounts
        self._checkpointing = threading.Lock()
        self._program = Program(
            "anvil", [], service_environment(), log, self._answers, ready_seconds=30
        )

    def start(self) -> None:
        restored = self._state.exists()
        if self.generation and not restored:
            raise ProcessFailure("anvil died before the first checkpoint: nothing to go on from")
        command = [
            "anvil", "--silent", "--host", HOST, "--port", str(self.port),
            "--accounts", str(self._accounts), "--mnemonic", MNEMONIC, "--hardfork", "cancun",
            "--timestamp", str(self._newest_time), "--cache-path", str(self._history),
        ]  # fmt: skip
        if restored:
            command += ["--load-state", str(self._state)]
        # Past states that anvil lays on disk: hundreds of megabytes, and it leaves them behind.
        shutil.rmtree(self._history, ignore_errors=True)
        self._program.command = command
        # Counted before the node can answer: nobody takes what it has forgotten for what it knows.
        self.generation += 1
        self._program.start()
        if restored:
            try:
                self.mine(self._confirmations)
            except (NodeGone, RpcRefused) as error:
                self._program.stop()
                raise ProcessFailure(f"anvil could not be restored: {error}") from error

    def mine(self, blocks: int) -> None:
        """Put empty blocks on top, in one second. Raises NodeGone."""
        if blocks:
            rpc(self.port, "anvil_mine", hex(blocks), "0x0")

    def checkpoint(self) -> None:
        """Keep the chain as it is now. Raises NodeGone if it died in the meantime."""
        with self._checkpointing:
            dump = bytes.fromhex(rpc(self.port, "anvil_dumpState")[2:])
            content = gzip.decompress(dump) if dump[:2] == b"\x1f\x8b" else dump
            self._state.parent.mkdir(parents=True, exist_ok=True)
            fresh = self._state.with_suffix(".new")
            with fresh.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(fresh, self._state)
            # Read after the dump, so that the clock of a restored chain never goes back.
            newest = rpc(self.port, "eth_getBlockByNumber", "latest", False)
            self._newest_time = int(newest["timestamp"], 16)

    def _answers(self) -> bool:
        try:
            rpc(self.port, "eth_chainId", timeout=2)
        except (NodeGone, RpcRefused):
            return False
        return True

    def is_alive(self) -> bool:
        return self._program.is_alive()

    def stop(self) -> None:
        self._program.stop()
        shutil.rmtree(self._history, ignore_errors=True)

    @property
    def pid(self) -> int | None:
        return self._program.pid
