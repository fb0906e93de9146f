"""What a batch brings, and to whom: newly due amounts of any payers, exactly allocated."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from ape import chain
from ape.api import AccountAPI, ReceiptAPI
from ape.contracts import ContractInstance
from eth_account.signers.local import LocalAccount

from tests.support.payments import FOREVER, ROOT, Parts, Till, events, key_of
from tests.support.scenario import USD
from tests.unit.contracts.payments.conftest import BALANCE


def incomes(receipt: ReceiptAPI, waterfall: ContractInstance) -> dict[int, int]:
    return {
        int(event.clusterId): int(event.amountUsd6)
        for event in events(receipt, waterfall, "IncomeReceived")
    }


def entry(payer: AccountAPI, key: str, amount: int) -> int:
    return int(payer.address, 16) << 96 | int(key, 16) % 2**40 << 56 | amount


WAYS: Sequence[Parts] = (0, [(0, 10 * USD)], [(0, 4 * USD), (0, 9 * USD)])
"""To say that the first cluster gets ten dollars: the first is the short way."""


@pytest.mark.parametrize("parts", WAYS, ids=str)
def test_collect__one_voucher__is_income_of_its_cluster(
    till: Till,
    customer: AccountAPI,
    hot: LocalAccount,
    waterfall: ContractInstance,
    stablecoin: ContractInstance,
    parts: Parts,
) -> None:
    held = stablecoin.balanceOf(waterfall)
    receipt = till.collect(till.voucher(customer, hot, 10 * USD, parts))
    assert events(receipt, till.payments, "VouchersCollected") == [
        till.payments.VouchersCollected(
            till.gateway, ROOT, 10 * USD, [entry(customer, hot.address, 10 * USD)]
        )
    ]
    assert events(receipt, till.payments, "IncomeAllocated") == [
        till.payments.IncomeAllocated(till.clusters[0], till.gateway, ROOT, 10 * USD, 0)
    ]
    (income,) = events(receipt, waterfall, "IncomeReceived")
    assert (income.clusterId, income.kind, income.ref) == (till.clusters[0], 0, ROOT)
    assert income.payer == till.payments.address
    assert stablecoin.balanceOf(waterfall) == held + 10 * USD
    assert till.balance(customer) == BALANCE - 10 * USD
    assert till.collected(customer, hot) == 10 * USD


@pytest.mark.parametrize("parts", WAYS, ids=str)
def test_collect__replayed__brings_nothing(
    till: Till, customer: AccountAPI, hot: LocalAccount, waterfall: ContractInstance, parts: Parts
) -> None:
    voucher = till.voucher(customer, hot, 10 * USD, parts)
    receipt = till.collect(voucher, voucher)
    assert incomes(receipt, waterfall) == {till.clusters[0]: 10 * USD}
    receipt = till.collect(voucher)
    assert incomes(receipt, waterfall) == {}
    assert events(receipt, till.payments, "VoucherShort") == []
    assert till.balance(customer) == BALANCE - 10 * USD


@pytest.mark.parametrize("parts", [0, [(0, 2**56 - 1)]], ids=str)
def test_collect__shrunk__brings_nothing_and_the_largest_wins(
    till: Till, customer: AccountAPI, hot: LocalAccount, parts: Parts
) -> None:
    amounts = (10 * USD, 4 * USD, 25 * USD, 24 * USD)
    befores = (0, 0, 10 * USD, 0)
    till.collect(
        *(
            till.voucher(customer, hot, amount, parts, before=before)
            for amount, before in zip(amounts, befores, strict=True)
        )
    )
    assert till.collected(customer, hot) == 25 * USD
    assert till.balance(customer) == BALANCE - 25 * USD


def test_collect__several_clusters__fills_the_parts_in_their_order(
    till: Till, customer: AccountAPI, hot: LocalAccount, waterfall: ContractInstance
) -> None:
    first, second = till.clusters
    parts = [(1, 3 * USD), (0, 4 * USD), (1, 5 * USD)]
    receipt = till.collect(till.voucher(customer, hot, 10 * USD, parts))
    assert incomes(receipt, waterfall) == {first: 4 * USD, second: 6 * USD}


def test_collect__less_allocated_than_promised__leaves_the_rest_for_later(
    till: Till, customer: AccountAPI, hot: LocalAccount, waterfall: ContractInstance
) -> None:
    receipt = till.collect(till.voucher(customer, hot, 10 * USD, [(1, 7 * USD)]))
    assert events(receipt, till.payments, "VoucherShort") == []
    assert incomes(receipt, waterfall) == {till.clusters[1]: 7 * USD}
    receipt = till.collect(till.voucher(customer, hot, 10 * USD))
    assert incomes(receipt, waterfall) == {till.clusters[0]: 3 * USD}


def test_collect__many_payers__is_one_income_a_cluster(
    till: Till,
    customer: AccountAPI,
    hot: LocalAccount,
    relayer: AccountAPI,
    other_holder: AccountAPI,
    waterfall: ContractInstance,
) -> None:
    for payer in (relayer, other_holder):
        till.payments.depositFor(payer, 5 * USD, sender=customer)
    receipt = till.collect(
        till.voucher(customer, hot, 3 * USD),
        till.voucher(relayer, relayer, 2 * USD, 1),
        till.voucher(other_holder, other_holder, USD, [(0, USD)]),
        till.voucher(customer, customer, 4 * USD, 1),
    )
    first, second = till.clusters
    assert incomes(receipt, waterfall) == {first: 4 * USD, second: 6 * USD}
    (collected,) = events(receipt, till.payments, "VouchersCollected")
    assert collected.collectedUsd6 == 10 * USD
    assert collected.entries == [
        entry(customer, hot.address, 3 * USD),
        entry(relayer, relayer.address, 2 * USD),
        entry(other_holder, other_holder.address, USD),
        entry(customer, customer.address, 4 * USD),
    ]


def test_collect__two_gateways_of_one_key__know_nothing_of_each_other(
    till: Till, customer: AccountAPI, hot: LocalAccount, relayer: AccountAPI
) -> None:
    other = till.at(relayer)
    till.payments.authorise(hot.address, relayer, 5 * USD, FOREVER, sender=customer)
    till.collect(till.voucher(customer, hot, 10 * USD))
    other.collect(other.voucher(customer, hot, 4 * USD))
    till.collect(till.voucher(customer, hot, 11 * USD))
    assert till.collected(customer, hot) == 11 * USD
    assert other.collected(customer, hot) == 4 * USD
    assert till.balance(customer) == BALANCE - 15 * USD


@pytest.mark.parametrize("parts", [0, [(0, 2**56 - 1)]], ids=str)
def test_collect__more_than_the_balance__takes_what_there_is_and_the_rest_later(
    till: Till, customer: AccountAPI, relayer: AccountAPI, parts: Parts
) -> None:
    till.payments.depositFor(relayer, 5 * USD, sender=customer)
    receipt = till.collect(till.voucher(relayer, relayer, 8 * USD, parts))
    assert events(receipt, till.payments, "VoucherShort") == [
        till.payments.VoucherShort(till.gateway, relayer, relayer, 3, 8 * USD, 3 * USD)
    ]
    assert (till.collected(relayer, relayer), till.balance(relayer)) == (5 * USD, 0)
    till.payments.depositFor(relayer, 5 * USD, sender=customer)
    receipt = till.collect(till.voucher(relayer, relayer, 8 * USD, parts))
    assert events(receipt, till.payments, "VoucherShort") == []
    assert (till.collected(relayer, relayer), till.balance(relayer)) == (8 * USD, 2 * USD)


def test_collect__parts_that_were_filled_in_part__take_nothing_again(
    till: Till, customer: AccountAPI, relayer: AccountAPI, waterfall: ContractInstance
) -> None:
    first, second = till.clusters
    till.payments.depositFor(relayer, 5 * USD, sender=customer)
    voucher = till.voucher(relayer, relayer, 8 * USD, [(0, 4 * USD), (1, 4 * USD)])
    assert incomes(till.collect(voucher), waterfall) == {first: 4 * USD, second: USD}
    till.payments.depositFor(relayer, 5 * USD, sender=customer)
    receipt = till.collect(voucher, till.voucher(customer, customer, USD))
    assert events(receipt, till.payments, "VoucherShort") == [
        till.payments.VoucherShort(till.gateway, relayer, relayer, 4, 8 * USD, 3 * USD)
    ]
    assert incomes(receipt, waterfall) == {first: USD}
    receipt = till.collect(till.voucher(relayer, relayer, 8 * USD, [(1, 3 * USD)]))
    assert incomes(receipt, waterfall) == {second: 3 * USD}
    assert till.collected(relayer, relayer) == 8 * USD


def test_collect__parts_that_allocate_less_than_promised__take_nothing_again(
    till: Till, customer: AccountAPI, hot: LocalAccount
) -> None:
    voucher = till.voucher(customer, hot, 10 * USD, [(1, 4 * USD)])
    till.collect(voucher, voucher)
    till.collect(voucher)
    assert till.collected(customer, hot) == 4 * USD


def test_collect__parts_that_follow_each_other_in_a_batch__are_both_filled(
    till: Till, customer: AccountAPI, hot: LocalAccount, waterfall: ContractInstance
) -> None:
    receipt = till.collect(
        till.voucher(customer, hot, 3 * USD, [(0, 3 * USD)]),
        till.voucher(customer, hot, 7 * USD, [(1, 4 * USD)], before=3 * USD),
    )
    assert incomes(receipt, waterfall) == dict(zip(till.clusters, (3 * USD, 4 * USD), strict=True))


def test_collect__short_of_what_the_parts_do_not_ask__is_not_short(
    till: Till, customer: AccountAPI, relayer: AccountAPI
) -> None:
    till.payments.depositFor(relayer, 5 * USD, sender=customer)
    receipt = till.collect(till.voucher(relayer, relayer, 8 * USD, [(0, 4 * USD)]))
    assert events(receipt, till.payments, "VoucherShort") == []
    assert till.balance(relayer) == USD


@pytest.mark.parametrize("parts", [0, [(0, 2**56 - 1)]], ids=str)
@pytest.mark.parametrize("cumulative", [10, 30, 45])
def test_collect__of_a_lock__uses_it_first(
    till: Till, customer: AccountAPI, hot: LocalAccount, parts: Parts, cumulative: int
) -> None:
    until = int(chain.pending_timestamp) + 3_600
    till.lock(customer, hot, 30 * USD, until)
    till.collect(till.voucher(customer, hot, cumulative * USD, parts))
    left = max(0, 30 - cumulative) * USD
    channel = till.channel(customer, hot)
    assert (channel.lockedUsd6, channel.lockedUntil) == (left, until if left else 0)
    assert till.balance(customer) == BALANCE - max(30, cumulative) * USD
    assert channel.collectedUsd6 == cumulative * USD


def test_collect__empty__is_an_event_without_money(till: Till, waterfall: ContractInstance) -> None:
    receipt = till.collect()
    (collected,) = events(receipt, till.payments, "VouchersCollected")
    assert (collected.collectedUsd6, list(collected.entries)) == (0, [])
    assert incomes(receipt, waterfall) == {}


def test_collect__by_a_payer_without_a_session__needs_its_own_signature(
    till: Till, customer: AccountAPI
) -> None:
    till.collect(till.voucher(customer, customer, BALANCE))
    assert till.balance(customer) == 0
    assert till.collected(customer, key_of("nobody")) == 0


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 2, 1, 0), (2, 0, 3, 1)], ids=str)
def test_collect__in_any_order__leaves_the_same(
    till: Till, customer: AccountAPI, hot: LocalAccount, order: Sequence[int]
) -> None:
    vouchers = [
        till.voucher(customer, hot, 10 * USD),
        till.voucher(customer, customer, 5 * USD, [(1, 5 * USD)]),
        till.voucher(customer, hot, 20 * USD),
        till.voucher(customer, key_of("stranger"), 50 * USD),
    ]
    till.collect(*(vouchers[each] for each in order))
    assert till.balance(customer) == BALANCE - 25 * USD
    assert till.collected(customer, hot) == 20 * USD
    assert till.collected(customer, customer) == 5 * USD


def test_collect__plain_vouchers__take_the_short_way(
    till: Till, customer: AccountAPI, hot: LocalAccount
) -> None:
    """Both ways bring the same: what tells them apart is their gas, 2,000 or more a voucher."""

    def gas(first: int, parts: Parts) -> int:
        steps = range(first, first + 10)
        vouchers = [till.voucher(customer, hot, n, parts, before=n - 1) for n in steps]
        return int(till.collect(*vouchers).gas_used)

    till.collect(till.voucher(customer, hot, 1))
    in_parts = gas(2, [(0, 1)])
    assert gas(12, 0) < in_parts - 10 * 2_000
    assert till.collected(customer, hot) == 21
