"""ClusterShare.recover: all that a lost wallet has goes to another, and no value changes."""

from __future__ import annotations

from fractions import Fraction

import ape
import pytest
from ape import chain
from ape.api import AccountAPI
from ape.contracts import ContractInstance

from tests.support.enforcement import (
    ALL,
    DAY,
    NEVER,
    ZERO_ADDRESS,
    attest_replacement,
    block_wallet,
    close_books,
    is_conserved,
    let_take,
    open_registered_share,
)
from tests.support.income import (
    SCALE,
    UINT256_MAX,
    OpenShare,
    delegate,
    is_close,
    is_rounded_down,
    now,
    past,
    streamed,
)
from tests.support.scenario import SHARE, USD, Scenario, travel_to
from tests.support.signing import permit_message, signed

HOLDER_SHARES = 300_000 * SHARE
OTHER_SHARES = 100_000 * SHARE


@pytest.fixture
def lost(share: ContractInstance, holder: AccountAPI, deployer: AccountAPI) -> AccountAPI:
    """The holder of three quarters, frozen whole."""
    share.setFrozenTokens(holder, ALL, sender=deployer)
    return holder


@pytest.fixture
def replacement(scenario: Scenario, holder: AccountAPI, customer: AccountAPI) -> AccountAPI:
    """Another wallet of the same investor, who holds nothing in it."""
    attest_replacement(scenario, holder, customer)
    return customer


@pytest.fixture
def takers(
    scenario: Scenario, admin: AccountAPI, keeper: AccountAPI, relayer: AccountAPI
) -> tuple[AccountAPI, AccountAPI]:
    """The older and the newer."""
    let_take(scenario, admin, keeper, relayer)
    return keeper, relayer


@pytest.fixture
def enforcement(deployer: AccountAPI) -> AccountAPI:
    """Whom the open share obeys."""
    return deployer


# ---------------------------------------------------------------------- refused


def test_recover__by_anybody_but_enforcement__refused(
    share: ContractInstance,
    lost: AccountAPI,
    replacement: AccountAPI,
    issuer: AccountAPI,
    admin: AccountAPI,
    attacker: AccountAPI,
) -> None:
    for caller in (lost, replacement, issuer, admin, attacker):
        with ape.reverts(share.ClusterShare_NotEnforcement, account=caller.address):
            share.recover(lost, replacement, sender=caller)


@pytest.mark.parametrize("frozen", [0, 1, HOLDER_SHARES, ALL - 1])
def test_recover__of_a_wallet_that_is_not_frozen_whole__refused(
    share: ContractInstance,
    holder: AccountAPI,
    replacement: AccountAPI,
    enforcement: AccountAPI,
    frozen: int,
) -> None:
    share.setFrozenTokens(holder, frozen, sender=enforcement)
    with ape.reverts(
        share.ClusterShare_NotFrozen, account=holder.address, frozen=frozen, amount=ALL
    ):
        share.recover(holder, replacement, sender=enforcement)


def test_recover__to_whom_may_not_receive__refused(
    share: ContractInstance,
    scenario: Scenario,
    compliance: AccountAPI,
    lost: AccountAPI,
    replacement: AccountAPI,
    attacker: AccountAPI,
    enforcement: AccountAPI,
) -> None:
    with ape.reverts(share.ERC7943CannotReceive, account=attacker.address):
        share.recover(lost, attacker, sender=enforcement)
    scenario.system.identity.revokeWallet(replacement, sender=compliance)
    with ape.reverts(share.ERC7943CannotReceive, account=replacement.address):
        share.recover(lost, replacement, sender=enforcement)


def test_recover__to_itself_the_share_or_nobody__refused(
    share: ContractInstance, scenario: Scenario, lost: AccountAPI, enforcement: AccountAPI
) -> None:
    scenario.attest(share.address)
    for to in (lost.address, share.address, ZERO_ADDRESS):
        with ape.reverts(share.ClusterShare_CannotRecover, lost=lost.address, replacement=to):
            share.recover(lost, to, sender=enforcement)
    assert share.balanceOf(lost) == HOLDER_SHARES


def test_recover__of_nobody__refused(
    share: ContractInstance, replacement: AccountAPI, enforcement: AccountAPI
) -> None:
    share.setFrozenTokens(ZERO_ADDRESS, ALL, sender=enforcement)
    with ape.reverts(share.ClusterShare_CannotRecover, lost=ZERO_ADDRESS):
        share.recover(ZERO_ADDRESS, replacement, sender=enforcement)


def test_recover__again__neither_from_nor_to_the_lost_wallet(
    share: ContractInstance,
    lost: AccountAPI,
    replacement: AccountAPI,
    other_holder: AccountAPI,
    enforcement: AccountAPI,
) -> None:
    share.recover(lost, replacement, sender=enforcement)
    share.setFrozenTokens(lost, ALL, sender=enforcement)
    share.setFrozenTokens(other_holder, ALL, sender=enforcement)
    for giver, to in ((lost, other_holder), (replacement, lost), (other_holder, lost)):
        with ape.reverts(
            share.ClusterShare_CannotRecover, lost=giver.address, replacement=to.address
        ):
            share.recover(giver, to, sender=enforcement)


def test_recover__to_a_wallet_with_encumbrances__refused(
    share: ContractInstance,
    lost: AccountAPI,
    other_holder: AccountAPI,
    takers: tuple[AccountAPI, AccountAPI],
    enforcement: AccountAPI,
) -> None:
    share.encumber(takers[0], 1, sender=other_holder)
    with ape.reverts(share.ClusterShare_CannotRecover, replacement=other_holder.address):
        share.recover(lost, other_holder, sender=enforcement)
    share.release(other_holder, 1, sender=takers[0])
    share.recover(lost, other_holder, sender=enforcement)


# ---------------------------------------------------------------------- what moves


def test_recover__in_mid_stream__balance_freeze_and_income_move_to_the_last_fraction(
    ground: OpenShare,
    share: ContractInstance,
    stablecoin: ContractInstance,
    lost: AccountAPI,
    replacement: AccountAPI,
    other_holder: AccountAPI,
    enforcement: AccountAPI,
) -> None:
    start = ground.fund(10_000 * USD).timestamp
    share.setFrozenTokens(lost, 0, sender=enforcement)
    chain.pending_timestamp = start + DAY // 7
    paid = share.claim(sender=lost).return_value
    share.setFrozenTokens(lost, ALL, sender=enforcement)
    chain.pending_timestamp = start + DAY // 3
    receipt = share.recover(lost, replacement, sender=enforcement)

    earned = streamed(10_000 * USD, start, start + DAY // 3) * 3 / 4
    assert is_close(ground.earned(replacement), earned)
    assert share.claimedUsd6(replacement) == paid
    state = share.accountState(replacement)
    assert state.earned % SCALE != 0
    assert (state.balance, state.frozen, state.encumbered) == (HOLDER_SHARES, ALL, 0)
    left = share.accountState(lost)
    assert (left.balance, left.frozen, left.encumbered, left.assigned) == (0, 0, 0, 0)
    assert (left.earned, left.claimedUsd6) == (0, 0)
    assert share.successorOf(lost) == replacement.address
    assert share.successorOf(replacement) == ZERO_ADDRESS

    [event] = receipt.decode_logs(share.HolderRecovered)
    assert (event.lost, event.replacement) == (lost.address, replacement.address)
    assert (event.balance, event.encumbered, event.earned) == (HOLDER_SHARES, 0, state.earned)
    [event] = receipt.decode_logs(share.Transfer)
    assert (event["from"], event["to"], event["value"]) == (
        lost.address,
        replacement.address,
        HOLDER_SHARES,
    )
    assert [(e.account, e.amount) for e in receipt.decode_logs(share.Frozen)] == [
        (lost.address, 0),
        (replacement.address, ALL),
    ]

    travel_to(start + 2 * DAY)
    assert is_close(ground.earned(replacement), 7_500 * USD)
    assert ground.earned(lost) == 0
    assert ground.is_conserved(lost, replacement, other_holder)
    with ape.reverts(share.ClusterShare_IncomeFrozen, owner=replacement.address):
        share.claim(sender=replacement)
    share.setFrozenTokens(replacement, 0, sender=enforcement)
    assert share.claim(sender=replacement).return_value in (
        7_500 * USD - paid - 1,
        7_500 * USD - paid,
    )


def test_recover__of_income_without_balance__income_moves(
    ground: OpenShare,
    share: ContractInstance,
    holder: AccountAPI,
    other_holder: AccountAPI,
    replacement: AccountAPI,
    enforcement: AccountAPI,
) -> None:
    start = ground.fund(4_000 * USD).timestamp
    chain.pending_timestamp = start + DAY // 3
    share.transfer(other_holder, HOLDER_SHARES, sender=holder)
    share.setFrozenTokens(holder, ALL, sender=enforcement)
    before = ground.earned(holder)
    assert before > 0
    share.recover(holder, replacement, sender=enforcement)
    assert ground.earned(holder) == 0
    assert ground.earned(replacement) == before
    share.setFrozenTokens(replacement, 0, sender=enforcement)
    assert share.claim(sender=replacement).return_value == int(before)
    assert ground.is_conserved(holder, other_holder, replacement)


def test_recover__of_a_wallet_with_nothing__closes_it(
    share: ContractInstance,
    scenario: Scenario,
    attacker: AccountAPI,
    replacement: AccountAPI,
    enforcement: AccountAPI,
) -> None:
    scenario.attest(attacker)
    share.setFrozenTokens(attacker, ALL, sender=enforcement)
    share.recover(attacker, replacement, sender=enforcement)
    assert share.successorOf(attacker) == replacement.address


def test_recover__to_a_wallet_that_holds_and_earned_already__adds_up(
    ground: OpenShare,
    share: ContractInstance,
    lost: AccountAPI,
    other_holder: AccountAPI,
    keeper: AccountAPI,
    enforcement: AccountAPI,
) -> None:
    share.setPayee(keeper, sender=other_holder)
    delegate(share, keeper, sender=other_holder)
    start = ground.fund(4_000 * USD).timestamp
    chain.pending_timestamp = start + DAY // 5
    paid = share.claim(sender=other_holder).return_value
    share.setFrozenTokens(other_holder, 9, sender=enforcement)
    chain.pending_timestamp = start + DAY // 3
    share.recover(lost, other_holder, sender=enforcement)

    assert is_close(ground.earned(other_holder), streamed(4_000 * USD, start, start + DAY // 3))
    state = share.accountState(other_holder)
    assert (state.balance, state.frozen) == (HOLDER_SHARES + OTHER_SHARES, ALL)
    assert (state.claimedUsd6, state.payee) == (paid, keeper.address)
    assert share.getVotes(keeper) == HOLDER_SHARES + OTHER_SHARES
    travel_to(start + 2 * DAY)
    assert is_close(ground.earned(other_holder), 4_000 * USD)
    assert ground.is_conserved(lost, other_holder)


def test_recover__twice_along_a_chain_of_wallets__nothing_is_left_behind(
    ground: OpenShare,
    share: ContractInstance,
    scenario: Scenario,
    lost: AccountAPI,
    replacement: AccountAPI,
    other_holder: AccountAPI,
    attacker: AccountAPI,
    enforcement: AccountAPI,
) -> None:
    attest_replacement(scenario, lost, attacker)
    start = ground.fund(4_000 * USD).timestamp
    chain.pending_timestamp = start + DAY // 4
    share.recover(lost, replacement, sender=enforcement)
    chain.pending_timestamp = start + DAY // 2
    share.recover(replacement, attacker, sender=enforcement)
    travel_to(start + 2 * DAY)
    assert is_close(ground.earned(attacker), 3_000 * USD)
    assert share.balanceOf(attacker) == HOLDER_SHARES
    assert share.successorOf(lost) == replacement.address
    assert share.successorOf(replacement) == attacker.address
    assert ground.is_conserved(lost, replacement, attacker, other_holder)


# ---------------------------------------------------------------------- encumbrances


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


# ---------------------------------------------------------------------- what is cleared


def test_recover__payee_and_delegate_of_the_lost_wallet__cleared(
    share: ContractInstance,
    lost: AccountAPI,
    replacement: AccountAPI,
    attacker: AccountAPI,
    enforcement: AccountAPI,
) -> None:
    share.setPayee(attacker, sender=lost)
    delegated_at = past(delegate(share, attacker, sender=lost))
    chain.pending_timestamp = delegated_at + DAY
    receipt = share.recover(lost, replacement, sender=enforcement)
    assert share.payeeOf(lost) == lost.address
    assert share.payeeOf(replacement) == replacement.address
    assert share.delegates(lost) == ZERO_ADDRESS
    assert share.delegates(replacement) == ZERO_ADDRESS
    assert share.getVotes(attacker) == 0
    [event] = receipt.decode_logs(share.PayeeChanged)
    assert (event.owner, event.previousPayee, event.payee) == (
        lost.address,
        attacker.address,
        lost.address,
    )
    [event] = receipt.decode_logs(share.DelegateChanged)
    assert (event.delegator, event.fromDelegate, event.toDelegate) == (
        lost.address,
        attacker.address,
        ZERO_ADDRESS,
    )
    at = past(receipt)
    assert share.getPastVotes(attacker, at - 1) == HOLDER_SHARES
    assert share.getPastVotes(attacker, at) == 0


def test_recover__replacement_that_delegates__gets_the_votes(
    share: ContractInstance,
    lost: AccountAPI,
    replacement: AccountAPI,
    attacker: AccountAPI,
    keeper: AccountAPI,
    enforcement: AccountAPI,
) -> None:
    delegate(share, keeper, sender=replacement)
    delegate(share, attacker, sender=lost)
    share.recover(lost, replacement, sender=enforcement)
    assert (share.getVotes(attacker), share.getVotes(keeper)) == (0, HOLDER_SHARES)
    assert share.delegates(replacement) == keeper.address
    # What the lost wallet delegates now carries nothing.
    delegate(share, attacker, sender=lost)
    assert share.getVotes(attacker) == 0


def test_recover__allowances_and_permits_of_the_lost_wallet__void(
    share: ContractInstance,
    lost: AccountAPI,
    replacement: AccountAPI,
    attacker: AccountAPI,
    other_holder: AccountAPI,
    enforcement: AccountAPI,
) -> None:
    deadline = now() + DAY
    signature = signed(
        lost,
        permit_message(
            share,
            owner=lost.address,
            spender=attacker.address,
            value=UINT256_MAX,
            nonce=0,
            deadline=deadline,
        ),
    )
    share.approve(attacker, UINT256_MAX, sender=lost)
    share.recover(lost, replacement, sender=enforcement)
    assert share.allowance(lost, attacker) == 0
    assert share.allowance(replacement, attacker) == 0
    share.permit(lost, attacker, UINT256_MAX, deadline, *signature, sender=attacker)
    share.approve(attacker, UINT256_MAX, sender=lost)
    assert share.allowance(lost, attacker) == 0
    for owner, balance in ((lost, 0), (replacement, HOLDER_SHARES)):
        with ape.reverts(share.ERC20InsufficientAllowance):
            share.transferFrom(owner, other_holder, 1, sender=attacker)
        assert share.balanceOf(owner) == balance


def test_recover__lost_wallet_and_its_payee__claim_nothing_any_more(
    ground: OpenShare,
    share: ContractInstance,
    lost: AccountAPI,
    replacement: AccountAPI,
    attacker: AccountAPI,
    enforcement: AccountAPI,
) -> None:
    start = ground.fund(4_000 * USD).timestamp
    share.setPayee(attacker, sender=lost)
    chain.pending_timestamp = start + DAY
    share.recover(lost, replacement, sender=enforcement)
    share.setPayee(attacker, sender=lost)
    travel_to(start + 3 * DAY)
    with ape.reverts(share.ClusterShare_NothingToClaim, owner=lost.address):
        share.claimFor(lost, sender=attacker)


# ---------------------------------------------------------------------- the end


def test_recover__on_closed_books__capital_follows_too(
    scenario: Scenario,
    stablecoin: ContractInstance,
    holder: AccountAPI,
    other_holder: AccountAPI,
    customer: AccountAPI,
    replacement: AccountAPI,
    enforcement: AccountAPI,
) -> None:
    ground = open_registered_share(scenario, customer)
    share, capital, cluster_id = ground.share, scenario.system.capital, ground.cluster_id
    scenario.issue(share, [holder, other_holder], [HOLDER_SHARES, OTHER_SHARES])
    start = ground.fund(4_000 * USD).timestamp
    close_books(ground)
    stablecoin.approve(capital, UINT256_MAX, sender=customer)
    capital.depositProceeds(cluster_id, 400 * USD, 0, b"\1" * 32, sender=customer)
    share.setFrozenTokens(holder, ALL, sender=enforcement)
    with ape.reverts(capital.CapitalProceeds_Frozen):
        capital.claimCapital(cluster_id, holder, sender=holder)
    chain.pending_timestamp = start + DAY // 3
    share.recover(holder, replacement, sender=enforcement)
    capital.depositProceeds(cluster_id, 400 * USD, 0, b"\2" * 32, sender=customer)
    share.setFrozenTokens(replacement, 0, sender=enforcement)

    held = stablecoin.balanceOf(replacement)
    for wallet in (holder, replacement):
        paid = capital.claimCapital(cluster_id, wallet, sender=holder).return_value
        assert paid in (300 * USD - 1, 300 * USD)
        held += paid
    assert stablecoin.balanceOf(replacement) == held
    travel_to(start + 2 * DAY)
    assert is_close(ground.earned(replacement), 3_000 * USD)
    assert ground.is_conserved(holder, other_holder, replacement)
