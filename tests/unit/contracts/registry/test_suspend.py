"""ClusterRegistry.suspend: Live → Suspended; measuring and costs go on."""

from __future__ import annotations

import ape
import pytest
from ape.api import AccountAPI
from ape.contracts import ContractInstance

from tests.support.registry import Status
from tests.support.scenario import SHARE, Scenario


@pytest.fixture(scope="module")
def cluster_id(scenario: Scenario, holder: AccountAPI) -> int:
    return scenario.live_cluster([holder], [100 * SHARE])[0]


def test_suspend__live__suspended_and_still_measured(
    registry: ContractInstance, registrar: AccountAPI, cluster_id: int
) -> None:
    before = tuple(registry.epochRange(cluster_id))

    receipt = registry.suspend(cluster_id, sender=registrar)

    assert registry.statusOf(cluster_id) == Status.SUSPENDED
    assert tuple(registry.epochRange(cluster_id)) == before
    [event] = receipt.decode_logs(registry.ClusterStatusChanged)
    assert (event.actor, event.previousStatus, event.status) == (
        registrar.address,
        Status.LIVE,
        Status.SUSPENDED,
    )


def test_suspend__suspended__refused(
    registry: ContractInstance, registrar: AccountAPI, cluster_id: int
) -> None:
    registry.suspend(cluster_id, sender=registrar)
    with ape.reverts(
        registry.ClusterRegistry_WrongStatus,
        clusterId=cluster_id,
        status=Status.SUSPENDED,
        required=Status.LIVE,
    ):
        registry.suspend(cluster_id, sender=registrar)


def test_suspend__unknown_cluster__refused(
    registry: ContractInstance, registrar: AccountAPI
) -> None:
    with ape.reverts(registry.ClusterRegistry_UnknownCluster, clusterId=999):
        registry.suspend(999, sender=registrar)
