"""Income that a waterfall cannot take waits, stops nobody else's, and is passed on later."""

from __future__ import annotations

from typing import Any

import pytest
from ape import project, reverts
from ape.api import AccountAPI
from ape.contracts import ContractInstance
from eth_account.signers.local import LocalAccount

from scripts._lib.deployment import System
from tests.support.hostile import REENTRANT, Hostile, Moment, Vice, deploy_hostile
from tests.support.payments import DAY, FOREVER, ROOT, Till, events
from tests.support.scenario import USD
from tests.unit.contracts.payments.conftest import BALANCE


@pytest.fixture
def _paused(system: System, guardian: AccountAPI) -> None:
    system.waterfall.pauseInflow(DAY, sender=guardian)


@pytest.mark.usefixtures("_paused")
def test_collect__waterfall_paused__is_owed_under_the_root(
    till: Till, customer: AccountAPI, hot: LocalAccount
) -> None:
    first, second = till.clusters
    receipt = till.collect(
        till.voucher(customer, hot, 3 * USD), till.voucher(customer, customer, USD, 1)
    )
    deferred = events(receipt, till.payments, "IncomeDeferred")
    assert [(each.clusterId, each.amountUsd6, each.owedUsd6) for each in deferred] == [
        (first, 3 * USD, 3 * USD),
        (second, USD, USD),
    ]
    assert till.balance(customer) == BALANCE - 4 * USD
    till.collect(till.voucher(customer, hot, 5 * USD))
    till.collect(till.voucher(customer, hot, 6 * USD), root=b"\x01" * 32)
    assert till.payments.owedUsd6(first, ROOT) == 5 * USD
    assert till.payments.owedUsd6(first, b"\x01" * 32) == USD


@pytest.mark.usefixtures("_paused")
def test_forward__once_it_is_taken__pays_it_with_its_root(
    till: Till,
    customer: AccountAPI,
    hot: LocalAccount,
    attacker: AccountAPI,
    guardian: AccountAPI,
    system: System,
) -> None:
    first = till.clusters[0]
    till.collect(till.voucher(customer, hot, 3 * USD))
    with reverts(till.payments.InflowPausable_Paused):
        till.payments.forward(first, ROOT, sender=attacker)
    system.waterfall.resumeInflow(sender=guardian)
    receipt = till.payments.forward(first, ROOT, sender=attacker)
    assert events(receipt, till.payments, "IncomeForwarded") == [
        till.payments.IncomeForwarded(first, ROOT, 3 * USD)
    ]
    (income,) = events(receipt, system.waterfall, "IncomeReceived")
    assert (income.clusterId, income.amountUsd6, income.ref) == (first, 3 * USD, ROOT)
    with reverts(till.payments.InferencePayments_NothingOwed, clusterId=first, receiptsRoot=ROOT):
        till.payments.forward(first, ROOT, sender=attacker)


def shop_with(
    hostile: Hostile, till: Till, system: System, deployer: AccountAPI, admin: AccountAPI
) -> tuple[ContractInstance, Till]:
    """A waterfall of that stablecoin, and payments for one cluster into it."""
    waterfall = deployer.deploy(
        project.Waterfall, system.authority, system.registry, system.oracle, hostile.usd
    )
    built_on = (system.authority, system.registry, waterfall, system.models, hostile.usd)
    payments = deployer.deploy(project.InferencePayments, admin, *built_on)
    return waterfall, Till(payments, till.gateway, till.clusters[:1])


@pytest.mark.parametrize("vice", [Vice.PAUSED, Vice.RETURNS_FALSE, Vice.MOVES_NOTHING], ids=str)
def test_collect__stablecoin_that_does_not_move__is_owed_and_nothing_is_lost(
    till: Till,
    system: System,
    deployer: AccountAPI,
    customer: AccountAPI,
    admin: AccountAPI,
    vice: Vice,
) -> None:
    with deploy_hostile(deployer) as hostile:
        waterfall, here = shop_with(hostile, till, system, deployer, admin)
        payments, (first,) = here.payments, here.clusters
        hostile.do(customer, hostile.usd, "mint", customer, 10 * USD)
        hostile.do(customer, hostile.usd, "approve", payments, 10 * USD)
        hostile.do(customer, payments, "deposit", 10 * USD)
        hostile.turn(vice)
        voucher = here.voucher(customer, customer, 4 * USD)
        hostile.do(till.gateway, payments, "collect", voucher, here.works, ROOT)
        assert hostile.see(payments, "owedUsd6", first, ROOT) == 4 * USD
        assert hostile.balance(payments) == 10 * USD
        hostile.turn(Vice.NONE)
        hostile.do(till.gateway, payments, "forward", first, ROOT)
        assert hostile.balance(waterfall) == 4 * USD
        assert hostile.balance(payments) == 6 * USD


def test_collect__stablecoin_that_calls_back__finds_every_door_shut(
    till: Till, system: System, deployer: AccountAPI, customer: AccountAPI, admin: AccountAPI
) -> None:
    with deploy_hostile(deployer) as hostile:
        _, here = shop_with(hostile, till, system, deployer, admin)
        payments, (first,) = here.payments, here.clusters
        hostile.do(customer, hostile.usd, "mint", customer, 10 * USD)
        hostile.do(customer, hostile.usd, "approve", payments, 10 * USD)
        doors: tuple[tuple[Any, ...], ...] = (
            (payments, "deposit", USD),
            (payments, "depositFor", customer, USD),
            (payments, "withdraw"),
            (payments, "refund", customer, USD, ROOT),
            (payments, "collect", b"", here.works, ROOT),
            (payments, "forward", first, ROOT),
            (payments, "payTreasury"),
            (payments, "payRoyalty", customer),
            (payments, "pay", here.works[0], USD, [], ROOT),
            (payments, "release", customer, customer, customer),
            (payments, "lock", customer, customer, USD, FOREVER, b""),
        )
        hostile.call_back(Moment.BEFORE_TRANSFER, *doors)
        hostile.do(customer, payments, "deposit", 10 * USD)
        assert hostile.answers() == [REENTRANT] * len(doors)
        hostile.call_back(Moment.AFTER_TRANSFER, *doors)
        voucher = here.voucher(customer, customer, 4 * USD)
        hostile.do(till.gateway, payments, "collect", voucher, here.works, ROOT)
        assert hostile.answers() == [REENTRANT] * len(doors)
        assert hostile.see(payments, "account", customer)["balanceUsd6"] == 6 * USD
        assert hostile.balance(payments) == 6 * USD
