"""What `ape run models` does and says."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ape import reverts
from ape.api import AccountAPI
from eth_account.signers.local import LocalAccount

from api.types import Address
from scripts._lib import models
from scripts._lib.deployment import System
from scripts._lib.record import Record
from tests.support.scenario import USD
from tests.support.ways import Counter

WEIGHTS = b"\x0e" * 32


@pytest.fixture(scope="module")
def system(record: Record) -> System:
    """What is on record."""
    return record.system()


def test_in_words__registered_sold_raised_and_paid_out__tells_each(
    record: Record,
    system: System,
    counter: Counter,
    issuer: AccountAPI,
    holder: AccountAPI,
    customer: AccountAPI,
    hot: LocalAccount,
) -> None:
    owner, payee = str(issuer.address), str(holder.address)
    assert not models.is_registered(record, system, "llama", Address(owner))
    model_id = models.register(system, "llama", payee, 250, WEIGHTS, issuer)
    words = [
        f"llama of {owner}: 0x{model_id.hex()}",
        "asks 2.50 %",
        f"has earned $0.000000; {payee} is owed $0.000000",
    ]
    assert list(models.in_words(record, system, owner, "llama")) == words
    assert models.is_registered(record, system, "llama", Address(owner))
    assert not models.is_registered(record, system, "llama", Address(payee))
    assert models.pay_out(system, payee, customer) == 0

    till = replace(counter.till, models=(model_id,))
    spent = till.collected(customer, hot)
    till.collect(till.voucher(customer, hot, spent + 2 * USD))
    system.models.setRoyalty(model_id, 1_000, sender=issuer)
    _, asks, earned = models.in_words(record, system, owner, "llama")
    assert asks.startswith("asks 2.50 %, from 20")
    assert asks.endswith(" on 10.00 %")
    assert earned == f"has earned $0.050000; {payee} is owed $0.050000"

    assert models.pay_out(system, payee, customer) == USD // 20
    *_, earned = models.in_words(record, system, owner, "llama")
    assert earned == f"has earned $0.050000; {payee} is owed $0.000000"


def test_in_words__nobody_registered_it__is_refused(
    record: Record, system: System, issuer: AccountAPI
) -> None:
    with reverts(system.models.ModelRegistry_Unknown):
        list(models.in_words(record, system, str(issuer.address), "unknown"))
