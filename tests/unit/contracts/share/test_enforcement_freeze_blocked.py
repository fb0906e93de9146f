"""Enforcement.freezeBlocked: a wallet that was lost takes nothing out of any share."""

from __future__ import annotations

import ape
from ape.api import AccountAPI

from scripts._lib import roles
from tests.support.enforcement import (
    ALL,
    DAY,
    FREEZE_SECONDS,
    Offices,
    attest_replacement,
    block_wallet,
    open_registered_share,
)
from tests.support.scenario import SHARE, USD, Scenario, travel_to


def test_freeze_blocked__of_a_blocked_wallet__frozen_whole_until_the_trustee_lifts_it(
    offices: Offices,
    scenario: Scenario,
    admin: AccountAPI,
    holder: AccountAPI,
    keeper: AccountAPI,
) -> None:
    start = offices.ground.fund(4_000 * USD).timestamp
    block_wallet(scenario, admin, holder)
    receipt = offices.freeze_blocked(holder, by=keeper)
    [event] = receipt.decode_logs(offices.enforcement.BlockedAccountFrozen)
    assert (event.clusterId, event.account, event.actor) == (
        offices.cluster_id,
        holder.address,
        keeper.address,
    )
    assert offices.terms(holder) == (ALL, ALL, 0, 0, True)
    travel_to(start + 2 * FREEZE_SECONDS)
    with ape.reverts(offices.share.ClusterShare_IncomeFrozen, owner=holder.address):
        offices.share.claim(sender=holder)
    with ape.reverts(offices.enforcement.Enforcement_FreezeStands, expiresAt=0):
        offices.lapse(holder, by=keeper)
    with ape.reverts(offices.enforcement.Enforcement_ConfirmedFreeze, amount=0, confirmed=ALL):
        offices.unfreeze(holder, 0, by=offices.agent)
    offices.unfreeze(holder, 0, by=offices.trustee)
    assert offices.terms(holder) == (0, 0, 0, 0, True)
    assert offices.share.claim(sender=holder).return_value in (3_000 * USD - 1, 3_000 * USD)


def test_freeze_blocked__lifted_by_the_trustee__not_again(
    offices: Offices, scenario: Scenario, admin: AccountAPI, holder: AccountAPI, keeper: AccountAPI
) -> None:
    block_wallet(scenario, admin, holder)
    offices.freeze_blocked(holder, by=keeper)
    offices.unfreeze(holder, 3, by=offices.trustee)
    with ape.reverts(
        offices.enforcement.Enforcement_HeldBefore,
        clusterId=offices.cluster_id,
        account=holder.address,
    ):
        offices.freeze_blocked(holder, by=keeper)
    offices.freeze(holder)
    assert offices.terms(holder)[:2] == (ALL, 3)


def test_freeze_blocked__of_a_wallet_that_may_send__refused(
    offices: Offices,
    scenario: Scenario,
    compliance: AccountAPI,
    holder: AccountAPI,
    attacker: AccountAPI,
) -> None:
    scenario.system.identity.revokeWallet(holder, sender=compliance)
    for wallet in (holder, attacker):
        with ape.reverts(offices.enforcement.Enforcement_NotBlocked, account=wallet.address):
            offices.freeze_blocked(wallet, by=attacker)


def test_freeze_blocked__of_a_wallet_whose_freeze_is_under_way__its_expiry_goes(
    offices: Offices, scenario: Scenario, admin: AccountAPI, holder: AccountAPI, keeper: AccountAPI
) -> None:
    offices.freeze(holder, 9)
    offices.confirm_freeze(holder, 4)
    block_wallet(scenario, admin, holder)
    offices.freeze_blocked(holder, by=keeper)
    assert offices.terms(holder) == (ALL, ALL, 0, 0, True)


def test_freeze_blocked__of_a_wallet_recovered_here__refused_and_old_interests_stay_free(
    offices: Offices, scenario: Scenario, holder: AccountAPI, keeper: AccountAPI
) -> None:
    attest_replacement(scenario, holder, keeper)
    offices.recover(holder, keeper, by=keeper)
    assert not offices.share.canSend(holder)
    with ape.reverts(offices.enforcement.Enforcement_HeldBefore, account=holder.address):
        offices.freeze_blocked(holder, by=keeper)


def test_freeze_blocked__after_a_recovery_in_another_cluster__holds_the_thief_and_is_recovered(
    offices: Offices,
    scenario: Scenario,
    customer: AccountAPI,
    holder: AccountAPI,
    keeper: AccountAPI,
    attacker: AccountAPI,
) -> None:
    """The thief's claim in the second cluster fails from the first one's recovery on; the second
    recovery finds the wallet blocked already, and frozen whole."""
    other = open_registered_share(scenario, customer, offices.enforcement)
    scenario.issue(other.share, [holder], [10 * SHARE])
    attest_replacement(scenario, holder, keeper)
    start = offices.ground.fund(4_000 * USD).timestamp
    scenario.issue(offices.share, [attacker], [SHARE])

    # The cluster of `other` has no transfer agent yet.
    offices.recover(holder, keeper, by=attacker)
    with ape.reverts(other.share.ERC7943CannotSend, account=holder.address):
        other.share.transfer(attacker, 1, sender=holder)
    other.fund(100 * USD)
    offices.enforcement.freezeBlocked(other.cluster_id, holder, sender=attacker)
    travel_to(start + 20 * DAY)
    with ape.reverts(other.share.ClusterShare_IncomeFrozen, owner=holder.address):
        other.share.claim(sender=holder)

    second = Offices(other, offices.enforcement, scenario.issuer, offices.trustee)
    role = roles.over(roles.TRANSFER_AGENT, other.cluster_id)
    scenario.system.authority.grantRole(role, scenario.issuer, 0, sender=scenario.issuer)
    second.recover(holder, keeper, by=attacker)
    assert other.share.balanceOf(keeper) == 10 * SHARE
    assert second.terms(keeper) == (ALL, ALL, 0, 0, False)
    assert second.terms(holder) == (0, 0, 0, 0, False)
