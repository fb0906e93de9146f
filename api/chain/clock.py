"""The chain as a clock: time is the newest block's.

For a demo or a test that drives a local chain faster (or slower) than the wall clock: all services
that share the chain share its time. It reads over a plain connection of its own, so that it can
answer synchronously like every clock, and needs neither web3 nor an event loop.
"""

from __future__ import annotations

import http.client
import json
import threading
import time
from typing import Any
from urllib.parse import urlsplit

from api.errors import ChainUnavailable

CACHE_SECONDS = 0.075
# A node on this machine or beside it answers within milliseconds, and the caller may be an event
# loop: better an old time than a loop that stands still.
TIMEOUT_SECONDS = 1.0
PAUSE_AFTER_FAILURE_SECONDS = 0.5


def _body(method: str, *parameters: object) -> str:
    return json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": parameters})


_CHAIN_ID = _body("eth_chainId")
_NEWEST_BLOCK = _body("eth_getBlockByNumber", "latest", False)


class ChainClock:
    """Time of the newest block of the node at `url`, read at most once in CACHE_SECONDS.

    While the node is away, or one of another chain is in its place, the clock stands still: no
    block, no time. What was signed with a time cannot be taken back, so whoever answers on a new
    connection is asked for its chain first. Only before the first reading, when there is no time to
    give, is that an error (ChainUnavailable). The clock runs backwards only where the chain itself
    was taken back to an earlier block.
    """

    def __init__(self, url: str, chain_id: int, *, cache_seconds: float = CACHE_SECONDS) -> None:
        self.url = url
        self._chain_id = chain_id
        self._cache_seconds = cache_seconds
        self._parts = urlsplit(url)
        self._connection: http.client.HTTPConnection | None = None
        self._lock = threading.Lock()
        self._time: int | None = None
        self._read_again_at = 0.0

    def now(self) -> int:
        """Unix seconds."""
        with self._lock:
            if time.monotonic() >= self._read_again_at:
                self._refresh()
            if self._time is None:
                raise ChainUnavailable(self.url, "the node has not answered yet")
            return self._time

    def now_ms(self) -> int:
        """Unix milliseconds; blocks are timed in whole seconds."""
        return self.now() * 1_000

    def _refresh(self) -> None:
        try:
            self._time = self._newest_block_time()
            self._read_again_at = time.monotonic() + self._cache_seconds
        except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError) as error:
            # The connection may be half read: the next reading opens a new one.
            self._disconnect()
            self._read_again_at = time.monotonic() + PAUSE_AFTER_FAILURE_SECONDS
            if self._time is None:
                raise ChainUnavailable(self.url, str(error)) from error

    def _newest_block_time(self) -> int:
        try:
            return self._ask()
        except (ConnectionError, http.client.NotConnected):
            # A kept connection that the node closed in the meantime says nothing of the node.
            self._disconnect()
            return self._ask()

    def _ask(self) -> int:
        if self._connection is None:
            kind = (
                http.client.HTTPSConnection
                if self._parts.scheme == "https"
                else http.client.HTTPConnection
            )
            self._connection = kind(
                self._parts.hostname or "", self._parts.port, timeout=TIMEOUT_SECONDS
            )
            # Else it would connect again by itself, and nobody would ask whose node it is now.
            self._connection.auto_open = 0
            self._connection.connect()
            actual = int(self._result(_CHAIN_ID), 16)
            if actual != self._chain_id:
                raise ValueError(f"it serves chain {actual}, expected is {self._chain_id}")
        return int(self._result(_NEWEST_BLOCK)["timestamp"], 16)

    def _result(self, body: str) -> Any:
        assert self._connection is not None
        path = self._parts.path or "/"
        if self._parts.query:
            path += "?" + self._parts.query
        self._connection.request("POST", path, body, {"Content-Type": "application/json"})
        return json.loads(self._connection.getresponse().read())["result"]

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
