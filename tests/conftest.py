"""Actors by role and one deployment a session; the chain is put back after every test and module.

The deployment is the one that `ape run deploy` makes. Fixtures that need no chain start none.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Generator, Iterator

import pytest
from ape.api import AccountAPI
from ape.contracts import ContractInstance
from ape.managers.accounts import TestAccountManager

from scripts._lib.build import ensure_compiled
from scripts._lib.deployment import RoleHolders, System, deploy_system
from tests.support.isolation import restored_chain, start_clock
from tests.support.lean_ape import make_lean
from tests.support.oracle import let_name_reporters
from tests.support.scenario import Scenario

_past_states = tempfile.TemporaryDirectory(prefix="anvil-", ignore_cleanup_errors=True)


def pytest_configure() -> None:
    """Before ape looks at its cache: it would not compile what merely imports a changed source."""
    ensure_compiled()
    make_lean(_past_states.name)


def pytest_unconfigure() -> None:
    _past_states.cleanup()


@pytest.hookimpl(wrapper=True)
def pytest_exception_interact(
    report: pytest.CollectReport | pytest.TestReport,
) -> Generator[None, None, None]:
    """Failures as pytest tells them: ape would add every frame of the packages in `.venv`."""
    told = report.longrepr
    yield
    report.longrepr = told


@pytest.fixture(scope="session")
def _clock(accounts: TestAccountManager) -> None:
    """Needs `accounts`, which connects ape to the chain."""
    start_clock()


def _fixtures_of(module: pytest.Module, session: pytest.Session) -> set[str]:
    of_module = (item for item in session.items if item.getparent(pytest.Module) is module)
    return {name for item in of_module for name in getattr(item, "fixturenames", ())}


@pytest.fixture(scope="module", autouse=True)
def _module_chain(request: pytest.FixtureRequest) -> Iterator[None]:
    """What a module's fixtures do to the chain is undone after it."""
    used = _fixtures_of(request.node, request.session)
    if "accounts" not in used:
        yield
        return
    # Clock and deployment outlive the module: they have to be there before the snapshot.
    request.getfixturevalue("_clock")
    if "system" in used:
        request.getfixturevalue("system")
    with restored_chain():
        yield


@pytest.fixture(autouse=True)
def _test_chain(request: pytest.FixtureRequest) -> Iterator[None]:
    """What a test does to the chain is undone after it."""
    if "accounts" not in request.fixturenames:
        yield
        return
    with restored_chain():
        yield


def _actor(index: int) -> Callable[[TestAccountManager], AccountAPI]:
    @pytest.fixture(scope="session")
    def account(accounts: TestAccountManager) -> AccountAPI:
        return accounts[index]

    return account


deployer = _actor(0)
admin = _actor(1)
registrar = _actor(2)
guardian = _actor(3)
kyc_provider = _actor(4)
compliance = _actor(5)
oracle_admin = _actor(6)
issuer = _actor(7)
other_issuer = _actor(8)
operator = _actor(9)
trustee = _actor(10)
holder = _actor(11)
other_holder = _actor(12)
customer = _actor(13)
attacker = _actor(14)
keeper = _actor(15)
relayer = _actor(16)
transfer_agent = _actor(17)
arbiter = _actor(18)
newcomer = _actor(19)


@pytest.fixture(scope="session")
def role_holders(
    admin: AccountAPI,
    registrar: AccountAPI,
    guardian: AccountAPI,
    kyc_provider: AccountAPI,
    compliance: AccountAPI,
    oracle_admin: AccountAPI,
    arbiter: AccountAPI,
) -> RoleHolders:
    return RoleHolders(
        admin=admin.address,
        registrar=registrar.address,
        guardian=guardian.address,
        compliance=compliance.address,
        oracle_admin=oracle_admin.address,
        arbiter=arbiter.address,
        kyc_providers=(kyc_provider.address,),
    )


@pytest.fixture(scope="session")
def system(
    _clock: None,
    deployer: AccountAPI,
    admin: AccountAPI,
    oracle_admin: AccountAPI,
    role_holders: RoleHolders,
) -> System:
    system = deploy_system(deployer, role_holders)
    let_name_reporters(system, oracle_admin, admin)
    return system


@pytest.fixture(scope="session")
def authority(system: System) -> ContractInstance:
    return system.authority


@pytest.fixture(scope="session")
def stablecoin(system: System) -> ContractInstance:
    return system.stablecoin


@pytest.fixture(scope="session")
def identity(system: System) -> ContractInstance:
    return system.identity


@pytest.fixture(scope="session")
def registry(system: System) -> ContractInstance:
    return system.registry


@pytest.fixture(scope="session")
def oracle(system: System) -> ContractInstance:
    return system.oracle


@pytest.fixture(scope="session")
def waterfall(system: System) -> ContractInstance:
    return system.waterfall


@pytest.fixture(scope="session")
def scenario(
    system: System,
    deployer: AccountAPI,
    registrar: AccountAPI,
    kyc_provider: AccountAPI,
    issuer: AccountAPI,
    operator: AccountAPI,
    trustee: AccountAPI,
) -> Scenario:
    return Scenario(system, deployer, registrar, kyc_provider, issuer, operator, trustee)
