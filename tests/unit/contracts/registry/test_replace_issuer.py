"""ClusterRegistry.replaceIssuer: the power of issuing passes to another account, whole."""

from __future__ import annotations

import ape
import pytest
from ape.api import AccountAPI
from ape.contracts import ContractInstance
from ape.utils import ZERO_ADDRESS

from scripts._lib import roles
from tests.support.scenario import Scenario


@pytest.fixture(scope="module")
def cluster_id(scenario: Scenario) -> int:
    return scenario.register_cluster()


def test_replace_issuer__present_issuer_named__power_passes(
    registry: ContractInstance,
    authority: ContractInstance,
    registrar: AccountAPI,
    issuer: AccountAPI,
    other_issuer: AccountAPI,
    cluster_id: int,
) -> None:
    receipt = registry.replaceIssuer(cluster_id, issuer, other_issuer, sender=registrar)

    role = roles.over(roles.ISSUER, cluster_id)
    assert not authority.hasRole(role, issuer)[0]
    assert authority.hasRole(role, other_issuer)[0]
    assert registry.issuerOf(cluster_id) == other_issuer.address
    [event] = receipt.decode_logs(registry.IssuerReplaced)
    assert (event.clusterId, event.previousIssuer, event.issuer) == (
        cluster_id,
        issuer.address,
        other_issuer.address,
    )
    with ape.reverts(registry.Authorised_MissingPower, account=issuer.address):
        registry.withdrawSpec(cluster_id, sender=issuer)


def test_replace_issuer__another_account_named__refused(
    registry: ContractInstance,
    registrar: AccountAPI,
    issuer: AccountAPI,
    other_issuer: AccountAPI,
    attacker: AccountAPI,
    cluster_id: int,
) -> None:
    with ape.reverts(
        registry.ClusterRegistry_NotTheIssuer,
        clusterId=cluster_id,
        account=attacker.address,
        issuer=issuer.address,
    ):
        registry.replaceIssuer(cluster_id, attacker, other_issuer, sender=registrar)


def test_replace_issuer__issuer_has_renounced__may_be_appointed_again(
    registry: ContractInstance,
    authority: ContractInstance,
    registrar: AccountAPI,
    issuer: AccountAPI,
    cluster_id: int,
) -> None:
    role = roles.over(roles.ISSUER, cluster_id)
    authority.renounceRole(role, issuer, sender=issuer)
    assert not authority.hasRole(role, issuer)[0]

    registry.replaceIssuer(cluster_id, issuer, issuer, sender=registrar)

    assert authority.hasRole(role, issuer)[0]


def test_replace_issuer__by_zero_address__refused(
    registry: ContractInstance, registrar: AccountAPI, issuer: AccountAPI, cluster_id: int
) -> None:
    with ape.reverts(registry.ClusterRegistry_ZeroAddress):
        registry.replaceIssuer(cluster_id, issuer, ZERO_ADDRESS, sender=registrar)


def test_replace_issuer__unknown_cluster__refused(
    registry: ContractInstance,
    registrar: AccountAPI,
    issuer: AccountAPI,
    other_issuer: AccountAPI,
) -> None:
    with ape.reverts(registry.ClusterRegistry_UnknownCluster, clusterId=999):
        registry.replaceIssuer(999, issuer, other_issuer, sender=registrar)
