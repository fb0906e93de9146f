"""Answers as JSON: the models from which the documentation is made.

Integers that can exceed 2^53 − 1 are strings; hashes, keys and signatures are 0x and hex digits;
times are Unix seconds (`…At`, `from`, `to`) or milliseconds (`…Ms`).
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from api.serving.documented import Model

Hash = Annotated[str, Field(pattern="^0x[0-9a-f]{64}$", examples=["0x" + "5d" * 32])]
Account = Annotated[
    str,
    Field(pattern="^0x[0-9a-fA-F]{40}$", examples=["0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"]),
]
BigInteger = Annotated[str, Field(pattern="^[0-9]+$")]
Uint64 = Annotated[
    Annotated[int, Field(ge=0, le=2**53 - 1)] | BigInteger,
    Field(description="A number up to 2^53 − 1, a string above.", examples=[7]),
]
Bps = Annotated[int, Field(ge=0, le=10_000)]
FiguresState = Annotated[
    Literal["waiting", "held", "final"],
    Field(
        description="waiting: for the end of the dispute window; held: by a dispute, until it is"
        " settled what is counted; final: counted."
    ),
]


class BatchReceipt(Model):
    """A batch is on this reporter's disk. Sent again, it gets the same answer."""

    batch_id: Hash = Field(description="The batch's EIP-712 digest.")
    cluster_id: int
    agent: Account
    sequence: Uint64
    samples: int = Field(description="Samples in the batch.", examples=[390])
    through_ms: int
    received_at_ms: int = Field(description="When this reporter got it, by its clock.")


class GpuSetReceipt(Model):
    """The manifest is kept; its root is the one on chain."""

    cluster_id: int
    root: Hash
    gpus: int = Field(description="Number of GPUs in it.")


class Figures(Model):
    """What was measured in a window of time."""

    contracted_gpu_seconds: int = Field(description="Registered GPUs × seconds in service.")
    available_gpu_seconds: int = Field(description="Of those, seconds a GPU was healthy.")
    busy_gpu_seconds: int = Field(description="Technical utilisation × seconds.")
    billable_gpu_seconds: int = Field(description="Of those, worked for paying customers.")
    energy_wh: int = Field(description="Watt-hours drawn by the GPUs, before PUE.")
    availability_bps: Bps | None = Field(
        description="available / contracted in 1/10,000, rounded down; null if nothing was due."
    )
    utilisation_bps: Bps | None = Field(description="busy / contracted, likewise.")
    billable_bps: Bps | None = Field(description="billable / contracted, likewise.")


class Point(Figures):
    """One point of a series: the figures of [from, to)."""

    from_: int = Field(alias="from", description="Unix seconds.")
    to: int = Field(description="Unix seconds.")


class MetricSeries(Model):
    """Figures over time, computed from the samples that this reporter holds."""

    cluster_id: int
    from_: int = Field(alias="from")
    to: int
    step: int = Field(description="Seconds.")
    points: list[Point]


class QualityHour(Model):
    """One epoch of a cluster."""

    epoch: int = Field(description="The hour of Unix time, counted from 1970.")
    from_: int = Field(alias="from", description="Start of the epoch, Unix seconds.")
    to: int = Field(description="End of the epoch, Unix seconds.")
    busy_gpu_seconds: int | None = Field(
        description="Technical utilisation × seconds; null until the epoch's figures are final."
    )
    billable_gpu_seconds: int | None = Field(
        description="Of those, worked for paying customers; null likewise."
    )
    leaked_gpu_seconds: int | None = Field(description="Busy and not billed; null likewise.")
    paid_usd6: BigInteger = Field(
        description="By customers, with the platform's fee and royalties, in 10⁻⁶ dollars."
    )
    related_usd6: BigInteger = Field(description="Of that, by related parties.")
    unknown_usd6: BigInteger = Field(
        description="Of that, by payers that the payment does not tell: a contract stood between."
    )


class Quality(Model):
    """What of a cluster's time and income is not what it seems, by the hour."""

    cluster_id: int
    hours: list[QualityHour] = Field(description="The newest first.")


class CountedFigures(Figures):
    """An epoch's figures as the contract counts them."""

    epoch: int = Field(description="The hour of Unix time, counted from 1970.")
    state: FiguresState


class ClusterSummary(Model):
    cluster_id: int
    status: str = Field(
        description="proposed, funding, live, suspended or retired.", examples=["live"]
    )
    gpu_model: str = Field(examples=["H100-SXM5-80GB"])
    region: str = Field(examples=["eu-north-1"])
    gpu_count: int = Field(description="Registered GPUs, as the specification has it.")
    share: Account | None = Field(description="The cluster's ClusterShare.")
    next_epoch: int | None = Field(
        description="The epoch that the contract waits for; null while it is not measured."
    )
    last_epoch: CountedFigures | None = Field(description="The newest epoch on chain.")


class ClusterList(Model):
    total: int = Field(description="Number of clusters on chain.")
    offset: int = Field(description="Clusters passed over.")
    clusters: list[ClusterSummary]


class Specification(Model):
    gpu_set_root: Hash
    documents_root: Hash
    gpu_max_power_watts: int
    gpu_idle_power_watts: int
    pue_bps: int
    tariff_usd6_per_kwh: int
    contracted_rate_usd6_per_gpu_hour: int
    reserve_share_bps: int
    depreciation_life_seconds: int
    price_paid_usd6: BigInteger
    reserve_target_usd6: BigInteger


class Meters(Model):
    """Totals on chain since the cluster went live."""

    epoch: int = Field(description="Last final epoch; 0 if there is none.")
    energy_wh: BigInteger
    contracted_gpu_seconds: BigInteger
    available_gpu_seconds: BigInteger
    billable_gpu_seconds: BigInteger
    is_stale: bool = Field(
        description="Whether new risk is stopped, for want of reports or by a dispute."
    )
    is_disputed: bool = Field(description="Whether some of its figures are held by a dispute.")


class AgentProgress(Model):
    """How far an agent's batches are here without a gap."""

    agent: Account
    sequence: Uint64
    through_ms: int


class ClusterModel(ClusterSummary):
    first_epoch: int = Field(description="First epoch that is measured; 0 before it is live.")
    retired_epoch: int = Field(description="Last epoch that is measured; 0 until it is retired.")
    specification: Specification
    meters: Meters
    gpus_known: int | None = Field(
        description="GPUs in the manifest; null until somebody hands it in."
    )
    agents: list[AgentProgress]


class SignatureModel(Model):
    reporter: Account
    signature: str = Field(description="65 bytes r, s, v.")


class TransactionModel(Model):
    hash: Hash
    block_number: int
    block_hash: Hash
    transmitter: Account


class SampleModel(Model):
    gpu: Hash
    at_ms: Uint64
    busy_bps: Bps
    billable_bps: Bps
    energy_mj: Uint64
    xid: int


class SampleProofModel(Model):
    """Leads from the sample's leaf to `root`, which is the report's `sampleRoot`."""

    sample: SampleModel
    leaf: Hash
    root: Hash
    proof: list[Hash]


class ReportModel(Model):
    """A report on chain, as far as one cluster is concerned."""

    cluster_id: int
    epoch: int
    from_: int = Field(alias="from", description="Start of the epoch, Unix seconds.")
    to: int = Field(description="End of the epoch, Unix seconds.")
    state: FiguresState
    reporter_set_id: int
    round: int | None = Field(
        description="The round of the agreement; null if the report came by another contract."
    )
    root: Hash = Field(description="The report's name on chain: the root over its clusters.")
    figures: Figures
    packed_figures: BigInteger = Field(
        description="The word of ClusterFigures.sol that is counted, or waits to be."
    )
    bound_figures: BigInteger | None = Field(
        description="The word that the report binds, if that is another one: its energy came too"
        " late, or a dispute was settled on other figures. The proofs are of this one then."
    )
    sample_root: Hash | None = Field(
        description="The root over the samples; null until this reporter knows them."
    )
    leaf: Hash | None
    proof: list[Hash] | None = Field(description="From the cluster's leaf to `root`.")
    batch_ids: list[Hash] | None = Field(description="The agents' batches behind the figures.")
    signatures: list[SignatureModel] | None
    transaction: TransactionModel
    samples: list[SampleProofModel] | None = Field(
        None, description="If a `gpu` was asked for: its sample at `atMs`, or the first and last."
    )


class Readiness(Model):
    """Whether the reporter can do its work, and if not, what is in the way."""

    is_ready: bool
    database: str = Field(description="ok, or what is wrong.")
    chain: str = Field(description="ok, or what is wrong.")
    clock: str = Field(description="ok, or how the two clocks differ.")
    signer: str = Field(description="ok, or what cannot be signed and why.")
    registered: bool = Field(description="Whether the chain has this key as a reporter.")
    reporter: Account | None
    transmitter: Account = Field(description="Who sends the transactions and pays for them.")
    block_number: int | None
    now: int | None = Field(description="The reporter's clock, Unix seconds.")


class BatchIds(Model):
    batch_ids: list[Hash] = Field(description="Of all the clusters that were asked for.")


class SignedRootModel(Model):
    root: Hash
    round: int
    signature: str


class SignedRoots(Model):
    signatures: list[SignedRootModel]


class ClaimModel(Model):
    """A report as one reporter signed it: the arguments of `MetricsOracle.postReport`."""

    reporter_set_id: int
    epoch: int
    round: int
    root: Hash
    figures: list[BigInteger] = Field(description="Words of ClusterFigures.sol, ascending.")
    signature: str


class Claims(Model):
    claims: list[ClaimModel]


class EquivocationModel(Model):
    """Two reports of a cluster by one reporter in one round: the arguments of
    `ReporterRegistry.proveEquivocation`."""

    reporter: Account
    cluster_id: int
    first: ClaimModel
    second: ClaimModel
    first_index: int = Field(description="Where the cluster is among the first's figures.")
    second_index: int


class Equivocations(Model):
    equivocations: list[EquivocationModel]


class ProposalAnswer(Model):
    reporter: Account
    signature: str = Field(description="65 bytes over the report; see IMetricsOracle.")
