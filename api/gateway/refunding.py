"""Gives back what was not used of payments that somebody else has brought to the stablecoin.

The settler cannot credit these: all of such a payment becomes the cluster's when it is swept, which
anybody can do. So they are paid from the gateway's own dollars:

1. The smallest debt first, one at a time, if the gateway's account has so much and what it gives
   back within a day stays within a limit: a payer that owns the cluster gets its payment back
   twice, once by each. What waits stays on record.
2. Each is an authorisation that is signed and stored before it is sent. Its nonce is that of payer
   and receipt, which the stablecoin takes once: sent again after a crash, it pays nothing twice.
3. It is paid for good once that is as deep in the chain as it has to be.
"""

from __future__ import annotations

import asyncio
from typing import Final

import structlog

from api.chain.client import ChainClient
from api.chain.contracts import InferencePayments, Stablecoin
from api.clock import Clock
from api.domain.codec import to_hex
from api.domain.eip712 import Eip712Domain
from api.domain.refunds import RefundAuthorization, refund_nonce
from api.domain.signing import Signer
from api.errors import ChainError, ContractReverted, Unavailable
from api.gateway.metrics import Metrics
from api.sending.sender import PAUSE_SECONDS, Call, Sender
from api.store.exact_refunds import Refund, RefundStore
from api.store.transactions import TransactionStore
from api.types import Digest

_log = structlog.get_logger(__name__)

DAY_MS: Final = 86_400_000

# Between two looks at a refund that is on its way, and at what is owed.
_LOOK_SECONDS: Final = 0.2
_IDLE_SECONDS: Final = 2.0


class Refunding:
    """Refunds for one gateway. `run` is its loop."""

    def __init__(
        self,
        *,
        client: ChainClient,
        stablecoin: Stablecoin,
        payments: InferencePayments,
        signer: Signer,
        store: RefundStore,
        transactions: TransactionStore,
        sender: Sender,
        clock: Clock,
        metrics: Metrics,
        confirmations: int,
        day_usd6: int,
    ) -> None:
        """`signer` is the gateway; `day_usd6` is the most that it gives back within a day."""
        self._client = client
        self._stablecoin = stablecoin
        self._payments = payments
        self._signer = signer
        self._store = store
        self._transactions = transactions
        self._sender = sender
        self._clock = clock
        self._metrics = metrics
        self._confirmations = confirmations
        self._day_usd6 = day_usd6
        self._why: str | None = None

    async def run(self) -> None:
        """Work without end."""
        while True:
            try:
                pause = _IDLE_SECONDS if await self.work() else _LOOK_SECONDS
            except Unavailable as error:
                _log.warning("refunding waits", reason=error.message)
                pause = PAUSE_SECONDS
            except ChainError as error:
                _log.error("refunding refused", reason=error.message)
                pause = PAUSE_SECONDS
            await asyncio.sleep(pause)

    async def work(self) -> bool:
        """One step; whether nothing more can be done now."""
        self._metrics.refunds_owed(await self._store.owed_usd6())
        refund = await self._store.open() or await self._form()
        if refund is None:
            return True
        newest = (await self._client.block()).number
        deep = max(newest - self._confirmations, 0)
        paid_in = await self._paid_in(refund, deep)
        if paid_in is not None:
            await self._store.close(refund, paid_in)
            self._metrics.refunded(refund.amount_usd6)
            _log.info(
                "refunded",
                payer=refund.payer,
                amount_usd6=refund.amount_usd6,
                transaction=to_hex(paid_in),
            )
            return False
        if await self._is_used(refund, newest):
            return False
        if not await self._is_payable(refund):
            return True
        await self._sender.advance(Call(refund.purpose, self._payments.address, refund.calldata))
        return False

    # -- paying -----------------------------------------------------------------------------------

    async def _form(self) -> Refund | None:
        debt = await self._store.owed()
        if debt is None:
            return None
        now = self._clock.now_ms()
        given = await self._store.formed_since_usd6(now - DAY_MS)
        if given + debt.amount_usd6 > self._day_usd6:
            self._waits("what is given back within a day", given + debt.amount_usd6, self._day_usd6)
            return None
        if not await self._has(debt.amount_usd6):
            return None
        stablecoin = self._stablecoin
        domain = Eip712Domain(
            await stablecoin.name(),
            await stablecoin.version(),
            self._client.chain_id,
            stablecoin.address,
        )
        refund = RefundAuthorization(
            self._signer.address, debt.payer, debt.amount_usd6, debt.receipt_hash
        )
        message = refund.message(domain, self._payments.address)
        calldata = self._payments.encode_refund(refund, self._signer.sign(message.digest))
        # Another node, or other blocks, may have it earlier.
        from_block = max(debt.from_block - self._confirmations, 0)
        await self._store.form(debt, calldata, from_block, now)
        return await self._store.open()

    async def _is_payable(self, refund: Refund) -> bool:
        """Whether it would be taken now: not without the money, nor while deposits are paused."""
        if not await self._has(refund.amount_usd6):
            return False
        try:
            await self._client.call(
                self._payments.address, refund.calldata, sender=self._signer.address
            )
        except ContractReverted as refusal:
            _log.warning("refund waits", payer=refund.payer, why=refusal.message)
            return False
        return True

    async def _has(self, amount_usd6: int) -> bool:
        balance = await self._stablecoin.balance_of(self._signer.address)
        if balance < amount_usd6:
            self._waits("what its gateway has", amount_usd6, balance)
        else:
            self._why = None
        return balance >= amount_usd6

    def _waits(self, what: str, needed_usd6: int, limit_usd6: int) -> None:
        """Say so once, not at every look."""
        if self._why != what:
            _log.warning("refund waits", exceeds=what, needed=needed_usd6, limit=limit_usd6)
        self._why = what

    # -- following --------------------------------------------------------------------------------

    async def _is_used(self, refund: Refund, block: int) -> bool:
        nonce = refund_nonce(refund.payer, refund.receipt_hash)
        return await self._stablecoin.is_used(self._signer.address, nonce, block=block)

    async def _paid_in(self, refund: Refund, deep: int) -> Digest | None:
        """The transaction that has paid it, whoever has sent it; None until it is deep."""
        if not await self._is_used(refund, deep):
            return None
        for transaction in await self._transactions.of(refund.purpose):
            mined = await self._client.receipt(transaction.hash)
            if mined is not None and mined.succeeded:
                return Digest(mined.tx_hash)
        nonce = refund_nonce(refund.payer, refund.receipt_hash)
        used = await self._stablecoin.used_in(
            self._signer.address, nonce, from_block=refund.from_block, to_block=deep
        )
        return None if used is None else Digest(used.tx_hash)
