"""Payers and their channels: read from the store and the chain when they are first needed, kept in
step with every block afterwards.

A payer is read under a lock of its own, and its events are looked at after it is registered: what
was read last is never older than what was read before. Channels are read before the balance that
pays them: a collection in between makes the payer look poorer, never richer. Whoever has no session
and no money is not remembered.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from contextlib import suppress
from typing import Final
from weakref import WeakValueDictionary

import structlog

from api.chain.client import ChainClient
from api.chain.contracts import InferencePayments
from api.errors import Busy, ChainError, ChainUnavailable, Unavailable
from api.gateway.ledger import Channel, LockState, Payer
from api.store.journal import JournalStore
from api.types import Address

_log = structlog.get_logger(__name__)

MAX_BLIND_SECONDS: Final = 120.0
"""With the chain out of sight for longer, nobody is served: what they have may be gone."""

# Events of more blocks than that are not looked through: everybody is read anew.
_MOST_BLOCKS: Final = 1_000

# Read at the same time, so that neither a new block nor strangers flood the node.
_AT_ONCE: Final = 16
_STRANGERS_AT_ONCE: Final = 8
_MOST_STRANGERS: Final = 256


class Accounts:
    """The payers known to this process. `run` keeps them as the chain has them."""

    def __init__(
        self,
        *,
        client: ChainClient,
        payments: InferencePayments,
        store: JournalStore,
        gateway: Address,
        confirmations: int,
        credit_usd6: int,
        lock_above_usd6: int,
    ) -> None:
        """`credit_usd6` and `lock_above_usd6` are each payer's; see `ledger.Payer`. A lock counts
        with `confirmations` blocks upon its own.
        """
        self._client = client
        self._payments = payments
        self._store = store
        self._gateway = gateway
        self.confirmations = confirmations
        self._credit_usd6 = credit_usd6
        self._lock_above_usd6 = lock_above_usd6
        self._payers: dict[Address, Payer] = {}
        self._channels: dict[tuple[Address, Address], Channel] = {}
        self._locks: WeakValueDictionary[Address, asyncio.Lock] = WeakValueDictionary()
        self._at_once = asyncio.Semaphore(_AT_ONCE)
        # Whoever is not known yet must not keep those who are from being served.
        self._strangers = asyncio.Semaphore(_STRANGERS_AT_ONCE)
        self._strangers_waiting = 0
        self._seen: tuple[int, bytes] | None = None
        self._looked_at: float | None = None

    async def channel(self, payer: Address, key: Address) -> Channel:
        """The channel of this key. Raises Unavailable or ChainError."""
        self.require_sight()
        known = self._channels.get((payer, key))
        if known is not None:
            return known
        async with self._lock_of(payer):
            known = self._channels.get((payer, key))
            return known if known is not None else await self._open(payer, key)

    async def look(self, payer: Address, key: Address) -> Channel:
        """The same for whoever asks: nobody is remembered for a question."""
        known = self._channels.get((payer, key))
        if known is not None:
            return known
        channel = Channel(self._new_payer(payer), key)
        await self._fill(channel)
        return channel

    def require_sight(self) -> None:
        """Raises ChainUnavailable if the chain was not seen for too long."""
        now = asyncio.get_running_loop().time()
        if self._looked_at is None or now - self._looked_at > MAX_BLIND_SECONDS:
            raise ChainUnavailable(self._client.node.url, "balances may be out of date")

    async def _open(self, payer: Address, key: Address) -> Channel:
        owner = self._payers.get(payer)
        is_new = owner is None
        if owner is None:
            # Registered before it is read, so that no event is passed over.
            owner = self._payers[payer] = self._new_payer(payer)
        channel = Channel(owner, key)
        is_kept = False
        try:
            await self._fill(channel)
            is_kept = channel.limit_usd6 > 0 and (
                not channel.is_account or owner.balance_usd6 + channel.locked_usd6 > 0
            )
            if is_kept and channel.spent_usd6 < channel.collected_usd6:
                # The store is younger than the channel: what was collected was spent.
                await self._store.seen(payer, key, channel.collected_usd6)
                channel.spent_usd6 = channel.collected_usd6
        finally:
            if is_kept:
                channel.forget_used()
                owner.channels.append(channel)
                self._channels[payer, key] = channel
            elif is_new and not owner.channels:
                self._payers.pop(payer, None)
        return channel

    def _new_payer(self, payer: Address) -> Payer:
        return Payer(payer, credit_usd6=self._credit_usd6, lock_above_usd6=self._lock_above_usd6)

    async def _read(self, channel: Channel) -> None:
        """What the chain has of a channel."""
        place = channel.payer.address, channel.key, self._gateway
        state, deep = await self._payments.channel(*place), None
        if state.locked_usd6 and self.confirmations:
            newest = (await self._client.block()).number
            deep = await self._payments.channel(*place, block=max(newest - self.confirmations, 0))
        channel.take(state, deep)

    async def _fill(self, channel: Channel) -> None:
        """What store and chain have of a channel and its payer."""
        payer, key = channel.payer.address, channel.key
        if self._strangers_waiting >= _MOST_STRANGERS:
            raise Busy("too many new customers at once; try again")
        self._strangers_waiting += 1
        try:
            async with self._strangers:
                await self._read(channel)
                channel.payer.take(await self._payments.account(payer))
        finally:
            self._strangers_waiting -= 1
        stored = await self._store.channel(payer, key)
        if stored is not None:
            channel.promised_usd6, channel.signature = stored.promised_usd6, stored.signature
            channel.spent_usd6 = stored.spent_usd6

    async def reload(self) -> None:
        """Take from the store what was spent and promised. Raises StoreUnavailable.

        A voucher that is not there yet is good all the same: its signature was checked.
        """
        places = list(self._channels)
        stored = await self._store.channels(places)
        # Those that came meanwhile were read after it.
        for place in places:
            channel, known = self._channels[place], stored.get(place)
            if known is None:
                channel.spent_usd6 = channel.collected_usd6
                continue
            channel.spent_usd6 = known.spent_usd6
            if known.promised_usd6 > channel.promised_usd6:
                channel.promised_usd6, channel.signature = known.promised_usd6, known.signature

    async def refresh(self, payer: Address) -> None:
        """Read a payer and its channels anew. Raises Unavailable or ChainError."""
        known = self._payers.get(payer)
        if known is None:
            return
        async with self._lock_of(payer):
            channels = list(known.channels)
            async with self._at_once:
                for channel in channels:
                    await self._read(channel)
                known.take(await self._payments.account(payer))

    async def refresh_all(self, payers: Collection[Address]) -> None:
        """Read payers anew, some at a time. Raises Unavailable or ChainError."""
        await asyncio.gather(*(self.refresh(payer) for payer in payers))

    async def run(self, poll_seconds: float) -> None:
        """Follow the chain without end."""
        while True:
            with suppress(Unavailable):
                try:
                    await self.follow()
                except ChainError as error:
                    _log.error("accounts cannot be read", reason=error.message)
                    # Whatever it was: from the newest block on, and everybody anew.
                    self._seen = None
            await asyncio.sleep(poll_seconds)

    async def follow(self) -> None:
        """Read anew whom the blocks since the last look concern. Raises Unavailable, ChainError."""
        block = await self._client.block()
        seen = self._seen
        if seen is None or seen[1] != block.hash:
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
            await self.refresh_all(concerned)
            self._seen = (block.number, block.hash)
        self._looked_at = asyncio.get_running_loop().time()

    def publish(self, payer: Address, key: Address) -> None:
        """What a channel has promised until now can be read by anybody."""
        channel = self._channels.get((payer, key))
        if channel is not None:
            channel.forget_used()

    def locks(self, now: int) -> tuple[int, Mapping[LockState, int]]:
        """How many of the known channels have something locked, and what all of it stands for, in
        10⁻⁶ dollars.
        """
        locked = [one for one in self._channels.values() if one.locked_usd6]
        states = [one.locked_by_state(now) for one in locked]
        return len(locked), {kind: sum(one[kind] for one in states) for kind in LockState}

    def owed_usd6(self, now: int, but: Collection[tuple[Address, Address]]) -> int:
        """The most that any payer owes beyond what is locked, in 10⁻⁶ dollars, but for these
        channels.
        """
        return max(
            (
                sum(
                    channel.owed_usd6(now)
                    for channel in payer.channels
                    if (payer.address, channel.key) not in but
                )
                for payer in self._payers.values()
            ),
            default=0,
        )

    def _lock_of(self, payer: Address) -> asyncio.Lock:
        lock = self._locks.get(payer)
        if lock is None:
            lock = self._locks[payer] = asyncio.Lock()
        return lock
