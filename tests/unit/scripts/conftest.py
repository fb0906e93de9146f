"""A deployment on record, made by the code behind `ape run deploy`, once a test file; a court."""

from __future__ import annotations

from pathlib import Path

import pytest
from ape.api import AccountAPI

from scripts._lib.deployment import RoleHolders, System
from scripts._lib.record import Record
from scripts._lib.rollout import roll_out
from tests.support.court import Court
from tests.support.reporters import BOND, Operators
from tests.support.scenario import SHARE, USD, Scenario

WINDOW_SECONDS = 3_600


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the record."""
    return tmp_path_factory.mktemp("deployments")


@pytest.fixture(scope="module")
def record(deployer: AccountAPI, role_holders: RoleHolders, records: Path) -> Record:
    list(roll_out(deployer, role_holders, None, records))
    return Record(records)


@pytest.fixture
def court(
    system: System,
    scenario: Scenario,
    deployer: AccountAPI,
    holder: AccountAPI,
    other_holder: AccountAPI,
    customer: AccountAPI,
    keeper: AccountAPI,
    arbiter: AccountAPI,
    oracle_admin: AccountAPI,
) -> Court:
    accounts = (holder, other_holder, customer)
    for account in accounts:
        system.stablecoin.mint(account, BOND, sender=deployer)
        system.stablecoin.approve(system.reporter_registry, BOND, sender=account)
    system.stablecoin.mint(keeper, 1_000 * USD, sender=deployer)
    operators = Operators(system, system.reporter_registry, system.oracle, accounts, oracle_admin)
    operators.set_up()
    system.oracle.setDisputeWindow(WINDOW_SECONDS, sender=oracle_admin)
    cluster_id, _ = scenario.live_cluster([holder], [1_000 * SHARE])
    first_epoch, _ = system.registry.epochRange(cluster_id)
    return Court(system, operators, cluster_id, int(first_epoch), keeper, arbiter)
