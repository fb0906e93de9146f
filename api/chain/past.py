"""The past as events tell it, read in windows, with the blocks and transactions behind them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Final

from api.chain.client import ChainClient
from api.chain.contracts import Contract, DecodedEvent
from api.chain.views import Receipt
from api.domain.codec import to_hex
from api.errors import ChainUnavailable

AT_A_STRETCH: Final = 200
"""Events that are decoded before whatever else waits has its turn: some 10 ms."""

Spot = tuple[int, int]
"""A block and a log in it."""


def spot_of(event: DecodedEvent) -> Spot:
    return event.log.block_number, event.log.index


class PastReader:
    """Reads events, for one question: blocks that were looked at are not looked at again."""

    def __init__(self, client: ChainClient) -> None:
        self._client = client
        self._times: dict[int, int] = {}

    async def _past(
        self, contract: Contract, names: Sequence[str], start: int, to: int, *indexed: bytes | None
    ) -> list[DecodedEvent]:
        """Events of a contract in these blocks, both included, oldest first; `indexed` narrows the
        first indexed fields, None for any.
        """
        return [event async for event in self._oldest_first(contract, names, start, to, *indexed)]

    def _oldest_first(
        self, contract: Contract, names: Sequence[str], start: int, to: int, *indexed: bytes | None
    ) -> AsyncIterator[DecodedEvent]:
        """The same, read as far as the caller goes."""
        return self._events(contract, names, start, to, indexed, False)

    def _newest_first(
        self, contract: Contract, names: Sequence[str], start: int, to: int, *indexed: bytes | None
    ) -> AsyncIterator[DecodedEvent]:
        """The same from the newest back."""
        return self._events(contract, names, start, to, indexed, True)

    async def _events(
        self,
        contract: Contract,
        names: Sequence[str],
        start: int,
        to: int,
        indexed: Sequence[bytes | None],
        is_newest_first: bool,
    ) -> AsyncIterator[DecodedEvent]:
        first: bytes | Sequence[bytes] | None = [contract.abi.events[name].topic for name in names]
        logs = self._client.past_logs(
            addresses=[contract.address],
            topics=[first, *indexed],
            from_block=start,
            to_block=to,
            is_newest_first=is_newest_first,
        )
        seen = 0
        async for log in logs:
            seen += 1
            if not seen % AT_A_STRETCH:
                # A window may hold any number, and a service has other work.
                await asyncio.sleep(0)
            for event in contract.decode_logs([log]):
                yield event

    async def _time(self, block: int) -> int:
        """When a block was made, in Unix seconds."""
        if block not in self._times:
            self._times[block] = (await self._client.block(block)).time
        return self._times[block]

    async def _mined(self, event: DecodedEvent) -> Receipt:
        """What became of the transaction that an event came with.

        Raises ChainUnavailable if the node has it no more, or in another block: the event's was
        taken back meanwhile, or another node is asked, which has not come so far.
        """
        mined = await self._client.receipt(event.log.tx_hash)
        if mined is None:
            raise ChainUnavailable(
                self._client.node.url, f"it does not hold {to_hex(event.log.tx_hash)} any more"
            )
        # The logs of another block stand elsewhere: none could be told to come before the event.
        if mined.block_hash != event.log.block_hash:
            raise ChainUnavailable(
                self._client.node.url, f"it holds {to_hex(event.log.tx_hash)} in another block now"
            )
        return mined
