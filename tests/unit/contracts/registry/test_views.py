"""What ClusterRegistry answers about clusters that there are not, and are."""

from __future__ import annotations

import ape
import pytest
from ape import chain
from ape.api import AccountAPI
from ape.contracts import ContractInstance

from tests.support.registry import Status, spec_of
from tests.support.scenario import EPOCH_SECONDS, Scenario, current_epoch, default_spec


@pytest.mark.parametrize("beyond", [0, 1, 2**32 - 1])
def test_status_of__no_such_cluster__none_and_no_epochs(
    registry: ContractInstance, scenario: Scenario, beyond: int
) -> None:
    last = scenario.register_cluster()
    cluster_id = {0: 0, 1: last + 1}.get(beyond, beyond)
    assert registry.statusOf(cluster_id) == Status.NONE
    assert tuple(registry.epochRange(cluster_id)) == (0, 0)


def test_cluster__no_such_cluster__refused(registry: ContractInstance) -> None:
    with ape.reverts(registry.ClusterRegistry_UnknownCluster, clusterId=77):
        registry.cluster(77)


def test_issuer_of__no_such_cluster__refused(registry: ContractInstance) -> None:
    with ape.reverts(registry.ClusterRegistry_UnknownCluster, clusterId=77):
        registry.issuerOf(77)


def test_spec_at__no_such_cluster__refused(registry: ContractInstance) -> None:
    with ape.reverts(registry.ClusterRegistry_UnknownCluster, clusterId=77):
        registry.specAt(77, 0)


def test_spec_epoch_at__no_such_cluster__refused(registry: ContractInstance) -> None:
    with ape.reverts(registry.ClusterRegistry_UnknownCluster, clusterId=77):
        registry.specEpochAt(77, 0)


def test_scheduled_spec__no_such_cluster__refused(registry: ContractInstance) -> None:
    with ape.reverts(registry.ClusterRegistry_UnknownCluster, clusterId=77):
        registry.scheduledSpec(77)


def test_scheduled_spec__none_scheduled__zeros(
    registry: ContractInstance, scenario: Scenario
) -> None:
    spec, from_epoch = registry.scheduledSpec(scenario.register_cluster())
    assert from_epoch == 0
    assert set(spec_of(spec).values()) == {0, b"\0" * 32}


def test_scheduled_spec__it_acts_now__no_longer_scheduled(
    registry: ContractInstance, issuer: AccountAPI, scenario: Scenario
) -> None:
    cluster_id = scenario.register_cluster()
    act = current_epoch() + 2
    registry.scheduleSpec(cluster_id, act, default_spec(gpuCount=9), sender=issuer)
    assert registry.scheduledSpec(cluster_id).fromEpoch == act
    chain.pending_timestamp = act * EPOCH_SECONDS
    chain.mine()
    assert registry.scheduledSpec(cluster_id).fromEpoch == 0
