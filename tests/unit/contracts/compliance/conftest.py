"""A share that only asks the rules, and the account that may block wallets."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from ape import project
from ape.api import AccountAPI
from ape.contracts import ContractInstance

from scripts._lib import roles
from tests.support.compliance import NEWCOMER, OTHER_SECOND_WALLET, SECOND_WALLET, LimitedShare
from tests.support.scenario import Scenario, investor_id


@pytest.fixture(scope="module")
def limited(scenario: Scenario, identity: ContractInstance, issuer: AccountAPI) -> LimitedShare:
    """A share without limits of which nothing is issued."""
    cluster_id = scenario.register_cluster()
    token = scenario.deployer.deploy(project.TestLimitedShare, identity, cluster_id)
    return LimitedShare(token, identity, cluster_id, issuer)


@pytest.fixture(scope="module")
def two_investors(
    scenario: Scenario, limited: LimitedShare, holder: AccountAPI, other_holder: AccountAPI
) -> None:
    """Investor 1 holds 100 in the one of two wallets, investor 2 the same."""
    scenario.attest(holder, SECOND_WALLET, investorId=investor_id(1))
    scenario.attest(other_holder, OTHER_SECOND_WALLET, investorId=investor_id(2))
    scenario.attest(NEWCOMER, investorId=investor_id(3))
    limited.issue(holder, 100)
    limited.issue(other_holder, 100)


@pytest.fixture
def block(
    authority: ContractInstance, identity: ContractInstance, admin: AccountAPI, keeper: AccountAPI
) -> Callable[[AccountAPI | str], None]:
    """Block a wallet, by an account that holds the role of the Enforcement contract."""
    authority.grantRole(roles.ENFORCEMENT_ROLE, keeper, 0, sender=admin)

    def block_wallet(wallet: AccountAPI | str) -> None:
        identity.blockWallet(wallet, sender=keeper)

    return block_wallet
