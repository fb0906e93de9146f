"""What the node and the contracts answer, as frozen records; structs in Solidity's field order.

Amounts end in their unit: `usd6` is 10⁻⁶ dollars, shares are in the share's smallest unit (10⁻⁶).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from api.types import Address

# IClusterShare.StreamState: what a unit of index and of earned income, and of a rate, is worth.
EARNED_SCALE = 2**72
RATE_SCALE = 2**52


@dataclass(frozen=True, slots=True)
class Block:
    """A block, as far as anything here needs it. `time` is in Unix seconds, fees in wei per gas."""

    number: int
    time: int
    hash: bytes
    parent_hash: bytes
    base_fee: int


@dataclass(frozen=True, slots=True)
class Log:
    """One event's raw record; `removed` is true if a reorganisation took it back."""

    address: Address
    topics: tuple[bytes, ...]
    data: bytes
    block_number: int
    block_hash: bytes
    tx_hash: bytes
    index: int
    removed: bool


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a mined transaction. `succeeded` is false if it reverted; `gas_price` is what
    was paid a gas, in wei.
    """

    tx_hash: bytes
    block_number: int
    block_hash: bytes
    succeeded: bool
    gas_used: int
    gas_price: int
    contract_address: Address | None
    logs: tuple[Log, ...]


@dataclass(frozen=True, slots=True)
class Fees:
    """What an EIP-1559 transaction offers, in wei per gas."""

    max_fee: int
    max_priority_fee: int


class ClusterStatus(IntEnum):
    """IClusterRegistry.ClusterStatus."""

    NONE = 0
    PROPOSED = 1
    FUNDING = 2
    LIVE = 3
    SUSPENDED = 4
    RETIRED = 5


class IncomeKind(IntEnum):
    """IRevenueSink.IncomeKind."""

    INFERENCE = 0
    LEASE = 1
    FORWARD = 2
    OTHER = 3


@dataclass(frozen=True, slots=True)
class Cluster:
    """IClusterRegistry.Cluster; `share` is None until it is registered."""

    status: ClusterStatus
    first_epoch: int
    last_epoch: int
    authorised_shares: int
    share: Address | None


@dataclass(frozen=True, slots=True)
class ClusterSpec:
    """IClusterRegistry.ClusterSpec; see there for the range of every field."""

    gpu_model: str
    region: str
    gpu_set_root: bytes
    documents_root: bytes
    gpu_count: int
    gpu_max_power_watts: int
    gpu_idle_power_watts: int
    pue_bps: int
    tariff_usd6_per_kwh: int
    contracted_rate_usd6_per_gpu_hour: int
    reserve_share_bps: int
    depreciation_life_seconds: int
    price_paid_usd6: int
    reserve_target_usd6: int


@dataclass(frozen=True, slots=True)
class MeterReading:
    """IMetricsOracle.MeterReading: totals since going live; `epoch` is 0 if nothing is Final."""

    epoch: int
    energy_wh: int
    contracted_gpu_seconds: int
    available_gpu_seconds: int
    billable_gpu_seconds: int


@dataclass(frozen=True, slots=True)
class PayerAccount:
    """IInferencePayments.PayerAccount: 10⁻⁶ dollars, Unix seconds."""

    balance_usd6: int
    requested_usd6: int
    withdrawable_at: int
    nonce: int


@dataclass(frozen=True, slots=True)
class Channel:
    """IInferencePayments.Channel: what one key of a payer may spend at one gateway."""

    limit_usd6: int
    expires_at: int
    collected_usd6: int
    locked_usd6: int
    locked_until: int


@dataclass(frozen=True, slots=True)
class ReportRecord:
    """IMetricsOracle.ReportRecord; all zero if there is no such report."""

    epoch: int
    reporter_set_id: int
    posted_at: int
    final_at: int


@dataclass(frozen=True, slots=True)
class ReportHeader:
    """IMetricsOracle.ReportHeader: what a report is of, and the root of its clusters' leaves."""

    reporter_set_id: int
    epoch: int
    round: int
    root: bytes


@dataclass(frozen=True, slots=True)
class PostedCall:
    """The arguments of `IMetricsOracle.postReport` as they were sent: 32-byte words as integers,
    65 bytes a signature.
    """

    header: ReportHeader
    figures: tuple[int, ...]
    signatures: bytes


@dataclass(frozen=True, slots=True)
class StreamState:
    """IClusterShare.StreamState: amounts in 2⁻⁷² × 10⁻⁶ dollars except `funded_usd6`."""

    funded_usd6: int
    index: int
    index_remainder: int
    unstreamed: int
    funding_remainder: int
    rate_per_second: int


@dataclass(frozen=True, slots=True)
class AccountState:
    """IClusterShare.AccountState: `earned` is unclaimed, in 2⁻⁷² × 10⁻⁶ dollars."""

    balance: int
    encumbered: int
    frozen: int
    assigned: int
    claimed_usd6: int
    earned: int
    payee: Address


@dataclass(frozen=True, slots=True)
class WaterfallState:
    """IWaterfall.WaterfallState, all in 10⁻⁶ dollars."""

    received: int
    undistributed: int
    operator_assigned: int
    operator_earned: int
    operator_paid: int
    operator_shortfall: int
    escrowed: int
    tranches_assigned: int
    tranches_paid: int
    reserve_assigned: int
    reserve_drawn: int
    holders_assigned: int
    holders_streamed: int


@dataclass(frozen=True, slots=True)
class TrancheState:
    """One tranche of a cluster, by seniority."""

    address: Address
    assigned_usd6: int
    paid_usd6: int


@dataclass(frozen=True, slots=True)
class Attestation:
    """IIdentityRegistry.Attestation: what a KYC provider attests of a wallet."""

    wallet: Address
    investor_id: bytes
    country: int
    investor_class: int
    issued_at: int
    expires_at: int


def text_of(word: bytes) -> str:
    """A zero-padded UTF-8 text of at most 31 bytes, as the registry keeps it."""
    return word.rstrip(b"\0").decode("utf-8", errors="replace")


def word_of(text: str) -> bytes:
    """The registry's word for a text; ValueError above 31 bytes of UTF-8."""
    encoded = text.encode()
    if len(encoded) > 31:
        raise ValueError(f"{text!r} takes {len(encoded)} bytes, at most 31 fit")
    return encoded.ljust(32, b"\0")


def cluster_spec(values: Sequence[Any]) -> ClusterSpec:
    """A ClusterSpec from the struct's decoded fields, texts read from their words."""
    model, region, gpu_set_root, documents_root, *numbers = values
    return ClusterSpec(
        text_of(bytes(model)),
        text_of(bytes(region)),
        bytes(gpu_set_root),
        bytes(documents_root),
        *(int(number) for number in numbers),
    )
