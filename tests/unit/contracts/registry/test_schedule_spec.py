"""ClusterRegistry.scheduleSpec: a change of the specification, with the notice that it needs.

Branches: status (Proposed, Funding, Live, Suspended, Retired) × kind of change (lighter, any other)
× fromEpoch (too early, the earliest, later) × one scheduled already or not.
"""

from __future__ import annotations

from typing import Any

import ape
import pytest
from ape import chain
from ape.api import AccountAPI
from ape.contracts import ContractInstance

from tests.support.registry import Status, spec_of
from tests.support.scenario import (
    EPOCH_SECONDS,
    SHARE,
    YEAR_SECONDS,
    Scenario,
    default_spec,
    text32,
    travel_to_epoch,
)

NOTICE_EPOCHS = 7 * 24

LIGHTER: dict[str, Any] = {
    "gpuSetRoot": b"\x33" * 32,
    "documentsRoot": b"\x44" * 32,
    "gpuCount": 7,
    "gpuMaxPowerWatts": 699,
    "gpuIdlePowerWatts": 89,
    "pueBps": 12_999,
    "tariffUsd6PerKwh": 92_899,
    "contractedRateUsd6PerGpuHour": 249_999,
    "reserveShareBps": 999,
    "reserveTargetUsd6": 1,
}
HEAVIER: dict[str, Any] = {
    "gpuModel": text32("H200"),
    "region": text32("us-east-1"),
    "gpuCount": 9,
    "gpuMaxPowerWatts": 701,
    "gpuIdlePowerWatts": 91,
    "pueBps": 13_001,
    "tariffUsd6PerKwh": 92_901,
    "contractedRateUsd6PerGpuHour": 250_001,
    "reserveShareBps": 1_001,
    "depreciationLifeSeconds": 4 * YEAR_SECONDS,
    "pricePaidUsd6": 299_999_999_999,
    "reserveTargetUsd6": 60_000_000_001,
}


@pytest.fixture(scope="module")
def cluster_id(scenario: Scenario, holder: AccountAPI) -> int:
    """A Live cluster, at the first second of an epoch."""
    cluster_id, _ = scenario.live_cluster([holder], [100 * SHARE])
    travel_to_epoch(scenario.system.registry.epochRange(cluster_id).firstEpoch)
    return cluster_id


def at_second_of_epoch(second: int) -> int:
    """The next transaction comes at this second of the next epoch, whose number is returned."""
    epoch = int(chain.blocks.head.timestamp) // EPOCH_SECONDS + 1
    chain.pending_timestamp = epoch * EPOCH_SECONDS + second
    return epoch


def test_schedule_spec__valid__acts_from_its_epoch_and_not_before(
    registry: ContractInstance, issuer: AccountAPI, cluster_id: int
) -> None:
    epoch = at_second_of_epoch(1)
    spec = default_spec(gpuCount=6, pueBps=12_000)

    receipt = registry.scheduleSpec(cluster_id, epoch + 2, spec, sender=issuer)

    [event] = receipt.decode_logs(registry.SpecScheduled)
    assert (event.clusterId, event.fromEpoch) == (cluster_id, epoch + 2)
    assert spec_of(event.previousSpec) == default_spec()
    assert spec_of(event.spec) == spec
    assert registry.specEpochAt(cluster_id, epoch + 1) == 0
    assert registry.specEpochAt(cluster_id, epoch + 2) == epoch + 2
    stored, from_epoch = registry.specAt(cluster_id, epoch + 1)
    assert (spec_of(stored), from_epoch) == (default_spec(), 0)
    stored, from_epoch = registry.specAt(cluster_id, epoch + 2)
    assert (spec_of(stored), from_epoch) == (spec, epoch + 2)
    stored, from_epoch = registry.scheduledSpec(cluster_id)
    assert (spec_of(stored), from_epoch) == (spec, epoch + 2)


@pytest.mark.parametrize("field", LIGHTER)
def test_schedule_spec__lighter_when_live__one_epochs_notice_is_enough(
    registry: ContractInstance, issuer: AccountAPI, cluster_id: int, field: str
) -> None:
    epoch = at_second_of_epoch(0)
    spec = default_spec(**{field: LIGHTER[field]})
    registry.scheduleSpec(cluster_id, epoch + 1, spec, sender=issuer)
    assert registry.specEpochAt(cluster_id, epoch + 1) == epoch + 1


@pytest.mark.parametrize(("second", "epochs"), [(0, 1), (1, 2), (EPOCH_SECONDS - 1, 2)])
def test_schedule_spec__lighter_when_live__needs_a_whole_epochs_notice(
    registry: ContractInstance, issuer: AccountAPI, cluster_id: int, second: int, epochs: int
) -> None:
    spec = default_spec(gpuCount=7)
    earliest = at_second_of_epoch(second) + epochs
    with ape.reverts(
        registry.ClusterRegistry_SpecTooEarly, fromEpoch=earliest - 1, earliest=earliest
    ):
        registry.scheduleSpec(cluster_id, earliest - 1, spec, sender=issuer)

    earliest = at_second_of_epoch(second) + epochs
    registry.scheduleSpec(cluster_id, earliest, spec, sender=issuer)
    assert registry.specEpochAt(cluster_id, earliest) == earliest


@pytest.mark.parametrize("field", HEAVIER)
def test_schedule_spec__not_lighter_when_live__one_epochs_notice_is_not_enough(
    registry: ContractInstance, issuer: AccountAPI, cluster_id: int, field: str
) -> None:
    epoch = at_second_of_epoch(0)
    with ape.reverts(
        registry.ClusterRegistry_SpecTooEarly, fromEpoch=epoch + 1, earliest=epoch + NOTICE_EPOCHS
    ):
        registry.scheduleSpec(
            cluster_id, epoch + 1, default_spec(**{field: HEAVIER[field]}), sender=issuer
        )


@pytest.mark.parametrize(("second", "extra"), [(0, 0), (1, 1), (EPOCH_SECONDS - 1, 1)])
def test_schedule_spec__heavier_when_live__needs_the_full_notice(
    registry: ContractInstance, issuer: AccountAPI, cluster_id: int, second: int, extra: int
) -> None:
    spec = default_spec(gpuCount=9)
    earliest = at_second_of_epoch(second) + NOTICE_EPOCHS + extra
    with ape.reverts(
        registry.ClusterRegistry_SpecTooEarly, fromEpoch=earliest - 1, earliest=earliest
    ):
        registry.scheduleSpec(cluster_id, earliest - 1, spec, sender=issuer)

    earliest = at_second_of_epoch(second) + NOTICE_EPOCHS + extra
    registry.scheduleSpec(cluster_id, earliest, spec, sender=issuer)
    assert registry.specEpochAt(cluster_id, earliest) == earliest


def test_schedule_spec__one_field_heavier_among_lighter_ones__needs_the_full_notice(
    registry: ContractInstance, issuer: AccountAPI, cluster_id: int
) -> None:
    spec = default_spec(**(LIGHTER | {"tariffUsd6PerKwh": 92_901}))
    epoch = at_second_of_epoch(0)
    with ape.reverts(registry.ClusterRegistry_SpecTooEarly, earliest=epoch + NOTICE_EPOCHS):
        registry.scheduleSpec(cluster_id, epoch + 2, spec, sender=issuer)


@pytest.mark.parametrize("back", [0, 1, 1_000])
def test_schedule_spec__running_or_past_epoch__refused(
    registry: ContractInstance, issuer: AccountAPI, cluster_id: int, back: int
) -> None:
    epoch = at_second_of_epoch(0)
    with ape.reverts(
        registry.ClusterRegistry_SpecTooEarly, fromEpoch=epoch - back, earliest=epoch + 1
    ):
        registry.scheduleSpec(cluster_id, epoch - back, default_spec(), sender=issuer)


def test_schedule_spec__heavier_while_proposed__may_act_from_the_next_epoch(
    registry: ContractInstance, issuer: AccountAPI, scenario: Scenario
) -> None:
    proposed = scenario.register_cluster()
    spec = default_spec(pueBps=20_000)
    epoch = at_second_of_epoch(EPOCH_SECONDS - 1)
    with ape.reverts(registry.ClusterRegistry_SpecTooEarly, fromEpoch=epoch, earliest=epoch + 1):
        registry.scheduleSpec(proposed, epoch, spec, sender=issuer)

    epoch = at_second_of_epoch(EPOCH_SECONDS - 1)
    registry.scheduleSpec(proposed, epoch + 1, spec, sender=issuer)
    assert registry.specEpochAt(proposed, epoch + 1) == epoch + 1


def test_schedule_spec__heavier_in_funding__needs_the_full_notice(
    registry: ContractInstance, issuer: AccountAPI, scenario: Scenario
) -> None:
    funding = scenario.register_cluster()
    scenario.open_funding(funding)
    epoch = at_second_of_epoch(0)
    with ape.reverts(
        registry.ClusterRegistry_SpecTooEarly,
        fromEpoch=epoch + 1,
        earliest=epoch + NOTICE_EPOCHS,
    ):
        registry.scheduleSpec(funding, epoch + 1, default_spec(pueBps=20_000), sender=issuer)


def test_schedule_spec__suspended__scheduled_as_when_live(
    registry: ContractInstance, registrar: AccountAPI, issuer: AccountAPI, cluster_id: int
) -> None:
    registry.suspend(cluster_id, sender=registrar)
    epoch = at_second_of_epoch(0)
    registry.scheduleSpec(cluster_id, epoch + 1, default_spec(gpuCount=1), sender=issuer)
    assert registry.scheduledSpec(cluster_id).fromEpoch == epoch + 1


def test_schedule_spec__retired__refused(
    registry: ContractInstance, issuer: AccountAPI, cluster_id: int
) -> None:
    registry.retire(cluster_id, sender=issuer)
    epoch = at_second_of_epoch(0)
    with ape.reverts(
        registry.ClusterRegistry_WrongStatus, clusterId=cluster_id, status=Status.RETIRED
    ):
        registry.scheduleSpec(cluster_id, epoch + 1_000, default_spec(), sender=issuer)


def test_schedule_spec__one_scheduled_already__refused_until_it_acts(
    registry: ContractInstance, issuer: AccountAPI, cluster_id: int
) -> None:
    epoch = at_second_of_epoch(0)
    registry.scheduleSpec(cluster_id, epoch + 1, default_spec(gpuCount=7), sender=issuer)
    with ape.reverts(
        registry.ClusterRegistry_SpecAlreadyScheduled, clusterId=cluster_id, fromEpoch=epoch + 1
    ):
        registry.scheduleSpec(cluster_id, epoch + 5, default_spec(gpuCount=6), sender=issuer)

    chain.pending_timestamp = (epoch + 1) * EPOCH_SECONDS
    receipt = registry.scheduleSpec(cluster_id, epoch + 5, default_spec(gpuCount=6), sender=issuer)
    [event] = receipt.decode_logs(registry.SpecScheduled)
    assert spec_of(event.previousSpec) == default_spec(gpuCount=7)


def test_schedule_spec__heavier_than_the_one_in_force_only__needs_the_full_notice(
    registry: ContractInstance, issuer: AccountAPI, cluster_id: int
) -> None:
    """What counts is the specification in force, not the first one."""
    epoch = at_second_of_epoch(0)
    registry.scheduleSpec(cluster_id, epoch + 1, default_spec(gpuCount=4), sender=issuer)
    chain.pending_timestamp = (epoch + 1) * EPOCH_SECONDS
    with ape.reverts(
        registry.ClusterRegistry_SpecTooEarly,
        fromEpoch=epoch + 3,
        earliest=epoch + 1 + NOTICE_EPOCHS,
    ):
        registry.scheduleSpec(cluster_id, epoch + 3, default_spec(gpuCount=8), sender=issuer)


def test_schedule_spec__out_of_range__refused_by_name(
    registry: ContractInstance, issuer: AccountAPI, cluster_id: int
) -> None:
    epoch = at_second_of_epoch(0)
    with ape.reverts(registry.ClusterRegistry_SpecOutOfRange, field="gpuCount", value=0):
        registry.scheduleSpec(cluster_id, epoch + 1, default_spec(gpuCount=0), sender=issuer)
