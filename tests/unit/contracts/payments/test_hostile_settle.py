"""What a stablecoin that turns can do to settled payments: refuse them, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from ape import project
from ape.api import AccountAPI
from ape.contracts import ContractInstance

from scripts._lib.deployment import System
from tests.support.hostile import REENTRANT, Hostile, Moment, Vice, deploy_hostile, error, less_fee
from tests.support.payments import ROOT, Till
from tests.support.scenario import USD
from tests.support.x402 import Counter
from tests.unit.contracts.payments.test_forward import shop_with


@dataclass(frozen=True)
class Shop:
    hostile: Hostile
    counter: Counter
    payments: ContractInstance
    waterfall: ContractInstance
    payer: AccountAPI

    @property
    def settler(self) -> ContractInstance:
        return self.counter.settler

    def packed(self, name: object, value: int = USD) -> bytes:
        return self.counter.authorization(self.payer, value, name).packed(b"")

    def settle(self, *names: object) -> tuple[Any, ...]:
        payments = b"".join(map(self.packed, names))
        return (self.settler, "settle", self.counter.work, payments, [], ROOT)

    def ahead(self, *names: object) -> tuple[Any, ...]:
        payments = b"".join(map(self.packed, names))
        return (self.settler, "settleAhead", self.counter.work, payments)


@pytest.fixture
def shop(
    till: Till, system: System, deployer: AccountAPI, admin: AccountAPI, customer: AccountAPI
) -> Iterator[Shop]:
    """The customer has ten of a stablecoin that asks for no signatures."""
    with deploy_hostile(deployer) as hostile:
        waterfall, here = shop_with(hostile, till, system, deployer, admin)
        settler = deployer.deploy(project.X402Settler, here.payments, hostile.usd)
        hostile.do(customer, hostile.usd, "mint", customer, 10 * USD)
        counter = Counter(settler, hostile.usd, till.gateway, here.clusters[0])
        yield Shop(hostile, counter, here.payments, waterfall, customer)


@pytest.mark.parametrize(
    ("vice", "arrived"),
    [
        (Vice.FEE, less_fee(USD)),
        (Vice.FEE_OF_ALL, 0),
        (Vice.MOVES_NOTHING, 0),
        (Vice.RETURNS_FALSE, 0),
    ],
    ids=str,
)
def test_settle__less_arrives_than_it_says__is_refused_whatever_lies_there(
    shop: Shop, vice: Vice, arrived: int
) -> None:
    hostile, gateway = shop.hostile, shop.counter.gateway
    hostile.do(gateway, hostile.usd, "mint", shop.counter.pay_to, 5 * USD)
    hostile.turn(vice)
    short = error("X402Settler_Short(uint256,uint256)", arrived, USD)
    assert hostile.refusal(gateway, *shop.settle(1)) == short
    assert hostile.refusal(gateway, *shop.ahead(1)) == short


@pytest.mark.parametrize("vice", [Vice.RETURNS_TWO, Vice.HIDES_BALANCES], ids=str)
def test_settle__stablecoin_that_cannot_be_read__is_refused(shop: Shop, vice: Vice) -> None:
    shop.hostile.turn(vice)
    assert shop.hostile.refusal(shop.counter.gateway, *shop.settle(1))
    shop.hostile.turn(Vice.NONE)
    shop.hostile.do(shop.counter.gateway, *shop.settle(1))


def test_settle__returns_nothing_as_usdt__is_settled(shop: Shop) -> None:
    shop.hostile.turn(Vice.NO_RETURN_VALUE)
    shop.hostile.do(shop.counter.gateway, *shop.settle(1))
    assert shop.hostile.balance(shop.waterfall) == USD


def test_settle__settler_blacklisted__is_refused_and_nobody_pays(shop: Shop) -> None:
    shop.hostile.blacklist(shop.settler)
    assert shop.hostile.refusal(shop.counter.gateway, *shop.settle(1))
    assert shop.hostile.balance(shop.payer) == 10 * USD


def test_pass_on__stablecoin_with_a_fee__is_the_clusters_loss(shop: Shop) -> None:
    hostile = shop.hostile
    hostile.do(shop.counter.gateway, *shop.ahead(1))
    entries = shop.counter.authorization(shop.payer, USD, 1).entry
    hostile.turn(Vice.FEE)
    allocate = ("allocate", shop.counter.work, entries, [USD // 2], ROOT)
    hostile.do(shop.counter.gateway, shop.settler, *allocate)
    assert hostile.see(shop.payments, "account", shop.payer)["balanceUsd6"] == USD // 2
    assert hostile.balance(shop.payments) == USD // 2
    assert hostile.balance(shop.waterfall) == less_fee(less_fee(USD) - USD // 2)


def test_settle__stablecoin_that_calls_back__finds_every_door_shut(shop: Shop) -> None:
    hostile, cluster, gateway = shop.hostile, shop.counter.cluster, shop.counter.gateway
    hostile.do(gateway, *shop.ahead(1))
    entries = shop.counter.authorization(shop.payer, USD, 1).entry
    doors: tuple[tuple[Any, ...], ...] = (
        shop.settle(2),
        shop.ahead(2),
        (shop.settler, "allocate", shop.counter.work, entries, [], ROOT),
        (shop.settler, "passOn", gateway, shop.counter.work, entries),
        (shop.settler, "sweep", cluster, gateway),
    )
    for moment in (Moment.BEFORE_TRANSFER, Moment.AFTER_TRANSFER):
        # One by one: what a payment may use is bounded.
        for door in doors:
            hostile.call_back(moment, door)
            hostile.do(gateway, *shop.settle(moment))
            assert hostile.answers() == [REENTRANT]
    assert hostile.balance(shop.settler) == USD
    assert hostile.balance(shop.waterfall) == 10 * USD - USD


def test_settle__money_given_back_in_mid_call__counts_once(shop: Shop) -> None:
    """A stablecoin that raises a balance meanwhile gives the cluster no more than was signed."""
    hostile, gateway = shop.hostile, shop.counter.gateway
    raise_it = (hostile.usd, "mint", shop.counter.pay_to, 3 * USD)
    hostile.call_back(Moment.AFTER_TRANSFER, raise_it)
    hostile.do(gateway, *shop.settle(1))
    assert hostile.balance(shop.waterfall) == USD
    assert hostile.balance(shop.counter.pay_to) == 3 * USD
