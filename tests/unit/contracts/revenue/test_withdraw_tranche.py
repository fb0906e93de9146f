"""Waterfall.withdrawTranche: anyone sends a tranche what was assigned to it."""

from __future__ import annotations

import ape
from ape import project
from ape.api import AccountAPI
from ape.contracts import ContractInstance

from tests.support.revenue import Books
from tests.support.scenario import USD


def test_withdraw_tranche__assigned__goes_to_the_tranche(
    books: Books,
    waterfall: ContractInstance,
    stablecoin: ContractInstance,
    customer: AccountAPI,
    attacker: AccountAPI,
) -> None:
    books.senior.accrue(5 * USD, 0, sender=customer)
    books.receive(100 * USD)
    books.distribute()
    receipt = waterfall.withdrawTranche(books.cluster_id, books.senior, sender=attacker)
    assert receipt.return_value == stablecoin.balanceOf(books.senior) == 5 * USD
    [event] = receipt.decode_logs(waterfall.TrancheWithdrawn)
    assert (event.tranche, event.amountUsd6, event.totalUsd6) == (
        books.senior.address,
        5 * USD,
        5 * USD,
    )
    tranches, assigned, paid = waterfall.tranches(books.cluster_id)
    assert list(tranches) == [books.senior.address, books.junior.address]
    assert (list(assigned), list(paid)) == ([5 * USD, 0], [5 * USD, 0])
    assert books.state.tranchesPaid == books.state.tranchesAssigned == 5 * USD
    assert books.is_conserved()


def test_withdraw_tranche__nothing_assigned_or_all_paid__refused(
    books: Books, waterfall: ContractInstance, customer: AccountAPI
) -> None:
    books.junior.accrue(USD, 0, sender=customer)
    for _ in range(2):
        with ape.reverts(
            waterfall.Waterfall_NothingToWithdraw,
            clusterId=books.cluster_id,
            account=books.junior.address,
        ):
            waterfall.withdrawTranche(books.cluster_id, books.junior, sender=customer)
        if books.state.tranchesPaid == 0:
            books.receive(100 * USD)
            books.distribute()
            waterfall.withdrawTranche(books.cluster_id, books.junior, sender=customer)


def test_withdraw_tranche__not_of_this_cluster__refused(
    books: Books, waterfall: ContractInstance, customer: AccountAPI
) -> None:
    stranger = books.scenario.deployer.deploy(project.TestTranche, books.cluster_id)
    with ape.reverts(
        waterfall.Waterfall_NotATranche, clusterId=books.cluster_id, tranche=stranger.address
    ):
        waterfall.withdrawTranche(books.cluster_id, stranger, sender=customer)


def test_withdraw_tranche__blacklisted__hurts_that_tranche_alone(
    books: Books,
    waterfall: ContractInstance,
    stablecoin: ContractInstance,
    deployer: AccountAPI,
    customer: AccountAPI,
) -> None:
    books.senior.accrue(5 * USD, 0, sender=customer)
    books.junior.accrue(3 * USD, 0, sender=customer)
    stablecoin.blacklist(books.senior, sender=deployer)
    books.receive(100 * USD)
    books.distribute()
    with ape.reverts("Blacklistable: account is blacklisted"):
        waterfall.withdrawTranche(books.cluster_id, books.senior, sender=customer)
    waterfall.withdrawTranche(books.cluster_id, books.junior, sender=customer)
    assert stablecoin.balanceOf(books.junior) == 3 * USD
    assert books.state.holdersStreamed > 0
    stablecoin.unBlacklist(books.senior, sender=deployer)
    waterfall.withdrawTranche(books.cluster_id, books.senior, sender=customer)
    assert stablecoin.balanceOf(books.senior) == 5 * USD


def test_withdraw_tranche__unreadable__still_paid_what_was_assigned(
    books: Books, waterfall: ContractInstance, stablecoin: ContractInstance, customer: AccountAPI
) -> None:
    books.senior.accrue(5 * USD, 0, sender=customer)
    books.receive(100 * USD)
    books.distribute()
    books.senior.setUnreadable(True, sender=customer)
    waterfall.withdrawTranche(books.cluster_id, books.senior, sender=customer)
    assert stablecoin.balanceOf(books.senior) == 5 * USD
