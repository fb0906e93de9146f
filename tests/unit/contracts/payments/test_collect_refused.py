"""Vouchers that are worth nothing, beside good ones, and batches that are refused as a whole."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from ape import chain, project, reverts
from ape.api import AccountAPI
from ape.contracts import ContractInstance
from eth_account.signers.local import LocalAccount

from api.domain.work import NO_MODEL
from tests.support.payments import Parts, Till, events, key_of, pack_voucher
from tests.support.scenario import USD
from tests.unit.contracts.payments.conftest import BALANCE, LIMIT

UNAUTHORISED, EXPIRED, OVER_LIMIT, INSUFFICIENT, OUT_OF_STEP = range(5)
WAYS = pytest.mark.parametrize("parts", [0, [(0, 2**56 - 1)]], ids=["plain", "parts"])


def forged(till: Till, payer: AccountAPI, key: LocalAccount, fault: str, parts: Parts) -> bytes:
    """A voucher over a dollar that the hot key has not signed as it stands there."""
    if fault == "stranger":
        return till.voucher(payer, key_of("stranger"), USD, parts)
    if fault == "other gateway":
        return till.voucher(payer, key, USD, parts, gateway=payer)
    if fault == "other chain":
        return replace(till, chain_id=1).voucher(payer, key, USD, parts)
    if fault == "other contract":
        return replace(till, contract=payer.address).voucher(payer, key, USD, parts)
    if fault == "no signature":
        return pack_voucher(payer, USD, parts, bytes(64) + b"\x1b")
    voucher = till.voucher(payer, key, USD // 2, parts)
    assert fault == "raised"
    return voucher[:21] + USD.to_bytes(7) + voucher[28:]


@WAYS
@pytest.mark.parametrize(
    "fault",
    ["stranger", "other gateway", "other chain", "other contract", "no signature", "raised"],
)
def test_collect__forged__is_named_and_harms_no_other(
    till: Till, customer: AccountAPI, hot: LocalAccount, fault: str, parts: Parts
) -> None:
    receipt = till.collect(
        till.voucher(customer, customer, USD),
        forged(till, customer, hot, fault, parts),
        till.voucher(customer, hot, 2 * USD),
    )
    (short,) = events(receipt, till.payments, "VoucherShort")
    assert (short.payer, short.gateway) == (customer.address, till.gateway.address)
    assert (short.reason, short.cumulativeUsd6, short.shortUsd6) == (UNAUTHORISED, USD, USD)
    assert till.balance(customer) == BALANCE - 3 * USD


@WAYS
def test_collect__expired__is_named_from_its_second_on(
    till: Till, customer: AccountAPI, hot: LocalAccount, parts: Parts
) -> None:
    end = int(chain.pending_timestamp) + 100
    till.payments.authorise(hot.address, till.gateway, LIMIT, end, sender=customer)
    chain.pending_timestamp = end - 1
    till.collect(till.voucher(customer, hot, USD, parts))
    chain.pending_timestamp = end
    receipt = till.collect(till.voucher(customer, hot, 3 * USD, parts))
    assert events(receipt, till.payments, "VoucherShort") == [
        till.payments.VoucherShort(till.gateway, customer, hot.address, EXPIRED, 3 * USD, 2 * USD)
    ]
    assert till.collected(customer, hot) == USD


@WAYS
def test_collect__over_the_limit__is_collected_up_to_it(
    till: Till, customer: AccountAPI, hot: LocalAccount, parts: Parts
) -> None:
    receipt = till.collect(till.voucher(customer, hot, LIMIT + USD, parts))
    assert events(receipt, till.payments, "VoucherShort") == [
        till.payments.VoucherShort(
            till.gateway, customer, hot.address, OVER_LIMIT, LIMIT + USD, USD
        )
    ]
    assert till.collected(customer, hot) == LIMIT


@WAYS
def test_collect__of_an_empty_payer__is_named_and_harms_no_other(
    till: Till, customer: AccountAPI, relayer: AccountAPI, parts: Parts
) -> None:
    receipt = till.collect(
        till.voucher(relayer, relayer, USD, parts), till.voucher(customer, customer, USD, parts)
    )
    (short,) = events(receipt, till.payments, "VoucherShort")
    assert (short.payer, short.reason, short.shortUsd6) == (relayer.address, INSUFFICIENT, USD)
    assert till.balance(customer) == BALANCE - USD
    assert till.collected(relayer, relayer) == 0


@pytest.mark.parametrize("vice", range(1, 6), ids=lambda vice: f"vice {vice}")
def test_collect__contract_that_misbehaves__harms_no_other(
    till: Till, customer: AccountAPI, hot: LocalAccount, wallet: ContractInstance, vice: int
) -> None:
    wallet.setVice(vice, sender=customer)
    receipt = till.collect(
        _of_contract(till, wallet, USD), till.voucher(customer, hot, USD), gas_limit=1_000_000
    )
    shorts = [(each.payer, each.reason) for each in events(receipt, till.payments, "VoucherShort")]
    is_good = vice == 5  # Right, but for its length, of which one word is read.
    assert shorts == ([] if is_good else [(wallet.address, UNAUTHORISED)])
    assert till.balance(wallet) == BALANCE - (USD if is_good else 0)
    assert till.collected(customer, hot) == USD
    assert receipt.gas_used < 400_000


def test_collect__contract_that_calls_back__moves_nothing_meanwhile(
    till: Till, customer: AccountAPI, wallet: ContractInstance
) -> None:
    data = till.payments.requestWithdrawal.encode_input(USD)
    wallet.callBack(till.payments, data, sender=customer)
    wallet.setVice(6, sender=customer)
    till.collect(_of_contract(till, wallet, USD))
    assert till.collected(wallet, wallet) == 0
    assert till.payments.account(wallet).requestedUsd6 == 0


def test_collect__contract_that_signed__pays(
    till: Till, wallet: ContractInstance, customer: AccountAPI
) -> None:
    till.collect(_of_contract(till, wallet, 3 * USD), _of_contract(till, wallet, 2 * USD))
    parts = [(0, USD), (1, USD)]
    receipt = till.collect(_of_contract(till, wallet, 4 * USD, parts, before=2 * USD))
    (short,) = events(receipt, till.payments, "VoucherShort")
    assert (short.key, short.reason) == (wallet.address, OUT_OF_STEP)
    till.collect(_of_contract(till, wallet, 4 * USD, parts, before=3 * USD))
    assert till.collected(wallet, wallet) == 4 * USD
    assert till.balance(wallet) == BALANCE - 4 * USD


def test_collect__owner_of_a_contract_that_is_its_key__signs_for_one_of_the_two(
    till: Till, customer: AccountAPI, deployer: AccountAPI
) -> None:
    owner = key_of("owner")
    owned = deployer.deploy(project.ERC1271Wallet, owner.address)
    till.payments.depositFor(owned, BALANCE, sender=customer)
    till.authorise_signed(till.session(owned, owner, LIMIT), owner, customer)
    signature = till.sign(
        owner, "Voucher", payer=owned, gateway=till.gateway, cumulativeUsd6=3 * USD
    )
    receipt = till.collect(
        pack_voucher(owned, 3 * USD, 0, signature),
        pack_voucher(owned, 3 * USD, 0, signature, by_contract=True),
        till.voucher(owned, owner, USD, by_contract=True),
    )
    (short,) = events(receipt, till.payments, "VoucherShort")
    assert (short.payer, short.reason, short.shortUsd6) == (owned.address, UNAUTHORISED, 3 * USD)
    assert till.collected(owned, owner) == 3 * USD
    assert till.collected(owned, owned) == USD


def test_collect__contract_among_keys__leaves_their_digests_alone(
    till: Till, customer: AccountAPI, hot: LocalAccount, wallet: ContractInstance
) -> None:
    till.collect(
        till.voucher(customer, hot, USD),
        _of_contract(till, wallet, USD),
        till.voucher(customer, customer, USD),
        _of_contract(till, wallet, 2 * USD),
        till.voucher(customer, hot, 2 * USD, [(1, USD)], before=USD),
    )
    assert till.balance(wallet) == BALANCE - 2 * USD
    assert till.balance(customer) == BALANCE - 3 * USD


def test_collect__account_without_code_as_a_contract__is_unauthorised(
    till: Till, customer: AccountAPI
) -> None:
    receipt = till.collect(_of_contract(till, customer, USD))
    (short,) = events(receipt, till.payments, "VoucherShort")
    assert (short.reason, int(short.key, 16)) == (UNAUTHORISED, 0)


def test_collect__too_little_gas_for_a_contract__is_refused_as_a_whole(
    till: Till, wallet: ContractInstance
) -> None:
    with reverts(till.payments.InferencePayments_TooLittleGas):
        till.collect(_of_contract(till, wallet, USD), gas_limit=130_000)


@pytest.mark.parametrize("cut", [1, 8, 40, 92])
@pytest.mark.parametrize("whole", [True, False], ids=["plain", "parts"])
def test_collect__cut_short__is_refused_as_a_whole(
    till: Till, customer: AccountAPI, hot: LocalAccount, cut: int, whole: bool
) -> None:
    voucher = till.voucher(customer, hot, USD, 0 if whole else [(0, USD)])
    length = 2 * len(voucher) - cut
    with reverts(till.payments.InferencePayments_Malformed):
        till.collect(
            (voucher + till.voucher(customer, hot, 2 * USD, 0 if whole else [(0, USD)]))[:length]
        )


def test_collect__contracts_signature_beyond_the_end__is_refused_as_a_whole(
    till: Till, wallet: ContractInstance
) -> None:
    voucher = _of_contract(till, wallet, USD)
    with reverts(till.payments.InferencePayments_Malformed):
        till.collect(voucher[:28] + (5_000).to_bytes(2) + voucher[30:])


@pytest.mark.parametrize("place", [2, 3])
@pytest.mark.parametrize("whole", [True, False], ids=["plain", "parts"])
def test_collect__place_that_no_cluster_has__is_refused_as_a_whole(
    till: Till, customer: AccountAPI, hot: LocalAccount, place: int, whole: bool
) -> None:
    parts: Parts = place if whole else [(0, 1), (place, USD)]
    with reverts(till.payments.InferencePayments_NoSuchPlace, place=place, count=2):
        till.collect(till.voucher(customer, hot, USD, parts))


def test_collect__clusters_not_ascending__is_refused_as_a_whole(
    till: Till, customer: AccountAPI, hot: LocalAccount
) -> None:
    first, second = till.clusters
    for clusters in ((second, first), (first, first)):
        with reverts(
            till.payments.InferencePayments_NotAscending,
            previous=(clusters[0], NO_MODEL),
            work=(clusters[1], NO_MODEL),
        ):
            replace(till, clusters=clusters).collect(till.voucher(customer, hot, USD))


def test_collect__cluster_0_first__is_refused_as_earning_nothing(
    till: Till, customer: AccountAPI, hot: LocalAccount
) -> None:
    with reverts(till.payments.InferencePayments_NotEarning, clusterId=0):
        replace(till, clusters=(0,)).collect(till.voucher(customer, hot, USD))


def test_collect__without_a_root__is_refused_as_a_whole(
    till: Till, customer: AccountAPI, hot: LocalAccount
) -> None:
    with reverts(till.payments.InferencePayments_ZeroRoot):
        till.collect(till.voucher(customer, hot, USD), root=bytes(32))


@pytest.mark.parametrize("cluster", ["unknown", "proposed"])
def test_collect__for_a_cluster_that_never_earned__is_refused_as_a_whole(
    till: Till, customer: AccountAPI, hot: LocalAccount, scenario: Any, cluster: str
) -> None:
    cluster_id = 4_000 if cluster == "unknown" else scenario.register_cluster()
    with reverts(till.payments.InferencePayments_NotEarning, clusterId=cluster_id):
        replace(till, clusters=(cluster_id,)).collect(till.voucher(customer, hot, USD))
    assert till.collected(customer, hot) == 0


def _of_contract(
    till: Till, wallet: Any, cumulative: int, parts: Parts = 0, before: int = 0
) -> bytes:
    return pack_voucher(wallet, cumulative, parts, b"any", by_contract=True, before=before)
