"""Enforcement.unfreeze and lapseFreeze: how a freeze ends."""

from __future__ import annotations

import ape
import pytest
from ape import chain
from ape.api import AccountAPI
from ape.contracts import ContractInstance

from scripts._lib import roles
from tests.support.enforcement import ALL, FREEZE_COOLDOWN, FREEZE_SECONDS, Offices
from tests.support.scenario import SHARE, USD, Scenario, travel_to

HOLDER_SHARES = 300_000 * SHARE


def test_unfreeze__part_by_the_agent__the_rest_keeps_its_time(
    offices: Offices, holder: AccountAPI
) -> None:
    expires_at = offices.freeze(holder, 50).timestamp + FREEZE_SECONDS
    receipt = offices.unfreeze(holder, 20, by=offices.agent)
    [event] = receipt.decode_logs(offices.enforcement.FreezeLifted)
    assert (event.clusterId, event.account, event.actor, event.amount) == (
        offices.cluster_id,
        holder.address,
        offices.agent.address,
        20,
    )
    assert offices.terms(holder) == (20, 0, expires_at, 0, False)


def test_unfreeze__all_by_the_agent__free_and_a_cooldown(
    offices: Offices, holder: AccountAPI, other_holder: AccountAPI
) -> None:
    offices.freeze(holder)
    lifted_at = offices.unfreeze(holder, 0, by=offices.agent).timestamp
    assert offices.terms(holder) == (0, 0, 0, lifted_at + FREEZE_COOLDOWN, False)
    offices.share.transfer(other_holder, HOLDER_SHARES, sender=holder)


def test_unfreeze__below_what_is_confirmed__for_the_trustee_alone(
    offices: Offices, holder: AccountAPI
) -> None:
    offices.freeze(holder, 50)
    offices.confirm_freeze(holder, 30)
    with ape.reverts(offices.enforcement.Enforcement_ConfirmedFreeze, amount=29, confirmed=30):
        offices.unfreeze(holder, 29, by=offices.agent)
    lifted_at = offices.unfreeze(holder, 30, by=offices.agent).timestamp
    assert offices.terms(holder) == (30, 30, 0, lifted_at + FREEZE_COOLDOWN, False)
    offices.unfreeze(holder, 10, by=offices.trustee)
    assert offices.terms(holder) == (10, 10, 0, lifted_at + FREEZE_COOLDOWN, False)
    offices.unfreeze(holder, 0, by=offices.trustee)
    assert offices.terms(holder) == (0, 0, 0, lifted_at + FREEZE_COOLDOWN, False)


def test_unfreeze__all_that_is_unconfirmed_by_the_trustee__the_agent_has_to_wait(
    offices: Offices, holder: AccountAPI
) -> None:
    offices.freeze(holder, 50)
    lifted_at = offices.unfreeze(holder, 0, by=offices.trustee).timestamp
    with ape.reverts(
        offices.enforcement.Enforcement_FreezeTooSoon, notBefore=lifted_at + FREEZE_COOLDOWN
    ):
        offices.freeze(holder, 1)


def test_unfreeze__whole_to_part__income_is_paid_again(
    offices: Offices, holder: AccountAPI
) -> None:
    start = offices.ground.fund(4_000 * USD).timestamp
    offices.freeze(holder)
    travel_to(start + 2 * 86_400)
    offices.unfreeze(holder, HOLDER_SHARES, by=offices.agent)
    assert offices.share.claim(sender=holder).return_value in (3_000 * USD - 1, 3_000 * USD)
    assert offices.share.availableBalanceOf(holder) == 0


@pytest.mark.parametrize("amount", [50, 51, ALL, 2**64 + 3])
def test_unfreeze__not_less_than_is_frozen__refused(
    offices: Offices, holder: AccountAPI, amount: int
) -> None:
    offices.freeze(holder, 50)
    for office in (offices.agent, offices.trustee):
        with ape.reverts(offices.enforcement.Enforcement_NotLess, amount=amount, frozen=50):
            offices.unfreeze(holder, amount, by=office)


def test_unfreeze__by_neither_office__refused(
    offices: Offices,
    scenario: Scenario,
    authority: ContractInstance,
    holder: AccountAPI,
    other_issuer: AccountAPI,
    keeper: AccountAPI,
    admin: AccountAPI,
) -> None:
    other_cluster = scenario.register_cluster(other_issuer)
    role = roles.over(roles.TRANSFER_AGENT, other_cluster)
    authority.grantRole(role, keeper, 0, sender=other_issuer)
    offices.freeze(holder, 50)
    for caller in (holder, keeper, scenario.issuer, scenario.registrar, admin):
        with ape.reverts(
            offices.enforcement.Enforcement_NotAnOffice,
            account=caller.address,
            clusterId=offices.cluster_id,
        ):
            offices.unfreeze(holder, 0, by=caller)


def test_lapse_freeze__in_its_time__to_what_is_confirmed_by_anybody(
    offices: Offices, holder: AccountAPI
) -> None:
    expires_at = offices.freeze(holder, 50).timestamp + FREEZE_SECONDS
    offices.confirm_freeze(holder, 20)
    chain.pending_timestamp = expires_at
    receipt = offices.lapse(holder, by=holder)
    [event] = receipt.decode_logs(offices.enforcement.FreezeLapsed)
    not_before = expires_at + FREEZE_COOLDOWN
    assert (event.clusterId, event.account, event.amount, event.notBefore) == (
        offices.cluster_id,
        holder.address,
        20,
        not_before,
    )
    assert offices.terms(holder) == (20, 20, 0, not_before, False)
    assert offices.share.availableBalanceOf(holder) == HOLDER_SHARES - 20


def test_lapse_freeze__too_early_or_nothing_to_lapse__refused(
    offices: Offices, holder: AccountAPI, attacker: AccountAPI
) -> None:
    with ape.reverts(offices.enforcement.Enforcement_FreezeStands, expiresAt=0):
        offices.lapse(holder, by=attacker)
    expires_at = offices.freeze(holder, 50).timestamp + FREEZE_SECONDS
    chain.pending_timestamp = expires_at - 1
    with ape.reverts(offices.enforcement.Enforcement_FreezeStands, expiresAt=expires_at):
        offices.lapse(holder, by=attacker)
    chain.pending_timestamp = expires_at
    offices.lapse(holder, by=attacker)
    with ape.reverts(offices.enforcement.Enforcement_FreezeStands, expiresAt=0):
        offices.lapse(holder, by=attacker)


def test_lapse_freeze__of_another_cluster__touches_this_one_not(
    offices: Offices, scenario: Scenario, holder: AccountAPI, attacker: AccountAPI
) -> None:
    other_cluster, _ = scenario.live_cluster([holder], [SHARE])
    chain.pending_timestamp = offices.freeze(holder, 50).timestamp + FREEZE_SECONDS
    with ape.reverts(offices.enforcement.Enforcement_FreezeStands, expiresAt=0):
        offices.enforcement.lapseFreeze(other_cluster, holder, sender=attacker)
    assert offices.terms(holder)[0] == 50
