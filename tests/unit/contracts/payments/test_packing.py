"""What services sign and pack, before the contract that reads it."""

from __future__ import annotations

import pytest
from ape import chain, project
from ape.api import AccountAPI
from eth_account.signers.local import LocalAccount

from api.domain.codec import parse_address
from api.domain.eip712 import Eip712Domain
from api.domain.signing import Signer
from api.domain.vouchers import (
    MAX_USD6,
    SessionAuthorization,
    Split,
    Voucher,
    account_voucher_message,
    lock_message,
    pack_account_voucher,
    pack_voucher,
    payments_domain,
    voucher_message,
)
from api.types import Address
from tests.support.payments import DAY, ROOT, Till, events, key_of
from tests.support.scenario import USD
from tests.unit.contracts.payments.conftest import BALANCE


def _address(account: object) -> Address:
    return parse_address(str(getattr(account, "address", account)), "account")


@pytest.fixture
def domain(till: Till) -> Eip712Domain:
    return payments_domain(int(chain.chain_id), _address(till.payments))


def _signed(
    domain: Eip712Domain, till: Till, payer: object, key: LocalAccount, usd6: int
) -> Voucher:
    signer = Signer(bytes(key.key))
    return Voucher.signed(domain, signer, _address(payer), _address(till.gateway), usd6)


def test_domain__of_vouchers__is_the_contracts(till: Till, domain: Eip712Domain) -> None:
    told = till.payments.eip712Domain()
    assert (told.name, told.version) == (domain.name, domain.version)
    assert (told.chainId, told.verifyingContract) == (domain.chain_id, domain.verifying_contract)


@pytest.mark.parametrize("amount", [0, 1, MAX_USD6])
def test_messages__of_all_that_is_signed__have_the_contracts_digests(
    till: Till, customer: AccountAPI, hot: LocalAccount, domain: Eip712Domain, amount: int
) -> None:
    payments = till.payments
    payer, key, gateway = _address(customer), _address(hot), _address(till.gateway)
    told = payments.voucherDigest(payer, gateway, amount)
    assert voucher_message(domain, payer, gateway, amount).digest == told
    told = payments.accountVoucherDigest(payer, gateway, amount)
    assert account_voucher_message(domain, payer, gateway, amount).digest == told
    told = payments.lockDigest(payer, key, gateway, amount, 9)
    assert lock_message(domain, payer, key, gateway, amount, 9).digest == told
    session = SessionAuthorization(payer, key, gateway, amount, 2, 3, 4)
    told = payments.sessionDigest((payer, key, gateway, amount, 2, 3, 4))
    assert session.message(domain).digest == told


def test_pack_voucher__of_keys_whole_and_in_parts__is_collected_as_said(
    till: Till, customer: AccountAPI, hot: LocalAccount, domain: Eip712Domain
) -> None:
    first = pack_voucher(_signed(domain, till, customer, hot, 3 * USD), 1)
    receipt = till.collect(first)
    assert till.collected(customer, hot) == 3 * USD
    split = Split(3 * USD, [(0, USD), (1, 4 * USD)])
    receipt = till.collect(pack_voucher(_signed(domain, till, customer, hot, 8 * USD), split))
    assert till.collected(customer, hot) == 8 * USD
    allocated = [
        (e.clusterId, e.amountUsd6) for e in events(receipt, till.payments, "IncomeAllocated")
    ]
    assert allocated == [(till.clusters[0], USD), (till.clusters[1], 4 * USD)]


def test_pack_voucher__signatures_of_both_parities__are_read_alike(
    till: Till, customer: AccountAPI, hot: LocalAccount, domain: Eip712Domain
) -> None:
    vouchers = [_signed(domain, till, customer, hot, usd6) for usd6 in range(1, 13)]
    assert {voucher.signature[64] for voucher in vouchers} == {27, 28}
    receipt = till.collect(*(pack_voucher(voucher, 0) for voucher in vouchers))
    assert till.collected(customer, hot) == 12
    assert len(events(receipt, till.payments, "VouchersCollected")[0].entries) == 12


def test_pack_voucher__as_the_tests_own_packing__is_the_same_bytes(
    till: Till, customer: AccountAPI, hot: LocalAccount, domain: Eip712Domain
) -> None:
    voucher = _signed(domain, till, customer, hot, USD)
    assert pack_voucher(voucher, 1) == till.voucher(customer, hot, USD, 1)
    parts = [(0, 5), (1, 6)]
    assert pack_voucher(voucher, Split(0, parts)) == till.voucher(customer, hot, USD, parts)


def test_pack_account_voucher__of_a_contract__is_collected_with_others(
    till: Till, customer: AccountAPI, hot: LocalAccount, domain: Eip712Domain, deployer: AccountAPI
) -> None:
    owner = key_of("owner")
    wallet = deployer.deploy(project.ERC1271Wallet, owner.address)
    till.payments.depositFor(wallet, BALANCE, sender=customer)
    payer, gateway = _address(wallet), _address(till.gateway)
    message = account_voucher_message(domain, payer, gateway, 2 * USD)
    signature = Signer(bytes(owner.key)).sign(message.digest)
    till.collect(
        pack_account_voucher(payer, 2 * USD, signature, 0),
        pack_voucher(_signed(domain, till, customer, hot, USD), 1),
        root=ROOT,
    )
    assert till.collected(wallet, wallet) == 2 * USD
    assert till.collected(customer, hot) == USD


def test_lock_and_session__as_services_sign_them__are_accepted(
    till: Till, customer: AccountAPI, domain: Eip712Domain, relayer: AccountAPI
) -> None:
    owner, key = key_of("owner"), key_of("session")
    till.payments.depositFor(owner.address, 5 * USD, sender=customer)
    now = int(chain.pending_timestamp)
    payer, gateway = _address(owner), _address(till.gateway)
    session = SessionAuthorization(payer, _address(key), gateway, 4 * USD, now + DAY, 0, now + 60)
    signature = Signer(bytes(owner.key)).sign(session.message(domain).digest)
    fields = (payer, key.address, gateway, 4 * USD, now + DAY, 0, now + 60)
    till.payments.authoriseWithSignature(fields, signature, sender=relayer)
    until = now + 3_600
    message = lock_message(domain, payer, _address(key), gateway, 3 * USD, until)
    till.payments.lock(
        payer, key.address, 3 * USD, until, Signer(bytes(key.key)).sign(message.digest),
        sender=till.gateway,
    )  # fmt: skip
    assert till.channel(owner, key).lockedUsd6 == 3 * USD
