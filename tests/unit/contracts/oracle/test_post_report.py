"""MetricsOracle.postReport: what a good report changes."""

from __future__ import annotations

import random

import pytest
from ape import chain
from ape.contracts import ContractInstance
from eth_abi.abi import encode
from eth_utils.crypto import keccak

from tests.support.oracle import (
    GRACE_SECONDS,
    UINT32_MAX,
    Figures,
    Newsdesk,
    Reading,
    end_of,
)
from tests.support.scenario import EPOCH_SECONDS, Scenario, travel_to_epoch


def test_post_report__first_epoch__counted_at_once(
    desk: Newsdesk, cluster_id: int, first_epoch: int
) -> None:
    report = desk.report(first_epoch, cluster_id)
    receipt = desk.post_at(end_of(first_epoch), report)

    expected = Reading().plus(report.figures[0], first_epoch)
    assert desk.reading(cluster_id) == expected
    assert desk.events(receipt, "FiguresFinal") == [
        {
            "clusterId": cluster_id,
            "epoch": first_epoch,
            "figures": report.words[0],
            "reading": expected.word,
        }
    ]


def test_post_report__accepted__recorded_and_told(
    desk: Newsdesk, oracle: ContractInstance, cluster_id: int, first_epoch: int
) -> None:
    report = desk.report(first_epoch, cluster_id)
    posted_at = end_of(first_epoch) + 77
    receipt = desk.post_at(posted_at, report)

    assert tuple(oracle.report(report.root)) == (first_epoch, report.set_id, posted_at, posted_at)
    assert desk.events(receipt, "ReportPosted") == [
        {
            "root": report.root,
            "epoch": first_epoch,
            "transmitter": desk.transmitter.address,
            "reporterSetId": report.set_id,
            "finalAt": posted_at,
        }
    ]


def test_post_report__several_epochs_and_clusters__counters_are_sums(
    desk: Newsdesk, clusters: list[int], first_epoch: int
) -> None:
    expected = dict.fromkeys(clusters, Reading())
    for step in range(4):
        epoch = first_epoch + step
        figures = [
            Figures(id_, 1_000 * id_ + step, 400 + step, 300 + step, 200 + step, 100 + step)
            for id_ in clusters
        ]
        desk.post_at(end_of(epoch) + step, desk.report(epoch, *figures))
        expected = {f.cluster_id: expected[f.cluster_id].plus(f, epoch) for f in figures}
        assert {id_: desk.reading(id_) for id_ in clusters} == expected


def test_post_report__nothing_to_report__epoch_advances_alone(
    desk: Newsdesk, cluster_id: int, first_epoch: int
) -> None:
    desk.post_at(end_of(first_epoch), desk.report(first_epoch, Figures(cluster_id, 0, 0, 0, 0, 0)))
    assert desk.reading(cluster_id) == Reading(epoch=first_epoch)


def test_post_report__anybody__may_transmit(
    oracle: ContractInstance, desk: Newsdesk, scenario: Scenario, cluster_id: int, first_epoch: int
) -> None:
    report = desk.report(first_epoch, cluster_id)
    travel_to_epoch(first_epoch + 1)
    oracle.postReport(*report.args(report.signatures(desk.quorum)), sender=scenario.deployer)
    assert desk.reading(cluster_id).epoch == first_epoch


@pytest.mark.parametrize("order", ["as set", "reversed", "shuffled"])
@pytest.mark.parametrize("extra", [0, 1, 2])
def test_post_report__quorum_or_more_in_any_order__counted(
    desk: Newsdesk, cluster_id: int, first_epoch: int, order: str, extra: int
) -> None:
    signers = list(desk.keys[: len(desk.quorum) + extra])
    if order == "reversed":
        signers.reverse()
    elif order == "shuffled":
        random.Random(extra).shuffle(signers)
    travel_to_epoch(first_epoch + 1)
    desk.post(desk.report(first_epoch, cluster_id), signers)
    assert desk.reading(cluster_id).epoch == first_epoch


def test_post_report__largest_figures__no_counter_touches_its_neighbour(
    desk: Newsdesk, cluster_id: int, first_epoch: int
) -> None:
    largest = Figures(cluster_id, *[UINT32_MAX] * 5)
    expected = Reading()
    for epoch in range(first_epoch, first_epoch + 3):
        desk.post_at(end_of(epoch), desk.report(epoch, largest))
        expected = expected.plus(largest, epoch)
        assert desk.reading(cluster_id) == expected


def test_post_report__counters_as_high_as_they_can_be_in_the_year_3000__still_exact(
    desk: Newsdesk, oracle: ContractInstance, cluster_id: int, first_epoch: int
) -> None:
    year_3000 = 32_503_680_000 // EPOCH_SECONDS
    sum_of_all = year_3000 * UINT32_MAX
    before = Reading(year_3000, *[sum_of_all] * 4)
    desk.post_at(end_of(first_epoch), desk.report(first_epoch, cluster_id))
    _overwrite_reading(oracle, cluster_id, desk.reading(cluster_id), before)
    assert desk.reading(cluster_id) == before

    largest = Figures(cluster_id, *[UINT32_MAX] * 5)
    desk.post_at(end_of(year_3000 + 1), desk.report(year_3000 + 1, largest))
    assert desk.reading(cluster_id) == before.plus(largest, year_3000 + 1)


def test_post_report__random_figures__packed_as_the_table_says(
    desk: Newsdesk, cluster_id: int, first_epoch: int
) -> None:
    draw = random.Random(20_260_101)
    expected = Reading()
    for epoch in range(first_epoch, first_epoch + 20):
        bits = draw.choice([1, 8, 16, 31, 32])
        quantities = sorted((draw.randrange(2**bits) for _ in range(4)), reverse=True)
        figures = Figures(cluster_id, draw.randrange(2**bits), *quantities)
        receipt = desk.post_at(end_of(epoch), desk.report(epoch, figures))
        expected = expected.plus(figures, epoch)
        [event] = desk.events(receipt, "FiguresFinal")
        assert (event["figures"], event["reading"]) == (figures.word, expected.word)
        assert desk.reading(cluster_id) == expected


def test_post_report__last_second_of_grace__energy_counted(
    desk: Newsdesk, cluster_id: int, first_epoch: int
) -> None:
    report = desk.report(first_epoch, cluster_id)
    receipt = desk.post_at(end_of(first_epoch) + GRACE_SECONDS - 1, report)
    assert desk.reading(cluster_id) == Reading().plus(report.figures[0], first_epoch)
    assert desk.events(receipt, "EnergyLapsed") == []


def test_post_report__grace_over__energy_lapses_and_the_rest_counts(
    desk: Newsdesk, cluster_id: int, first_epoch: int
) -> None:
    report = desk.report(first_epoch, cluster_id)
    receipt = desk.post_at(end_of(first_epoch) + GRACE_SECONDS, report)

    counted = report.figures[0].without_energy()
    expected = Reading().plus(counted, first_epoch)
    assert desk.reading(cluster_id) == expected
    assert desk.events(receipt, "EnergyLapsed") == [
        {
            "clusterId": cluster_id,
            "epoch": first_epoch,
            "energyWh": report.figures[0].energy_wh,
        }
    ]
    [event] = desk.events(receipt, "FiguresFinal")
    assert (event["figures"], event["reading"]) == (counted.word, expected.word)


def _overwrite_reading(
    oracle: ContractInstance, cluster_id: int, present: Reading, reading: Reading
) -> None:
    """Put `reading` where the contract keeps `present`, which is found by looking for it."""
    provider = chain.provider
    for slot in range(16):
        place = int.from_bytes(keccak(encode(["uint256", "uint256"], [cluster_id, slot])))
        if int.from_bytes(provider.get_storage(oracle.address, place)) == present.word:
            provider.set_storage(oracle.address, place, reading.word.to_bytes(32))
            return
    raise AssertionError("the reading is not in a mapping among the first 16 slots")
