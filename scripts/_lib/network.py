"""Which chain is connected, as the node itself says; the services' own client of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from ape import chain

from api.chain.client import ChainClient
from api.errors import WrongChain

Answer = TypeVar("Answer")


def connected_chain_id() -> int:
    """The chain id of the node that ape is connected to.

    ape believes its configuration for a local network, whatever the node at the URL is; everything
    here that is more lenient on a local chain must not. Raises WrongChain if the two disagree.
    """
    actual = int(chain.provider.make_request("eth_chainId", []), 16)
    configured = int(chain.chain_id)
    if actual != configured:
        raise WrongChain(actual, configured)
    return actual


def answer_of(chain_id: int, question: Callable[[ChainClient], Awaitable[Answer]]) -> Answer:
    """What is found out as services do it, on the node that ape is connected to."""

    async def ask() -> Answer:
        client = ChainClient(str(chain.provider.http_uri), chain_id=chain_id)
        try:
            return await question(client)
        finally:
            await client.close()

    return asyncio.run(ask())
