"""Watching for reporters that sign two reports of one thing.

1. Every signature under a report that comes by is kept with the report: the proposers' under what
   they propose, peers' under own proposals, and those that went on chain.
2. When it heard something, and twice a minute, it asks its peers what they heard for the last two
   epochs that are over: a liar who tells one this and another one that is found when they compare.
3. What is told is believed only with the signature of a present reporter. A liar could sign without
   end, so what is kept of one signer is bounded: epochs of the last day, rounds that have begun or
   are next, a few reports a round (two are proof) and a few hundred an epoch.

What contradicts each other is told at `/v1/equivocations`, in the form that the contract takes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import combinations
from typing import Final

import structlog

from api.clock import Clock
from api.domain.eip712 import Eip712Domain
from api.domain.epochs import epoch_at
from api.domain.equivocation import (
    Equivocation,
    SignedReport,
    equivocation,
    parse_signed_report,
)
from api.domain.reports import Report
from api.errors import BadSignature, InvalidInput, Unavailable
from api.oracle.chain_watch import ChainWatch
from api.oracle.metrics import Metrics
from api.oracle.peers import Peer
from api.oracle.rounds import round_at
from api.store.claims import ClaimStore
from api.types import EPOCH_SECONDS, GRACE_SECONDS, Address, Epoch, Signature

_log = structlog.get_logger(__name__)

_ASK_SECONDS: Final = 30.0
_PAUSE_SECONDS: Final = 1.0

MAX_CLAIMS: Final = 4
"""Kept of one signer in one round: two are proof."""

MAX_EPOCH_CLAIMS: Final = 256
"""Kept of one signer in one epoch: an honest one signs one a round, so for the four hours after it
in which no quorum comes about."""

HEARD_EPOCHS: Final = 1 + GRACE_SECONDS // EPOCH_SECONDS
"""Epochs before the running one of which is heard: those that honest reporters still sign in time,
and one."""

_MAX_TOLD: Final = 100


class Vigil:
    """Keeps what it hears, and finds what contradicts itself. `run` is its loop."""

    def __init__(
        self,
        *,
        watch: ChainWatch,
        clock: Clock,
        store: ClaimStore,
        peers: Callable[[], Sequence[Peer]],
        domain: Eip712Domain,
        metrics: Metrics,
    ) -> None:
        """`domain` is `oracle_domain`'s."""
        self._watch = watch
        self._clock = clock
        self._store = store
        self._peers = peers
        self._domain = domain
        self._metrics = metrics
        self._wake = asyncio.Event()

    async def run(self) -> None:
        """Work without end."""
        while True:
            self._wake.clear()
            try:
                await self.ask()
            except Unavailable as error:
                _log.info("vigil waits", reason=error.message)
            # What one hears the others may have heard otherwise; many come at once.
            await asyncio.sleep(_PAUSE_SECONDS)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), _ASK_SECONDS)

    async def hear_report(self, report: Report, signature: Signature) -> None:
        """Somebody signed this report. Raises StoreUnavailable."""
        await self.hear(
            SignedReport(
                report.reporter_set_id,
                report.epoch,
                report.round,
                report.root,
                tuple(report.figures),
                signature,
            )
        )

    async def hear(self, report: SignedReport) -> None:
        """Keep a signed report if a present reporter signed it. Raises StoreUnavailable."""
        signer = self._signer_of(report)
        if signer is None:
            return
        known = await self._store.of_round(
            report.reporter_set_id, report.epoch, report.round, signer
        )
        if len(known) >= MAX_CLAIMS:
            return
        count = await self._store.count(report.reporter_set_id, report.epoch, signer)
        if count >= MAX_EPOCH_CLAIMS:
            return
        is_new = await self._store.add(
            signer, report, report.digest(self._domain), self._clock.now_ms()
        )
        if not is_new:
            return
        self._wake.set()
        if any(equivocation(signer, other, report) for other in known):
            self._metrics.equivocated(signer)
            _log.error(
                "reporter signed two reports of one thing",
                reporter=signer,
                epoch=report.epoch,
                round=report.round,
            )

    def _signer_of(self, report: SignedReport) -> Address | None:
        """The present reporter who signed it; None also for what no honest one would sign."""
        snapshot, now = self._watch.snapshot, self._clock.now()
        age = epoch_at(now) - report.epoch
        if (
            report.reporter_set_id != snapshot.reporter_set_id
            or not 1 <= age <= HEARD_EPOCHS
            or not 0 <= report.round <= round_at(now, report.epoch) + 1
            or len(report.figures) > snapshot.cluster_count
        ):
            return None
        try:
            signer = report.signer(self._domain)
        except BadSignature:
            return None
        return signer if signer in snapshot.reporters else None

    async def claims(self, reporter_set_id: int, epoch: Epoch) -> list[SignedReport]:
        """What was heard for an epoch."""
        return await self._store.of_epoch(reporter_set_id, epoch)

    async def equivocations(self) -> list[Equivocation]:
        """One proof a signer and round, the newest first, at most 100."""
        found = []
        for signer, reports in await self._store.repeated(_MAX_TOLD):
            proofs = (equivocation(signer, *pair) for pair in combinations(reports, 2))
            proof = next((one for one in proofs if one is not None), None)
            if proof is not None:
                found.append(proof)
        return found

    async def ask(self) -> None:
        """Hear what the peers heard."""
        set_id = self._watch.current().reporter_set_id
        running = epoch_at(self._clock.now())
        for epoch in (Epoch(running - 2), Epoch(running - 1)):
            told = await asyncio.gather(*(_told(peer, set_id, epoch) for peer in self._peers()))
            for report in (report for reports in told for report in reports):
                await self.hear(report)


async def _told(peer: Peer, reporter_set_id: int, epoch: Epoch) -> list[SignedReport]:
    try:
        entries = await peer.claims(reporter_set_id, epoch)
        return [parse_signed_report(entry, "claims") for entry in entries]
    except (Unavailable, InvalidInput) as error:
        _log.info("peer tells no claims", peer=peer.address, reason=error.message)
        return []
