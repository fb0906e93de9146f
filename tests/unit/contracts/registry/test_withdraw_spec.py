"""ClusterRegistry.withdrawSpec: a scheduled change is taken back before it acts."""

from __future__ import annotations

import ape
import pytest
from ape import chain
from ape.api import AccountAPI
from ape.contracts import ContractInstance

from tests.support.registry import spec_of
from tests.support.scenario import EPOCH_SECONDS, SHARE, Scenario, current_epoch, default_spec


@pytest.fixture(scope="module")
def cluster_id(scenario: Scenario, holder: AccountAPI) -> int:
    return scenario.live_cluster([holder], [100 * SHARE])[0]


def test_withdraw_spec__scheduled__the_one_in_force_stays(
    registry: ContractInstance, issuer: AccountAPI, cluster_id: int
) -> None:
    act = current_epoch() + 3
    registry.scheduleSpec(cluster_id, act, default_spec(gpuCount=7), sender=issuer)

    receipt = registry.withdrawSpec(cluster_id, sender=issuer)

    [event] = receipt.decode_logs(registry.SpecWithdrawn)
    assert (event.clusterId, event.fromEpoch) == (cluster_id, act)
    assert registry.scheduledSpec(cluster_id).fromEpoch == 0
    spec, from_epoch = registry.specAt(cluster_id, act)
    assert (spec_of(spec), from_epoch) == (default_spec(), 0)


def test_withdraw_spec__after_earlier_changes__history_is_as_before(
    registry: ContractInstance, issuer: AccountAPI, cluster_id: int
) -> None:
    acts = []
    for count in (7, 6, 5):
        act = current_epoch() + 2
        registry.scheduleSpec(cluster_id, act, default_spec(gpuCount=count), sender=issuer)
        chain.pending_timestamp = act * EPOCH_SECONDS
        chain.mine()
        acts.append(act)
    later = current_epoch() + 4
    registry.scheduleSpec(cluster_id, later, default_spec(gpuCount=4), sender=issuer)

    registry.withdrawSpec(cluster_id, sender=issuer)

    for act, previous in zip(acts, [0, *acts], strict=False):
        assert registry.specEpochAt(cluster_id, act) == act
        assert registry.specEpochAt(cluster_id, act - 1) == previous
    assert registry.specEpochAt(cluster_id, later) == acts[-1]


def test_withdraw_spec__withdrawn__another_may_be_scheduled_for_the_same_epoch(
    registry: ContractInstance, issuer: AccountAPI, cluster_id: int
) -> None:
    act = current_epoch() + 3
    registry.scheduleSpec(cluster_id, act, default_spec(gpuCount=7), sender=issuer)
    registry.withdrawSpec(cluster_id, sender=issuer)
    registry.scheduleSpec(cluster_id, act, default_spec(gpuCount=6), sender=issuer)
    assert spec_of(registry.specAt(cluster_id, act).spec) == default_spec(gpuCount=6)


def test_withdraw_spec__none_scheduled__refused(
    registry: ContractInstance, issuer: AccountAPI, cluster_id: int
) -> None:
    with ape.reverts(registry.ClusterRegistry_NoSpecScheduled, clusterId=cluster_id):
        registry.withdrawSpec(cluster_id, sender=issuer)


def test_withdraw_spec__it_acts_already__refused(
    registry: ContractInstance, issuer: AccountAPI, cluster_id: int
) -> None:
    act = current_epoch() + 3
    registry.scheduleSpec(cluster_id, act, default_spec(gpuCount=7), sender=issuer)
    chain.pending_timestamp = act * EPOCH_SECONDS
    with ape.reverts(registry.ClusterRegistry_NoSpecScheduled, clusterId=cluster_id):
        registry.withdrawSpec(cluster_id, sender=issuer)
