"""What an investor looks at, read from the chain: clusters, holdings, uptime. No formatting here.

Income is read at the pending block, so that it is what a claim would pay now and not what it was
when the newest block happened to be mined. All amounts are integers in their smallest unit.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ape import chain
from ape.contracts import ContractInstance

from api.chain.views import EARNED_SCALE, RATE_SCALE, ClusterSpec, ClusterStatus, cluster_spec
from api.domain.codec import to_hex
from api.domain.epochs import epoch_at, epoch_start
from api.domain.figures import ClusterFigures
from api.types import Epoch
from scripts._lib.deployment import System
from scripts._lib.events import PastEvent, in_transaction, newest_first
from scripts._lib.money import SECONDS_A_DAY
from scripts._lib.operations import ZERO_ADDRESS, newest_time, require_cluster
from scripts._lib.record import SHARE, Record, instance

NOW = "pending"


@dataclass(frozen=True)
class Meters:
    """The oracle's totals of a cluster: GPU-seconds and watt-hours; `epoch` 0 without a report."""

    epoch: int
    energy_wh: int
    contracted: int
    available: int
    billable: int
    age_seconds: int
    is_stale: bool


@dataclass(frozen=True)
class ClusterView:
    """A cluster at a glance; `share` is None before one is registered."""

    cluster_id: int
    status: ClusterStatus
    name: str
    symbol: str
    share: str | None
    gpu_model: str
    gpu_count: int
    region: str
    first_epoch: int
    authorised: int
    supply: int
    usd6_per_day: int
    meters: Meters


@dataclass(frozen=True)
class Income:
    """Where a cluster's income is, in 10⁻⁶ dollars; see IWaterfall.WaterfallState."""

    received: int
    undistributed: int
    operator: int
    escrowed: int
    shortfall: int
    tranches: int
    reserve: int
    holders: int


@dataclass(frozen=True)
class Holding:
    """What somebody has of one cluster. `usd6_per_day` is what they earn while nothing changes,
    without what they assigned to others."""

    cluster_id: int
    symbol: str
    shares: int
    encumbered: int
    frozen: int
    supply: int
    earned: int
    claimed: int
    claimable: int
    usd6_per_day: int


@dataclass(frozen=True)
class EpochView:
    """One measured hour; `start` in Unix seconds, GPU-seconds, watt-hours."""

    epoch: int
    start: int
    contracted: int
    available: int
    busy: int
    billable: int
    energy_wh: int


def read_clusters(record: Record) -> list[ClusterView]:
    """Every cluster, by id."""
    count = int(record.system().registry.clusterCount())
    return [read_cluster(record, cluster_id) for cluster_id in range(1, count + 1)]


def read_cluster(record: Record, cluster_id: int) -> ClusterView:
    """One cluster. Raises UnknownCluster."""
    system = record.system()
    state = require_cluster(system, cluster_id)
    spec = spec_of(record, cluster_id)
    share = share_at(state.share)
    return ClusterView(
        cluster_id=cluster_id,
        status=ClusterStatus(state.status),
        name=str(share.name()) if share else "",
        symbol=str(share.symbol()) if share else "",
        share=str(share.address) if share else None,
        gpu_model=spec.gpu_model,
        gpu_count=spec.gpu_count,
        region=spec.region,
        first_epoch=int(state.firstEpoch),
        authorised=int(state.authorisedShares),
        supply=int(share.totalSupply()) if share else 0,
        usd6_per_day=per_day(int(share.streamState(block_identifier=NOW).ratePerSecond))
        if share
        else 0,
        meters=read_meters(record, cluster_id),
    )


def spec_of(record: Record, cluster_id: int) -> ClusterSpec:
    """The specification in force at the newest block."""
    spec, _ = record.system().registry.specAt(cluster_id, epoch_at(newest_time()))
    return cluster_spec(spec)


def share_at(address: str) -> ContractInstance | None:
    """The share at a registered address; None for the zero address."""
    return None if address == ZERO_ADDRESS else instance(SHARE, address)


def read_meters(record: Record, cluster_id: int) -> Meters:
    """What the oracle's counters show."""
    oracle = record.system().oracle
    reading = oracle.reading(cluster_id)
    return Meters(
        int(reading.epoch),
        int(reading.energyWh),
        int(reading.contractedGpuSeconds),
        int(reading.availableGpuSeconds),
        int(reading.billableGpuSeconds),
        int(oracle.ageSeconds(cluster_id, block_identifier=NOW)),
        bool(oracle.isStale(cluster_id, block_identifier=NOW)),
    )


def read_income(record: Record, cluster_id: int) -> Income:
    """Where the cluster's income is."""
    state = record.system().waterfall.state(cluster_id, block_identifier=NOW)
    return Income(
        received=int(state.received),
        undistributed=int(state.undistributed),
        operator=int(state.operatorAssigned),
        escrowed=int(state.escrowed),
        shortfall=int(state.operatorShortfall),
        tranches=int(state.tranchesAssigned),
        reserve=int(state.reserveAssigned) - int(state.reserveDrawn),
        holders=int(state.holdersAssigned),
    )


def read_portfolio(record: Record, owner: str) -> list[Holding]:
    """What `owner` holds or ever earned, by cluster."""
    registry = record.system().registry
    holdings = []
    for cluster_id in range(1, int(registry.clusterCount()) + 1):
        share = share_at(str(registry.cluster(cluster_id).share))
        if share is None:
            continue
        account = share.accountState(owner, block_identifier=NOW)
        claimable = int(account.earned) // EARNED_SCALE
        if not account.balance and not account.claimedUsd6 and not claimable:
            continue
        supply = int(share.totalSupply())
        rate = int(share.streamState(block_identifier=NOW).ratePerSecond)
        earning = int(account.balance) - int(account.assigned)
        holdings.append(
            Holding(
                cluster_id=cluster_id,
                symbol=str(share.symbol()),
                shares=int(account.balance),
                encumbered=int(account.encumbered),
                frozen=int(account.frozen),
                supply=supply,
                earned=int(account.claimedUsd6) + claimable,
                claimed=int(account.claimedUsd6),
                claimable=claimable,
                usd6_per_day=per_day(rate * earning // supply) if supply else 0,
            )
        )
    return holdings


@dataclass(frozen=True)
class CollectionView:
    """What a collection brought a cluster, in 10⁻⁶ dollars: `income` is without the platform's fee
    and the royalties of models' owners. `at` in Unix seconds.
    """

    at: int
    gateway: str
    income: int
    fee: int
    royalty: int
    root: str
    tx_hash: str


def read_collections(record: Record, cluster_id: int) -> Iterator[CollectionView]:
    """What was paid for a cluster by the inference, newest first. Raises UnknownCluster."""
    system = record.system()
    require_cluster(system, cluster_id)
    for event in newest_first(
        "InferencePayments",
        str(system.payments.address),
        ["IncomeAllocated"],
        from_block=record.deployment.contracts["InferencePayments"].block,
        first_indexed=cluster_id,
    ):
        fields = event.fields
        fee, royalty = fields["feeUsd6"], _royalty_of(system, event)
        yield CollectionView(
            int(chain.blocks[event.block].timestamp),
            fields["gateway"],
            fields["amountUsd6"] - fee - royalty,
            fee,
            royalty,
            to_hex(fields["receiptsRoot"]),
            event.tx_hash,
        )


def _royalty_of(system: System, allocated: PastEvent) -> int:
    """What of an allocation is models' owners': told before it, after what it follows."""
    royalty = 0
    for event in in_transaction(
        "InferencePayments", str(system.payments.address), allocated.tx_hash
    ):
        if event.spot >= allocated.spot:
            break
        if event.fields.get("clusterId") != allocated.fields["clusterId"]:
            continue
        # Another allocation to the cluster in the same transaction ends what belongs together.
        royalty = royalty + event.fields["amountUsd6"] if event.name == "RoyaltyAllocated" else 0
    return royalty


def read_epochs(record: Record, cluster_id: int) -> Iterator[EpochView]:
    """The measured hours of a cluster, newest first, as their reports became Final."""
    for event in newest_first(
        "MetricsOracle",
        record.system().oracle.address,
        ["FiguresFinal"],
        from_block=record.deployment.contracts["MetricsOracle"].block,
        first_indexed=cluster_id,
    ):
        epoch = Epoch(event.fields["epoch"])
        figures = ClusterFigures.unpack(event.fields["figures"])
        yield EpochView(
            epoch,
            epoch_start(epoch),
            figures.contracted_gpu_seconds,
            figures.available_gpu_seconds,
            figures.busy_gpu_seconds,
            figures.billable_gpu_seconds,
            figures.energy_wh,
        )


def per_day(rate_per_second: int) -> int:
    """A stream's rate (in 2⁻⁵² × 10⁻⁶ dollars a second) in 10⁻⁶ dollars a day, rounded down."""
    return rate_per_second * SECONDS_A_DAY // RATE_SCALE
