"""Paying for inference without a voucher: credits to payers, the rest to the cluster."""

from __future__ import annotations

import pytest
from ape import chain, reverts
from ape.api import AccountAPI
from ape.contracts import ContractInstance

from api.domain.work import NO_MODEL
from scripts._lib.deployment import System
from tests.support.hostile import Vice, deploy_hostile, less_fee
from tests.support.payments import DAY, FEE_NOTICE, ROOT, Till, events
from tests.support.scenario import USD
from tests.unit.contracts.payments.conftest import BALANCE
from tests.unit.contracts.payments.test_forward import shop_with


def credit(account: AccountAPI, amount: int) -> int:
    return int(str(account.address), 16) << 96 | amount


def test_pay__with_credits__gives_payers_theirs_and_the_cluster_the_rest(
    till: Till, system: System, customer: AccountAPI, holder: AccountAPI
) -> None:
    words = [credit(holder, USD), credit(customer, 2 * USD), credit(holder, 1)]
    receipt = till.payments.pay(till.works[0], 10 * USD, words, ROOT, sender=customer)
    assert events(receipt, till.payments, "Credited") == [
        till.payments.Credited(customer, ROOT, 3 * USD + 1, words)
    ]
    (income,) = events(receipt, system.waterfall, "IncomeReceived")
    assert (income.amountUsd6, income.kind, income.ref) == (7 * USD - 1, 0, ROOT)
    assert till.balance(holder) == USD + 1
    assert till.balance(customer) == BALANCE + 2 * USD
    assert receipt.return_value == 7 * USD - 1


def test_pay__all_of_it_credits__is_no_income(till: Till, customer: AccountAPI) -> None:
    receipt = till.payments.pay((99, NO_MODEL), USD, [credit(customer, USD)], ROOT, sender=customer)
    assert not events(receipt, till.payments, "IncomeAllocated")
    assert till.balance(customer) == BALANCE + USD


def test_pay__with_a_platform_fee__keeps_it_of_the_income_alone(
    till: Till, system: System, customer: AccountAPI, admin: AccountAPI
) -> None:
    till.payments.schedulePlatformFee(333, sender=admin)
    chain.pending_timestamp += FEE_NOTICE
    words = [credit(customer, 999)]
    receipt = till.payments.pay(till.works[0], 1_001_002, words, ROOT, sender=customer)
    fee = 1_000_003 * 333 // 10_000
    assert events(receipt, till.payments, "IncomeAllocated") == [
        till.payments.IncomeAllocated(till.clusters[0], customer, ROOT, 1_000_003, fee)
    ]
    assert till.payments.treasuryOwedUsd6() == fee
    (income,) = events(receipt, system.waterfall, "IncomeReceived")
    assert income.amountUsd6 == 1_000_003 - fee


def test_pay__waterfall_paused__is_owed_and_the_credits_are_there(
    till: Till, system: System, customer: AccountAPI, guardian: AccountAPI
) -> None:
    system.waterfall.pauseInflow(DAY, sender=guardian)
    till.payments.pay(till.works[0], 3 * USD, [credit(customer, USD)], ROOT, sender=customer)
    assert till.payments.owedUsd6(till.clusters[0], ROOT) == 2 * USD
    assert till.balance(customer) == BALANCE + USD


def test_pay__what_makes_no_sense__is_refused(
    till: Till, customer: AccountAPI, guardian: AccountAPI
) -> None:
    payments, work = till.payments, till.works[0]
    with reverts(payments.InferencePayments_ZeroRoot):
        payments.pay(work, USD, [], b"\0" * 32, sender=customer)
    with reverts(payments.InferencePayments_ZeroAmount):
        payments.pay(work, 0, [], ROOT, sender=customer)
    with reverts(payments.InferencePayments_NotEarning, clusterId=99):
        payments.pay((99, NO_MODEL), USD, [], ROOT, sender=customer)
    with reverts(payments.InferencePayments_ZeroAddress):
        payments.pay(work, USD, [1], ROOT, sender=customer)
    words = [credit(customer, USD), credit(customer, 1)]
    with reverts(payments.InferencePayments_OverLimit, amountUsd6=USD + 1, limit=USD):
        payments.pay(work, USD, words, ROOT, sender=customer)
    payments.pauseInflow(DAY, sender=guardian)
    with reverts(payments.InflowPausable_Paused):
        payments.pay(work, USD, [], ROOT, sender=customer)


@pytest.mark.parametrize("vice", [Vice.FEE, Vice.MOVES_NOTHING], ids=str)
def test_pay__stablecoin_that_takes_a_fee__is_the_clusters_loss(
    till: Till,
    system: System,
    deployer: AccountAPI,
    customer: AccountAPI,
    admin: AccountAPI,
    vice: Vice,
) -> None:
    with deploy_hostile(deployer) as hostile:
        _, here = shop_with(hostile, till, system, deployer, admin)
        payments: ContractInstance = here.payments
        hostile.do(customer, hostile.usd, "mint", customer, 10 * USD)
        hostile.do(customer, hostile.usd, "approve", payments, 10 * USD)
        hostile.turn(vice)
        call = ("pay", here.works[0], 4 * USD, [credit(customer, USD)], ROOT)
        if vice is Vice.MOVES_NOTHING:
            assert hostile.refusal(customer, payments, *call) is not None
            return
        hostile.do(customer, payments, *call)
        assert hostile.see(payments, "account", customer)["balanceUsd6"] == USD
        assert hostile.balance(payments) == USD
        taken = less_fee(less_fee(4 * USD) - USD)
        assert hostile.balance(here.payments.SINK()) == taken
