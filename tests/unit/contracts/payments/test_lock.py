"""Locks: one gateway's part of a balance, for a while."""

from __future__ import annotations

from ape import chain, reverts
from ape.api import AccountAPI
from ape.contracts import ContractInstance
from eth_account.signers.local import LocalAccount

from tests.support.payments import DAY, FOREVER, Till, events, key_of
from tests.support.scenario import USD
from tests.unit.contracts.payments.conftest import BALANCE, LIMIT


def _until() -> int:
    return int(chain.pending_timestamp) + DAY - 60


def test_lock__with_the_keys_consent__leaves_the_balance(
    till: Till, customer: AccountAPI, hot: LocalAccount
) -> None:
    until = _until()
    receipt = till.lock(customer, hot, 30 * USD, until)
    assert events(receipt, till.payments, "Locked") == [
        till.payments.Locked(customer, hot.address, till.gateway, 30 * USD, 30 * USD, until)
    ]
    assert till.balance(customer) == BALANCE - 30 * USD
    channel = till.channel(customer, hot)
    assert (channel.lockedUsd6, channel.lockedUntil) == (30 * USD, until)
    assert till.payments.collectableUsd6(customer, hot.address, till.gateway) == LIMIT


def test_lock__brought_again__adds_nothing(
    till: Till, customer: AccountAPI, hot: LocalAccount
) -> None:
    until = _until()
    till.lock(customer, hot, 30 * USD, until)
    till.collect(till.voucher(customer, hot, 10 * USD))
    till.lock(customer, hot, 30 * USD, until)
    assert till.channel(customer, hot).lockedUsd6 == 20 * USD
    assert till.balance(customer) == BALANCE - 30 * USD


def test_lock__of_less_than_is_covered__is_refused(
    till: Till, customer: AccountAPI, hot: LocalAccount
) -> None:
    until = _until()
    till.lock(customer, hot, 30 * USD, until)
    less = 30 * USD - 1
    with reverts(till.payments.InferencePayments_LimitTooLow, limitUsd6=less, least=30 * USD):
        till.lock(customer, hot, less, until + 1)
    till.collect(till.voucher(customer, hot, 30 * USD))
    with reverts(till.payments.InferencePayments_LimitTooLow, least=30 * USD):
        till.lock(customer, hot, 30 * USD, until)


def test_lock__of_what_is_not_there__is_refused(
    till: Till, customer: AccountAPI, relayer: AccountAPI
) -> None:
    with reverts(
        till.payments.InferencePayments_InsufficientBalance,
        payer=customer.address,
        amountUsd6=BALANCE + 1,
        balanceUsd6=BALANCE,
    ):
        till.lock(customer, customer, BALANCE + 1, _until())
    till.lock(customer, customer, BALANCE, _until())
    with reverts(till.payments.InferencePayments_InsufficientBalance, balanceUsd6=0):
        till.at(relayer).lock(customer, customer, 1, _until())


def test_lock__promised_to_one_gateway__is_out_of_reach_of_another(
    till: Till, customer: AccountAPI, relayer: AccountAPI
) -> None:
    other = till.at(relayer)
    till.lock(customer, customer, 70 * USD, _until())
    receipt = other.collect(other.voucher(customer, customer, 40 * USD))
    (short,) = events(receipt, till.payments, "VoucherShort")
    assert (short.reason, short.shortUsd6) == (3, 10 * USD)
    till.collect(till.voucher(customer, customer, 70 * USD))
    assert till.collected(customer, customer) == 70 * USD


def test_lock__while_a_withdrawal_is_requested__cuts_it_to_what_stays_free(
    till: Till, customer: AccountAPI, hot: LocalAccount
) -> None:
    till.payments.requestWithdrawal(80 * USD, sender=customer)
    due_at = till.payments.account(customer).withdrawableAt
    till.lock(customer, hot, 20 * USD, _until())
    assert till.payments.account(customer).requestedUsd6 == 80 * USD
    till.lock(customer, hot, 30 * USD, _until())
    account = till.payments.account(customer)
    assert (account.requestedUsd6, account.withdrawableAt) == (70 * USD, due_at)


def test_lock__of_all_that_is_requested__ends_the_request(
    till: Till, customer: AccountAPI, relayer: AccountAPI
) -> None:
    own = till.at(relayer)
    due_at = till.payments.requestWithdrawal(BALANCE, sender=customer).timestamp + DAY
    own.lock(customer, customer, BALANCE, due_at)
    account = till.payments.account(customer)
    assert (account.requestedUsd6, account.withdrawableAt) == (0, 0)
    chain.pending_timestamp = due_at
    till.payments.release(customer, customer, relayer, sender=relayer)
    with reverts(till.payments.InferencePayments_NothingToWithdraw, payer=customer.address):
        till.payments.withdraw(sender=customer)
    till.collect(till.voucher(customer, customer, BALANCE))
    assert till.collected(customer, customer) == BALANCE


def test_lock__without_consent__is_refused(
    till: Till, customer: AccountAPI, hot: LocalAccount, attacker: AccountAPI
) -> None:
    with reverts(till.payments.InferencePayments_BadSignature, signer=hot.address):
        till.lock(customer, hot, USD, _until(), signer=key_of("stranger"))
    until = _until()
    signature = till.sign(
        hot, "Lock", payer=customer, key=hot, gateway=till.gateway, coverUsd6=USD, until=until
    )
    with reverts(till.payments.InferencePayments_NoSession):
        till.payments.lock(customer, hot.address, USD, until, signature, sender=attacker)


def test_lock__by_a_key_of_nobody__is_refused(till: Till, customer: AccountAPI) -> None:
    with reverts(till.payments.InferencePayments_NoSession, expiresAt=0):
        till.lock(customer, key_of("stranger"), USD, _until())


def test_lock__beyond_the_keys_limit_or_time__is_refused(
    till: Till, customer: AccountAPI, hot: LocalAccount
) -> None:
    with reverts(till.payments.InferencePayments_OverLimit, amountUsd6=LIMIT + 1, limit=LIMIT):
        till.lock(customer, hot, LIMIT + 1, _until())
    end = _until() - 100
    till.payments.authorise(hot.address, till.gateway, LIMIT, end, sender=customer)
    with reverts(till.payments.InferencePayments_TooLate, second=end + 1, limit=end):
        till.lock(customer, hot, USD, end + 1)
    till.lock(customer, hot, USD, end)


def test_lock__for_more_than_a_day_or_no_time__is_refused(
    till: Till, customer: AccountAPI, hot: LocalAccount
) -> None:
    now = int(chain.pending_timestamp) + 10
    chain.pending_timestamp = now
    with reverts(till.payments.InferencePayments_TooLate, second=now + DAY + 1, limit=now + DAY):
        till.lock(customer, hot, USD, now + DAY + 1)
    chain.pending_timestamp = now + 10
    with reverts(till.payments.InferencePayments_Expired, second=now + 10, notBefore=now + 10):
        till.lock(customer, hot, USD, now + 10)


def test_lock__shorter_than_the_one_there_is__is_refused(
    till: Till, customer: AccountAPI, hot: LocalAccount
) -> None:
    until = _until()
    till.lock(customer, hot, USD, until)
    with reverts(till.payments.InferencePayments_Expired, second=until - 1, notBefore=until):
        till.lock(customer, hot, 2 * USD, until - 1)


def test_lock__over__is_the_payers_again_before_the_next(
    till: Till, customer: AccountAPI, hot: LocalAccount
) -> None:
    until = _until()
    till.lock(customer, hot, 30 * USD, until)
    chain.pending_timestamp = until
    receipt = till.lock(customer, hot, 20 * USD, until + 60)
    assert events(receipt, till.payments, "Released") == [
        till.payments.Released(customer, hot.address, till.gateway, 30 * USD, BALANCE)
    ]
    assert till.balance(customer) == BALANCE - 20 * USD


def test_lock__by_a_contract__is_refused_whatever_its_code_says(
    till: Till, customer: AccountAPI, wallet: ContractInstance
) -> None:
    until = _until()
    with reverts(till.payments.InferencePayments_BadSignature, signer=wallet.address):
        till.payments.lock(wallet, wallet, USD, until, b"", sender=till.gateway)
    till.payments.authorise(wallet, till.gateway, LIMIT, FOREVER, sender=customer)
    with reverts(till.payments.InferencePayments_BadSignature, signer=wallet.address):
        till.payments.lock(customer, wallet, USD, until, b"", sender=till.gateway)


def test_lock__by_the_session_key_of_a_contract__holds_whatever_its_code_says(
    till: Till, wallet: ContractInstance, relayer: AccountAPI
) -> None:
    key = key_of("second")
    till.payments.authoriseWithSignature(till.session(wallet, key, LIMIT), b"", sender=relayer)
    till.lock(wallet, key, 5 * USD, _until())
    wallet.setVice(4, sender=relayer)
    till.collect(till.voucher(wallet, key, 5 * USD))
    assert till.collected(wallet, key) == 5 * USD


def test_lock__by_an_account_with_delegated_code__is_by_its_key_as_its_vouchers_are(
    till: Till, customer: AccountAPI, relayer: AccountAPI
) -> None:
    smart = key_of("smart")
    till.payments.depositFor(smart.address, BALANCE, sender=customer)
    # It reverts, whatever it is asked.
    chain.provider.set_code(smart.address, bytes.fromhex("5f5ffd"))
    till.lock(smart, smart, 5 * USD, _until())
    till.authorise_signed(till.session(smart, key_of("second"), USD), smart, relayer)
    till.collect(till.voucher(smart, smart, 5 * USD), till.voucher(smart, key_of("second"), USD))
    assert till.collected(smart, smart) == 5 * USD
    assert till.balance(smart) == BALANCE - 6 * USD


def test_release__by_the_gateway__is_possible_at_once(
    till: Till, customer: AccountAPI, hot: LocalAccount
) -> None:
    till.lock(customer, hot, 30 * USD, _until())
    receipt = till.payments.release(customer, hot.address, till.gateway, sender=till.gateway)
    assert events(receipt, till.payments, "Released") == [
        till.payments.Released(customer, hot.address, till.gateway, 30 * USD, BALANCE)
    ]
    assert till.channel(customer, hot).lockedUsd6 == 0
    with reverts(till.payments.InferencePayments_NothingLocked):
        till.payments.release(customer, hot.address, till.gateway, sender=till.gateway)


def test_release__by_anybody__waits_for_its_end(
    till: Till, customer: AccountAPI, hot: LocalAccount
) -> None:
    until = _until()
    till.lock(customer, hot, 30 * USD, until)
    chain.pending_timestamp = until - 1
    with reverts(
        till.payments.InferencePayments_StillLocked, account=customer.address, lockedUntil=until
    ):
        till.payments.release(customer, hot.address, till.gateway, sender=customer)
    chain.pending_timestamp = until
    till.payments.release(customer, hot.address, till.gateway, sender=customer)
    assert till.balance(customer) == BALANCE


def test_lock__over_and_not_released__is_collected_from_the_balance(
    till: Till, customer: AccountAPI, hot: LocalAccount
) -> None:
    until = _until()
    till.payments.authorise(hot.address, till.gateway, LIMIT, FOREVER, sender=customer)
    till.lock(customer, hot, 30 * USD, until)
    chain.pending_timestamp = until
    receipt = till.collect(till.voucher(customer, hot, 10 * USD))
    assert len(events(receipt, till.payments, "Released")) == 1
    assert till.balance(customer) == BALANCE - 10 * USD
    channel = till.channel(customer, hot)
    assert (channel.collectedUsd6, channel.lockedUsd6, channel.lockedUntil) == (10 * USD, 0, 0)
