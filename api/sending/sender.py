"""The account's transactions: stored before they are sent, one at a time, until they are mined.

The account that pays has one writer: one loop of the one process that holds the database's
lease. It says again and again what it wants to be mined, and each time the sender takes
a step:

1. If a transaction was signed with the account's next nonce, that very transaction is handed in
   again until it is mined: that is harmless however often it happens, and a crash at any point
   comes back to here. What it was signed for does not matter, the nonce is taken.
2. If it is not mined in `REPLACE_SECONDS`, one with the same nonce, for what is wanted now and with
   more to pay for gas, takes its place.
3. Otherwise (none was signed yet; its nonce was used by another transaction; it reverted; or there
   is a gap before it) one is signed with the account's next nonce, stored, and then handed in.

Transactions go out one at a time, so nonces have no gaps of this process's making. Another account
that paid before keeps what was signed with it: its nonces are its own.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final, Protocol

import structlog

from api.chain.client import ChainClient
from api.chain.transactions import Transaction
from api.chain.views import Fees
from api.clock import Clock
from api.domain.codec import to_hex
from api.errors import ContractReverted, NodeRefused
from api.sending.signers import SigningAccount
from api.store.transactions import StoredTransaction, TransactionState, TransactionStore
from api.types import Address, Digest

_log = structlog.get_logger(__name__)

REPLACE_SECONDS: Final = 60.0
"""How long a transaction may wait in the pool before one that pays more takes its place."""

RESEND_SECONDS: Final = 2.0
"""Between two times that a waiting transaction is handed in."""

PAUSE_SECONDS: Final = 2.0
"""After a refusal by the node or the contract."""

# Nodes ask for at least a tenth more to replace a transaction.
_REPLACEMENT_NUMERATOR: Final = 5
_REPLACEMENT_DENOMINATOR: Final = 4

# Room for what the estimate cannot see: another report in the same block makes slots dearer.
_GAS_NUMERATOR: Final = 5
_GAS_DENOMINATOR: Final = 4


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a contract. `purpose` is the same for every try at the same thing; what stands
    before its first `/` is the kind under which its cost is counted.
    """

    purpose: str
    to: Address
    data: bytes


class SendingMetrics(Protocol):
    """Who counts what is sent."""

    def transaction(self, event: str) -> None:
        """One was signed, sent or replaced, or its fate became known."""

    def paid(self, purpose: str, gas: int, price: int) -> None:
        """One of this kind was mined. `price` in wei per gas."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    """The transaction with the next nonce: since when, when to hand it in (the loop's time)."""

    hash: Digest
    since: float
    again_at: float


class Sender:
    """The only sender of an account's transactions."""

    def __init__(
        self,
        *,
        account: SigningAccount,
        client: ChainClient,
        clock: Clock,
        store: TransactionStore,
        metrics: SendingMetrics,
        max_fee_per_gas: int,
    ) -> None:
        """`account` pays. `max_fee_per_gas` in wei: more is never offered, a transaction waits
        instead.
        """
        self._account = account
        self._client = client
        self._clock = clock
        self._store = store
        self._metrics = metrics
        self._max_fee_per_gas = max_fee_per_gas
        self._waiting: _Waiting | None = None
        self._stepping = asyncio.Lock()

    async def advance(self, call: Call) -> None:
        """One step towards having the call mined; one after the other, whoever asks."""
        async with self._stepping:
            await self._step(call)

    async def _step(self, call: Call) -> None:
        nonce = await self._client.nonce_of(self._account.address)
        waiting = await self._store.newest_with(self._account.address, nonce)
        if waiting is None:
            fees = await self._affordable(call)
            if fees is not None:
                await self._sign_and_send(call, nonce, fees)
        elif self._has_waited_long(waiting.hash):
            await self._replace(call, waiting)
        else:
            await self._hand_in(waiting)

    async def note_fates(self) -> None:
        """Record what became of transactions whose nonce is used up."""
        nonces: dict[Address, int] = {}
        for transaction in await self._store.pending():
            # Another account may have paid before.
            sender = transaction.sender
            if sender not in nonces:
                nonces[sender] = await self._client.nonce_of(sender)
            if transaction.nonce < nonces[sender]:
                await self._note_fate(transaction)

    async def note_fates_of(self, purpose: str) -> None:
        """The same for what was noted before: its block may have been taken back since."""
        for transaction in await self._store.of(purpose):
            await self._note_fate(transaction)

    async def _note_fate(self, transaction: StoredTransaction) -> None:
        receipt = await self._client.receipt(transaction.hash)
        if receipt is None:
            state, block_number, block_hash = TransactionState.DISPLACED, None, None
        else:
            state = TransactionState.MINED if receipt.succeeded else TransactionState.REVERTED
            block_number, block_hash = receipt.block_number, Digest(receipt.block_hash)
        if (state, block_hash) == (transaction.state, transaction.block_hash):
            return
        await self._store.update(
            transaction.hash, state, block_number=block_number, block_hash=block_hash
        )
        self._metrics.transaction(str(state))
        # Once a transaction, however often its block is taken back.
        if receipt is not None and transaction.state is TransactionState.PENDING:
            self._metrics.paid(
                transaction.purpose.partition("/")[0], receipt.gas_used, receipt.gas_price
            )
        log = _log.info if state is TransactionState.MINED else _log.warning
        log(
            "transaction",
            purpose=transaction.purpose,
            hash=to_hex(transaction.hash),
            state=str(state),
            block=block_number,
        )

    async def _affordable(self, call: Call) -> Fees | None:
        """What to offer now, within the limit; None if the base fee alone is above it."""
        fees = await self._client.fees()
        base_fee = (await self._client.block()).base_fee
        if base_fee > self._max_fee_per_gas:
            _log.warning(
                "gas is too dear, the transaction waits",
                purpose=call.purpose,
                base_fee=base_fee,
                limit=self._max_fee_per_gas,
            )
            return None
        max_fee = min(fees.max_fee, self._max_fee_per_gas)
        return Fees(max_fee, min(fees.max_priority_fee, max_fee))

    async def _replace(self, call: Call, waiting: StoredTransaction) -> None:
        fees = await self._affordable(call)
        higher = Fees(
            _raised(waiting.max_fee, fees.max_fee if fees else 0),
            _raised(waiting.max_priority_fee, fees.max_priority_fee if fees else 0),
        )
        if fees is None or higher.max_fee > self._max_fee_per_gas:
            await self._hand_in(waiting)
            return
        self._metrics.transaction("replaced")
        await self._sign_and_send(call, waiting.nonce, higher)

    async def _sign_and_send(self, call: Call, nonce: int, fees: Fees) -> None:
        try:
            gas = await self._client.estimate_gas(call.to, call.data, sender=self._account.address)
        except ContractReverted as reverted:
            # Somebody else's transaction, a block without the time, a change of reporters: the next
            # look at the state says which, and whether to go on.
            _log.warning("transaction not signed", purpose=call.purpose, why=reverted.message)
            await asyncio.sleep(PAUSE_SECONDS)
            return
        signed = await self._account.sign_transaction(
            Transaction(
                chain_id=self._client.chain_id,
                nonce=nonce,
                to=call.to,
                data=call.data,
                gas_limit=gas * _GAS_NUMERATOR // _GAS_DENOMINATOR,
                fees=fees,
            ),
        )
        stored = StoredTransaction(
            call.purpose,
            self._account.address,
            signed.nonce,
            signed.hash,
            signed.raw,
            fees.max_fee,
            fees.max_priority_fee,
            self._clock.now_ms(),
        )
        await self._store.add(stored)
        self._metrics.transaction("signed")
        await self._hand_in(stored)

    async def _hand_in(self, transaction: StoredTransaction) -> None:
        now = asyncio.get_running_loop().time()
        known = self._waiting
        if known is None or known.hash != transaction.hash:
            known = _Waiting(transaction.hash, now, now)
        if now < known.again_at:
            return
        self._waiting = _Waiting(known.hash, known.since, now + RESEND_SECONDS)
        if transaction.state is not TransactionState.PENDING:
            # It was mined, and its block was taken back.
            await self._store.update(transaction.hash, TransactionState.PENDING)
        try:
            await self._client.send_raw(transaction.raw)
        except NodeRefused as refusal:
            # Its nonce may just have been used, or the account is short of money; what it is shows
            # at the next look.
            _log.warning("transaction refused", hash=to_hex(transaction.hash), why=refusal.message)
            return
        self._metrics.transaction("sent")
        _log.info("transaction sent", purpose=transaction.purpose, hash=to_hex(transaction.hash))

    def _has_waited_long(self, tx_hash: Digest) -> bool:
        # Real time, whatever clock the reports go by: it is the pool that is waited for.
        waiting, now = self._waiting, asyncio.get_running_loop().time()
        return (
            waiting is not None
            and waiting.hash == tx_hash
            and now - waiting.since > REPLACE_SECONDS
        )


def _raised(before: int, now: int) -> int:
    """What a node takes instead of `before`, and not less than what is due now."""
    return max(-(-before * _REPLACEMENT_NUMERATOR // _REPLACEMENT_DENOMINATOR), now)
