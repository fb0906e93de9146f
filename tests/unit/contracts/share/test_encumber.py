"""ClusterShare.encumber: shares are pledged and stay their owner's."""

from __future__ import annotations

import ape
import pytest
from ape import chain
from ape.api import AccountAPI
from ape.contracts import ContractInstance

from tests.support.enforcement import NEVER, let_take
from tests.support.income import DAY, UINT256_MAX, OpenShare, delegate, is_close, now, streamed
from tests.support.scenario import SHARE, USD, Scenario, travel_to

HOLDER_SHARES = 300_000 * SHARE
MAX_TAKERS = 8


def test_encumber__part__pledged_and_not_moved(
    share: ContractInstance, holder: AccountAPI, taker: AccountAPI
) -> None:
    receipt = share.encumber(taker, 7, sender=holder)
    [event] = receipt.decode_logs(share.Encumber)
    assert (event.owner, event.taker, event.amount) == (holder.address, taker.address, 7)
    [event] = receipt.decode_logs(share.EncumbranceExtended)
    assert (event.owner, event.taker) == (holder.address, taker.address)
    assert (event.amount, event.expiresAt) == (7, NEVER)
    assert not receipt.decode_logs(share.Transfer)

    assert share.balanceOf(holder) == HOLDER_SHARES
    assert share.balanceOf(taker) == 0
    assert share.encumbrances(holder, taker) == share.encumberedBalanceOf(holder) == 7
    assert share.availableBalanceOf(holder) == HOLDER_SHARES - 7
    assert list(share.takersOf(holder)) == [taker.address]
    found = share.encumbranceOf(holder, taker)
    assert (found.amount, found.assigned, found.expiresAt) == (7, 0, NEVER)
    assert int(found.payee, 16) == 0


def test_encumber__again__adds_up_and_leaves_the_expiry(
    share: ContractInstance, holder: AccountAPI, taker: AccountAPI
) -> None:
    until = now() + DAY
    share.encumberUntil(taker, 7, until, sender=holder)
    receipt = share.encumber(taker, 5, sender=holder)
    [event] = receipt.decode_logs(share.Encumber)
    assert event.amount == 5
    [event] = receipt.decode_logs(share.EncumbranceExtended)
    assert (event.amount, event.expiresAt) == (12, until)
    assert share.encumbranceOf(holder, taker).expiresAt == until
    assert share.encumberedBalanceOf(holder) == 12
    assert list(share.takersOf(holder)) == [taker.address]


def test_encumber__to_two_takers__side_by_side_oldest_first(
    share: ContractInstance, holder: AccountAPI, taker: AccountAPI, newer_taker: AccountAPI
) -> None:
    share.encumber(taker, 7, sender=holder)
    share.encumber(newer_taker, 5, sender=holder)
    share.encumber(taker, 1, sender=holder)
    assert share.encumbrances(holder, taker) == 8
    assert share.encumbrances(holder, newer_taker) == 5
    assert share.encumberedBalanceOf(holder) == 13
    assert list(share.takersOf(holder)) == [taker.address, newer_taker.address]


def test_encumber__all__owner_can_neither_send_nor_burn_nor_pledge_again(
    share: ContractInstance,
    holder: AccountAPI,
    other_holder: AccountAPI,
    taker: AccountAPI,
    newer_taker: AccountAPI,
) -> None:
    share.encumber(taker, HOLDER_SHARES, sender=holder)
    share.approve(newer_taker, UINT256_MAX, sender=holder)
    refusal = {"account": holder.address, "available": 0, "amount": 1}
    with ape.reverts(share.ClusterShare_InsufficientAvailable, **refusal):
        share.transfer(other_holder, 1, sender=holder)
    with ape.reverts(share.ClusterShare_InsufficientAvailable, **refusal):
        share.transferFrom(holder, other_holder, 1, sender=newer_taker)
    with ape.reverts(share.ClusterShare_InsufficientAvailable, **refusal):
        share.burn(1, sender=holder)
    with ape.reverts(share.ClusterShare_InsufficientAvailable, **refusal):
        share.encumber(newer_taker, 1, sender=holder)
    share.transfer(holder, 3, sender=other_holder)
    share.transfer(other_holder, 3, sender=holder)


def test_encumber__in_mid_stream__owner_earns_and_votes_on(
    ground: OpenShare,
    share: ContractInstance,
    holder: AccountAPI,
    other_holder: AccountAPI,
    taker: AccountAPI,
) -> None:
    delegate(share, holder, sender=holder)
    start = ground.fund(10_000 * USD).timestamp
    chain.pending_timestamp = start + DAY // 3
    share.encumber(taker, HOLDER_SHARES, sender=holder)
    assert is_close(ground.earned(holder), streamed(10_000 * USD, start, start + DAY // 3) * 3 / 4)
    travel_to(start + 2 * DAY)
    assert is_close(ground.earned(holder), 7_500 * USD)
    assert ground.earned(taker) == 0
    assert share.getVotes(holder) == HOLDER_SHARES
    assert ground.is_conserved(holder, other_holder)


def test_encumber__nothing__refused(
    share: ContractInstance, holder: AccountAPI, taker: AccountAPI
) -> None:
    with ape.reverts(share.ClusterShare_ZeroEncumbrance):
        share.encumber(taker, 0, sender=holder)


@pytest.mark.parametrize("amount", [HOLDER_SHARES + 1, 2**64, UINT256_MAX])
def test_encumber__more_than_the_balance__refused(
    share: ContractInstance, holder: AccountAPI, taker: AccountAPI, amount: int
) -> None:
    with ape.reverts(
        share.ERC20InsufficientBalance,
        sender=holder.address,
        balance=HOLDER_SHARES,
        needed=amount,
    ):
        share.encumber(taker, amount, sender=holder)


def test_encumber__more_than_is_available__refused(
    share: ContractInstance, holder: AccountAPI, taker: AccountAPI, enforcement: AccountAPI
) -> None:
    share.encumber(taker, 10, sender=holder)
    share.setFrozenTokens(holder, 20, sender=enforcement)
    available = HOLDER_SHARES - 30
    with ape.reverts(
        share.ClusterShare_InsufficientAvailable,
        account=holder.address,
        available=available,
        amount=available + 1,
    ):
        share.encumber(taker, available + 1, sender=holder)
    with ape.reverts(
        share.ERC7943InsufficientUnfrozenBalance,
        account=holder.address,
        amount=HOLDER_SHARES - 19,
        unfrozen=HOLDER_SHARES - 20,
    ):
        share.encumber(taker, HOLDER_SHARES - 19, sender=holder)
    share.encumber(taker, available, sender=holder)
    assert share.availableBalanceOf(holder) == 0


def test_encumber__to_whom_does_not_hold_the_role__refused(
    share: ContractInstance, holder: AccountAPI, attacker: AccountAPI
) -> None:
    with ape.reverts(share.ClusterShare_NotAnEncumbrancer, taker=attacker.address):
        share.encumber(attacker, 1, sender=holder)
    with ape.reverts(share.ClusterShare_NotAnEncumbrancer, taker=holder.address):
        share.encumber(holder, 1, sender=holder)


def test_encumber__to_a_ninth_taker__refused_until_one_has_released(
    share: ContractInstance,
    scenario: Scenario,
    admin: AccountAPI,
    holder: AccountAPI,
    taker: AccountAPI,
) -> None:
    others = [f"0x{0x7A0 + i:040x}" for i in range(MAX_TAKERS)]
    let_take(scenario, admin, *others)
    for each in (taker, *others[:-1]):
        share.encumber(each, 1, sender=holder)
    with ape.reverts(share.ClusterShare_TooManyTakers, owner=holder.address, limit=MAX_TAKERS):
        share.encumber(others[-1], 1, sender=holder)
    share.encumber(others[0], 1, sender=holder)
    share.release(holder, 1, sender=taker)
    share.encumber(others[-1], 1, sender=holder)
    assert len(share.takersOf(holder)) == MAX_TAKERS


@pytest.mark.parametrize("lasts", [False, True])
def test_encumber__to_a_taker_whose_time_is_over__only_the_new_amount_is_pledged(
    share: ContractInstance,
    holder: AccountAPI,
    other_holder: AccountAPI,
    taker: AccountAPI,
    lasts: bool,
) -> None:
    start = now()
    share.encumberUntil(taker, HOLDER_SHARES, start + 100, sender=holder)
    share.assignIncome(taker, 9, other_holder, sender=holder)
    chain.pending_timestamp = start + 100
    if lasts:
        receipt = share.encumberUntil(taker, 7, start + DAY, sender=holder)
    else:
        receipt = share.encumber(taker, 7, sender=holder)
    [event] = receipt.decode_logs(share.Release)
    assert (event.owner, event.taker, event.amount) == (
        holder.address,
        taker.address,
        HOLDER_SHARES,
    )
    found = share.encumbranceOf(holder, taker)
    assert (found.amount, found.assigned) == (7, 0)
    assert found.expiresAt == (start + DAY if lasts else NEVER)
    assert share.accountState(holder).assigned == 0
    assert share.encumberedBalanceOf(holder) == 7
