"""What this reporter puts on chain: agreed reports, each once, and the end of dispute windows.

For each report with a quorum, oldest epoch first:

1. If the chain has the report, `confirmations` blocks deep, it is settled; by whom it was sent does
   not matter. What is looked at is the state at that depth, so a block that was taken back in the
   meantime cannot mislead.
2. If the chain can no longer take it (another set of reporters, or none of its clusters waits for
   the epoch any more), equally deep, it is settled as superseded.
3. If the chain has it, not so deep, or does not wait for it yet, there is nothing to do now.
4. Otherwise it is sent.

When no report is to be sent, figures whose dispute window is over are made final (`finalise`). How
a transaction gets on chain is in `api/sending`.
"""

from __future__ import annotations

import asyncio

import structlog

from api.chain.views import ReportHeader
from api.clock import Clock
from api.domain.codec import to_hex
from api.errors import ChainError, Unavailable
from api.oracle.chain_watch import ChainWatch
from api.oracle.finalise import Finalising
from api.sending.sender import PAUSE_SECONDS, Call, Sender
from api.store.agreements import AgreedReport, AgreementStore
from api.store.transactions import Outcome, TransactionStore
from api.types import ClusterId

_log = structlog.get_logger(__name__)


class Transmitter:
    """Decides what is sent. `run` is its loop."""

    def __init__(
        self,
        *,
        watch: ChainWatch,
        clock: Clock,
        agreements: AgreementStore,
        store: TransactionStore,
        sender: Sender,
        finalising: Finalising,
        confirmations: int,
    ) -> None:
        self._watch = watch
        self._oracle = watch.oracle
        self._clock = clock
        self._agreements = agreements
        self._store = store
        self._sender = sender
        self._finalising = finalising
        self._confirmations = confirmations
        self._wake = asyncio.Event()

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
                pause = PAUSE_SECONDS
            await asyncio.sleep(pause)
            try:
                await asyncio.wait_for(self._wake.wait(), timeout=max(poll_seconds, 1.0))
            except TimeoutError:
                continue

    async def work(self) -> None:
        """One look at everything, and one step for the first thing that is to be sent."""
        await self._sender.note_fates()
        for report in await self._agreements.unsettled():
            if not await self._is_settled(report) and await self._is_due(report):
                await self._advance(self._call(report))
                return
        final = await self._finalising.due()
        if final is not None:
            await self._advance(final)

    async def _advance(self, call: Call) -> None:
        await self._sender.advance(call)
        # A chain that mines at once has it already.
        await self._watch.refresh()

    def _call(self, report: AgreedReport) -> Call:
        return Call(
            _purpose(report),
            self._oracle.address,
            self._oracle.encode_post_report(
                ReportHeader(report.reporter_set_id, report.epoch, report.round, report.root),
                report.figures,
                report.signatures,
            ),
        )

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
        await self._sender.note_fates_of(_purpose(report))
        _log.info(
            "report settled", epoch=report.epoch, root=to_hex(report.root), outcome=str(outcome)
        )
        return True

    async def _is_due(self, report: AgreedReport) -> bool:
        """Whether the chain waits for the report now: it takes any other without effect."""
        epochs = (await self._watch.refresh()).next_epochs
        if all(epochs.get(ClusterId(word >> 160)) != report.epoch for word in report.figures):
            return False
        # If it is there, a cluster that it could not move then waits for it in vain: it is spent.
        return not (await self._oracle.report(report.root)).posted_at

    async def _is_superseded(self, report: AgreedReport, block: int) -> bool:
        until = await self._oracle.reporter_set_until(report.reporter_set_id, block=block)
        if until <= self._clock.now():
            return True
        clusters = [ClusterId(figures >> 160) for figures in report.figures]
        waiting = await asyncio.gather(
            *(self._oracle.next_epoch(cluster_id, block=block) for cluster_id in clusters)
        )
        # Deep in the chain it may not be the report's turn yet; that is no reason to give it up.
        return all(epoch == 0 or epoch > report.epoch for epoch in waiting)


def _purpose(report: AgreedReport) -> str:
    return f"report/{report.reporter_set_id}/{report.root.hex()}"
