"""Holding what a reporter tells of an epoch against the chain, for whoever believes nobody.

1. The contract knows a report of this root, epoch and reporter set.
2. It binds the figures told, and the samples' root, to the cluster.
3. The figures are those that the contract counted, or lets wait; or the chain itself says why it
   counts others: their energy came too late, or a dispute holds them or was settled on others.
4. Who signed, from the transaction that brought the report: each a registered operator's key. That
   they were a quorum of that set the contract saw to when it took the report.
5. Samples that were asked for are among those behind the figures.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import httpx

from api.domain.codec import parse_digest, parse_hex, parse_uint
from api.domain.figures import ClusterFigures
from api.domain.gpu_set import GpuSet
from api.errors import InvalidInput, Malformed, NotFound
from api.types import UINT32_MAX, UINT256_MAX, Digest
from scripts._lib import posted
from scripts._lib.deployment import System
from scripts._lib.events import newest_first

ZERO_ADDRESS = "0x" + "00" * 20


@dataclass(frozen=True)
class Check:
    """One thing that was looked at, and whether it holds."""

    what: str
    holds: bool


class Binding(NamedTuple):
    """That a report's root binds a cluster's figures to a root of samples: in their order, with
    the root of the samples after the figures, the arguments of `MetricsOracle.verifyFigures`."""

    root: Digest
    epoch: int
    figures: int
    sample_root: Digest
    proof: list[Digest]


class ProvenSample(NamedTuple):
    """A sample in the order of Sample.sol, and the proof from its leaf to the samples' root."""

    sample: tuple[bytes, int, int, int, int, int]
    proof: list[Digest]


def fetch(url: str, cluster_id: int, epoch: int, gpu: str | None, at_ms: int | None) -> Any:
    """What the reporter at `url` tells of an epoch; with the proof of a GPU's sample, or of its
    first and its last one, if a GPU is named.

    Raises NotFound with the reporter's words, or InvalidInput if it does not answer with JSON.
    """
    asked = {"gpu": gpu, "atMs": at_ms}
    return _answer(
        url,
        f"/v1/clusters/{cluster_id}/reports/{epoch}",
        {name: value for name, value in asked.items() if value is not None},
    )


def fetch_gpus(url: str, cluster_id: int, root: bytes) -> GpuSet:
    """The registered GPUs with this root, as the reporter at `url` has them. Raises as `fetch`, and
    InvalidInput if they have another root."""
    path = f"/v1/clusters/{cluster_id}/gpus"
    gpus = GpuSet.from_json(_answer(url, path, {"root": "0x" + root.hex()}))
    if gpus.root != root:
        raise InvalidInput(f"{url} tells another set of GPUs", value=gpus.root, limit=root)
    return gpus


def binding(told: Mapping[str, Any]) -> Binding:
    """What a told report's root binds. Raises InvalidInput naming a field that is no report's."""
    bound = told.get("boundFigures")
    return Binding(
        parse_digest(told.get("root"), "root"),
        parse_uint(told.get("epoch"), "epoch", UINT32_MAX),
        parse_uint(told.get("packedFigures") if bound is None else bound, "figures", UINT256_MAX),
        parse_digest(told.get("sampleRoot"), "sampleRoot"),
        _proof(told.get("proof"), "proof"),
    )


def samples(told: Mapping[str, Any]) -> list[ProvenSample]:
    """The samples that a report was told with. Raises InvalidInput naming a wrong field."""
    entries = told.get("samples") or []
    if not isinstance(entries, list) or not all(isinstance(one, Mapping) for one in entries):
        raise Malformed("samples", entries, "a list of objects")
    return [_proven(entry) for entry in entries]


def verify(system: System, told: Mapping[str, Any]) -> Iterator[Check]:
    """Each thing that can be held against the chain.

    Raises InvalidInput naming a field that is no report's.
    """
    bound = binding(told)
    root, epoch = bound.root, bound.epoch
    set_id = parse_uint(told.get("reporterSetId"), "reporterSetId", UINT32_MAX)
    packed = parse_uint(told.get("packedFigures"), "packedFigures", UINT256_MAX)
    record = system.oracle.report(root)
    yield Check(
        f"the contract has a report {told['root']} of epoch {epoch} by set {set_id}",
        (int(record.epoch), int(record.reporterSetId)) == (epoch, set_id) and epoch > 0,
    )
    cluster_id = ClusterFigures.unpack(bound.figures).cluster_id
    yield Check(
        f"it binds these figures of cluster {cluster_id} and the samples' root",
        bool(system.oracle.verifyFigures(*bound)),
    )
    carrier = posted.transaction(
        parse_digest((told.get("transaction") or {}).get("hash"), "transaction.hash")
    )
    yield _counting(system, bound, packed, int(carrier["blockNumber"], 16))
    yield from _signers(system, root, carrier)
    for one in samples(told):
        yield _sample_check(system, bound, one)


def _counting(system: System, bound: Binding, packed: int, from_block: int) -> Check:
    """Whether the chain counts what is told, and if that is not what was reported, why."""
    figures = ClusterFigures.unpack(bound.figures)
    events = newest_first(
        "MetricsOracle",
        str(system.oracle.address),
        ["FiguresPosted", "FiguresFinal", "EnergyLapsed", "FiguresHeld", "FiguresSettled"],
        from_block=from_block,
        first_indexed=figures.cluster_id,
    )
    of_epoch = [one for one in events if one.fields["epoch"] == bound.epoch]
    words: dict[str, list[int]] = {}
    for event in reversed(of_epoch):
        if event.name != "EnergyLapsed":
            words.setdefault(event.name, []).append(int(event.fields["figures"]))
    is_late = any(event.name == "EnergyLapsed" for event in of_epoch)
    taken = replace(figures, energy_wh=0).pack() if is_late else bound.figures
    settled = words.get("FiguresSettled", [])
    counted = settled[-1] if settled else taken
    what = "the contract counted these figures and no others"
    if is_late:
        what = "the contract counts these figures without their energy, which came too late"
    if counted != taken:
        what = (
            "the contract counts other figures, on which a dispute was settled:"
            f" {posted.figures_in_words(counted)}"
        )
    elif settled:
        what += "; a dispute left them standing"
    elif "FiguresHeld" in words:
        what = "the figures are disputed: the contract counts none until it is settled which"
    as_reported = words.get("FiguresPosted", []) + words.get("FiguresHeld", [])
    finals = words.get("FiguresFinal", [])
    return Check(
        what,
        bool(as_reported or finals)
        and set(as_reported) <= {taken}
        and set(finals) <= {counted}
        and packed == counted,
    )


def _signers(system: System, root: Digest, carrier: Mapping[str, Any]) -> Iterator[Check]:
    """Who signed, from the transaction itself; nothing if a contract in between called."""
    call = posted.call_in(carrier, root)
    if call is None:
        return
    signers = posted.signers(system, call)
    operators = {system.reporter_registry.operatorOf(signer) for signer in signers} - {ZERO_ADDRESS}
    yield Check(
        f"{len(signers)} keys signed it, of as many registered operators: {', '.join(signers)}",
        len(operators) == len(signers),
    )


def _sample_check(system: System, bound: Binding, proven: ProvenSample) -> Check:
    gpu, at_ms, busy, billable, energy, _ = proven.sample
    return Check(
        f"GPU 0x{gpu.hex()} at {at_ms}: {busy} bps busy, {billable} billable, {energy} mJ so far,"
        " is behind them",
        bool(
            system.oracle.verifySample(
                bound.root, bound.epoch, bound.figures, bound.proof, proven.sample, proven.proof
            )
        ),
    )


def _proven(entry: Mapping[str, Any]) -> ProvenSample:
    told = entry.get("sample")
    if not isinstance(told, Mapping):
        raise Malformed("sample", told, "an object")
    at_ms, busy, billable, energy, xid = (
        parse_uint(told.get(field), field, UINT256_MAX)
        for field in ("atMs", "busyBps", "billableBps", "energyMj", "xid")
    )
    gpu = parse_hex(told.get("gpu"), "gpu", 32)
    return ProvenSample(
        (gpu, at_ms, busy, billable, energy, xid), _proof(entry.get("proof"), "proof")
    )


def _proof(nodes: object, field: str) -> list[Digest]:
    if not isinstance(nodes, list):
        raise Malformed(
            field, nodes, "a list of hashes: the reporter does not know the samples yet"
        )
    return [parse_digest(node, field) for node in nodes]


def _answer(url: str, path: str, parameters: Mapping[str, Any]) -> Any:
    try:
        answer = httpx.get(url.rstrip("/") + path, params=dict(parameters), timeout=30)
        told = answer.json()
    except (httpx.HTTPError, ValueError) as error:
        raise InvalidInput(f"{url} tells nothing: {error}", value=url) from error
    if answer.status_code != httpx.codes.OK:
        raise NotFound(str(told.get("detail", answer.status_code)), value=path)
    return told
