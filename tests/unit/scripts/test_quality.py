"""What is read from a chain: GPU time that nobody was billed for, related payers; its table."""

from __future__ import annotations

from collections.abc import Coroutine
from dataclasses import replace
from typing import Any

import pytest
from ape import chain, project
from ape.api import AccountAPI
from eth_account.signers.local import LocalAccount
from rich.console import Console

from api.chain.client import ChainClient
from api.chain.quality import QualityReader
from api.domain.quality import Hour, Relation
from api.errors import Oversized, UnknownCluster
from api.types import Address, ClusterId, Epoch
from scripts._lib import quality
from scripts._lib.network import answer_of
from scripts._lib.record import Record
from tests.support.oracle import Figures
from tests.support.payments import FOREVER, ROOT
from tests.support.revenue import Books
from tests.support.scenario import EPOCH_SECONDS, USD, current_epoch, travel_to_epoch
from tests.support.ways import Counter

WHY = b"\x44" * 32


def hour_of(record: Record, books: Books, epoch: int) -> Hour:
    (hour,) = [one for one in quality.read_hours(record, books.cluster_id) if one.epoch == epoch]
    return hour


def test_read_hours__measured__tell_what_was_busy_and_not_billed(
    record: Record, books: Books
) -> None:
    figures = Figures(books.cluster_id, 400, 3_600, 3_000, 2_500, 1_800)
    chain.pending_timestamp = books.start + EPOCH_SECONDS
    books.desk.post(books.desk.report(books.first_epoch, figures))

    running, measured, *_ = quality.read_hours(record, books.cluster_id)

    assert measured.epoch == books.first_epoch
    assert (measured.busy_gpu_seconds, measured.leaked_gpu_seconds) == (2_500, 700)
    assert running.epoch == books.first_epoch + 1
    assert (running.busy_gpu_seconds, running.leaked_gpu_seconds) == (None, None)


def test_read_hours__several_payers_in_a_batch__the_related_ones_part_of_it(
    record: Record,
    books: Books,
    counter: Counter,
    customer: AccountAPI,
    holder: AccountAPI,
    issuer: AccountAPI,
    hot: LocalAccount,
) -> None:
    system, till = record.system(), counter.till
    epoch = current_epoch()
    system.payments.depositFor(holder, 20 * USD, sender=customer)
    system.payments.authorise(hot.address, till.gateway, 20 * USD, FOREVER, sender=holder)
    system.related.declare(books.cluster_id, holder, epoch, WHY, sender=issuer)
    before = till.collected(customer, hot)

    till.collect(till.voucher(holder, hot, 3 * USD), till.voucher(customer, hot, before + 5 * USD))
    books.receive(7 * USD)

    hour = hour_of(record, books, epoch)
    assert (hour.paid_usd6, hour.related_usd6, hour.unknown_usd6) == (15 * USD, 3 * USD, 0)


def test_read_hours__a_direct_payer_declared_later__counts_backwards(
    record: Record, books: Books, customer: AccountAPI, issuer: AccountAPI, registrar: AccountAPI
) -> None:
    epoch = current_epoch()
    books.receive(4 * USD)
    assert hour_of(record, books, epoch).related_usd6 == 0
    chain.pending_timestamp = (epoch + 1) * EPOCH_SECONDS
    books.receive(2 * USD)
    record.system().related.declare(books.cluster_id, customer, epoch, WHY, sender=issuer)
    record.system().related.end(books.cluster_id, customer, WHY, sender=registrar)
    chain.pending_timestamp = (epoch + 2) * EPOCH_SECONDS
    books.receive(1 * USD)

    related = [hour_of(record, books, epoch + later).related_usd6 for later in range(3)]

    assert related == [4 * USD, 2 * USD, 0]


def test_relations__dated_back_ended_and_declared_again__are_two(
    record: Record, books: Books, customer: AccountAPI, issuer: AccountAPI, registrar: AccountAPI
) -> None:
    related, epoch = record.system().related, current_epoch()
    related.declare(books.cluster_id, customer, epoch, WHY, sender=issuer)
    related.declare(books.cluster_id, customer, epoch - 9, WHY, sender=issuer)
    related.end(books.cluster_id, customer, WHY, sender=registrar)
    chain.pending_timestamp = (epoch + 2) * EPOCH_SECONDS
    related.declare(books.cluster_id, customer, epoch + 2, WHY, sender=customer)

    async def read(client: ChainClient) -> list[Relation]:
        to = (await client.block()).number
        reader = QualityReader(client, record.deployment, ClusterId(books.cluster_id))
        return await reader.relations(to)

    account = Address(str(customer.address))
    assert answer_of(record.chain_id, read) == [
        Relation(account, Epoch(epoch - 9), Epoch(epoch)),
        Relation(account, Epoch(epoch + 2), None),
    ]


def test_read_hours__another_clusters_part_of_a_voucher__is_not_counted(
    record: Record,
    books: Books,
    counter: Counter,
    customer: AccountAPI,
    holder: AccountAPI,
    issuer: AccountAPI,
    hot: LocalAccount,
) -> None:
    other, _ = books.scenario.live_cluster([holder], [10**6])
    epoch = current_epoch()
    record.system().related.declare(books.cluster_id, customer, epoch, WHY, sender=issuer)
    till = type(counter.till)(
        counter.till.payments, counter.till.gateway, (books.cluster_id, other)
    )
    spent = till.collected(customer, hot)
    till.collect(till.voucher(customer, hot, spent + 9 * USD, [(0, 4 * USD), (1, 5 * USD)]))

    hour = hour_of(record, books, epoch)

    assert (hour.paid_usd6, hour.related_usd6) == (4 * USD, 4 * USD)
    (theirs, *_) = quality.read_hours(record, other, 1)
    assert (theirs.paid_usd6, theirs.related_usd6) == (5 * USD, 0)


def test_table__of_the_hours__has_their_sums(record: Record, books: Books, charged: Any) -> None:
    charged(2 * USD)
    output = Console(width=200, record=True)
    output.print(quality.table(books.cluster_id, quality.read_hours(record, books.cluster_id, 2)))
    shown = output.export_text()
    assert shown.count("$2.00") == 2
    assert "not final" in shown
    assert "busy, not billed" in shown


@pytest.mark.parametrize(("asked", "told"), [(1, 1), (3, 3), (9, 4)])
def test_read_hours__as_many_as_asked__the_newest_first_and_none_before_the_cluster(
    record: Record, books: Books, asked: int, told: int
) -> None:
    travel_to_epoch(books.first_epoch + 3)
    found = quality.read_hours(record, books.cluster_id, asked)
    newest = books.first_epoch + 3
    assert [hour.epoch for hour in found] == [newest - back for back in range(told)]


def test_read_hours__paid_before_the_first_epoch__is_told(
    record: Record, books: Books, holder: AccountAPI
) -> None:
    cluster_id, _ = books.scenario.live_cluster([holder], [10**6])
    first = int(record.system().registry.epochRange(cluster_id).firstEpoch)
    assert [hour.epoch for hour in quality.read_hours(record, cluster_id)] == [first - 1]
    replace(books, cluster_id=cluster_id).receive(5 * USD)
    travel_to_epoch(first + 1)
    found = quality.read_hours(record, cluster_id)
    assert [hour.epoch for hour in found] == [first + 1, first, first - 1]
    assert [hour.paid_usd6 for hour in found] == [0, 0, 5 * USD]


def test_read_hours__a_contract_in_between__its_payers_are_unknown(
    record: Record,
    books: Books,
    counter: Counter,
    customer: AccountAPI,
    deployer: AccountAPI,
    hot: LocalAccount,
) -> None:
    payments, gateway = record.system().payments, deployer.deploy(project.HostileWallet)
    payments.authorise(hot.address, gateway, 10 * USD, FOREVER, sender=customer)
    till = counter.till.at(gateway)
    voucher = till.voucher(customer, hot, 3 * USD)
    call = payments.collect.encode_input(voucher, till.works, ROOT)
    gateway.execute(payments, call, sender=customer)
    books.receive(1 * USD)

    hour = hour_of(record, books, current_epoch())

    assert (hour.paid_usd6, hour.related_usd6, hour.unknown_usd6) == (4 * USD, 0, 3 * USD)


@pytest.mark.parametrize("cluster_id", [0, 99, 2**32])
def test_read_hours__no_such_cluster__says_so(
    record: Record, books: Books, cluster_id: int
) -> None:
    with pytest.raises(UnknownCluster, match=f"cluster {cluster_id} is not known"):
        quality.read_hours(record, cluster_id)


def bounded(record: Record, books: Books, **limits: int) -> list[Hour]:
    """The last hour, read with these limits."""

    def hours(client: ChainClient) -> Coroutine[Any, Any, list[Hour]]:
        reader = QualityReader(client, record.deployment, ClusterId(books.cluster_id))
        return reader.hours(1, **limits)

    return answer_of(record.chain_id, hours)


def test_hours__more_payments_than_are_read__refused_with_both_numbers(
    record: Record, books: Books, charged: Any
) -> None:
    charged(2 * USD)
    books.receive(3 * USD)

    assert bounded(record, books, most_payments=2)[0].paid_usd6 == 5 * USD
    with pytest.raises(Oversized, match="2 payments in these hours, at most 1"):
        bounded(record, books, most_payments=1)


def test_hours__more_declared_than_are_read__refused(
    record: Record, books: Books, customer: AccountAPI, holder: AccountAPI, issuer: AccountAPI
) -> None:
    for account in (customer, holder):
        record.system().related.declare(
            books.cluster_id, account, current_epoch(), WHY, sender=issuer
        )
    books.receive(3 * USD)

    assert bounded(record, books, most_relations=2)[0].related_usd6 == 3 * USD
    with pytest.raises(Oversized, match="2 words on related parties, at most 1"):
        bounded(record, books, most_relations=1)
