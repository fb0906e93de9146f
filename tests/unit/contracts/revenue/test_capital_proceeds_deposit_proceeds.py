"""CapitalProceeds.depositProceeds: sale and insurance, once a cluster's lenders are paid."""

from __future__ import annotations

from fractions import Fraction

import ape
import pytest
from ape import chain, project
from ape.api import AccountAPI
from ape.contracts import ContractInstance

from tests.support.capital import INSURANCE, OTHER, REFERENCE, SALE, Ending
from tests.support.registry import Status
from tests.support.scenario import SHARE, USD, Scenario

MAX_PROCEEDS = 10**18


@pytest.fixture
def capital(ending: Ending) -> ContractInstance:
    return ending.capital


def test_deposit_proceeds__first__closes_the_books_and_credits_by_shares(
    ending: Ending,
    capital: ContractInstance,
    stablecoin: ContractInstance,
    holder: AccountAPI,
    other_holder: AccountAPI,
    customer: AccountAPI,
) -> None:
    assert not ending.share.booksClosed()
    receipt = ending.deposit(1_000 * USD, INSURANCE)
    [event] = receipt.decode_logs(capital.ProceedsReceived)
    assert (event.clusterId, event.payer, event.kind, bytes(event.reference_)) == (
        ending.cluster_id,
        customer.address,
        INSURANCE,
        REFERENCE,
    )
    assert (event.amountUsd6, event.totalUsd6) == (1_000 * USD, 1_000 * USD)
    assert ending.share.booksClosed()
    assert stablecoin.balanceOf(capital) == 1_000 * USD
    assert abs(ending.capital_of(holder) - 750 * USD) < Fraction(1, 2**40)
    assert abs(ending.capital_of(other_holder) - 250 * USD) < Fraction(1, 2**40)
    assert ending.is_conserved(holder, other_holder)


def test_deposit_proceeds__books_closed_before__taken(
    ending: Ending, capital: ContractInstance, keeper: AccountAPI
) -> None:
    ending.share.closeBooks(sender=keeper)
    ending.deposit(USD)
    assert capital.proceeds(ending.cluster_id).receivedUsd6 == USD


def test_deposit_proceeds__again__adds_up(
    ending: Ending, capital: ContractInstance, holder: AccountAPI, other_holder: AccountAPI
) -> None:
    total = 0
    for amount, kind in ((5 * USD, SALE), (1, OTHER), (7 * USD + 3, INSURANCE)):
        [event] = ending.deposit(amount, kind).decode_logs(capital.ProceedsReceived)
        total += amount
        assert (event.amountUsd6, event.totalUsd6) == (amount, total)
    assert capital.proceeds(ending.cluster_id).receivedUsd6 == total
    assert ending.is_conserved(holder, other_holder)


def test_deposit_proceeds__by_anyone__whoever_pays(
    ending: Ending, capital: ContractInstance, stablecoin: ContractInstance, keeper: AccountAPI
) -> None:
    ending.scenario.give_usd(keeper, USD)
    stablecoin.approve(capital, USD, sender=keeper)
    receipt = capital.depositProceeds(ending.cluster_id, USD, SALE, REFERENCE, sender=keeper)
    [event] = receipt.decode_logs(capital.ProceedsReceived)
    assert event.payer == keeper.address


@pytest.mark.parametrize("status", [Status.LIVE, Status.SUSPENDED])
def test_deposit_proceeds__not_retired__refused(
    live: Ending, registry: ContractInstance, registrar: AccountAPI, status: Status
) -> None:
    if status == Status.SUSPENDED:
        registry.suspend(live.cluster_id, sender=registrar)
    with ape.reverts(live.capital.CapitalProceeds_BooksOpen, clusterId=live.cluster_id):
        live.deposit(USD)


def test_deposit_proceeds__before_there_is_a_share__refused(
    live: Ending, scenario: Scenario, customer: AccountAPI
) -> None:
    proposed = scenario.register_cluster()
    with ape.reverts(live.capital.CapitalProceeds_BooksOpen, clusterId=proposed):
        live.capital.depositProceeds(proposed, USD, SALE, REFERENCE, sender=customer)
    with ape.reverts():
        live.capital.depositProceeds(10_000, USD, SALE, REFERENCE, sender=customer)


def test_deposit_proceeds__of_nothing__refused(ending: Ending, capital: ContractInstance) -> None:
    with ape.reverts(capital.CapitalProceeds_ZeroAmount):
        ending.deposit(0)


def test_deposit_proceeds__all_shares_burnt_before__refused(
    ending: Ending, capital: ContractInstance, holder: AccountAPI, other_holder: AccountAPI
) -> None:
    ending.share.burn(300 * SHARE, sender=holder)
    ending.share.burn(100 * SHARE, sender=other_holder)
    with ape.reverts(capital.CapitalProceeds_NoHolders, clusterId=ending.cluster_id):
        ending.deposit(USD)


def test_deposit_proceeds__more_than_may_ever_come__refused(
    ending: Ending, capital: ContractInstance
) -> None:
    ending.deposit(MAX_PROCEEDS - USD)
    with ape.reverts(capital.CapitalProceeds_OverLimit, amountUsd6=USD + 1, limit=USD):
        ending.deposit(USD + 1)
    ending.deposit(USD)
    with ape.reverts(capital.CapitalProceeds_OverLimit, amountUsd6=1, limit=0):
        ending.deposit(1)


# ---------------------------------------------------------------------- lenders


def test_deposit_proceeds__lender_is_due__refused_until_it_was_assigned(
    ending: Ending, capital: ContractInstance, waterfall: ContractInstance, customer: AccountAPI
) -> None:
    ending.tranche.accrue(400 * USD, 0, sender=customer)
    with ape.reverts(
        capital.CapitalProceeds_LendersUnpaid,
        clusterId=ending.cluster_id,
        owedUsd6=400 * USD,
    ):
        ending.deposit(1_000 * USD)

    # The lender's part of a sale goes through the waterfall; here with all that costs can be.
    ending.scenario.system.stablecoin.approve(waterfall, 10_000 * USD, sender=customer)
    waterfall.receiveIncome(ending.cluster_id, 1_000 * USD, 0, REFERENCE, sender=customer)
    with ape.reverts(capital.CapitalProceeds_LendersUnpaid, owedUsd6=400 * USD):
        ending.deposit(1_000 * USD)
    waterfall.distribute(ending.cluster_id, sender=customer)
    _, [assigned], [paid] = waterfall.tranches(ending.cluster_id)
    assert (assigned, paid) == (400 * USD, 0)
    ending.deposit(1_000 * USD)
    # Whether it was fetched makes no difference.
    waterfall.withdrawTranche(ending.cluster_id, ending.tranche, sender=customer)
    ending.deposit(1_000 * USD)


def test_deposit_proceeds__one_unit_due__refused(
    ending: Ending, capital: ContractInstance, customer: AccountAPI
) -> None:
    ending.tranche.accrue(1, 0, sender=customer)
    with ape.reverts(capital.CapitalProceeds_LendersUnpaid, owedUsd6=1):
        ending.deposit(USD)


def test_deposit_proceeds__falls_due_by_the_second__as_of_the_deposit(
    ending: Ending, capital: ContractInstance, customer: AccountAPI
) -> None:
    since = ending.tranche.accrue(0, 5, sender=customer).timestamp
    chain.pending_timestamp = since
    ending.deposit(USD)
    chain.pending_timestamp = since + 3
    with ape.reverts(capital.CapitalProceeds_LendersUnpaid, owedUsd6=15):
        ending.deposit(USD)


def test_deposit_proceeds__lender_cannot_be_read__refused(
    ending: Ending, customer: AccountAPI
) -> None:
    ending.tranche.setUnreadable(True, sender=customer)
    with ape.reverts():
        ending.deposit(USD)
    ending.tranche.setUnreadable(False, sender=customer)
    ending.deposit(USD)


# ---------------------------------------------------------------------- the stablecoin


def test_deposit_proceeds__without_allowance__refused(ending: Ending, keeper: AccountAPI) -> None:
    with ape.reverts("ERC20: transfer amount exceeds allowance"):
        ending.capital.depositProceeds(ending.cluster_id, USD, SALE, REFERENCE, sender=keeper)


@pytest.mark.parametrize("decimals", [0, 18])
def test_constructor__stablecoin_of_other_decimals__refused(
    scenario: Scenario, deployer: AccountAPI, decimals: int
) -> None:
    hostile = deployer.deploy(project.HostileUsd, decimals)
    system = scenario.system
    with ape.reverts(
        project.CapitalProceeds.CapitalProceeds_UnsupportedStablecoin,
        stablecoin=hostile.address,
        decimals=decimals,
        required=6,
    ):
        deployer.deploy(project.CapitalProceeds, system.registry, system.waterfall, hostile)
