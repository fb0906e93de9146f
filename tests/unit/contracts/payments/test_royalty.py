"""A royalty to a model's owner: of what was paid for its use, rounded down, pulled."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest
from ape import chain, reverts
from ape.api import AccountAPI
from ape.contracts import ContractInstance
from eth_account.signers.local import LocalAccount

from api.domain.work import NO_MODEL
from scripts._lib.deployment import System
from tests.support.payments import FEE_NOTICE, ROOT, Till, events
from tests.support.scenario import USD
from tests.support.x402 import Counter
from tests.unit.contracts.payments.conftest import BALANCE
from tests.unit.contracts.payments.test_pay import credit

UNKNOWN = b"\xee" * 32


@pytest.fixture
def models(system: System, issuer: AccountAPI, other_holder: AccountAPI) -> list[bytes]:
    """Two of the issuer's, 3.33 % and 10 %, paid to the other holder; ascending by id."""
    rates = {"small": 333, "large": 1_000}
    return sorted(
        bytes(
            system.models.register(name, other_holder, bps, bytes(32), sender=issuer).return_value
        )
        for name, bps in rates.items()
    )


@pytest.fixture
def rates(system: System, models: list[bytes]) -> list[int]:
    return [int(system.models.royaltyOf(one).royaltyBps) for one in models]


@pytest.fixture
def shop(till: Till, models: list[bytes]) -> Till:
    """The first cluster without a model and with each, the second with the first of them."""
    first, second = till.clusters
    return replace(
        till, clusters=(first, first, first, second), models=(NO_MODEL, *models, models[0])
    )


def test_collect__several_models_of_a_cluster__is_exact_for_each_and_sent_at_once(
    shop: Till,
    system: System,
    models: list[bytes],
    rates: list[int],
    admin: AccountAPI,
    customer: AccountAPI,
    other_holder: AccountAPI,
    hot: LocalAccount,
) -> None:
    payments = shop.payments
    payments.schedulePlatformFee(137, sender=admin)
    chain.pending_timestamp += FEE_NOTICE
    paid = [1_000_003, 29, 2_000_017, 777_777]
    receipt = shop.collect(shop.voucher(customer, hot, sum(paid), list(enumerate(paid))))
    exact = [
        Fraction(paid[place] * rates[model], 10_000) for place, model in ((1, 0), (2, 1), (3, 0))
    ]
    royalties = [int(one) for one in exact]
    assert all(0 <= one - down < 1 for one, down in zip(exact, royalties, strict=True))
    first, _, _, second = shop.clusters
    assert events(receipt, payments, "RoyaltyAllocated") == [
        payments.RoyaltyAllocated(model, cluster, other_holder, ROOT, royalty)
        for model, cluster, royalty in zip(
            (models[0], models[1], models[0]), (first, first, second), royalties, strict=True
        )
        if royalty
    ]
    grosses = (sum(paid[:3]), paid[3])
    fees = [gross * 137 // 10_000 for gross in grosses]
    assert events(receipt, payments, "IncomeAllocated") == [
        payments.IncomeAllocated(cluster, shop.gateway, ROOT, gross, fee)
        for cluster, gross, fee in zip((first, second), grosses, fees, strict=True)
    ]
    incomes = events(receipt, system.waterfall, "IncomeReceived")
    assert [(int(one.clusterId), int(one.amountUsd6)) for one in incomes] == [
        (first, grosses[0] - fees[0] - royalties[0] - royalties[1]),
        (second, grosses[1] - fees[1] - royalties[2]),
    ]
    assert payments.royaltyOwedUsd6(other_holder) == sum(royalties)
    assert system.stablecoin.balanceOf(payments) == BALANCE - sum(paid) + sum(fees) + sum(royalties)


def test_collect__a_royalty_below_a_unit__is_the_clusters(
    shop: Till, system: System, customer: AccountAPI, other_holder: AccountAPI, hot: LocalAccount
) -> None:
    receipt = shop.collect(shop.voucher(customer, hot, 9, 1))
    assert not events(receipt, shop.payments, "RoyaltyAllocated")
    (income,) = events(receipt, system.waterfall, "IncomeReceived")
    assert income.amountUsd6 == 9
    assert shop.payments.royaltyOwedUsd6(other_holder) == 0


def test_collect__model_that_nobody_registered__is_refused_as_a_whole(
    shop: Till, system: System, customer: AccountAPI, hot: LocalAccount
) -> None:
    here = replace(shop, clusters=shop.clusters[:2], models=(NO_MODEL, UNKNOWN))
    with reverts(system.models.ModelRegistry_Unknown, modelId=UNKNOWN):
        here.collect(here.voucher(customer, hot, 2 * USD, [(0, USD), (1, USD)]))
    assert here.collected(customer, hot) == 0
    # As with a cluster: nothing came for it.
    here.collect(here.voucher(customer, hot, USD))


def test_collect__works_not_ascending__is_refused_as_a_whole(
    shop: Till, models: list[bytes], customer: AccountAPI, hot: LocalAccount
) -> None:
    first, second = shop.clusters[0], shop.clusters[-1]
    low, high = models
    for works in (
        ((first, high), (first, low)),
        ((first, low), (first, low)),
        ((first, NO_MODEL), (first, NO_MODEL)),
        ((second, low), (first, high)),
    ):
        here = replace(
            shop, clusters=tuple(one for one, _ in works), models=tuple(one for _, one in works)
        )
        with reverts(
            shop.payments.InferencePayments_NotAscending, previous=works[0], work=works[1]
        ):
            here.collect(here.voucher(customer, hot, USD))


def test_collect__royalty_changed__is_what_acts_when_it_is_collected(
    shop: Till,
    system: System,
    models: list[bytes],
    issuer: AccountAPI,
    customer: AccountAPI,
    other_holder: AccountAPI,
    hot: LocalAccount,
) -> None:
    owed = shop.payments.royaltyOwedUsd6
    system.models.setRoyalty(models[0], 100, sender=issuer)
    shop.collect(shop.voucher(customer, hot, USD, 1))
    assert owed(other_holder) == USD // 100
    from_at = system.models.setRoyalty(models[0], 200, sender=issuer).return_value
    chain.pending_timestamp = from_at - 1
    shop.collect(shop.voucher(customer, hot, 2 * USD, 1))
    assert owed(other_holder) == 2 * USD // 100
    chain.pending_timestamp = from_at
    shop.collect(shop.voucher(customer, hot, 3 * USD, 1))
    assert owed(other_holder) == 4 * USD // 100
    system.models.setRoyalty(models[0], 0, sender=issuer)
    receipt = shop.collect(shop.voucher(customer, hot, 4 * USD, 1))
    assert owed(other_holder) == 4 * USD // 100
    assert not events(receipt, shop.payments, "RoyaltyAllocated")


def test_collect__paid_to_somebody_else_since__leaves_what_was_owed(
    shop: Till,
    system: System,
    models: list[bytes],
    rates: list[int],
    issuer: AccountAPI,
    relayer: AccountAPI,
    customer: AccountAPI,
    other_holder: AccountAPI,
    hot: LocalAccount,
) -> None:
    shop.collect(shop.voucher(customer, hot, USD, 1))
    system.models.setPayTo(models[0], relayer, sender=issuer)
    shop.collect(shop.voucher(customer, hot, 3 * USD, 1))
    for payee, paid in ((other_holder, USD), (relayer, 2 * USD)):
        assert shop.payments.royaltyOwedUsd6(payee) == paid * rates[0] // 10_000


def test_collect__income_refused_by_the_waterfall__is_owed_without_the_royalty(
    shop: Till,
    system: System,
    rates: list[int],
    customer: AccountAPI,
    guardian: AccountAPI,
    other_holder: AccountAPI,
    hot: LocalAccount,
) -> None:
    system.waterfall.pauseInflow(86_400, sender=guardian)
    shop.collect(shop.voucher(customer, hot, 2 * USD, [(0, USD), (1, USD)]))
    royalty = USD * rates[0] // 10_000
    assert shop.payments.owedUsd6(shop.clusters[0], ROOT) == 2 * USD - royalty
    assert shop.payments.royaltyOwedUsd6(other_holder) == royalty


def test_pay_royalty__by_anybody__pays_once(
    shop: Till,
    stablecoin: ContractInstance,
    rates: list[int],
    attacker: AccountAPI,
    customer: AccountAPI,
    other_holder: AccountAPI,
    hot: LocalAccount,
) -> None:
    payments = shop.payments
    shop.collect(shop.voucher(customer, hot, 2 * USD, [(1, USD), (3, USD)]))
    royalty = 2 * (USD * rates[0] // 10_000)
    held = stablecoin.balanceOf(other_holder)
    receipt = payments.payRoyalty(other_holder, sender=attacker)
    assert receipt.return_value == royalty
    assert events(receipt, payments, "RoyaltyPaid") == [payments.RoyaltyPaid(other_holder, royalty)]
    assert stablecoin.balanceOf(other_holder) == held + royalty
    for nothing in (other_holder, attacker):
        with reverts(payments.InferencePayments_ZeroAmount):
            payments.payRoyalty(nothing, sender=attacker)


def test_pay__with_a_model__owes_the_royalty_of_the_income_alone(
    shop: Till,
    system: System,
    rates: list[int],
    admin: AccountAPI,
    customer: AccountAPI,
    other_holder: AccountAPI,
) -> None:
    shop.payments.schedulePlatformFee(333, sender=admin)
    chain.pending_timestamp += FEE_NOTICE
    words = [credit(customer, 999)]
    receipt = shop.payments.pay(shop.works[1], 1_001_002, words, ROOT, sender=customer)
    fee, royalty = 1_000_003 * 333 // 10_000, 1_000_003 * rates[0] // 10_000
    (income,) = events(receipt, system.waterfall, "IncomeReceived")
    assert income.amountUsd6 == 1_000_003 - fee - royalty
    assert shop.payments.royaltyOwedUsd6(other_holder) == royalty
    with reverts(system.models.ModelRegistry_Unknown, modelId=UNKNOWN):
        shop.payments.pay((shop.clusters[0], UNKNOWN), USD, [], ROOT, sender=customer)


def test_settle__with_a_model__owes_the_royalty_of_what_was_used(
    shop: Till,
    counter: Counter,
    models: list[bytes],
    rates: list[int],
    customer: AccountAPI,
    other_holder: AccountAPI,
) -> None:
    here = replace(counter, settler=counter.settler, model=models[1])
    here.settle(here.payment(customer, 3 * USD, 1), credits={0: USD})
    assert shop.payments.royaltyOwedUsd6(other_holder) == 2 * USD * rates[1] // 10_000


def test_allocate__with_a_model__is_said_when_it_is_settled(
    shop: Till,
    counter: Counter,
    models: list[bytes],
    rates: list[int],
    attacker: AccountAPI,
    customer: AccountAPI,
    other_holder: AccountAPI,
) -> None:
    here = replace(counter, model=models[1])
    owed = shop.payments.royaltyOwedUsd6
    for number in (1, 2):
        receipt = here.settle_ahead(here.payment(customer, 3 * USD, number))
        (settled,) = events(receipt, here.settler, "SettledAhead")
        assert bytes(settled.modelId) == models[1]
        entries = list(settled.entries)
        with reverts(here.settler.X402Settler_NotPending):
            counter.allocate(entries)
        if number == 1:
            here.allocate(entries, {0: USD})
            assert owed(other_holder) == 2 * USD * rates[1] // 10_000
        else:
            chain.pending_timestamp += 86_400
            here.settler.passOn(here.gateway, here.work, entries, sender=attacker)
            assert owed(other_holder) == 5 * USD * rates[1] // 10_000


def test_sweep__whoever_sells_models__has_no_royalty(
    shop: Till, counter: Counter, customer: AccountAPI, other_holder: AccountAPI, system: System
) -> None:
    counter.usd.transfer(counter.pay_to, USD, sender=customer)
    receipt = counter.settler.sweep(counter.cluster, counter.gateway, sender=customer)
    (income,) = events(receipt, system.waterfall, "IncomeReceived")
    assert income.amountUsd6 == USD
    assert shop.payments.royaltyOwedUsd6(other_holder) == 0
