"""ClusterShare.encumberFor: the desk pledges, and assigns income, as an owner has signed."""

from __future__ import annotations

import ape
import pytest
from ape.api import AccountAPI
from ape.contracts import ContractInstance

from tests.support.enforcement import NEVER, ZERO_ADDRESS
from tests.support.income import DAY, now
from tests.support.scenario import SHARE

HOLDER_SHARES = 300_000 * SHARE


@pytest.mark.parametrize("units", [1, 7])
def test_encumber_for__with_assigned_income__both_at_once(
    share: ContractInstance,
    deployer: AccountAPI,
    holder: AccountAPI,
    other_holder: AccountAPI,
    taker: AccountAPI,
    units: int,
) -> None:
    until = now() + DAY
    share.encumberFor(holder, taker, 7, until, units, other_holder, sender=deployer)
    found = share.encumbranceOf(holder, taker)
    assert (found.amount, found.assigned, found.expiresAt) == (7, units, until)
    assert found.payee == other_holder.address


def test_encumber_for__without_assigned_income__pledges_alone(
    share: ContractInstance, deployer: AccountAPI, holder: AccountAPI, taker: AccountAPI
) -> None:
    share.encumberFor(holder, taker, 7, NEVER, 0, ZERO_ADDRESS, sender=deployer)
    found = share.encumbranceOf(holder, taker)
    assert (found.amount, found.assigned, found.expiresAt) == (7, 0, NEVER)


def test_encumber_for__by_anybody_else__refused(
    share: ContractInstance,
    holder: AccountAPI,
    taker: AccountAPI,
    admin: AccountAPI,
    attacker: AccountAPI,
) -> None:
    for caller in (holder, taker, admin, attacker):
        with ape.reverts(share.ClusterShare_NotTheDesk, account=caller.address):
            share.encumberFor(holder, taker, 7, NEVER, 7, attacker, sender=caller)


def test_encumber_for__what_the_owner_could_not__refused_whole(
    share: ContractInstance,
    deployer: AccountAPI,
    holder: AccountAPI,
    other_holder: AccountAPI,
    taker: AccountAPI,
) -> None:
    with ape.reverts(share.ClusterShare_ExpiryInPast):
        share.encumberFor(holder, taker, 7, now(), 0, ZERO_ADDRESS, sender=deployer)
    with ape.reverts(share.ClusterShare_ZeroEncumbrance):
        share.encumberFor(holder, taker, 0, NEVER, 0, ZERO_ADDRESS, sender=deployer)
    with ape.reverts(share.ERC20InsufficientBalance, needed=HOLDER_SHARES + 1):
        share.encumberFor(holder, taker, HOLDER_SHARES + 1, NEVER, 0, holder, sender=deployer)
    with ape.reverts(share.ClusterShare_AssignmentOverEncumbrance, units=8, limit=7):
        share.encumberFor(holder, taker, 7, NEVER, 8, other_holder, sender=deployer)
    with ape.reverts(share.ClusterShare_InvalidPayee, payee=holder.address):
        share.encumberFor(holder, taker, 7, NEVER, 7, holder, sender=deployer)
    assert share.encumberedBalanceOf(holder) == 0
