"""MetricsOracle.finalize: Posted figures are counted after their window, oldest first."""

from __future__ import annotations

import pytest
from ape import chain
from ape.api import AccountAPI, ReceiptAPI
from ape.contracts import ContractInstance

from tests.support.oracle import UINT32_MAX, Figures, Newsdesk, Reading, end_of
from tests.support.scenario import travel_to, travel_to_epoch

WINDOW = 3_600
EPOCHS = 5


@pytest.fixture
def figures(cluster_id: int) -> list[Figures]:
    """A different word for every epoch."""
    return [Figures(cluster_id, 100 + n, 40 + n, 30 + n, 20 + n, 10 + n) for n in range(EPOCHS)]


@pytest.fixture
def posted_at(
    oracle: ContractInstance,
    oracle_admin: AccountAPI,
    desk: Newsdesk,
    figures: list[Figures],
    first_epoch: int,
) -> list[int]:
    """Five epochs are queued a minute apart; these are the times."""
    oracle.setDisputeWindow(WINDOW, sender=oracle_admin)
    start = end_of(first_epoch + EPOCHS)
    for n, word in enumerate(figures):
        desk.post_at(start + 60 * n, desk.report(first_epoch + n, word))
    return [start + 60 * n for n in range(EPOCHS)]


def total(figures: list[Figures], first_epoch: int, count: int) -> Reading:
    reading = Reading()
    for n in range(count):
        reading = reading.plus(figures[n], first_epoch + n)
    return reading


def finalize(
    oracle: ContractInstance, keeper: AccountAPI, cluster_id: int, limit: int = UINT32_MAX
) -> tuple[int, ReceiptAPI]:
    count = int(oracle.finalize.call(cluster_id, limit))
    return count, oracle.finalize(cluster_id, limit, sender=keeper)


def test_finalize__second_before_the_window_ends__nothing(
    desk: Newsdesk,
    oracle: ContractInstance,
    keeper: AccountAPI,
    cluster_id: int,
    posted_at: list[int],
) -> None:
    travel_to(posted_at[0] + WINDOW - 2)
    chain.pending_timestamp = posted_at[0] + WINDOW - 1
    receipt = oracle.finalize(cluster_id, 10, sender=keeper)
    assert receipt.timestamp == posted_at[0] + WINDOW - 1
    assert receipt.events == []
    assert desk.reading(cluster_id) == Reading()


@pytest.mark.parametrize("over", range(1, EPOCHS + 1))
def test_finalize__some_windows_over__those_are_counted_in_order(
    desk: Newsdesk,
    oracle: ContractInstance,
    keeper: AccountAPI,
    cluster_id: int,
    first_epoch: int,
    figures: list[Figures],
    posted_at: list[int],
    over: int,
) -> None:
    travel_to(posted_at[over - 1] + WINDOW)
    count, receipt = finalize(oracle, keeper, cluster_id)
    assert count == over
    assert desk.reading(cluster_id) == total(figures, first_epoch, over)
    assert desk.events(receipt, "FiguresFinal") == [
        {
            "clusterId": cluster_id,
            "epoch": first_epoch + n,
            "figures": figures[n].word,
            "reading": total(figures, first_epoch, n + 1).word,
        }
        for n in range(over)
    ]
    assert oracle.nextEpoch(cluster_id) == first_epoch + EPOCHS


@pytest.mark.parametrize("limit", [1, 2, EPOCHS, EPOCHS + 1, 2**256 - 1])
def test_finalize__limit__no_more_than_that_and_the_rest_later(
    desk: Newsdesk,
    oracle: ContractInstance,
    keeper: AccountAPI,
    cluster_id: int,
    first_epoch: int,
    figures: list[Figures],
    posted_at: list[int],
    limit: int,
) -> None:
    travel_to(posted_at[-1] + WINDOW)
    done = 0
    while done < EPOCHS:
        count, _ = finalize(oracle, keeper, cluster_id, limit)
        assert count == min(limit, EPOCHS - done)
        done += count
        assert desk.reading(cluster_id) == total(figures, first_epoch, done)
    assert finalize(oracle, keeper, cluster_id, limit)[0] == 0
    assert desk.reading(cluster_id) == total(figures, first_epoch, EPOCHS)


@pytest.mark.usefixtures("posted_at")
def test_finalize__limit_zero__nothing(
    desk: Newsdesk, oracle: ContractInstance, keeper: AccountAPI, cluster_id: int, first_epoch: int
) -> None:
    travel_to_epoch(first_epoch + 100)
    count, receipt = finalize(oracle, keeper, cluster_id, 0)
    assert (count, receipt.events) == (0, [])
    assert desk.reading(cluster_id) == Reading()


def test_finalize__nothing_posted__nothing(
    desk: Newsdesk, oracle: ContractInstance, keeper: AccountAPI, cluster_id: int
) -> None:
    count, receipt = finalize(oracle, keeper, cluster_id)
    assert (count, receipt.events) == (0, [])
    assert desk.reading(cluster_id) == Reading()


def test_finalize__counted_at_once_before__nothing_to_do(
    desk: Newsdesk, oracle: ContractInstance, keeper: AccountAPI, cluster_id: int, first_epoch: int
) -> None:
    desk.post_at(end_of(first_epoch), desk.report(first_epoch, cluster_id))
    before = desk.reading(cluster_id)
    assert finalize(oracle, keeper, cluster_id)[0] == 0
    assert desk.reading(cluster_id) == before


def test_finalize__other_cluster__untouched(
    desk: Newsdesk,
    oracle: ContractInstance,
    oracle_admin: AccountAPI,
    keeper: AccountAPI,
    clusters: list[int],
    first_epoch: int,
) -> None:
    oracle.setDisputeWindow(WINDOW, sender=oracle_admin)
    report = desk.report(first_epoch, *clusters)
    desk.post_at(end_of(first_epoch), report)
    travel_to(end_of(first_epoch) + WINDOW)
    finalize(oracle, keeper, clusters[1])
    assert [desk.reading(id_) for id_ in clusters] == [
        Reading(),
        Reading().plus(report.figures[1], first_epoch),
        Reading(),
    ]


def test_finalize__window_changed_in_between__each_keeps_the_window_of_its_posting(
    desk: Newsdesk,
    oracle: ContractInstance,
    oracle_admin: AccountAPI,
    keeper: AccountAPI,
    cluster_id: int,
    first_epoch: int,
) -> None:
    start = end_of(first_epoch + 2)
    oracle.setDisputeWindow(600, sender=oracle_admin)
    desk.post_at(start, desk.report(first_epoch, cluster_id))
    oracle.setDisputeWindow(6_000, sender=oracle_admin)
    desk.post_at(start + 10, desk.report(first_epoch + 1, cluster_id))
    oracle.setDisputeWindow(0, sender=oracle_admin)
    desk.post_at(start + 20, desk.report(first_epoch + 2, cluster_id))

    travel_to(start + 600)
    assert finalize(oracle, keeper, cluster_id)[0] == 1
    travel_to(start + 6_010 - 2)
    assert finalize(oracle, keeper, cluster_id)[0] == 0
    travel_to(start + 6_010)
    assert finalize(oracle, keeper, cluster_id)[0] == 2
    assert desk.reading(cluster_id).epoch == first_epoch + 2


def test_finalize__nothing_waits_any_more__reports_cost_what_they_did_before(
    desk: Newsdesk,
    oracle: ContractInstance,
    oracle_admin: AccountAPI,
    keeper: AccountAPI,
    clusters: list[int],
    first_epoch: int,
) -> None:
    travel_to_epoch(first_epoch + 5)
    desk.post(desk.report(first_epoch, *clusters))
    before = desk.post(desk.report(first_epoch + 1, *clusters)).gas_used

    oracle.setDisputeWindow(WINDOW, sender=oracle_admin)
    desk.post(desk.report(first_epoch + 2, *clusters))
    oracle.setDisputeWindow(0, sender=oracle_admin)
    travel_to(int(chain.blocks.head.timestamp) + WINDOW)
    for cluster_id in clusters:
        oracle.finalize(cluster_id, 1, sender=keeper)

    after = desk.post(desk.report(first_epoch + 3, *clusters)).gas_used
    assert abs(after - before) < 1_000, "looking for a queue costs 2,100 a cluster"
