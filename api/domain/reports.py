"""A report: the figures of many clusters in one epoch, as a quorum of reporters signs them.

The bytes signed are those of `contracts/oracle/interfaces/IMetricsOracle.sol`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from api.domain.eip712 import Eip712Domain, TypedMessage, word
from api.domain.figures import ClusterFigures
from api.domain.hashing import hash_leaf, keccak256
from api.domain.merkle import MerkleTree
from api.errors import Duplicated, InvalidInput, NotFound, OutOfRange
from api.types import MAX_REPORTERS, UINT32_MAX, Address, ClusterId, Digest, Epoch

_REPORT_FIELDS = (
    ("reporterSetId", "uint32"),
    ("epoch", "uint32"),
    ("round", "uint32"),
    ("root", "bytes32"),
    ("figuresHash", "bytes32"),
)

_POSSESSION_FIELDS = (("operator", "address"), ("signer", "address"))


def possession_message(domain: Eip712Domain, operator: Address, signer: Address) -> TypedMessage:
    """What a reporter's key signs to show that `operator` holds it; `domain` is
    `reporter_registry_domain`'s.
    """
    return TypedMessage(domain, "Possession", _POSSESSION_FIELDS, (operator, signer))


def quorum(reporters: int) -> int:
    """Signatures that a report needs: floor(2n / 3) + 1 of n reporters, more than two thirds.

    With n = 3f + 1 it is 2f + 1: any two quorums share an honest reporter while at most f lie
    (Castro and Liskov, "Practical Byzantine Fault Tolerance", 1999).

    Raises:
        OutOfRange: n is not 1 to 31.
    """
    if not 1 <= reporters <= MAX_REPORTERS:
        raise OutOfRange("reporters", reporters, 1, MAX_REPORTERS)
    return 2 * reporters // 3 + 1


def tolerated_faults(reporters: int) -> int:
    """Reporters that may be dead or lying while reports still go out: n − quorum(n)."""
    return reporters - quorum(reporters)


def report_digest(
    domain: Eip712Domain,
    reporter_set_id: int,
    epoch: Epoch,
    round_: int,
    root: Digest,
    figures: Iterable[int],
) -> Digest:
    """The EIP-712 digest of a report with these packed words in the chain's order; `domain` is
    `oracle_domain`'s.
    """
    return _report_message(domain, reporter_set_id, epoch, round_, root, figures).digest


def _report_message(
    domain: Eip712Domain,
    reporter_set_id: int,
    epoch: Epoch,
    round_: int,
    root: Digest,
    figures: Iterable[int],
) -> TypedMessage:
    figures_hash = keccak256(b"".join(word(packed) for packed in figures))
    values = (reporter_set_id, epoch, round_, root, figures_hash)
    return TypedMessage(domain, "Report", _REPORT_FIELDS, values)


@dataclass(frozen=True, slots=True)
class ClusterReport:
    """One cluster in a report: its figures and the root of the samples behind them (zero if there
    were none).
    """

    figures: ClusterFigures
    sample_root: Digest

    @property
    def cluster_id(self) -> ClusterId:
        return self.figures.cluster_id

    def leaf(self, epoch: Epoch) -> Digest:
        """keccak256(keccak256(abi.encode(clusterId, epoch, figures, sampleRoot)))."""
        return hash_leaf(
            word(self.cluster_id) + word(epoch) + word(self.figures.pack()) + self.sample_root
        )


class Report:
    """An epoch's figures for a set of reporters to sign. Clusters are ascending, each once.

    Raises:
        InvalidInput: No cluster at all.
        Duplicated: A cluster is there twice.
        OutOfRange: The reporter set, the epoch or the round is no uint32.
    """

    def __init__(
        self, reporter_set_id: int, epoch: Epoch, round_: int, clusters: Iterable[ClusterReport]
    ) -> None:
        numbers = {"reporterSetId": reporter_set_id, "epoch": epoch, "round": round_}
        for name, value in numbers.items():
            if not 0 <= value <= UINT32_MAX:
                raise OutOfRange(name, value, 0, UINT32_MAX)
        self.reporter_set_id = reporter_set_id
        self.epoch = epoch
        self.round = round_
        self.clusters: tuple[ClusterReport, ...] = tuple(
            sorted(clusters, key=lambda cluster: cluster.cluster_id)
        )
        if not self.clusters:
            raise InvalidInput("a report needs at least one cluster", value=0, limit=1)
        for a, b in pairwise(self.clusters):
            if a.cluster_id == b.cluster_id:
                raise Duplicated("cluster", a.cluster_id)

    @cached_property
    def _tree(self) -> MerkleTree:
        return MerkleTree(cluster.leaf(self.epoch) for cluster in self.clusters)

    @property
    def root(self) -> Digest:
        """Binds each cluster's figures to its samples; the report's name on chain."""
        return self._tree.root

    @property
    def figures(self) -> list[int]:
        """The packed words, in the order in which the chain takes them."""
        return [cluster.figures.pack() for cluster in self.clusters]

    def digest(self, domain: Eip712Domain) -> Digest:
        """The EIP-712 digest that a reporter signs; `domain` is `oracle_domain`'s."""
        return self.message(domain).digest

    def message(self, domain: Eip712Domain) -> TypedMessage:
        """What a reporter signs; `domain` is `oracle_domain`'s."""
        return _report_message(
            domain, self.reporter_set_id, self.epoch, self.round, self.root, self.figures
        )

    def cluster(self, cluster_id: ClusterId) -> ClusterReport:
        """Raises NotFound if the report does not cover this cluster."""
        for cluster in self.clusters:
            if cluster.cluster_id == cluster_id:
                return cluster
        raise NotFound(
            f"the report of epoch {self.epoch} does not cover cluster {cluster_id}",
            value=cluster_id,
        )

    def proof(self, cluster_id: ClusterId) -> list[Digest]:
        """The Merkle proof of a cluster's leaf, as `verifyFigures` takes it. Raises NotFound."""
        return self._tree.proof(self.cluster(cluster_id).leaf(self.epoch))
