"""Servers that lie, hang, break off or die: what the customer gets, and what it is charged."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from api.domain.tokens import count_tokens
from api.store.embedded import EmbeddedPostgres
from tests.support.odd_upstream import TEXT, OddUpstream
from tests.support.reporting import Stage
from tests.support.selling import FLOOR, MODEL, USD, Customer, Shop, until


@pytest.fixture(scope="module")
def mixed(
    stage: Stage,
    postgres: EmbeddedPostgres,
    odd: OddUpstream,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Shop]:
    """One where a good server stands behind it."""
    shop = Shop.open(
        stage, tmp_path_factory.mktemp("mixed"), postgres.url("mixed"), upstreams=[odd.url]
    )
    yield shop
    shop.close()


def post(shop: Shop, customer: Customer, word: str, **fields: Any) -> httpx.Response:
    body = {"model": MODEL, "prompt": f"a server that {word}", "max_tokens": 50} | fields
    return httpx.post(
        f"{shop.gateway.url}/v1/completions", json=body, headers=customer.pay(2_000), timeout=30
    )


def charged(shop: Shop, answer: httpx.Response) -> dict[str, Any]:
    found = httpx.get(f"{shop.gateway.url}/v1/receipts/{answer.headers['Receipt-Id']}").json()
    receipt: dict[str, Any] = found["receipt"]
    assert not found["isOpen"]
    return receipt


def spent(shop: Shop, customer: Customer) -> tuple[str, str]:
    path = f"/v1/channels/{customer.account.address}/{customer.session.address}"
    channel = httpx.get(shop.gateway.url + path).json()
    return channel["spentUsd6"], channel["heldUsd6"]


def test_answer__usage_that_lies__is_cut_to_what_can_be(bad: Shop) -> None:
    customer = bad.customer(0, 5 * USD)

    answer = post(bad, customer, "lies")

    assert answer.status_code == 200, answer.text
    receipt = charged(bad, answer)
    assert receipt["outputTokens"] == count_tokens(TEXT)
    assert receipt["inputTokens"] < 100
    metrics = httpx.get(f"{bad.gateway.url}/metrics").text
    assert 'rackstream_gateway_overclaimed_total{cluster="1"} 1.0' in metrics


@pytest.mark.parametrize(
    ("word", "status"), [("errs", 503), ("leaks", 503), ("junk", 502), ("dies", 503)]
)
def test_answer__nothing_of_use__costs_nothing_and_tells_nothing(
    bad: Shop, word: str, status: int
) -> None:
    customer = bad.customer(1 + ["errs", "leaks", "junk", "dies"].index(word), 5 * USD)

    answer = post(bad, customer, word)

    assert answer.status_code == status
    assert "secret" not in answer.text
    assert "127.0.0.1" not in answer.text
    assert spent(bad, customer) == ("0", "0")


@pytest.mark.parametrize("word", ["breaks", "hangs"])
def test_stream__broken_off__is_charged_as_far_as_it_came(bad: Shop, word: str) -> None:
    customer = bad.customer(10 + (word == "hangs"), 5 * USD)

    answer = post(bad, customer, word, stream=True)

    assert answer.status_code == 200
    assert '"error"' in answer.text
    assert "[DONE]" not in answer.text
    receipt = charged(bad, answer)
    prompt = count_tokens(f"a server that {word}")
    assert (receipt["inputTokens"], receipt["outputTokens"]) == (prompt, 2)
    charge = FLOOR.charge_up_usd6(prompt, 2)
    assert spent(bad, customer) == (str(charge), "0")


def test_stream__customer_hangs_up__is_charged_what_it_got_once(bad: Shop) -> None:
    customer = bad.customer(12, 5 * USD)
    body = {"model": MODEL, "prompt": "a server that hangs", "max_tokens": 50, "stream": True}
    with httpx.stream(
        "POST", f"{bad.gateway.url}/v1/completions", json=body, headers=customer.pay(2_000)
    ) as answer:
        receipt_id = answer.headers["Receipt-Id"]
        next(answer.iter_bytes())

    def is_closed() -> bool:
        found = httpx.get(f"{bad.gateway.url}/v1/receipts/{receipt_id}").json()
        return not found.get("isOpen", True)

    until(is_closed, "the receipt closed")
    receipt = httpx.get(f"{bad.gateway.url}/v1/receipts/{receipt_id}").json()["receipt"]
    assert int(receipt["chargeUsd6"]) > 0
    until(lambda: spent(bad, customer) == (receipt["chargeUsd6"], "0"), "nothing held")
    until(lambda: bad.collected(customer) == int(receipt["chargeUsd6"]), "collected once")


@pytest.mark.parametrize("word", ["errs", "dies"])
def test_answer__first_server_fails__is_given_by_the_next_and_charged_once(
    mixed: Shop, odd: OddUpstream, word: str
) -> None:
    customer = mixed.customer(("errs", "dies").index(word), 5 * USD)
    before = odd.asked
    for _ in range(6):
        # Which one is first depends on how they did lately; the odd one was asked sooner or later.
        answer = post(mixed, customer, word, seed=1)
        assert answer.status_code == 200, answer.text
        if odd.asked > before:
            break
    usage = answer.json()["usage"]
    assert charged(mixed, answer)["outputTokens"] == usage["completion_tokens"]
    assert spent(mixed, customer)[1] == "0"
