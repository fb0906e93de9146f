"""What `ape run payments` does and says."""

from __future__ import annotations

import pytest
from ape import chain
from ape.api import AccountAPI
from eth_account.signers.local import LocalAccount

from scripts._lib import payments
from scripts._lib.deployment import System
from scripts._lib.record import Record
from tests.support.payments import DAY, FOREVER, Till, key_of
from tests.support.scenario import USD


@pytest.fixture(scope="module")
def system(record: Record) -> System:
    """What is on record."""
    return record.system()


@pytest.fixture
def till(system: System, deployer: AccountAPI, customer: AccountAPI, keeper: AccountAPI) -> Till:
    """The customer has ten dollars and has deposited none."""
    system.stablecoin.mint(customer, 10 * USD, sender=deployer)
    return Till(system.payments, keeper, ())


@pytest.fixture
def key() -> LocalAccount:
    return key_of("hot")


def test_deposit__not_approved__is_approved_and_deposited(
    till: Till, system: System, customer: AccountAPI, holder: AccountAPI
) -> None:
    assert payments.deposit(system, 4 * USD, str(customer.address), customer) == 4 * USD
    assert payments.deposit(system, USD, str(holder.address), customer) == USD
    assert (till.balance(customer), till.balance(holder)) == (4 * USD, USD)


def test_withdraw__announced_a_day_before__is_paid(
    till: Till, system: System, customer: AccountAPI
) -> None:
    payments.deposit(system, 4 * USD, str(customer.address), customer)
    due_at = payments.request_withdrawal(system, 3 * USD, customer)
    assert due_at == chain.blocks.head.timestamp + DAY
    chain.pending_timestamp = due_at
    assert payments.withdraw(system, customer) == 3 * USD
    assert payments.request_withdrawal(system, 0, customer) == 0


def test_release__of_two_locks_one_is_over__frees_that_one(
    till: Till,
    record: Record,
    system: System,
    customer: AccountAPI,
    keeper: AccountAPI,
    relayer: AccountAPI,
) -> None:
    payer = str(customer.address)
    payments.deposit(system, 8 * USD, payer, customer)
    now = int(chain.pending_timestamp)
    till.lock(customer, customer, 3 * USD, now + DAY - 60)
    till.at(relayer).lock(customer, customer, 2 * USD, now + 3_600)
    assert payments.release(record, system, payer, keeper) == 0
    chain.mine(timestamp=now + 3_600)
    assert payments.release(record, system, payer, keeper) == 2 * USD
    assert till.balance(customer) == 5 * USD
    assert payments.release(record, system, payer, keeper) == 0


def test_in_words__keys_locks_and_a_withdrawal__are_told_newest_first(
    till: Till, record: Record, system: System, customer: AccountAPI, key: LocalAccount
) -> None:
    payer = str(customer.address)
    assert list(payments.in_words(record, system, payer)) == [f"{payer} has $0.000000"]
    payments.deposit(system, 8 * USD, payer, customer)
    gateway = till.gateway.address
    system.payments.authorise(key.address, gateway, 2 * USD, FOREVER, sender=customer)
    till.lock(customer, customer, 3 * USD, int(chain.pending_timestamp) + DAY - 60)
    payments.request_withdrawal(system, USD, customer)
    balance, itself, hot = payments.in_words(record, system, payer)
    assert balance.startswith(f"{payer} has $5.000000; $1.000000 may be withdrawn from 2")
    assert itself.startswith(f"  itself at {gateway}, spent $0.000000, $3.000000 locked until 2")
    assert hot.startswith(f"  {key.address} at {gateway}, spent $0.000000 of $2.000000, until ")
    system.payments.revoke(key.address, gateway, sender=customer)
    *_, hot = payments.in_words(record, system, payer)
    assert hot.endswith(", revoked")
