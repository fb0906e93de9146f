"""Waterfall.distribute: operator, tranches, reserve, holders, in this order."""

from __future__ import annotations

from typing import Any

import ape
import pytest
from ape import chain
from ape.api import AccountAPI, ReceiptAPI
from ape.contracts import ContractInstance

from tests.support.income import DAY
from tests.support.revenue import (
    CONTRACTED,
    ENERGY_PER_KWH,
    FREE,
    MAXIMUM,
    RESERVE_TARGET,
    SHARES,
    Books,
    open_books,
    up,
)
from tests.support.scenario import EPOCH_SECONDS, USD, Scenario


@pytest.fixture
def free_books(
    scenario: Scenario, oracle_admin: AccountAPI, customer: AccountAPI, holder: AccountAPI
) -> Books:
    """Of a cluster that costs nothing to run."""
    return open_books(scenario, oracle_admin, customer, holder, **FREE)


def _told(books: Books, receipt: ReceiptAPI) -> tuple[int, ...]:
    """(operator, tranches, reserve, holders, shortfall) of the distribution's event."""
    [event] = receipt.decode_logs(books.waterfall.IncomeDistributed)
    assert event.clusterId == books.cluster_id
    final_cost = books.waterfall.operatorDueUsd6(books.cluster_id).finalDown
    assert event.finalCostUsd6 == final_cost
    return (
        event.operatorUsd6,
        event.tranchesUsd6,
        event.reserveUsd6,
        event.holdersUsd6,
        event.shortfallUsd6,
    )


def test_distribute__at_the_start__reserve_and_holders_share_it_all(
    books: Books, waterfall: ContractInstance
) -> None:
    books.receive(20 * USD)
    receipt = books.distribute(at=books.start + 120)
    operator = up(120 * MAXIMUM, EPOCH_SECONDS)
    left = 20 * USD - operator
    assert _told(books, receipt) == (operator, 0, left // 10, left - left // 10, 0)
    assert receipt.return_value == left - left // 10
    [event] = receipt.decode_logs(waterfall.HoldersStreamed)
    assert (event.share, event.amountUsd6) == (books.share.address, left - left // 10)
    assert event.totalUsd6 == books.state.holdersStreamed == books.share.streamState().fundedUsd6
    assert books.share.streamState().ratePerSecond > 0
    assert books.is_conserved()


def test_distribute__no_report_yet__maximum_is_escrowed_to_the_second(books: Books) -> None:
    books.receive(100 * USD)
    for second in (1_800, 3_600, 3_701, 7_200):
        books.distribute(at=books.start + second)
        due = up(second * MAXIMUM, EPOCH_SECONDS)
        assert books.state.operatorAssigned == books.state.escrowed == due
        assert books.state.operatorEarned == 0
        assert books.is_conserved()
        books.receive(10 * USD)


def test_distribute__report_below_the_maximum__difference_flows_on(books: Books) -> None:
    books.receive(200 * USD)
    books.distribute(at=books.start + EPOCH_SECONDS)
    before = books.state.holdersAssigned
    assert books.state.escrowed == MAXIMUM
    chain.pending_timestamp = books.start + EPOCH_SECONDS + 60
    books.report(0, energy_wh=400)
    cost = CONTRACTED + 400 * ENERGY_PER_KWH // 1_000
    receipt = books.distribute(at=books.start + EPOCH_SECONDS + 600)
    now_due = up(cost * EPOCH_SECONDS + 600 * MAXIMUM, EPOCH_SECONDS)
    # The reserve is full: all that is released is the holders'.
    assert _told(books, receipt) == (now_due - MAXIMUM, 0, 0, MAXIMUM - now_due, 0)
    assert books.state.operatorEarned == cost
    assert books.state.holdersAssigned - before == MAXIMUM - now_due
    assert books.is_conserved()


@pytest.mark.parametrize("energy_wh", [1_000, 1_001, 2**32 - 1])
def test_distribute__report_at_or_above_the_maximum__capped(books: Books, energy_wh: int) -> None:
    books.receive(100 * USD)
    chain.pending_timestamp = books.start + EPOCH_SECONDS
    books.report(0, energy_wh)
    finals = books.waterfall.operatorDueUsd6(books.cluster_id)
    assert finals.finalDown == MAXIMUM
    books.distribute()
    assert books.state.operatorEarned == MAXIMUM


def test_distribute__cap_over_several_epochs__taken_together(books: Books) -> None:
    books.receive(100 * USD)
    chain.pending_timestamp = books.start + 3 * EPOCH_SECONDS
    books.report(0, energy_wh=1_500)
    books.report(1, energy_wh=200)
    books.distribute()
    assert books.state.operatorEarned == 2 * CONTRACTED + 1_700 * ENERGY_PER_KWH // 1_000


def test_distribute__no_report_in_grace__metered_part_lapses(books: Books) -> None:
    books.receive(100 * USD)
    end = books.start + EPOCH_SECONDS + DAY
    books.distribute(at=end - 1)
    assert books.state.operatorEarned == 0
    books.distribute(at=end + 60)
    assert books.state.operatorEarned == CONTRACTED
    assert books.state.operatorAssigned == CONTRACTED + 24 * MAXIMUM + MAXIMUM // 60
    # Late energy counts no more.
    books.report(0, energy_wh=1_000)
    assert books.state.operatorEarned == CONTRACTED


def test_distribute__not_enough__operator_first_then_seniors_from_the_next_income(
    books: Books, customer: AccountAPI
) -> None:
    books.senior.accrue(5 * USD, 0, sender=customer)
    books.junior.accrue(3 * USD, 0, sender=customer)
    books.receive(100_000)
    receipt = books.distribute(at=books.start + EPOCH_SECONDS)
    assert _told(books, receipt) == (100_000, 0, 0, 0, MAXIMUM - 100_000)
    assert books.state.operatorShortfall == MAXIMUM - 100_000

    books.receive(MAXIMUM - 100_000 + 6 * USD)
    books.distribute(at=books.start + EPOCH_SECONDS + 60)
    _, assigned, paid = books.waterfall.tranches(books.cluster_id)
    minute = up((EPOCH_SECONDS + 60) * MAXIMUM, EPOCH_SECONDS) - MAXIMUM
    assert (list(assigned), list(paid)) == ([5 * USD, USD - minute], [0, 0])
    assert books.state.holdersAssigned == books.state.reserveAssigned == 0

    books.receive(2 * USD + minute + 10 * USD)
    receipt = books.distribute(at=books.start + EPOCH_SECONDS + 120)
    [event] = receipt.decode_logs(books.waterfall.TrancheAssigned)
    assert (event.tranche, event.amountUsd6, event.totalUsd6) == (
        books.junior.address,
        2 * USD + minute,
        3 * USD,
    )
    assert books.state.operatorShortfall == 0
    assert books.state.holdersAssigned > 0
    assert books.is_conserved()


def test_distribute__tranche_accruing__served_to_the_second_before_holders(
    books: Books, customer: AccountAPI
) -> None:
    since = books.senior.accrue(0, 100, sender=customer).timestamp
    books.receive(100 * USD)
    books.distribute(at=books.start + EPOCH_SECONDS)
    assert books.state.tranchesAssigned == (books.start + EPOCH_SECONDS - since) * 100
    assert books.is_conserved()


def test_distribute__tranche_unreadable__refused_and_nobody_below_is_paid(
    books: Books, customer: AccountAPI
) -> None:
    books.junior.setUnreadable(True, sender=customer)
    books.receive(100 * USD)
    with ape.reverts(books.junior.TestTranche_Unreadable):
        books.distribute()
    assert books.state.holdersAssigned == 0
    books.junior.setUnreadable(False, sender=customer)
    books.distribute()
    assert books.state.holdersAssigned > 0


def test_distribute__reserve_full__rest_is_the_holders(books: Books) -> None:
    books.receive(150 * USD)
    books.distribute(at=books.start + 60)
    assert books.state.reserveAssigned == RESERVE_TARGET
    operator = books.state.operatorAssigned
    assert books.state.holdersAssigned == 150 * USD - RESERVE_TARGET - operator
    books.receive(10 * USD)
    books.distribute(at=books.start + 120)
    assert books.state.reserveAssigned == RESERVE_TARGET


def test_distribute__many_small_incomes__reserve_share_carries_its_remainder(
    free_books: Books,
) -> None:
    for n in range(1, 10):
        free_books.receive(1_007)
        free_books.distribute()
        assert free_books.state.reserveAssigned == n * 1_007 // 10
    assert free_books.state.holdersAssigned == 9 * 1_007 - 906
    assert free_books.is_conserved()


def test_distribute__the_largest_cluster_and_income__to_the_unit(
    scenario: Scenario, oracle_admin: AccountAPI, customer: AccountAPI, holder: AccountAPI
) -> None:
    largest = {"gpuCount": 1_000_000, "contractedRateUsd6PerGpuHour": 100 * USD}
    books = open_books(
        scenario, oracle_admin, customer, holder, **(FREE | largest | {"reserveShareBps": 0})
    )
    books.receive(10**18)
    receipt = books.distribute(at=books.start + 5_000 * EPOCH_SECONDS)
    operator = 5_000 * 1_000_000 * 100 * USD
    assert _told(books, receipt) == (operator, 0, 0, 10**18 - operator, 0)
    assert books.state.operatorAssigned == operator
    assert books.is_conserved()


def test_distribute__nothing_new__changes_nothing(free_books: Books) -> None:
    free_books.receive(10 * USD)
    free_books.distribute()
    before = tuple(free_books.state)
    receipt = free_books.distribute()
    assert _told(free_books, receipt) == (0, 0, 0, 0, 0)
    assert tuple(free_books.state) == before
    assert list(receipt.decode_logs(free_books.waterfall.HoldersStreamed)) == []
    assert list(receipt.decode_logs(free_books.waterfall.HoldersDeferred)) == []


def test_distribute__a_single_unit__streams(free_books: Books) -> None:
    free_books.receive(1)
    receipt = free_books.distribute()
    [event] = receipt.decode_logs(free_books.waterfall.HoldersStreamed)
    assert event.amountUsd6 == free_books.state.holdersStreamed == 1


def test_distribute__before_any_income__opens_the_books(
    books: Books, waterfall: ContractInstance
) -> None:
    receipt = books.distribute(at=books.start + EPOCH_SECONDS)
    assert len(list(receipt.decode_logs(waterfall.SpecApplied))) == 1
    assert _told(books, receipt) == (0, 0, 0, 0, MAXIMUM)


def test_distribute__not_live__refused(
    waterfall: ContractInstance, scenario: Scenario, customer: AccountAPI
) -> None:
    cluster_id = scenario.register_cluster()
    with ape.reverts(waterfall.Waterfall_NotEarning, clusterId=cluster_id):
        waterfall.distribute(cluster_id, sender=customer)


def test_distribute__between_going_live_and_the_first_epoch__costs_nothing(
    scenario: Scenario, oracle_admin: AccountAPI, customer: AccountAPI, holder: AccountAPI
) -> None:
    cluster_id, _ = scenario.live_cluster([holder], [SHARES])
    waterfall = scenario.system.waterfall
    waterfall.distribute(cluster_id, sender=customer)
    assert tuple(waterfall.operatorDueUsd6(cluster_id)) == (0, 0)


def test_distribute__share_cannot_take_it__deferred_and_recovered(
    books: Books, holder: AccountAPI
) -> None:
    books.share.burn(SHARES, sender=holder)
    books.receive(10 * USD)
    receipt = books.distribute(at=books.start + 60)
    deferred = books.state.holdersAssigned
    [event] = receipt.decode_logs(books.waterfall.HoldersDeferred)
    assert (event.share, event.amountUsd6) == (books.share.address, deferred)
    reason: Any = bytes(event.reason)
    assert int.from_bytes(reason[4:36]) == 0, "not the empty supply"
    assert books.state.holdersStreamed == 0
    assert books.state.reserveAssigned > 0
    allowance = books.scenario.system.stablecoin.allowance(books.waterfall, books.share)
    assert allowance == 0
    assert books.is_conserved()


@pytest.mark.parametrize("how", ["blacklists the share", "is paused"])
def test_distribute__stablecoin_stops_the_share__seniors_are_assigned_and_holders_deferred(
    books: Books, stablecoin: ContractInstance, deployer: AccountAPI, how: str
) -> None:
    books.receive(20 * USD)
    books.senior.accrue(USD, 0, sender=deployer)
    if how == "is paused":
        stablecoin.pause(sender=deployer)
    else:
        stablecoin.blacklist(books.share, sender=deployer)
    receipt = books.distribute(at=books.start + EPOCH_SECONDS)
    assert (books.state.operatorAssigned, books.state.tranchesAssigned) == (MAXIMUM, USD)
    [event] = receipt.decode_logs(books.waterfall.HoldersDeferred)
    assert event.amountUsd6 == books.state.holdersAssigned > 0
    assert books.state.holdersStreamed == 0
    assert books.is_conserved()
    if how == "is paused":
        stablecoin.unpause(sender=deployer)
    else:
        stablecoin.unBlacklist(books.share, sender=deployer)
    books.distribute()
    assert books.state.holdersStreamed == books.state.holdersAssigned
    assert books.is_conserved()


def test_distribute__holders_deferred__next_distribution_streams_them_with_the_new(
    books: Books, stablecoin: ContractInstance, deployer: AccountAPI
) -> None:
    stablecoin.blacklist(books.share, sender=deployer)
    books.receive(20 * USD)
    books.distribute(at=books.start + 60)
    stablecoin.unBlacklist(books.share, sender=deployer)
    first = books.state.holdersAssigned
    books.receive(20 * USD)
    [event] = books.distribute().decode_logs(books.waterfall.HoldersStreamed)
    assert event.amountUsd6 == event.totalUsd6 == books.state.holdersAssigned > first
    assert books.share.streamState().fundedUsd6 == event.amountUsd6


def test_distribute__retired_and_resolved__escrow_and_reserve_are_released(
    books: Books, registry: ContractInstance, issuer: AccountAPI
) -> None:
    books.receive(150 * USD)
    books.distribute(at=books.start + 120)
    registry.retire(books.cluster_id, sender=issuer)
    books.receive(5 * USD)
    books.distribute(at=books.start + 5 * EPOCH_SECONDS)
    # Costs stop with the last epoch, but wait for its report.
    assert books.state.operatorAssigned == MAXIMUM
    assert books.state.reserveAssigned == RESERVE_TARGET
    books.report(0, energy_wh=333)
    receipt = books.distribute()
    cost = CONTRACTED + 333 * ENERGY_PER_KWH // 1_000
    operator, tranches, reserve, holders, shortfall = _told(books, receipt)
    assert (operator, tranches, shortfall) == (cost - MAXIMUM, 0, 0)
    assert receipt.return_value == holders
    assert (reserve, holders) == (-RESERVE_TARGET, RESERVE_TARGET + MAXIMUM - cost)
    assert (books.state.escrowed, books.state.reserveAssigned) == (0, 0)
    assert books.is_conserved()
    books.receive(5 * USD)
    books.distribute()
    assert books.state.reserveAssigned == 0, "nothing is left to replace"
    assert books.state.holdersAssigned == 160 * USD - cost


def test_distribute__two_clusters__do_not_touch_each_other(
    books: Books,
    scenario: Scenario,
    oracle_admin: AccountAPI,
    customer: AccountAPI,
    other_holder: AccountAPI,
) -> None:
    books.receive(10 * USD)
    before = books.state.received
    other = open_books(scenario, oracle_admin, customer, other_holder)
    other.receive(7 * USD)
    other.distribute()
    assert books.state.received == before
    assert books.state.holdersAssigned == 0
    assert other.state.received == 7 * USD
