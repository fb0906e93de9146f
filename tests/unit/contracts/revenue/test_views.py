"""Waterfall: what it says of a cluster's income."""

from __future__ import annotations

from ape.api import AccountAPI
from ape.contracts import ContractInstance

from tests.support.revenue import MAXIMUM, Books, up
from tests.support.scenario import EPOCH_SECONDS, USD, Scenario, travel_to


def test_state__cluster_without_income__all_zero(books: Books, waterfall: ContractInstance) -> None:
    assert tuple(books.state) == (0,) * 13
    assert tuple(waterfall.operatorDueUsd6(books.cluster_id)) == (0, 0)


def test_state__cluster_that_is_none__all_zero(waterfall: ContractInstance) -> None:
    assert tuple(waterfall.state(4_000_000_000)) == (0,) * 13
    assert waterfall.tranches(4_000_000_000) == ([], [], [])


def test_state__between_distributions__shortfall_accrues_and_income_waits(books: Books) -> None:
    books.receive(1)
    books.distribute(at=books.start + 60)
    books.receive(2 * USD)
    travel_to(books.start + EPOCH_SECONDS)
    state = books.state
    assert (state.received, state.operatorAssigned) == (2 * USD + 1, 1)
    assert (state.undistributed, state.operatorShortfall) == (2 * USD, MAXIMUM - 1)
    assert books.is_conserved()


def test_operator_due__between_reports__final_and_maximum(
    books: Books, waterfall: ContractInstance
) -> None:
    books.receive(1)
    travel_to(books.start + EPOCH_SECONDS)
    books.report(0, energy_wh=1)
    travel_to(books.start + EPOCH_SECONDS + 60)
    due = waterfall.operatorDueUsd6(books.cluster_id)
    assert (due.finalDown, due.dueUp) == (300_150, 300_150 + up(60 * MAXIMUM, EPOCH_SECONDS))


def test_views__immutables__as_deployed(waterfall: ContractInstance, scenario: Scenario) -> None:
    system = scenario.system
    assert waterfall.STABLECOIN() == system.stablecoin.address
    assert waterfall.REGISTRY() == system.registry.address
    assert waterfall.ORACLE() == system.oracle.address
    assert waterfall.authority() == system.authority.address
    assert waterfall.MAX_TRANCHES() == 4
    assert waterfall.MAX_RECEIVED_USD6() == 10**18


def test_state__operator_withdrew__paid_is_part_of_earned(
    books: Books, waterfall: ContractInstance, operator: AccountAPI
) -> None:
    books.receive(10 * USD)
    travel_to(books.start + EPOCH_SECONDS)
    books.report(0, energy_wh=1_000)
    books.distribute()
    waterfall.withdrawOperatingCost(books.cluster_id, operator, sender=operator)
    state = books.state
    assert state.operatorPaid == state.operatorEarned == MAXIMUM
    assert state.escrowed == state.operatorAssigned - MAXIMUM
