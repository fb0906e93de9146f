"""ClusterShare.release: a taker gives up what was pledged to it."""

from __future__ import annotations

import ape
import pytest
from ape import chain
from ape.api import AccountAPI
from ape.contracts import ContractInstance

from scripts._lib import roles
from tests.support.enforcement import NEVER, is_conserved, let_take
from tests.support.income import (
    DAY,
    UINT256_MAX,
    OpenShare,
    is_close,
    is_rounded_down,
    now,
    streamed,
)
from tests.support.scenario import SHARE, USD, Scenario, travel_to

HOLDER_SHARES = 300_000 * SHARE


@pytest.mark.parametrize(("amount", "left"), [(0, 7), (3, 4), (7, 0), (8, 0), (UINT256_MAX, 0)])
def test_release__by_the_taker__so_much_or_what_is_left(
    share: ContractInstance, holder: AccountAPI, taker: AccountAPI, amount: int, left: int
) -> None:
    share.encumberUntil(taker, 7, NEVER, sender=holder)
    receipt = share.release(holder, amount, sender=taker)
    events = receipt.decode_logs(share.Release)
    if left == 7:
        assert not events
    else:
        assert [(e.owner, e.taker, e.amount) for e in events] == [
            (holder.address, taker.address, 7 - left)
        ]
    assert share.encumbrances(holder, taker) == share.encumberedBalanceOf(holder) == left
    assert share.availableBalanceOf(holder) == HOLDER_SHARES - left
    assert list(share.takersOf(holder)) == [taker.address] * bool(left)
    assert share.encumbranceOf(holder, taker).expiresAt == (NEVER if left else 0)


def test_release__by_anybody_else__changes_nothing(
    share: ContractInstance,
    holder: AccountAPI,
    other_holder: AccountAPI,
    taker: AccountAPI,
    newer_taker: AccountAPI,
    attacker: AccountAPI,
) -> None:
    share.encumber(taker, 7, sender=holder)
    for caller in (holder, other_holder, newer_taker, attacker):
        receipt = share.release(holder, 7, sender=caller)
        assert not receipt.decode_logs(share.Release)
    assert share.encumbrances(holder, taker) == 7


def test_release__by_a_taker_without_the_role_and_after_its_time__releases(
    share: ContractInstance,
    scenario: Scenario,
    admin: AccountAPI,
    holder: AccountAPI,
    taker: AccountAPI,
) -> None:
    until = now() + 100
    share.encumberUntil(taker, 7, until, sender=holder)
    scenario.system.authority.revokeRole(roles.ENCUMBRANCER_ROLE, taker, sender=admin)
    chain.pending_timestamp = until
    share.release(holder, 7, sender=taker)
    assert share.encumberedBalanceOf(holder) == 0


def test_release__all_of_a_middle_taker__the_others_keep_their_order(
    share: ContractInstance,
    scenario: Scenario,
    admin: AccountAPI,
    holder: AccountAPI,
    taker: AccountAPI,
    newer_taker: AccountAPI,
    attacker: AccountAPI,
) -> None:
    let_take(scenario, admin, attacker)
    for each in (taker, newer_taker, attacker):
        share.encumber(each, 1, sender=holder)
    share.release(holder, 1, sender=newer_taker)
    assert list(share.takersOf(holder)) == [taker.address, attacker.address]
    share.encumber(newer_taker, 1, sender=holder)
    assert list(share.takersOf(holder)) == [
        taker.address,
        attacker.address,
        newer_taker.address,
    ]


def test_release__all_and_pledged_again__has_a_time_of_its_own(
    share: ContractInstance, holder: AccountAPI, taker: AccountAPI
) -> None:
    share.encumber(taker, 7, sender=holder)
    share.release(holder, 7, sender=taker)
    until = now() + DAY
    share.encumberUntil(taker, 7, until, sender=holder)
    assert share.encumbranceOf(holder, taker).expiresAt == until


@pytest.mark.parametrize(("released", "assigned"), [(3, 5), (5, 5), (6, 4), (9, 1), (10, 0)])
def test_release__of_assigned_shares__assigned_ones_go_last(
    share: ContractInstance,
    holder: AccountAPI,
    other_holder: AccountAPI,
    taker: AccountAPI,
    released: int,
    assigned: int,
) -> None:
    """Ten are pledged, the income of five of them is assigned."""
    share.encumber(taker, 10, sender=holder)
    share.assignIncome(taker, 5, other_holder, sender=holder)
    receipt = share.release(holder, released, sender=taker)
    events = receipt.decode_logs(share.IncomeAssigned)
    assert [(e.owner, e.taker, e.payee, e.assigned) for e in events] == [
        (holder.address, taker.address, other_holder.address, assigned)
    ] * (assigned != 5)
    found = share.encumbranceOf(holder, taker)
    assert (found.amount, found.assigned) == (10 - released, assigned)
    assert int(found.payee, 16) == (int(other_holder.address, 16) if assigned else 0)
    assert share.accountState(holder).assigned == assigned
    assert share.interestState(holder, other_holder).units == assigned


def test_release__in_mid_stream__income_is_the_owners_again_from_then_on(
    ground: OpenShare,
    share: ContractInstance,
    holder: AccountAPI,
    other_holder: AccountAPI,
    taker: AccountAPI,
    attacker: AccountAPI,
) -> None:
    """What was earned until then stays the payee's."""
    share.encumber(taker, HOLDER_SHARES, sender=holder)
    share.assignIncome(taker, HOLDER_SHARES, attacker, sender=holder)
    start = ground.fund(10_000 * USD).timestamp
    chain.pending_timestamp = start + DAY // 3
    share.release(holder, UINT256_MAX, sender=taker)
    before = streamed(10_000 * USD, start, start + DAY // 3) * 3 / 4
    earned = share.interestState(holder, attacker).earned
    assert ground.earned(holder) == 0
    travel_to(start + 2 * DAY)
    assert is_close(ground.earned(holder), 7_500 * USD - before)
    assert share.interestState(holder, attacker).earned == earned
    paid = share.claimAssigned(holder, attacker, sender=attacker).return_value
    assert is_rounded_down(paid, before)
    with ape.reverts(share.ClusterShare_NothingToClaim, owner=attacker.address):
        share.claimAssigned(holder, attacker, sender=attacker)
    assert is_conserved(share, (holder, other_holder), [(holder, attacker)])
