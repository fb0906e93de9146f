"""Payments settled before it is known what will be used of them; and what came without a call."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ape import chain, reverts
from ape.api import AccountAPI, ReceiptAPI

from api.domain.work import NO_MODEL
from scripts._lib.deployment import System
from tests.support.payments import DAY, ROOT, Till, events
from tests.support.scenario import USD
from tests.support.x402 import Counter
from tests.unit.contracts.payments.conftest import BALANCE
from tests.unit.contracts.payments.test_settle import bring


@pytest.fixture
def batch(counter: Counter, customer: AccountAPI, attacker: AccountAPI) -> ReceiptAPI:
    """Three and one dollars, of which nobody has said what was used."""
    return counter.settle_ahead(
        counter.payment(customer, 3 * USD, 1), counter.payment(attacker, USD, 2)
    )


@pytest.fixture
def batch_id(counter: Counter, batch: ReceiptAPI) -> bytes:
    (settled,) = events(batch, counter.settler, "SettledAhead")
    return bytes(settled.batchId)


@pytest.fixture
def entries(counter: Counter, customer: AccountAPI, attacker: AccountAPI) -> list[int]:
    return [
        *counter.authorization(customer, 3 * USD, 1).entry,
        *counter.authorization(attacker, USD, 2).entry,
    ]


def test_settle_ahead__good_payments__wait_under_their_hash(
    counter: Counter, batch: ReceiptAPI, batch_id: bytes, entries: list[int], system: System
) -> None:
    assert events(batch, counter.settler, "SettledAhead") == [
        counter.settler.SettledAhead(
            counter.gateway, counter.cluster, batch_id, NO_MODEL, 4 * USD, entries
        )
    ]
    waits = counter.settler.pending(batch_id)
    assert (waits.amountUsd6, waits.settledAt) == (4 * USD, batch.timestamp)
    assert not events(batch, system.waterfall, "IncomeReceived")
    assert counter.usd.balanceOf(counter.settler) == 4 * USD


def test_settle_ahead__nothing_good__is_no_batch(counter: Counter) -> None:
    receipt = counter.settle_ahead()
    assert tuple(receipt.return_value) == (b"\0" * 32, 0)
    assert not events(receipt, counter.settler, "SettledAhead")


@pytest.mark.usefixtures("batch")
def test_allocate__by_its_gateway__credits_payers_and_pays_the_cluster(
    counter: Counter,
    till: Till,
    customer: AccountAPI,
    batch_id: bytes,
    entries: list[int],
    system: System,
) -> None:
    receipt = counter.allocate(entries, {0: 2 * USD})
    assert events(receipt, counter.settler, "Allocated") == [
        counter.settler.Allocated(batch_id, counter.gateway, ROOT)
    ]
    (income,) = events(receipt, system.waterfall, "IncomeReceived")
    assert (income.amountUsd6, income.ref) == (2 * USD, ROOT)
    assert till.balance(customer) == BALANCE + 2 * USD
    assert counter.settler.pending(batch_id).amountUsd6 == 0
    with reverts(counter.settler.X402Settler_NotPending, batchId=batch_id):
        counter.allocate(entries)


@pytest.mark.usefixtures("batch")
def test_allocate__other_gateway_work_or_entries__are_no_batch(
    counter: Counter, till: Till, attacker: AccountAPI, entries: list[int]
) -> None:
    thief = int(str(attacker.address), 16) << 96 | 3 * USD
    for here, words in (
        (counter.at(attacker), entries),
        (counter.serving(till.clusters[1]), entries),
        (replace(counter, model=b"\x01" * 32), entries),
        (counter, [thief, *entries[1:]]),
        (counter, entries[:2]),
        (counter, []),
    ):
        with reverts(counter.settler.X402Settler_NotPending):
            here.allocate(words, {0: USD} if words else {})


@pytest.mark.usefixtures("batch")
def test_allocate__credit_above_a_payment__is_refused(
    counter: Counter, entries: list[int], batch_id: bytes
) -> None:
    with reverts(counter.settler.X402Settler_OverLimit, amountUsd6=USD + 1, limit=USD):
        counter.allocate(entries, {1: USD + 1})
    assert counter.settler.pending(batch_id).amountUsd6 == 4 * USD


def test_allocate__with_a_failed_payment__passes_its_credit_over(
    counter: Counter, till: Till, customer: AccountAPI
) -> None:
    payment = counter.payment(customer, USD, 1)
    receipt = counter.settle_ahead(payment, payment)
    (settled,) = events(receipt, counter.settler, "SettledAhead")
    counter.allocate(list(settled.entries), {0: 1, 1: USD})
    assert till.balance(customer) == BALANCE + 1


def test_settle_ahead__model_that_nobody_registered__is_refused_before_anything_moves(
    counter: Counter, system: System
) -> None:
    unknown = b"\x0d" * 32
    with reverts(system.models.ModelRegistry_Unknown, modelId=unknown):
        counter.settler.settleAhead((counter.cluster, unknown), b"", sender=counter.gateway)


def test_pass_on__gateway_silent_for_a_day__is_all_the_clusters(
    counter: Counter,
    batch: ReceiptAPI,
    batch_id: bytes,
    entries: list[int],
    attacker: AccountAPI,
    system: System,
) -> None:
    open_at = batch.timestamp + DAY
    waiting = (counter.gateway, counter.work, entries)
    chain.pending_timestamp = open_at - 1
    with reverts(counter.settler.X402Settler_TooEarly, batchId=batch_id, openAt=open_at):
        counter.settler.passOn(*waiting, sender=attacker)
    chain.pending_timestamp = open_at
    receipt = counter.settler.passOn(*waiting, sender=attacker)
    assert events(receipt, counter.settler, "PassedOn") == [
        counter.settler.PassedOn(batch_id, counter.cluster, 4 * USD)
    ]
    (income,) = events(receipt, system.waterfall, "IncomeReceived")
    assert (income.amountUsd6, income.ref) == (4 * USD, batch_id)
    with reverts(counter.settler.X402Settler_NotPending):
        counter.allocate(entries)
    with reverts(counter.settler.X402Settler_NotPending):
        counter.settler.passOn(*waiting, sender=attacker)


@pytest.mark.parametrize("resumed_after", [None, 2 * DAY])
def test_pass_on__deposits_paused_meanwhile__its_gateway_has_a_day_from_their_end(
    counter: Counter,
    till: Till,
    batch: ReceiptAPI,
    batch_id: bytes,
    entries: list[int],
    attacker: AccountAPI,
    guardian: AccountAPI,
    resumed_after: int | None,
) -> None:
    till.payments.pauseInflow(3 * DAY, sender=guardian)
    if resumed_after is not None:
        chain.pending_timestamp = batch.timestamp + resumed_after
        till.payments.resumeInflow(sender=guardian)
    end = till.payments.inflowPausedUntil()
    waiting = (counter.gateway, counter.work, entries)
    for at in (end - 1, end, end + DAY - 1):
        if at > chain.blocks.head.timestamp:
            chain.pending_timestamp = at
        with reverts(counter.settler.X402Settler_TooEarly, batchId=batch_id, openAt=end + DAY):
            counter.settler.passOn(*waiting, sender=attacker)
    # What was not used is still its payers'.
    with chain.isolate():
        counter.allocate(entries)
    chain.pending_timestamp = end + DAY
    counter.settler.passOn(*waiting, sender=attacker)


@pytest.mark.usefixtures("batch")
def test_allocate__after_a_day_and_before_it_is_passed_on__is_still_the_gateways(
    counter: Counter, till: Till, customer: AccountAPI, entries: list[int]
) -> None:
    chain.pending_timestamp += 2 * DAY
    counter.allocate(entries, {0: 3 * USD})
    assert till.balance(customer) == BALANCE + 3 * USD


def test_settle_ahead__deposits_paused__waits_for_their_end(
    counter: Counter, till: Till, customer: AccountAPI, guardian: AccountAPI
) -> None:
    till.payments.pauseInflow(DAY, sender=guardian)
    counter.settle_ahead(counter.payment(customer, USD, 1))
    entries = counter.authorization(customer, USD, 1).entry
    with reverts(till.payments.InflowPausable_Paused):
        counter.allocate(entries)
    till.payments.resumeInflow(sender=guardian)
    counter.allocate(entries)


@pytest.mark.usefixtures("batch")
def test_sweep__bare_transfers_and_fronted_payments__are_the_clusters_and_no_others(
    counter: Counter,
    customer: AccountAPI,
    attacker: AccountAPI,
    batch_id: bytes,
    system: System,
) -> None:
    bring(counter, customer, 5 * USD, 9)
    counter.usd.transfer(counter.pay_to, USD, sender=customer)
    receipt = counter.settler.sweep(counter.cluster, counter.gateway, sender=attacker)
    assert events(receipt, counter.settler, "Swept") == [
        counter.settler.Swept(counter.cluster, counter.gateway, counter.pay_to, 6 * USD)
    ]
    (income,) = events(receipt, system.waterfall, "IncomeReceived")
    assert income.amountUsd6 == 6 * USD
    assert bytes(income.ref) == bytes(12) + bytes.fromhex(counter.pay_to[2:])
    assert counter.settler.pending(batch_id).amountUsd6 == 4 * USD
    assert counter.usd.balanceOf(counter.settler) == 4 * USD
    with reverts(counter.settler.X402Settler_NothingToSweep, payTo=counter.pay_to):
        counter.settler.sweep(counter.cluster, counter.gateway, sender=attacker)


def test_sweep__before_the_address_has_code__makes_it(
    counter: Counter, customer: AccountAPI
) -> None:
    counter.usd.transfer(counter.pay_to, USD, sender=customer)
    assert not chain.provider.get_code(counter.pay_to)
    receipt = counter.settler.sweep(counter.cluster, counter.gateway, sender=customer)
    assert receipt.return_value == USD
    assert chain.provider.get_code(counter.pay_to)


def test_settle__where_bare_transfers_lie__leaves_them(
    counter: Counter, customer: AccountAPI, system: System
) -> None:
    counter.usd.transfer(counter.pay_to, 7 * USD, sender=customer)
    receipt = counter.settle(counter.payment(customer, USD, 1))
    (income,) = events(receipt, system.waterfall, "IncomeReceived")
    assert income.amountUsd6 == USD
    assert counter.usd.balanceOf(counter.pay_to) == 7 * USD
