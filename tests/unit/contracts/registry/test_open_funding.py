"""ClusterRegistry.openFunding: Proposed → Funding."""

from __future__ import annotations

import ape
from ape.api import AccountAPI
from ape.contracts import ContractInstance

from scripts._lib.deployment import System, deploy_share
from tests.support.registry import Status
from tests.support.scenario import Scenario


def test_open_funding__share_registered__funding(
    system: System,
    registry: ContractInstance,
    registrar: AccountAPI,
    deployer: AccountAPI,
    scenario: Scenario,
) -> None:
    cluster_id = scenario.register_cluster()
    share = deploy_share(system, cluster_id, "Cluster", "RACK", deployer)
    registry.registerShare(cluster_id, share, sender=registrar)

    receipt = registry.openFunding(cluster_id, sender=registrar)

    assert registry.statusOf(cluster_id) == Status.FUNDING
    assert tuple(registry.epochRange(cluster_id)) == (0, 0)
    [event] = receipt.decode_logs(registry.ClusterStatusChanged)
    assert (event.previousStatus, event.status) == (Status.PROPOSED, Status.FUNDING)


def test_open_funding__no_share__refused(
    registry: ContractInstance, registrar: AccountAPI, scenario: Scenario
) -> None:
    cluster_id = scenario.register_cluster()
    with ape.reverts(registry.ClusterRegistry_NoShareRegistered, clusterId=cluster_id):
        registry.openFunding(cluster_id, sender=registrar)


def test_open_funding__already_open__refused(
    registry: ContractInstance, registrar: AccountAPI, scenario: Scenario
) -> None:
    cluster_id = scenario.register_cluster()
    scenario.open_funding(cluster_id)
    with ape.reverts(
        registry.ClusterRegistry_WrongStatus,
        clusterId=cluster_id,
        status=Status.FUNDING,
        required=Status.PROPOSED,
    ):
        registry.openFunding(cluster_id, sender=registrar)


def test_open_funding__unknown_cluster__refused(
    registry: ContractInstance, registrar: AccountAPI
) -> None:
    with ape.reverts(registry.ClusterRegistry_UnknownCluster, clusterId=0):
        registry.openFunding(0, sender=registrar)
