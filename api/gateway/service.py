"""A gateway's parts, put together; its start, its loops and its end."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import structlog

from api.chain.client import ChainClient
from api.chain.contracts import (
    Authority,
    ClusterRegistry,
    InferencePayments,
    MetricsOracle,
    ModelRegistry,
    Stablecoin,
    X402Settler,
)
from api.chain.deployments import Deployment
from api.chain.following import Follower
from api.clock import Clock
from api.domain.eip712 import Eip712Domain
from api.domain.prices import gateway_domain
from api.domain.signing import Signer
from api.domain.vouchers import MAX_USD6, payments_domain
from api.domain.way import ProvenReceipt, Way
from api.errors import (
    Busy,
    ContractReverted,
    NotFound,
    NotStarted,
    RackstreamError,
    StoreUnavailable,
    Unavailable,
)
from api.gateway.accounts import Accounts
from api.gateway.collecting import Collector
from api.gateway.desk import Desk, Terms
from api.gateway.exact import Exact
from api.gateway.facilitator import Facilitator
from api.gateway.fleet import Fleet
from api.gateway.fronting import Fronting
from api.gateway.holding import Holding
from api.gateway.journal import Journal
from api.gateway.locking import Locking
from api.gateway.metrics import Metrics
from api.gateway.purse import ReceiptBook
from api.gateway.refunding import Refunding
from api.gateway.serving import Serving
from api.gateway.settling import Settling
from api.gateway.shapes import Behind, Fronted
from api.gateway.standings import Standings, require_registered
from api.gateway.upstream import Upstreams
from api.sending.sender import Sender
from api.sending.signers import LocalSigner
from api.serving.lease import Lease
from api.serving.working import work
from api.store.collections import CollectionStore
from api.store.database import Database, DatabaseIdentity
from api.store.exact_payments import ExactPaymentStore, PaymentState, SettlementKind
from api.store.exact_refunds import RefundStore
from api.store.journal import JournalStore, StoredReceipt
from api.store.transactions import TransactionStore
from api.types import Address, Digest

_log = structlog.get_logger(__name__)

_NODES_SECONDS: Final = 15.0


@dataclass(frozen=True, slots=True)
class GatewayConfig:
    """What a gateway needs to know. `signer` is whom vouchers name: it signs receipts, collects and
    pays for that.
    """

    signer: Signer
    rpc_urls: tuple[str, ...]
    deployment: Deployment
    fleet: Fleet
    database_url: str
    clock: Clock
    poll_seconds: float
    confirmations: int
    max_fee_per_gas: int
    collect_seconds: float
    collect_least_usd6: int
    credit_usd6: int
    lock_above_usd6: int | None
    default_max_tokens: int
    connect_seconds: float
    first_byte_seconds: float
    idle_seconds: float
    payees: frozenset[Address]
    least_facilitated_usd6: int
    refund_day_usd6: int


class Gateway:
    """One gateway. `run` starts it, waiting for what is not there yet, and keeps it going."""

    def __init__(self, config: GatewayConfig) -> None:
        self._config = config
        deployment, chain_id = config.deployment, config.deployment.chain_id
        self.address = config.signer.address
        self.metrics = Metrics()
        self.fleet = config.fleet
        self.default_max_tokens = config.default_max_tokens
        self._client = client = ChainClient(*config.rpc_urls, chain_id=chain_id)
        self._payments = payments = InferencePayments(
            client, deployment.address_of("InferencePayments")
        )
        self._database = database = Database(config.database_url)
        self.journal_store = JournalStore(database)
        self.collections = CollectionStore(database)
        self.accounts = Accounts(
            client=client,
            payments=payments,
            store=self.journal_store,
            gateway=self.address,
            confirmations=config.confirmations,
            credit_usd6=config.credit_usd6,
            lock_above_usd6=(
                MAX_USD6 if config.lock_above_usd6 is None else config.lock_above_usd6
            ),
        )
        self._journal = Journal(self.journal_store, self.accounts.reload)
        self._upstreams = Upstreams(
            connect_seconds=config.connect_seconds,
            first_byte_seconds=config.first_byte_seconds,
            idle_seconds=config.idle_seconds,
        )
        domain = payments_domain(chain_id, payments.address)
        self.terms = Terms(
            chain_id,
            self.address,
            payments.address,
            deployment.stablecoin_address(),
            domain,
        )
        self.serving = Serving(
            fleet=config.fleet,
            upstreams=self._upstreams,
            journal=self._journal,
            clock=config.clock,
            gateway=self.address,
            metrics=self.metrics,
        )
        transactions = TransactionStore(database)
        sender = Sender(
            account=LocalSigner(config.signer),
            client=client,
            clock=config.clock,
            store=transactions,
            metrics=self.metrics,
            max_fee_per_gas=config.max_fee_per_gas,
        )
        self._locking = Locking(
            client=client,
            payments=payments,
            accounts=self.accounts,
            transactions=transactions,
            sender=sender,
            gateway=self.address,
        )
        self.desk = Desk(
            terms=self.terms,
            accounts=self.accounts,
            book=ReceiptBook(
                signer=config.signer,
                gateway_domain=gateway_domain(chain_id, payments.address),
                payments_domain=domain,
                journal=self._journal,
                clock=config.clock,
            ),
            locking=self._locking,
        )
        self._collector = Collector(
            client=client,
            payments=payments,
            accounts=self.accounts,
            store=self.collections,
            transactions=transactions,
            sender=sender,
            gateway=self.address,
            clock=config.clock,
            metrics=self.metrics,
            confirmations=config.confirmations,
            interval_seconds=config.collect_seconds,
            credit_usd6=config.credit_usd6,
            least_usd6=config.collect_least_usd6,
        )
        self._exact_payments = ExactPaymentStore(database)
        self._stablecoin = Stablecoin(client, self.terms.stablecoin)
        self._settler = X402Settler(client, deployment.address_of("X402Settler"))
        self._models = ModelRegistry(client, deployment.address_of("ModelRegistry"))
        self._holding = Holding(self._exact_payments, self.journal_store)
        self._settling = Settling(
            client=client,
            stablecoin=self._stablecoin,
            settler=self._settler,
            store=self._exact_payments,
            holding=self._holding,
            transactions=transactions,
            sender=sender,
            gateway=self.address,
            clock=config.clock,
            confirmations=config.confirmations,
        )
        self._fronting = Fronting(
            client=client,
            stablecoin=self._stablecoin,
            settler=self._settler,
            confirmations=config.confirmations,
        )
        self._refunds = RefundStore(database)
        self._refunding = Refunding(
            client=client,
            stablecoin=self._stablecoin,
            payments=payments,
            signer=config.signer,
            store=self._refunds,
            transactions=transactions,
            sender=sender,
            clock=config.clock,
            metrics=self.metrics,
            confirmations=config.confirmations,
            day_usd6=config.refund_day_usd6,
        )
        self._facilitator: Facilitator | None = None
        self._standings = Standings(
            fleet=config.fleet,
            registry=ClusterRegistry(client, deployment.address_of("ClusterRegistry")),
            oracle=MetricsOracle(client, deployment.address_of("MetricsOracle")),
            authority=Authority(client, deployment.address_of("Authority")),
        )
        self._lease = Lease(database)
        self._tracing = asyncio.Lock()
        self._is_started = False

    async def run(self) -> None:
        """Work until cancelled. Raises as `serving.working.work`."""
        try:
            await work(
                start=self._start,
                loops={
                    "journal": self._journal.run,
                    "accounts": lambda: self.accounts.run(self._config.poll_seconds),
                    "standings": self._standings.run,
                    "collect": self._collector.run,
                    "settle": self._settling.run,
                    "refund": self._refunding.run,
                    "lock": self._locking.run,
                    "nodes": self._check_nodes,
                },
                metrics=self.metrics,
                lease=self._lease,
            )
        finally:
            await self._upstreams.close()
            await self._client.close()
            await self._database.close()

    def now(self) -> int:
        """Unix seconds by the clock that expiries are held against."""
        return self._config.clock.now()

    def figures(self) -> bytes:
        """Everything that Prometheus reads."""
        with suppress(Unavailable):
            self.metrics.locked(*self.accounts.locks(self.now()))
        return self.metrics.text()

    def require_started(self) -> None:
        """Raise NotStarted until the start is done."""
        if not self._is_started:
            raise NotStarted("the gateway is starting; try again")

    def facilitator(self) -> Facilitator:
        """Who settles payments of x402 here. Raises NotStarted; NotFound if nobody can."""
        self.require_started()
        if self._facilitator is None:
            raise NotFound("the stablecoin has no authorisations that x402 could settle")
        return self._facilitator

    async def behind(self, stored: StoredReceipt) -> Behind | None:
        """Where a receipt stands on chain; None until it does. Raises StoreUnavailable."""
        if stored.collection_id is not None:
            found = await self.collections.of(stored.collection_id)
            assert found is not None
            collection, leaves = found
            return Behind(collection.root, leaves, collection.tx_hash, collection.block_number)
        payment = await self._exact_payments.by_receipt(stored.hash)
        if payment is None or payment.batch_id is None or payment.state is PaymentState.FRONTED:
            return None
        batch = await self._exact_payments.batch(payment.batch_id)
        if batch is None or batch.root is None:
            return None
        together = await self._exact_payments.of_batch(batch.id)
        if batch.kind is SettlementKind.AHEAD:
            together = [one for one in together if one.state is PaymentState.SETTLED]
        leaves = [one.receipt_hash for one in together if one.receipt_hash is not None]
        return Behind(batch.root, leaves, payment.tx_hash, None)

    async def fronted(self, stored: StoredReceipt) -> Fronted | None:
        """What became of a payment that somebody else has brought. Raises StoreUnavailable."""
        payment = await self._exact_payments.by_receipt(stored.hash)
        if payment is None or payment.state is not PaymentState.FRONTED:
            return None
        assert payment.used_usd6 is not None
        one = payment.authorization
        refund = await self._refunds.of(one.payer, one.nonce)
        return Fronted(
            payment.tx_hash,
            one.value - payment.used_usd6,
            None if refund is None else refund.tx_hash,
        )

    async def trace(self, proven: ProvenReceipt) -> Way:
        """Where a request's dollars are. Raises as `Follower.follow`, or Busy while another one is
        followed: it takes many looks at the chain.
        """
        if self._tracing.locked():
            raise Busy("another request is being followed; try again")
        async with self._tracing:
            return await Follower(self._client, self._config.deployment).follow(proven)

    async def failures(self) -> dict[str, str]:
        """What it cannot work without and does not have now, in words."""
        found: dict[str, str] = {}
        if not self._is_started:
            found["start"] = "not connected yet"
        else:
            try:
                await self._database.ping()
            except StoreUnavailable as error:
                found["database"] = error.message
            try:
                await self._client.block()
            except RackstreamError as error:
                found["chain"] = error.message
            if not any(standing.is_live for standing in self.fleet.standings.values()):
                found["fleet"] = "no cluster is live"
        return found

    async def _start(self) -> None:
        deployment = self._config.deployment
        await self._client.connect()
        await self._lease.hold()
        await self._database.migrate()
        for signed in self.fleet.quotes:
            await require_registered(self._models, signed.quote)
        origin = await self._client.block(deployment.contracts["InferencePayments"].block)
        await self._database.bind(
            DatabaseIdentity(
                self.address,
                deployment.chain_id,
                self.terms.payments,
                Digest(origin.hash),
            )
        )
        await self._take_exact_payments()
        await self._standings.refresh()
        await self.accounts.follow()
        self._is_started = True
        _log.info("started", chain=deployment.chain_id)

    async def _take_exact_payments(self) -> None:
        """Close what was cut off, and offer the scheme `exact` if the stablecoin can be paid so."""
        await self.journal_store.close_open()
        await self._holding.recover()
        coin, chain_id = self._stablecoin, self._config.deployment.chain_id
        try:
            domain = Eip712Domain(await coin.name(), await coin.version(), chain_id, coin.address)
            pay_to = {
                cluster_id: await self._settler.pay_to(cluster_id, self.address)
                for cluster_id in self.fleet.clusters
            }
        except ContractReverted as refusal:
            _log.warning("no payments of x402 are taken", why=refusal.message)
            return
        exact = Exact(
            client=self._client,
            stablecoin=coin,
            settler=self._settler,
            payments=self._payments,
            domain=domain,
            gateway=self.address,
            pay_to=pay_to,
            store=self._exact_payments,
            holding=self._holding,
            settling=self._settling,
            fronting=self._fronting,
            clock=self._config.clock,
        )
        self.desk.exact = exact
        self._facilitator = Facilitator(
            exact, self._config.payees, self._config.least_facilitated_usd6
        )

    async def _check_nodes(self) -> None:
        while True:
            with suppress(RackstreamError):
                await self._client.check()
            await asyncio.sleep(_NODES_SECONDS)
