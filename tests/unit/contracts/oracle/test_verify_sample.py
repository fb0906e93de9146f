"""MetricsOracle.verifySample: a reading of one GPU behind a report stays provable."""

from __future__ import annotations

import pytest
from ape.contracts import ContractInstance

from tests.support.oracle import Newsdesk, Sampled, end_of, samples_of


@pytest.fixture(params=[1, 5, 64])
def report(
    request: pytest.FixtureRequest, desk: Newsdesk, clusters: list[int], first_epoch: int
) -> Sampled:
    """A posted report of three clusters with so many samples behind the last."""
    plain = desk.report(first_epoch, *clusters)
    report = Sampled(
        plain.chain_id,
        plain.oracle,
        plain.set_id,
        plain.epoch,
        plain.figures,
        samples=samples_of(request.param),
    )
    desk.post_at(end_of(first_epoch), report)
    return report


def verify(oracle: ContractInstance, report: Sampled, number: int, **changes: object) -> bool:
    parts = {
        "root": report.root,
        "epoch": report.epoch,
        "figures": report.words[2],
        "proof": report.proof(2),
        "sample": report.samples[number],
        "sample_proof": report.sample_proof(number),
    } | changes
    return bool(oracle.verifySample(*parts.values()))


def test_verify_sample__each_behind_a_posted_report__true(
    oracle: ContractInstance, report: Sampled
) -> None:
    for number in {0, len(report.samples) // 2, len(report.samples) - 1}:
        assert verify(oracle, report, number)


@pytest.mark.parametrize("field", range(6))
def test_verify_sample__another_reading__false(
    oracle: ContractInstance, report: Sampled, field: int
) -> None:
    gpu, *numbers = report.samples[0]
    changed = [number + (field == place) for place, number in enumerate(numbers, start=1)]
    assert not verify(oracle, report, 0, sample=(gpu if field else bytes(32), *changed))


def test_verify_sample__anything_else_changed__false(
    oracle: ContractInstance, report: Sampled
) -> None:
    for changes in (
        {"root": bytes(32)},
        {"epoch": report.epoch + 1},
        {"figures": report.words[2] + 1},
        {"figures": report.words[1]},
        {"proof": report.proof(1)},
        {"sample_proof": [*report.sample_proof(0), bytes(32)]},
    ):
        assert not verify(oracle, report, 0, **changes), changes
