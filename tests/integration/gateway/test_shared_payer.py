"""Two gateways, one payer: each takes what it served, together never more than there is."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from api.domain.x402 import PaymentRequired
from api.store.embedded import EmbeddedPostgres
from scripts._lib.anvil import rpc
from scripts._lib.cast import Account
from tests.support.selling import MODEL, USD, Customer, Shop, unmined, until

RIVAL = Account(29, "rival")


@pytest.fixture(scope="module")
def rival(shop: Shop, postgres: EmbeddedPostgres) -> Iterator[Shop]:
    rival = shop.beside(RIVAL, postgres.url("rival"))
    yield rival
    rival.gateway.stop()


def ask(customer: Customer, headers: dict[str, str], **fields: object) -> httpx.Response:
    body = {"model": MODEL, "prompt": "A rack", "max_tokens": 60, "seed": 7} | fields
    url = f"{customer.shop.gateway.url}/v1/completions"
    return httpx.post(url, json=body, headers=headers, timeout=30)


def buy(customer: Customer) -> int:
    """What a request that is served comes to, in 10⁻⁶ dollars."""
    before = int(customer.channel()["spentUsd6"])
    answer = ask(customer, customer.pay())
    assert answer.status_code == 200, answer.text
    return int(customer.channel()["spentUsd6"]) - before


def most_of(customer: Customer) -> int:
    """What such a request may come to."""
    required = PaymentRequired.from_header(ask(customer, {}).headers["PAYMENT-REQUIRED"])
    return next(offer.amount for offer in required.accepts if offer.scheme == "voucher")


def collected(*customers: Customer) -> list[int]:
    return [one.shop.collected(one) for one in customers]


def is_waiting(customer: Customer) -> bool:
    """Whether its gateway has a transaction that is not mined."""
    port, gateway = customer.shop.anvil.port, customer.shop.gateway.address
    mined, sent = (
        int(rpc(port, "eth_getTransactionCount", gateway, at), 16) for at in ("latest", "pending")
    )
    return sent > mined


def test_collect__two_gateways_serve_one_payer__each_takes_its_own(shop: Shop, rival: Shop) -> None:
    customer = shop.customer(9, 5 * USD)
    guest = customer.at(rival)
    before = shop.income()

    charges = [sum(buy(one) for _ in range(number)) for one, number in ((customer, 3), (guest, 2))]

    until(lambda: collected(customer, guest) == charges, "each has its own")
    assert shop.income() - before == sum(charges)


def test_collect__two_gateways_were_promised_the_same_dollars__one_is_short_and_nothing_is_twice(
    shop: Shop, rival: Shop
) -> None:
    customer = shop.customer(10, 1)
    guest = customer.at(rival)
    balance = most_of(customer)
    shop.fund(customer, balance - 1)
    before = shop.income()
    shorts = [one.shop.gateway.figure("short_usd6_total") for one in (customer, guest)]

    with unmined(shop.anvil.port):
        until(lambda: int(guest.channel()["roomUsd6"]) == balance, "the money seen")
        charges = [buy(customer), buy(guest)]
        assert max(charges) <= balance < sum(charges)
        until(lambda: is_waiting(customer) and is_waiting(guest), "both batches sent")

    until(lambda: sum(collected(customer, guest)) == balance, "all there was is collected")
    got = collected(customer, guest)
    assert sorted(got) == sorted([charges[0], balance - charges[0]])
    missing = sum(charges) - balance
    poor = guest if got[0] == charges[0] else customer
    short = shorts[(customer, guest).index(poor)]
    until(lambda: poor.shop.gateway.figure("short_usd6_total") == short + missing, "short told")
    # Others of this gateway may owe too.
    until(lambda: poor.shop.gateway.figure("uncollected_usd6") >= missing, "a debt told")
    assert ask(poor, poor.pay()).json()["reason"] == "insufficient_funds"

    shop.fund(customer, missing)
    poor.shop.gateway.stop()
    # It asks anew whoever could not pay.
    poor.shop.gateway.start()
    until(lambda: collected(customer, guest) == charges, "the rest collected")
    assert shop.income() - before == sum(charges)
