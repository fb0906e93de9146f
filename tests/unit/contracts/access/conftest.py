"""Everybody who could try: the holders of every power over the system and over two clusters."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from ape.api import AccountAPI
from ape.contracts import ContractInstance

from scripts._lib import roles
from scripts._lib.deployment import System
from tests.support.scenario import Scenario


@dataclass(frozen=True)
class Parties:
    """A cluster with its share, and who holds which power over it."""

    cluster_id: int
    share: ContractInstance
    holders: dict[int, AccountAPI]


@pytest.fixture(scope="module")
def parties(scenario: Scenario, authority: ContractInstance, transfer_agent: AccountAPI) -> Parties:
    cluster_id = scenario.register_cluster()
    role = roles.over(roles.TRANSFER_AGENT, cluster_id)
    authority.grantRole(role, transfer_agent, 0, sender=scenario.issuer)
    return Parties(
        cluster_id,
        scenario.open_funding(cluster_id),
        {
            roles.ISSUER: scenario.issuer,
            roles.OPERATOR: scenario.operator,
            roles.TRUSTEE: scenario.trustee,
            roles.TRANSFER_AGENT: transfer_agent,
        },
    )


@pytest.fixture(scope="module")
def other_parties(
    parties: Parties,
    scenario: Scenario,
    authority: ContractInstance,
    other_issuer: AccountAPI,
    keeper: AccountAPI,
    relayer: AccountAPI,
    customer: AccountAPI,
) -> Parties:
    """Another cluster, none of whose parties has a power over the first."""
    cluster_id = scenario.register_cluster(other_issuer)
    for power, old, new, by in (
        (roles.OPERATOR, scenario.operator, keeper, other_issuer),
        (roles.TRUSTEE, scenario.trustee, relayer, scenario.registrar),
    ):
        role = roles.over(power, cluster_id)
        authority.revokeRole(role, old, sender=by)
        authority.grantRole(role, new, 0, sender=by)
    role = roles.over(roles.TRANSFER_AGENT, cluster_id)
    authority.grantRole(role, customer, 0, sender=other_issuer)
    return Parties(
        cluster_id,
        scenario.open_funding(cluster_id),
        {
            roles.ISSUER: other_issuer,
            roles.OPERATOR: keeper,
            roles.TRUSTEE: relayer,
            roles.TRANSFER_AGENT: customer,
        },
    )


@pytest.fixture(scope="module")
def system_holders(
    admin: AccountAPI,
    registrar: AccountAPI,
    guardian: AccountAPI,
    kyc_provider: AccountAPI,
    compliance: AccountAPI,
    oracle_admin: AccountAPI,
    arbiter: AccountAPI,
    system: System,
) -> Iterator[dict[int, str]]:
    """Who holds each power over the system, as it is deployed."""
    role = roles.REPORTER_REGISTRY_ROLE
    system.authority.revokeRole(role, oracle_admin, sender=admin)
    yield {
        roles.ADMIN_ROLE: admin.address,
        roles.REGISTRAR_ROLE: registrar.address,
        roles.GUARDIAN_ROLE: guardian.address,
        roles.KYC_PROVIDER_ROLE: kyc_provider.address,
        roles.COMPLIANCE_ROLE: compliance.address,
        roles.ORACLE_ADMIN_ROLE: oracle_admin.address,
        roles.ARBITER_ROLE: arbiter.address,
        roles.CLUSTER_REGISTRY_ROLE: system.registry.address,
        roles.ENFORCEMENT_ROLE: system.enforcement.address,
        role: system.reporter_registry.address,
        roles.DISPUTES_ROLE: system.disputes.address,
    }
    system.authority.grantRole(role, oracle_admin, 0, sender=admin)


@pytest.fixture(scope="module")
def everybody(
    system_holders: dict[int, str],
    parties: Parties,
    other_parties: Parties,
    system: System,
    deployer: AccountAPI,
    holder: AccountAPI,
    attacker: AccountAPI,
) -> list[str]:
    """All who could try, the system's own contracts among them."""
    accounts = [deployer, holder, attacker, *parties.holders.values()]
    accounts += other_parties.holders.values()
    contracts = [system.oracle, system.waterfall, system.identity, system.desk, parties.share]
    return sorted({*system_holders.values(), *(one.address for one in (*accounts, *contracts))})


@pytest.fixture(scope="module")
def guarded(system: System, parties: Parties) -> dict[str, ContractInstance]:
    """Every contract that the tables of roles speak of, by name."""
    return {
        "ClusterRegistry": system.registry,
        "IdentityRegistry": system.identity,
        "MetricsOracle": system.oracle,
        "Waterfall": system.waterfall,
        "CapitalProceeds": system.capital,
        "Enforcement": system.enforcement,
        "HolderDesk": system.desk,
        "ReporterRegistry": system.reporter_registry,
        "Disputes": system.disputes,
        "RelatedParties": system.related,
        "ModelRegistry": system.models,
        "InferencePayments": system.payments,
        "X402Settler": system.settler,
        "ClusterShare": parties.share,
    }
