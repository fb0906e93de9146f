"""Payers and their channels: read from the store and the chain when they are first needed, kept in
step with every block afterwards.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Final

import structlog

from api.chain.client import ChainClient
from api.chain.contracts import InferencePayments
from api.clock import Clock
from api.errors import Unavailable
from api.gateway.ledger import Channel, Payer
from api.store.journal import JournalStore
from api.types import Address

_log = structlog.get_logger(__name__)

# Events of more blocks than that are not looked through: everybody is read anew.
_MOST_BLOCKS: Final = 1_000

# Read at the same time, so that a new block does not flood the node.
_AT_ONCE: Final = 16


class Accounts:
    """The payers known to this process. `run` keeps them as the chain has them."""

    def __init__(
        self,
        *,
        client: ChainClient,
        payments: InferencePayments,
        store: JournalStore,
        gateway: Address,
        clock: Clock,
    ) -> None:
        self._client = client
        self._payments = payments
        self._store = store
        self._gateway = gateway
        self._clock = clock
        self._payers: dict[Address, Payer] = {}
        self._channels: dict[tuple[Address, Address], Channel] = {}
        self._opening: dict[tuple[Address, Address], asyncio.Lock] = {}
        self._seen: tuple[int, bytes] | None = None

    async def channel(self, payer: Address, key: Address) -> Channel:
        """The channel of this key. Raises Unavailable or ChainError."""
        known = self._channels.get((payer, key))
        if known is not None:
            return known
        lock = self._opening.setdefault((payer, key), asyncio.Lock())
        try:
            async with lock:
                known = self._channels.get((payer, key))
                return known if known is not None else await self._open(payer, key)
        finally:
            self._opening.pop((payer, key), None)

    async def look(self, payer: Address, key: Address) -> Channel:
        """The same for whoever asks: nobody is remembered for a question.

        Raises Unavailable or ChainError.
        """
        known = self._channels.get((payer, key))
        if known is not None:
            return known
        channel, _ = await self._read(payer, key)
        return channel

    async def _open(self, payer: Address, key: Address) -> Channel:
        channel, at = await self._read(payer, key)
        if channel.spent_usd6 < channel.collected_usd6:
            # The store is younger than the channel: what was collected was spent.
            await self._store.seen(payer, key, channel.collected_usd6)
            channel.spent_usd6 = channel.collected_usd6
        channel.forget_used()
        channel.payer = self._payers.setdefault(payer, channel.payer)
        channel.payer.channels.append(channel)
        self._channels[payer, key] = channel
        if self._seen is not None and self._seen[0] > at:
            # Its events may have been passed over meanwhile.
            await self.refresh(payer)
        return channel

    async def _read(self, payer: Address, key: Address) -> tuple[Channel, int]:
        """A channel as store and chain have it, and as of which block."""
        at = (await self._client.block()).number
        account = await self._payments.account(payer, block=at)
        owner = Payer(payer, account.balance_usd6, account.requested_usd6)
        channel = Channel(self._payers.get(payer, owner), key)
        channel.take(await self._payments.channel(payer, key, self._gateway, block=at))
        stored = await self._store.channel(payer, key)
        if stored is not None:
            channel.promised_usd6, channel.signature = stored.promised_usd6, stored.signature
            channel.spent_usd6 = stored.spent_usd6
        return channel, at

    async def reload(self) -> None:
        """Take from the store what was spent and promised. Raises StoreUnavailable."""
        for channel in list(self._channels.values()):
            stored = await self._store.channel(channel.payer.address, channel.key)
            channel.spent_usd6 = stored.spent_usd6 if stored else channel.collected_usd6
            channel.promised_usd6 = stored.promised_usd6 if stored else 0
            channel.signature = stored.signature if stored else None
            channel.forget_used()

    async def refresh(self, payer: Address) -> None:
        """Read a payer and its channels anew, all as of one block."""
        known = self._payers.get(payer)
        if known is None:
            return
        at = (await self._client.block()).number
        account = await self._payments.account(payer, block=at)
        channels = list(known.channels)
        states = [
            await self._payments.channel(payer, channel.key, self._gateway, block=at)
            for channel in channels
        ]
        known.balance_usd6, known.requested_usd6 = account.balance_usd6, account.requested_usd6
        for channel, state in zip(channels, states, strict=True):
            channel.take(state)

    async def run(self, poll_seconds: float) -> None:
        """Follow the chain without end."""
        while True:
            with suppress(Unavailable):
                await self.follow()
            await asyncio.sleep(poll_seconds)

    async def follow(self) -> None:
        """Read anew whom the blocks since the last look concern. Raises Unavailable, ChainError."""
        block = await self._client.block()
        seen = self._seen
        if seen is not None and seen[1] == block.hash:
            return
        concerned = set(self._payers)
        if seen is not None and 0 < block.number - seen[0] <= _MOST_BLOCKS:
            events = await self._payments.events(
                list(self._payments.abi.events),
                from_block=seen[0] + 1,
                to_block=block.number,
            )
            # Unless blocks were taken back.
            if (await self._client.block(seen[0])).hash == seen[1]:
                concerned = self._payments.payers_in(events) & self._payers.keys()
        limit = asyncio.Semaphore(_AT_ONCE)

        async def read(payer: Address) -> None:
            async with limit:
                await self.refresh(payer)

        await asyncio.gather(*(read(payer) for payer in concerned))
        self._seen = (block.number, block.hash)
