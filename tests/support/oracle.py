"""Reports as reporters sign them, built from the words of `IMetricsOracle` and not from its code.

Digests come from eth_account's own EIP-712 encoder, leaves and roots from the description of
OpenZeppelin's standard tree, figures from the table in `ClusterFigures`. Whatever the contract gets
wrong, it gets wrong alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from ape import chain
from ape.api import AccountAPI, ReceiptAPI
from ape.contracts import ContractInstance
from eth_abi.abi import encode
from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_account.signers.local import LocalAccount
from eth_typing import Hash32
from eth_utils.crypto import keccak

from scripts._lib import roles
from scripts._lib.deployment import System
from tests.support.scenario import EPOCH_SECONDS

GRACE_SECONDS = 86_400
DAY_SECONDS = 86_400
SECP256K1_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
UINT32_MAX = 2**32 - 1


@dataclass(frozen=True)
class Figures:
    """One cluster in one epoch. The defaults are an hour of eight GPUs."""

    cluster_id: int
    energy_wh: int = 4_900
    contracted: int = 28_800
    available: int = 28_100
    busy: int = 19_000
    billable: int = 17_500

    @property
    def word(self) -> int:
        """The figures in one word, as `ClusterFigures` draws it."""
        word = 0
        for field in (
            self.cluster_id,
            self.energy_wh,
            self.contracted,
            self.available,
            self.busy,
            self.billable,
        ):
            word = word << 32 | field
        return word

    def without_energy(self) -> Figures:
        return replace(self, energy_wh=0)


@dataclass(frozen=True)
class Reading:
    """A cluster's counters, as `MeterReading` lists them."""

    epoch: int = 0
    energy_wh: int = 0
    contracted: int = 0
    available: int = 0
    billable: int = 0

    def plus(self, figures: Figures, epoch: int) -> Reading:
        return Reading(
            epoch,
            self.energy_wh + figures.energy_wh,
            self.contracted + figures.contracted,
            self.available + figures.available,
            self.billable + figures.billable,
        )

    @property
    def word(self) -> int:
        """The counters in one word, as `PackedReading` draws it."""
        word = self.epoch
        for counter in (self.energy_wh, self.contracted, self.available, self.billable):
            word = word << 56 | counter
        return word

    @classmethod
    def of(cls, struct: Any) -> Reading:
        """The struct that a call returned."""
        return cls(*(int(value) for value in struct))


def reporter_keys(count: int) -> list[LocalAccount]:
    """`count` keys of their own, always the same ones."""
    return [Account.from_key(keccak(text=f"reporter {index}")) for index in range(count)]


def let_name_reporters(system: System, oracle_admin: AccountAPI, admin: AccountAPI) -> None:
    """Most tests have no use for bonds and delays: the oracle's admin names reporters itself."""
    role = roles.REPORTER_REGISTRY_ROLE
    system.authority.grantRole(role, oracle_admin, 0, sender=admin)


def quorum_of(count: int) -> int:
    """The smallest number above two thirds of `count`."""
    return next(k for k in range(1, count + 2) if 3 * k > 2 * count)


def leaf_of(figures: Figures, epoch: int, sample_root: bytes) -> bytes:
    return keccak(
        keccak(
            encode(
                ["uint32", "uint32", "uint256", "bytes32"],
                [figures.cluster_id, epoch, figures.word, sample_root],
            )
        )
    )


def _pair(left: bytes, right: bytes) -> bytes:
    return keccak(min(left, right) + max(left, right))


def merkle(leaves: Sequence[bytes]) -> tuple[bytes, list[list[bytes]]]:
    """Root of the standard tree, and each leaf's proof in the order of `leaves`."""
    size = len(leaves)
    order = sorted(range(size), key=lambda index: leaves[index])
    nodes = [b""] * (2 * size - 1)
    position = {}
    for rank, index in enumerate(order):
        position[index] = 2 * size - 2 - rank
        nodes[position[index]] = leaves[index]
    for parent in range(size - 2, -1, -1):
        nodes[parent] = _pair(nodes[2 * parent + 1], nodes[2 * parent + 2])
    proofs = []
    for index in range(size):
        at, proof = position[index], []
        while at:
            proof.append(nodes[at + 1 if at % 2 else at - 1])
            at = (at - 1) // 2
        proofs.append(proof)
    return nodes[0], proofs


@dataclass(frozen=True)
class Report:
    """What a quorum signs, and where: the domain's chain and contract."""

    chain_id: int
    oracle: str
    set_id: int
    epoch: int
    figures: tuple[Figures, ...]
    salt: int = 0
    """Varies the samples behind equal figures, and so the root."""
    round: int = 0

    def sample_root(self, index: int) -> bytes:
        return keccak(text=f"samples {self.salt} {self.figures[index].cluster_id} {self.epoch}")

    @property
    def leaves(self) -> list[bytes]:
        return [
            leaf_of(figures, self.epoch, self.sample_root(index))
            for index, figures in enumerate(self.figures)
        ]

    @cached_property
    def root(self) -> bytes:
        return merkle(self.leaves)[0]

    def proof(self, index: int) -> list[bytes]:
        return merkle(self.leaves)[1][index]

    @property
    def words(self) -> list[int]:
        return [figures.word for figures in self.figures]

    @cached_property
    def digest(self) -> bytes:
        return self.digest_over(self.root)

    def digest_over(self, root: bytes) -> bytes:
        """The digest with another root than that of the figures."""
        message = encode_typed_data(
            domain_data={
                "name": "Rackstream MetricsOracle",
                "version": "1",
                "chainId": self.chain_id,
                "verifyingContract": self.oracle,
            },
            message_types={
                "Report": [
                    {"name": "reporterSetId", "type": "uint32"},
                    {"name": "epoch", "type": "uint32"},
                    {"name": "round", "type": "uint32"},
                    {"name": "root", "type": "bytes32"},
                    {"name": "figuresHash", "type": "bytes32"},
                ]
            },
            message_data={
                "reporterSetId": self.set_id,
                "epoch": self.epoch,
                "round": self.round,
                "root": root,
                "figuresHash": keccak(b"".join(word.to_bytes(32) for word in self.words)),
            },
        )
        return keccak(b"\x19" + message.version + message.header + message.body)

    def signature(self, signer: LocalAccount) -> bytes:
        return bytes(signer.unsafe_sign_hash(Hash32(self.digest)).signature)

    def signatures(self, signers: Sequence[LocalAccount]) -> bytes:
        return b"".join(self.signature(signer) for signer in signers)

    @property
    def header(self) -> tuple[int, int, int, bytes]:
        """The contract's ReportHeader."""
        return self.set_id, self.epoch, self.round, self.root

    def args(self, signatures: bytes) -> tuple[tuple[int, int, int, bytes], list[int], bytes]:
        """The arguments of `postReport`."""
        return self.header, self.words, signatures


@dataclass(frozen=True)
class Sampled(Report):
    """A report with samples behind its last cluster: (gpuId, atMs, busyBps, billableBps, energyMj,
    xid) each.
    """

    samples: tuple[tuple[bytes, int, int, int, int, int], ...] = ()

    def sample_root(self, index: int) -> bytes:
        if index < len(self.figures) - 1:
            return super().sample_root(index)
        return merkle([sample_leaf(sample) for sample in self.samples])[0]

    def sample_proof(self, number: int) -> list[bytes]:
        return merkle([sample_leaf(sample) for sample in self.samples])[1][number]


def sample_leaf(sample: tuple[bytes, int, int, int, int, int]) -> bytes:
    """As contracts/types/Sample.sol."""
    types = ["bytes32", "uint64", "uint16", "uint16", "uint64", "uint16"]
    return keccak(keccak(encode(types, sample)))


def samples_of(count: int) -> tuple[tuple[bytes, int, int, int, int, int], ...]:
    """So many samples, no two alike."""
    return tuple(
        (keccak(text=f"GPU {number}"), 1_700_000_000_000 + number, 9_000, 8_000, 10**9 + number, 0)
        for number in range(count)
    )


def end_of(epoch: int) -> int:
    """The first second after `epoch`."""
    return (epoch + 1) * EPOCH_SECONDS


@dataclass(frozen=True)
class Newsdesk:
    """Reporters with their oracle: writes reports, has them signed and posts them."""

    oracle: ContractInstance
    keys: tuple[LocalAccount, ...]
    transmitter: AccountAPI

    @property
    def quorum(self) -> tuple[LocalAccount, ...]:
        return self.keys[: quorum_of(len(self.keys))]

    def report(self, epoch: int, *figures: Figures | int, salt: int = 0) -> Report:
        """A report of `epoch`; a bare cluster id stands for the default figures."""
        return Report(
            chain_id=int(chain.chain_id),
            oracle=str(self.oracle.address),
            set_id=int(self.oracle.reporterSetId()),
            epoch=epoch,
            figures=tuple(f if isinstance(f, Figures) else Figures(f) for f in figures),
            salt=salt,
        )

    def post(self, report: Report, signers: Sequence[LocalAccount] | None = None) -> ReceiptAPI:
        """Post `report` with a quorum's signatures, or those of `signers`."""
        signatures = report.signatures(self.quorum if signers is None else signers)
        receipt: ReceiptAPI = self.oracle.postReport(
            *report.args(signatures), sender=self.transmitter
        )
        return receipt

    def post_at(self, timestamp: int, report: Report) -> ReceiptAPI:
        """Post `report` in a block of that second."""
        chain.pending_timestamp = timestamp
        return self.post(report)

    def reading(self, cluster_id: int) -> Reading:
        return Reading.of(self.oracle.reading(cluster_id))

    def events(self, receipt: ReceiptAPI, name: str) -> list[dict[str, Any]]:
        """The arguments of the oracle's events of that name, in order."""
        return [
            dict(log.event_arguments) for log in receipt.decode_logs(getattr(self.oracle, name))
        ]


def malleated(signature: bytes) -> bytes:
    """The other signature that the same key and message have: s mirrored, v flipped."""
    s = SECP256K1_ORDER - int.from_bytes(signature[32:64])
    return signature[:32] + s.to_bytes(32) + bytes([55 - signature[64]])
