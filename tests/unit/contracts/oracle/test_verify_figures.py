"""MetricsOracle.verifyFigures and report: what a report binds stays provable."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ape.contracts import ContractInstance

from tests.support.oracle import Newsdesk, Report, end_of
from tests.support.scenario import travel_to_epoch


@pytest.fixture(params=[1, 2, 3])
def report(
    request: pytest.FixtureRequest, desk: Newsdesk, clusters: list[int], first_epoch: int
) -> Report:
    """A posted report of one, two or three clusters."""
    report = desk.report(first_epoch, *clusters[: request.param])
    desk.post_at(end_of(first_epoch), report)
    return report


def verify(oracle: ContractInstance, report: Report, index: int, **changes: object) -> bool:
    parts = {
        "root": report.root,
        "epoch": report.epoch,
        "figures": report.words[index],
        "sample_root": report.sample_root(index),
        "proof": report.proof(index),
    } | changes
    return bool(oracle.verifyFigures(*parts.values()))


def test_verify_figures__each_leaf_of_a_posted_report__true(
    oracle: ContractInstance, report: Report
) -> None:
    assert all(verify(oracle, report, index) for index in range(len(report.figures)))


def test_verify_figures__anything_changed__false(oracle: ContractInstance, report: Report) -> None:
    last = len(report.figures) - 1
    assert verify(oracle, report, last)
    for changes in (
        {"root": bytes(32)},
        {"root": report.root[:-1] + bytes([report.root[-1] ^ 1])},
        {"epoch": report.epoch + 1},
        {"epoch": 0},
        {"figures": report.words[last] + 1},
        {"figures": report.words[last] ^ 1 << 160},
        {"sample_root": bytes(32)},
        {"proof": [*report.proof(last), bytes(32)]},
        {"proof": [bytes(32)] * max(1, len(report.proof(last)))},
    ):
        assert not verify(oracle, report, last, **changes), changes


def test_verify_figures__report_not_posted__false(
    desk: Newsdesk, oracle: ContractInstance, clusters: list[int], first_epoch: int
) -> None:
    report = desk.report(first_epoch, *clusters)
    assert not verify(oracle, report, 0)
    assert not verify(oracle, replace(report, epoch=0), 0)


def test_verify_figures__other_report_of_the_same_epoch__each_has_its_own_leaves(
    desk: Newsdesk, oracle: ContractInstance, clusters: list[int], first_epoch: int
) -> None:
    one, two = desk.report(first_epoch, clusters[0]), desk.report(first_epoch, clusters[1])
    travel_to_epoch(first_epoch + 1)
    desk.post(one)
    desk.post(two)
    assert verify(oracle, one, 0)
    assert verify(oracle, two, 0)
    assert not verify(oracle, one, 0, root=two.root)


def test_report__unknown_root__all_zero(oracle: ContractInstance) -> None:
    assert tuple(oracle.report(b"\x01" * 32)) == (0, 0, 0, 0)
