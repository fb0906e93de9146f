"""Whoever has too many requests refused waits; nobody else does."""

from __future__ import annotations

import time
from collections.abc import Iterator

import httpx
import pytest

from api.store.embedded import EmbeddedPostgres
from scripts._lib.cast import Account
from tests.support.selling import MODEL, USD, Shop

ANNOYING, HONEST = "127.0.0.2", "127.0.0.3"


@pytest.fixture(scope="module")
def strict(shop: Shop, postgres: EmbeddedPostgres) -> Iterator[Shop]:
    """One request a second may be refused, ten at once."""
    strict = shop.beside(Account(118, "strict"), postgres.url("strict"), unpaid_per_second=1)
    yield strict
    strict.gateway.stop()


def ask(shop: Shop, address: str, headers: dict[str, str]) -> httpx.Response:
    body = {"model": MODEL, "prompt": "A rack", "max_tokens": 5}
    transport = httpx.HTTPTransport(local_address=address)
    with httpx.Client(transport=transport, base_url=shop.gateway.url, timeout=30) as client:
        return client.post("/v1/completions", json=body, headers=headers)


def refused(shop: Shop) -> int:
    """How many were, as Prometheus is told."""
    text = httpx.get(f"{shop.gateway.url}/metrics", timeout=10).text
    name = 'rackstream_gateway_refused_total{reason="rate-limited"}'
    return sum(int(float(line.split()[1])) for line in text.splitlines() if line.startswith(name))


def until_rationed(shop: Shop) -> list[httpx.Response]:
    """Unpaid requests, the last of which is not looked at."""
    answers = [ask(shop, ANNOYING, {})]
    while answers[-1].status_code != 429:
        assert len(answers) < 200
        answers.append(ask(shop, ANNOYING, {}))
    return answers


def test_requests__refused_again_and_again__wait_and_no_other_address_does(
    shop: Shop, strict: Shop
) -> None:
    customer = shop.customer(24, USD).at(strict)
    *looked_at, rationed = until_rationed(strict)
    assert len(looked_at) >= 10
    assert {answer.status_code for answer in looked_at} == {402}
    assert rationed.json()["code"] == rationed.json()["error"]["code"] == "rate-limited"
    assert refused(strict) == 1
    assert ask(strict, HONEST, customer.pay()).status_code == 200

    # Whoever pays is served there too, as soon as the address has waited.
    *_, rationed = until_rationed(strict)
    time.sleep(int(rationed.headers["retry-after"]) + 0.1)
    assert ask(strict, ANNOYING, customer.pay()).status_code == 200
