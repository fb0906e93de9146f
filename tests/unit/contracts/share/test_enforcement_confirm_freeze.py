"""Enforcement.confirmFreeze and waiveCooldown: what the trustee adds to the agent's power."""

from __future__ import annotations

import ape
import pytest
from ape import chain
from ape.api import AccountAPI

from scripts._lib import roles
from tests.support.enforcement import ALL, FREEZE_COOLDOWN, FREEZE_SECONDS, Offices
from tests.support.income import UINT256_MAX
from tests.support.scenario import Scenario


def test_confirm_freeze__all_that_is_frozen__stands_for_ever(
    offices: Offices, holder: AccountAPI, attacker: AccountAPI
) -> None:
    offices.freeze(holder, 50)
    receipt = offices.confirm_freeze(holder, 50)
    [event] = receipt.decode_logs(offices.enforcement.FreezeConfirmed)
    assert (event.clusterId, event.account, event.actor, event.confirmedAmount) == (
        offices.cluster_id,
        holder.address,
        offices.trustee.address,
        50,
    )
    assert offices.terms(holder) == (50, 50, 0, 0, False)
    offices.wait(10 * FREEZE_SECONDS)
    with ape.reverts(offices.enforcement.Enforcement_FreezeStands, expiresAt=0):
        offices.lapse(holder, by=attacker)


def test_confirm_freeze__less_than_was_frozen_meanwhile__the_unseen_lapses(
    offices: Offices, holder: AccountAPI, attacker: AccountAPI
) -> None:
    expires_at = offices.freeze(holder, 50).timestamp + FREEZE_SECONDS
    offices.freeze(holder, ALL)
    offices.confirm_freeze(holder, 50)
    assert offices.terms(holder) == (ALL, 50, expires_at, 0, False)
    chain.pending_timestamp = expires_at
    offices.lapse(holder, by=attacker)
    assert offices.terms(holder)[:3] == (50, 50, 0)


@pytest.mark.parametrize("amount", [ALL, UINT256_MAX])
def test_confirm_freeze__of_everything__everything(
    offices: Offices, holder: AccountAPI, amount: int
) -> None:
    offices.freeze(holder)
    offices.confirm_freeze(holder, amount)
    assert offices.terms(holder) == (ALL, ALL, 0, 0, False)


@pytest.mark.parametrize(
    ("amount", "confirmed", "frozen"),
    [(0, 0, 0), (1, 0, 0), (ALL, 0, 0), (0, 0, 50), (51, 0, 50), (20, 20, 50), (19, 20, 50)],
)
def test_confirm_freeze__nothing_more_or_more_than_is_frozen__refused(
    offices: Offices, holder: AccountAPI, amount: int, confirmed: int, frozen: int
) -> None:
    if frozen:
        offices.freeze(holder, frozen)
    if confirmed:
        offices.confirm_freeze(holder, confirmed)
    with ape.reverts(
        offices.enforcement.Enforcement_ConfirmationOutOfRange,
        amount=amount,
        confirmed=confirmed,
        frozen=frozen,
    ):
        offices.confirm_freeze(holder, amount)


def test_confirm_freeze__over_but_not_lapsed__still_in_time(
    offices: Offices, holder: AccountAPI
) -> None:
    chain.pending_timestamp = offices.freeze(holder, 5).timestamp + FREEZE_SECONDS + 7
    offices.confirm_freeze(holder, 5)
    assert offices.terms(holder) == (5, 5, 0, 0, False)


def test_confirm_freeze__by_whom_has_no_such_power__refused(
    offices: Offices, scenario: Scenario, holder: AccountAPI, admin: AccountAPI
) -> None:
    offices.freeze(holder, 5)
    for caller in (offices.agent, scenario.issuer, scenario.registrar, admin, holder):
        for function, arguments in (("confirmFreeze", (holder, 5)), ("waiveCooldown", (holder,))):
            with ape.reverts(
                offices.enforcement.Authorised_MissingPower,
                account=caller.address,
                power=roles.TRUSTEE,
                clusterId=offices.cluster_id,
            ):
                offices.enforcement.invoke_transaction(
                    function, offices.cluster_id, *arguments, sender=caller
                )


def test_waive_cooldown__after_a_lapse__the_agent_may_freeze_at_once(
    offices: Offices, holder: AccountAPI, attacker: AccountAPI
) -> None:
    chain.pending_timestamp = offices.freeze(holder, 5).timestamp + FREEZE_SECONDS
    offices.lapse(holder, by=attacker)
    receipt = offices.enforcement.waiveCooldown(offices.cluster_id, holder, sender=offices.trustee)
    [event] = receipt.decode_logs(offices.enforcement.CooldownWaived)
    assert (event.clusterId, event.account, event.actor) == (
        offices.cluster_id,
        holder.address,
        offices.trustee.address,
    )
    expires_at = offices.freeze(holder, 5).timestamp + FREEZE_SECONDS
    assert offices.terms(holder) == (5, 0, expires_at, 0, False)


def test_waive_cooldown__without_one__refused(
    offices: Offices, holder: AccountAPI, attacker: AccountAPI
) -> None:
    refusal = {"clusterId": offices.cluster_id, "account": holder.address}
    with ape.reverts(offices.enforcement.Enforcement_NoCooldown, **refusal):
        offices.enforcement.waiveCooldown(offices.cluster_id, holder, sender=offices.trustee)
    chain.pending_timestamp = offices.freeze(holder, 5).timestamp + FREEZE_SECONDS
    chain.pending_timestamp = offices.lapse(holder, by=attacker).timestamp + FREEZE_COOLDOWN
    with ape.reverts(offices.enforcement.Enforcement_NoCooldown, **refusal):
        offices.enforcement.waiveCooldown(offices.cluster_id, holder, sender=offices.trustee)
