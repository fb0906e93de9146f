"""One Ethereum node over JSON-RPC: time limits, retries where they are safe, typed errors.

A request that did not reach the node is tried again after a short pause (`attempts` times in all);
a request that was answered, or that may have been, never is. After any failed connection the chain
id is checked again before the next request, because what comes back on the same URL may be another
chain.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import aiohttp
from web3 import AsyncHTTPProvider
from web3.types import RPCEndpoint

from api.chain.abi import decode_revert
from api.errors import (
    ChainTimeout,
    ChainUnavailable,
    InvalidInput,
    NodeRefused,
    RackstreamError,
    WrongChain,
    host_of,
)

PAUSE_SECONDS = 0.2

Result = TypeVar("Result")


class Node:
    """A node at one URL, known to be of one chain.

    `failure` is why it should not be asked: set by whoever compares nodes, and by a request that
    failed; None if nothing is known against it.
    """

    def __init__(self, url: str, *, chain_id: int, timeout_seconds: float, attempts: int) -> None:
        self.url = url
        self.failure: RackstreamError | None = None
        self._chain_id = chain_id
        self._timeout_seconds = timeout_seconds
        self._attempts = attempts
        self._provider = AsyncHTTPProvider(
            url,
            request_kwargs={"timeout": aiohttp.ClientTimeout(total=timeout_seconds)},
            exception_retry_configuration=None,
        )
        self._is_chain_checked = False

    @property
    def host(self) -> str:
        """What may be shown of the URL: the path often is an access key."""
        return host_of(self.url)

    async def newest_block(self) -> int:
        """The number of its newest block, after another look at its chain's id.

        Raises ChainUnavailable, ChainTimeout, WrongChain or NodeRefused.
        """
        self._is_chain_checked = False
        return await self.request("eth_blockNumber", [], integer)

    async def request(
        self, method: str, parameters: Sequence[object], read: Callable[[Any], Result]
    ) -> Result:
        """What `read` makes of the result of one JSON-RPC request.

        Raises the errors of `newest_block`, or ContractReverted. A result that `read` stumbles over
        is as good as none: ChainUnavailable.
        """
        if not self._is_chain_checked:
            actual = self._understood("eth_chainId", await self._send("eth_chainId", []), integer)
            if actual != self._chain_id:
                raise WrongChain(actual, self._chain_id)
            self._is_chain_checked = True
        return self._understood(method, await self._send(method, parameters), read)

    async def close(self) -> None:
        """Close the connection. The node may not be asked afterwards."""
        await self._provider.disconnect()

    def _understood(self, method: str, response: Any, read: Callable[[Any], Result]) -> Result:
        try:
            return read(_answer(method, response))
        except (AttributeError, KeyError, TypeError, ValueError, InvalidInput) as error:
            self._is_chain_checked = False
            raise ChainUnavailable(
                self.url, f"its answer to {method} makes no sense: {error!r}"
            ) from error

    async def _send(self, method: str, parameters: Sequence[object]) -> Any:
        for attempt in range(1, self._attempts + 1):
            try:
                return await self._provider.make_request(RPCEndpoint(method), list(parameters))
            except TimeoutError as error:
                # The node may have acted on it: only the caller knows whether once more is safe.
                self._is_chain_checked = False
                raise ChainTimeout(method, self._timeout_seconds) from error
            except (aiohttp.ClientConnectionError, OSError) as error:
                self._is_chain_checked = False
                if attempt == self._attempts:
                    raise ChainUnavailable(self.url, str(error)) from error
                await asyncio.sleep(PAUSE_SECONDS * attempt)
            except (aiohttp.ClientError, ValueError) as error:
                # Something answered, but not a node: a proxy's error page, a limit on requests.
                raise ChainUnavailable(self.url, str(error)) from error
        raise AssertionError("the last attempt returns or raises")


def integer(quantity: str) -> int:
    """A quantity as nodes write it."""
    return int(quantity, 16)


def _answer(method: str, response: Any) -> Any:
    """The result of a response, or the error that it carries.

    Raises ContractReverted if a contract said no, NodeRefused for any other objection of the node.
    """
    error = response.get("error")
    if error is None:
        return response["result"]
    code, message = int(error.get("code", 0)), str(error.get("message", ""))
    data = error.get("data")
    if isinstance(data, dict):
        # Some nodes wrap the bytes once more.
        data = data.get("data")
    if isinstance(data, str) and (data.startswith(("0x", "Reverted 0x"))):
        raise decode_revert(bytes.fromhex(data.removeprefix("Reverted ").removeprefix("0x")))
    # JSON-RPC's code 3 is Ethereum's "execution reverted"; without data there is no reason to read.
    if code == 3 or "execution reverted" in message:
        raise decode_revert(b"")
    raise NodeRefused(method, code, message)
