"""Waterfall.applySpec: each epoch costs by the specification of its time, whenever it is called."""

from __future__ import annotations

from typing import Any

import ape
import pytest
from ape import chain
from ape.api import AccountAPI
from ape.contracts import ContractInstance

from tests.support.income import DAY
from tests.support.revenue import CONTRACTED, ENERGY_PER_KWH, MAXIMUM, SPEC, Books, up
from tests.support.scenario import EPOCH_SECONDS, USD, Scenario, default_spec, travel_to

NOTICE_EPOCHS = 7 * 24


def _schedule(books: Books, epochs_after_first: int, **changes: Any) -> int:
    """A change of the specification: the epoch from which it acts."""
    epoch = books.first_epoch + epochs_after_first
    books.scenario.system.registry.scheduleSpec(
        books.cluster_id, epoch, default_spec(**(SPEC | changes)), sender=books.scenario.issuer
    )
    return epoch


def _report_to(books: Books, epochs: range, energy_wh: int) -> None:
    for n in epochs:
        books.report(n, energy_wh)


def test_apply_spec__epoch_before_it_resolved__later_ones_cost_the_new_rate(
    books: Books, waterfall: ContractInstance, customer: AccountAPI
) -> None:
    books.receive(100 * USD)
    epoch = _schedule(books, 2, contractedRateUsd6PerGpuHour=100_000)
    travel_to(books.start + 2 * EPOCH_SECONDS)
    _report_to(books, range(2), 400)
    receipt = waterfall.applySpec(books.cluster_id, sender=customer)
    [event] = receipt.decode_logs(waterfall.SpecApplied)
    assert (event.clusterId, event.specEpoch, event.sinceEpoch) == (
        books.cluster_id,
        epoch,
        epoch - 1,
    )
    travel_to(books.start + 3 * EPOCH_SECONDS)
    books.receive(10 * USD)
    books.report(2, 400)
    books.distribute()
    energy = 3 * 400 * ENERGY_PER_KWH // 1_000
    assert books.state.operatorEarned == 2 * CONTRACTED + 100_000 + energy
    assert books.is_conserved()


def test_apply_spec__called_late_or_never__each_epoch_costs_by_its_own(
    books: Books, waterfall: ContractInstance, customer: AccountAPI
) -> None:
    books.receive(100 * USD)
    epoch = _schedule(books, 2, contractedRateUsd6PerGpuHour=100_000, tariffUsd6PerKwh=10_000)
    travel_to(books.start + 5 * EPOCH_SECONDS)
    _report_to(books, range(5), 400)
    books.distribute()
    before = 2 * (CONTRACTED + 400 * ENERGY_PER_KWH // 1_000)
    since = 3 * (100_000 + 400 * ENERGY_PER_KWH // 10_000)
    assert books.state.operatorEarned == before + since
    receipt = waterfall.applySpec(books.cluster_id, sender=customer)
    [event] = receipt.decode_logs(waterfall.SpecApplied)
    assert (event.specEpoch, event.sinceEpoch) == (epoch, epoch - 1)
    assert books.state.operatorEarned == before + since


def test_apply_spec__three_wait__one_call_and_each_epoch_costs_by_its_own(
    books: Books, waterfall: ContractInstance, customer: AccountAPI
) -> None:
    books.receive(100 * USD)
    for epochs, rate in ((3, 200_000), (5, 100_000), (7, 0)):
        _schedule(books, epochs, contractedRateUsd6PerGpuHour=rate)
        travel_to(books.start + epochs * EPOCH_SECONDS + 1)
    _report_to(books, range(7), 400)
    cost = 3 * CONTRACTED + 2 * 200_000 + 2 * 100_000 + 7 * 400 * ENERGY_PER_KWH // 1_000
    books.distribute()
    assert books.state.operatorEarned == cost
    receipt = waterfall.applySpec(books.cluster_id, sender=customer)
    [event] = receipt.decode_logs(waterfall.SpecApplied)
    assert event.sinceEpoch == books.first_epoch + 6
    assert books.state.operatorEarned == cost
    travel_to(books.start + 8 * EPOCH_SECONDS)
    books.receive(10 * USD)
    books.report(7, 400)
    books.distribute()
    assert books.state.operatorEarned == cost + 400 * ENERGY_PER_KWH // 1_000


@pytest.mark.parametrize("rate", [100_000, 0, CONTRACTED])
def test_apply_spec__epochs_on_both_sides_become_final_at_once__each_costs_by_its_own(
    books: Books,
    waterfall: ContractInstance,
    oracle: ContractInstance,
    oracle_admin: AccountAPI,
    customer: AccountAPI,
    rate: int,
) -> None:
    """What a dispute of the epoch before a change does, or whoever finalises a day late."""
    oracle.setDisputeWindow(6 * EPOCH_SECONDS, sender=oracle_admin)
    books.receive(100 * USD)
    epoch = _schedule(books, 2, contractedRateUsd6PerGpuHour=rate, tariffUsd6PerKwh=20_000)
    for n in range(4):
        travel_to(books.start + (n + 1) * EPOCH_SECONDS)
        books.report(n, 100 + n)
    travel_to(books.start + 11 * EPOCH_SECONDS)
    oracle.finalize(books.cluster_id, 48, sender=customer)
    assert oracle.resolvedEpoch(books.cluster_id) == epoch + 1
    waterfall.applySpec(books.cluster_id, sender=customer)
    energy = 201 * ENERGY_PER_KWH // 1_000 + 205 * ENERGY_PER_KWH // 5_000
    assert books.state.operatorEarned == 2 * CONTRACTED + 2 * rate + energy
    assert books.is_conserved()


def test_apply_spec__reports_lapsed_around_it__only_energy_in_time_costs(
    books: Books, waterfall: ContractInstance, customer: AccountAPI
) -> None:
    """Epochs 0 and 1 in time, 2 to 4 late: the change acts from 3."""
    books.receive(100 * USD)
    _schedule(books, 3, contractedRateUsd6PerGpuHour=100_000, tariffUsd6PerKwh=10_000)
    travel_to(books.start + 2 * EPOCH_SECONDS)
    _report_to(books, range(2), 500)
    travel_to(books.start + 5 * EPOCH_SECONDS + DAY)
    books.distribute()
    lapsed = 3 * CONTRACTED + 2 * 100_000 + 1_000 * ENERGY_PER_KWH // 1_000
    assert books.state.operatorEarned == lapsed
    _report_to(books, range(2, 5), 700)
    assert books.state.operatorEarned == lapsed
    waterfall.applySpec(books.cluster_id, sender=customer)
    assert books.state.operatorEarned == lapsed
    travel_to(books.start + 5 * EPOCH_SECONDS + DAY + 1_800)
    books.receive(10 * USD)
    books.report(5, 1_000)
    books.distribute()
    assert books.state.operatorEarned == lapsed + 100_000 + ENERGY_PER_KWH // 10


def test_apply_spec__fewer_gpus__energy_is_capped_on_each_side_by_its_own_hardware(
    books: Books, waterfall: ContractInstance, customer: AccountAPI
) -> None:
    books.receive(100 * USD)
    _schedule(books, 2, gpuMaxPowerWatts=500)
    travel_to(books.start + 4 * EPOCH_SECONDS)
    _report_to(books, range(4), 900)
    books.distribute()
    energy = 2 * (900 + 500) * ENERGY_PER_KWH // 1_000
    assert books.state.operatorEarned == 4 * CONTRACTED + energy
    waterfall.applySpec(books.cluster_id, sender=customer)
    assert books.state.operatorEarned == 4 * CONTRACTED + energy


def test_apply_spec__other_energy_price__metered_since_by_the_new_price(
    books: Books, waterfall: ContractInstance, customer: AccountAPI
) -> None:
    books.receive(100 * USD)
    _schedule(books, 2, tariffUsd6PerKwh=10_000)
    travel_to(books.start + 2 * EPOCH_SECONDS)
    _report_to(books, range(2), 600)
    waterfall.applySpec(books.cluster_id, sender=customer)
    travel_to(books.start + 3 * EPOCH_SECONDS)
    books.receive(10 * USD)
    books.report(2, 600)
    books.distribute()
    energy = 2 * 600 * ENERGY_PER_KWH // 1_000 + 600 * ENERGY_PER_KWH // 10_000
    assert books.state.operatorEarned == 3 * CONTRACTED + energy


def test_apply_spec__not_yet_resolved_up_to_it__refused(
    books: Books, waterfall: ContractInstance, customer: AccountAPI
) -> None:
    _schedule(books, 2, contractedRateUsd6PerGpuHour=0)
    travel_to(books.start + 2 * EPOCH_SECONDS)
    books.report(0, 0)
    with ape.reverts(
        waterfall.Waterfall_NoSpecToApply,
        clusterId=books.cluster_id,
        specEpoch=0,
        resolvedEpoch=books.first_epoch,
    ):
        waterfall.applySpec(books.cluster_id, sender=customer)


def test_apply_spec__nothing_new_or_not_in_force_yet__refused(
    books: Books, waterfall: ContractInstance, customer: AccountAPI
) -> None:
    with ape.reverts(waterfall.Waterfall_NoSpecToApply, specEpoch=0):
        waterfall.applySpec(books.cluster_id, sender=customer)
    _schedule(books, 2, contractedRateUsd6PerGpuHour=0)
    travel_to(books.start + EPOCH_SECONDS)
    books.report(0, 0)
    with ape.reverts(waterfall.Waterfall_NoSpecToApply, specEpoch=0):
        waterfall.applySpec(books.cluster_id, sender=customer)


def test_apply_spec__twice__second_refused(
    books: Books, waterfall: ContractInstance, customer: AccountAPI
) -> None:
    epoch = _schedule(books, 2, contractedRateUsd6PerGpuHour=0)
    travel_to(books.start + 2 * EPOCH_SECONDS)
    _report_to(books, range(2), 0)
    waterfall.applySpec(books.cluster_id, sender=customer)
    with ape.reverts(waterfall.Waterfall_NoSpecToApply, specEpoch=epoch):
        waterfall.applySpec(books.cluster_id, sender=customer)


@pytest.mark.parametrize("rate", [1_000_000, 100_000])
def test_apply_spec__in_force_and_not_applied__its_time_is_escrowed_at_its_own_maximum(
    books: Books, waterfall: ContractInstance, customer: AccountAPI, rate: int
) -> None:
    books.receive(10_000 * USD)
    epoch = _schedule(books, NOTICE_EPOCHS + 1, contractedRateUsd6PerGpuHour=rate)
    start = epoch * EPOCH_SECONDS
    # A day before it the metered part of all but the last day has lapsed.
    books.distribute(at=start)
    at_start = books.state.operatorAssigned
    assert at_start == (NOTICE_EPOCHS + 1 - 24) * CONTRACTED + 24 * MAXIMUM
    books.receive(10 * USD)
    books.distribute(at=start + 1_800)
    maximum = rate + ENERGY_PER_KWH
    assert books.state.operatorAssigned == at_start + maximum // 2
    books.receive(100 * USD)
    # The last epoch before it lapses.
    chain.pending_timestamp = start + DAY + 600
    waterfall.applySpec(books.cluster_id, sender=customer)
    assert books.state.operatorShortfall == 0
    assert books.state.operatorAssigned == (NOTICE_EPOCHS + 1) * CONTRACTED + up(
        maximum * (DAY + 600), EPOCH_SECONDS
    )
    assert books.is_conserved()


def test_apply_spec__new_reserve_share__acts_on_income_from_then_on(
    books: Books, waterfall: ContractInstance, customer: AccountAPI
) -> None:
    _schedule(books, 2, reserveShareBps=0)
    travel_to(books.start + 2 * EPOCH_SECONDS)
    _report_to(books, range(2), 1_000)
    books.receive(50 * USD)
    chain.pending_timestamp = books.start + 2 * EPOCH_SECONDS + 10
    receipt = waterfall.applySpec(books.cluster_id, sender=customer)
    assert len(list(receipt.decode_logs(waterfall.IncomeDistributed))) == 1
    kept = books.state.reserveAssigned
    assert kept == (50 * USD - 2 * MAXIMUM - MAXIMUM * 10 // EPOCH_SECONDS) // 10
    books.receive(50 * USD)
    books.distribute()
    assert books.state.reserveAssigned == kept


def test_apply_spec__before_live__refused(
    waterfall: ContractInstance, scenario: Scenario, customer: AccountAPI
) -> None:
    cluster_id = scenario.register_cluster()
    with ape.reverts(waterfall.Waterfall_NotEarning, clusterId=cluster_id):
        waterfall.applySpec(cluster_id, sender=customer)
