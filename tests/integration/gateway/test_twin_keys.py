"""A payer who searched for two session keys that a collection's event names alike."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import httpx
import pytest

from api.chain.abi import contract_abi
from api.domain.codec import to_hex
from api.store.embedded import EmbeddedPostgres
from scripts._lib.anvil import rpc
from scripts._lib.cast import Account
from tests.support.selling import MODEL, USD, Customer, Shop, unmined, until

TWINS = (2**200 + 0x8514E, 2**200 + 0x11EA89)
"""Found in a minute among a million."""


@dataclass(frozen=True)
class Twin(Account):
    """A key whose address ends as the other's, by 40 bits."""

    secret: int = 0

    @cached_property
    def key(self) -> bytes:
        return self.secret.to_bytes(32)


@pytest.fixture(scope="module")
def patient(shop: Shop, postgres: EmbeddedPostgres) -> Iterator[Shop]:
    """A gateway that collects when it is started, and then not for long."""
    patient = shop.beside(Account(112, "patient"), postgres.url("patient"), collect_s=3_600)
    yield patient
    patient.gateway.stop()


def buy(customer: Customer, tokens: int) -> int:
    """What a request comes to."""
    body = {"model": MODEL, "prompt": "A rack", "max_tokens": tokens, "seed": 7}
    url = f"{customer.shop.gateway.url}/v1/completions"
    answer = httpx.post(url, json=body, headers=customer.pay(), timeout=30)
    assert answer.status_code == 200, answer.text
    return int(customer.channel()["spentUsd6"])


def revoke_first(customer: Customer) -> None:
    """Revoke the key by a transaction that goes before all that wait; without waiting for it."""
    shop, payer = customer.shop, customer.account.address
    revoke = contract_abi("InferencePayments").functions["revoke"]
    transaction = {
        "from": payer,
        "to": shop.payments,
        "data": to_hex(revoke.encode([customer.session.address, shop.gateway.address])),
        "gas": hex(200_000),
        "maxFeePerGas": hex(500 * 10**9),
        "maxPriorityFeePerGas": hex(400 * 10**9),
    }
    rpc(shop.anvil.port, "eth_sendTransaction", transaction)


def is_sent(shop: Shop) -> bool:
    port, gateway = shop.anvil.port, shop.gateway.address
    mined, sent = (
        int(rpc(port, "eth_getTransactionCount", gateway, at), 16) for at in ("latest", "pending")
    )
    return sent > mined


def test_collect__keys_that_the_event_names_alike_and_one_revoked__each_is_booked_as_itself(
    patient: Shop,
) -> None:
    first = patient.customer(15, USD)
    one, other = (Customer(first.account, Twin(0, f"{n}", n), patient) for n in TWINS)
    assert one.session.address[-10:].lower() == other.session.address[-10:].lower()
    for twin in (one, other):
        patient.authorise(twin)
    charges = [buy(one, 60), buy(other, 5)]
    assert charges[0] > charges[1] > 0

    patient.gateway.stop()
    patient.gateway.environment["RACKSTREAM_GATEWAY_COLLECT_S"] = "1"
    with unmined(patient.anvil.port):
        patient.gateway.start()
        until(lambda: is_sent(patient), "a batch sent")
        revoke_first(one)
    until(lambda: not is_sent(patient), "mined")
    assert patient.collected(one) == 0

    # What that key was served for stays due, all of it; a start asks anew who could not pay.
    patient.authorise(one)
    patient.gateway.stop()
    patient.gateway.start()
    until(lambda: [patient.collected(each) for each in (one, other)] == charges, "collected")
    until(lambda: patient.gateway.figure("uncollected_usd6") == 0, "nothing due")
