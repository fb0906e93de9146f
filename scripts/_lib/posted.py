"""Reports as the chain was given them: under which root, in which call, with whose signatures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple, dataclass
from typing import Any

from ape import chain

from api.chain.abi import contract_abi
from api.chain.views import PostedCall, ReportHeader
from api.domain.codec import to_hex
from api.domain.equivocation import SignedReport
from api.domain.figures import ClusterFigures
from api.domain.signing import recover
from api.errors import NotFound, ReportNotFound
from api.types import SIGNATURE_BYTES, Address, ClusterId, Digest, Epoch, Signature
from scripts._lib.deployment import System
from scripts._lib.events import newest_first

FIELDS: Mapping[str, str] = {
    "energyWh": "energy_wh",
    "contractedGpuSeconds": "contracted_gpu_seconds",
    "availableGpuSeconds": "available_gpu_seconds",
    "busyGpuSeconds": "busy_gpu_seconds",
    "billableGpuSeconds": "billable_gpu_seconds",
}
"""A cluster's figures as the contracts name them, and the attributes of `ClusterFigures`."""


@dataclass(frozen=True)
class Subject:
    """A cluster's figures of an epoch. Nothing on chain about them is before `from_block`."""

    cluster_id: int
    epoch: int
    from_block: int


def figures_in_words(packed: int) -> str:
    """Every figure in a packed word with its name."""
    figures = ClusterFigures.unpack(packed)
    return ", ".join(f"{name}={getattr(figures, field):,}" for name, field in FIELDS.items())


def root_of(system: System, subject: Subject) -> Digest:
    """The root of the report that an epoch's figures were posted with. Raises ReportNotFound."""
    root = None
    for event in newest_first(
        "MetricsOracle",
        str(system.oracle.address),
        ["ReportPosted", "FiguresPosted"],
        from_block=subject.from_block,
    ):
        if event.fields["epoch"] != subject.epoch:
            continue
        # Read backwards: a report is told of after what the contract took from it.
        if event.name == "ReportPosted":
            root = Digest(event.fields["root"])
        elif event.fields["clusterId"] == subject.cluster_id and root is not None:
            return root
    raise ReportNotFound(ClusterId(subject.cluster_id), Epoch(subject.epoch))


def transaction(tx_hash: Digest) -> Mapping[str, Any]:
    """A transaction as the node has it. Raises NotFound."""
    found = chain.provider.make_request("eth_getTransactionByHash", [to_hex(tx_hash)])
    if found is None:
        raise NotFound(f"there is no transaction {to_hex(tx_hash)}", value=to_hex(tx_hash))
    return dict(found)


def transaction_of(system: System, root: Digest, from_block: int) -> Mapping[str, Any]:
    """The transaction that brought the report with this root. Raises NotFound."""
    for event in newest_first(
        "MetricsOracle",
        str(system.oracle.address),
        ["ReportPosted"],
        from_block=from_block,
        first_indexed=to_hex(root),
    ):
        return transaction(Digest(bytes.fromhex(event.tx_hash.removeprefix("0x"))))
    raise NotFound(f"there is no report {to_hex(root)}", value=to_hex(root))


def call_in(carrier: Mapping[str, Any], root: Digest) -> PostedCall | None:
    """What `postReport` was called with in a transaction; None if a contract in between called it
    for the report with this root.
    """
    calldata = bytes.fromhex(str(carrier["input"]).removeprefix("0x"))
    arguments = contract_abi("MetricsOracle").functions["postReport"].decode_arguments(calldata)
    if not arguments or arguments[0][3] != root:
        return None
    header, figures, signatures = arguments
    return PostedCall(ReportHeader(*header), tuple(figures), signatures)


def signed_reports(call: PostedCall) -> list[SignedReport]:
    """The report once for each of its signatures."""
    header, signatures = call.header, call.signatures
    return [
        SignedReport(
            header.reporter_set_id,
            Epoch(header.epoch),
            header.round,
            Digest(header.root),
            call.figures,
            Signature(signatures[at : at + SIGNATURE_BYTES]),
        )
        for at in range(0, len(signatures), SIGNATURE_BYTES)
    ]


def signers(system: System, call: PostedCall) -> list[Address]:
    """Who made each of the signatures, in their order."""
    digest = Digest(bytes(system.oracle.reportDigest(astuple(call.header), list(call.figures))))
    return [recover(digest, report.signature) for report in signed_reports(call)]
