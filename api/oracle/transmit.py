"""Putting an agreed report on chain, once, and following it to finality.

The reporter's key has one writer: this loop, in the one process that holds the database's lease.
For each report with a quorum, oldest epoch first:

1. If the chain has the report, `confirmations` blocks deep, it is settled; by whom it was sent does
   not matter. What is looked at is the state at that depth, so a block that was taken back in the
   meantime cannot mislead.
2. If the chain can no longer take it (another set of reporters, or none of its clusters waits for
   the epoch any more), equally deep, it is settled as superseded.
3. If a transaction for it was signed with the account's next nonce, that very transaction is handed
   in again until it is mined: that is harmless however often it happens, and a crash at any point
   comes back to here. If it is not mined in `REPLACE_SECONDS`, one with the same nonce and more to
   pay for gas takes its place.
4. Otherwise (none was signed yet; its nonce was used by another transaction; it reverted; or there
   is a gap before it) one is signed with the account's next nonce, stored, and then handed in.

Transactions go out one at a time, so nonces have no gaps of this loop's making.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final

import structlog

from api.chain.transactions import SignedTransaction, Transaction, sign_transaction
from api.chain.views import Fees
from api.clock import Clock
from api.domain.codec import to_hex
from api.domain.signing import Signer
from api.errors import ChainError, ContractReverted, NodeRefused, Unavailable
from api.oracle.chain_watch import ChainWatch
from api.oracle.metrics import Metrics
from api.store.agreements import AgreedReport, AgreementStore
from api.store.transactions import (
    Outcome,
    StoredTransaction,
    TransactionState,
    TransactionStore,
)
from api.types import ClusterId, Digest

_log = structlog.get_logger(__name__)

REPLACE_SECONDS: Final = 60.0
"""How long a transaction may wait in the pool before one that pays more takes its place."""

RESEND_SECONDS: Final = 2.0
"""Between two times that a waiting transaction is handed in."""

# Nodes ask for at least a tenth more to replace a transaction.
_REPLACEMENT_NUMERATOR: Final = 5
_REPLACEMENT_DENOMINATOR: Final = 4

# Room for what the estimate cannot see: another report in the same block makes slots dearer.
_GAS_NUMERATOR: Final = 5
_GAS_DENOMINATOR: Final = 4

# After a refusal by the node or the contract.
_PAUSE_SECONDS: Final = 2.0


@dataclass(frozen=True, slots=True)
class _Waiting:
    """The transaction in the pool: since when, and when to hand it in again (the loop's time)."""

    hash: Digest
    since: float
    again_at: float


class Transmitter:
    """The only sender of transactions. `run` is its loop."""

    def __init__(
        self,
        *,
        signer: Signer,
        watch: ChainWatch,
        clock: Clock,
        agreements: AgreementStore,
        store: TransactionStore,
        metrics: Metrics,
        confirmations: int,
        max_fee_per_gas: int,
    ) -> None:
        """`max_fee_per_gas` in wei: more is never offered, a report waits instead."""
        self._signer = signer
        self._watch = watch
        self._client = watch.client
        self._oracle = watch.oracle
        self._clock = clock
        self._agreements = agreements
        self._store = store
        self._metrics = metrics
        self._confirmations = confirmations
        self._max_fee_per_gas = max_fee_per_gas
        self._wake = asyncio.Event()
        self._waiting: _Waiting | None = None

    def wake(self) -> None:
        """Something happened: a block, or a report that was agreed on."""
        self._wake.set()

    async def take(self, report: AgreedReport) -> None:
        """A report was agreed on and kept. If it was settled before, the chain lost it."""
        await self._store.reopen(report.reporter_set_id, report.root)
        self.wake()

    async def run(self, poll_seconds: float) -> None:
        """Work without end."""
        while True:
            self._wake.clear()
            pause = 0.0
            try:
                await self.work()
            except Unavailable as error:
                _log.warning("transmission waits", reason=error.message)
            except ChainError as error:
                _log.error("transmission refused", reason=error.message)
                pause = _PAUSE_SECONDS
            await asyncio.sleep(pause)
            try:
                await asyncio.wait_for(self._wake.wait(), timeout=max(poll_seconds, 1.0))
            except TimeoutError:
                continue

    async def work(self) -> None:
        """One look at every report that is not settled."""
        for report in await self._agreements.unsettled():
            if await self._is_settled(report):
                continue
            await self._advance(report)
            # One at a time: the next one waits until this one is mined.
            return

    async def _is_settled(self, report: AgreedReport) -> bool:
        newest = (await self._watch.refresh()).block.number
        deep = max(newest - self._confirmations, 0)
        record = await self._oracle.report(report.root, block=deep)
        if record.posted_at:
            outcome = Outcome.ON_CHAIN
        elif await self._is_superseded(report, deep):
            outcome = Outcome.SUPERSEDED
        else:
            return False
        await self._store.settle(report.reporter_set_id, report.root, outcome, self._clock.now_ms())
        for transaction in await self._store.of_report(report.reporter_set_id, report.root):
            await self._note_fate(transaction)
        _log.info(
            "report settled", epoch=report.epoch, root=to_hex(report.root), outcome=str(outcome)
        )
        return True

    async def _is_due(self, report: AgreedReport) -> bool:
        """Whether the chain waits for the report now: it takes any other without effect."""
        epochs = (await self._watch.refresh()).next_epochs
        return any(
            epochs.get(ClusterId(figures >> 160)) == report.epoch for figures in report.figures
        )

    async def _is_superseded(self, report: AgreedReport, block: int) -> bool:
        if await self._oracle.reporter_set_id(block=block) != report.reporter_set_id:
            return True
        clusters = [ClusterId(figures >> 160) for figures in report.figures]
        waiting = await asyncio.gather(
            *(self._oracle.next_epoch(cluster_id, block=block) for cluster_id in clusters)
        )
        # Deep in the chain it may not be the report's turn yet; that is no reason to give it up.
        return all(epoch == 0 or epoch > report.epoch for epoch in waiting)

    async def _advance(self, report: AgreedReport) -> None:
        if (await self._oracle.report(report.root)).posted_at:
            # Only the confirmations are missing.
            return
        nonce = await self._client.nonce_of(self._signer.address)
        waiting: StoredTransaction | None = None
        for transaction in await self._store.of_report(report.reporter_set_id, report.root):
            if transaction.nonce < nonce:
                await self._note_fate(transaction)
            elif transaction.nonce == nonce:
                # The last one with this nonce pays most.
                waiting = transaction
        if waiting is None:
            if not await self._is_due(report):
                return
            fees = await self._affordable(report)
            if fees is not None:
                await self._sign_and_send(report, nonce, fees)
        elif self._has_waited_long(waiting.hash):
            await self._replace(report, waiting)
        else:
            await self._hand_in(waiting.hash, waiting.raw)

    async def _note_fate(self, transaction: StoredTransaction) -> None:
        """Record what became of a transaction whose nonce is used up."""
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
        log = _log.info if state is TransactionState.MINED else _log.warning
        log("transaction", hash=to_hex(transaction.hash), state=str(state), block=block_number)

    async def _affordable(self, report: AgreedReport) -> Fees | None:
        """What to offer now, within the limit; None if the base fee alone is above it."""
        fees = await self._client.fees()
        base_fee = self._watch.snapshot.block.base_fee
        if base_fee > self._max_fee_per_gas:
            _log.warning(
                "gas is too dear, the report waits",
                epoch=report.epoch,
                base_fee=base_fee,
                limit=self._max_fee_per_gas,
            )
            return None
        max_fee = min(fees.max_fee, self._max_fee_per_gas)
        return Fees(max_fee, min(fees.max_priority_fee, max_fee))

    async def _replace(self, report: AgreedReport, waiting: StoredTransaction) -> None:
        fees = await self._affordable(report)
        higher = Fees(
            _raised(waiting.max_fee, fees.max_fee if fees else 0),
            _raised(waiting.max_priority_fee, fees.max_priority_fee if fees else 0),
        )
        if fees is None or higher.max_fee > self._max_fee_per_gas:
            await self._hand_in(waiting.hash, waiting.raw)
            return
        await self._sign_and_send(report, waiting.nonce, higher)

    async def _sign_and_send(self, report: AgreedReport, nonce: int, fees: Fees) -> None:
        calldata = self._oracle.encode_post_report(
            report.reporter_set_id, report.epoch, report.root, report.figures, report.signatures
        )
        try:
            gas = await self._client.estimate_gas(
                self._oracle.address, calldata, sender=self._signer.address
            )
        except ContractReverted as reverted:
            # Somebody else's transaction, a block without the time, a change of reporters: the next
            # look at the state says which, and whether to go on.
            _log.warning("report not sent", epoch=report.epoch, why=reverted.message)
            await asyncio.sleep(_PAUSE_SECONDS)
            return
        signed = sign_transaction(
            self._signer,
            Transaction(
                chain_id=self._client.chain_id,
                nonce=nonce,
                to=self._oracle.address,
                data=calldata,
                gas_limit=gas * _GAS_NUMERATOR // _GAS_DENOMINATOR,
                fees=fees,
            ),
        )
        await self._keep(report, signed, fees)
        await self._hand_in(signed.hash, signed.raw)

    async def _keep(self, report: AgreedReport, signed: SignedTransaction, fees: Fees) -> None:
        await self._store.add(
            StoredTransaction(
                report.reporter_set_id,
                report.root,
                signed.nonce,
                signed.hash,
                signed.raw,
                fees.max_fee,
                fees.max_priority_fee,
                self._clock.now_ms(),
            )
        )
        self._metrics.transaction("signed")

    async def _hand_in(self, tx_hash: Digest, raw: bytes) -> None:
        now = asyncio.get_running_loop().time()
        known = self._waiting
        if known is not None and known.hash == tx_hash and now < known.again_at:
            return
        try:
            await self._client.send_raw(raw)
        except NodeRefused as refusal:
            # Its nonce may just have been used, or the account is short of money; what it is shows
            # at the next look.
            _log.warning("transaction refused", hash=to_hex(tx_hash), why=refusal.message)
            return
        since = known.since if known is not None and known.hash == tx_hash else now
        self._waiting = _Waiting(tx_hash, since, now + RESEND_SECONDS)
        self._metrics.transaction("sent")
        _log.info("transaction sent", hash=to_hex(tx_hash))
        await self._watch.refresh()

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
