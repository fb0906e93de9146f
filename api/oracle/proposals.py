"""What a proposer sends to its peers, as JSON.

    {"reporterSetId": 1, "epoch": 480000, "round": 0, "root": "0x…",
     "clusters": [{"clusterId": 1, "batchIds": ["0x…", …], "sampleRoot": "0x…", "figures": "…"}],
     "signature": "0x…"}

`figures` is the packed word of `contracts/types/ClusterFigures.sol` in decimal. The signature is
the proposer's under the report itself, the first of its quorum: whoever proposes is held to it. It
does not bind the batches; who cannot compute the report from them does not sign.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from api.domain.codec import parse_digest, parse_hex, parse_json, parse_uint, to_hex
from api.domain.eip712 import Eip712Domain
from api.domain.figures import ClusterFigures
from api.domain.reports import ClusterReport, Report
from api.domain.signing import recover
from api.errors import Incoherent, Malformed, Oversized
from api.types import (
    UINT32_MAX,
    UINT256_MAX,
    Address,
    ClusterId,
    Digest,
    Epoch,
    Signature,
)

MAX_PROPOSAL_BYTES: Final = 32 * 1024 * 1024
"""Half a million batch ids."""


@dataclass(frozen=True, slots=True)
class ClusterProposal:
    """One cluster's part: the batches to compute from, and what the proposer computed."""

    batch_ids: tuple[Digest, ...]
    report: ClusterReport

    @property
    def cluster_id(self) -> ClusterId:
        return self.report.cluster_id


@dataclass(frozen=True)
class Proposal:
    """A report for others to verify and sign. Clusters are ascending, each once."""

    reporter_set_id: int
    epoch: Epoch
    round: int
    clusters: tuple[ClusterProposal, ...]

    @cached_property
    def report(self) -> Report:
        """What the chain will be shown."""
        return Report(
            self.reporter_set_id,
            self.epoch,
            self.round,
            (cluster.report for cluster in self.clusters),
        )

    @property
    def root(self) -> Digest:
        return self.report.root

    @cached_property
    def content(self) -> bytes:
        """The clusters as canonical JSON: what is kept."""
        return _canonical([_cluster_json(cluster) for cluster in self.clusters])

    def signed_json(self, signature: Signature) -> bytes:
        """The body of `POST /v1/peer/proposals`, with the proposer's signature under the report."""
        head = _canonical(
            {
                "reporterSetId": self.reporter_set_id,
                "epoch": self.epoch,
                "round": self.round,
                "root": to_hex(self.root),
                "signature": to_hex(signature),
            }
        )
        return head[:-1] + b',"clusters":' + self.content + b"}"


@dataclass(frozen=True, slots=True)
class SignedProposal:
    """A proposal with its proposer's signature, which is read, not verified."""

    proposal: Proposal
    signature: Signature

    def proposer(self, domain: Eip712Domain) -> Address:
        """Who signed it; `domain` is `oracle_domain`'s. Raises BadSignature."""
        return recover(self.proposal.report.digest(domain), self.signature)


def parse_proposal(body: bytes) -> SignedProposal:
    """The proposal in the body of a request.

    Raises InvalidInput's subclasses; Incoherent also where its root is not that of its clusters.
    """
    if len(body) > MAX_PROPOSAL_BYTES:
        raise Oversized("bytes", len(body), MAX_PROPOSAL_BYTES)
    value = _mapping(parse_json(body, "proposal"), "proposal")
    epoch = Epoch(parse_uint(value.get("epoch"), "epoch", UINT32_MAX))
    proposal = Proposal(
        parse_uint(value.get("reporterSetId"), "reporterSetId", UINT32_MAX),
        epoch,
        parse_uint(value.get("round"), "round", UINT32_MAX),
        _clusters(value.get("clusters")),
    )
    claimed = parse_digest(value.get("root"), "root")
    if claimed != proposal.root:
        raise Incoherent(
            f"root is {to_hex(claimed)}, that of the clusters is {to_hex(proposal.root)}",
            value=to_hex(claimed),
            limit=to_hex(proposal.root),
        )
    return SignedProposal(proposal, Signature(parse_hex(value.get("signature"), "signature", 65)))


def restore(reporter_set_id: int, epoch: Epoch, round_: int, content: bytes) -> Proposal:
    """The proposal whose `content` was kept, or told by a peer. Raises InvalidInput."""
    return Proposal(reporter_set_id, epoch, round_, _clusters(parse_json(content, "clusters")))


def _clusters(value: object) -> tuple[ClusterProposal, ...]:
    if not isinstance(value, list):
        raise Malformed("clusters", value, "a list")
    clusters = tuple(_cluster(_mapping(entry, "clusters")) for entry in value)
    return tuple(sorted(clusters, key=lambda cluster: cluster.cluster_id))


def _cluster(value: Mapping[str, Any]) -> ClusterProposal:
    cluster_id = parse_uint(value.get("clusterId"), "clusterId", UINT32_MAX)
    figures = ClusterFigures.unpack(parse_uint(value.get("figures"), "figures", UINT256_MAX))
    if figures.cluster_id != cluster_id:
        raise Incoherent(
            f"the figures under cluster {cluster_id} are of cluster {figures.cluster_id}",
            value=figures.cluster_id,
            limit=cluster_id,
        )
    ids = value.get("batchIds")
    if not isinstance(ids, list):
        raise Malformed("batchIds", ids, "a list")
    return ClusterProposal(
        parse_ids(ids),
        ClusterReport(figures, parse_digest(value.get("sampleRoot"), "sampleRoot")),
    )


def parse_ids(ids: Iterable[object]) -> tuple[Digest, ...]:
    """Batch ids, ascending, each once. Raises Malformed."""
    return tuple(sorted({parse_digest(batch_id, "batchIds") for batch_id in ids}))


def _cluster_json(cluster: ClusterProposal) -> dict[str, object]:
    return {
        "clusterId": cluster.cluster_id,
        "batchIds": [to_hex(batch_id) for batch_id in cluster.batch_ids],
        "sampleRoot": to_hex(cluster.report.sample_root),
        "figures": str(cluster.report.figures.pack()),
    }


def _mapping(value: object, field: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise Malformed(field, value, "an object")
    return value


def _canonical(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
