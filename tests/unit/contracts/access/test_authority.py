"""Authority: who grants what. The admin of a power over a cluster follows from its id."""

from __future__ import annotations

import ape
import pytest
from ape.api import AccountAPI
from ape.contracts import ContractInstance

from scripts._lib import roles
from tests.support.access import NOT_ROLE_ADMIN, error_arguments, revert_data, state_changing
from tests.unit.contracts.access.conftest import Parties

ADMIN_FUNCTIONS = [
    "labelRole",
    "setGrantDelay",
    "setRoleAdmin",
    "setRoleGuardian",
    "setTargetAdminDelay",
    "setTargetClosed",
    "setTargetFunctionRole",
    "updateAuthority",
]
"""AccessManager's own, for ADMIN_ROLE."""

CHECKED_INSIDE = [
    "cancel",
    "consumeScheduledOp",
    "execute",
    "grantRole",
    "multicall",
    "renounceRole",
    "revokeRole",
    "schedule",
]
"""AccessManager's others: open, for the caller's own roles, or by the role concerned."""


def test_tables__every_function_of_the_authority__in_one(authority: ContractInstance) -> None:
    assert sorted([*ADMIN_FUNCTIONS, *CHECKED_INSIDE]) == sorted(state_changing(authority))


@pytest.mark.parametrize("function", ADMIN_FUNCTIONS)
def test_admin_functions__called_by_everybody__admin_alone_is_let_in(
    authority: ContractInstance,
    admin: AccountAPI,
    everybody: list[str],
    function: str,
) -> None:
    [abi] = state_changing(authority)[function]
    for caller in everybody:
        refused = error_arguments(revert_data(authority, abi, caller), NOT_ROLE_ADMIN)
        expected = (caller.lower(), roles.ADMIN_ROLE)
        assert refused == (None if caller == admin.address else expected), caller


def admin_role_of(role: int, cluster_id: int) -> int:
    """The table of IAuthority."""
    derived = {
        roles.over(roles.ISSUER, cluster_id): roles.CLUSTER_REGISTRY_ROLE,
        roles.over(roles.TRUSTEE, cluster_id): roles.REGISTRAR_ROLE,
        roles.over(roles.OPERATOR, cluster_id): roles.over(roles.ISSUER, cluster_id),
        roles.over(roles.TRANSFER_AGENT, cluster_id): roles.over(roles.ISSUER, cluster_id),
    }
    return derived.get(role, roles.ADMIN_ROLE)


@pytest.mark.parametrize("function", ["grantRole", "revokeRole"])
def test_grant_and_revoke__every_role_by_everybody__its_admin_alone_is_let_in(
    authority: ContractInstance,
    parties: Parties,
    other_parties: Parties,
    system_holders: dict[int, str],
    everybody: list[str],
    function: str,
) -> None:
    """Granting to the zero address, which nobody is: only the admission of the caller counts."""
    [abi] = state_changing(authority)[function]
    cluster_id = parties.cluster_id
    holders = system_holders | {
        roles.over(power, party.cluster_id): account.address
        for party in (parties, other_parties)
        for power, account in party.holders.items()
    }
    for role in holders:
        admin_role = admin_role_of(role, cluster_id)
        if role & 0xFFFFFFFF == other_parties.cluster_id:
            admin_role = admin_role_of(role, other_parties.cluster_id)
        assert authority.getRoleAdmin(role) == admin_role
        for caller in everybody:
            data = revert_data(authority, abi, caller, roleId=role)
            refused = error_arguments(data, NOT_ROLE_ADMIN)
            expected = None if caller == holders[admin_role] else (caller.lower(), admin_role)
            assert refused == expected, (role, caller)


def test_get_role_admin__power_not_yet_known__is_the_clusters_issuer(
    authority: ContractInstance,
) -> None:
    assert authority.getRoleAdmin(roles.over(99, 7)) == roles.over(roles.ISSUER, 7)


@pytest.mark.parametrize("role", [0, 1 << 32, 64 << 32, 2**64 - 1])
def test_get_role_admin__over_no_cluster__admin(authority: ContractInstance, role: int) -> None:
    assert authority.getRoleAdmin(role) == roles.ADMIN_ROLE


@pytest.mark.parametrize(
    "power", [roles.ISSUER, roles.OPERATOR, roles.TRUSTEE, roles.TRANSFER_AGENT, 99]
)
def test_set_role_admin__power_over_a_cluster__refused_even_to_the_admin(
    authority: ContractInstance, admin: AccountAPI, power: int
) -> None:
    role = roles.over(power, 1)
    with ape.reverts(authority.Authority_AdminIsDerived, roleId=role):
        authority.setRoleAdmin(role, roles.ADMIN_ROLE, sender=admin)


def test_grant_role__issuer_appoints_operator__who_may_be_dismissed(
    authority: ContractInstance, parties: Parties, issuer: AccountAPI, attacker: AccountAPI
) -> None:
    role = roles.over(roles.OPERATOR, parties.cluster_id)
    authority.grantRole(role, attacker, 0, sender=issuer)
    assert tuple(authority.hasRole(role, attacker)) == (True, 0)
    authority.revokeRole(role, attacker, sender=issuer)
    assert not authority.hasRole(role, attacker)[0]


def test_grant_role__delay_on_a_power_over_a_cluster__refused(
    authority: ContractInstance, parties: Parties, issuer: AccountAPI, attacker: AccountAPI
) -> None:
    role = roles.over(roles.OPERATOR, parties.cluster_id)
    with ape.reverts(authority.Authority_DelayOnClusterRole, roleId=role, executionDelay=60):
        authority.grantRole(role, attacker, 60, sender=issuer)


def test_renounce_role__own_power__gone_and_nobody_elses(
    authority: ContractInstance,
    parties: Parties,
    operator: AccountAPI,
    trustee: AccountAPI,
    attacker: AccountAPI,
) -> None:
    role = roles.over(roles.OPERATOR, parties.cluster_id)
    with ape.reverts(authority.AccessManagerBadConfirmation):
        authority.renounceRole(role, operator, sender=attacker)
    authority.renounceRole(role, operator, sender=operator)
    assert not authority.hasRole(role, operator)[0]
    assert authority.hasRole(roles.over(roles.TRUSTEE, parties.cluster_id), trustee)[0]
