"""MetricsOracle.ageSeconds and isStale: how old a cluster's newest Final figures are."""

from __future__ import annotations

import pytest
from ape.api import AccountAPI
from ape.contracts import ContractInstance

from tests.support.oracle import Newsdesk, end_of
from tests.support.scenario import EPOCH_SECONDS, Scenario, travel_to, travel_to_epoch

STALE_SECONDS = 3 * EPOCH_SECONDS


def test_stale_seconds__as_deployed__three_epochs(oracle: ContractInstance) -> None:
    assert oracle.STALE_SECONDS() == STALE_SECONDS


def test_age_seconds__not_live__zero_and_never_stale(
    oracle: ContractInstance, scenario: Scenario
) -> None:
    for cluster_id in (scenario.register_cluster(), 4_000_000):
        assert oracle.ageSeconds(cluster_id) == 0
        assert not oracle.isStale(cluster_id)


def test_age_seconds__before_the_first_epoch__zero(
    oracle: ContractInstance, cluster_id: int, first_epoch: int
) -> None:
    assert oracle.ageSeconds(cluster_id) == 0
    travel_to_epoch(first_epoch)
    assert oracle.ageSeconds(cluster_id) == 0


@pytest.mark.parametrize("reported", [0, 1, 3])
@pytest.mark.parametrize("age", [1, STALE_SECONDS, STALE_SECONDS + 1, 10**7])
def test_age_seconds__live__since_the_end_of_the_last_final_epoch(
    desk: Newsdesk,
    oracle: ContractInstance,
    cluster_id: int,
    first_epoch: int,
    reported: int,
    age: int,
) -> None:
    for epoch in range(first_epoch, first_epoch + reported):
        desk.post_at(end_of(epoch), desk.report(epoch, cluster_id))
    travel_to((first_epoch + reported) * EPOCH_SECONDS + age)
    assert oracle.ageSeconds(cluster_id) == age
    assert oracle.isStale(cluster_id) == (age > STALE_SECONDS)


def test_age_seconds__figures_wait__they_make_it_no_younger(
    desk: Newsdesk,
    oracle: ContractInstance,
    oracle_admin: AccountAPI,
    keeper: AccountAPI,
    cluster_id: int,
    first_epoch: int,
) -> None:
    oracle.setDisputeWindow(2 * EPOCH_SECONDS, sender=oracle_admin)
    desk.post_at(end_of(first_epoch), desk.report(first_epoch, cluster_id))
    travel_to(end_of(first_epoch) + 2 * EPOCH_SECONDS + 10)
    assert oracle.ageSeconds(cluster_id) == 3 * EPOCH_SECONDS + 10
    assert oracle.isStale(cluster_id)
    oracle.finalize(cluster_id, 1, sender=keeper)
    assert oracle.ageSeconds(cluster_id) < 3 * EPOCH_SECONDS
    assert not oracle.isStale(cluster_id)


def test_age_seconds__retired__ages_until_complete_then_zero(
    desk: Newsdesk,
    oracle: ContractInstance,
    registry: ContractInstance,
    issuer: AccountAPI,
    cluster_id: int,
    first_epoch: int,
) -> None:
    travel_to_epoch(first_epoch + 1)
    registry.retire(cluster_id, sender=issuer)
    travel_to_epoch(first_epoch + 10)
    desk.post(desk.report(first_epoch, cluster_id))
    travel_to_epoch(first_epoch + 11)
    assert oracle.ageSeconds(cluster_id) == 10 * EPOCH_SECONDS
    assert oracle.isStale(cluster_id)
    desk.post(desk.report(first_epoch + 1, cluster_id))
    assert oracle.ageSeconds(cluster_id) == 0
    assert not oracle.isStale(cluster_id)
