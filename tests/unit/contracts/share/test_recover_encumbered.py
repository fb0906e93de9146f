"""ClusterShare.recover of encumbered shares: pledges and assigned income stand as they stood."""

from __future__ import annotations

from fractions import Fraction

import ape
from ape import chain
from ape.api import AccountAPI
from ape.contracts import ContractInstance

from tests.support.enforcement import (
    ALL,
    DAY,
    NEVER,
    ZERO_ADDRESS,
    block_wallet,
    is_conserved,
)
from tests.support.income import (
    SCALE,
    OpenShare,
    is_close,
    is_rounded_down,
    now,
    streamed,
)
from tests.support.scenario import SHARE, USD, Scenario, travel_to

HOLDER_SHARES = 300_000 * SHARE
OTHER_SHARES = 100_000 * SHARE


def test_recover__encumbered_shares_with_assigned_income__stand_as_they_stood(
    ground: OpenShare,
    share: ContractInstance,
    holder: AccountAPI,
    other_holder: AccountAPI,
    replacement: AccountAPI,
    admin: AccountAPI,
    takers: tuple[AccountAPI, AccountAPI],
    enforcement: AccountAPI,
) -> None:
    """A third to the older taker until a date, a third to the newer, its income to a lender."""
    lender = admin
    third = HOLDER_SHARES // 3
    until = now() + 100 * DAY
    share.encumberUntil(takers[0], third, until, sender=holder)
    share.encumber(takers[1], third, sender=holder)
    share.assignIncome(takers[1], third, lender, sender=holder)
    share.setFrozenTokens(holder, ALL, sender=enforcement)
    start = ground.fund(4_000 * USD).timestamp
    chain.pending_timestamp = start + DAY // 3
    receipt = share.recover(holder, replacement, sender=enforcement)

    assert list(share.takersOf(replacement)) == [taker.address for taker in takers]
    assert list(share.takersOf(holder)) == []
    older, newer = (share.encumbranceOf(replacement, taker) for taker in takers)
    assert (older.amount, older.assigned, older.expiresAt) == (third, 0, until)
    assert (newer.amount, newer.assigned, newer.expiresAt) == (third, third, NEVER)
    assert (older.payee, newer.payee) == (ZERO_ADDRESS, lender.address)
    state = share.accountState(replacement)
    assert (state.encumbered, state.assigned) == (2 * third, third)
    told = receipt.decode_logs(share.EncumbranceExtended)
    assert [(one.owner, one.taker, one.amount, one.expiresAt) for one in told] == [
        (replacement.address, takers[0].address, third, until),
        (replacement.address, takers[1].address, third, NEVER),
    ]
    for taker in takers:
        gone = share.encumbranceOf(holder, taker)
        assert (gone.amount, gone.assigned, gone.expiresAt, gone.payee) == (0, 0, 0, ZERO_ADDRESS)
    assert share.interestState(holder, lender) == (0, 0, 0)
    moved = [(taker.address, third) for taker in takers]
    released = [(e.owner, e.taker, e.amount) for e in receipt.decode_logs(share.Release)]
    assert released == [(holder.address, *one) for one in moved]
    pledged = [(e.owner, e.taker, e.amount) for e in receipt.decode_logs(share.Encumber)]
    assert pledged == [(replacement.address, *one) for one in moved]

    # The lender and the owner earn on as before, and a taker delivers once the freeze is lifted.
    travel_to(start + 2 * DAY)
    interest = share.interestState(replacement, lender)
    assert is_close(Fraction(interest.earned, SCALE), 1_000 * USD)
    assert is_close(ground.earned(replacement), 2_000 * USD)
    with ape.reverts(share.ClusterShare_IncomeFrozen, owner=replacement.address):
        share.claimAssigned(replacement, lender, sender=lender)
    share.setFrozenTokens(replacement, 0, sender=enforcement)
    share.transferFrom(replacement, other_holder, third, sender=takers[1])
    assert share.interestState(replacement, lender).units == 0
    paid = share.claimAssigned(replacement, lender, sender=lender).return_value
    assert paid in (1_000 * USD - 1, 1_000 * USD)
    owners = (holder, replacement, other_holder)
    assert is_conserved(share, owners, [(holder, lender), (replacement, lender)])


def test_recover__one_payee_of_two_encumbrances__its_interest_moves_once(
    ground: OpenShare,
    share: ContractInstance,
    holder: AccountAPI,
    other_holder: AccountAPI,
    replacement: AccountAPI,
    admin: AccountAPI,
    takers: tuple[AccountAPI, AccountAPI],
    enforcement: AccountAPI,
) -> None:
    lender, quarter = admin, HOLDER_SHARES // 4
    for taker in takers:
        share.encumber(taker, 2 * quarter, sender=holder)
        share.assignIncome(taker, quarter, lender, sender=holder)
    start = ground.fund(4_000 * USD).timestamp
    chain.pending_timestamp = start + DAY // 3
    paid = share.claimAssigned(holder, lender, sender=lender).return_value
    share.setFrozenTokens(holder, ALL, sender=enforcement)
    chain.pending_timestamp = start + DAY // 2
    share.recover(holder, replacement, sender=enforcement)
    interest = share.interestState(replacement, lender)
    assert (interest.units, interest.claimed) == (2 * quarter, paid)
    assert share.interestState(holder, lender) == (0, 0, 0)
    assert share.accountState(replacement).assigned == 2 * quarter
    travel_to(start + 2 * DAY)
    interest = share.interestState(replacement, lender)
    assert is_close(paid + Fraction(interest.earned, SCALE), 1_500 * USD)
    assert is_close(ground.earned(replacement), 1_500 * USD)
    share.setFrozenTokens(replacement, 0, sender=enforcement)
    for taker in takers:
        share.release(replacement, 2 * quarter, sender=taker)
    assert share.accountState(replacement).assigned == 0
    owners = (holder, replacement, other_holder)
    assert is_conserved(share, owners, [(holder, lender), (replacement, lender)])


def test_recover__income_assigned_to_the_replacement__stays_two_accounts(
    ground: OpenShare,
    share: ContractInstance,
    holder: AccountAPI,
    other_holder: AccountAPI,
    replacement: AccountAPI,
    takers: tuple[AccountAPI, AccountAPI],
    enforcement: AccountAPI,
) -> None:
    half = HOLDER_SHARES // 2
    share.encumber(takers[0], half, sender=holder)
    share.assignIncome(takers[0], half, replacement, sender=holder)
    share.setFrozenTokens(holder, ALL, sender=enforcement)
    start = ground.fund(4_000 * USD).timestamp
    chain.pending_timestamp = start + DAY // 2
    share.recover(holder, replacement, sender=enforcement)
    travel_to(start + 2 * DAY)
    share.setFrozenTokens(replacement, 0, sender=enforcement)
    assert share.claim(sender=replacement).return_value in (1_500 * USD - 1, 1_500 * USD)
    paid = share.claimAssigned(replacement, replacement, sender=replacement).return_value
    assert paid in (1_500 * USD - 1, 1_500 * USD)
    owners = (holder, replacement, other_holder)
    interests = [(holder, replacement), (replacement, replacement)]
    assert is_conserved(share, owners, interests)


def test_recover__interest_of_an_encumbrance_that_is_over__stays_claimable_by_its_payee(
    ground: OpenShare,
    share: ContractInstance,
    holder: AccountAPI,
    other_holder: AccountAPI,
    replacement: AccountAPI,
    admin: AccountAPI,
    takers: tuple[AccountAPI, AccountAPI],
    enforcement: AccountAPI,
) -> None:
    lender = admin
    share.encumber(takers[0], HOLDER_SHARES, sender=holder)
    share.assignIncome(takers[0], HOLDER_SHARES, lender, sender=holder)
    start = ground.fund(4_000 * USD).timestamp
    chain.pending_timestamp = start + DAY // 2
    share.release(holder, HOLDER_SHARES, sender=takers[0])
    share.setFrozenTokens(holder, ALL, sender=enforcement)
    share.recover(holder, replacement, sender=enforcement)
    travel_to(start + 2 * DAY)
    paid = share.claimAssigned(holder, lender, sender=lender).return_value
    assert is_rounded_down(paid, streamed(4_000 * USD, start, start + DAY // 2) * 3 / 4)
    owners = (holder, replacement, other_holder)
    assert is_conserved(share, owners, [(holder, lender), (replacement, lender)])


def test_recover__encumbered_shares__lost_wallet_can_neither_pledge_nor_assign(
    share: ContractInstance,
    holder: AccountAPI,
    replacement: AccountAPI,
    attacker: AccountAPI,
    takers: tuple[AccountAPI, AccountAPI],
    enforcement: AccountAPI,
) -> None:
    share.encumber(takers[0], SHARE, sender=holder)
    share.setFrozenTokens(holder, ALL, sender=enforcement)
    share.recover(holder, replacement, sender=enforcement)
    with ape.reverts(
        share.ClusterShare_AssignmentOverEncumbrance, taker=takers[0].address, units=1, limit=0
    ):
        share.assignIncome(takers[0], 1, attacker, sender=holder)
    with ape.reverts(share.ERC20InsufficientBalance, sender=holder.address, balance=0, needed=1):
        share.encumber(takers[0], 1, sender=holder)


def test_encumber__of_a_wallet_that_is_blocked__refused(
    share: ContractInstance,
    scenario: Scenario,
    admin: AccountAPI,
    holder: AccountAPI,
    takers: tuple[AccountAPI, AccountAPI],
) -> None:
    """It was recovered in another share: who has its key must not borrow against what is here, nor
    assign the income."""
    share.encumber(takers[0], SHARE, sender=holder)
    block_wallet(scenario, admin, holder)
    for taker in takers:
        with ape.reverts(share.ERC7943CannotSend, account=holder.address):
            share.encumber(taker, 1, sender=holder)
        with ape.reverts(share.ERC7943CannotSend, account=holder.address):
            share.encumberUntil(taker, 1, now() + DAY, sender=holder)
    with ape.reverts(share.ERC7943CannotSend, account=holder.address):
        share.assignIncome(takers[0], 1, admin, sender=holder)
    share.release(holder, SHARE, sender=takers[0])
