"""Payments of x402 settled in batches, what was used of them known."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ape import chain, project, reverts
from ape.api import AccountAPI
from ape.contracts import ContractInstance
from eth_utils.abi import function_signature_to_4byte_selector

from scripts._lib.deployment import System
from tests.support.payments import DAY, ROOT, Till, events, key_of
from tests.support.scenario import USD
from tests.support.usd import as_bytes, sign_usd
from tests.support.x402 import Counter, nonce_of
from tests.unit.contracts.payments.conftest import BALANCE

USED = b"FiatTokenV2: authorization is used or canceled"


def said(text: bytes) -> bytes:
    """A revert's data with that text."""
    selector = function_signature_to_4byte_selector("Error(string)")
    padded = text.ljust(-(-len(text) // 32) * 32, b"\0")
    return selector + (32).to_bytes(32) + len(text).to_bytes(32) + padded


def bring(counter: Counter, payer: AccountAPI, value: int, name: object) -> None:
    """Somebody brings a payment to the stablecoin, past the settler."""
    authorization = counter.authorization(payer, value, name)
    counter.usd.transferWithAuthorization(
        payer,
        authorization.to,
        value,
        authorization.valid_after,
        authorization.valid_before,
        authorization.nonce,
        authorization.signed_by(payer, counter.usd),
        sender=counter.gateway,
    )


def test_settle__all_used__is_the_clusters_income(
    counter: Counter, system: System, customer: AccountAPI, attacker: AccountAPI
) -> None:
    held = counter.usd.balanceOf(customer)
    receipt = counter.settle(
        counter.payment(customer, 3 * USD, 1), counter.payment(attacker, USD, 2)
    )
    entries = [
        *counter.authorization(customer, 3 * USD, 1).entry,
        *counter.authorization(attacker, USD, 2).entry,
    ]
    assert events(receipt, counter.settler, "Settled") == [
        counter.settler.Settled(counter.gateway, counter.cluster, ROOT, 4 * USD, entries)
    ]
    (income,) = events(receipt, system.waterfall, "IncomeReceived")
    assert (income.clusterId, income.amountUsd6, income.kind, income.ref) == (
        counter.cluster,
        4 * USD,
        0,
        ROOT,
    )
    assert receipt.return_value == 4 * USD
    assert counter.usd.balanceOf(customer) == held - 3 * USD
    assert counter.usd.balanceOf(counter.pay_to) == counter.usd.balanceOf(counter.settler) == 0


def test_settle__not_all_used__is_the_payers_balance_again(
    counter: Counter,
    till: Till,
    system: System,
    customer: AccountAPI,
    attacker: AccountAPI,
) -> None:
    receipt = counter.settle(
        counter.payment(customer, 3 * USD, 1),
        counter.payment(attacker, USD, 2),
        counter.payment(customer, USD, 3),
        credits={0: USD, 2: USD},
    )
    (income,) = events(receipt, system.waterfall, "IncomeReceived")
    assert income.amountUsd6 == 3 * USD
    assert till.balance(customer) == BALANCE + 2 * USD
    assert till.balance(attacker) == 0


def test_settle__nothing_used__is_no_income(
    counter: Counter, till: Till, customer: AccountAPI, system: System
) -> None:
    receipt = counter.settle(counter.payment(customer, USD, 1), credits={0: USD})
    assert not events(receipt, system.waterfall, "IncomeReceived")
    assert till.balance(customer) == BALANCE + USD


def test_settle__bad_payments_among_good__are_named_and_stop_no_other(
    counter: Counter, till: Till, customer: AccountAPI, attacker: AccountAPI, system: System
) -> None:
    now = int(chain.pending_timestamp)
    forged = counter.authorization(customer, USD, "forged")
    elsewhere = counter.serving(till.clusters[1]).payment(customer, USD, "elsewhere")
    receipt = counter.settle(
        forged.packed(forged.signed_by(attacker, counter.usd)),
        counter.payment(key_of("poor"), USD, "poor"),
        counter.payment(customer, USD, "late", valid_before=now - 10),
        counter.payment(customer, USD, "early", valid_after=now + DAY),
        elsewhere,
        counter.payment(customer, 5 * USD, "good"),
        counter.payment(customer, 5 * USD, "good"),
        credits={1: USD, 5: 2 * USD, 6: USD},
    )
    failed = events(receipt, counter.settler, "PaymentFailed")
    assert [(each.payer, bytes(each.nonce)) for each in failed] == [
        (customer, nonce_of("forged")),
        (key_of("poor").address, nonce_of("poor")),
        (customer, nonce_of("late")),
        (customer, nonce_of("early")),
        (customer, nonce_of("elsewhere")),
        (customer, nonce_of("good")),
    ]
    assert bytes(failed[1].reason) == said(b"ERC20: transfer amount exceeds balance")
    assert bytes(failed[5].reason) == said(USED)
    (settled,) = events(receipt, counter.settler, "Settled")
    assert list(settled.entries) == [
        *[0] * 10,
        *counter.authorization(customer, 5 * USD, "good").entry,
        0,
        0,
    ]
    (income,) = events(receipt, system.waterfall, "IncomeReceived")
    assert income.amountUsd6 == 3 * USD
    assert till.balance(customer) == BALANCE + 2 * USD
    assert till.balance(key_of("poor")) == 0


def test_settle__nothing_good__takes_and_says_nothing(
    counter: Counter, customer: AccountAPI
) -> None:
    assert counter.settle().return_value == 0
    receipt = counter.settle(counter.payment(key_of("poor"), USD, 1))
    assert not events(receipt, counter.settler, "Settled")
    assert not chain.provider.get_code(counter.pay_to)


def test_settle__a_second_time__takes_nothing(counter: Counter, customer: AccountAPI) -> None:
    payment = counter.payment(customer, USD, 1)
    counter.settle(payment)
    held = counter.usd.balanceOf(customer)
    assert counter.settle(payment).return_value == 0
    assert counter.usd.balanceOf(customer) == held


def test_settle__cancelled_authorization__is_no_payment(
    counter: Counter, customer: AccountAPI
) -> None:
    message = {"authorizer": customer.address, "nonce": nonce_of(1)}
    signature = sign_usd(counter.usd, customer, "CancelAuthorization", message)
    counter.usd.cancelAuthorization(customer, nonce_of(1), as_bytes(signature), sender=customer)
    receipt = counter.settle(counter.payment(customer, USD, 1))
    assert receipt.return_value == 0
    assert events(receipt, counter.settler, "PaymentFailed") == [
        counter.settler.PaymentFailed(counter.gateway, customer, nonce_of(1), said(USED))
    ]


def test_settle__brought_to_the_stablecoin_by_somebody__counts_as_nothing_here(
    counter: Counter, customer: AccountAPI, attacker: AccountAPI, till: Till
) -> None:
    bring(counter, customer, 5 * USD, 1)
    receipt = counter.settle(
        counter.payment(customer, 5 * USD, 1),
        counter.payment(attacker, USD, 2),
        credits={0: 5 * USD, 1: USD},
    )
    assert receipt.return_value == USD
    assert till.balance(customer) == BALANCE
    assert counter.usd.balanceOf(counter.pay_to) == 5 * USD


def test_settle__by_a_stranger__is_not_what_the_payer_signed(
    counter: Counter, customer: AccountAPI, attacker: AccountAPI
) -> None:
    payment = counter.payment(customer, USD, 1)
    assert counter.at(attacker).settle(payment).return_value == 0
    assert counter.settle(payment).return_value == USD


def test_settle__of_a_contract__is_asked_for_its_signature(
    counter: Counter, customer: AccountAPI, deployer: AccountAPI, attacker: AccountAPI
) -> None:
    wallet = deployer.deploy(project.ERC1271Wallet, customer)
    counter.usd.mint(wallet, 2 * USD, sender=deployer)
    good = counter.authorization(wallet, USD, 1)
    bad = counter.authorization(wallet, USD, 2)
    receipt = counter.settle(
        good.packed(good.signed_by(customer, counter.usd)),
        bad.packed(bad.signed_by(attacker, counter.usd)),
        bad.packed(b"\x01" * 2_048),
    )
    assert receipt.return_value == USD
    assert len(events(receipt, counter.settler, "PaymentFailed")) == 2


def test_settle__contract_that_burns_gas__costs_a_bounded_amount_and_fails_alone(
    counter: Counter, customer: AccountAPI, deployer: AccountAPI
) -> None:
    wallet = deployer.deploy(project.HostileWallet)
    counter.usd.mint(wallet, 2 * USD, sender=deployer)
    wallet.setVice(1, sender=deployer)
    hostile = counter.authorization(wallet, USD, 1).packed(b"")
    payment = counter.payment(customer, USD, 2)
    receipt = counter.settle(hostile, payment, gas_limit=1_500_000)
    assert receipt.return_value == USD
    assert receipt.gas_used < 1_500_000 - counter.settler.PAYMENT_GAS()


def test_settle__too_little_gas_for_a_payment__is_refused_as_a_whole(
    counter: Counter, customer: AccountAPI
) -> None:
    payments = [counter.payment(customer, USD, name) for name in range(3)]
    with reverts(counter.settler.X402Settler_TooLittleGas):
        counter.settle(*payments, gas_limit=330_000)
    assert not counter.usd.authorizationState(customer, nonce_of(0))


def test_settle__blacklisted_payer__fails_alone(
    counter: Counter, customer: AccountAPI, attacker: AccountAPI, deployer: AccountAPI
) -> None:
    counter.usd.blacklist(attacker, sender=deployer)
    receipt = counter.settle(
        counter.payment(attacker, USD, 1), counter.payment(customer, 2 * USD, 2)
    )
    assert receipt.return_value == 2 * USD


def test_settle__blacklisted_address_of_a_cluster__stops_that_cluster_alone(
    counter: Counter, till: Till, customer: AccountAPI, deployer: AccountAPI
) -> None:
    counter.usd.blacklist(counter.pay_to, sender=deployer)
    assert counter.settle(counter.payment(customer, USD, 1)).return_value == 0
    other = counter.serving(till.clusters[1])
    assert other.settle(other.payment(customer, USD, 2)).return_value == USD


def test_settle__stablecoin_paused__takes_nothing(
    counter: Counter, customer: AccountAPI, deployer: AccountAPI
) -> None:
    payment = counter.payment(customer, USD, 1)
    counter.usd.pause(sender=deployer)
    assert counter.settle(payment).return_value == 0
    counter.usd.unpause(sender=deployer)
    assert counter.settle(payment).return_value == USD


def test_settle__cluster_that_never_earned__is_refused_and_nobody_pays(
    counter: Counter, till: Till, customer: AccountAPI
) -> None:
    nowhere = counter.serving(99)
    with reverts(till.payments.InferencePayments_NotEarning, clusterId=99):
        nowhere.settle(nowhere.payment(customer, USD, 1))
    assert not counter.usd.authorizationState(customer, nonce_of(1))


def test_settle__deposits_paused__is_refused_and_nobody_pays(
    counter: Counter, till: Till, customer: AccountAPI, guardian: AccountAPI
) -> None:
    till.payments.pauseInflow(DAY, sender=guardian)
    with reverts(till.payments.InflowPausable_Paused):
        counter.settle(counter.payment(customer, USD, 1))
    assert not counter.usd.authorizationState(customer, nonce_of(1))


@pytest.mark.parametrize("credits", [{0: 1, 1: USD + 1}, {1: 2 * USD}])
def test_settle__credit_above_a_payment__is_refused(
    counter: Counter, customer: AccountAPI, attacker: AccountAPI, credits: dict[int, int]
) -> None:
    payments = counter.payment(attacker, 3 * USD, 1), counter.payment(customer, USD, 2)
    amount = credits[1]
    with reverts(counter.settler.X402Settler_OverLimit, amountUsd6=amount, limit=USD):
        counter.settle(*payments, credits=credits)


def test_settle__credits_out_of_order_or_place__are_refused(
    counter: Counter, customer: AccountAPI
) -> None:
    payments = counter.payment(customer, USD, 1), counter.payment(customer, USD, 2)
    with reverts(counter.settler.X402Settler_NotAscending, place=0, least=2):
        counter.settle(*payments, credits={1: 1, 0: 1})
    with reverts(counter.settler.X402Settler_NoSuchPlace, place=2, count=2):
        counter.settle(*payments, credits={2: 1})
    words = [1, 1]
    with reverts(counter.settler.X402Settler_NotAscending, place=0, least=1):
        counter.settler.settle(
            counter.work, b"".join(payments), words, ROOT, sender=counter.gateway
        )


def test_settle__without_a_root__is_refused(
    counter: Counter, till: Till, customer: AccountAPI
) -> None:
    with reverts(till.payments.InferencePayments_ZeroRoot):
        counter.settle(counter.payment(customer, USD, 1), root=b"\0" * 32)


@pytest.mark.parametrize("cut", [1, 65, 66, 100])
def test_settle__payment_cut_short__is_refused_as_a_whole(
    counter: Counter, customer: AccountAPI, cut: int
) -> None:
    payments = counter.payment(customer, USD, 1) + counter.payment(customer, USD, 2)
    with reverts(counter.settler.X402Settler_Malformed):
        counter.settle(payments[:-cut])
    assert not counter.usd.authorizationState(customer, nonce_of(1))


def test_settle__signature_too_long__is_refused(counter: Counter, customer: AccountAPI) -> None:
    payment = counter.authorization(customer, USD, 1).packed(b"\x01" * 2_049)
    with reverts(counter.settler.X402Settler_SignatureTooLong, limit=2_048):
        counter.settle(payment)


def test_settle__largest_value_and_times__are_what_was_signed(
    counter: Counter, deployer: AccountAPI
) -> None:
    rich = key_of("rich")
    counter.usd.mint(rich.address, 2**56 - 1, sender=deployer)
    now = int(chain.pending_timestamp)
    payment = counter.payment(rich, 2**56 - 1, 1, valid_after=now - 1_000, valid_before=2**40 - 1)
    receipt = counter.settle(payment, credits={0: 2**56 - 2})
    assert receipt.return_value == 2**56 - 1


def test_pay_to__before_and_after_it_is_there__is_the_same(
    counter: Counter, till: Till, customer: AccountAPI, attacker: AccountAPI
) -> None:
    before = counter.pay_to
    others = {
        counter.at(attacker).pay_to,
        counter.serving(till.clusters[1]).pay_to,
        replace(counter, cluster=0).pay_to,
    }
    assert len(others | {before}) == 4
    counter.settle(counter.payment(customer, USD, 1))
    assert counter.pay_to == before
    assert chain.provider.get_code(before)


def test_pay_to__asked_by_anybody_else__sends_nothing(
    counter: Counter, customer: AccountAPI, attacker: AccountAPI
) -> None:
    counter.settle(counter.payment(customer, USD, 1))
    counter.usd.transfer(counter.pay_to, USD, sender=customer)
    there: ContractInstance = project.ClusterPayTo.at(counter.pay_to)
    with reverts(there.ClusterPayTo_NotTheSettler, account=attacker, settler=counter.settler):
        there.sweep(USD, sender=attacker)
