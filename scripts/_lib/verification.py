"""Holding what a reporter tells of an epoch against the chain, for whoever believes nobody.

1. The contract knows a report of this root, epoch and reporter set.
2. It binds the figures told, and the samples' root, to the cluster.
3. The figures are those that the contract counted, or lets wait.
4. Who signed, from the transaction that brought the report: each a registered operator's key. That
   they were a quorum of that set the contract saw to when it took the report.
5. A sample that was asked for is among those behind the figures.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import httpx
from ape import chain

from api.chain.abi import contract_abi
from api.domain.codec import parse_digest, parse_hex, parse_uint, to_hex
from api.domain.figures import ClusterFigures
from api.domain.signing import recover
from api.errors import InvalidInput, Malformed, NotFound
from api.types import SIGNATURE_BYTES, UINT32_MAX, UINT256_MAX, Digest
from scripts._lib.deployment import System
from scripts._lib.events import newest_first

ZERO_ADDRESS = "0x" + "00" * 20


@dataclass(frozen=True)
class Check:
    """One thing that was looked at, and whether it holds."""

    what: str
    holds: bool


def fetch(url: str, cluster_id: int, epoch: int, gpu: str | None, at_ms: int | None) -> Any:
    """What the reporter at `url` tells of an epoch, with a sample's proof if one is named.

    Raises NotFound with the reporter's words, or InvalidInput if it does not answer with JSON.
    """
    parameters = {"gpu": gpu, "atMs": at_ms} if gpu is not None else {}
    path = f"{url.rstrip('/')}/v1/clusters/{cluster_id}/reports/{epoch}"
    try:
        answer = httpx.get(path, params=parameters, timeout=30)
        told = answer.json()
    except (httpx.HTTPError, ValueError) as error:
        raise InvalidInput(f"{url} tells nothing: {error}", value=url) from error
    if answer.status_code != httpx.codes.OK:
        raise NotFound(str(told.get("detail", answer.status_code)), value=epoch)
    return told


def verify(system: System, told: Mapping[str, Any]) -> Iterator[Check]:
    """Each thing that can be held against the chain.

    Raises InvalidInput naming a field that is no report's.
    """
    root = parse_digest(told.get("root"), "root")
    epoch = parse_uint(told.get("epoch"), "epoch", UINT32_MAX)
    set_id = parse_uint(told.get("reporterSetId"), "reporterSetId", UINT32_MAX)
    packed = parse_uint(told.get("packedFigures"), "packedFigures", UINT256_MAX)
    figures = ClusterFigures.unpack(packed)
    record = system.oracle.report(root)
    yield Check(
        f"the contract has a report {told['root']} of epoch {epoch} by set {set_id}",
        (int(record.epoch), int(record.reporterSetId)) == (epoch, set_id) and epoch > 0,
    )
    proof = _proof(told.get("proof"), "proof")
    sample_root = parse_digest(told.get("sampleRoot"), "sampleRoot")
    yield Check(
        f"it binds these figures of cluster {figures.cluster_id} and the samples' root",
        bool(system.oracle.verifyFigures(root, epoch, packed, sample_root, proof)),
    )
    posted = _posted(told)
    yield Check(
        "the contract counted these figures and no others",
        _counted(system, figures.cluster_id, epoch, posted) == {packed},
    )
    yield from _signers(system, root, posted)
    if told.get("sample") is not None:
        yield _sample_check(system, (root, epoch, packed, proof), told["sample"])


def _posted(told: Mapping[str, Any]) -> Mapping[str, Any]:
    """The transaction that brought the report, as the chain has it."""
    transaction = told.get("transaction") or {}
    tx_hash = parse_digest(transaction.get("hash"), "transaction.hash")
    found = chain.provider.make_request("eth_getTransactionByHash", [to_hex(tx_hash)])
    if found is None:
        raise NotFound(f"there is no transaction {to_hex(tx_hash)}", value=to_hex(tx_hash))
    return dict(found)


def _counted(system: System, cluster_id: int, epoch: int, posted: Mapping[str, Any]) -> set[int]:
    """The figures of every event that counted the epoch, or lets it wait."""
    events = newest_first(
        "MetricsOracle",
        str(system.oracle.address),
        ["FiguresFinal", "FiguresPosted"],
        from_block=int(posted["blockNumber"], 16),
        first_indexed=cluster_id,
    )
    return {int(one.fields["figures"]) for one in events if one.fields["epoch"] == epoch}


def _signers(system: System, root: Digest, posted: Mapping[str, Any]) -> Iterator[Check]:
    """Who signed, from the transaction itself; nothing if a contract in between called."""
    calldata = bytes.fromhex(str(posted["input"]).removeprefix("0x"))
    function = contract_abi("MetricsOracle").functions["postReport"]
    arguments = function.decode_arguments(calldata)
    if not arguments or arguments[0][3] != root:
        return
    header, figures, signatures = arguments
    digest = Digest(bytes(system.oracle.reportDigest(header, list(figures))))
    signers = [
        recover(digest, signatures[at : at + SIGNATURE_BYTES])
        for at in range(0, len(signatures), SIGNATURE_BYTES)
    ]
    operators = {system.reporter_registry.operatorOf(signer) for signer in signers} - {ZERO_ADDRESS}
    yield Check(
        f"{len(signers)} keys signed it, of as many registered operators: {', '.join(signers)}",
        len(operators) == len(signers),
    )


def _sample_check(system: System, bound: tuple[Any, ...], told: Mapping[str, Any]) -> Check:
    sample = told.get("sample") or {}
    numbers = [
        parse_uint(sample.get(field), field, UINT256_MAX)
        for field in ("atMs", "busyBps", "billableBps", "energyMj", "xid")
    ]
    values = (parse_hex(sample.get("gpu"), "gpu", 32), *numbers)
    return Check(
        f"GPU {sample['gpu']} at {numbers[0]}: {numbers[1]} bps busy, {numbers[2]} billable,"
        f" {numbers[3]} mJ so far, is behind them",
        bool(system.oracle.verifySample(*bound, values, _proof(told.get("proof"), "proof"))),
    )


def _proof(nodes: object, field: str) -> list[bytes]:
    if not isinstance(nodes, list):
        raise Malformed(
            field, nodes, "a list of hashes: the reporter does not know the samples yet"
        )
    return [parse_digest(node, field) for node in nodes]
