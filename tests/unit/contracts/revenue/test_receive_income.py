"""Waterfall.receiveIncome: the one door through which income enters."""

from __future__ import annotations

import ape
import pytest
from ape import project
from ape.api import AccountAPI
from ape.contracts import ContractInstance

from tests.support.revenue import REF, Books
from tests.support.scenario import USD, Scenario

MAX_RECEIVED = 10**18
KINDS = range(4)


@pytest.mark.parametrize("kind", KINDS)
def test_receive_income__approved__taken_and_told(
    books: Books, waterfall: ContractInstance, stablecoin: ContractInstance, kind: int
) -> None:
    books.receive(3)
    receipt = waterfall.receiveIncome(books.cluster_id, 7, kind, REF, sender=books.customer)
    assert receipt.return_value == 7
    [event] = receipt.decode_logs(waterfall.IncomeReceived)
    assert (event.clusterId, event.payer, event.kind, event.ref) == (
        books.cluster_id,
        books.customer.address,
        kind,
        REF,
    )
    assert (event.amountUsd6, event.totalUsd6) == (7, 10)
    assert stablecoin.balanceOf(waterfall) == 10
    assert books.state.received == books.state.undistributed == 10
    assert books.is_conserved()


def test_receive_income__first_one__costs_count_from_the_first_epoch(
    books: Books, waterfall: ContractInstance
) -> None:
    receipt = books.receive(1, at=books.start + 10 * 3_600)
    [event] = receipt.decode_logs(waterfall.SpecApplied)
    assert (event.clusterId, event.specEpoch, event.sinceEpoch) == (
        books.cluster_id,
        0,
        books.first_epoch - 1,
    )
    assert list(books.receive(1).decode_logs(waterfall.SpecApplied)) == []


def test_receive_income__kind_that_is_none__refused(
    books: Books, waterfall: ContractInstance
) -> None:
    with ape.reverts():
        waterfall.receiveIncome(books.cluster_id, 7, 4, REF, sender=books.customer)


def test_receive_income__nothing__refused(books: Books, waterfall: ContractInstance) -> None:
    with ape.reverts(waterfall.Waterfall_ZeroAmount):
        books.receive(0)


def test_receive_income__before_live__refused(
    books: Books, waterfall: ContractInstance, scenario: Scenario
) -> None:
    proposed = scenario.register_cluster()
    with ape.reverts(waterfall.Waterfall_NotEarning, clusterId=proposed):
        waterfall.receiveIncome(proposed, 7, 0, REF, sender=books.customer)
    scenario.open_funding(proposed)
    with ape.reverts(waterfall.Waterfall_NotEarning, clusterId=proposed):
        waterfall.receiveIncome(proposed, 7, 0, REF, sender=books.customer)


def test_receive_income__cluster_that_is_none__refused(
    books: Books, waterfall: ContractInstance, registry: ContractInstance
) -> None:
    for unknown in (0, 4_000_000_000):
        with ape.reverts(registry.ClusterRegistry_UnknownCluster, clusterId=unknown):
            waterfall.receiveIncome(unknown, 7, 0, REF, sender=books.customer)


def test_receive_income__suspended_or_retired__still_taken(
    books: Books, registry: ContractInstance, registrar: AccountAPI, issuer: AccountAPI
) -> None:
    registry.suspend(books.cluster_id, sender=registrar)
    books.receive(5)
    registry.retire(books.cluster_id, sender=issuer)
    books.receive(5)
    assert books.state.received == 10


def test_receive_income__more_than_a_life_of_income__refused(
    books: Books, waterfall: ContractInstance
) -> None:
    books.receive(2)
    with ape.reverts(
        waterfall.Waterfall_OverLimit, amountUsd6=MAX_RECEIVED - 1, limit=MAX_RECEIVED - 2
    ):
        books.receive(MAX_RECEIVED - 1)
    books.receive(MAX_RECEIVED - 2)
    with ape.reverts(waterfall.Waterfall_OverLimit, amountUsd6=1, limit=0):
        books.receive(1)
    assert books.is_conserved()


def test_receive_income__not_approved__stablecoin_refuses(
    books: Books, waterfall: ContractInstance, stablecoin: ContractInstance
) -> None:
    stablecoin.approve(waterfall, 5, sender=books.customer)
    with ape.reverts("ERC20: transfer amount exceeds allowance"):
        books.receive(6)


def test_receive_income__inflow_paused__refused_until_it_opens(
    books: Books, waterfall: ContractInstance, guardian: AccountAPI
) -> None:
    books.receive(5 * USD)
    until = waterfall.pauseInflow(3_600, sender=guardian).timestamp + 3_600
    with ape.reverts(waterfall.InflowPausable_Paused, untilAt=until):
        books.receive(1)
    # What is in flows on, and out.
    books.distribute()
    assert books.state.holdersStreamed > 0
    books.receive(1, at=until)


def test_receive_income__inflow_resumed__open_at_once(
    books: Books, waterfall: ContractInstance, guardian: AccountAPI
) -> None:
    waterfall.pauseInflow(3_600, sender=guardian)
    waterfall.resumeInflow(sender=guardian)
    books.receive(1)


def test_constructor__stablecoin_of_other_decimals__refused_by_name(
    scenario: Scenario,
) -> None:
    system = scenario.system
    hostile = scenario.deployer.deploy(project.HostileUsd, 18)
    with ape.reverts(
        project.Waterfall.Waterfall_UnsupportedStablecoin,
        stablecoin=hostile.address,
        decimals=18,
        required=6,
    ):
        scenario.deployer.deploy(
            project.Waterfall, system.authority, system.registry, system.oracle, hostile
        )
