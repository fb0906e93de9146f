"""A share in Funding that a test's own account funds, and two holders of it; another that
Enforcement commands."""

from __future__ import annotations

import pytest
from ape.api import AccountAPI
from ape.contracts import ContractInstance

from scripts._lib import roles
from tests.support.desk import Counter, open_counter
from tests.support.enforcement import Offices, attest_replacement, let_take, open_registered_share
from tests.support.income import UINT256_MAX, OpenShare, deploy_open_share
from tests.support.scenario import SHARE, USD, Scenario

HOLDER_SHARES = 300_000 * SHARE
OTHER_SHARES = 100_000 * SHARE
AUTHORISED = 1_000_000 * SHARE


@pytest.fixture(scope="module")
def empty(scenario: Scenario, customer: AccountAPI) -> OpenShare:
    """No shares issued of 1,000,000 authorised ones; the customer is the waterfall."""
    cluster_id = scenario.register_cluster(authorised_shares=AUTHORISED)
    scenario.open_funding(cluster_id)
    share = deploy_open_share(scenario, cluster_id, customer)
    scenario.give_usd(customer, 2 * 10**12 * USD)
    scenario.system.stablecoin.approve(share, UINT256_MAX, sender=customer)
    return OpenShare(scenario, cluster_id, share, customer)


@pytest.fixture(scope="module")
def ground(
    empty: OpenShare, scenario: Scenario, holder: AccountAPI, other_holder: AccountAPI
) -> OpenShare:
    """Three quarters are `holder`'s, a quarter is `other_holder`'s."""
    scenario.issue(empty.share, [holder, other_holder], [HOLDER_SHARES, OTHER_SHARES])
    return empty


@pytest.fixture(scope="module")
def share(ground: OpenShare) -> ContractInstance:
    return ground.share


@pytest.fixture(scope="module")
def taker(ground: OpenShare, admin: AccountAPI, keeper: AccountAPI) -> AccountAPI:
    """To whom shares may be encumbered; it can hold none."""
    let_take(ground.scenario, admin, keeper)
    return keeper


@pytest.fixture(scope="module")
def newer_taker(ground: OpenShare, admin: AccountAPI, relayer: AccountAPI) -> AccountAPI:
    let_take(ground.scenario, admin, relayer)
    return relayer


@pytest.fixture
def takers(taker: AccountAPI, newer_taker: AccountAPI) -> tuple[AccountAPI, AccountAPI]:
    """The older and the newer."""
    return taker, newer_taker


@pytest.fixture
def enforcement(deployer: AccountAPI) -> AccountAPI:
    """Whom the open share obeys."""
    return deployer


@pytest.fixture(scope="module")
def counter(
    scenario: Scenario,
    customer: AccountAPI,
    deployer: AccountAPI,
    holder: AccountAPI,
    other_holder: AccountAPI,
) -> Counter:
    """Three clusters with income to claim, whose shares obey the deployer."""
    return open_counter(scenario, customer, deployer, holder, other_holder)


@pytest.fixture(scope="module")
def desk(counter: Counter) -> ContractInstance:
    return counter.desk


@pytest.fixture(scope="module")
def offices(
    scenario: Scenario,
    customer: AccountAPI,
    holder: AccountAPI,
    other_holder: AccountAPI,
    transfer_agent: AccountAPI,
) -> Offices:
    """Both offices of a cluster, three quarters of which `holder` has and a quarter
    `other_holder`."""
    system = scenario.system
    ground = open_registered_share(scenario, customer, system.enforcement)
    scenario.issue(ground.share, [holder, other_holder], [HOLDER_SHARES, OTHER_SHARES])
    system.authority.grantRole(
        roles.over(roles.TRANSFER_AGENT, ground.cluster_id),
        transfer_agent,
        0,
        sender=scenario.issuer,
    )
    return Offices(ground, system.enforcement, transfer_agent, scenario.trustee)


@pytest.fixture
def replacement(scenario: Scenario, holder: AccountAPI, customer: AccountAPI) -> AccountAPI:
    """Another wallet of the same investor, who holds nothing in it."""
    attest_replacement(scenario, holder, customer)
    return customer
