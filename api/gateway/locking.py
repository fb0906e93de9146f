"""Has parts of payers' balances locked for their channels, where the operator wants that.

1. A customer's consent is looked at, and kept if the contract would take it; of one channel the
   largest. The request for which it came waits.
2. One at a time each is sent, by the account's one sender, until the channel has it.
3. Once it is as deep in the chain as it has to be, whoever waits for it is served.

Nothing of it is stored: a consent is no debt, and its customer brings it again. What was sent by a
process that died is mined all the same.
"""

from __future__ import annotations

import asyncio
from typing import Final

import structlog

from api.chain.client import ChainClient
from api.chain.contracts import InferencePayments
from api.domain.hashing import keccak256
from api.domain.vouchers import Lock
from api.errors import ChainError, ContractReverted, PaymentRefused, Unavailable
from api.gateway.accounts import Accounts
from api.gateway.ledger import Channel
from api.sending.sender import PAUSE_SECONDS, Call, Sender
from api.store.transactions import TransactionStore
from api.types import Address

_log = structlog.get_logger(__name__)

LOCK_SECONDS: Final = 60.0
"""How long a request waits for its lock; after that its customer has to ask again."""

# Between two looks at a lock that is on its way.
_LOOK_SECONDS: Final = 0.3


class Locking:
    """Of one gateway. `run` is its loop."""

    def __init__(
        self,
        *,
        client: ChainClient,
        payments: InferencePayments,
        accounts: Accounts,
        transactions: TransactionStore,
        sender: Sender,
        gateway: Address,
    ) -> None:
        self._client = client
        self._payments = payments
        self._accounts = accounts
        self._transactions = transactions
        self._sender = sender
        self._gateway = gateway
        self._wanted: dict[tuple[Address, Address], tuple[Channel, Lock]] = {}
        self._woken = asyncio.Event()
        self._changed = asyncio.Event()

    async def secure(self, channel: Channel, lock: Lock, seconds: float = LOCK_SECONDS) -> None:
        """Have it locked, and wait until it is deep in the chain, or no longer than `seconds`.

        Raises:
            PaymentRefused: The contract does not take it.
            Unavailable, ChainError: The chain cannot be asked.
        """
        if channel.is_secured(lock.cover_usd6, lock.until):
            return
        place = lock.payer, lock.key
        if self._wanted_usd6(place) < lock.cover_usd6:
            if not channel.is_locked(lock.cover_usd6, lock.until):
                await self._require_lockable(lock)
            # Another may have come meanwhile.
            if self._wanted_usd6(place) < lock.cover_usd6:
                self._wanted[place] = channel, lock
                self._woken.set()
        try:
            async with asyncio.timeout(seconds):
                while place in self._wanted:
                    await self._changed.wait()
        except TimeoutError:
            _log.warning("lock takes long", payer=lock.payer, key=lock.key)

    def _wanted_usd6(self, place: tuple[Address, Address]) -> int:
        """Up to how much a channel is being covered."""
        known = self._wanted.get(place)
        return 0 if known is None else known[1].cover_usd6

    async def _require_lockable(self, lock: Lock) -> None:
        try:
            await self._client.call(
                self._payments.address, self._payments.encode_lock(lock), sender=self._gateway
            )
        except ContractReverted as refusal:
            raise PaymentRefused(
                "lock_refused", f"the lock cannot be made: {refusal.message}"
            ) from None

    async def run(self) -> None:
        """Work without end."""
        while True:
            if not self._wanted:
                self._woken.clear()
                await self._woken.wait()
            try:
                await self.work()
            except Unavailable as error:
                _log.warning("locking waits", reason=error.message)
                await asyncio.sleep(PAUSE_SECONDS)
            except ChainError as error:
                _log.error("locking refused", reason=error.message)
                await asyncio.sleep(PAUSE_SECONDS)
            else:
                await asyncio.sleep(_LOOK_SECONDS)

    async def work(self) -> None:
        """One step of each that is wanted."""
        await self._sender.note_fates()
        for channel, lock in list(self._wanted.values()):
            await self._accounts.refresh(lock.payer)
            if channel.is_secured(lock.cover_usd6, lock.until):
                self._end(lock)
            elif not channel.is_locked(lock.cover_usd6, lock.until):
                await self._send(lock)

    async def _send(self, lock: Lock) -> None:
        data = self._payments.encode_lock(lock)
        purpose = f"lock/{keccak256(data).hex()}"
        for transaction in await self._transactions.of(purpose):
            mined = await self._client.receipt(transaction.hash)
            if mined is not None and mined.succeeded:
                newest = (await self._client.block()).number
                if newest - mined.block_number > self._accounts.confirmations:
                    # It was, and was collected or is over since.
                    self._end(lock)
                # Else the channel was read of a node that does not have it yet.
                return
        try:
            await self._require_lockable(lock)
        except PaymentRefused as refusal:
            # It could be locked when it was brought.
            _log.warning("lock refused", payer=lock.payer, why=refusal.message)
            self._end(lock)
            return
        await self._sender.advance(Call(purpose, self._payments.address, data))

    def _end(self, lock: Lock) -> None:
        """Whoever waits for it looks at what there is."""
        place = lock.payer, lock.key
        if self._wanted[place][1] == lock:
            del self._wanted[place]
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()
