"""A gateway that two Live clusters work for, and a customer with a balance and a session key."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from ape import project
from ape.api import AccountAPI
from ape.contracts import ContractInstance
from eth_account.signers.local import LocalAccount

from scripts._lib import roles
from scripts._lib.deployment import System, selector
from tests.support.isolation import restored_chain
from tests.support.payments import FOREVER, Till, deploy_payments, key_of
from tests.support.scenario import SHARE, USD, Scenario
from tests.support.x402 import Counter, deploy_settler

BALANCE = 100 * USD
LIMIT = 80 * USD


@pytest.fixture(scope="package")
def _package_chain(system: System) -> Iterator[None]:
    """What the package's fixtures do to the chain is undone after it."""
    with restored_chain():
        yield


@pytest.fixture(scope="package")
def payments(
    _package_chain: None,
    system: System,
    deployer: AccountAPI,
    admin: AccountAPI,
    trustee: AccountAPI,
) -> ContractInstance:
    """With the trustee's account as its treasury."""
    payments = deploy_payments(system, deployer, trustee)
    brake = [selector(payments, name) for name in ("pauseInflow", "resumeInflow")]
    system.authority.setTargetFunctionRole(payments, brake, roles.GUARDIAN_ROLE, sender=admin)
    return payments


@pytest.fixture(scope="package")
def clusters(payments: ContractInstance, scenario: Scenario, holder: AccountAPI) -> tuple[int, ...]:
    first = scenario.live_cluster([holder], [SHARE])[0]
    return first, scenario.live_cluster([holder], [SHARE])[0]


@pytest.fixture(scope="package")
def hot(payments: ContractInstance) -> LocalAccount:
    """The customer's session key."""
    return key_of("hot")


@pytest.fixture(scope="package")
def till(
    payments: ContractInstance,
    clusters: tuple[int, ...],
    keeper: AccountAPI,
    customer: AccountAPI,
    hot: LocalAccount,
    scenario: Scenario,
) -> Till:
    """The keeper is the gateway. The customer has BALANCE, its hot key may spend LIMIT for ever."""
    scenario.give_usd(customer, 1_000 * USD)
    scenario.system.stablecoin.approve(payments, 2**256 - 1, sender=customer)
    payments.deposit(BALANCE, sender=customer)
    payments.authorise(hot.address, keeper, LIMIT, FOREVER, sender=customer)
    return Till(payments, keeper, clusters)


@pytest.fixture(scope="package")
def counter(till: Till, system: System, deployer: AccountAPI, attacker: AccountAPI) -> Counter:
    """The keeper settles for the first cluster; the attacker has money too."""
    system.stablecoin.mint(attacker, 100 * USD, sender=deployer)
    settler = deploy_settler(system, deployer, till.payments)
    return Counter(settler, system.stablecoin, till.gateway, till.clusters[0])


@pytest.fixture(scope="package", autouse=True)
def _start(
    till: Till,
    counter: Counter,
    other_holder: AccountAPI,
    relayer: AccountAPI,
    attacker: AccountAPI,
    guardian: AccountAPI,
) -> None:
    """Every test starts from the same chain, whichever of these it names."""


@pytest.fixture
def wallet(till: Till, deployer: AccountAPI, customer: AccountAPI) -> ContractInstance:
    """A payer that is a contract, with BALANCE; every signature of it is good."""
    wallet: ContractInstance = deployer.deploy(project.HostileWallet)
    till.payments.depositFor(wallet, BALANCE, sender=customer)
    return wallet
