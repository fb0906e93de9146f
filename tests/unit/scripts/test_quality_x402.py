"""Who paid by x402, as it is read from a chain: to the unit, whichever way it came."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from ape import chain
from ape.api import AccountAPI

from scripts._lib import quality
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
