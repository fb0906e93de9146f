"""MetricsOracle.resolvedEpoch: up to which epoch a cluster's energy can no longer change."""

from __future__ import annotations

import pytest
from ape.api import AccountAPI
from ape.contracts import ContractInstance

from tests.support.oracle import DAY_SECONDS, GRACE_SECONDS, Newsdesk, end_of
from tests.support.scenario import Scenario, travel_to, travel_to_epoch

LAPSE_EPOCHS = 1 + GRACE_SECONDS // 3_600
"""An epoch lapses at the start of the one that is so much later."""


def test_resolved_epoch__not_live__zero(oracle: ContractInstance, scenario: Scenario) -> None:
    assert oracle.resolvedEpoch(scenario.register_cluster()) == 0
    assert oracle.resolvedEpoch(4_000_000) == 0


def test_resolved_epoch__just_live__epoch_before_the_first(
    oracle: ContractInstance, cluster_id: int, first_epoch: int
) -> None:
    assert oracle.resolvedEpoch(cluster_id) == first_epoch - 1


def test_resolved_epoch__no_report__each_epoch_at_the_second_its_grace_ends(
    oracle: ContractInstance, cluster_id: int, first_epoch: int
) -> None:
    for epoch in (first_epoch, first_epoch + 1, first_epoch + 50):
        travel_to(end_of(epoch) + GRACE_SECONDS - 1)
        assert oracle.resolvedEpoch(cluster_id) == epoch - 1
        travel_to(end_of(epoch) + GRACE_SECONDS)
        assert oracle.resolvedEpoch(cluster_id) == epoch


def test_resolved_epoch__counted_at_once__last_final(
    desk: Newsdesk, oracle: ContractInstance, cluster_id: int, first_epoch: int
) -> None:
    for epoch in range(first_epoch, first_epoch + 3):
        desk.post_at(end_of(epoch), desk.report(epoch, cluster_id))
        assert oracle.resolvedEpoch(cluster_id) == epoch


def test_resolved_epoch__reports_stop__lapsed_epochs_follow_the_final_ones(
    desk: Newsdesk, oracle: ContractInstance, cluster_id: int, first_epoch: int
) -> None:
    desk.post_at(end_of(first_epoch), desk.report(first_epoch, cluster_id))
    travel_to(end_of(first_epoch + 1) + GRACE_SECONDS - 1)
    assert oracle.resolvedEpoch(cluster_id) == first_epoch
    travel_to(end_of(first_epoch + 1) + GRACE_SECONDS)
    assert oracle.resolvedEpoch(cluster_id) == first_epoch + 1


@pytest.mark.parametrize("second", [0, 1])
def test_resolved_epoch__report_in_the_second_of_lapsing_or_after__changes_nothing(
    desk: Newsdesk, oracle: ContractInstance, cluster_id: int, first_epoch: int, second: int
) -> None:
    lapsed_at = end_of(first_epoch) + GRACE_SECONDS
    travel_to(lapsed_at - 1)
    desk.post_at(lapsed_at + second, desk.report(first_epoch, cluster_id))
    assert oracle.resolvedEpoch(cluster_id) == first_epoch
    assert desk.reading(cluster_id).energy_wh == 0


def test_resolved_epoch__timely_figures_wait__blocks_before_them_until_counted(
    desk: Newsdesk,
    oracle: ContractInstance,
    oracle_admin: AccountAPI,
    keeper: AccountAPI,
    cluster_id: int,
    first_epoch: int,
) -> None:
    oracle.setDisputeWindow(DAY_SECONDS, sender=oracle_admin)
    travel_to_epoch(first_epoch + 2)
    desk.post(desk.report(first_epoch, cluster_id))
    desk.post(desk.report(first_epoch + 1, cluster_id))
    assert oracle.resolvedEpoch(cluster_id) == first_epoch - 1

    travel_to_epoch(first_epoch + 1 + 2 * LAPSE_EPOCHS)
    assert oracle.resolvedEpoch(cluster_id) == first_epoch - 1
    oracle.finalize(cluster_id, 1, sender=keeper)
    assert oracle.resolvedEpoch(cluster_id) == first_epoch
    oracle.finalize(cluster_id, 1, sender=keeper)
    assert oracle.resolvedEpoch(cluster_id) == first_epoch + 1 + LAPSE_EPOCHS


def test_resolved_epoch__late_figures_wait__they_do_not_block(
    desk: Newsdesk,
    oracle: ContractInstance,
    oracle_admin: AccountAPI,
    keeper: AccountAPI,
    cluster_id: int,
    first_epoch: int,
) -> None:
    oracle.setDisputeWindow(DAY_SECONDS, sender=oracle_admin)
    travel_to_epoch(first_epoch + 1 + LAPSE_EPOCHS)
    assert oracle.resolvedEpoch(cluster_id) == first_epoch + 1
    for epoch in range(first_epoch, first_epoch + 4):
        desk.post(desk.report(epoch, cluster_id))
        assert oracle.resolvedEpoch(cluster_id) == first_epoch + 1

    # The first two came late, the next two in time: they hold it up.
    travel_to_epoch(first_epoch + 40 + LAPSE_EPOCHS)
    assert oracle.resolvedEpoch(cluster_id) == first_epoch + 1
    for resolved in (first_epoch + 1, first_epoch + 1, first_epoch + 2, first_epoch + 40):
        oracle.finalize(cluster_id, 1, sender=keeper)
        assert oracle.resolvedEpoch(cluster_id) == resolved


def test_resolved_epoch__late_timely_late_timely__each_timely_one_blocks_in_turn(
    desk: Newsdesk,
    oracle: ContractInstance,
    oracle_admin: AccountAPI,
    keeper: AccountAPI,
    cluster_id: int,
    first_epoch: int,
) -> None:
    oracle.setDisputeWindow(DAY_SECONDS, sender=oracle_admin)
    start = end_of(first_epoch) + GRACE_SECONDS
    desk.post_at(start, desk.report(first_epoch, cluster_id))
    desk.post_at(start + 1, desk.report(first_epoch + 1, cluster_id))
    desk.post_at(start + 7_200, desk.report(first_epoch + 2, cluster_id))
    desk.post_at(start + 7_201, desk.report(first_epoch + 3, cluster_id))
    assert oracle.resolvedEpoch(cluster_id) == first_epoch

    travel_to(start + 2 * DAY_SECONDS)
    seen = []
    for _ in range(4):
        seen.append(oracle.resolvedEpoch(cluster_id) - first_epoch)
        oracle.finalize(cluster_id, 1, sender=keeper)
    seen.append(oracle.resolvedEpoch(cluster_id) - first_epoch)
    assert seen == [0, 0, 2, 2, 48]


def test_resolved_epoch__retired__never_past_the_last_epoch(
    registry: ContractInstance,
    issuer: AccountAPI,
    oracle: ContractInstance,
    cluster_id: int,
    first_epoch: int,
) -> None:
    travel_to_epoch(first_epoch + 2)
    registry.retire(cluster_id, sender=issuer)
    for epoch, resolved in (
        (first_epoch + LAPSE_EPOCHS - 1, first_epoch - 1),
        (first_epoch + LAPSE_EPOCHS, first_epoch),
        (first_epoch + LAPSE_EPOCHS + 2, first_epoch + 2),
        (first_epoch + LAPSE_EPOCHS + 3, first_epoch + 2),
        (first_epoch + LAPSE_EPOCHS + 500, first_epoch + 2),
    ):
        travel_to_epoch(epoch)
        assert oracle.resolvedEpoch(cluster_id) == resolved
