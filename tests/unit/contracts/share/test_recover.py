"""ClusterShare.recover: all that a lost wallet has goes to another, and no value changes."""

from __future__ import annotations

import ape
import pytest
from ape import chain
from ape.api import AccountAPI
from ape.contracts import ContractInstance

from tests.support.enforcement import (
    ALL,
    DAY,
    ZERO_ADDRESS,
    attest_replacement,
    close_books,
    open_registered_share,
)
from tests.support.income import (
    SCALE,
    UINT256_MAX,
    OpenShare,
    delegate,
    is_close,
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
