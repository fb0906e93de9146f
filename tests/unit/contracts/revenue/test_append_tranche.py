"""Waterfall.appendTranche: debt is ranked before anybody can have bought."""

from __future__ import annotations

import ape
import pytest
from ape import project
from ape.api import AccountAPI
from ape.contracts import ContractInstance

from scripts._lib.roles import ISSUER
from tests.support.scenario import Scenario


@pytest.fixture
def proposed(scenario: Scenario) -> int:
    return scenario.register_cluster()


def _tranche(scenario: Scenario, cluster_id: int) -> ContractInstance:
    tranche: ContractInstance = scenario.deployer.deploy(project.TestTranche, cluster_id)
    return tranche


def test_append_tranche__while_proposed__listed_by_seniority(
    waterfall: ContractInstance, scenario: Scenario, issuer: AccountAPI, proposed: int
) -> None:
    first, second = _tranche(scenario, proposed), _tranche(scenario, proposed)
    waterfall.appendTranche(proposed, first, sender=issuer)
    receipt = waterfall.appendTranche(proposed, second, sender=issuer)
    [event] = receipt.decode_logs(waterfall.TrancheAppended)
    assert (event.clusterId, event.tranche, event.seniority) == (proposed, second.address, 1)
    tranches, assigned, paid = waterfall.tranches(proposed)
    assert list(tranches) == [first.address, second.address]
    assert (list(assigned), list(paid)) == ([0, 0], [0, 0])


def test_append_tranche__fifth__refused(
    waterfall: ContractInstance, scenario: Scenario, issuer: AccountAPI, proposed: int
) -> None:
    for _ in range(4):
        waterfall.appendTranche(proposed, _tranche(scenario, proposed), sender=issuer)
    with ape.reverts(waterfall.Waterfall_TooManyTranches, clusterId=proposed, limit=4):
        waterfall.appendTranche(proposed, _tranche(scenario, proposed), sender=issuer)


def test_append_tranche__twice__refused(
    waterfall: ContractInstance, scenario: Scenario, issuer: AccountAPI, proposed: int
) -> None:
    tranche = _tranche(scenario, proposed)
    waterfall.appendTranche(proposed, tranche, sender=issuer)
    with ape.reverts(waterfall.Waterfall_TrancheKnown, tranche=tranche.address):
        waterfall.appendTranche(proposed, tranche, sender=issuer)


def test_append_tranche__of_another_cluster__refused(
    waterfall: ContractInstance, scenario: Scenario, issuer: AccountAPI, proposed: int
) -> None:
    tranche = _tranche(scenario, proposed + 1)
    with ape.reverts(
        waterfall.Waterfall_TrancheOfAnotherCluster,
        tranche=tranche.address,
        trancheClusterId=proposed + 1,
        clusterId=proposed,
    ):
        waterfall.appendTranche(proposed, tranche, sender=issuer)


def test_append_tranche__no_contract__refused(
    waterfall: ContractInstance, issuer: AccountAPI, attacker: AccountAPI, proposed: int
) -> None:
    with ape.reverts():
        waterfall.appendTranche(proposed, attacker, sender=issuer)


@pytest.mark.parametrize("live", [False, True])
def test_append_tranche__after_proposed__refused(
    waterfall: ContractInstance,
    registry: ContractInstance,
    scenario: Scenario,
    issuer: AccountAPI,
    holder: AccountAPI,
    proposed: int,
    live: bool,
) -> None:
    share = scenario.open_funding(proposed)
    if live:
        scenario.issue(share, [holder], [10**6])
        registry.goLive(proposed, sender=issuer)
    with ape.reverts(waterfall.Waterfall_TooLateForDebt, clusterId=proposed):
        waterfall.appendTranche(proposed, _tranche(scenario, proposed), sender=issuer)


def test_append_tranche__not_the_issuer__refused(
    waterfall: ContractInstance, scenario: Scenario, other_issuer: AccountAPI, proposed: int
) -> None:
    scenario.register_cluster(issuer=other_issuer)
    with ape.reverts(
        waterfall.Authorised_MissingPower,
        account=other_issuer.address,
        power=ISSUER,
        clusterId=proposed,
    ):
        waterfall.appendTranche(proposed, _tranche(scenario, proposed), sender=other_issuer)
