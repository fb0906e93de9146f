"""MetricsOracle.readingBefore: what the meters showed where a specification begins."""

from __future__ import annotations

from dataclasses import dataclass

import ape
import pytest
from ape.api import AccountAPI
from ape.contracts import ContractInstance

from tests.support.oracle import GRACE_SECONDS, Figures, Newsdesk, Reading, end_of
from tests.support.scenario import default_spec, travel_to, travel_to_epoch

WINDOW = 3_600


@dataclass(frozen=True)
class Changes:
    """Schedules specifications and reports the epochs around them, each with figures of its own."""

    registry: ContractInstance
    issuer: AccountAPI
    desk: Newsdesk
    first_epoch: int

    def schedule(self, cluster_id: int, after_first: int) -> int:
        """A specification that acts so many epochs after the first one; two at least."""
        epoch = self.first_epoch + after_first
        spec = default_spec(contractedRateUsd6PerGpuHour=1_000 - after_first)
        self.registry.scheduleSpec(cluster_id, epoch, spec, sender=self.issuer)
        return epoch

    def post(self, after_first: int, *cluster_ids: int) -> None:
        epoch = self.first_epoch + after_first
        figures = [self.figures(cluster_id, epoch) for cluster_id in cluster_ids]
        self.desk.post(self.desk.report(epoch, *figures))

    def figures(self, cluster_id: int, epoch: int) -> Figures:
        number = 10 * cluster_id + epoch - self.first_epoch
        return Figures(cluster_id, 100 + number, 40 + number, 30 + number, 20 + number, 10 + number)

    def before(self, cluster_id: int, epoch: int) -> Reading:
        """The sum of all epochs before `epoch`, as reported."""
        reading = Reading()
        for each in range(self.first_epoch, epoch):
            reading = reading.plus(self.figures(cluster_id, each), each)
        return reading

    def told(self, cluster_id: int, epoch: int) -> Reading:
        return Reading.of(self.desk.oracle.readingBefore(cluster_id, epoch))


@pytest.fixture
def changes(
    registry: ContractInstance, issuer: AccountAPI, desk: Newsdesk, first_epoch: int
) -> Changes:
    travel_to_epoch(first_epoch)
    return Changes(registry, issuer, desk, first_epoch)


def test_reading_before__epochs_counted_one_by_one__that_of_the_epoch_before(
    changes: Changes, cluster_id: int
) -> None:
    epoch = changes.schedule(cluster_id, 2)
    travel_to(end_of(epoch + 2))
    for n in range(5):
        changes.post(n, cluster_id)
        assert changes.told(cluster_id, epoch) == changes.before(
            cluster_id, min(changes.first_epoch + n + 1, epoch)
        )
    assert changes.before(cluster_id, epoch).epoch == epoch - 1


def test_reading_before__clusters_with_and_without_a_change__each_has_its_own(
    changes: Changes, oracle: ContractInstance, clusters: list[int]
) -> None:
    first, second, third = clusters
    epoch = changes.schedule(first, 2)
    assert changes.schedule(third, 2) == epoch
    travel_to(end_of(epoch))
    for n in range(3):
        changes.post(n, *clusters)
    for cluster_id in (first, third):
        assert changes.told(cluster_id, epoch) == changes.before(cluster_id, epoch)
    with ape.reverts(oracle.MetricsOracle_NoReadingBefore, clusterId=second, specEpoch=epoch):
        oracle.readingBefore(second, epoch)


def test_reading_before__cluster_behind_the_others__kept_when_its_turn_comes(
    changes: Changes, clusters: list[int]
) -> None:
    behind, ahead, _ = clusters
    epoch = changes.schedule(behind, 2)
    changes.schedule(ahead, 2)
    travel_to(end_of(epoch))
    changes.post(0, behind, ahead)
    changes.post(1, ahead)
    changes.post(2, behind, ahead)
    assert changes.told(behind, epoch) == changes.before(behind, epoch - 1)
    changes.post(1, behind)
    changes.post(2, behind)
    assert changes.told(behind, epoch) == changes.before(behind, epoch)
    assert changes.told(ahead, epoch) == changes.before(ahead, epoch)


def test_reading_before__several_changes_become_final_at_once__each_has_its_own(
    changes: Changes,
    oracle: ContractInstance,
    oracle_admin: AccountAPI,
    keeper: AccountAPI,
    cluster_id: int,
) -> None:
    oracle.setDisputeWindow(WINDOW, sender=oracle_admin)
    epochs = []
    for after_first in (2, 4, 7):
        epochs.append(changes.schedule(cluster_id, after_first))
        travel_to_epoch(epochs[-1])
    travel_to(end_of(epochs[-1] + 1))
    for n in range(9):
        changes.post(n, cluster_id)
    for epoch in epochs:
        assert changes.told(cluster_id, epoch) == Reading()
    travel_to(end_of(epochs[-1] + 1) + WINDOW + 60)
    oracle.finalize(cluster_id, 3, sender=keeper)
    oracle.finalize(cluster_id, 48, sender=keeper)
    assert oracle.resolvedEpoch(cluster_id) == epochs[-1] + 1
    for epoch in epochs:
        assert changes.told(cluster_id, epoch) == changes.before(cluster_id, epoch)


def test_reading_before__other_cluster_waits__counted_at_once_and_kept(
    changes: Changes, oracle: ContractInstance, oracle_admin: AccountAPI, clusters: list[int]
) -> None:
    cluster_id, waiting, _ = clusters
    epoch = changes.schedule(cluster_id, 2)
    travel_to(end_of(epoch))
    oracle.setDisputeWindow(WINDOW, sender=oracle_admin)
    changes.post(0, waiting)
    oracle.setDisputeWindow(0, sender=oracle_admin)
    for n in range(3):
        changes.post(n, cluster_id)
    assert changes.told(cluster_id, epoch) == changes.before(cluster_id, epoch)


def test_reading_before__lapsed_epochs_around_it__only_energy_in_time(
    changes: Changes, oracle: ContractInstance, cluster_id: int
) -> None:
    epoch = changes.schedule(cluster_id, 2)
    travel_to_epoch(changes.first_epoch + 1)
    changes.post(0, cluster_id)
    travel_to(end_of(epoch) + GRACE_SECONDS)
    assert oracle.resolvedEpoch(cluster_id) == epoch
    energy = changes.told(cluster_id, epoch).energy_wh
    assert energy == changes.figures(cluster_id, changes.first_epoch).energy_wh
    changes.post(1, cluster_id)
    changes.post(2, cluster_id)
    assert changes.told(cluster_id, epoch).epoch == epoch - 1
    assert changes.told(cluster_id, epoch).energy_wh == energy


def test_reading_before__change_withdrawn__none_is_kept(
    changes: Changes, oracle: ContractInstance, cluster_id: int
) -> None:
    epoch = changes.schedule(cluster_id, 2)
    changes.registry.withdrawSpec(cluster_id, sender=changes.issuer)
    travel_to(end_of(epoch))
    for n in range(3):
        changes.post(n, cluster_id)
    with ape.reverts(oracle.MetricsOracle_NoReadingBefore, specEpoch=epoch):
        oracle.readingBefore(cluster_id, epoch)


def test_reading_before__first_epoch_of_the_cluster__refused_once_counted(
    changes: Changes, oracle: ContractInstance, cluster_id: int
) -> None:
    assert changes.told(cluster_id, changes.first_epoch) == Reading()
    travel_to(end_of(changes.first_epoch))
    changes.post(0, cluster_id)
    with ape.reverts(oracle.MetricsOracle_NoReadingBefore, clusterId=cluster_id):
        oracle.readingBefore(cluster_id, changes.first_epoch)
