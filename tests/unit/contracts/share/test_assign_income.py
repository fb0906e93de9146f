"""ClusterShare.assignIncome: pledged shares earn for somebody else while they are pledged."""

from __future__ import annotations

from fractions import Fraction

import ape
import pytest
from ape import chain
from ape.api import AccountAPI
from ape.contracts import ContractInstance

from tests.support.enforcement import ALL, ZERO_ADDRESS, is_conserved
from tests.support.income import DAY, SCALE, UINT256_MAX, OpenShare, is_close, streamed
from tests.support.scenario import SHARE, USD, travel_to

HOLDER_SHARES = 300_000 * SHARE


@pytest.fixture
def lender(customer: AccountAPI) -> AccountAPI:
    """Who is paid; it can hold no shares."""
    return customer


def test_assign_income__part__earns_for_the_payee_from_then_on(
    ground: OpenShare,
    share: ContractInstance,
    holder: AccountAPI,
    other_holder: AccountAPI,
    taker: AccountAPI,
    lender: AccountAPI,
) -> None:
    share.encumber(taker, HOLDER_SHARES, sender=holder)
    start = ground.fund(10_000 * USD).timestamp
    chain.pending_timestamp = start + DAY // 3
    receipt = share.assignIncome(taker, HOLDER_SHARES // 3, lender, sender=holder)
    [event] = receipt.decode_logs(share.IncomeAssigned)
    assert (event.owner, event.taker) == (holder.address, taker.address)
    assert (event.payee, event.assigned) == (lender.address, HOLDER_SHARES // 3)
    found = share.encumbranceOf(holder, taker)
    assert (found.assigned, found.payee) == (HOLDER_SHARES // 3, lender.address)
    assert share.accountState(holder).assigned == HOLDER_SHARES // 3
    state = share.interestState(holder, lender)
    assert (state.units, state.earned, state.claimed) == (HOLDER_SHARES // 3, 0, 0)

    before = streamed(10_000 * USD, start, start + DAY // 3)
    assert is_close(ground.earned(holder), before * 3 / 4)
    travel_to(start + 2 * DAY)
    after = 10_000 * USD - before
    assert is_close(ground.earned(holder), before * 3 / 4 + after / 2)
    assert is_close(Fraction(share.interestState(holder, lender).earned, SCALE), after / 4)
    assert is_conserved(share, (holder, other_holder), [(holder, lender)])


def test_assign_income__all__leaves_the_owner_nothing_to_claim(
    ground: OpenShare,
    share: ContractInstance,
    holder: AccountAPI,
    taker: AccountAPI,
    lender: AccountAPI,
) -> None:
    share.encumber(taker, HOLDER_SHARES, sender=holder)
    share.assignIncome(taker, HOLDER_SHARES, lender, sender=holder)
    travel_to(ground.fund(10_000 * USD).timestamp + 2 * DAY)
    assert share.claimableUsd6(holder) == share.earnedUsd6(holder) == 0
    with ape.reverts(share.ClusterShare_NothingToClaim, owner=holder.address):
        share.claim(sender=holder)


def test_assign_income__in_steps__adds_up_to_the_encumbrance(
    share: ContractInstance, holder: AccountAPI, taker: AccountAPI, lender: AccountAPI
) -> None:
    share.encumber(taker, 7, sender=holder)
    share.assignIncome(taker, 3, lender, sender=holder)
    receipt = share.assignIncome(taker, 4, lender, sender=holder)
    [event] = receipt.decode_logs(share.IncomeAssigned)
    assert event.assigned == 7
    assert share.interestState(holder, lender).units == 7


@pytest.mark.parametrize("payees", [1, 2])
def test_assign_income__of_two_encumbrances__each_for_its_payee(
    share: ContractInstance,
    holder: AccountAPI,
    other_holder: AccountAPI,
    taker: AccountAPI,
    newer_taker: AccountAPI,
    lender: AccountAPI,
    payees: int,
) -> None:
    other = lender if payees == 1 else other_holder
    share.encumber(taker, 7, sender=holder)
    share.encumber(newer_taker, 5, sender=holder)
    share.assignIncome(taker, 7, lender, sender=holder)
    share.assignIncome(newer_taker, 4, other, sender=holder)
    assert share.accountState(holder).assigned == 11
    assert share.interestState(holder, lender).units == (11 if payees == 1 else 7)
    assert share.interestState(holder, other).units == (11 if payees == 1 else 4)
    share.release(holder, 7, sender=taker)
    assert share.interestState(holder, other).units == 4


@pytest.mark.parametrize("units", [0, 6, 2**64, UINT256_MAX])
def test_assign_income__nothing_or_more_than_is_free_to_assign__refused(
    share: ContractInstance, holder: AccountAPI, taker: AccountAPI, lender: AccountAPI, units: int
) -> None:
    share.encumber(taker, 7, sender=holder)
    share.assignIncome(taker, 2, lender, sender=holder)
    with ape.reverts(
        share.ClusterShare_AssignmentOverEncumbrance, taker=taker.address, units=units, limit=5
    ):
        share.assignIncome(taker, units, lender, sender=holder)


def test_assign_income__not_encumbered__refused(
    share: ContractInstance,
    holder: AccountAPI,
    taker: AccountAPI,
    newer_taker: AccountAPI,
    lender: AccountAPI,
) -> None:
    share.encumber(taker, 7, sender=holder)
    with ape.reverts(
        share.ClusterShare_AssignmentOverEncumbrance,
        taker=newer_taker.address,
        units=1,
        limit=0,
    ):
        share.assignIncome(newer_taker, 1, lender, sender=holder)
    with ape.reverts(share.ClusterShare_AssignmentOverEncumbrance, limit=0):
        share.assignIncome(taker, 1, lender, sender=taker)


def test_assign_income__to_the_owner_the_share_or_nobody__refused(
    share: ContractInstance, holder: AccountAPI, taker: AccountAPI
) -> None:
    share.encumber(taker, 7, sender=holder)
    for payee in (holder.address, share.address, ZERO_ADDRESS):
        with ape.reverts(share.ClusterShare_InvalidPayee, payee=payee):
            share.assignIncome(taker, 1, payee, sender=holder)


def test_assign_income__to_another_payee__only_after_the_first_is_released(
    share: ContractInstance,
    holder: AccountAPI,
    other_holder: AccountAPI,
    taker: AccountAPI,
    lender: AccountAPI,
) -> None:
    share.encumber(taker, 7, sender=holder)
    share.assignIncome(taker, 2, lender, sender=holder)
    with ape.reverts(
        share.ClusterShare_AssignedToAnother, taker=taker.address, payee=lender.address
    ):
        share.assignIncome(taker, 1, other_holder, sender=holder)
    share.release(holder, 7, sender=taker)
    share.encumber(taker, 7, sender=holder)
    share.assignIncome(taker, 1, other_holder, sender=holder)
    assert share.interestState(holder, other_holder).units == 1
    assert share.interestState(holder, lender).units == 0


def test_assign_income__owner_frozen_whole__refused(
    share: ContractInstance,
    holder: AccountAPI,
    taker: AccountAPI,
    attacker: AccountAPI,
    enforcement: AccountAPI,
) -> None:
    """Whoever has the key of a lost wallet cannot give its income away before it is recovered."""
    share.encumber(taker, 7, sender=holder)
    share.setFrozenTokens(holder, ALL, sender=enforcement)
    with ape.reverts(share.ClusterShare_IncomeFrozen, owner=holder.address):
        share.assignIncome(taker, 7, attacker, sender=holder)
    share.setFrozenTokens(holder, ALL - 1, sender=enforcement)
    share.assignIncome(taker, 7, attacker, sender=holder)
