"""Withdrawals are public for a day, in which what was promised is still collected."""

from __future__ import annotations

import pytest
from ape import chain, reverts
from ape.api import AccountAPI
from ape.contracts import ContractInstance
from eth_account.signers.local import LocalAccount

from tests.support.payments import DAY, Parts, Till, events
from tests.support.scenario import USD
from tests.unit.contracts.payments.conftest import BALANCE


def test_request_withdrawal__of_the_balance__is_due_a_day_later(
    till: Till, customer: AccountAPI
) -> None:
    receipt = till.payments.requestWithdrawal(BALANCE, sender=customer)
    due_at = receipt.timestamp + DAY
    assert events(receipt, till.payments, "WithdrawalRequested") == [
        till.payments.WithdrawalRequested(customer, BALANCE, due_at)
    ]
    account = till.payments.account(customer)
    assert (account.balanceUsd6, account.requestedUsd6, account.withdrawableAt) == (
        BALANCE,
        BALANCE,
        due_at,
    )


def test_request_withdrawal__of_more_than_the_balance__is_refused(
    till: Till, customer: AccountAPI
) -> None:
    with reverts(
        till.payments.InferencePayments_InsufficientBalance,
        payer=customer.address,
        amountUsd6=BALANCE + 1,
        balanceUsd6=BALANCE,
    ):
        till.payments.requestWithdrawal(BALANCE + 1, sender=customer)


def test_request_withdrawal__of_zero__takes_it_back(till: Till, customer: AccountAPI) -> None:
    till.payments.requestWithdrawal(BALANCE, sender=customer)
    till.payments.requestWithdrawal(0, sender=customer)
    chain.pending_timestamp += DAY
    with reverts(till.payments.InferencePayments_NothingToWithdraw, payer=customer.address):
        till.payments.withdraw(sender=customer)


def test_withdraw__a_second_early__is_refused_and_then_paid(
    till: Till, customer: AccountAPI, stablecoin: ContractInstance
) -> None:
    due_at = till.payments.requestWithdrawal(40 * USD, sender=customer).timestamp + DAY
    held = stablecoin.balanceOf(customer)
    chain.pending_timestamp = due_at - 1
    with reverts(
        till.payments.InferencePayments_TooEarly, payer=customer.address, withdrawableAt=due_at
    ):
        till.payments.withdraw(sender=customer)
    chain.pending_timestamp = due_at
    receipt = till.payments.withdraw(sender=customer)
    assert events(receipt, till.payments, "Withdrawn") == [
        till.payments.Withdrawn(customer, 40 * USD, BALANCE - 40 * USD)
    ]
    assert stablecoin.balanceOf(customer) == held + 40 * USD
    with reverts(till.payments.InferencePayments_NothingToWithdraw):
        till.payments.withdraw(sender=customer)


def test_withdraw__a_day_after_it_was_due__has_lapsed(till: Till, customer: AccountAPI) -> None:
    due_at = till.payments.requestWithdrawal(40 * USD, sender=customer).timestamp + DAY
    chain.pending_timestamp = due_at + DAY
    with reverts(
        till.payments.InferencePayments_Lapsed, payer=customer.address, lapsedAt=due_at + DAY
    ):
        till.payments.withdraw(sender=customer)
    chain.mine(timestamp=due_at + DAY + 60)
    account = till.payments.account(customer)
    assert (account.requestedUsd6, account.withdrawableAt) == (0, 0)
    assert account.balanceUsd6 == BALANCE


def test_withdraw__in_the_last_second_of_its_day__is_paid(till: Till, customer: AccountAPI) -> None:
    due_at = till.payments.requestWithdrawal(40 * USD, sender=customer).timestamp + DAY
    chain.pending_timestamp = due_at + DAY - 1
    till.payments.withdraw(sender=customer)
    assert till.balance(customer) == BALANCE - 40 * USD


def test_withdraw__requested_again__waits_anew(till: Till, customer: AccountAPI) -> None:
    till.payments.requestWithdrawal(USD, sender=customer)
    chain.pending_timestamp += DAY
    due_at = till.payments.requestWithdrawal(2 * USD, sender=customer).timestamp + DAY
    with reverts(till.payments.InferencePayments_TooEarly, withdrawableAt=due_at):
        till.payments.withdraw(sender=customer)


def test_withdraw__collected_meanwhile__pays_what_is_left(
    till: Till, customer: AccountAPI, hot: LocalAccount
) -> None:
    till.payments.requestWithdrawal(BALANCE, sender=customer)
    till.collect(till.voucher(customer, hot, 30 * USD))
    chain.pending_timestamp += DAY
    receipt = till.payments.withdraw(sender=customer)
    assert events(receipt, till.payments, "Withdrawn") == [
        till.payments.Withdrawn(customer, BALANCE - 30 * USD, 0)
    ]


@pytest.mark.parametrize("parts", [0, [(0, 30 * USD)]], ids=["plain", "parts"])
def test_collect__of_what_is_requested__cuts_the_request_for_good(
    till: Till, customer: AccountAPI, hot: LocalAccount, parts: Parts
) -> None:
    due_at = till.payments.requestWithdrawal(90 * USD, sender=customer).timestamp + DAY
    till.collect(till.voucher(customer, hot, 30 * USD, parts))
    till.payments.deposit(50 * USD, sender=customer)
    account = till.payments.account(customer)
    assert (account.requestedUsd6, account.withdrawableAt) == (BALANCE - 30 * USD, due_at)


@pytest.mark.parametrize("parts", [0, [(0, BALANCE)]], ids=["plain", "parts"])
def test_collect__of_all_that_is_requested__ends_the_request(
    till: Till, customer: AccountAPI, parts: Parts
) -> None:
    till.payments.requestWithdrawal(BALANCE, sender=customer)
    till.collect(till.voucher(customer, customer, BALANCE, parts))
    till.payments.deposit(BALANCE, sender=customer)
    account = till.payments.account(customer)
    assert (account.requestedUsd6, account.withdrawableAt) == (0, 0)


@pytest.mark.parametrize("amount", [10 * USD, 10 * USD + 1])
def test_collect__beside_a_request__leaves_it_as_far_as_the_balance_covers_it(
    till: Till, customer: AccountAPI, hot: LocalAccount, amount: int
) -> None:
    till.payments.requestWithdrawal(90 * USD, sender=customer)
    till.collect(till.voucher(customer, hot, amount))
    requested = till.payments.account(customer).requestedUsd6
    assert requested == min(90 * USD, BALANCE - amount)
    assert till.balance(customer) == BALANCE - amount


def test_withdraw__locked_meanwhile__leaves_the_lock(
    till: Till, customer: AccountAPI, hot: LocalAccount
) -> None:
    till.payments.requestWithdrawal(BALANCE, sender=customer)
    due_at = int(till.payments.account(customer).withdrawableAt)
    till.lock(customer, hot, 30 * USD, due_at)
    chain.pending_timestamp = due_at
    till.payments.withdraw(sender=customer)
    assert till.balance(customer) == 0
    assert till.channel(customer, hot).lockedUsd6 == 30 * USD


def test_withdraw__payer_blacklisted__stops_it_alone(
    till: Till,
    customer: AccountAPI,
    relayer: AccountAPI,
    deployer: AccountAPI,
    stablecoin: ContractInstance,
) -> None:
    till.payments.depositFor(relayer, USD, sender=customer)
    for payer in (customer, relayer):
        till.payments.requestWithdrawal(USD, sender=payer)
    chain.pending_timestamp += DAY
    stablecoin.blacklist(customer, sender=deployer)
    with reverts("Blacklistable: account is blacklisted"):
        till.payments.withdraw(sender=customer)
    till.payments.withdraw(sender=relayer)
    assert till.balance(customer) == BALANCE
