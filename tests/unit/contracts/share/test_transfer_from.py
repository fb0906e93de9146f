"""ClusterShare.transferFrom: an allowance moves shares under the same rules as a transfer, and a
taker delivers what was encumbered to it."""

from __future__ import annotations

from fractions import Fraction

import ape
import pytest
from ape import chain
from ape.api import AccountAPI
from ape.contracts import ContractInstance

from scripts._lib import roles
from tests.support.enforcement import ALL, ZERO_ADDRESS, is_conserved
from tests.support.income import (
    DAY,
    SCALE,
    UINT256_MAX,
    OpenShare,
    delegate,
    is_close,
    now,
    set_held,
    streamed,
)
from tests.support.scenario import SHARE, USD, Scenario, travel_to

HOLDER_SHARES = 300_000 * SHARE


@pytest.mark.parametrize(("allowed", "left"), [(10, 3), (7, 0), (UINT256_MAX, UINT256_MAX)])
def test_transfer_from__allowed__moves_and_spends_the_allowance(
    share: ContractInstance,
    holder: AccountAPI,
    other_holder: AccountAPI,
    keeper: AccountAPI,
    allowed: int,
    left: int,
) -> None:
    share.approve(keeper, allowed, sender=holder)
    share.transferFrom(holder, other_holder, 7, sender=keeper)
    assert share.balanceOf(holder) == HOLDER_SHARES - 7
    assert share.allowance(holder, keeper) == left


def test_transfer_from__more_than_allowed__refused(
    share: ContractInstance, holder: AccountAPI, other_holder: AccountAPI, keeper: AccountAPI
) -> None:
    share.approve(keeper, 6, sender=holder)
    with ape.reverts(
        share.ERC20InsufficientAllowance, spender=keeper.address, allowance=6, needed=7
    ):
        share.transferFrom(holder, other_holder, 7, sender=keeper)


def test_transfer_from__to_whom_is_not_admitted__refused(
    share: ContractInstance, holder: AccountAPI, attacker: AccountAPI
) -> None:
    share.approve(attacker, 7, sender=holder)
    with ape.reverts(share.ERC7943CannotReceive, account=attacker.address):
        share.transferFrom(holder, attacker, 7, sender=attacker)


def test_transfer_from__more_than_is_available__refused(
    ground: OpenShare,
    share: ContractInstance,
    holder: AccountAPI,
    other_holder: AccountAPI,
    keeper: AccountAPI,
    admin: AccountAPI,
) -> None:
    share.approve(keeper, UINT256_MAX, sender=holder)
    set_held(ground, holder, admin, encumbered=HOLDER_SHARES - 6, frozen=0)
    with ape.reverts(share.ClusterShare_InsufficientAvailable, available=6, amount=7):
        share.transferFrom(holder, other_holder, 7, sender=keeper)


def test_transfer_from__in_mid_stream__income_as_with_a_transfer(
    ground: OpenShare,
    share: ContractInstance,
    holder: AccountAPI,
    other_holder: AccountAPI,
    keeper: AccountAPI,
) -> None:
    start = ground.fund(10_000 * USD).timestamp
    share.approve(keeper, HOLDER_SHARES, sender=holder)
    chain.pending_timestamp = start + DAY // 3
    share.transferFrom(holder, other_holder, HOLDER_SHARES, sender=keeper)
    before = streamed(10_000 * USD, start, start + DAY // 3)
    assert is_close(ground.earned(holder), before * 3 / 4)
    assert is_close(ground.earned(other_holder), before / 4)
    assert ground.earned(keeper) == 0


# ---------------------------------------------------------------------- delivery


@pytest.mark.parametrize(("amount", "left"), [(0, 7), (3, 4), (7, 0)])
def test_transfer_from__by_a_taker__delivers_and_spends_the_encumbrance_alone(
    share: ContractInstance,
    holder: AccountAPI,
    other_holder: AccountAPI,
    taker: AccountAPI,
    amount: int,
    left: int,
) -> None:
    share.encumber(taker, 7, sender=holder)
    share.approve(taker, 100, sender=holder)
    had = share.balanceOf(other_holder)
    receipt = share.transferFrom(holder, other_holder, amount, sender=taker)
    assert receipt.return_value is True
    [event] = receipt.decode_logs(share.Transfer)
    assert (event["from"], event["to"]) == (holder.address, other_holder.address)
    assert event["value"] == amount
    assert [e.amount for e in receipt.decode_logs(share.Release)] == [amount] * bool(amount)
    assert share.balanceOf(holder) == HOLDER_SHARES - amount
    assert share.balanceOf(other_holder) == had + amount
    assert share.encumbrances(holder, taker) == share.encumberedBalanceOf(holder) == left
    assert share.allowance(holder, taker) == 100


def test_transfer_from__by_a_taker_beyond_its_encumbrance__the_rest_by_allowance(
    share: ContractInstance,
    holder: AccountAPI,
    other_holder: AccountAPI,
    taker: AccountAPI,
) -> None:
    share.encumber(taker, 7, sender=holder)
    share.approve(taker, 5, sender=holder)
    with ape.reverts(
        share.ERC20InsufficientAllowance, spender=taker.address, allowance=5, needed=6
    ):
        share.transferFrom(holder, other_holder, 13, sender=taker)
    share.transferFrom(holder, other_holder, 12, sender=taker)
    assert share.allowance(holder, taker) == 0
    assert share.encumberedBalanceOf(holder) == 0
    assert share.balanceOf(holder) == HOLDER_SHARES - 12


def test_transfer_from__by_a_taker_beyond_what_is_available__refused(
    share: ContractInstance,
    holder: AccountAPI,
    other_holder: AccountAPI,
    taker: AccountAPI,
    newer_taker: AccountAPI,
    enforcement: AccountAPI,
) -> None:
    """Of ten seven are the taker's, two another's, one is free: eight can be delivered."""
    share.transfer(other_holder, HOLDER_SHARES - 10, sender=holder)
    share.encumber(taker, 7, sender=holder)
    share.encumber(newer_taker, 2, sender=holder)
    share.approve(taker, UINT256_MAX, sender=holder)
    with ape.reverts(
        share.ClusterShare_InsufficientAvailable, account=holder.address, available=1, amount=2
    ):
        share.transferFrom(holder, other_holder, 9, sender=taker)
    with ape.reverts(share.ERC20InsufficientBalance, sender=holder.address, balance=10, needed=11):
        share.transferFrom(holder, other_holder, 11, sender=taker)
    share.setFrozenTokens(holder, 4, sender=enforcement)
    with ape.reverts(
        share.ERC7943InsufficientUnfrozenBalance, account=holder.address, amount=7, unfrozen=6
    ):
        share.transferFrom(holder, other_holder, 7, sender=taker)
    share.setFrozenTokens(holder, 0, sender=enforcement)
    share.transferFrom(holder, other_holder, 8, sender=taker)
    assert share.encumbrances(holder, newer_taker) == share.balanceOf(holder) == 2


def test_transfer_from__by_a_taker_whose_role_was_taken__refused(
    share: ContractInstance,
    scenario: Scenario,
    admin: AccountAPI,
    holder: AccountAPI,
    other_holder: AccountAPI,
    taker: AccountAPI,
) -> None:
    share.encumber(taker, 7, sender=holder)
    share.approve(taker, UINT256_MAX, sender=holder)
    scenario.system.authority.revokeRole(roles.ENCUMBRANCER_ROLE, taker, sender=admin)
    with ape.reverts(share.ClusterShare_NotAnEncumbrancer, taker=taker.address):
        share.transferFrom(holder, other_holder, 1, sender=taker)
    share.release(holder, 7, sender=taker)
    share.transferFrom(holder, other_holder, 1, sender=taker)


@pytest.mark.parametrize("late", [-1, 0, 1])
def test_transfer_from__by_a_taker_around_its_expiry__only_before(
    share: ContractInstance,
    holder: AccountAPI,
    other_holder: AccountAPI,
    taker: AccountAPI,
    late: int,
) -> None:
    until = now() + 100
    share.encumberUntil(taker, 7, until, sender=holder)
    chain.pending_timestamp = until + late
    if late < 0:
        share.transferFrom(holder, other_holder, 7, sender=taker)
        return
    with ape.reverts(
        share.ClusterShare_EncumbranceExpired,
        owner=holder.address,
        taker=taker.address,
        expiresAt=until,
    ):
        share.transferFrom(holder, other_holder, 7, sender=taker)


def test_transfer_from__by_a_taker_to_whom_may_not_receive__refused(
    share: ContractInstance,
    scenario: Scenario,
    holder: AccountAPI,
    taker: AccountAPI,
    attacker: AccountAPI,
) -> None:
    share.encumber(taker, 7, sender=holder)
    for to in (attacker.address, taker.address, share.address):
        with ape.reverts(share.ERC7943CannotReceive, account=to):
            share.transferFrom(holder, to, 7, sender=taker)
    with ape.reverts(share.ERC20InvalidReceiver, receiver=ZERO_ADDRESS):
        share.transferFrom(holder, ZERO_ADDRESS, 7, sender=taker)
    scenario.attest(taker)
    share.transferFrom(holder, taker, 7, sender=taker)
    assert share.balanceOf(taker) == 7


def test_transfer_from__by_a_taker_to_the_owner__releases(
    share: ContractInstance, holder: AccountAPI, taker: AccountAPI
) -> None:
    share.encumber(taker, 7, sender=holder)
    share.transferFrom(holder, holder, 5, sender=taker)
    assert share.balanceOf(holder) == HOLDER_SHARES
    assert share.encumbrances(holder, taker) == 2


def test_transfer_from__by_a_taker_of_a_holder_frozen_whole__refused(
    share: ContractInstance,
    holder: AccountAPI,
    other_holder: AccountAPI,
    taker: AccountAPI,
    enforcement: AccountAPI,
) -> None:
    share.encumber(taker, 7, sender=holder)
    share.setFrozenTokens(holder, ALL, sender=enforcement)
    with ape.reverts(share.ERC7943InsufficientUnfrozenBalance, amount=1, unfrozen=0):
        share.transferFrom(holder, other_holder, 1, sender=taker)


def test_transfer_from__by_a_taker_of_others_shares__is_like_anybodys(
    share: ContractInstance,
    holder: AccountAPI,
    other_holder: AccountAPI,
    taker: AccountAPI,
    newer_taker: AccountAPI,
) -> None:
    """What one owner pledged to it, or another taker has of this one, gives it nothing."""
    share.encumber(taker, 7, sender=other_holder)
    share.encumber(newer_taker, 7, sender=holder)
    with ape.reverts(
        share.ERC20InsufficientAllowance, spender=taker.address, allowance=0, needed=1
    ):
        share.transferFrom(holder, other_holder, 1, sender=taker)


def test_transfer_from__by_a_taker_in_mid_stream__income_and_votes_move_from_then_on(
    ground: OpenShare,
    share: ContractInstance,
    holder: AccountAPI,
    other_holder: AccountAPI,
    taker: AccountAPI,
    attacker: AccountAPI,
) -> None:
    """All is pledged, the income of a third assigned; half is delivered, so all of it that is
    assigned is pledged yet."""
    delegate(share, holder, sender=holder)
    delegate(share, other_holder, sender=other_holder)
    share.encumber(taker, HOLDER_SHARES, sender=holder)
    share.assignIncome(taker, HOLDER_SHARES // 3, attacker, sender=holder)
    start = ground.fund(8_000 * USD).timestamp
    chain.pending_timestamp = start + DAY // 3
    share.transferFrom(holder, other_holder, HOLDER_SHARES // 2, sender=taker)
    assert share.interestState(holder, attacker).units == HOLDER_SHARES // 3
    assert share.getVotes(holder) == HOLDER_SHARES // 2
    assert share.getVotes(other_holder) == 100_000 * SHARE + HOLDER_SHARES // 2
    before = streamed(8_000 * USD, start, start + DAY // 3)
    assert is_close(ground.earned(holder), before / 2)
    travel_to(start + 2 * DAY)
    after = 8_000 * USD - before
    assert is_close(ground.earned(holder), before / 2 + after / 8)
    assert is_close(ground.earned(other_holder), before / 4 + after * 5 / 8)
    interest = Fraction(share.interestState(holder, attacker).earned, SCALE)
    assert is_close(interest, Fraction(2_000 * USD))
    assert is_conserved(share, (holder, other_holder), [(holder, attacker)])
