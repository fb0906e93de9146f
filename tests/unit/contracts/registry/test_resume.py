"""ClusterRegistry.resume: Suspended → Live."""

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


def test_resume__suspended__live_with_the_same_first_epoch(
    registry: ContractInstance, registrar: AccountAPI, cluster_id: int
) -> None:
    before = tuple(registry.epochRange(cluster_id))
    registry.suspend(cluster_id, sender=registrar)

    receipt = registry.resume(cluster_id, sender=registrar)

    assert registry.statusOf(cluster_id) == Status.LIVE
    assert tuple(registry.epochRange(cluster_id)) == before
    [event] = receipt.decode_logs(registry.ClusterStatusChanged)
    assert (event.previousStatus, event.status) == (Status.SUSPENDED, Status.LIVE)


def test_resume__live__refused(
    registry: ContractInstance, registrar: AccountAPI, cluster_id: int
) -> None:
    with ape.reverts(
        registry.ClusterRegistry_WrongStatus,
        clusterId=cluster_id,
        status=Status.LIVE,
        required=Status.SUSPENDED,
    ):
        registry.resume(cluster_id, sender=registrar)


def test_resume__unknown_cluster__refused(
    registry: ContractInstance, registrar: AccountAPI
) -> None:
    with ape.reverts(registry.ClusterRegistry_UnknownCluster, clusterId=999):
        registry.resume(999, sender=registrar)
