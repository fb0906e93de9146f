"""ClusterRegistry.retire: the end of a cluster, with the running epoch as the last."""

from __future__ import annotations

import ape
import pytest
from ape import chain
from ape.api import AccountAPI
from ape.contracts import ContractInstance

from tests.support.registry import Status
from tests.support.scenario import EPOCH_SECONDS, SHARE, Scenario, travel_to

FIRST, LAST, MIDDLE = 0, EPOCH_SECONDS - 1, EPOCH_SECONDS // 2


@pytest.fixture(scope="module")
def cluster_id(scenario: Scenario, holder: AccountAPI) -> int:
    return scenario.live_cluster([holder], [100 * SHARE])[0]


@pytest.mark.parametrize("second", [FIRST, MIDDLE, LAST])
@pytest.mark.parametrize("epochs", [0, 1, 5])
def test_retire__measured_for_some_epochs__running_epoch_is_last(
    registry: ContractInstance, issuer: AccountAPI, cluster_id: int, epochs: int, second: int
) -> None:
    first = registry.epochRange(cluster_id).firstEpoch
    chain.pending_timestamp = (first + epochs) * EPOCH_SECONDS + second

    receipt = registry.retire(cluster_id, sender=issuer)

    assert receipt.timestamp == (first + epochs) * EPOCH_SECONDS + second
    assert tuple(registry.epochRange(cluster_id)) == (first, first + epochs)
    assert registry.statusOf(cluster_id) == Status.RETIRED
    [event] = receipt.decode_logs(registry.ClusterStatusChanged)
    assert (event.actor, event.previousStatus, event.status) == (
        issuer.address,
        Status.LIVE,
        Status.RETIRED,
    )


def test_retire__before_the_first_epoch__first_epoch_is_last(
    registry: ContractInstance, issuer: AccountAPI, cluster_id: int
) -> None:
    first = registry.epochRange(cluster_id).firstEpoch
    receipt = registry.retire(cluster_id, sender=issuer)
    assert receipt.timestamp < first * EPOCH_SECONDS
    assert tuple(registry.epochRange(cluster_id)) == (first, first)


def test_retire__suspended__retired(
    registry: ContractInstance, registrar: AccountAPI, issuer: AccountAPI, cluster_id: int
) -> None:
    registry.suspend(cluster_id, sender=registrar)
    receipt = registry.retire(cluster_id, sender=issuer)
    assert registry.statusOf(cluster_id) == Status.RETIRED
    [event] = receipt.decode_logs(registry.ClusterStatusChanged)
    assert event.previousStatus == Status.SUSPENDED


def test_retire__retired__refused_and_last_epoch_unchanged(
    registry: ContractInstance, issuer: AccountAPI, cluster_id: int
) -> None:
    registry.retire(cluster_id, sender=issuer)
    before = tuple(registry.epochRange(cluster_id))
    travel_to((before[0] + 10) * EPOCH_SECONDS)
    with ape.reverts(
        registry.ClusterRegistry_WrongStatus,
        clusterId=cluster_id,
        status=Status.RETIRED,
        required=Status.LIVE,
    ):
        registry.retire(cluster_id, sender=issuer)
    assert tuple(registry.epochRange(cluster_id)) == before


def test_retire__never_live__refused(
    registry: ContractInstance, issuer: AccountAPI, scenario: Scenario
) -> None:
    funding = scenario.register_cluster()
    scenario.open_funding(funding)
    with ape.reverts(
        registry.ClusterRegistry_WrongStatus, status=Status.FUNDING, required=Status.LIVE
    ):
        registry.retire(funding, sender=issuer)
