"""ClusterRegistry.changesAt: how many clusters have a specification that acts from an epoch on."""

from __future__ import annotations

from ape.api import AccountAPI
from ape.contracts import ContractInstance

from tests.support.scenario import Scenario, current_epoch, default_spec, travel_to_epoch


def test_changes_at__clusters_schedule_and_withdraw__as_many_as_stand(
    registry: ContractInstance, scenario: Scenario, issuer: AccountAPI
) -> None:
    clusters = [scenario.register_cluster() for _ in range(3)]
    act = current_epoch() + 5
    assert registry.changesAt(act) == 0
    for number, cluster_id in enumerate(clusters, 1):
        registry.scheduleSpec(cluster_id, act, default_spec(gpuCount=number), sender=issuer)
        assert registry.changesAt(act) == number
    registry.withdrawSpec(clusters[1], sender=issuer)
    assert registry.changesAt(act) == 2
    assert registry.changesAt(act - 1) == registry.changesAt(act + 1) == 0
    travel_to_epoch(act + 1)
    assert registry.changesAt(act) == 2


def test_changes_at__first_specification__is_no_change(
    registry: ContractInstance, scenario: Scenario
) -> None:
    scenario.register_cluster()
    assert registry.changesAt(0) == 0
