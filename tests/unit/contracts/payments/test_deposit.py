"""Every way in: whose balance it is, what arrives, and who can bring it."""

from __future__ import annotations

from typing import Any

import pytest
from ape import project, reverts
from ape.api import AccountAPI
from ape.contracts import ContractInstance

from scripts._lib.deployment import System
from tests.support.hostile import Vice, deploy_hostile, less_fee
from tests.support.payments import FEE_NOTICE, FOREVER, Till, deploy_payments, events
from tests.support.scenario import USD, Scenario
from tests.support.usd import as_bytes, sign_usd
from tests.unit.contracts.payments.conftest import BALANCE

SALT = b"\x05" * 32


def authorisation(
    till: Till, stablecoin: ContractInstance, signer: AccountAPI, nonce: bytes, value: int
) -> bytes:
    message = {
        "from": signer.address,
        "to": till.payments.address,
        "value": value,
        "validAfter": 0,
        "validBefore": FOREVER,
        "nonce": nonce,
    }
    return as_bytes(sign_usd(stablecoin, signer, "ReceiveWithAuthorization", message))


def test_deposit__approved__is_the_callers(
    till: Till, customer: AccountAPI, stablecoin: ContractInstance
) -> None:
    held = stablecoin.balanceOf(till.payments)
    receipt = till.payments.deposit(5 * USD, sender=customer)
    assert events(receipt, till.payments, "Deposited") == [
        till.payments.Deposited(customer, customer, 5 * USD, BALANCE + 5 * USD)
    ]
    assert till.balance(customer) == BALANCE + 5 * USD
    assert stablecoin.balanceOf(till.payments) == held + 5 * USD


def test_deposit__of_nothing__is_refused(till: Till, customer: AccountAPI) -> None:
    with reverts(till.payments.InferencePayments_ZeroAmount):
        till.payments.deposit(0, sender=customer)


def test_deposit__while_inflow_is_paused__is_refused(
    till: Till, customer: AccountAPI, guardian: AccountAPI
) -> None:
    till.payments.pauseInflow(FEE_NOTICE, sender=guardian)
    with reverts(till.payments.InflowPausable_Paused):
        till.payments.deposit(USD, sender=customer)
    till.payments.requestWithdrawal(USD, sender=customer)
    till.payments.resumeInflow(sender=guardian)
    till.payments.deposit(USD, sender=customer)


def test_deposit__beyond_64_bits__is_refused(
    till: Till, customer: AccountAPI, scenario: Scenario
) -> None:
    scenario.give_usd(customer, 2**64)
    room = 2**64 - 1 - BALANCE
    with reverts(till.payments.InferencePayments_OverLimit, amountUsd6=room + 1, limit=room):
        till.payments.deposit(room + 1, sender=customer)
    till.payments.deposit(room, sender=customer)


def test_deposit__of_a_token_with_a_fee__counts_what_arrives(
    system: System, deployer: AccountAPI, customer: AccountAPI, admin: AccountAPI
) -> None:
    with deploy_hostile(deployer) as hostile:
        payments = deployer.deploy(
            project.InferencePayments,
            admin,
            system.authority,
            system.registry,
            system.waterfall,
            system.models,
            hostile.usd,
        )
        hostile.do(customer, hostile.usd, "mint", customer, 10 * USD)
        hostile.do(customer, hostile.usd, "approve", payments, 10 * USD)
        hostile.turn(Vice.FEE)
        hostile.do(customer, payments, "deposit", USD)
        assert hostile.see(payments, "account", customer)["balanceUsd6"] == less_fee(USD)
        hostile.turn(Vice.MOVES_NOTHING)
        assert hostile.refusal(customer, payments, "deposit", USD) is not None


def test_deposit_for__somebody_else__is_theirs(
    till: Till, customer: AccountAPI, relayer: AccountAPI
) -> None:
    till.payments.depositFor(relayer, USD, sender=customer)
    assert till.balance(relayer) == USD
    assert till.balance(customer) == BALANCE


def test_deposit_for__nobody__is_refused(till: Till, customer: AccountAPI) -> None:
    with reverts(till.payments.InferencePayments_ZeroAddress):
        till.payments.depositFor("0x" + "00" * 20, USD, sender=customer)


@pytest.fixture
def permit(
    till: Till, relayer: AccountAPI, stablecoin: ContractInstance, scenario: Scenario
) -> tuple[int, bytes, bytes]:
    """The relayer's, who has 5 dollars, for them."""
    scenario.give_usd(relayer, 5 * USD)
    message = {
        "owner": relayer.address,
        "spender": till.payments.address,
        "value": 5 * USD,
        "nonce": stablecoin.nonces(relayer),
        "deadline": FOREVER,
    }
    return sign_usd(stablecoin, relayer, "Permit", message)


def test_deposit_with_permit__signed__needs_no_approval(
    till: Till, relayer: AccountAPI, permit: tuple[int, bytes, bytes]
) -> None:
    till.payments.depositWithPermit(5 * USD, FOREVER, *permit, sender=relayer)
    assert till.balance(relayer) == 5 * USD


def test_deposit_with_permit__used_by_somebody_before__still_deposits(
    till: Till,
    relayer: AccountAPI,
    attacker: AccountAPI,
    stablecoin: ContractInstance,
    permit: tuple[int, bytes, bytes],
) -> None:
    call: Any = stablecoin.permit
    call(relayer, till.payments, 5 * USD, FOREVER, *permit, sender=attacker)
    till.payments.depositWithPermit(5 * USD, FOREVER, *permit, sender=relayer)
    assert till.balance(relayer) == 5 * USD


def test_deposit_with_permit__forged__is_refused(
    till: Till, relayer: AccountAPI, permit: tuple[int, bytes, bytes]
) -> None:
    v, r, _ = permit
    with reverts("ERC20: transfer amount exceeds allowance"):
        till.payments.depositWithPermit(5 * USD, FOREVER, v, r, r, sender=relayer)


def test_deposit_with_authorization__brought_by_anybody__goes_where_its_signer_said(
    till: Till,
    customer: AccountAPI,
    relayer: AccountAPI,
    attacker: AccountAPI,
    stablecoin: ContractInstance,
) -> None:
    nonce = bytes(till.payments.depositNonce(relayer, SALT))
    signature = authorisation(till, stablecoin, customer, nonce, USD)
    for payer in (attacker, customer):
        with reverts("FiatTokenV2: invalid signature"):
            till.payments.depositWithAuthorization(
                customer, payer, USD, 0, FOREVER, SALT, signature, sender=attacker
            )
    with reverts("FiatTokenV2: invalid signature"):
        till.payments.refundWithAuthorization(
            customer, relayer, USD, 0, FOREVER, SALT, signature, sender=attacker
        )
    receipt = till.payments.depositWithAuthorization(
        customer, relayer, USD, 0, FOREVER, SALT, signature, sender=attacker
    )
    assert events(receipt, till.payments, "Deposited") == [
        till.payments.Deposited(relayer, customer, USD, USD)
    ]
    with reverts("FiatTokenV2: authorization is used or canceled"):
        till.payments.depositWithAuthorization(
            customer, relayer, USD, 0, FOREVER, SALT, signature, sender=attacker
        )


def test_refund__by_the_gateway__is_in_the_payers_balance(
    till: Till, customer: AccountAPI, scenario: Scenario, stablecoin: ContractInstance
) -> None:
    scenario.give_usd(till.gateway, USD)
    stablecoin.approve(till.payments, USD, sender=till.gateway)
    receipt = till.payments.refund(customer, USD, SALT, sender=till.gateway)
    assert events(receipt, till.payments, "Refunded") == [
        till.payments.Refunded(till.gateway, customer, SALT, USD, BALANCE + USD)
    ]
    assert till.balance(customer) == BALANCE + USD


def test_refund_with_authorization__signed_by_the_gateway__is_brought_by_the_payer_once(
    till: Till, customer: AccountAPI, scenario: Scenario, stablecoin: ContractInstance
) -> None:
    scenario.give_usd(till.gateway, 2 * USD)
    nonce = bytes(till.payments.refundNonce(customer, SALT))
    signature = authorisation(till, stablecoin, till.gateway, nonce, USD)
    bring = (till.gateway, customer, USD, 0, FOREVER, SALT, signature)
    receipt = till.payments.refundWithAuthorization(*bring, sender=customer)
    assert events(receipt, till.payments, "Refunded") == [
        till.payments.Refunded(till.gateway, customer, SALT, USD, BALANCE + USD)
    ]
    with reverts("FiatTokenV2: authorization is used or canceled"):
        till.payments.refundWithAuthorization(*bring, sender=customer)


def test_constructor__stablecoin_of_other_decimals__is_refused(
    system: System, deployer: AccountAPI, till: Till
) -> None:
    coin = deployer.deploy(project.HostileUsd, 18)
    with reverts(till.payments.InferencePayments_UnsupportedStablecoin):
        deployer.deploy(
            project.InferencePayments,
            deployer,
            system.authority,
            system.registry,
            system.waterfall,
            system.models,
            coin,
        )


def test_constructor__no_treasury__is_refused(
    system: System, deployer: AccountAPI, till: Till
) -> None:
    with reverts(till.payments.InferencePayments_ZeroAddress):
        deploy_payments(system, deployer, "0x" + "00" * 20)
