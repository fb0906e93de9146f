"""The platform's part: capped, announced a week ahead, rounded down."""

from __future__ import annotations

from ape import chain, reverts
from ape.api import AccountAPI
from ape.contracts import ContractInstance
from eth_account.signers.local import LocalAccount

from tests.support.payments import FEE_NOTICE, Till, events
from tests.support.scenario import USD


def test_schedule_platform_fee__by_the_admin__acts_a_week_later(
    till: Till, admin: AccountAPI
) -> None:
    receipt = till.payments.schedulePlatformFee(250, sender=admin)
    from_at = receipt.timestamp + FEE_NOTICE
    assert events(receipt, till.payments, "PlatformFeeScheduled") == [
        till.payments.PlatformFeeScheduled(0, 250, from_at)
    ]
    assert tuple(till.payments.platformFee()) == (0, 250, from_at)
    chain.pending_timestamp = from_at
    chain.mine()
    assert tuple(till.payments.platformFee()) == (250, 250, from_at)


def test_schedule_platform_fee__in_the_22nd_century__acts_a_week_later(
    till: Till, admin: AccountAPI
) -> None:
    chain.pending_timestamp = 2**32
    from_at = till.payments.schedulePlatformFee(250, sender=admin).timestamp + FEE_NOTICE
    assert tuple(till.payments.platformFee()) == (0, 250, from_at)


def test_schedule_platform_fee__before_the_last_acts__replaces_it(
    till: Till, admin: AccountAPI
) -> None:
    till.payments.schedulePlatformFee(250, sender=admin)
    chain.pending_timestamp += FEE_NOTICE - 10
    till.payments.schedulePlatformFee(100, sender=admin)
    chain.pending_timestamp += 20
    chain.mine()
    assert till.payments.platformFee().feeBps == 0


def test_schedule_platform_fee__while_another_acts__leaves_it_for_a_week(
    till: Till, admin: AccountAPI
) -> None:
    from_at = till.payments.schedulePlatformFee(250, sender=admin).timestamp + FEE_NOTICE
    chain.pending_timestamp = from_at
    from_at = till.payments.schedulePlatformFee(100, sender=admin).timestamp + FEE_NOTICE
    for second, fee in ((from_at - 1, 250), (from_at, 100)):
        chain.pending_timestamp = second
        chain.mine()
        assert tuple(till.payments.platformFee()) == (fee, 100, from_at)


def test_schedule_platform_fee__above_the_cap__is_refused(till: Till, admin: AccountAPI) -> None:
    with reverts(till.payments.InferencePayments_OverLimit, amountUsd6=501, limit=500):
        till.payments.schedulePlatformFee(501, sender=admin)
    till.payments.schedulePlatformFee(500, sender=admin)


def test_schedule_platform_fee__by_anybody_else__is_refused(
    till: Till, attacker: AccountAPI
) -> None:
    with reverts(till.payments.AccessManagedUnauthorized):
        till.payments.schedulePlatformFee(1, sender=attacker)


def test_collect__with_a_fee__is_exact_for_each_cluster(
    till: Till,
    admin: AccountAPI,
    trustee: AccountAPI,
    customer: AccountAPI,
    hot: LocalAccount,
    waterfall: ContractInstance,
    stablecoin: ContractInstance,
) -> None:
    till.payments.schedulePlatformFee(333, sender=admin)
    chain.pending_timestamp += FEE_NOTICE
    first, second = till.clusters
    parts = [(0, 1_000_003), (1, 29)]
    receipt = till.collect(till.voucher(customer, hot, 1_000_032, parts))
    fee = 1_000_003 * 333 // 10_000
    assert events(receipt, till.payments, "IncomeAllocated") == [
        till.payments.IncomeAllocated(first, till.gateway, b"\x77" * 32, 1_000_003, fee),
        till.payments.IncomeAllocated(second, till.gateway, b"\x77" * 32, 29, 0),
    ]
    amounts = [each.amountUsd6 for each in events(receipt, waterfall, "IncomeReceived")]
    assert amounts == [1_000_003 - fee, 29]
    assert till.payments.treasuryOwedUsd6() == fee
    held = stablecoin.balanceOf(trustee)
    receipt = till.payments.payTreasury(sender=customer)
    assert events(receipt, till.payments, "TreasuryPaid") == [
        till.payments.TreasuryPaid(trustee, fee)
    ]
    assert stablecoin.balanceOf(trustee) == held + fee
    with reverts(till.payments.InferencePayments_ZeroAmount):
        till.payments.payTreasury(sender=customer)


def test_collect__single_units_with_a_fee__are_the_clusters(
    till: Till, admin: AccountAPI, customer: AccountAPI, hot: LocalAccount
) -> None:
    till.payments.schedulePlatformFee(500, sender=admin)
    chain.pending_timestamp += FEE_NOTICE
    till.collect(till.voucher(customer, hot, 1))
    assert till.payments.treasuryOwedUsd6() == 0
    till.collect(till.voucher(customer, hot, 1 + 20 * USD))
    assert till.payments.treasuryOwedUsd6() == USD
