"""Nothing that was given is lost, nothing is charged twice, whatever dies in the middle."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
from collections.abc import Iterator

import httpx
import pytest

from api.store.embedded import EmbeddedPostgres
from scripts._lib.anvil import rpc
from tests.support.reporting import Stage
from tests.support.selling import MODEL, USD, Customer, Shop, until

KILLS = int(os.environ.get("RACKSTREAM_GATEWAY_KILLS", "6"))
"""How often the gateway is killed under load; `make verify KIND=chaos` does it a hundred times."""

CUSTOMERS = 4


@pytest.fixture(scope="module")
def fragile(
    stage: Stage, postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Shop]:
    """A shop of this module's own: its gateway is killed."""
    shop = Shop.open(
        stage,
        tmp_path_factory.mktemp("fragile"),
        postgres.url("fragile"),
        upstream={"tokens_per_second": 2_000},
    )
    yield shop
    shop.close()


async def buy(shop: Shop, customer: Customer, http: httpx.AsyncClient, got: dict[str, str]) -> None:
    """One request, whole or streamed; what came of it goes to `got` by its receipt's id."""
    body = {
        "model": MODEL,
        "prompt": f"What is number {random.random()} of a rack",
        "max_tokens": random.randrange(1, 60),
        "stream": random.random() < 0.5,
    }
    try:
        async with http.stream(
            "POST",
            f"{shop.gateway.url}/v1/completions",
            json=body,
            headers=customer.pay(2_000),
        ) as answer:
            receipt, text = answer.headers.get("Receipt-Id"), ""
            if receipt is None:
                return
            try:
                async for piece in answer.aiter_text():
                    text += piece
            finally:
                got[receipt] = said(text, is_stream=body["stream"] is True)
    except httpx.HTTPError:
        # It was killed in the middle.
        return


def said(text: str, *, is_stream: bool) -> str:
    """What the model said in an answer, as far as it came."""
    if not is_stream:
        try:
            return str(json.loads(text)["choices"][0]["text"])
        except ValueError:
            return ""
    events = [line[6:] for line in text.split("\n") if line.startswith("data: {")]
    parts = []
    for event in events:
        try:
            parts += [choice["text"] for choice in json.loads(event).get("choices", [])]
        except ValueError:
            # The last one was cut.
            break
    return "".join(parts)


async def load(shop: Shop, customers: list[Customer], seconds: float, got: dict[str, str]) -> None:
    """Customers who buy all the time, two requests each, for so long after the first answers."""
    before = len(got)
    async with httpx.AsyncClient(timeout=20, verify=False) as http:

        async def customer(one: Customer) -> None:
            while True:
                await buy(shop, one, http, got)
                await asyncio.sleep(0.01)

        tasks = [asyncio.create_task(customer(one)) for one in customers for _ in range(2)]
        await asyncio.to_thread(until, lambda: len(got) >= before + len(tasks), "first answers")
        await asyncio.sleep(seconds)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_load__gateway_killed_at_random__what_was_given_is_collected_once(
    fragile: Shop,
) -> None:
    customers = [fragile.customer(number, 50 * USD) for number in range(CUSTOMERS)]
    before = fragile.income()
    got: dict[str, str] = {}
    dice = random.Random(7)
    for _ in range(KILLS):
        await load(fragile, customers, dice.random(), got)
        fragile.gateway.kill()
        # From this thread: a child ends with the thread that started it.
        fragile.gateway.start()
    await load(fragile, customers, 1.0, got)

    def channel(customer: Customer) -> dict[str, str]:
        path = f"/v1/channels/{customer.account.address}/{customer.session.address}"
        answer: dict[str, str] = httpx.get(fragile.gateway.url + path, timeout=10).json()
        return answer

    # Of a customer who hangs up the gateway hears a moment later.
    until(
        lambda: all(channel(customer)["heldUsd6"] == "0" for customer in customers),
        "nothing held any more",
    )
    total = sum(int(channel(customer)["spentUsd6"]) for customer in customers)
    until(
        lambda: sum(fragile.collected(customer) for customer in customers) == total,
        "everything collected",
    )
    assert fragile.income() - before == total
    await check(fragile, got, total)


async def check(shop: Shop, got: dict[str, str], total: int) -> None:
    """Each answer has a receipt that charges at least what came, in a collection; together they
    are not more than was collected."""
    from api.domain.tokens import count_tokens

    charged = 0
    async with httpx.AsyncClient(timeout=20) as http:
        for receipt_id, text in got.items():
            answer = await http.get(f"{shop.gateway.url}/v1/receipts/{receipt_id}")
            if not text and answer.status_code == 404:
                # Its head came, and nothing of it.
                continue
            assert answer.status_code == 200, (receipt_id, text, answer.text)
            shape = answer.json()
            assert shape["receipt"]["outputTokens"] >= count_tokens(text) - 1, (shape, text)
            assert not shape["isOpen"]
            if shape["receipt"]["chargeUsd6"] != "0":
                assert "collection" in shape
            charged += int(shape["receipt"]["chargeUsd6"])
    assert charged <= total


@pytest.mark.parametrize("what", ["database", "chain"])
async def test_load__something_away_for_a_moment__goes_on_and_nothing_is_lost(
    fragile: Shop, postgres: EmbeddedPostgres, what: str
) -> None:
    customer = fragile.customer(CUSTOMERS + ("database", "chain").index(what), 50 * USD)
    got: dict[str, str] = {}
    work = asyncio.create_task(load(fragile, [customer], 4.0, got))
    await asyncio.sleep(1.0)
    if what == "database":
        await asyncio.to_thread(postgres.stop)
        await asyncio.sleep(1.0)
        postgres.start()
    else:
        pid = fragile.anvil.pid
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
        await asyncio.sleep(1.0)
        os.kill(pid, signal.SIGCONT)
    await work
    await asyncio.to_thread(until, lambda: is_served(fragile, customer), "served again")

    path = f"/v1/channels/{customer.account.address}/{customer.session.address}"

    def all_collected() -> bool:
        channel = httpx.get(fragile.gateway.url + path, timeout=10).json()
        return int(channel["spentUsd6"]) == fragile.collected(customer) > 0

    await asyncio.to_thread(until, all_collected, "everything collected", 60)
    await check(fragile, got, fragile.collected(customer))
    assert rpc(fragile.anvil.port, "eth_chainId")


def is_served(shop: Shop, customer: Customer) -> bool:
    body = {"model": MODEL, "prompt": "A rack", "max_tokens": 3}
    try:
        answer = httpx.post(
            f"{shop.gateway.url}/v1/completions", json=body, headers=customer.pay(2_000), timeout=10
        )
    except httpx.HTTPError:
        return False
    return answer.status_code == 200


def test_collect__mined_and_not_yet_deep_enough__sent_once(
    stage: Stage, postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder, depth = tmp_path_factory.mktemp("deep"), 3
    shop = Shop.open(stage, folder, postgres.url("deep"), confirmations=depth, log_level="debug")
    try:
        customer = shop.customer(0, 50 * USD)
        port, gateway = shop.anvil.port, shop.gateway.address
        sent = int(rpc(port, "eth_getTransactionCount", gateway, "latest"), 16)
        assert is_served(shop, customer)
        until(lambda: shop.collected(customer) > 0, "collected")
        until(lambda: shop.gateway.log().count('"not deep enough yet"') > 3, "looked at again")
        assert int(rpc(port, "eth_getTransactionCount", gateway, "latest"), 16) == sent + 1
        assert '"collected"' not in shop.gateway.log()

        rpc(port, "anvil_mine", hex(depth))
        until(lambda: '"collected"' in shop.gateway.log(), "settled")
    finally:
        shop.close()
