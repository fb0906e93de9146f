"""A gateway that trusts little has locked what it serves for: nobody else can take it."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import httpx
import pytest

from api.client.promises import Promises, Terms
from api.client.transport import PayingTransport
from api.domain.vouchers import Lock
from api.domain.x402 import Payment, PaymentRequired
from api.store.embedded import EmbeddedPostgres
from api.types import LOCAL_CHAIN_ID
from scripts._lib.anvil import rpc
from scripts._lib.cast import Account
from tests.support.selling import MODEL, USD, Customer, Shop, balance_of, take_all, until

TRUSTED_USD6 = 100
DEPTH = 2
ASKED = {"model": MODEL, "prompt": "A rack", "max_tokens": 160, "seed": 7}
"""Comes to more than is trusted."""


def careful(shop: Shop, postgres: EmbeddedPostgres, index: int, confirmations: int) -> Shop:
    """A gateway that collects when it starts, and then not for long."""
    account = Account(index, f"careful_{index}")
    return shop.beside(
        account,
        postgres.url(account.name),
        lock_above_usd6=TRUSTED_USD6,
        collect_s=3_600,
        confirmations=confirmations,
    )


@pytest.fixture(scope="module")
def first(shop: Shop, postgres: EmbeddedPostgres) -> Iterator[Shop]:
    first = careful(shop, postgres, 110, 0)
    yield first
    first.gateway.stop()


@pytest.fixture(scope="module")
def second(shop: Shop, postgres: EmbeddedPostgres) -> Iterator[Shop]:
    """Its locks count with some blocks upon them."""
    second = careful(shop, postgres, 111, DEPTH)
    yield second
    second.gateway.stop()


def ask(customer: Customer, headers: dict[str, str]) -> httpx.Response:
    return httpx.post(
        f"{customer.shop.gateway.url}/v1/completions", json=ASKED, headers=headers, timeout=60
    )


def by_api_key(customer: Customer) -> httpx.Response:
    return ask(customer, {"authorization": f"Bearer {customer.api_key}"})


def paying(customer: Customer) -> httpx.Client:
    """A client that pays by itself."""
    shop = customer.shop
    terms = Terms(LOCAL_CHAIN_ID, shop.payments, shop.gateway.address, shop.stablecoin)
    promises = Promises(
        terms, customer.session.signer, customer.account.address, limit_usd6=5_000, step_usd6=100
    )
    transport = PayingTransport(shop.gateway.url, promises)
    return httpx.Client(transport=transport, timeout=60)


def by_client(customer: Customer) -> httpx.Response:
    with paying(customer) as http:
        return http.post(f"{customer.shop.gateway.url}/v1/completions", json=ASKED)


def spent(customer: Customer) -> int:
    return int(customer.channel()["spentUsd6"])


def locked(customer: Customer) -> int:
    """What the chain has locked for its channel now."""
    shop = customer.shop
    key = customer.account.address, customer.session.address, shop.gateway.address
    return int(shop.read("InferencePayments", shop.payments, "channel", *key)[3])


def test_serve__more_than_is_trusted__is_locked_and_collected_though_the_payer_empties_its_balance(
    first: Shop, second: Shop
) -> None:
    customer = first.customer(12, USD)
    guest = customer.at(second)

    assert by_api_key(customer).status_code == 200
    with ThreadPoolExecutor(1) as pool:
        asking: Future[httpx.Response] = pool.submit(by_client, guest)
        until(lambda: locked(guest) > 0, "the lock mined")
        # Not deep enough yet, and nothing is served.
        assert (asking.done(), spent(guest)) == (False, 0)
        rpc(first.anvil.port, "anvil_mine", hex(DEPTH))
        assert asking.result(30).status_code == 200
    charges = [spent(customer), spent(guest)]
    assert min(charges) > 0
    assert all(
        locked(one) >= charge for one, charge in zip((customer, guest), charges, strict=True)
    )
    take_all(customer)
    assert balance_of(customer) == 0

    for one in (customer, guest):
        one.shop.gateway.stop()
        one.shop.gateway.start()
    until(lambda: [one.shop.collected(one) for one in (customer, guest)] == charges, "collected")


def test_serve__more_than_is_trusted_and_no_consent__is_refused_with_the_lock_that_would_do(
    first: Shop,
) -> None:
    customer = first.customer(13, USD)

    refused = ask(customer, customer.pay())

    assert (refused.status_code, refused.json()["reason"]) == (402, "lock_needed")
    required = PaymentRequired.from_header(refused.headers["PAYMENT-REQUIRED"])
    offer = required.accepts[0]
    wanted = int(offer.extra["lock"]["cumulativeUsd6"])
    assert wanted == offer.amount + TRUSTED_USD6
    # What does not even cover the request, or is over soon, is not worth a transaction.
    assert ask(customer, consenting(customer, offer.amount - 1)).status_code == 402
    assert ask(customer, consenting(customer, wanted, seconds=3_600)).status_code == 402
    assert locked(customer) == 0
    assert ask(customer, consenting(customer, wanted)).status_code == 200
    assert locked(customer) == wanted
    # Within what is locked and trusted nothing more is asked for.
    assert ask(customer, customer.pay()).status_code == 200
    assert locked(customer) == wanted


def test_serve__lock_that_the_contract_refuses__is_refused_in_its_words(first: Shop) -> None:
    customer = first.customer(14, USD)

    refused = ask(customer, consenting(customer, 2 * USD))

    assert (refused.status_code, refused.json()["reason"]) == (402, "lock_refused")
    assert "InsufficientBalance" in refused.json()["detail"]


def sent_by(shop: Shop) -> int:
    """How many transactions its gateway has in blocks."""
    gateway = shop.gateway.address
    return int(rpc(shop.anvil.port, "eth_getTransactionCount", gateway, "latest"), 16)


def consenting(customer: Customer, cover_usd6: int, seconds: int = 7 * 3_600) -> dict[str, str]:
    """A voucher with a lock beside it."""
    shop = customer.shop
    (header,) = customer.pay().values()
    payment = Payment.from_header(header)
    newest = int(rpc(shop.anvil.port, "eth_getBlockByNumber", "latest", False)["timestamp"], 16)
    lock = Lock.signed(
        shop.payments_domain,
        customer.session.signer,
        customer.account.address,
        shop.gateway.address,
        cover_usd6,
        newest + seconds,
    )
    payload = {**payment.payload, "lock": lock.payload()}
    return {"PAYMENT-SIGNATURE": Payment(payment.accepted, payload).to_header()}


def figures(shop: Shop) -> dict[str, int]:
    """What its gateway says of locks: how many, and what the dollars stand for."""
    states = ("owed", "held", "unused", "uncounted")
    by_state = {one: shop.gateway.figure(f'locked_usd6{{state="{one}"}}') for one in states}
    told = by_state | {"locks": shop.gateway.figure("locks")}
    return {name: int(value) for name, value in told.items()}


def test_metrics__a_lock_and_what_was_served_on_it__are_told(first: Shop) -> None:
    customer, cover = first.customer(18, USD), 5_000
    before = figures(first)

    assert ask(customer, consenting(customer, cover)).status_code == 200

    more = {name: value - before[name] for name, value in figures(first).items()}
    charged = spent(customer)
    assert 0 < charged < cover
    assert more == {
        "locks": 1, "owed": charged, "held": 0, "unused": cover - charged, "uncounted": 0,
    }  # fmt: skip


@pytest.mark.parametrize(("number", "how"), [(16, "api key"), (17, "client")])
def test_serve__many_at_once_need_a_lock__few_transactions_are_sent_and_all_are_served(
    first: Shop, number: int, how: str
) -> None:
    customer, many = first.customer(number, USD), 12
    before = sent_by(first)
    with ThreadPoolExecutor(many) as pool:
        if how == "api key":
            answers = list(pool.map(by_api_key, [customer] * many))
        else:
            with paying(customer) as http:
                url = f"{first.gateway.url}/v1/completions"
                answers = list(pool.map(lambda _: http.post(url, json=ASKED), range(many)))
    assert {answer.status_code for answer in answers} == {200}
    assert 0 < sent_by(first) - before < many / 2
    outstanding = spent(customer) - first.collected(customer)
    assert locked(customer) >= outstanding - TRUSTED_USD6
