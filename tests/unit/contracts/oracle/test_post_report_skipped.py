"""MetricsOracle.postReport: clusters whose turn it is not are left out, the others count."""

from __future__ import annotations

import ape
from ape.api import AccountAPI
from ape.contracts import ContractInstance

from tests.support.oracle import Newsdesk, Reading, end_of
from tests.support.scenario import Scenario, travel_to_epoch

UNKNOWN_CLUSTER = 4_000_000


def skipped(cluster_id: int, epoch: int, expected: int) -> dict[str, int]:
    return {"clusterId": cluster_id, "epoch": epoch, "expectedEpoch": expected}


def test_post_report__one_cluster_is_ahead__it_is_skipped_and_the_others_count(
    desk: Newsdesk, oracle: ContractInstance, clusters: list[int], first_epoch: int
) -> None:
    travel_to_epoch(first_epoch + 2)
    alone = desk.report(first_epoch, clusters[1])
    desk.post(alone)
    report = desk.report(first_epoch, *clusters, salt=1)
    receipt = desk.post(report)

    assert desk.events(receipt, "FiguresSkipped") == [
        skipped(clusters[1], first_epoch, first_epoch + 1)
    ]
    counted = [event["clusterId"] for event in desk.events(receipt, "FiguresFinal")]
    assert counted == [clusters[0], clusters[2]]
    assert [desk.reading(id_) for id_ in clusters] == [
        Reading().plus(figures, first_epoch) for figures in report.figures
    ]
    assert oracle.report(report.root).epoch == first_epoch


def test_post_report__gap__skipped_with_the_epoch_that_is_missing(
    desk: Newsdesk, clusters: list[int], first_epoch: int
) -> None:
    travel_to_epoch(first_epoch + 3)
    desk.post(desk.report(first_epoch, *clusters[:2]))
    receipt = desk.post(desk.report(first_epoch + 1, clusters[0], clusters[2]))
    assert desk.events(receipt, "FiguresSkipped") == [
        skipped(clusters[2], first_epoch + 1, first_epoch)
    ]
    receipt = desk.post(desk.report(first_epoch + 2, *clusters[:2]))
    assert desk.events(receipt, "FiguresSkipped") == [
        skipped(clusters[1], first_epoch + 2, first_epoch + 1)
    ]
    assert [desk.reading(id_).epoch for id_ in clusters] == [first_epoch + 2, first_epoch, 0]


def test_post_report__epoch_before_the_first__skipped(
    desk: Newsdesk, clusters: list[int], first_epoch: int
) -> None:
    travel_to_epoch(first_epoch)
    receipt = desk.post(desk.report(first_epoch - 1, clusters[0]))
    assert desk.events(receipt, "FiguresSkipped") == [
        skipped(clusters[0], first_epoch - 1, first_epoch)
    ]
    assert desk.reading(clusters[0]) == Reading()


def test_post_report__clusters_that_are_not_measured__skipped_and_expect_nothing(
    desk: Newsdesk, scenario: Scenario, clusters: list[int], first_epoch: int
) -> None:
    proposed = scenario.register_cluster()
    travel_to_epoch(first_epoch + 1)
    receipt = desk.post(desk.report(first_epoch, clusters[0], proposed, UNKNOWN_CLUSTER))
    assert desk.events(receipt, "FiguresSkipped") == [
        skipped(proposed, first_epoch, 0),
        skipped(UNKNOWN_CLUSTER, first_epoch, 0),
    ]
    assert desk.reading(clusters[0]).epoch == first_epoch
    assert desk.reading(proposed) == Reading()


def test_post_report__every_cluster_skipped__root_is_not_spent(
    desk: Newsdesk, oracle: ContractInstance, cluster_id: int, first_epoch: int
) -> None:
    travel_to_epoch(first_epoch + 2)
    early = desk.report(first_epoch + 1, cluster_id)
    receipt = desk.post(early)
    assert desk.events(receipt, "ReportPosted") == []
    assert tuple(oracle.report(early.root)) == (0, 0, 0, 0)

    desk.post(desk.report(first_epoch, cluster_id))
    desk.post(early)
    assert desk.reading(cluster_id).epoch == first_epoch + 1
    with ape.reverts(oracle.MetricsOracle_Replayed, root=early.root):
        desk.post(early)


def test_post_report__same_epoch_with_other_figures__first_one_stands(
    desk: Newsdesk, oracle: ContractInstance, cluster_id: int, first_epoch: int
) -> None:
    travel_to_epoch(first_epoch + 1)
    desk.post(desk.report(first_epoch, cluster_id))
    before = desk.reading(cluster_id)
    again = desk.report(first_epoch, cluster_id, salt=1)
    receipt = desk.post(again)
    assert desk.events(receipt, "FiguresSkipped") == [
        skipped(cluster_id, first_epoch, first_epoch + 1)
    ]
    assert desk.reading(cluster_id) == before
    assert oracle.report(again.root).postedAt == 0


def test_post_report__retired_cluster__epochs_after_its_last_count_and_are_clipped_by_the_views(
    desk: Newsdesk,
    oracle: ContractInstance,
    registry: ContractInstance,
    issuer: AccountAPI,
    cluster_id: int,
    first_epoch: int,
) -> None:
    travel_to_epoch(first_epoch)
    registry.retire(cluster_id, sender=issuer)
    desk.post_at(end_of(first_epoch), desk.report(first_epoch, cluster_id))
    assert oracle.nextEpoch(cluster_id) == 0
    desk.post_at(end_of(first_epoch + 1), desk.report(first_epoch + 1, cluster_id))
    assert desk.reading(cluster_id).epoch == first_epoch + 1
    assert oracle.nextEpoch(cluster_id) == 0
    assert oracle.resolvedEpoch(cluster_id) == first_epoch
    assert oracle.ageSeconds(cluster_id) == 0
