"""A deployment on record, made by the code behind `ape run deploy`, once a test file; a court; a
gateway with a customer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ape.api import AccountAPI
from eth_account.signers.local import LocalAccount

from api.domain.prices import gateway_domain
from api.domain.signing import Signer
from api.domain.way import ProvenReceipt
from api.types import Address
from scripts._lib.deployment import RoleHolders, System
from scripts._lib.record import Record
from scripts._lib.rollout import roll_out
from tests.support import x402
from tests.support.court import Court
from tests.support.oracle import let_name_reporters
from tests.support.payments import FOREVER, Till, key_of
from tests.support.reporters import BOND, Operators
from tests.support.revenue import Books, open_books
from tests.support.scenario import SHARE, USD, Scenario
from tests.support.ways import Counter
from tests.support.ways_x402 import ExactWays

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


@pytest.fixture(scope="module")
def books(
    record: Record,
    deployer: AccountAPI,
    admin: AccountAPI,
    registrar: AccountAPI,
    kyc_provider: AccountAPI,
    issuer: AccountAPI,
    operator: AccountAPI,
    trustee: AccountAPI,
    oracle_admin: AccountAPI,
    customer: AccountAPI,
    holder: AccountAPI,
) -> Books:
    system = record.system()
    let_name_reporters(system, oracle_admin, admin)
    scenario = Scenario(system, deployer, registrar, kyc_provider, issuer, operator, trustee)
    return open_books(scenario, oracle_admin, customer, holder)


@pytest.fixture(scope="module")
def hot() -> LocalAccount:
    return key_of("hot")


@pytest.fixture(scope="module")
def counter(
    books: Books, record: Record, keeper: AccountAPI, customer: AccountAPI, hot: LocalAccount
) -> Counter:
    """The keeper is the gateway; the customer has a hundred dollars and a hot key."""
    payments = record.system().payments
    record.system().stablecoin.approve(payments, 2**256 - 1, sender=customer)
    payments.deposit(100 * USD, sender=customer)
    payments.authorise(hot.address, keeper, 1_000 * USD, FOREVER, sender=customer)
    domain = gateway_domain(record.chain_id, Address(str(payments.address)))
    signer = Signer.from_hex(str(keeper.private_key))
    return Counter(Till(payments, keeper, (books.cluster_id,)), signer, domain)


@pytest.fixture
def charged(
    counter: Counter, books: Books, customer: AccountAPI, hot: LocalAccount
) -> Iterator[Any]:
    """Charges and collects receipts of these amounts; what a test promised is forgotten after."""
    promised = dict(counter.promised)

    def charge(*amounts: int) -> list[ProvenReceipt]:
        receipts = [counter.receipt(customer, hot, books.cluster_id, one) for one in amounts]
        proven = counter.proven(receipts)
        assert proven[0].root is not None
        counter.collect(customer, hot, receipts, proven[0].root)
        return proven

    yield charge
    counter.promised = promised


@pytest.fixture
def exact(
    record: Record,
    books: Books,
    counter: Counter,
    keeper: AccountAPI,
    deployer: AccountAPI,
    attacker: AccountAPI,
) -> ExactWays:
    """Of the same gateway; the attacker has a hundred dollars."""
    system = record.system()
    system.stablecoin.mint(attacker, 100 * USD, sender=deployer)
    till = x402.Counter(system.settler, system.stablecoin, keeper, books.cluster_id)
    return ExactWays(till, counter)
