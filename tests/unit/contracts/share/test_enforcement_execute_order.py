"""Enforcement.executeOrder: what two signatures and time do to frozen shares."""

from __future__ import annotations

import ape
import pytest
from ape import chain
from ape.api import AccountAPI

from tests.support.enforcement import (
    ALL,
    DAY,
    FREEZE_COOLDOWN,
    FREEZE_SECONDS,
    Offices,
    OrderStatus,
    attest_replacement,
    block_wallet,
    close_books,
    investor_of,
    open_registered_share,
    refused_inside,
)
from tests.support.income import is_close, streamed
from tests.support.scenario import SHARE, USD, Scenario, travel_to

HOLDER_SHARES = 300_000 * SHARE
OTHER_SHARES = 100_000 * SHARE


@pytest.fixture
def replacement(scenario: Scenario, holder: AccountAPI, keeper: AccountAPI) -> AccountAPI:
    """Another wallet of the holder's investor."""
    attest_replacement(scenario, holder, keeper)
    return keeper


def execute(offices: Offices, order_id: int, by: AccountAPI) -> int:
    """Execute: the second of it."""
    return int(offices.enforcement.executeOrder(order_id, sender=by).timestamp)


# ---------------------------------------------------------------------- when


def test_execute_order__confirmed_and_ripe__by_anybody_and_once(
    offices: Offices, holder: AccountAPI, other_holder: AccountAPI, attacker: AccountAPI
) -> None:
    offices.freeze(holder, 5 * SHARE)
    order_id = offices.propose_transfer(holder, other_holder, 2 * SHARE)
    offices.ripen(order_id)
    receipt = offices.enforcement.executeOrder(order_id, sender=attacker)
    [event] = receipt.decode_logs(offices.enforcement.OrderExecuted)
    assert (event.orderId, event.actor) == (order_id, attacker.address)
    assert offices.share.balanceOf(other_holder) == OTHER_SHARES + 2 * SHARE
    assert OrderStatus(offices.enforcement.order(order_id).status) is OrderStatus.EXECUTED
    with ape.reverts(
        offices.enforcement.Enforcement_OrderClosed, orderId=order_id, status=OrderStatus.EXECUTED
    ):
        execute(offices, order_id, by=attacker)


def test_execute_order__unconfirmed__refused_however_late(
    offices: Offices, holder: AccountAPI, other_holder: AccountAPI
) -> None:
    offices.freeze(holder)
    order_id = offices.propose_transfer(holder, other_holder, SHARE)
    chain.pending_timestamp = offices.enforcement.order(order_id).executableAt + DAY
    with ape.reverts(offices.enforcement.Enforcement_NotConfirmed, orderId=order_id):
        execute(offices, order_id, by=offices.agent)


def test_execute_order__around_its_times__from_the_first_to_before_the_last(
    offices: Offices, holder: AccountAPI, other_holder: AccountAPI
) -> None:
    offices.freeze(holder)
    offices.confirm_freeze(holder)
    first, second = (offices.propose_transfer(holder, other_holder, SHARE) for _ in range(2))
    for order_id in (first, second):
        offices.confirm(order_id)
    executable_at = offices.enforcement.order(first).executableAt
    chain.pending_timestamp = executable_at - 1
    with ape.reverts(offices.enforcement.Enforcement_TooEarly, executableAt=executable_at):
        execute(offices, first, by=holder)
    chain.pending_timestamp = offices.enforcement.order(first).expiresAt - 1
    execute(offices, first, by=holder)
    expires_at = offices.enforcement.order(second).expiresAt
    chain.pending_timestamp = expires_at
    with ape.reverts(offices.enforcement.Enforcement_TooLate, expiresAt=expires_at):
        execute(offices, second, by=holder)


def test_execute_order__refused_by_the_holding_rules__can_be_tried_again(
    offices: Offices, scenario: Scenario, holder: AccountAPI, attacker: AccountAPI
) -> None:
    offices.freeze(holder)
    order_id = offices.propose_transfer(holder, attacker, SHARE)
    offices.ripen(order_id)
    with refused_inside(offices.share.ERC7943CannotReceive, account=attacker.address):
        execute(offices, order_id, by=holder)
    scenario.attest(attacker)
    execute(offices, order_id, by=holder)
    assert offices.share.balanceOf(attacker) == SHARE


# ---------------------------------------------------------------------- forced transfers


def test_execute_order__transfer_of_more_than_is_frozen_by_then__refused(
    offices: Offices, holder: AccountAPI, other_holder: AccountAPI
) -> None:
    offices.freeze(holder, 50)
    order_id = offices.propose_transfer(holder, other_holder, 50)
    offices.unfreeze(holder, 49, by=offices.agent)
    offices.ripen(order_id)
    with ape.reverts(
        offices.enforcement.Enforcement_NotFrozen, account=holder.address, amount=50, frozen=49
    ):
        execute(offices, order_id, by=offices.agent)


def test_execute_order__transfer_of_more_than_is_there__refused(
    offices: Offices, holder: AccountAPI, other_holder: AccountAPI
) -> None:
    offices.freeze(holder)
    order_id = offices.propose_transfer(holder, other_holder, HOLDER_SHARES + 1)
    offices.ripen(order_id)
    with refused_inside(
        offices.share.ERC20InsufficientBalance,
        sender=holder.address,
        balance=HOLDER_SHARES,
        needed=HOLDER_SHARES + 1,
    ):
        execute(offices, order_id, by=offices.agent)


@pytest.mark.parametrize(
    ("amount", "confirmed"), [(1, 20), (29, 20), (30, 20), (31, 19), (49, 1), (50, 0)]
)
def test_execute_order__transfer_of_partly_confirmed_shares__the_unconfirmed_go_first(
    offices: Offices, holder: AccountAPI, other_holder: AccountAPI, amount: int, confirmed: int
) -> None:
    """Fifty are frozen, twenty of them confirmed."""
    expires_at = offices.freeze(holder, 50).timestamp + FREEZE_SECONDS
    offices.confirm_freeze(holder, 20)
    order_id = offices.propose_transfer(holder, other_holder, amount)
    offices.ripen(order_id)
    at = execute(offices, order_id, by=other_holder)
    if amount < 30:
        expected = (50 - amount, confirmed, expires_at, 0, False)
    else:
        expected = (50 - amount, confirmed, 0, at + FREEZE_COOLDOWN, False)
    assert offices.terms(holder) == expected


def test_execute_order__transfer_from_a_holder_frozen_whole__the_terms_stay(
    offices: Offices, holder: AccountAPI, other_holder: AccountAPI
) -> None:
    expires_at = offices.freeze(holder).timestamp + FREEZE_SECONDS
    offices.confirm_freeze(holder, HOLDER_SHARES)
    order_id = offices.propose_transfer(holder, other_holder, HOLDER_SHARES)
    offices.ripen(order_id)
    execute(offices, order_id, by=other_holder)
    assert offices.terms(holder) == (ALL, HOLDER_SHARES, expires_at, 0, False)
    assert offices.share.balanceOf(holder) == 0


def test_execute_order__transfer_while_books_are_closed__moves(
    offices: Offices, holder: AccountAPI, other_holder: AccountAPI
) -> None:
    close_books(offices.ground)
    offices.freeze(holder)
    order_id = offices.propose_transfer(holder, other_holder, SHARE)
    offices.ripen(order_id)
    execute(offices, order_id, by=other_holder)
    assert offices.share.balanceOf(other_holder) == OTHER_SHARES + SHARE


# ---------------------------------------------------------------------- recoveries


def test_execute_order__recovery__everything_moves_and_the_wallet_is_blocked_everywhere(
    offices: Offices,
    scenario: Scenario,
    holder: AccountAPI,
    other_holder: AccountAPI,
    replacement: AccountAPI,
    attacker: AccountAPI,
) -> None:
    identity = scenario.system.identity
    _, other_share = scenario.live_cluster([holder, replacement], [SHARE, SHARE])
    start = offices.ground.fund(4_000 * USD).timestamp
    expires_at = offices.freeze(holder).timestamp + FREEZE_SECONDS
    order_id = offices.propose_recovery(holder, replacement)
    offices.ripen(order_id)
    receipt = offices.enforcement.executeOrder(order_id, sender=attacker)

    assert offices.share.balanceOf(replacement) == HOLDER_SHARES
    assert offices.share.successorOf(holder) == replacement.address
    assert is_close(offices.ground.earned(replacement), 3_000 * USD)
    assert offices.ground.is_conserved(holder, replacement, other_holder)
    assert offices.terms(replacement) == (ALL, 0, expires_at, 0, False)
    assert offices.terms(holder) == (0, 0, 0, 0, False)
    [event] = receipt.decode_logs(offices.enforcement.FreezeMoved)
    assert (event.lost, event.replacement) == (holder.address, replacement.address)
    assert (event.confirmedAmount, event.expiresAt) == (0, expires_at)
    [event] = receipt.decode_logs(identity.WalletBlocked)
    assert (event.wallet, event.investorId, event.actor) == (
        holder.address,
        investor_of(holder),
        offices.enforcement.address,
    )

    assert not identity.canSend(holder)
    assert not identity.canReceive(holder)
    for share, sender in ((offices.share, other_holder), (other_share, replacement)):
        assert not share.canSend(holder)
        with ape.reverts(share.ERC7943CannotReceive, account=holder.address):
            share.transfer(holder, 1, sender=sender)
    with ape.reverts(other_share.ERC7943CannotSend, account=holder.address):
        other_share.transfer(replacement, 1, sender=holder)
    with ape.reverts(identity.IdentityRegistry_WalletBlocked, wallet=holder.address):
        scenario.attest(holder)

    travel_to(start + 15 * DAY)
    with ape.reverts(offices.share.ClusterShare_IncomeFrozen, owner=replacement.address):
        offices.share.claim(sender=replacement)
    offices.unfreeze(replacement, 0, by=offices.agent)
    assert offices.share.claim(sender=replacement).return_value in (3_000 * USD - 1, 3_000 * USD)


def test_execute_order__recovery_not_lifted_by_anybody__the_freeze_lapses_in_its_time(
    offices: Offices,
    holder: AccountAPI,
    other_holder: AccountAPI,
    replacement: AccountAPI,
    attacker: AccountAPI,
) -> None:
    expires_at = offices.freeze(holder).timestamp + FREEZE_SECONDS
    offices.recover(holder, replacement, by=attacker)
    chain.pending_timestamp = expires_at
    offices.lapse(replacement, by=replacement)
    offices.share.transfer(other_holder, HOLDER_SHARES, sender=replacement)


@pytest.mark.parametrize("frozen", [0, 1, HOLDER_SHARES])
def test_execute_order__recovery_of_a_wallet_that_is_not_frozen_whole__refused(
    offices: Offices, holder: AccountAPI, replacement: AccountAPI, frozen: int
) -> None:
    order_id = offices.propose_recovery(holder, replacement)
    if frozen:
        offices.freeze(holder, frozen)
    offices.ripen(order_id)
    with ape.reverts(
        offices.enforcement.Enforcement_NotFrozen,
        account=holder.address,
        amount=ALL,
        frozen=frozen,
    ):
        execute(offices, order_id, by=offices.agent)


def test_execute_order__recovery_to_a_wallet_that_may_not_receive_any_more__refused(
    offices: Offices,
    scenario: Scenario,
    compliance: AccountAPI,
    holder: AccountAPI,
    replacement: AccountAPI,
) -> None:
    offices.freeze(holder)
    order_id = offices.propose_recovery(holder, replacement)
    scenario.system.identity.revokeWallet(replacement, sender=compliance)
    offices.ripen(order_id)
    with refused_inside(offices.share.ERC7943CannotReceive, account=replacement.address):
        execute(offices, order_id, by=offices.agent)
    assert offices.share.canSend(holder)


def test_execute_order__recovery_of_income_without_balance__moves_it(
    offices: Offices,
    holder: AccountAPI,
    other_holder: AccountAPI,
    replacement: AccountAPI,
    attacker: AccountAPI,
) -> None:
    start = offices.ground.fund(4_000 * USD).timestamp
    chain.pending_timestamp = start + DAY // 2
    offices.share.transfer(other_holder, HOLDER_SHARES, sender=holder)
    offices.recover(holder, replacement, by=attacker)
    expected = streamed(4_000 * USD, start, start + DAY // 2) * 3 / 4
    assert is_close(offices.ground.earned(replacement), expected)
    assert offices.ground.earned(holder) == 0


@pytest.mark.parametrize(
    ("lost_confirmed", "own_frozen", "own_confirmed", "confirmed"),
    [(0, 0, 0, 0), (7, 0, 0, 7), (7, 5, 5, 12), (7, 5, 3, 10), (0, 5, 5, 5), (ALL, 5, 5, ALL)],
)
def test_execute_order__recovery_to_a_wallet_that_is_frozen_itself__the_terms_of_both(
    offices: Offices,
    scenario: Scenario,
    holder: AccountAPI,
    replacement: AccountAPI,
    attacker: AccountAPI,
    lost_confirmed: int,
    own_frozen: int,
    own_confirmed: int,
    confirmed: int,
) -> None:
    first = offices.freeze(holder).timestamp
    if lost_confirmed:
        offices.confirm_freeze(holder, lost_confirmed)
    latest = first
    if own_frozen:
        chain.pending_timestamp = first + DAY
        frozen_at = offices.freeze(replacement, own_frozen).timestamp
        if own_confirmed:
            offices.confirm_freeze(replacement, own_confirmed)
        latest = frozen_at if own_confirmed < own_frozen else first
    offices.recover(holder, replacement, by=attacker)
    expires_at = 0 if confirmed == ALL else latest + FREEZE_SECONDS
    assert offices.terms(replacement) == (ALL, confirmed, expires_at, 0, False)
    offices.unfreeze(replacement, confirmed and confirmed - 1, by=offices.trustee)


def test_execute_order__recovery_after_a_cooldown_began__it_goes_along(
    offices: Offices, holder: AccountAPI, replacement: AccountAPI, attacker: AccountAPI
) -> None:
    offices.freeze(replacement, 5)
    lifted_at = offices.unfreeze(replacement, 0, by=offices.agent).timestamp
    offices.recover(holder, replacement, by=attacker)
    assert offices.terms(replacement)[3] == lifted_at + FREEZE_COOLDOWN


def test_execute_order__recovery_of_a_wallet_recovered_in_another_cluster__done_here_too(
    offices: Offices,
    scenario: Scenario,
    admin: AccountAPI,
    holder: AccountAPI,
    replacement: AccountAPI,
    attacker: AccountAPI,
) -> None:
    """It was blocked there: nothing is asked of it, and blocking it again is no error."""
    block_wallet(scenario, admin, holder)
    offices.recover(holder, replacement, by=attacker)
    assert offices.share.balanceOf(replacement) == HOLDER_SHARES


def test_execute_order__second_recovery_of_one_wallet__refused(
    offices: Offices, scenario: Scenario, holder: AccountAPI, replacement: AccountAPI
) -> None:
    offices.freeze(holder)
    orders = [offices.propose_recovery(holder, replacement) for _ in range(2)]
    for order_id in orders:
        offices.ripen(order_id)
    execute(offices, orders[0], by=holder)
    with ape.reverts(
        offices.enforcement.Enforcement_NotFrozen, account=holder.address, amount=ALL, frozen=0
    ):
        execute(offices, orders[1], by=holder)


def test_execute_order__recovery_on_closed_books__moves(
    offices: Offices, holder: AccountAPI, replacement: AccountAPI, attacker: AccountAPI
) -> None:
    close_books(offices.ground)
    offices.recover(holder, replacement, by=attacker)
    assert offices.share.balanceOf(replacement) == HOLDER_SHARES


def test_execute_order__of_one_cluster__touches_no_other(
    offices: Offices,
    scenario: Scenario,
    customer: AccountAPI,
    holder: AccountAPI,
    other_holder: AccountAPI,
    attacker: AccountAPI,
) -> None:
    other = open_registered_share(scenario, customer, offices.enforcement)
    scenario.issue(other.share, [holder], [SHARE])
    offices.freeze(holder)
    order_id = offices.propose_transfer(holder, other_holder, SHARE)
    offices.ripen(order_id)
    execute(offices, order_id, by=attacker)
    assert other.share.balanceOf(holder) == SHARE
    assert other.share.getFrozenTokens(holder) == 0
