"""The whole matrix of functions and callers: who is let in, and nobody else.

Every state-changing function of every contract is in one of the tables of `scripts/_lib/roles.py`,
and is called here as everybody there is.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from ape import project
from ape.api import AccountAPI
from ape.contracts import ContractInstance
from ethpm_types.abi import MethodABI

from scripts._lib import roles
from tests.support.access import (
    MISSING_POWER,
    UNAUTHORIZED,
    error_arguments,
    revert_data,
    state_changing,
)
from tests.unit.contracts.access.conftest import Parties

CONTRACTS = sorted(roles.OPEN)
UNGUARDED = {"CapitalProceeds", "HolderDesk", "ModelRegistry", "X402Settler"}
"""Contracts that nobody has a power over."""
CODE_ALONE = {"ShareExtension"}
"""Contracts that hold nothing and run on others' storage."""
ABSTRACT = {
    "Authorised",
    "HoldingRules",
    "InflowPausable",
    "PaymentAccounts",
    "PaymentChannels",
    "ShareBase",
}
RESTRICTED = [(c, f) for c, functions in roles.RESTRICTED.items() for f in functions]
OVER_CLUSTER = [(c, f) for c, functions in roles.OVER_CLUSTER.items() for f in functions]
NAMING_NO_CLUSTER = {"ClusterShare", "IdentityRegistry"}
"""Contracts whose functions name a share, or are of one, instead of its cluster."""


def arguments_for(abi: MethodABI, parties: Parties) -> dict[str, Any]:
    """What names the cluster of `parties` in a call: its id or its share, if anything does."""
    known = {"clusterId": parties.cluster_id, "share": parties.share.address}
    return {
        name: value for name, value in known.items() if name in {one.name for one in abi.inputs}
    }


def test_powers__python_constants__equal_those_in_solidity() -> None:
    source = (Path(project.path) / "contracts" / "access" / "Powers.sol").read_text()
    system = re.findall(r"uint64 internal constant (\w+) = (\d+) << 32;", source)
    cluster = re.findall(r"uint32 internal constant (\w+) = (\d+);", source)
    assert len(system) == 11
    assert len(cluster) == 4
    assert {name: getattr(roles, name) for name, _ in system} == {
        name: int(number) << 32 for name, number in system
    }
    assert {name: getattr(roles, name) for name, _ in cluster} == {
        name: int(number) for name, number in cluster
    }


@pytest.mark.parametrize("name", CONTRACTS)
def test_tables__every_state_changing_function__in_exactly_one(
    guarded: dict[str, ContractInstance], name: str
) -> None:
    tables = [
        *roles.RESTRICTED.get(name, {}),
        *roles.OVER_CLUSTER.get(name, {}),
        *roles.OPEN[name],
    ]
    # AccessManaged's own: the Authority alone may call it (see below).
    own = [] if name in UNGUARDED else ["setAuthority"]
    assert sorted([*tables, *own]) == sorted(state_changing(guarded[name]))


def test_tables__every_authorised_contract__is_in_them() -> None:
    authorised = {
        name
        for name, container in project.load_contracts().items()
        if any(abi.name == "setAuthority" for abi in container.contract_type.mutable_methods)
        and name not in ABSTRACT | CODE_ALONE
    }
    assert authorised == set(CONTRACTS) - UNGUARDED


@pytest.mark.parametrize("name", sorted(set(CONTRACTS) - UNGUARDED))
def test_authority__of_every_contract__is_the_one_and_nobody_changes_it(
    guarded: dict[str, ContractInstance],
    authority: ContractInstance,
    everybody: list[str],
    name: str,
) -> None:
    contract = guarded[name]
    assert contract.authority() == authority.address
    [abi] = state_changing(contract)["setAuthority"]
    for caller in everybody:
        data = revert_data(contract, abi, caller, newAuthority=caller)
        assert error_arguments(data, UNAUTHORIZED) == (caller.lower(),)


@pytest.mark.parametrize(("name", "function"), RESTRICTED)
def test_restricted__called_by_everybody__role_holder_alone_is_let_in(
    guarded: dict[str, ContractInstance],
    system_holders: dict[int, str],
    everybody: list[str],
    name: str,
    function: str,
) -> None:
    contract = guarded[name]
    [abi] = state_changing(contract)[function]
    role_holder = system_holders[roles.RESTRICTED[name][function]]
    assert role_holder in everybody
    for caller in everybody:
        refused = error_arguments(revert_data(contract, abi, caller), UNAUTHORIZED)
        assert refused == (None if caller == role_holder else (caller.lower(),)), caller


@pytest.mark.parametrize(("name", "function"), OVER_CLUSTER)
def test_over_cluster__called_by_everybody__holder_of_that_power_over_it_alone_is_let_in(
    guarded: dict[str, ContractInstance],
    parties: Parties,
    everybody: list[str],
    name: str,
    function: str,
) -> None:
    """Among everybody are the issuer, operator and trustee of another cluster."""
    contract = guarded[name]
    [abi] = state_changing(contract)[function]
    power = roles.OVER_CLUSTER[name][function]
    power_holder = parties.holders[power].address
    assert power_holder in everybody
    named = arguments_for(abi, parties)
    for caller in everybody:
        refused = error_arguments(revert_data(contract, abi, caller, **named), MISSING_POWER)
        expected = (caller.lower(), power, parties.cluster_id)
        assert refused == (None if caller == power_holder else expected), caller


@pytest.mark.parametrize(("name", "function"), OVER_CLUSTER)
def test_over_cluster__same_power_over_another_cluster__refused_both_ways(
    guarded: dict[str, ContractInstance],
    parties: Parties,
    other_parties: Parties,
    name: str,
    function: str,
) -> None:
    power = roles.OVER_CLUSTER[name][function]
    for own, foreign in ((parties, other_parties), (other_parties, parties)):
        contract = foreign.share if name == "ClusterShare" else guarded[name]
        [abi] = state_changing(contract)[function]
        named = arguments_for(abi, foreign)
        caller = own.holders[power].address
        refused = error_arguments(revert_data(contract, abi, caller, **named), MISSING_POWER)
        assert refused == (caller.lower(), power, foreign.cluster_id)


@pytest.mark.parametrize("unknown", [0, 10_000, 2**32 - 1])
@pytest.mark.parametrize(
    ("name", "function"), [(c, f) for c, f in OVER_CLUSTER if c not in NAMING_NO_CLUSTER]
)
def test_over_cluster__of_no_cluster__nobody_is_let_in(
    guarded: dict[str, ContractInstance],
    everybody: list[str],
    name: str,
    function: str,
    unknown: int,
) -> None:
    contract = guarded[name]
    [abi] = state_changing(contract)[function]
    power = roles.OVER_CLUSTER[name][function]
    for caller in everybody:
        data = revert_data(contract, abi, caller, clusterId=unknown)
        assert error_arguments(data, MISSING_POWER) == (caller.lower(), power, unknown)


@pytest.mark.parametrize(
    ("name", "function"), sorted((c, f) for c, functions in roles.OPEN.items() for f in functions)
)
def test_open__called_by_a_stranger__not_refused_for_want_of_a_role(
    guarded: dict[str, ContractInstance], attacker: AccountAPI, name: str, function: str
) -> None:
    contract = guarded[name]
    for abi in state_changing(contract)[function]:
        data = revert_data(contract, abi, attacker)
        assert error_arguments(data, UNAUTHORIZED) is None
        assert error_arguments(data, MISSING_POWER) is None
