from __future__ import annotations

from fractions import Fraction

import pytest
from eth_abi.abi import encode
from eth_account.messages import encode_typed_data
from eth_utils.crypto import keccak
from hypothesis import given
from hypothesis import strategies as st

from api.domain.codec import to_address
from api.domain.eip712 import oracle_domain
from api.domain.figures import ClusterFigures
from api.domain.merkle import verify_proof
from api.domain.reports import ClusterReport, Report, quorum, tolerated_faults
from api.errors import Duplicated, InvalidInput, NotFound, OutOfRange
from api.types import ZERO_DIGEST, ClusterId, Digest, Epoch
from tests.support.search import searched

ORACLE = to_address(b"\x33" * 20)
EPOCH = Epoch(480_000)


def cluster(cluster_id: int, sample_root: bytes = ZERO_DIGEST) -> ClusterReport:
    return ClusterReport(
        ClusterFigures(ClusterId(cluster_id), 700, 3_600, 3_500, 1_800, 900), Digest(sample_root)
    )


cluster_lists = st.lists(
    st.builds(cluster, st.integers(1, 2**32 - 1), st.binary(min_size=32, max_size=32)),
    min_size=1,
    max_size=12,
    unique_by=lambda one: one.cluster_id,
)


@pytest.mark.property
@searched(100)
@given(cluster_lists, *[st.integers(0, 2**32 - 1)] * 3)
def test_digest__any_report__is_that_of_eth_account(
    clusters: list[ClusterReport], set_id: int, epoch: int, round_: int
) -> None:
    report = Report(set_id, Epoch(epoch), round_, clusters)
    ascending = sorted(clusters, key=lambda one: one.cluster_id)
    message = encode_typed_data(
        {
            "name": "Rackstream MetricsOracle",
            "version": "1",
            "chainId": 31337,
            "verifyingContract": ORACLE,
        },
        {
            "Report": [
                {"name": "reporterSetId", "type": "uint32"},
                {"name": "epoch", "type": "uint32"},
                {"name": "round", "type": "uint32"},
                {"name": "root", "type": "bytes32"},
                {"name": "figuresHash", "type": "bytes32"},
            ]
        },
        {
            "reporterSetId": set_id,
            "epoch": epoch,
            "round": round_,
            "root": bytes(report.root),
            "figuresHash": keccak(
                b"".join(encode(("uint256",), (one.figures.pack(),)) for one in ascending)
            ),
        },
    )
    expected = keccak(b"\x19" + message.version + message.header + message.body)
    domain = oracle_domain(31337, ORACLE)
    assert report.digest(domain) == expected
    # What a remote signer is shown is what is signed.
    shown = encode_typed_data(full_message=report.message(domain).typed_data())
    assert (shown.header, shown.body) == (message.header, message.body)


@pytest.mark.property
@searched(100)
@given(cluster_lists)
def test_proof__of_every_cluster__verifies_its_abi_encoded_leaf(
    clusters: list[ClusterReport],
) -> None:
    report = Report(1, EPOCH, 0, clusters)
    for one in clusters:
        encoded = encode(
            ("uint32", "uint32", "uint256", "bytes32"),
            (one.cluster_id, EPOCH, one.figures.pack(), bytes(one.sample_root)),
        )
        leaf = Digest(keccak(keccak(encoded)))
        assert verify_proof(report.root, leaf, report.proof(one.cluster_id))


def test_figures__clusters_in_any_order__are_ascending() -> None:
    report = Report(1, EPOCH, 0, [cluster(9), cluster(2), cluster(5)])
    assert [one.cluster_id for one in report.clusters] == [2, 5, 9]
    assert report.figures == [cluster(number).figures.pack() for number in (2, 5, 9)]


def test_report__cluster_twice__is_refused() -> None:
    with pytest.raises(Duplicated, match="cluster 2 is there twice"):
        Report(1, EPOCH, 0, [cluster(2), cluster(2, b"\x01" * 32)])


def test_report__no_cluster__is_refused() -> None:
    with pytest.raises(InvalidInput, match="at least one cluster"):
        Report(1, EPOCH, 0, [])


@pytest.mark.parametrize(
    ("set_id", "epoch", "round_"),
    [(2**32, 1, 0), (1, 2**32, 0), (-1, 1, 0), (1, 1, 2**32), (1, 1, -1)],
)
def test_report__no_uint32__is_refused(set_id: int, epoch: int, round_: int) -> None:
    with pytest.raises(OutOfRange):
        Report(set_id, Epoch(epoch), round_, [cluster(1)])


def test_proof__cluster_not_covered__is_refused() -> None:
    with pytest.raises(NotFound, match="does not cover cluster 2"):
        Report(1, EPOCH, 0, [cluster(1)]).proof(ClusterId(2))


@pytest.mark.parametrize("reporters", range(1, 32))
def test_quorum__any_number__is_the_least_above_two_thirds(reporters: int) -> None:
    assert Fraction(quorum(reporters)) > Fraction(2 * reporters, 3)
    assert Fraction(quorum(reporters) - 1) <= Fraction(2 * reporters, 3)
    assert quorum(reporters) + tolerated_faults(reporters) == reporters
    # Two quorums share at least one more than may lie.
    assert 2 * quorum(reporters) - reporters > tolerated_faults(reporters)


def test_quorum__four__is_three_and_tolerates_one() -> None:
    assert (quorum(4), tolerated_faults(4)) == (3, 1)


@pytest.mark.parametrize("reporters", [0, 32])
def test_quorum__no_set_of_reporters__is_refused(reporters: int) -> None:
    with pytest.raises(OutOfRange, match=f"reporters is {reporters}, allowed is 1 to 31"):
        quorum(reporters)
