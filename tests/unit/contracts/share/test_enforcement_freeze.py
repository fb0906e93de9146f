"""Enforcement.freeze: at once, for FREEZE_SECONDS."""

from __future__ import annotations

import ape
import pytest
from ape import chain
from ape.api import AccountAPI
from ape.contracts import ContractInstance

from scripts._lib import roles
from tests.support.enforcement import (
    ALL,
    FREEZE_COOLDOWN,
    FREEZE_SECONDS,
    REFERENCE,
    Offices,
)
from tests.support.income import UINT256_MAX, now
from tests.support.scenario import SHARE, Scenario

HOLDER_SHARES = 300_000 * SHARE


def test_freeze__part__held_at_once_until_it_expires(
    offices: Offices, holder: AccountAPI, other_holder: AccountAPI
) -> None:
    receipt = offices.freeze(holder, HOLDER_SHARES - 7)
    expires_at = receipt.timestamp + FREEZE_SECONDS
    assert offices.terms(holder) == (HOLDER_SHARES - 7, 0, expires_at, 0, False)
    [event] = receipt.decode_logs(offices.enforcement.AccountFrozen)
    assert (event.clusterId, event.account, event.actor, event.amount) == (
        offices.cluster_id,
        holder.address,
        offices.agent.address,
        HOLDER_SHARES - 7,
    )
    assert (event.expiresAt, event.reference_) == (expires_at, REFERENCE)
    with ape.reverts(offices.share.ERC7943InsufficientUnfrozenBalance):
        offices.share.transfer(other_holder, 8, sender=holder)
    offices.share.transfer(other_holder, 7, sender=holder)


@pytest.mark.parametrize("amount", [ALL, 2**64, UINT256_MAX])
def test_freeze__all__the_income_too(offices: Offices, holder: AccountAPI, amount: int) -> None:
    receipt = offices.freeze(holder, amount)
    assert offices.terms(holder)[0] == ALL
    assert [e.amount for e in receipt.decode_logs(offices.enforcement.AccountFrozen)] == [ALL]


def test_freeze__more__does_not_put_off_the_expiry(offices: Offices, holder: AccountAPI) -> None:
    expires_at = offices.freeze(holder, 5).timestamp + FREEZE_SECONDS
    chain.pending_timestamp = expires_at - 1
    receipt = offices.freeze(holder, ALL)
    assert offices.terms(holder) == (ALL, 0, expires_at, 0, False)
    assert [e.expiresAt for e in receipt.decode_logs(offices.enforcement.AccountFrozen)] == [
        expires_at
    ]


@pytest.mark.parametrize(("frozen", "amount"), [(5, 5), (5, 4), (5, 0), (ALL, UINT256_MAX)])
def test_freeze__not_more_than_is_frozen__refused(
    offices: Offices, holder: AccountAPI, frozen: int, amount: int
) -> None:
    offices.freeze(holder, frozen)
    with ape.reverts(
        offices.enforcement.Enforcement_NotMore, amount=min(amount, ALL), frozen=frozen
    ):
        offices.freeze(holder, amount)


def test_freeze__nothing_of_an_account_that_is_free__refused(
    offices: Offices, holder: AccountAPI
) -> None:
    with ape.reverts(offices.enforcement.Enforcement_NotMore, amount=0, frozen=0):
        offices.freeze(holder, 0)


def test_freeze__over_and_not_lapsed__refused(offices: Offices, holder: AccountAPI) -> None:
    expires_at = offices.freeze(holder, 5).timestamp + FREEZE_SECONDS
    chain.pending_timestamp = expires_at
    with ape.reverts(offices.enforcement.Enforcement_FreezeOver, expiresAt=expires_at):
        offices.freeze(holder, 6)


def test_freeze__after_a_lapse__refused_until_the_cooldown_is_over(
    offices: Offices, holder: AccountAPI, attacker: AccountAPI
) -> None:
    chain.pending_timestamp = offices.freeze(holder, 5).timestamp + FREEZE_SECONDS + 1_000
    not_before = offices.lapse(holder, by=attacker).timestamp + FREEZE_COOLDOWN
    chain.pending_timestamp = not_before - 1
    with ape.reverts(offices.enforcement.Enforcement_FreezeTooSoon, notBefore=not_before):
        offices.freeze(holder, 1)
    chain.pending_timestamp = not_before
    offices.freeze(holder, 1)
    assert offices.terms(holder) == (1, 0, not_before + FREEZE_SECONDS, not_before, False)


def test_freeze__beyond_what_is_confirmed__has_a_time_of_its_own(
    offices: Offices, holder: AccountAPI
) -> None:
    chain.pending_timestamp = offices.freeze(holder, 5).timestamp + FREEZE_SECONDS // 2
    offices.confirm_freeze(holder, 5)
    assert offices.terms(holder) == (5, 5, 0, 0, False)
    offices.wait(2 * FREEZE_SECONDS)
    expires_at = offices.freeze(holder, 9).timestamp + FREEZE_SECONDS
    assert offices.terms(holder) == (9, 5, expires_at, 0, False)


def test_freeze__of_an_account_that_holds_nothing__holds_what_arrives(
    offices: Offices, scenario: Scenario, holder: AccountAPI, keeper: AccountAPI
) -> None:
    scenario.attest(keeper)
    offices.freeze(keeper, 10)
    offices.share.transfer(keeper, 12, sender=holder)
    assert offices.share.availableBalanceOf(keeper) == 2


def test_freeze__without_a_document__refused(offices: Offices, holder: AccountAPI) -> None:
    with ape.reverts(offices.enforcement.Enforcement_ZeroReference):
        offices.enforcement.freeze(offices.cluster_id, holder, 1, b"\0" * 32, sender=offices.agent)


def test_freeze__before_there_is_a_share__refused(
    offices: Offices, scenario: Scenario, holder: AccountAPI
) -> None:
    cluster_id = scenario.register_cluster()
    scenario.system.authority.grantRole(
        roles.over(roles.TRANSFER_AGENT, cluster_id), offices.agent, 0, sender=scenario.issuer
    )
    with ape.reverts(offices.enforcement.Enforcement_NoShare, clusterId=cluster_id):
        offices.enforcement.freeze(cluster_id, holder, 1, REFERENCE, sender=offices.agent)
    with ape.reverts(offices.enforcement.Enforcement_NoShare, clusterId=cluster_id):
        offices.enforcement.freezeOf(cluster_id, holder)


def test_freeze__by_whom_has_no_such_power__refused(
    offices: Offices,
    scenario: Scenario,
    authority: ContractInstance,
    holder: AccountAPI,
    other_holder: AccountAPI,
    other_issuer: AccountAPI,
    keeper: AccountAPI,
    admin: AccountAPI,
) -> None:
    other_cluster = scenario.register_cluster(other_issuer)
    authority.grantRole(
        roles.over(roles.TRANSFER_AGENT, other_cluster), keeper, 0, sender=other_issuer
    )
    for caller in (keeper, offices.trustee, scenario.issuer, admin, holder, other_holder):
        with ape.reverts(
            offices.enforcement.Authorised_MissingPower,
            account=caller.address,
            power=roles.TRANSFER_AGENT,
            clusterId=offices.cluster_id,
        ):
            offices.enforcement.freeze(offices.cluster_id, holder, 1, REFERENCE, sender=caller)


def test_freeze__by_a_hostile_agent_alone__thirty_days_in_sixty_at_most(
    offices: Offices, holder: AccountAPI, other_holder: AccountAPI, keeper: AccountAPI
) -> None:
    """Freezing more, lifting and freezing again, in any order: each time it ends, the agent has to
    wait, and while it waits the holder moves away."""
    start = now()
    offices.freeze(holder, HOLDER_SHARES)
    for day in (10, 20, 29):
        chain.pending_timestamp = start + day * 86_400
        offices.unfreeze(holder, 1, by=offices.agent)
        offices.freeze(holder, HOLDER_SHARES)
    chain.pending_timestamp = start + FREEZE_SECONDS + 2
    offices.lapse(holder, by=keeper)
    with ape.reverts(offices.enforcement.Enforcement_FreezeTooSoon):
        offices.freeze(holder, 1)
    offices.share.transfer(other_holder, HOLDER_SHARES, sender=holder)


def test_freeze__lifted_by_the_agent_before_it_lapses__the_same_cooldown(
    offices: Offices, holder: AccountAPI
) -> None:
    chain.pending_timestamp = offices.freeze(holder, 5).timestamp + FREEZE_SECONDS - 1
    lifted_at = offices.unfreeze(holder, 0, by=offices.agent).timestamp
    with ape.reverts(
        offices.enforcement.Enforcement_FreezeTooSoon, notBefore=lifted_at + FREEZE_COOLDOWN
    ):
        offices.freeze(holder, 1)
