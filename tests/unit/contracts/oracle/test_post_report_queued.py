"""MetricsOracle.postReport: with a dispute window figures wait, in order, and count nowhere."""

from __future__ import annotations

import pytest
from ape import chain
from ape.api import AccountAPI
from ape.contracts import ContractInstance

from tests.support.oracle import (
    DAY_SECONDS,
    GRACE_SECONDS,
    Figures,
    Newsdesk,
    Reading,
    end_of,
)
from tests.support.scenario import travel_to, travel_to_epoch

WINDOW = 7_200


@pytest.fixture
def _window(oracle: ContractInstance, oracle_admin: AccountAPI, desk: Newsdesk) -> None:
    oracle.setDisputeWindow(WINDOW, sender=oracle_admin)


@pytest.mark.usefixtures("_window")
def test_post_report__window__posted_and_not_counted(
    desk: Newsdesk, oracle: ContractInstance, cluster_id: int, first_epoch: int
) -> None:
    report = desk.report(first_epoch, cluster_id)
    posted_at = end_of(first_epoch) + 5
    receipt = desk.post_at(posted_at, report)

    assert desk.reading(cluster_id) == Reading()
    assert desk.events(receipt, "FiguresFinal") == []
    assert desk.events(receipt, "FiguresPosted") == [
        {
            "clusterId": cluster_id,
            "epoch": first_epoch,
            "figures": report.words[0],
            "finalAt": posted_at + WINDOW,
        }
    ]
    assert tuple(oracle.report(report.root)) == (
        first_epoch,
        report.set_id,
        posted_at,
        posted_at + WINDOW,
    )
    [posted] = desk.events(receipt, "ReportPosted")
    assert posted["finalAt"] == posted_at + WINDOW


@pytest.mark.usefixtures("_window")
def test_post_report__epoch_waits__next_one_is_expected_and_the_same_skipped(
    desk: Newsdesk, oracle: ContractInstance, cluster_id: int, first_epoch: int
) -> None:
    desk.post_at(end_of(first_epoch), desk.report(first_epoch, cluster_id))
    assert oracle.nextEpoch(cluster_id) == first_epoch + 1
    receipt = desk.post(desk.report(first_epoch, cluster_id, salt=1))
    assert desk.events(receipt, "FiguresSkipped") == [
        {"clusterId": cluster_id, "epoch": first_epoch, "expectedEpoch": first_epoch + 1}
    ]


@pytest.mark.usefixtures("_window")
def test_post_report__window_set_to_zero_while_an_epoch_waits__the_next_waits_behind_it(
    desk: Newsdesk,
    oracle: ContractInstance,
    oracle_admin: AccountAPI,
    clusters: list[int],
    first_epoch: int,
) -> None:
    waiting, free, _ = clusters
    travel_to_epoch(first_epoch + 3)
    desk.post(desk.report(first_epoch, waiting))
    final_at = int(chain.blocks.head.timestamp) + WINDOW
    oracle.setDisputeWindow(0, sender=oracle_admin)

    second = desk.report(first_epoch + 1, waiting)
    receipt = desk.post(second)
    [posted] = desk.events(receipt, "FiguresPosted")
    assert (posted["epoch"], posted["finalAt"]) == (first_epoch + 1, final_at)
    assert oracle.report(second.root).finalAt == final_at

    both = desk.report(first_epoch, waiting, free, salt=1)
    receipt = desk.post(both)
    assert [event["clusterId"] for event in desk.events(receipt, "FiguresFinal")] == [free]
    assert [event["clusterId"] for event in desk.events(receipt, "FiguresSkipped")] == [waiting]
    assert oracle.report(both.root).finalAt == receipt.timestamp
    assert [desk.reading(id_).epoch for id_ in (waiting, free)] == [0, first_epoch]


@pytest.mark.usefixtures("_window")
def test_post_report__window_shortened__later_epoch_never_final_before_an_earlier_one(
    desk: Newsdesk,
    oracle: ContractInstance,
    oracle_admin: AccountAPI,
    clusters: list[int],
    first_epoch: int,
) -> None:
    waiting, free, _ = clusters
    start = end_of(first_epoch + 1)
    desk.post_at(start, desk.report(first_epoch, waiting))
    oracle.setDisputeWindow(60, sender=oracle_admin)
    desk.post_at(start + 10, desk.report(first_epoch, free))
    report = desk.report(first_epoch + 1, waiting, free)
    receipt = desk.post_at(start + 20, report)
    assert [event["finalAt"] for event in desk.events(receipt, "FiguresPosted")] == [
        start + WINDOW,
        start + 80,
    ]
    assert oracle.report(report.root).finalAt == start + WINDOW


@pytest.mark.usefixtures("_window")
def test_post_report__queue_emptied_and_window_zero__counted_at_once_again(
    desk: Newsdesk,
    oracle: ContractInstance,
    oracle_admin: AccountAPI,
    keeper: AccountAPI,
    clusters: list[int],
    first_epoch: int,
) -> None:
    first = desk.report(first_epoch, *clusters)
    desk.post_at(end_of(first_epoch), first)
    oracle.setDisputeWindow(0, sender=oracle_admin)
    travel_to(end_of(first_epoch) + WINDOW)
    for cluster_id in clusters:
        oracle.finalize(cluster_id, 10, sender=keeper)
    second = desk.report(first_epoch + 1, *clusters)
    receipt = desk.post(second)
    assert desk.events(receipt, "FiguresPosted") == []
    assert [desk.reading(id_) for id_ in clusters] == [
        Reading().plus(one, first_epoch).plus(two, first_epoch + 1)
        for one, two in zip(first.figures, second.figures, strict=True)
    ]


def test_post_report__late_into_the_queue__waits_without_its_energy(
    desk: Newsdesk,
    oracle: ContractInstance,
    oracle_admin: AccountAPI,
    keeper: AccountAPI,
    cluster_id: int,
    first_epoch: int,
) -> None:
    oracle.setDisputeWindow(DAY_SECONDS, sender=oracle_admin)
    report = desk.report(first_epoch, cluster_id)
    receipt = desk.post_at(end_of(first_epoch) + GRACE_SECONDS, report)
    counted = report.figures[0].without_energy()
    [lapsed] = desk.events(receipt, "EnergyLapsed")
    assert lapsed["energyWh"] == report.figures[0].energy_wh
    [posted] = desk.events(receipt, "FiguresPosted")
    assert posted["figures"] == counted.word

    travel_to(end_of(first_epoch) + GRACE_SECONDS + DAY_SECONDS)
    oracle.finalize(cluster_id, 1, sender=keeper)
    assert desk.reading(cluster_id) == Reading().plus(counted, first_epoch)


def test_post_report__in_time_into_a_window_that_ends_after_the_grace__energy_counts(
    desk: Newsdesk,
    oracle: ContractInstance,
    oracle_admin: AccountAPI,
    keeper: AccountAPI,
    cluster_id: int,
    first_epoch: int,
) -> None:
    oracle.setDisputeWindow(DAY_SECONDS, sender=oracle_admin)
    figures = Figures(cluster_id)
    desk.post_at(end_of(first_epoch) + GRACE_SECONDS - 1, desk.report(first_epoch, figures))
    travel_to(end_of(first_epoch) + GRACE_SECONDS + DAY_SECONDS)
    oracle.finalize(cluster_id, 1, sender=keeper)
    assert desk.reading(cluster_id) == Reading().plus(figures, first_epoch)
