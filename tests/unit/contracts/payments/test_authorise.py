"""Session keys: who may sign for a payer at which gateway, for how much, and for how long."""

from __future__ import annotations

from typing import Any

import pytest
from ape import chain, reverts
from ape.api import AccountAPI
from ape.contracts import ContractInstance
from eth_account.signers.local import LocalAccount

from tests.support.payments import DAY, FOREVER, Till, events, key_of
from tests.support.scenario import USD
from tests.unit.contracts.payments.conftest import BALANCE, LIMIT


def test_authorise__by_the_payer__is_in_the_channel(till: Till, customer: AccountAPI) -> None:
    key = key_of("second")
    receipt = till.payments.authorise(key.address, till.gateway, USD, FOREVER, sender=customer)
    assert events(receipt, till.payments, "SessionAuthorised") == [
        till.payments.SessionAuthorised(customer, key.address, till.gateway, USD, FOREVER)
    ]
    channel = till.channel(customer, key)
    assert (channel.limitUsd6, channel.expiresAt, channel.collectedUsd6) == (USD, FOREVER, 0)


def test_authorise__again__replaces_the_terms_and_keeps_what_was_collected(
    till: Till, customer: AccountAPI, hot: LocalAccount
) -> None:
    till.collect(till.voucher(customer, hot, 10 * USD))
    least = 10 * USD
    with reverts(till.payments.InferencePayments_LimitTooLow, limitUsd6=least - 1, least=least):
        till.payments.authorise(hot.address, till.gateway, least - 1, FOREVER, sender=customer)
    till.payments.authorise(hot.address, till.gateway, least, FOREVER, sender=customer)
    assert till.collected(customer, hot) == least
    assert till.payments.collectableUsd6(customer, hot.address, till.gateway) == 0


def test_authorise__below_or_before_a_lock__is_refused(
    till: Till, customer: AccountAPI, hot: LocalAccount
) -> None:
    until = int(chain.pending_timestamp) + DAY - 60
    till.lock(customer, hot, 10 * USD, until)
    with reverts(till.payments.InferencePayments_LimitTooLow, least=10 * USD):
        till.payments.authorise(hot.address, till.gateway, 10 * USD - 1, until, sender=customer)
    with reverts(till.payments.InferencePayments_Expired, second=until - 1, notBefore=until):
        till.payments.authorise(hot.address, till.gateway, 10 * USD, until - 1, sender=customer)
    till.payments.authorise(hot.address, till.gateway, 10 * USD, until, sender=customer)


def test_authorise__nobody_or_the_payer_itself__is_refused(
    till: Till, customer: AccountAPI
) -> None:
    for key in ("0x" + "00" * 20, customer.address):
        with reverts(till.payments.InferencePayments_InvalidKey, key=key):
            till.payments.authorise(key, till.gateway, USD, FOREVER, sender=customer)
    with reverts(till.payments.InferencePayments_InvalidKey, key=customer.address):
        till.payments.revoke(customer, till.gateway, sender=customer)


@pytest.mark.parametrize("limit", [0, 2**56])
def test_authorise__limit_out_of_range__is_refused(
    till: Till, customer: AccountAPI, limit: int
) -> None:
    key = key_of("second").address
    refusal = (
        till.payments.InferencePayments_OverLimit
        if limit
        else till.payments.InferencePayments_LimitTooLow
    )
    with reverts(refusal):
        till.payments.authorise(key, till.gateway, limit, FOREVER, sender=customer)


def test_authorise__end_out_of_range__is_refused(till: Till, customer: AccountAPI) -> None:
    key = key_of("second").address
    now = int(chain.pending_timestamp) + 10
    chain.pending_timestamp = now
    with reverts(till.payments.InferencePayments_Expired, second=now, notBefore=now):
        till.payments.authorise(key, till.gateway, USD, now, sender=customer)
    with reverts(till.payments.InferencePayments_TooLate, second=2**40, limit=FOREVER):
        till.payments.authorise(key, till.gateway, USD, 2**40, sender=customer)


def test_authorise_with_signature__of_the_payer__is_brought_by_anybody_once(
    till: Till, customer: AccountAPI, relayer: AccountAPI
) -> None:
    key = key_of("second")
    session = till.session(customer, key, USD)
    till.authorise_signed(session, customer, relayer)
    assert till.channel(customer, key).limitUsd6 == USD
    nonce = session["nonce"]
    with reverts(
        till.payments.InferencePayments_WrongNonce,
        payer=customer.address,
        nonce=nonce,
        expected=nonce + 1,
    ):
        till.authorise_signed(session, customer, relayer)


def test_authorise_with_signature__signed_before_a_revocation__is_void(
    till: Till, customer: AccountAPI, relayer: AccountAPI, hot: LocalAccount
) -> None:
    session = till.session(customer, hot, LIMIT)
    till.payments.revoke(hot.address, till.gateway, sender=customer)
    with reverts(till.payments.InferencePayments_WrongNonce):
        till.authorise_signed(session, customer, relayer)


def test_authorise_with_signature__after_its_deadline__is_refused(
    till: Till, customer: AccountAPI, relayer: AccountAPI
) -> None:
    now = int(chain.pending_timestamp) + 10
    session = till.session(customer, key_of("second"), USD, deadline=now - 1)
    chain.pending_timestamp = now
    with reverts(till.payments.InferencePayments_Expired, second=now - 1, notBefore=now):
        till.authorise_signed(session, customer, relayer)


@pytest.mark.parametrize(
    "change",
    [{"limitUsd6": 2 * USD}, {"gateway": "0x" + "11" * 20}, {"expiresAt": FOREVER - 1}],
    ids=str,
)
def test_authorise_with_signature__changed_after_it_was_signed__is_refused(
    till: Till, customer: AccountAPI, relayer: AccountAPI, change: dict[str, Any]
) -> None:
    session = till.session(customer, key_of("second"), USD)
    signature = till.sign(customer, "SessionAuthorization", **session)
    with reverts(till.payments.InferencePayments_BadSignature, signer=customer.address):
        till.payments.authoriseWithSignature(session | change, signature, sender=relayer)


def test_authorise_with_signature__of_a_contract__is_what_its_code_says(
    till: Till, wallet: ContractInstance, relayer: AccountAPI
) -> None:
    session = till.session(wallet, key_of("second"), USD)
    wallet.setVice(2, sender=relayer)
    with reverts(till.payments.InferencePayments_BadSignature, signer=wallet.address):
        till.payments.authoriseWithSignature(session, b"", sender=relayer)
    wallet.setVice(0, sender=relayer)
    till.payments.authoriseWithSignature(session, b"", sender=relayer)
    till.collect(till.voucher(wallet, key_of("second"), USD))
    assert till.balance(wallet) == BALANCE - USD


def test_revoke__without_a_lock__ends_the_key_at_once(
    till: Till, customer: AccountAPI, hot: LocalAccount
) -> None:
    till.collect(till.voucher(customer, hot, 10 * USD))
    receipt = till.payments.revoke(hot.address, till.gateway, sender=customer)
    assert events(receipt, till.payments, "SessionRevoked") == [
        till.payments.SessionRevoked(customer, hot.address, till.gateway, 10 * USD, 0)
    ]
    receipt = till.collect(till.voucher(customer, hot, 11 * USD))
    (short,) = events(receipt, till.payments, "VoucherShort")
    assert (short.reason, short.shortUsd6) == (1, USD)
    assert till.balance(customer) == BALANCE - 10 * USD


def test_revoke__with_a_lock__leaves_what_is_locked_until_it_ends(
    till: Till, customer: AccountAPI, hot: LocalAccount
) -> None:
    until = int(chain.pending_timestamp) + DAY - 60
    till.lock(customer, hot, 30 * USD, until)
    receipt = till.payments.revoke(hot.address, till.gateway, sender=customer)
    assert events(receipt, till.payments, "SessionRevoked") == [
        till.payments.SessionRevoked(customer, hot.address, till.gateway, 30 * USD, until)
    ]
    till.collect(till.voucher(customer, hot, 40 * USD))
    assert till.collected(customer, hot) == 30 * USD
    assert till.balance(customer) == BALANCE - 30 * USD
