"""MetricsOracle.nextEpoch: which epoch a cluster's next report must be of."""

from __future__ import annotations

from ape.api import AccountAPI
from ape.contracts import ContractInstance

from tests.support.oracle import DAY_SECONDS, Newsdesk, end_of
from tests.support.scenario import Scenario, travel_to, travel_to_epoch


def test_next_epoch__not_live__zero(oracle: ContractInstance, scenario: Scenario) -> None:
    assert oracle.nextEpoch(scenario.register_cluster()) == 0
    assert oracle.nextEpoch(4_000_000) == 0


def test_next_epoch__live_and_unreported__first_epoch_however_long_ago(
    oracle: ContractInstance, cluster_id: int, first_epoch: int
) -> None:
    assert oracle.nextEpoch(cluster_id) == first_epoch
    travel_to_epoch(first_epoch + 1_000)
    assert oracle.nextEpoch(cluster_id) == first_epoch


def test_next_epoch__reported__the_one_after(
    desk: Newsdesk, oracle: ContractInstance, cluster_id: int, first_epoch: int
) -> None:
    desk.post_at(end_of(first_epoch), desk.report(first_epoch, cluster_id))
    assert oracle.nextEpoch(cluster_id) == first_epoch + 1


def test_next_epoch__posted_and_not_final__the_one_after_too(
    desk: Newsdesk,
    oracle: ContractInstance,
    oracle_admin: AccountAPI,
    keeper: AccountAPI,
    cluster_id: int,
    first_epoch: int,
) -> None:
    desk.post_at(end_of(first_epoch), desk.report(first_epoch, cluster_id))
    oracle.setDisputeWindow(DAY_SECONDS, sender=oracle_admin)
    for epoch in (first_epoch + 1, first_epoch + 2):
        desk.post_at(end_of(epoch), desk.report(epoch, cluster_id))
        assert oracle.nextEpoch(cluster_id) == epoch + 1
    travel_to(end_of(first_epoch + 2) + DAY_SECONDS)
    oracle.finalize(cluster_id, 10, sender=keeper)
    assert oracle.nextEpoch(cluster_id) == first_epoch + 3


def test_next_epoch__suspended__goes_on(
    desk: Newsdesk,
    oracle: ContractInstance,
    registry: ContractInstance,
    registrar: AccountAPI,
    cluster_id: int,
    first_epoch: int,
) -> None:
    registry.suspend(cluster_id, sender=registrar)
    desk.post_at(end_of(first_epoch), desk.report(first_epoch, cluster_id))
    assert oracle.nextEpoch(cluster_id) == first_epoch + 1


def test_next_epoch__retired__up_to_the_last_epoch_then_zero(
    desk: Newsdesk,
    oracle: ContractInstance,
    registry: ContractInstance,
    issuer: AccountAPI,
    cluster_id: int,
    first_epoch: int,
) -> None:
    travel_to_epoch(first_epoch + 1)
    registry.retire(cluster_id, sender=issuer)
    travel_to_epoch(first_epoch + 5)
    assert oracle.nextEpoch(cluster_id) == first_epoch
    desk.post(desk.report(first_epoch, cluster_id))
    assert oracle.nextEpoch(cluster_id) == first_epoch + 1
    desk.post(desk.report(first_epoch + 1, cluster_id))
    assert oracle.nextEpoch(cluster_id) == 0
