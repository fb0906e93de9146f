"""OpenAI's client over the paying transports, before the real gateway."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import openai
import pytest

from api.client.promises import Promises, Terms
from api.client.transport import AsyncPayingTransport, PayingTransport
from api.errors import SpendLimitReached
from api.types import LOCAL_CHAIN_ID
from tests.support.selling import MODEL, USD, Customer, Shop, until

QUESTION: list[Any] = [{"role": "user", "content": "What is a voucher?"}]


def promises_of(customer: Customer, limit_usd6: int, step_usd6: int = 100) -> Promises:
    shop = customer.shop
    terms = Terms(LOCAL_CHAIN_ID, shop.payments, shop.gateway.address, shop.stablecoin)
    signer, payer = customer.session.signer, customer.account.address
    return Promises(terms, signer, payer, limit_usd6=limit_usd6, step_usd6=step_usd6)


def channel_of(customer: Customer) -> dict[str, Any]:
    path = f"/v1/channels/{customer.account.address}/{customer.session.address}"
    found: dict[str, Any] = httpx.get(customer.shop.gateway.url + path).json()
    return found


def test_client__over_the_transport__is_answered_and_collected(shop: Shop) -> None:
    customer = shop.customer(20, 5 * USD)
    url = shop.gateway.url
    with httpx.Client(transport=PayingTransport(url, promises_of(customer, USD))) as http:
        given: Any = http
        client = openai.OpenAI(base_url=f"{url}/v1", api_key="-", http_client=given)
        for seed in range(5):
            whole = client.chat.completions.create(
                model=MODEL, messages=QUESTION, max_tokens=60, seed=seed
            )
            events = client.chat.completions.create(
                model=MODEL, messages=QUESTION, max_tokens=60, seed=seed, stream=True
            )
            said = [e.choices[0].delta.content or "" for e in events if e.choices]
            assert "".join(said) == whole.choices[0].message.content
    channel = channel_of(customer)
    spent, promised = int(channel["spentUsd6"]), int(channel["promisedUsd6"])
    assert 0 < spent <= promised < 1_000
    until(lambda: shop.collected(customer) == spent, "what was used collected")

    # Another process goes on from what the gateway can prove.
    with httpx.Client(transport=PayingTransport(url, promises_of(customer, USD))) as http:
        body = {"model": MODEL, "messages": QUESTION, "max_tokens": 10}
        assert http.post(f"{url}/v1/chat/completions", json=body).status_code == 200


async def test_client__many_at_once__are_all_answered(shop: Shop) -> None:
    customer = shop.customer(21, 5 * USD)
    url = shop.gateway.url
    transport = AsyncPayingTransport(url, promises_of(customer, USD, step_usd6=0))
    async with httpx.AsyncClient(transport=transport, timeout=60) as http:
        given: Any = http
        client = openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="-", http_client=given)
        answers = await asyncio.gather(
            *(
                client.chat.completions.create(
                    model=MODEL, messages=QUESTION, max_tokens=20 + number, seed=number
                )
                for number in range(40)
            )
        )
    assert all(answer.usage is not None for answer in answers)
    spent = int(channel_of(customer)["spentUsd6"])
    until(lambda: shop.collected(customer) == spent, "what was used collected")


def test_client__at_its_limit__stops_before_it_is_above(shop: Shop) -> None:
    customer = shop.customer(22, 5 * USD)
    url, limit = shop.gateway.url, 300
    with httpx.Client(transport=PayingTransport(url, promises_of(customer, limit))) as http:
        given: Any = http
        client = openai.OpenAI(base_url=f"{url}/v1", api_key="-", http_client=given)
        with pytest.raises(SpendLimitReached):
            for seed in range(100):
                client.chat.completions.create(
                    model=MODEL, messages=QUESTION, max_tokens=60, seed=seed
                )
    channel = channel_of(customer)
    assert 0 < int(channel["spentUsd6"]) <= int(channel["promisedUsd6"]) <= limit
