"""api/domain/equivocation.py: which two signed reports an honest reporter cannot have signed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from api.domain.codec import to_hex
from api.domain.eip712 import oracle_domain
from api.domain.equivocation import SignedReport, equivocation, parse_signed_report
from api.domain.signing import Signer
from api.errors import BadSignature, InvalidInput
from api.types import Address, ClusterId, Digest, Epoch, Signature

DOMAIN = oracle_domain(31337, Address("0x2222222222222222222222222222222222222222"))
KEY = Signer(b"\x05" * 32)


def report(*clusters: int, root: int = 1, figure: int = 0, **change: Any) -> SignedReport:
    """A report of round 2 of epoch 480,000 that KEY signed, but for what is changed."""
    words = tuple(cluster << 160 | figure for cluster in clusters)
    unsigned = SignedReport(1, Epoch(480_000), 2, Digest(bytes([root]) * 32), words, Signature(b""))
    unsigned = replace(unsigned, **change)
    return replace(unsigned, signature=KEY.sign(unsigned.digest(DOMAIN)))


def test_signer__as_signed__is_the_key() -> None:
    assert report(1, 2).signer(DOMAIN) == KEY.address


def test_signer__no_signature__refused() -> None:
    with pytest.raises(BadSignature):
        replace(report(1), signature=Signature(bytes(65))).signer(DOMAIN)


@pytest.mark.parametrize(
    "second",
    [
        report(1, 2, 5, root=2),
        report(1, 2, 5, figure=1),
        report(2, root=2),
        report(2, 7, root=2, figure=1),
    ],
)
def test_equivocation__one_cluster_in_both__proof_with_its_places(second: SignedReport) -> None:
    first = report(1, 2, 5)
    for one, other in ((first, second), (second, first)):
        proof = equivocation(KEY.address, one, other)
        assert proof is not None
        assert (proof.reporter, proof.first, proof.second) == (KEY.address, one, other)
        assert one.figures[proof.first_index] >> 160 == proof.cluster_id
        assert other.figures[proof.second_index] >> 160 == proof.cluster_id


def test_equivocation__several_in_both__the_lowest() -> None:
    proof = equivocation(KEY.address, report(2, 5, 9), report(1, 5, 9, root=2))
    assert proof is not None
    assert (proof.cluster_id, proof.first_index, proof.second_index) == (ClusterId(5), 1, 1)


@pytest.mark.parametrize(
    "second",
    [
        report(1, 2),
        report(3, 4, root=2),
        report(1, 2, root=2, round=3),
        report(1, 2, root=2, epoch=480_001),
        report(1, 2, root=2, reporter_set_id=2),
    ],
)
def test_equivocation__what_an_honest_reporter_may_sign__none(second: SignedReport) -> None:
    assert equivocation(KEY.address, report(1, 2), second) is None


def test_equivocation__one_report_with_two_signatures__none() -> None:
    again = replace(report(1), signature=Signature(bytes(65)))
    assert equivocation(KEY.address, report(1), again) is None


def told(**change: Any) -> dict[str, Any]:
    """A report as JSON."""
    signed = report(1, 2)
    return {
        "reporterSetId": signed.reporter_set_id,
        "epoch": signed.epoch,
        "round": signed.round,
        "root": to_hex(signed.root),
        "figures": [str(word) for word in signed.figures],
        "signature": to_hex(signed.signature),
    } | change


def test_parse_signed_report__as_told__is_the_report() -> None:
    assert parse_signed_report(told(), "first") == report(1, 2)


@pytest.mark.parametrize(
    ("value", "field"),
    [
        (None, "first"),
        ([], "first"),
        ({}, "reporterSetId"),
        (told(epoch=2**32), "epoch"),
        (told(round=-1), "round"),
        (told(root="0x12"), "root"),
        (told(figures="1"), "figures"),
        (told(figures=[str(2**256)]), "figures"),
        (told(signature="0x"), "signature"),
    ],
)
def test_parse_signed_report__something_else__names_the_field(value: object, field: str) -> None:
    with pytest.raises(InvalidInput, match=field):
        parse_signed_report(value, "first")
