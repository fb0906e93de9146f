"""OpenAI's client over the transports, against a double of a gateway behind a real server."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import httpx
import openai
import pytest

from api.client.promises import Promises
from api.client.transport import AsyncPayingTransport, PayingTransport
from api.clock import SystemClock
from api.domain.vouchers import Voucher
from api.errors import GatewayUnavailable, Malformed, OfferRefused, SpendLimitReached
from tests.unit.api.client.conftest import KEY, PAYER, TERMS, promises
from tests.unit.api.client.gateway_double import GatewayDouble

QUESTION: list[Any] = [{"role": "user", "content": "?"}]


@contextmanager
def paying(url: str, promised: Promises) -> Iterator[openai.OpenAI]:
    with httpx.Client(transport=PayingTransport(url, promised)) as http:
        # Its type is that of the successor of httpx; clients of httpx it takes as well.
        given: Any = http
        yield openai.OpenAI(base_url=f"{url}/v1", api_key="sk-other", http_client=given)


def ask(client: openai.OpenAI, price: int = 1_000) -> str:
    """The double takes `max_tokens` for the price."""
    answer = client.chat.completions.create(model="m", messages=QUESTION, max_tokens=price)
    return answer.choices[0].message.content or ""


def test_request__first_of_a_channel__is_paid_ahead_without_a_refusal(
    url: str, double: GatewayDouble
) -> None:
    with paying(url, promises(step_usd6=10_000)) as client:
        assert [ask(client) for _ in range(5)] == ["paid 500"] * 5
    assert double.statuses == [200] * 5
    assert double.calls[0] == (f"/v1/channels/{PAYER.address}/{KEY.address}", 200)
    assert (double.promised_usd6, double.spent_usd6) == (10_005, 2_500)
    assert sorted(double.used) == [10_001, 10_002, 10_003, 10_004, 10_005]


def test_request__beyond_the_promise__is_sent_again_with_what_was_asked_and_a_step(
    url: str, double: GatewayDouble
) -> None:
    with paying(url, promises(step_usd6=1_500)) as client:
        assert ask(client, 1_000) == "paid 500"
        assert ask(client, 4_000) == "paid 2000"
    assert double.statuses == [200, 402, 200]
    assert double.promised_usd6 == 500 + 4_000 + 1_500


def test_request__without_a_step__promises_what_is_asked_and_no_more(
    url: str, double: GatewayDouble
) -> None:
    with paying(url, promises(step_usd6=0)) as client:
        for spent in (0, 500, 1_000):
            ask(client)
            assert double.promised_usd6 == spent + 1_000
    assert double.statuses == [402, 200] * 3


def test_request__with_a_key_of_another_service__does_not_show_it_to_the_gateway(
    url: str, double: GatewayDouble
) -> None:
    with paying(url, promises()) as client:
        ask(client)
    assert all("sk-other" not in str(headers) for headers in double.headers)


def test_request__to_look_or_to_somewhere_else__goes_out_unpaid(
    url: str, double: GatewayDouble
) -> None:
    with paying(url, promises()) as client:
        client.models.list()
    elsewhere = PayingTransport("http://other.example", promises())
    with httpx.Client(transport=elsewhere) as http:
        answer = http.post(f"{url}/v1/chat/completions", json={"model": "m"})
    assert answer.status_code == 402
    assert all("payment-signature" not in headers for headers in double.headers)


def test_stream__over_the_transport__arrives_as_it_is_made(url: str, double: GatewayDouble) -> None:
    with paying(url, promises(step_usd6=0)) as client:
        events = client.chat.completions.create(model="m", messages=QUESTION, stream=True)
        assert [event.choices[0].delta.content for event in events] == ["paid ", "500"]
        raw = client.chat.completions.with_raw_response.create(model="m", messages=QUESTION)
    assert raw.headers["receipt-id"] == "receipt-1"
    assert double.statuses == [402, 200, 402, 200]


async def test_requests__many_tasks_at_once__are_all_served_and_promised_once(
    url: str, double: GatewayDouble
) -> None:
    transport = AsyncPayingTransport(url, promises(step_usd6=0))
    async with httpx.AsyncClient(transport=transport) as http:
        given: Any = http
        client = openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="-", http_client=given)

        async def one(price: int) -> str | None:
            answer = await client.chat.completions.create(
                model="m", messages=QUESTION, max_tokens=price
            )
            return answer.choices[0].message.content

        prices = [1_000 + 100 * (number % 7) for number in range(60)]
        answers = await asyncio.gather(*(one(price) for price in prices))
        stream = await client.chat.completions.create(model="m", messages=QUESTION, stream=True)
        assert [event.choices[0].delta.content async for event in stream] == ["paid ", "500"]
    assert answers == [f"paid {price // 2}" for price in prices]
    assert double.spent_usd6 == sum(price // 2 for price in prices) + 500
    assert double.promised_usd6 <= sum(prices) + 1_000
    assert double.held_usd6 == 0


def test_requests__many_threads_at_once__are_all_served(url: str, double: GatewayDouble) -> None:
    with paying(url, promises(step_usd6=2_000)) as client, ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: ask(client), range(64)))
    assert answers == ["paid 500"] * 64
    assert double.spent_usd6 == 64 * 500


def test_limit__reached__raises_before_anything_more_is_promised(
    url: str, double: GatewayDouble
) -> None:
    with paying(url, promises(limit_usd6=2_300, step_usd6=100_000)) as client:
        for _ in range(3):
            ask(client)
        sent, promised = len(double.calls), double.promised_usd6
        with pytest.raises(SpendLimitReached) as refused:
            ask(client)
    # 1,500 is spent; another may come to 1,000. The double was asked once more.
    assert (refused.value.value, refused.value.limit) == (2_500, 2_300)
    assert len(double.calls) == sent + 1
    assert double.promised_usd6 == promised + 1 <= 2_300


def test_limit__used_up_to_the_last__promises_it_all_and_not_more(
    url: str, double: GatewayDouble
) -> None:
    with paying(url, promises(limit_usd6=1_500, step_usd6=0)) as client:
        assert [ask(client), ask(client)] == ["paid 500"] * 2
        assert double.promised_usd6 == 1_500
        sent = len(double.calls)
        with pytest.raises(SpendLimitReached) as refused:
            ask(client, 1)
    assert (refused.value.value, refused.value.limit) == (1_501, 1_500)
    assert len(double.calls) == sent


def test_request__after_a_collection__brings_an_amount_that_is_not_public(
    url: str, double: GatewayDouble
) -> None:
    with paying(url, promises(step_usd6=5_000)) as client:
        ask(client)
        double.collect()
        ask(client)
        assert double.statuses == [200, 200]
        # A promise that another client of the channel has made meanwhile.
        double.best = Voucher.signed(TERMS.domain, KEY, PAYER.address, TERMS.gateway, 5_010)
        double.collect()
        assert ask(client) == "paid 500"
    assert double.statuses == [200, 200, 402, 200]


def test_limit__of_a_single_request__is_kept_too(url: str, double: GatewayDouble) -> None:
    with paying(url, promises(step_usd6=0, most_usd6=999)) as client:
        with pytest.raises(SpendLimitReached):
            ask(client, 1_000)
        assert ask(client, 999) == "paid 499"
    assert double.promised_usd6 == 999


def test_limit__of_the_session_key__is_kept_too(url: str, double: GatewayDouble) -> None:
    double.limit_usd6 = 1_700
    with paying(url, promises(step_usd6=100_000)) as client:
        ask(client)
        ask(client)
        with pytest.raises(SpendLimitReached):
            ask(client)
    assert 1_500 <= double.promised_usd6 <= 1_700


def test_channel__with_a_promise_not_used_up__goes_on_from_it(
    url: str, double: GatewayDouble
) -> None:
    with paying(url, promises(step_usd6=5_000)) as client:
        ask(client)
    with paying(url, promises(step_usd6=5_000)) as client:
        ask(client)
    assert (double.promised_usd6, double.statuses) == (5_002, [200, 200])


def test_channel__with_more_promised_than_may_be_spent__is_not_opened(
    url: str, double: GatewayDouble
) -> None:
    with paying(url, promises(step_usd6=5_000)) as client:
        ask(client)
    with (
        paying(url, promises(limit_usd6=4_000)) as client,
        pytest.raises(SpendLimitReached) as refused,
    ):
        ask(client)
    assert (refused.value.value, refused.value.limit) == (4_501, 4_000)


@pytest.mark.parametrize("shows", ["nothing", "less", "another's", "another contract's"])
def test_channel__spent_without_a_voucher_for_it__is_refused(
    url: str, double: GatewayDouble, shows: str
) -> None:
    """It says that 5,000 is spent."""
    double.spent_usd6 = 5_000
    domain = TERMS.domain
    if shows == "less":
        double.best = Voucher.signed(domain, KEY, PAYER.address, TERMS.gateway, 4_999)
    elif shows == "another's":
        double.best = Voucher.signed(domain, PAYER, PAYER.address, TERMS.gateway, 5_000)
    elif shows == "another contract's":
        other = replace(TERMS, payments=TERMS.gateway).domain
        double.best = Voucher.signed(other, KEY, PAYER.address, TERMS.gateway, 5_000)
    with paying(url, promises()) as client, pytest.raises(OfferRefused):
        ask(client)
    assert double.statuses == []


def test_channel__spent_as_the_caller_knows__needs_no_voucher(
    url: str, double: GatewayDouble
) -> None:
    double.spent_usd6 = 5_000
    with paying(url, promises(known_spent_usd6=5_000, step_usd6=1_000)) as client:
        assert ask(client) == "paid 500"
    assert double.promised_usd6 == 6_001


def test_channel__not_told__is_unavailable(url: str, double: GatewayDouble) -> None:
    double.channel_status = 503
    with paying(url, promises()) as client, pytest.raises(GatewayUnavailable, match="503"):
        ask(client)
    double.channel_status = 200
    with paying(url, promises()) as client:
        assert ask(client) == "paid 500"


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"network": "eip155:1"}, "network"),
        ({"asset": TERMS.gateway}, "asset"),
        ({"pay_to": TERMS.gateway}, "payTo"),
        ({"extra": {"gateway": PAYER.address}}, "extra.gateway"),
        ({"extra": {"gateway": TERMS.gateway, "name": "x"}}, "extra.name"),
        ({"scheme": "exact"}, "no vouchers"),
    ],
)
def test_offer__of_other_terms__gets_no_signature(
    url: str, double: GatewayDouble, change: dict[str, Any], named: str
) -> None:
    double.offer = replace(TERMS.offer, **change)
    double.refuses = True
    with paying(url, promises()) as client, pytest.raises(OfferRefused, match=named):
        ask(client)
    assert double.statuses == [402]
    assert double.promised_usd6 == 10_001


def test_offer__of_more_than_was_promised_and_the_price__gets_no_signature(
    url: str, double: GatewayDouble
) -> None:
    with paying(url, promises(step_usd6=1_000)) as client:
        ask(client)
        promised = double.promised_usd6
        # The request itself carries one more; it needs 1,500.
        double.overcharge_usd6 = promised + 1 + 1_000 - (double.spent_usd6 + 1_000) + 1
        with pytest.raises(OfferRefused, match="asks for"):
            ask(client)
        assert double.promised_usd6 == promised + 1
        assert ask(client) == "paid 500"


def test_gateway__that_asks_for_more_each_time__gets_five_tries_and_no_more(
    url: str, double: GatewayDouble
) -> None:
    """Each time exactly what it may ask for, and it serves nothing."""
    double.refuses = double.is_greedy = True
    with (
        paying(url, promises(step_usd6=100)) as client,
        pytest.raises(openai.APIStatusError, match="does not cover"),
    ):
        ask(client, 1_000)
    assert double.statuses == [402] * 5
    assert double.promised_usd6 == 101 + 4 * 1_100


def test_refusal__that_does_not_ask_for_more__is_handed_on(url: str, double: GatewayDouble) -> None:
    double.refuses, double.says_how_much = True, False
    with paying(url, promises()) as client, pytest.raises(openai.APIStatusError) as refused:
        ask(client)
    assert (refused.value.status_code, double.statuses) == (402, [402])


def test_offer__of_no_amount__is_refused(url: str, double: GatewayDouble) -> None:
    double.refuses = True
    double.overcharge_usd6 = -(10**9)
    with paying(url, promises()) as client, pytest.raises(Malformed, match="cumulativeUsd6"):
        ask(client)


def lock(cover: int, seconds: int = 3_600) -> dict[str, Any]:
    return {"cumulativeUsd6": str(cover), "until": SystemClock().now() + seconds}


def test_lock__asked_for__is_signed_beside_the_voucher_once(
    url: str, double: GatewayDouble
) -> None:
    double.lock = lock(5_000)
    with paying(url, promises(limit_usd6=10_000, step_usd6=3_000)) as client:
        assert [ask(client) for _ in range(3)] == ["paid 500"] * 3
    assert double.statuses == [402, 200, 200, 200]
    (signed,) = double.locked
    assert (signed.cover_usd6, signed.until) == (5_000, double.lock["until"])


def test_lock__beyond_the_limit__is_signed_up_to_it_and_no_further(
    url: str, double: GatewayDouble
) -> None:
    double.lock = lock(10_001)
    with (
        paying(url, promises(limit_usd6=10_000, step_usd6=3_000)) as client,
        pytest.raises(SpendLimitReached),
    ):
        ask(client)
    assert [one.cover_usd6 for one in double.locked] == [10_000]


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        (lock(5_000, 90_000), OfferRefused),
        ({"cumulativeUsd6": "1"}, Malformed),
        ({"cumulativeUsd6": "-1", "until": 1}, Malformed),
        ("all", Malformed),
    ],
    ids=["more than a day", "no end", "no amount", "no lock"],
)
def test_lock__of_no_good_terms__gets_no_signature(
    url: str, double: GatewayDouble, asked: Any, error: type[Exception]
) -> None:
    double.offer = replace(TERMS.offer, extra={**TERMS.offer.extra, "lock": asked})
    double.refuses = True
    with paying(url, promises(step_usd6=3_000)) as client, pytest.raises(error):
        ask(client)
    assert double.locked == []
