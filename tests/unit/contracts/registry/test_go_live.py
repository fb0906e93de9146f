"""ClusterRegistry.goLive: Funding → Live."""

from __future__ import annotations

import ape
import pytest
from ape.api import AccountAPI
from ape.contracts import ContractInstance

from tests.support.registry import Status
from tests.support.scenario import SHARE, Scenario, current_epoch


@pytest.fixture
def funding(scenario: Scenario) -> tuple[int, ContractInstance]:
    cluster_id = scenario.register_cluster()
    return cluster_id, scenario.open_funding(cluster_id)


def test_go_live__shares_issued__measured_from_the_next_epoch(
    registry: ContractInstance,
    scenario: Scenario,
    issuer: AccountAPI,
    holder: AccountAPI,
    funding: tuple[int, ContractInstance],
) -> None:
    cluster_id, share = funding
    scenario.issue(share, [holder], [100 * SHARE])

    receipt = registry.goLive(cluster_id, sender=issuer)

    assert registry.statusOf(cluster_id) == Status.LIVE
    first_epoch = receipt.timestamp // 3_600 + 1
    assert tuple(registry.epochRange(cluster_id)) == (first_epoch, 0)
    assert registry.cluster(cluster_id).firstEpoch == first_epoch == current_epoch() + 1
    [event] = receipt.decode_logs(registry.ClusterStatusChanged)
    assert (event.clusterId, event.actor, event.previousStatus, event.status) == (
        cluster_id,
        issuer.address,
        Status.FUNDING,
        Status.LIVE,
    )


def test_go_live__no_share_issued__refused(
    registry: ContractInstance,
    issuer: AccountAPI,
    funding: tuple[int, ContractInstance],
) -> None:
    with ape.reverts(registry.ClusterRegistry_NoSharesIssued, clusterId=funding[0]):
        registry.goLive(funding[0], sender=issuer)


def test_go_live__still_proposed__refused(
    registry: ContractInstance, scenario: Scenario, issuer: AccountAPI
) -> None:
    cluster_id = scenario.register_cluster()
    with ape.reverts(
        registry.ClusterRegistry_WrongStatus,
        clusterId=cluster_id,
        status=Status.PROPOSED,
        required=Status.FUNDING,
    ):
        registry.goLive(cluster_id, sender=issuer)


def test_go_live__second_time__refused_and_range_unchanged(
    registry: ContractInstance, scenario: Scenario, issuer: AccountAPI, holder: AccountAPI
) -> None:
    cluster_id, _ = scenario.live_cluster([holder], [100 * SHARE])
    before = tuple(registry.epochRange(cluster_id))
    with ape.reverts(
        registry.ClusterRegistry_WrongStatus, status=Status.LIVE, required=Status.FUNDING
    ):
        registry.goLive(cluster_id, sender=issuer)
    assert tuple(registry.epochRange(cluster_id)) == before
