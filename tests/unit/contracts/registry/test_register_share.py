"""ClusterRegistry.registerShare: the token of a cluster, once, while Proposed."""

from __future__ import annotations

import ape
import pytest
from ape.api import AccountAPI
from ape.contracts import ContractInstance
from ape.utils import ZERO_ADDRESS

from scripts._lib.deployment import System, deploy_share
from tests.support.registry import Status
from tests.support.scenario import Scenario


@pytest.fixture
def cluster_id(scenario: Scenario) -> int:
    return scenario.register_cluster()


@pytest.fixture
def share(system: System, cluster_id: int, deployer: AccountAPI) -> ContractInstance:
    return deploy_share(system, cluster_id, "Cluster", "RACK", deployer)


def test_register_share__of_this_cluster__registered(
    registry: ContractInstance, registrar: AccountAPI, cluster_id: int, share: ContractInstance
) -> None:
    receipt = registry.registerShare(cluster_id, share, sender=registrar)

    cluster = registry.cluster(cluster_id)
    assert (cluster.share, cluster.status) == (share.address, Status.PROPOSED)
    [event] = receipt.decode_logs(registry.ShareRegistered)
    assert (event.clusterId, event.share) == (cluster_id, share.address)


def test_register_share__second_time__refused(
    registry: ContractInstance, registrar: AccountAPI, cluster_id: int, share: ContractInstance
) -> None:
    registry.registerShare(cluster_id, share, sender=registrar)
    with ape.reverts(
        registry.ClusterRegistry_ShareAlreadyRegistered, clusterId=cluster_id, share=share.address
    ):
        registry.registerShare(cluster_id, share, sender=registrar)


def test_register_share__of_another_cluster__refused(
    registry: ContractInstance,
    registrar: AccountAPI,
    scenario: Scenario,
    cluster_id: int,
    share: ContractInstance,
) -> None:
    other = scenario.register_cluster()
    with ape.reverts(
        registry.ClusterRegistry_ShareOfAnotherCluster,
        share=share.address,
        shareClusterId=cluster_id,
        clusterId=other,
    ):
        registry.registerShare(other, share, sender=registrar)


@pytest.mark.parametrize("kind", ["account", "contract that is no share"])
def test_register_share__no_share_token__refused_as_of_no_cluster(
    registry: ContractInstance,
    registrar: AccountAPI,
    attacker: AccountAPI,
    stablecoin: ContractInstance,
    cluster_id: int,
    kind: str,
) -> None:
    impostor = attacker.address if kind == "account" else stablecoin.address
    with ape.reverts(
        registry.ClusterRegistry_ShareOfAnotherCluster,
        share=impostor,
        shareClusterId=0,
        clusterId=cluster_id,
    ):
        registry.registerShare(cluster_id, impostor, sender=registrar)


def test_register_share__zero_address__refused(
    registry: ContractInstance, registrar: AccountAPI, cluster_id: int
) -> None:
    with ape.reverts(registry.ClusterRegistry_ZeroAddress):
        registry.registerShare(cluster_id, ZERO_ADDRESS, sender=registrar)


def test_register_share__after_proposed__refused(
    registry: ContractInstance, registrar: AccountAPI, scenario: Scenario, cluster_id: int
) -> None:
    share = scenario.open_funding(cluster_id)
    with ape.reverts(
        registry.ClusterRegistry_WrongStatus,
        clusterId=cluster_id,
        status=Status.FUNDING,
        required=Status.PROPOSED,
    ):
        registry.registerShare(cluster_id, share, sender=registrar)


def test_register_share__unknown_cluster__refused(
    registry: ContractInstance, registrar: AccountAPI, share: ContractInstance
) -> None:
    unknown = registry.clusterCount() + 1
    with ape.reverts(registry.ClusterRegistry_UnknownCluster, clusterId=unknown):
        registry.registerShare(unknown, share, sender=registrar)
