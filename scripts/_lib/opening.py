"""Set a cluster up on a local chain, from nothing to Live, as the `ape run` scripts do it."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from api.chain.views import word_of
from api.domain.gpu_set import GpuSet
from api.domain.prices import Price, Quote
from api.domain.replay import gpu_set_of_trace
from api.domain.trace import Trace
from api.types import Address, ClusterId
from scripts._lib import cast
from scripts._lib.cast import Account
from scripts._lib.cluster_file import ClusterFile

if TYPE_CHECKING:
    from ape.api import AccountAPI

    from scripts._lib.deployment import System
    from scripts._lib.record import Record

USD = 10**6
SHARE = 10**6
YEAR_SECONDS = 365 * 86_400

PRICE_PER_GPU_USD6 = 25_000 * USD
"""What one used H100 cost in 2026, installed."""

AUTHORISED_SHARES = 1_000_000 * SHARE
ALLOCATIONS = (400_000 * SHARE, 250_000 * SHARE, 200_000 * SHARE, 100_000 * SHARE, 50_000 * SHARE)
"""Of the first five holders; the sixth is admitted and buys from the others."""

CUSTOMER_FUNDS_USD6 = 10**9 * USD

INFERENCE_FUNDS_USD6 = 100_000 * USD
"""Of each that pays by vouchers; as much its session key may spend."""

MODEL = "rackstream-ngram"
SLOTS = 64

ROYALTY_BPS = 300
"""What the model's owner asks of what is paid for its use, in 1/10,000."""

PRICE = Price(30 * USD, 60 * USD)
"""Dollars a million tokens, in and out: what OpenAI asked for GPT-4 in November 2023, when the
trace of requests was recorded.
"""

STEPS = 8
OnStep = Callable[[str], None]


@dataclass(frozen=True)
class Opened:
    """A Live cluster: its contracts, its share, its registered GPUs and its terms."""

    chain_id: int
    cluster_id: ClusterId
    first_epoch: int
    start_block: int
    registry: Address
    oracle: Address
    waterfall: Address
    payments: Address
    settler: Address
    stablecoin: Address
    share: Address
    gpus: GpuSet
    spec: ClusterFile

    def term(self, field: str) -> int:
        """A number of the specification."""
        value = self.spec.spec[field]
        assert isinstance(value, int)
        return value


def cluster_of(gpus: GpuSet, *, max_watts: int, idle_watts: int) -> ClusterFile:
    """A cluster of the trace's GPUs: H100s at 700 W, PUE 1.3, $0.0929 a kilowatt-hour, $0.05 a
    GPU-hour of other cost (a recorded serving cluster is idle for most of a day: with a full rack's
    $0.25 its nights would not pay for themselves), a twentieth of what is left to the reserve until
    it holds a fifth of the price paid.
    """
    price = PRICE_PER_GPU_USD6 * len(gpus)
    spec: dict[str, bytes | int] = {
        "gpuModel": word_of("H100-SXM5-80GB"),
        "region": word_of("eu-north-1"),
        "gpuSetRoot": bytes(gpus.root),
        "documentsRoot": bytes(32),
        "gpuCount": len(gpus),
        "gpuMaxPowerWatts": max_watts,
        "gpuIdlePowerWatts": idle_watts,
        "pueBps": 13_000,
        "tariffUsd6PerKwh": 92_900,
        "contractedRateUsd6PerGpuHour": 50_000,
        "reserveShareBps": 500,
        "depreciationLifeSeconds": 5 * YEAR_SECONDS,
        "pricePaidUsd6": price,
        "reserveTargetUsd6": price // 5,
    }
    return ClusterFile("Rackstream Cluster 1", "RACK1", None, AUTHORISED_SHARES, spec, gpus)


@contextmanager
def connected(url: str) -> Iterator[None]:
    """Ape connected to the anvil at `url`, saying nothing of its own."""
    on_interrupt = signal.getsignal(signal.SIGINT)
    from ape import networks
    from ape.logging import LogLevel, logger

    # Ape takes Ctrl-C for itself as it is imported, and would leave without a word.
    signal.signal(signal.SIGINT, on_interrupt)
    logger.set_level(LogLevel.ERROR)
    with networks.ethereum.local.use_provider("foundry", provider_settings={"host": url}):
        yield


def open_cluster(
    trace: Trace,
    agents: Sequence[Account],
    deployments: Path,
    *,
    anchor_ms: int,
    is_repeated: bool,
    idle_watts: int,
    max_watts: int,
    fleet: Path,
    upstream_url: str,
    on_step: OnStep,
) -> Opened:
    """Deploy, register a cluster of the trace's GPUs, admit and issue, appoint, go live, fund
    customers, and have the operator quote what the server at `upstream_url` asks into `fleet`.

    Ape must be connected, to a chain whose time is within the hour before `anchor_ms`.
    Raises what the scripts raise: DeploymentError, RackstreamError, ape's errors for a refusal.
    """
    from ape import accounts, chain

    from scripts._lib import attestations, operations, payments, reporters, roles, rollout
    from scripts._lib.record import Record

    actors = accounts.test_accounts

    on_step("deploying the contracts")
    deployer = actors[cast.DEPLOYER]
    named = {
        "admin": cast.ADMIN,
        "registrar": cast.REGISTRAR,
        "guardian": cast.GUARDIAN,
        "compliance": cast.COMPLIANCE,
        "oracle_admin": cast.ORACLE_ADMIN,
        "arbiter": cast.GUARDIAN,
    }
    holders = rollout.holders_of(
        deployer,
        {role: str(actors[index].address) for role, index in named.items()},
        (str(actors[cast.KYC_PROVIDER].address),),
    )
    is_gone = Record(deployments).is_of_another_local_chain()
    for _ in rollout.roll_out(deployer, holders, None, deployments, discard=is_gone):
        pass
    record = Record(deployments)
    system = record.system()

    on_step("naming the reporters")
    reporters.set_up(
        system,
        [reporters.account_of(reporter) for reporter in cast.REPORTERS],
        deployer,
        actors[cast.ORACLE_ADMIN],
    )

    on_step(f"registering a cluster of {len(trace.series)} GPUs")
    cluster_id = ClusterId(int(system.registry.clusterCount()) + 1)
    gpus = gpu_set_of_trace(
        cluster_id,
        trace,
        [agent.address for agent in agents],
        anchor_ms=anchor_ms,
        is_repeated=is_repeated,
    )
    cluster = cluster_of(gpus, max_watts=max_watts, idle_watts=idle_watts)
    issuer, operator = actors[cast.ISSUER], actors[cast.OPERATOR]
    registered = operations.register_cluster(
        record, system, cluster, str(issuer.address), actors[cast.REGISTRAR]
    )
    operations.appoint(system, roles.OPERATOR, cluster_id, str(operator.address), issuer)
    operations.appoint(
        system,
        roles.TRUSTEE,
        cluster_id,
        str(actors[cast.TRUSTEE].address),
        actors[cast.REGISTRAR],
    )

    on_step(f"admitting {len(cast.HOLDERS)} investors")
    now = operations.newest_time()
    for number, holder in enumerate(cast.HOLDERS):
        admission = attestations.Admission(
            holder.address,
            attestations.investor_id_of(holder.name, "a demo keeps no secrets"),
            528,
            attestations.InvestorClass.PROFESSIONAL
            if number
            else attestations.InvestorClass.INSTITUTION,
            now,
            now + 10 * YEAR_SECONDS,
        )
        attestations.admit(system, admission, actors[cast.KYC_PROVIDER])

    on_step("issuing their shares")
    allocations = {
        str(holder.address): units for holder, units in zip(cast.HOLDERS, ALLOCATIONS, strict=False)
    }
    operations.issue_shares(record, system, cluster_id, allocations, issuer)

    on_step("going live")
    operations.go_live(system, cluster_id, issuer)

    on_step("giving the customers stablecoin")
    for customer in cast.CUSTOMERS:
        system.stablecoin.mint(customer.address, CUSTOMER_FUNDS_USD6, sender=deployer)
        system.stablecoin.approve(
            system.waterfall, CUSTOMER_FUNDS_USD6, sender=actors[customer.index]
        )

    on_step("opening the till for inference")
    _sell(record, cluster_id, fleet, upstream_url, operator)
    for customer, session in zip(
        cast.DEPOSITORS, cast.session_keys(len(cast.DEPOSITORS)), strict=True
    ):
        payer = actors[customer.index]
        payments.deposit(system, INFERENCE_FUNDS_USD6, customer.address, payer)
        authorise(system, session, INFERENCE_FUNDS_USD6, payer)
    state = system.registry.cluster(cluster_id)
    contracts = record.deployment
    return Opened(
        chain_id=int(chain.chain_id),
        cluster_id=cluster_id,
        first_epoch=int(state.firstEpoch),
        start_block=min(one.block for one in record.contracts().values()),
        registry=contracts.address_of("ClusterRegistry"),
        oracle=contracts.address_of("MetricsOracle"),
        waterfall=contracts.address_of("Waterfall"),
        payments=contracts.address_of("InferencePayments"),
        settler=contracts.address_of("X402Settler"),
        stablecoin=Address(str(system.stablecoin.address)),
        share=Address(registered.share),
        gpus=gpus,
        spec=replace(cluster, issuer=Address(str(issuer.address))),
    )


def _sell(
    record: Record, cluster_id: ClusterId, fleet: Path, upstream_url: str, operator: AccountAPI
) -> None:
    from scripts._lib import models, operations, quotes, reporters

    system = record.system()
    owner = cast.MODEL_OWNER.address
    if not models.is_registered(record, system, MODEL, owner):
        account = reporters.account_of(cast.MODEL_OWNER)
        models.register(system, MODEL, owner, ROYALTY_BPS, bytes(32), account)
    now = operations.newest_time()
    # One price at every load, so that everybody can work out what a request costs.
    quote = Quote(cluster_id, MODEL, PRICE, PRICE, now, now + 10 * YEAR_SECONDS, owner)
    server = quotes.Server(cluster_id, upstream_url, SLOTS, {MODEL: MODEL}, MODEL)
    quotes.put(fleet, quotes.sign(system, quote, operator), server)


def authorise(system: System, key: Account, limit_usd6: int, payer: AccountAPI) -> None:
    """Let a hot key sign vouchers at the gateway for so much of the payer's money."""
    from scripts._lib import operations

    until = operations.newest_time() + 10 * YEAR_SECONDS
    system.payments.authorise(key.address, cast.GATEWAY.address, limit_usd6, until, sender=payer)
