"""A proposal survives the wire, and nothing of it can be changed on the way."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given

from api.domain.eip712 import oracle_domain
from api.domain.figures import ClusterFigures
from api.domain.reports import ClusterReport
from api.domain.signing import Signer
from api.errors import BadSignature, Incoherent, InvalidInput, Malformed, OutOfRange, Oversized
from api.oracle.proposals import (
    MAX_PROPOSAL_BYTES,
    ClusterProposal,
    Proposal,
    parse_proposal,
    restore,
)
from api.oracle.rounds import proposer_of, round_at
from api.types import Address, ClusterId, Digest, Epoch
from tests.support.mangled import mangled_json
from tests.support.search import searched

SIGNER = Signer(b"\x05" * 32)
ORACLE = Address("0x2222222222222222222222222222222222222222")
DOMAIN = oracle_domain(31337, ORACLE)


def part(cluster_id: int, *ids: int) -> ClusterProposal:
    figures = ClusterFigures(ClusterId(cluster_id), 5, 3_600, 3_500, 3_000, 2_000)
    batch_ids = tuple(Digest(bytes([number]) * 32) for number in sorted(ids))
    return ClusterProposal(batch_ids, ClusterReport(figures, Digest(b"\x09" * 32)))


PROPOSAL = Proposal(3, Epoch(472_222), 1, (part(1, 4, 2), part(2)))
BODY = PROPOSAL.signed_json(SIGNER.sign(PROPOSAL.report.digest(DOMAIN)))


def test_parse_proposal__what_signed_json_wrote__is_the_same() -> None:
    signed = parse_proposal(BODY)
    assert signed.proposal == PROPOSAL
    assert signed.proposer(DOMAIN) == SIGNER.address


def test_restore__kept_content__is_the_same() -> None:
    assert restore(3, Epoch(472_222), 1, PROPOSAL.content) == PROPOSAL


@pytest.mark.parametrize(
    "change",
    [
        lambda value: value.update(reporterSetId=4),
        lambda value: value.update(round=2),
    ],
)
def test_proposer__what_the_report_is_of_changed__is_somebody_else(
    change: Callable[[dict[str, Any]], object],
) -> None:
    value = json.loads(BODY)
    change(value)
    assert parse_proposal(json.dumps(value).encode()).proposer(DOMAIN) != SIGNER.address


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (lambda value: value.pop("epoch"), Malformed),
        (lambda value: value.update(epoch=2**32), OutOfRange),
        (lambda value: value.update(epoch=472_223), Incoherent),
        (lambda value: value.update(root="0x00"), Malformed),
        (lambda value: value.update(root="0x" + "00" * 32), Incoherent),
        (lambda value: value.update(signature="0x"), Malformed),
        (lambda value: value.update(clusters={}), Malformed),
        (lambda value: value.update(clusters=[]), InvalidInput),
        (lambda value: value.update(clusters=[1]), Malformed),
        (lambda value: value["clusters"][0].update(clusterId=7), Incoherent),
        (lambda value: value["clusters"][0].update(figures=-1), OutOfRange),
        (lambda value: value["clusters"][0].update(figures=str(2**200)), Incoherent),
        (lambda value: value["clusters"][0].update(batchIds="all"), Malformed),
        (lambda value: value["clusters"][0].update(batchIds=["0x12"]), Malformed),
        (lambda value: value["clusters"][0].update(sampleRoot=None), Malformed),
        (lambda value: value["clusters"].append(value["clusters"][0]), InvalidInput),
    ],
)
def test_parse_proposal__breaks_a_rule__refused(
    change: Callable[[dict[str, Any]], object], error: type[Exception]
) -> None:
    value = json.loads(BODY)
    change(value)
    with pytest.raises(error):
        parse_proposal(json.dumps(value).encode())


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'"x"', b"[" * 100_000])
def test_parse_proposal__no_object__malformed(body: bytes) -> None:
    with pytest.raises(Malformed):
        parse_proposal(body)


def test_parse_proposal__too_long__oversized() -> None:
    with pytest.raises(Oversized):
        parse_proposal(b" " * (MAX_PROPOSAL_BYTES + 1))


@pytest.mark.property
@searched(300)
@given(mangled_json(json.loads(BODY)))
def test_parse_proposal__any_bytes__are_a_proposal_or_refused(body: bytes) -> None:
    try:
        signed = parse_proposal(body)
    except InvalidInput:
        return
    proposal = signed.proposal
    assert (
        restore(proposal.reporter_set_id, proposal.epoch, proposal.round, proposal.content)
        == proposal
    )
    with suppress(BadSignature):
        signed.proposer(DOMAIN)


REPORTERS = tuple(Address(f"0x{number:040x}") for number in range(4))


@pytest.mark.parametrize(
    ("epoch", "round_", "index"), [(8, 0, 0), (9, 0, 1), (8, 1, 1), (11, 1, 0), (8, 7, 3)]
)
def test_proposer_of__epoch_and_round__takes_turns(epoch: int, round_: int, index: int) -> None:
    assert proposer_of(REPORTERS, Epoch(epoch), round_) == REPORTERS[index]


@pytest.mark.parametrize(("after_end", "round_"), [(-1, -1), (0, 0), (59, 0), (60, 1), (3_600, 60)])
def test_round_at__seconds_after_the_end__minutes(after_end: int, round_: int) -> None:
    assert round_at(9 * 3_600 + after_end, Epoch(8)) == round_
