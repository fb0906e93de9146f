"""Seven reporters, and clusters that all went live in one epoch."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from ape.api import AccountAPI
from ape.contracts import ContractInstance

from scripts._lib.deployment import System
from tests.support.disputes import CHALLENGE_BOND, WINDOW, Courtroom
from tests.support.isolation import restored_chain
from tests.support.oracle import Newsdesk, reporter_keys
from tests.support.reporters import BOND, Operators, key_of
from tests.support.scenario import EPOCH_SECONDS, SHARE, Scenario, current_epoch, travel_to


@pytest.fixture(scope="package")
def _package_chain(system: System) -> Iterator[None]:
    """What the package's fixtures do to the chain is undone after it."""
    with restored_chain():
        yield


@pytest.fixture(scope="package")
def desk(
    _package_chain: None, oracle: ContractInstance, oracle_admin: AccountAPI, relayer: AccountAPI
) -> Newsdesk:
    keys = tuple(reporter_keys(7))
    oracle.setReporters([key.address for key in keys], sender=oracle_admin)
    return Newsdesk(oracle, keys, relayer)


@pytest.fixture(scope="package")
def clusters(_package_chain: None, scenario: Scenario, holder: AccountAPI) -> list[int]:
    """Three Live clusters with the same first epoch."""
    travel_to((current_epoch() + 1) * EPOCH_SECONDS + 1)
    return [scenario.live_cluster([holder], [100 * SHARE])[0] for _ in range(3)]


@pytest.fixture(scope="package", autouse=True)
def _start(
    desk: Newsdesk,
    cluster_id: int,
    first_epoch: int,
    authority: ContractInstance,
    admin: AccountAPI,
    attacker: AccountAPI,
    deployer: AccountAPI,
    issuer: AccountAPI,
    keeper: AccountAPI,
    registrar: AccountAPI,
    arbiter: AccountAPI,
) -> None:
    """Every test starts from the same chain, whichever of these it names.

    A session's fixture that a later test is the first to name would have the clusters made again.
    """


@pytest.fixture(scope="module")
def operators(
    system: System,
    scenario: Scenario,
    holder: AccountAPI,
    other_holder: AccountAPI,
    customer: AccountAPI,
    keeper: AccountAPI,
    relayer: AccountAPI,
    oracle_admin: AccountAPI,
) -> Operators:
    """Five who could run reporters and have approved their dollars; none is registered."""
    accounts = (holder, other_holder, customer, keeper, relayer)
    for account in accounts:
        scenario.give_usd(account, 5 * BOND)
        system.stablecoin.approve(system.reporter_registry, 2**256 - 1, sender=account)
    return Operators(system, system.reporter_registry, system.oracle, accounts, oracle_admin)


@pytest.fixture(scope="module")
def court(
    operators: Operators,
    scenario: Scenario,
    oracle_admin: AccountAPI,
    arbiter: AccountAPI,
    attacker: AccountAPI,
    relayer: AccountAPI,
) -> Courtroom:
    """The five report, under a dispute window; somebody has the dollars for ten challenges."""
    operators.set_up()
    operators.oracle.setDisputeWindow(WINDOW, sender=oracle_admin)
    disputes = operators.system.disputes
    scenario.give_usd(attacker, 10 * CHALLENGE_BOND)
    operators.system.stablecoin.approve(disputes, 2**256 - 1, sender=attacker)
    keys = tuple(key_of(address) for address in operators.addresses)
    desk = Newsdesk(operators.oracle, keys, relayer)
    return Courtroom(operators, desk, disputes, arbiter, attacker)


@pytest.fixture(scope="package")
def cluster_id(clusters: list[int]) -> int:
    return clusters[0]


@pytest.fixture(scope="package")
def first_epoch(registry: ContractInstance, clusters: list[int]) -> int:
    epochs = {int(registry.epochRange(cluster_id).firstEpoch) for cluster_id in clusters}
    assert len(epochs) == 1
    return epochs.pop()
