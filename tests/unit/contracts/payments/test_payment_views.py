"""Digests as wallets make them, and what a gateway can rely on."""

from __future__ import annotations

from ape import chain
from ape.api import AccountAPI
from eth_account.messages import _hash_eip191_message
from eth_account.signers.local import LocalAccount

from tests.support.payments import DAY, Till, key_of
from tests.support.scenario import USD
from tests.unit.contracts.payments.conftest import BALANCE, LIMIT


def test_digests__of_all_that_is_signed__are_those_of_wallets(
    till: Till, customer: AccountAPI, hot: LocalAccount
) -> None:
    payments, gateway = till.payments, till.gateway
    message = till.message("Voucher", payer=customer, gateway=gateway, cumulativeUsd6=7)
    assert payments.voucherDigest(customer, gateway, 7) == _hash_eip191_message(message)
    message = till.message("AccountVoucher", payer=customer, gateway=gateway, cumulativeUsd6=7)
    assert payments.accountVoucherDigest(customer, gateway, 7) == _hash_eip191_message(message)
    message = till.message("Lock", payer=customer, key=hot, gateway=gateway, coverUsd6=7, until=9)
    digest = payments.lockDigest(customer, hot.address, gateway, 7, 9)
    assert digest == _hash_eip191_message(message)
    session = till.session(customer, hot, 7)
    message = till.message("SessionAuthorization", **session)
    assert payments.sessionDigest(session) == _hash_eip191_message(message)


def test_collectable__of_a_key__is_the_least_of_limit_and_money(
    till: Till, customer: AccountAPI, hot: LocalAccount, relayer: AccountAPI
) -> None:
    def collectable(key: str) -> int:
        return int(till.payments.collectableUsd6(customer, key, till.gateway))

    assert collectable(hot.address) == LIMIT
    assert collectable(customer.address) == BALANCE
    assert collectable(key_of("stranger").address) == 0
    other = till.at(relayer)
    other.lock(customer, customer, 70 * USD, int(chain.pending_timestamp) + 60)
    assert collectable(hot.address) == 30 * USD
    till.collect(till.voucher(customer, hot, 10 * USD))
    assert collectable(hot.address) == 20 * USD
    till.payments.revoke(hot.address, till.gateway, sender=customer)
    assert collectable(hot.address) == 0


def test_collectable__beside_a_withdrawal__leaves_out_what_is_due(
    till: Till, customer: AccountAPI
) -> None:
    def collectable() -> int:
        return int(till.payments.collectableUsd6(customer, customer, till.gateway))

    due_at = till.payments.requestWithdrawal(40 * USD, sender=customer).timestamp + DAY
    chain.mine(timestamp=due_at - 1)
    assert collectable() == BALANCE
    chain.mine(timestamp=due_at)
    assert collectable() == BALANCE - 40 * USD
    chain.mine(timestamp=due_at + DAY - 1)
    assert collectable() == BALANCE - 40 * USD
    chain.mine(timestamp=due_at + DAY)
    assert collectable() == BALANCE
