"""A courtroom: reporters with bonds, clusters whose figures wait, and who disputes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from ape import chain
from ape.api import AccountAPI, ReceiptAPI
from ape.contracts import ContractInstance
from eth_abi.abi import encode
from eth_account.signers.local import LocalAccount
from eth_utils.crypto import keccak

from tests.support.oracle import Figures, Newsdesk, Report, Sampled, end_of, merkle
from tests.support.reporters import Operators, key_of, signed
from tests.support.scenario import EPOCH_SECONDS, USD, travel_to

WINDOW = 3_600
CHALLENGE_BOND = 1_000 * USD
PENALTY = 1_000 * USD
ARBITRATION_SECONDS = 7 * 86_400
NONE, OPEN, REFUTED, SETTLED = range(4)

SampleWords = tuple[bytes, int, int, int, int, int]


@dataclass(frozen=True)
class Gpu:
    """A registered GPU, as `GpuRecord` lists it."""

    name: str
    agent: str
    from_ms: int = 0
    until_ms: int = 2**64 - 1
    interval_ms: int = 60_000

    @property
    def gpu_id(self) -> bytes:
        return keccak(text=self.name)

    @property
    def words(self) -> tuple[bytes, str, int, int, int]:
        return self.gpu_id, self.agent, self.from_ms, self.until_ms, self.interval_ms

    @property
    def leaf(self) -> bytes:
        types = ["bytes32", "address", "uint64", "uint64", "uint32"]
        return keccak(keccak(encode(types, self.words)))


@dataclass(frozen=True)
class GpuTree:
    """All GPUs of a cluster."""

    gpus: tuple[Gpu, ...]

    @cached_property
    def root(self) -> bytes:
        return merkle([gpu.leaf for gpu in self.gpus])[0]

    def proof(self, number: int) -> list[bytes]:
        return merkle([gpu.leaf for gpu in self.gpus])[1][number]


@dataclass(frozen=True)
class Courtroom:
    """Disputes, and everybody in them."""

    operators: Operators
    desk: Newsdesk
    disputes: ContractInstance
    arbiter: AccountAPI
    challenger: AccountAPI

    @property
    def oracle(self) -> ContractInstance:
        return self.desk.oracle

    @property
    def stablecoin(self) -> ContractInstance:
        return self.operators.system.stablecoin

    def post(self, report: Report) -> int:
        """Post a report of an epoch that is over; the second from which it may be counted."""
        travel_to(max(end_of(report.epoch), int(chain.blocks.head.timestamp)))
        return int(self.desk.post(report).timestamp) + WINDOW

    def challenge(
        self, report: Report, index: int = 0, statement: str = "It was off"
    ) -> ReceiptAPI:
        receipt: ReceiptAPI = self.disputes.challenge(
            report.root, report.figures[index].cluster_id, report.epoch, statement,
            sender=self.challenger,
        )  # fmt: skip
        return receipt

    def rule(
        self, report: Report, counted: Figures, blamed: bool = False, index: int = 0
    ) -> ReceiptAPI:
        receipt: ReceiptAPI = self.disputes.rule(
            report.figures[index].cluster_id, report.epoch, counted.word, blamed,
            sender=self.arbiter,
        )  # fmt: skip
        return receipt

    def state(self, report: Report, index: int = 0) -> Any:
        return self.disputes.dispute(report.figures[index].cluster_id, report.epoch)

    def finalize(self, cluster_id: int) -> int:
        """How many epochs of the cluster could be counted, and were."""
        count = int(self.oracle.finalize.call(cluster_id, 100))
        self.oracle.finalize(cluster_id, 100, sender=self.challenger)
        return count

    def penalise(self, report: Report, key: LocalAccount, index: int = 0) -> ReceiptAPI:
        receipt: ReceiptAPI = self.disputes.penalise(
            report.figures[index].cluster_id, report.epoch, signed(report, key), index,
            sender=self.challenger,
        )  # fmt: skip
        return receipt

    def key(self, number: int) -> LocalAccount:
        return key_of(self.operators.addresses[number])

    def holds_exactly(self, owed: Sequence[AccountAPI | str], live_bonds: int) -> None:
        """What the contract has is the bonds of open challenges and what it owes."""
        total = sum(int(self.disputes.owedUsd6(account)) for account in owed)
        balance = int(self.stablecoin.balanceOf(self.disputes))
        assert balance == total + live_bonds * CHALLENGE_BOND


def samples_between(
    gpu: Gpu, epoch: int, readings: Sequence[tuple[int, int]]
) -> tuple[SampleWords, ...]:
    """Samples of a GPU: (second of the epoch, counter in millijoules) each."""
    start_ms = epoch * EPOCH_SECONDS * 1_000
    return tuple(
        (gpu.gpu_id, start_ms + second * 1_000, 9_000, 8_000, energy_mj, 0)
        for second, energy_mj in readings
    )


def evidence_of(
    report: Sampled, tree: GpuTree, number: int, samples: tuple[int, int], **changes: Any
) -> tuple[Any, ...]:
    """The contract's EnergyEvidence about the report's last cluster: two of its samples."""
    earlier, later = samples
    parts = {
        "sample_root": report.sample_root(len(report.figures) - 1),
        "figures_proof": report.proof(len(report.figures) - 1),
        "gpu": tree.gpus[number].words,
        "gpu_proof": tree.proof(number),
        "earlier": report.samples[earlier],
        "earlier_proof": report.sample_proof(earlier),
        "later": report.samples[later],
        "later_proof": report.sample_proof(later),
    } | changes
    return tuple(parts.values())


def with_samples(report: Report, samples: Sequence[SampleWords]) -> Sampled:
    """The report with these samples behind its last cluster."""
    return Sampled(
        report.chain_id,
        report.oracle,
        report.set_id,
        report.epoch,
        report.figures,
        report.salt,
        report.round,
        samples=tuple(samples),
    )


def changed(report: Report, index: int = 0, **fields: int) -> Figures:
    """A report's figures with some fields changed."""
    return replace(report.figures[index], **fields)
