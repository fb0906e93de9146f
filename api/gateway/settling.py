"""Takes payments of x402's scheme `exact` to the chain, in batches.

1. A batch is formed once the last is mined: payments that are due, for one cluster and model; or
   what was used of a batch that was settled ahead, once that is known of all of it. It is stored
   before it is sent.
2. It is sent until it is mined, and again if its block is taken back. Whoever waits for one of its
   payments is told as soon as the settler's events have it.
3. Once it is as deep in the chain as it has to be, what became of each payment is read from these
   events into the books. Only then is said what was used of it.
4. A payment that the settler could not take was brought by somebody else, which is as good; or was
   cancelled, or failed otherwise, which is none. One whose time is over fails by itself.

A process that is killed at any moment comes back to the stored batch. Bringing one twice takes
nothing twice: an authorisation is used once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import structlog

from api.chain.client import ChainClient
from api.chain.contracts import Stablecoin, X402Settler
from api.chain.views import Block, Receipt
from api.clock import Clock
from api.domain.codec import to_hex
from api.domain.eip3009 import Authorization, batch_id, credit_words
from api.domain.merkle import merkle_root
from api.errors import ChainError, PaymentRefused, Unavailable
from api.gateway.holding import Holding
from api.sending.sender import PAUSE_SECONDS, Call, Sender
from api.store.exact_payments import (
    Batch,
    BatchState,
    ExactPaymentStore,
    PaymentState,
    SettlementKind,
    TakenPayment,
)
from api.store.transactions import TransactionStore
from api.types import Address, Digest

_log = structlog.get_logger(__name__)

MAX_PAYMENTS: Final = 50
"""In one batch: about five million gas, and a limit that leaves each its own."""

NOT_MOVED: Final = "transaction_failed"
CANCELLED: Final = "authorization_cancelled"
"""Why a payment failed that its payer has let fail, at the gateway's cost."""

# Between two looks at a batch that is on its way.
_LOOK_SECONDS: Final = 0.2

# Nothing to do: until somebody wakes it.
_IDLE_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True)
class _Fate:
    """What became of a payment."""

    state: PaymentState
    tx_hash: Digest | None = None
    reason: str | None = None


class Settling:
    """Settles for one gateway. `run` is its loop."""

    def __init__(
        self,
        *,
        client: ChainClient,
        stablecoin: Stablecoin,
        settler: X402Settler,
        store: ExactPaymentStore,
        holding: Holding,
        transactions: TransactionStore,
        sender: Sender,
        gateway: Address,
        clock: Clock,
        confirmations: int,
    ) -> None:
        self._client = client
        self._stablecoin = stablecoin
        self._settler = settler
        self._store = store
        self._holding = holding
        self._transactions = transactions
        self._sender = sender
        self._gateway = gateway
        self._clock = clock
        self._confirmations = confirmations
        self._woken = asyncio.Event()
        self._changed = asyncio.Event()
        # Of batches that are mined and not deep: the block of that, and the payments that it has.
        self._mined_in: dict[int, bytes] = {}
        self._included: dict[int, dict[Authorization, _Fate]] = {}

    def wake(self) -> None:
        """There may be something to do."""
        self._woken.set()

    async def outcome(self, one: Authorization, seconds: float) -> TakenPayment:
        """What is known of a payment that was taken when it is in a block or failed, or after
        `seconds`. Raises PaymentRefused if the request that held it was not served: it can be
        brought again.
        """
        self.wake()
        deadline = asyncio.get_running_loop().time() + seconds
        while True:
            changed = self._changed
            known = await self._store.find(one.payer, one.nonce)
            if known is None:
                raise PaymentRefused(
                    "invalid_transaction_state",
                    "the request that it was brought for was not served; it can be brought again",
                )
            fate = self._fate_in_block(known)
            if fate is not None:
                return replace(known, state=fate.state, tx_hash=fate.tx_hash)
            left = deadline - asyncio.get_running_loop().time()
            if known.state.is_final or left <= 0:
                return known
            try:
                async with asyncio.timeout(left):
                    await changed.wait()
            except TimeoutError:
                continue

    def paid(self) -> set[Authorization]:
        """Payments that are in a block, and in the books once that is deep."""
        return {one for fates in self._included.values() for one in fates}

    def _fate_in_block(self, known: TakenPayment) -> _Fate | None:
        if known.state.is_final or known.batch_id is None:
            return None
        return self._included.get(known.batch_id, {}).get(known.authorization)

    async def transaction_of(self, known: TakenPayment) -> Digest | None:
        """The transaction that settled a payment, or the last that is to."""
        if known.tx_hash is not None or known.batch_id is None:
            return known.tx_hash
        sent = await self._transactions.of(f"settle/{known.batch_id}")
        return Digest(sent[-1].hash) if sent else None

    async def run(self) -> None:
        """Work without end."""
        while True:
            pause = _IDLE_SECONDS
            try:
                self._woken.clear()
                if not await self.work():
                    pause = _LOOK_SECONDS
            except Unavailable as error:
                _log.warning("settling waits", reason=error.message)
                pause = PAUSE_SECONDS
            except ChainError as error:
                _log.error("settling refused", reason=error.message)
                pause = PAUSE_SECONDS
            try:
                async with asyncio.timeout(pause):
                    await self._woken.wait()
            except TimeoutError:
                continue
            await asyncio.sleep(_LOOK_SECONDS)

    async def work(self) -> bool:
        """One step; whether there is nothing to do."""
        await self._holding.tidy()
        await self._sender.note_fates()
        if not await self._follow():
            await self._form()
            await self._follow()
        return not await self._store.open_batches()

    async def _follow(self) -> bool:
        """Whether a batch is not mined yet, which is sent then."""
        newest = await self._client.block()
        deep = await self._deep_block(newest)
        for batch in await self._store.open_batches():
            mined = await self._mined(batch)
            if mined is None:
                if not await self._is_over(batch, deep):
                    self._forget(batch)
                    await self._sender.advance(Call(batch.purpose, batch.target, batch.calldata))
                    return True
            elif mined.block_number <= deep.number:
                await self._conclude(batch, mined, deep)
            elif batch.state is BatchState.SETTLING:
                await self._include(batch, mined, newest)
                continue
            else:
                continue
            self._forget(batch)
        return False

    def _forget(self, batch: Batch) -> None:
        self._mined_in.pop(batch.id, None)
        self._included.pop(batch.id, None)

    # -- forming ----------------------------------------------------------------------------------

    async def _form(self) -> None:
        used = await self._store.used_batches()
        if used:
            await self._allocate(used[0])
            return
        payments = await self._store.due(MAX_PAYMENTS)
        if not payments:
            return
        first = payments[0]
        root = None
        if first.kind is SettlementKind.PLAIN:
            payments = payments[:1]
            target = self._stablecoin.address
            calldata = self._stablecoin.encode_transfer_with_authorization(first.payment)
        else:
            target = self._settler.address
            packed = b"".join(one.payment.packed() for one in payments)
            if first.kind is SettlementKind.AHEAD:
                calldata = self._settler.encode_settle_ahead(first.work, packed)
            else:
                root = _root(payments)
                unused = credit_words(map(_unused, payments))
                calldata = self._settler.encode_settle(first.work, packed, unused, root)
        await self._store.form(payments, target, calldata, root, self._clock.now_ms())
        self._tell()

    async def _allocate(self, batch: Batch) -> None:
        """Say what was used of a batch that was settled ahead."""
        payments = await self._store.of_batch(batch.id)
        settled = [one for one in payments if one.state is PaymentState.SETTLED]
        root = _root(settled)
        unused = [_unused(one) if one.state is PaymentState.SETTLED else 0 for one in payments]
        calldata = self._settler.encode_allocate(
            batch.work, batch.entries, credit_words(unused), root
        )
        await self._store.move(batch, BatchState.ALLOCATING, calldata=calldata, root=root)

    # -- following --------------------------------------------------------------------------------

    async def _deep_block(self, newest: Block) -> Block:
        """The newest block that is as deep as it has to be."""
        if self._confirmations == 0:
            return newest
        return await self._client.block(max(newest.number - self._confirmations, 0))

    async def _mined(self, batch: Batch) -> Receipt | None:
        """The transaction that did it: of several, the others found nothing left to do."""
        idle = None
        for transaction in await self._transactions.of(batch.purpose):
            mined = await self._client.receipt(transaction.hash)
            if mined is None or not mined.succeeded:
                continue
            if self._settler.settled_in(mined.logs, self._gateway):
                return mined
            idle = idle or mined
        return idle

    async def _is_over(self, batch: Batch, deep: Block) -> bool:
        """Whether a batch came to its end without a transaction of it; if so, that is noted."""
        if batch.state is BatchState.ALLOCATING:
            waits = batch_id(self._gateway, batch.work, batch.entries)
            if await self._settler.pending_usd6(waits, block=deep.number):
                return False
            _log.warning("a batch was passed on before its use was known", batch=batch.id)
            await self._store.move(batch, BatchState.CLOSED)
            return True
        payments = await self._store.of_batch(batch.id)
        if batch.kind is not SettlementKind.PLAIN and any(
            deep.time < one.authorization.valid_before for one in payments
        ):
            # The settler passes over what somebody else has brought; a call of it is enough.
            return False
        fates = [await self._fate(one, deep) for one in payments]
        if None in fates:
            return False
        await self._note(batch, payments, fates)
        await self._store.move(batch, BatchState.CLOSED)
        self._tell()
        return True

    async def _include(self, batch: Batch, mined: Receipt, newest: Block) -> None:
        """Tell those whose payments are in that block."""
        if self._mined_in.get(batch.id) == mined.block_hash:
            return
        fates = {}
        payments = await self._store.of_batch(batch.id)
        for one, is_in in zip(payments, self._are_in(batch, payments, mined), strict=True):
            fate: _Fate | None = _Fate(PaymentState.SETTLED, Digest(mined.tx_hash))
            if not is_in:
                fate = await self._fate(one, newest)
            if fate is not None and fate.state.is_paid:
                fates[one.authorization] = fate
        self._included[batch.id] = fates
        self._mined_in[batch.id] = mined.block_hash
        self._tell()

    def _are_in(self, batch: Batch, payments: Sequence[TakenPayment], mined: Receipt) -> list[bool]:
        """Which of them that transaction has taken."""
        if batch.kind is SettlementKind.PLAIN:
            return [self._stablecoin.has_moved(mined.logs, one.authorization) for one in payments]
        entries = self._settler.settled_in(mined.logs, self._gateway)
        return [
            tuple(entries[2 * place : 2 * place + 2]) == one.authorization.entry
            for place, one in enumerate(payments)
        ]

    async def _conclude(self, batch: Batch, mined: Receipt, deep: Block) -> None:
        if batch.state is BatchState.ALLOCATING:
            await self._store.move(batch, BatchState.CLOSED)
            return
        payments = await self._store.of_batch(batch.id)
        entries = self._settler.settled_in(mined.logs, self._gateway)
        fates = []
        for one, is_in in zip(payments, self._are_in(batch, payments, mined), strict=True):
            if is_in:
                fates.append(_Fate(PaymentState.SETTLED, Digest(mined.tx_hash)))
            else:
                fates.append(
                    await self._fate(one, deep)
                    or _Fate(PaymentState.FAILED, Digest(mined.tx_hash), NOT_MOVED)
                )
        await self._note(batch, payments, fates)
        is_waiting = batch.kind is SettlementKind.AHEAD and entries
        await self._store.move(
            batch, BatchState.WAITING if is_waiting else BatchState.CLOSED, entries=entries
        )
        self._tell()

    async def _fate(self, one: TakenPayment, deep: Block) -> _Fate | None:
        """What became of a payment that no transaction of ours took; None while it can be taken."""
        known = one.authorization
        if not await self._stablecoin.is_used(known.payer, known.nonce, block=deep.number):
            if deep.time < known.valid_before:
                return None
            reason = "invalid_exact_evm_payload_authorization_valid_before"
            return _Fate(PaymentState.FAILED, None, reason)
        used = await self._stablecoin.used_in(
            known.payer,
            known.nonce,
            # Another node, or other blocks, may have it earlier.
            from_block=max(one.from_block - self._confirmations, 0),
            to_block=deep.number,
        )
        mined = None if used is None else await self._client.receipt(used.tx_hash)
        if mined is not None and self._stablecoin.has_moved(mined.logs, known):
            return _Fate(PaymentState.FRONTED, Digest(mined.tx_hash))
        return _Fate(PaymentState.FAILED, None, CANCELLED)

    async def _note(
        self, batch: Batch, payments: Sequence[TakenPayment], fates: Sequence[_Fate | None]
    ) -> None:
        for one, fate in zip(payments, fates, strict=True):
            assert fate is not None
            log = _log.info if fate.state is PaymentState.SETTLED else _log.warning
            log(
                "payment",
                batch=batch.id,
                payer=one.authorization.payer,
                nonce=to_hex(one.authorization.nonce),
                state=str(fate.state),
                reason=fate.reason,
            )
            await self._store.settle(
                one.authorization, fate.state, tx_hash=fate.tx_hash, reason=fate.reason
            )

    def _tell(self) -> None:
        """Whoever waits for an outcome looks again."""
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()


def _unused(one: TakenPayment) -> int:
    assert one.used_usd6 is not None
    return one.authorization.value - one.used_usd6


def _root(payments: Sequence[TakenPayment]) -> Digest:
    """Of the receipts that say what was used."""
    return merkle_root([one.receipt_hash for one in payments if one.receipt_hash is not None])
