"""scripts/_lib/deployment.py: one deployment, repeatable wherever it was cut off."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from ape import chain, project
from ape.api import AccountAPI
from ape.contracts import ContractInstance

from scripts._lib import deployment, roles
from scripts._lib.deployment import (
    DeploymentError,
    RoleHolders,
    System,
    configure,
    deploy_share,
    deploy_system,
    selector,
)
from tests.support.scenario import Scenario

KEYS = [
    "Authority",
    "TestUsd",
    "IdentityRegistry",
    "ClusterRegistry",
    "MetricsOracle",
    "Waterfall",
    "CapitalProceeds",
    "HolderDesk",
    "Enforcement",
    "ShareExtension",
    "ReporterRegistry",
    "Disputes",
    "ModelRegistry",
    "InferencePayments",
    "X402Settler",
    "RelatedParties",
]


class Recorder:
    """Keeps what it is told of, as a deployments file would; fails after `limit` contracts."""

    def __init__(self, limit: int = len(KEYS)) -> None:
        self.limit = limit
        self.addresses: dict[str, str] = {}
        self.arguments: dict[str, tuple[Any, ...]] = {}

    def __call__(self, key: str, instance: ContractInstance, arguments: tuple[Any, ...]) -> None:
        self.addresses[key] = instance.address
        self.arguments[key] = arguments
        if len(self.addresses) == self.limit:
            raise ConnectionError("cut off")


def addresses(system: System) -> list[str]:
    """In the order of KEYS."""
    contracts = (
        system.authority,
        system.stablecoin,
        system.identity,
        system.registry,
        system.oracle,
        system.waterfall,
        system.capital,
        system.desk,
        system.enforcement,
        system.extension,
        system.reporter_registry,
        system.disputes,
        system.models,
        system.payments,
        system.settler,
        system.related,
    )
    return [contract.address for contract in contracts]


def test_deploy_system__from_nothing__wired_and_handed_over(
    system: System, role_holders: RoleHolders, deployer: AccountAPI, stablecoin: ContractInstance
) -> None:
    for contract in (system.identity, system.registry, system.oracle, system.waterfall):
        assert contract.authority() == system.authority.address
    for role, account in [
        *role_holders.grants(),
        (roles.CLUSTER_REGISTRY_ROLE, system.registry.address),
        (roles.ENFORCEMENT_ROLE, system.enforcement.address),
    ]:
        assert tuple(system.authority.hasRole(role, account)) == (True, 0)
    assert not system.authority.hasRole(roles.ADMIN_ROLE, deployer)[0]
    assert stablecoin.owner() == deployer.address
    assert system.waterfall.STABLECOIN() == stablecoin.address


def test_deploy_system__everything_recorded__sends_nothing(
    system: System, role_holders: RoleHolders, deployer: AccountAPI
) -> None:
    recorded = dict(zip(KEYS, addresses(system), strict=True))
    height = chain.blocks.height

    again = deploy_system(deployer, role_holders, recorded=recorded)

    assert addresses(again) == addresses(system)
    assert chain.blocks.height == height


@pytest.mark.parametrize("limit", range(1, len(KEYS) + 1))
def test_deploy_system__cut_off_and_repeated__goes_on_where_it_stopped(
    role_holders: RoleHolders, deployer: AccountAPI, limit: int
) -> None:
    recorder = Recorder(limit)
    with pytest.raises(ConnectionError):
        deploy_system(deployer, role_holders, on_deployed=recorder)
    assert list(recorder.addresses) == KEYS[:limit]
    before = dict(recorder.addresses)
    recorder.limit = -1

    system = deploy_system(
        deployer, role_holders, recorded=dict(recorder.addresses), on_deployed=recorder
    )

    assert list(recorder.addresses) == KEYS
    assert recorder.addresses.items() >= before.items()
    assert addresses(system) == list(recorder.addresses.values())
    assert recorder.arguments["Authority"] == (deployer.address,)
    assert not system.authority.hasRole(roles.ADMIN_ROLE, deployer)[0]


def test_deploy_system__own_stablecoin_named__used_and_none_deployed(
    role_holders: RoleHolders, deployer: AccountAPI
) -> None:
    usd = deployer.deploy(project.TestUsd)
    recorder = Recorder(limit=-1)
    system = deploy_system(deployer, role_holders, stablecoin=usd.address, on_deployed=recorder)
    assert system.stablecoin.address == usd.address == system.waterfall.STABLECOIN()
    assert "TestUsd" not in recorder.addresses


def test_deploy_system__other_stablecoin_than_recorded__refused(
    system: System, role_holders: RoleHolders, deployer: AccountAPI
) -> None:
    recorded = dict(zip(KEYS, addresses(system), strict=True))
    other = deployer.deploy(project.TestUsd)
    with pytest.raises(DeploymentError, match=other.address):
        deploy_system(deployer, role_holders, stablecoin=other.address, recorded=recorded)


def test_deploy_system__no_stablecoin_off_the_local_chain__refused(
    role_holders: RoleHolders, deployer: AccountAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deployment, "LOCAL_CHAIN_ID", 1)
    height = chain.blocks.height
    with pytest.raises(DeploymentError, match="chain 31337 is not local"):
        deploy_system(deployer, role_holders)
    assert chain.blocks.height == height


def test_deploy_system__recorded_address_without_code__refused(
    role_holders: RoleHolders, deployer: AccountAPI, attacker: AccountAPI
) -> None:
    with pytest.raises(DeploymentError, match=f"Authority is recorded at {attacker.address}"):
        deploy_system(deployer, role_holders, recorded={"Authority": attacker.address})


def test_configure__role_missing_after_the_hand_over__refused_and_said(
    system: System, role_holders: RoleHolders, deployer: AccountAPI, attacker: AccountAPI
) -> None:
    changed = replace(role_holders, guardian=attacker.address)
    with pytest.raises(DeploymentError, match=f"{deployer.address} no longer administers"):
        configure(system, deployer, changed)


def test_configure__deployer_is_the_admin__keeps_the_power(deployer: AccountAPI) -> None:
    system = deploy_system(deployer, RoleHolders.all_to(deployer.address))
    assert system.authority.hasRole(roles.ADMIN_ROLE, deployer)[0]
    height = chain.blocks.height
    configure(system, deployer, RoleHolders.all_to(deployer.address))
    assert chain.blocks.height == height


def test_configure__admin_written_in_lower_case__is_still_the_deployer(
    deployer: AccountAPI,
) -> None:
    """Taken for another account, the deployer would give up the only admin's power."""
    system = deploy_system(deployer, RoleHolders.all_to(deployer.address.lower()))
    assert system.authority.hasRole(roles.ADMIN_ROLE, deployer)[0]


@pytest.mark.parametrize("address", ["", "0x12", "0x" + "00" * 20, "registrar.eth"])
def test_role_holders__no_account__refused_by_name(role_holders: RoleHolders, address: str) -> None:
    with pytest.raises(DeploymentError, match="registrar: "):
        replace(role_holders, registrar=address)


def test_deploy_share__twice_with_the_record__one_share(
    system: System, scenario: Scenario, deployer: AccountAPI
) -> None:
    cluster_id = scenario.register_cluster()
    recorder = Recorder(limit=-1)
    share = deploy_share(system, cluster_id, "Name", "SYM", deployer, on_deployed=recorder)
    assert recorder.addresses == {f"ClusterShare:{cluster_id}": share.address}
    assert (share.name(), share.symbol(), share.clusterId()) == ("Name", "SYM", cluster_id)
    again = deploy_share(system, cluster_id, "Name", "SYM", deployer, recorded=recorder.addresses)
    assert again.address == share.address


def test_selector__no_such_function__refused(registry: ContractInstance) -> None:
    with pytest.raises(DeploymentError, match="ClusterRegistry has 0 functions named nothing"):
        selector(registry, "nothing")


def test_selector__overloaded__refused(stablecoin: ContractInstance) -> None:
    with pytest.raises(DeploymentError, match="TestUsd has 2 functions named permit"):
        selector(stablecoin, "permit")


@pytest.mark.parametrize("cluster_id", [0, -1, 2**32])
def test_over__no_cluster__refused(cluster_id: int) -> None:
    with pytest.raises(ValueError, match=f"cluster id {cluster_id}"):
        roles.over(roles.ISSUER, cluster_id)
