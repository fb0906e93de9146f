"""A reporter's parts, put together; its start, its loops and its end."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import structlog

from api.chain.client import ChainClient
from api.chain.contracts import ClusterRegistry, MetricsOracle
from api.chain.deployments import Deployment
from api.chain.node import Node
from api.clock import Clock, SystemClock
from api.domain.eip712 import agent_domain, oracle_domain
from api.errors import (
    BadSignature,
    NotStarted,
    PeerUnavailable,
    RackstreamError,
    StoreUnavailable,
    Unavailable,
)
from api.oracle.agree import Proposer
from api.oracle.chain_watch import ChainWatch, NewestBlockClock
from api.oracle.collecting import Collecting
from api.oracle.finalise import Finalising
from api.oracle.follow import Follower
from api.oracle.gauges import Gauges
from api.oracle.health import MAX_CLOCK_LAG_SECONDS, Health
from api.oracle.ingest import Ingest
from api.oracle.manifests import Manifests
from api.oracle.measuring import Measuring
from api.oracle.metrics import Metrics
from api.oracle.peers import among, connect
from api.oracle.promises import Promises
from api.oracle.quality import Quality
from api.oracle.reading import Reading
from api.oracle.series import Series
from api.oracle.transmit import Transmitter
from api.oracle.vigil import Vigil
from api.oracle.witness import REASONS, Witness
from api.sending.sender import Sender
from api.sending.signers import SigningAccount
from api.serving.lease import Lease
from api.serving.working import work
from api.store.agreements import AgreementStore
from api.store.batches import BatchStore
from api.store.claims import ClaimStore
from api.store.database import Database, DatabaseIdentity
from api.store.gpu_sets import GpuSetStore
from api.store.reports import ReportStore
from api.store.transactions import TransactionStore
from api.types import Address, Digest

_log = structlog.get_logger(__name__)

# Between two looks at all nodes.
_NODES_SECONDS: Final = 15.0

# Between two looks whether the signers are there.
_SIGNERS_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True)
class ReporterConfig:
    """What a reporter needs to know. `signer` is in the set of reporters and signs reports,
    `transmitter` sends transactions and pays for them; they may be the same. `uses_chain_clock`:
    time is the newest block's.
    """

    signer: SigningAccount
    transmitter: SigningAccount
    rpc_urls: tuple[str, ...]
    chain_id: int
    deployment: Deployment
    database_url: str
    peers: Mapping[Address, str]
    uses_chain_clock: bool
    poll_seconds: float
    peer_timeout_seconds: float
    confirmations: int
    max_fee_per_gas: int


class Reporter:
    """One reporter. `run` starts it, waiting for what is not there yet, and keeps it going."""

    def __init__(self, config: ReporterConfig) -> None:
        self._config = config
        signer, chain_id, deployment = config.signer, config.chain_id, config.deployment
        oracle_at = deployment.address_of("MetricsOracle")
        self.address = signer.address
        self.transmitter = config.transmitter.address
        self.metrics = Metrics()
        self._client = ChainClient(*config.rpc_urls, chain_id=chain_id, on_switch=self._switched)
        self._watch = watch = ChainWatch(
            self._client,
            MetricsOracle(self._client, oracle_at),
            ClusterRegistry(self._client, deployment.address_of("ClusterRegistry")),
        )
        self._clock: Clock = NewestBlockClock(watch) if config.uses_chain_clock else SystemClock()
        clock = self._clock
        self._database = database = Database(config.database_url)
        self._http, self._peers = connect(config.peers, signer.address, config.peer_timeout_seconds)
        batches, agreements = BatchStore(database), AgreementStore(database)
        reports = ReportStore(database)
        report_domain = oracle_domain(chain_id, oracle_at)

        self.manifests = Manifests(watch, GpuSetStore(database), clock)
        self.ingest = Ingest(
            watch=watch,
            clock=clock,
            manifests=self.manifests,
            store=batches,
            domain=agent_domain(chain_id, oracle_at),
        )
        self.measuring = Measuring(watch, self.manifests, self.ingest)
        self.collecting = Collecting(
            clock=clock, manifests=self.manifests, store=batches, ingest=self.ingest
        )
        self.promises = Promises(
            signer=signer,
            domain=report_domain,
            clock=clock,
            store=agreements,
            ingest=self.ingest,
        )
        self.vigil = Vigil(
            watch=watch,
            clock=clock,
            store=ClaimStore(database),
            peers=lambda: among(self._peers, watch.snapshot.reporters),
            domain=report_domain,
            metrics=self.metrics,
        )
        self.batches = batches
        self.agreements = agreements
        transactions = TransactionStore(database)
        self._transmitter = Transmitter(
            watch=watch,
            clock=clock,
            agreements=agreements,
            store=transactions,
            sender=Sender(
                account=config.transmitter,
                client=self._client,
                clock=clock,
                store=transactions,
                metrics=self.metrics,
                max_fee_per_gas=config.max_fee_per_gas,
            ),
            finalising=Finalising(account=signer.address, watch=watch, clock=clock, store=reports),
            confirmations=config.confirmations,
        )
        self.witness = Witness(
            watch=watch,
            clock=clock,
            manifests=self.manifests,
            collecting=self.collecting,
            measuring=self.measuring,
            promises=self.promises,
            vigil=self.vigil,
            peers=self._peers,
            domain=report_domain,
            metrics=self.metrics,
        )
        self._proposer = Proposer(
            account=signer.address,
            watch=watch,
            clock=clock,
            manifests=self.manifests,
            collecting=self.collecting,
            measuring=self.measuring,
            promises=self.promises,
            vigil=self.vigil,
            store=agreements,
            transmitter=self._transmitter,
            peers=self._peers,
            domain=report_domain,
            metrics=self.metrics,
        )
        self._follower = Follower(
            watch=watch,
            clock=clock,
            store=reports,
            agreements=agreements,
            collecting=self.collecting,
            measuring=self.measuring,
            vigil=self.vigil,
            peers=lambda: among(self._peers, watch.snapshot.reporters),
            metrics=self.metrics,
            confirmations=config.confirmations,
            first_block=deployment.contracts["MetricsOracle"].block,
        )
        self.series = Series(
            watch=watch,
            clock=clock,
            manifests=self.manifests,
            store=batches,
            ingest=self.ingest,
        )
        self.reading = Reading(
            watch=watch,
            clock=clock,
            manifests=self.manifests,
            measuring=self.measuring,
            batches=batches,
            agreements=agreements,
            reports=reports,
            report_domain=report_domain,
        )
        self.quality = Quality(self._client, deployment)
        self._gauges = Gauges(
            account=config.transmitter.address,
            watch=watch,
            clock=clock,
            reports=reports,
            health=self.health,
            metrics=self.metrics,
        )
        self._is_started = False
        # Why the database is not this reporter's yet.
        self._start_failure: RackstreamError | None = NotStarted("not connected yet")
        self._lease = Lease(database)
        self.ingest.on_accepted(self._proposer.wake)
        for wake in (self._proposer.wake, self._transmitter.wake, self._follower.wake):
            watch.on_block(wake)
        self.metrics.max_fee(config.max_fee_per_gas)
        self.metrics.expect_peers(self._peers, REASONS | {PeerUnavailable.code, BadSignature.code})
        watch.on_block(
            lambda: self.metrics.block(watch.snapshot.block.number, watch.snapshot.block.base_fee)
        )

    async def run(self) -> None:
        """Work until cancelled. Raises as `serving.working.work`."""
        poll = self._config.poll_seconds
        try:
            await work(
                start=self._start,
                on_wait=self._start_waits,
                loops={
                    "nodes": self._check_nodes,
                    "signers": self._check_signers,
                    "watch": lambda: self._watch.run(poll),
                    "agree": lambda: self._proposer.run(poll),
                    "transmit": lambda: self._transmitter.run(poll),
                    "follow": self._follower.run,
                    "vigil": self.vigil.run,
                    "gauges": self._gauges.run,
                },
                metrics=self.metrics,
                lease=self._lease,
            )
        finally:
            await self._close()

    def require_started(self) -> None:
        """Raise NotStarted until the start is done."""
        if not self._is_started:
            raise NotStarted("the reporter is starting; try again")

    async def health(self) -> Health:
        """Whether the reporter can work now."""
        database = self._start_failure or self._lease.failure
        if self._is_started:
            try:
                await self._database.ping()
            except StoreUnavailable as error:
                database = error
        failure = self._watch.failure
        signer = self._signer_failure()
        try:
            snapshot = self._watch.snapshot
        except Unavailable as error:
            return Health(
                database.message if database else None,
                error.message,
                None,
                signer,
                False,
                None,
                None,
            )
        now = self._clock.now()
        lag = snapshot.block.time - now
        health = Health(
            database.message if database else None,
            failure.message if failure else None,
            f"{lag} seconds behind the newest block" if lag > MAX_CLOCK_LAG_SECONDS else None,
            signer,
            self.address in snapshot.reporters,
            snapshot.block.number,
            now,
        )
        self.metrics.ready(health.is_ready)
        return health

    def _start_waits(self, error: RackstreamError) -> None:
        if isinstance(error, StoreUnavailable):
            self._start_failure = error

    async def _start(self) -> None:
        config = self._config
        await self._client.connect()
        await self._lease.hold()
        await self._database.migrate()
        oracle = config.deployment.contracts["MetricsOracle"]
        origin = await self._client.block(oracle.block)
        await self._database.bind(
            DatabaseIdentity(self.address, config.chain_id, oracle.address, Digest(origin.hash))
        )
        snapshot = await self._watch.refresh()
        await self.promises.restore_closed(snapshot.reporter_set_id, dict(snapshot.next_epochs))
        self._start_failure = None
        self._is_started = True
        _log.info(
            "started",
            chain=config.chain_id,
            block=snapshot.block.number,
            registered=self.address in snapshot.reporters,
            key=config.signer.place,
            transmitter=self.transmitter,
            transmitter_key=config.transmitter.place,
            peers=len(self._peers),
        )

    async def _check_nodes(self) -> None:
        while True:
            with suppress(RackstreamError):
                # The watch tells when there is none to be asked.
                await self._client.check()
            self.metrics.nodes([node.failure is None for node in self._client.nodes])
            await asyncio.sleep(_NODES_SECONDS)

    async def _check_signers(self) -> None:
        while True:
            for account in set(self._accounts().values()):
                # It tells itself why it cannot be asked.
                with suppress(Unavailable):
                    await account.check()
            self._signer_failure()
            await asyncio.sleep(_SIGNERS_SECONDS)

    def _signer_failure(self) -> str | None:
        """Why something would not be signed now; the metrics tell of what."""
        failures = {signs: account.failure for signs, account in self._accounts().items()}
        self.metrics.signers({signs: failure is None for signs, failure in failures.items()})
        return next(
            (f"{signs}: {failure.message}" for signs, failure in failures.items() if failure), None
        )

    def _accounts(self) -> dict[str, SigningAccount]:
        """By what they sign."""
        return {"reports": self._config.signer, "transactions": self._config.transmitter}

    def _switched(self, before: Node, now: Node) -> None:
        self.metrics.switched()
        why = before.failure
        _log.warning(
            "node switched",
            before=before.host,
            why="it is back" if why is None else why.message,
            now=now.host,
        )

    async def _close(self) -> None:
        await self._http.aclose()
        for account in set(self._accounts().values()):
            await account.close()
        await self._client.close()
        await self._database.close()
