"""Who paid by x402, as it is read from a chain: to the unit, whichever way it came."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest
from ape import chain
from ape.api import AccountAPI

from api.chain.abi import contract_abi
from api.chain.client import ChainClient
from api.chain.contracts import InferencePayments
from api.chain.payers import PayersReader
from api.errors import ChainUnavailable
from api.types import Address, ClusterId
from scripts._lib import quality
from scripts._lib.network import answer_of
from scripts._lib.record import Record
from tests.support.payments import FEE_NOTICE
from tests.support.revenue import Books
from tests.support.scenario import USD, current_epoch
from tests.support.ways_x402 import ExactWays

DAY = 86_400
WHY = b"\x44" * 32


@dataclass
class Related:
    """What `quality` says of the running hour; the attacker is related to the cluster."""

    record: Record
    cluster_id: int

    def __call__(self) -> tuple[int, int, int]:
        hour = quality.read_hours(self.record, self.cluster_id, 1)[0]
        return hour.paid_usd6, hour.related_usd6, hour.unknown_usd6


@pytest.fixture
def found(record: Record, books: Books, attacker: AccountAPI, issuer: AccountAPI) -> Related:
    related = record.system().related
    related.declare(books.cluster_id, attacker, current_epoch(), WHY, sender=issuer)
    return Related(record, books.cluster_id)


def test_read_hours__settled__what_was_used_of_each_payers_payments(
    exact: ExactWays, found: Related, customer: AccountAPI, attacker: AccountAPI
) -> None:
    exact.settle((customer, 50, 20, 1), (attacker, 90, 7, 2), (attacker, 10, 10, 3))
    assert found() == (37, 17, 0)


def test_read_hours__with_a_platform_fee__counts_it_as_paid(
    exact: ExactWays,
    found: Related,
    record: Record,
    customer: AccountAPI,
    attacker: AccountAPI,
    admin: AccountAPI,
) -> None:
    record.system().payments.schedulePlatformFee(250, sender=admin)
    chain.pending_timestamp = int(chain.pending_timestamp) + FEE_NOTICE
    exact.settle((customer, 3 * USD, USD, 1), (attacker, 5 * USD, 4 * USD, 2))
    assert found() == (5 * USD, 4 * USD, 0)


def test_read_hours__settled_ahead__counts_when_its_use_is_said(
    exact: ExactWays, found: Related, customer: AccountAPI, attacker: AccountAPI
) -> None:
    batch = exact.ahead((customer, 50, 20, 1), (attacker, 90, 7, 2))
    waiting = found()
    exact.till.allocate(batch.entries, {0: 30, 1: 83}, b"\x01" * 32)
    assert (waiting, found()) == ((0, 0, 0), (27, 7, 0))


def test_read_hours__passed_on__counts_all_of_it(
    exact: ExactWays, found: Related, customer: AccountAPI, attacker: AccountAPI
) -> None:
    batch = exact.ahead((customer, 50, 20, 1), (attacker, 90, 7, 2))
    chain.pending_timestamp = int(chain.pending_timestamp) + DAY
    exact.till.pass_on(batch.entries, customer)
    assert found() == (140, 90, 0)


def test_read_hours__swept__whose_transfers_came_since_the_last_sweep(
    exact: ExactWays,
    found: Related,
    books: Books,
    customer: AccountAPI,
    attacker: AccountAPI,
    keeper: AccountAPI,
) -> None:
    def sweep() -> Any:
        return exact.till.settler.sweep(books.cluster_id, keeper, sender=customer)

    exact.front(attacker, 1_000, 1, customer)
    sweep()
    # What the settler moves meanwhile is not swept.
    exact.settle((attacker, 400, 400, 2))
    exact.front(attacker, 30, 3, customer)
    exact.till.usd.transfer(exact.till.pay_to, 5, sender=customer)
    sweep()
    assert found() == (1_435, 1_430, 0)


def test_read_hours__swept_for_several_gateways__the_sweeps_are_read_once(
    exact: ExactWays,
    found: Related,
    books: Books,
    customer: AccountAPI,
    attacker: AccountAPI,
    keeper: AccountAPI,
    holder: AccountAPI,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settler, usd = exact.till.settler, exact.till.usd
    payments = [
        (keeper, attacker, 1_000),
        (holder, customer, 7),
        (keeper, customer, 20),
        (holder, attacker, 300),
        (customer, attacker, 4),
        (keeper, attacker, 50),
    ]
    for gateway, payer, amount in payments:
        usd.transfer(settler.payTo(books.cluster_id, gateway), amount, sender=payer)
        settler.sweep(books.cluster_id, gateway, sender=customer)
    looks, logs = [], ChainClient.logs

    async def counted(client: ChainClient, **asked: Any) -> Any:
        looks.append(asked["topics"][0])
        return await logs(client, **asked)

    monkeypatch.setattr(ChainClient, "logs", counted)

    assert found() == (1_381, 1_354, 0)
    assert looks.count([contract_abi("X402Settler").events["Swept"].topic]) == 1


def test_of__its_block_was_taken_back_meanwhile__unavailable(
    exact: ExactWays, record: Record, books: Books, customer: AccountAPI
) -> None:
    exact.settle((customer, 50, 20, 1))

    async def read(client: ChainClient) -> None:
        deployment, to = record.deployment, await client.block()
        payments = InferencePayments(client, deployment.address_of("InferencePayments"))
        (allocated,) = await payments.events(["IncomeAllocated"], from_block=to.number)
        cluster_id = ClusterId(books.cluster_id)
        payers = PayersReader(client, deployment, payments, cluster_id)
        assert await payers.of(allocated, to.number) == {Address(str(customer.address)): 20}
        before = replace(allocated.log, block_hash=to.parent_hash, block_number=to.number - 1)
        with pytest.raises(ChainUnavailable, match="in another block"):
            await payers.of(replace(allocated, log=before), to.number)

    answer_of(record.chain_id, read)
