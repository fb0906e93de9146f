"""Each address has so many requests that nobody pays for; what is paid for is not counted."""

from __future__ import annotations

import json

import httpx
import pytest
from fastapi import FastAPI, Request, Response

from api.serving import rationing
from api.serving.rationing import BURST_SECONDS, Allowance, Rationing, mark_unpaid

PER_SECOND = 2
AT_ONCE = PER_SECOND * BURST_SECONDS


class Clock:
    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


class Shop:
    """An application that is asked from several addresses."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.refused = 0
        self.app = FastAPI()
        self.app.add_middleware(
            Rationing,
            allowance=Allowance(PER_SECOND, self.clock),
            paid_header="Payment-Response",
            on_refused=self._count,
        )

        @self.app.get("/paid/{status}")
        async def paid(status: int) -> Response:
            return Response(status_code=status, headers={"payment-response": "thanks"})

        @self.app.get("/answer/{status}")
        @self.app.get("/livez")
        async def answer(status: int = 404) -> Response:
            return Response(status_code=status)

        @self.app.get("/for-nothing")
        async def for_nothing(request: Request) -> str:
            mark_unpaid(request)
            return "done"

    def _count(self) -> None:
        self.refused += 1

    async def ask(self, path: str, times: int = 1, *, address: str = "192.0.2.1") -> httpx.Response:
        transport = httpx.ASGITransport(self.app, client=(address, 1_000))
        async with httpx.AsyncClient(transport=transport, base_url="http://shop") as client:
            answers = [await client.get(path) for _ in range(times)]
        return answers[-1]

    async def use_up(self, address: str = "192.0.2.1") -> None:
        assert (await self.ask("/answer/402", AT_ONCE, address=address)).status_code == 402


@pytest.fixture
def shop() -> Shop:
    return Shop()


@pytest.mark.parametrize("path", ["/answer/402", "/answer/404", "/answer/499", "/for-nothing"])
async def test_rationing__more_than_is_allowed_for_nothing__is_refused(
    shop: Shop, path: str
) -> None:
    assert (await shop.ask(path, AT_ONCE)).status_code != 429
    assert shop.refused == 0
    answer = await shop.ask("/answer/200")
    assert answer.status_code == 429
    assert answer.headers["retry-after"] == "1"
    assert answer.headers["content-type"] == "application/problem+json"
    told = json.loads(answer.text)
    assert told["code"] == told["error"]["code"] == "rate-limited"
    assert told["detail"].endswith("come again in 1 s")
    assert shop.refused == 1


@pytest.mark.parametrize("path", ["/answer/200", "/answer/503"])
async def test_rationing__paid_for_or_the_services_own_fault__is_not_counted(
    shop: Shop, path: str
) -> None:
    assert (await shop.ask(path, 3 * AT_ONCE)).status_code != 429
    assert (await shop.ask("/answer/404")).status_code == 404


async def test_rationing__used_up__fills_up_again_with_time(shop: Shop) -> None:
    await shop.use_up()
    shop.clock.seconds += 0.49
    assert (await shop.ask("/answer/404")).status_code == 429
    shop.clock.seconds += 0.02
    assert (await shop.ask("/answer/404")).status_code == 404
    assert (await shop.ask("/answer/404")).status_code == 429
    shop.clock.seconds += 10 * BURST_SECONDS
    await shop.use_up()
    assert (await shop.ask("/answer/404")).status_code == 429


async def test_rationing__asked_for_the_price_and_paid__is_never_refused(shop: Shop) -> None:
    for _ in range(2 * AT_ONCE):
        assert (await shop.ask("/answer/402")).status_code == 402
        assert (await shop.ask("/paid/200")).status_code == 200
    # A payment that was not taken is none, and nobody has more than the allowance.
    assert (await shop.ask("/paid/402", AT_ONCE)).status_code == 402
    assert (await shop.ask("/answer/404")).status_code == 429


async def test_rationing__many_looked_at_at_once__use_up_no_more_than_there_is(shop: Shop) -> None:
    allowance = Allowance(PER_SECOND, shop.clock)
    for _ in range(100 * AT_ONCE):
        allowance.use("192.0.2.1")
    assert allowance.wait_seconds("192.0.2.1") == 1 / PER_SECOND


async def test_rationing__refused_meanwhile__uses_up_nothing_more(shop: Shop) -> None:
    await shop.use_up()
    assert (await shop.ask("/answer/404", 50)).status_code == 429
    shop.clock.seconds += 0.51
    assert (await shop.ask("/answer/404")).status_code == 404


async def test_rationing__another_address__has_its_own(shop: Shop) -> None:
    await shop.use_up()
    assert (await shop.ask("/answer/404", address="192.0.2.2")).status_code == 404
    await shop.use_up("2001:db8:1:2::1")
    # Of a socket that listens to both.
    assert (await shop.ask("/answer/404", address="::ffff:192.0.2.1")).status_code == 429
    assert (await shop.ask("/answer/404", address="::ffff:192.0.2.3")).status_code == 404
    near, far = "2001:db8:1:2:ffff::9", "2001:db8:1:3::1"
    assert (await shop.ask("/answer/404", address=near)).status_code == 429
    assert (await shop.ask("/answer/404", address=far)).status_code == 404


async def test_rationing__somebody_looks_whether_it_lives__is_always_told(shop: Shop) -> None:
    assert (await shop.ask("/livez", 2 * AT_ONCE)).status_code == 404
    assert (await shop.ask("/answer/404")).status_code == 404


def test_allowance__many_addresses__keeps_only_those_that_owe(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rationing, "_PRUNED_ABOVE", 10)
    clock = Clock()
    allowance = Allowance(PER_SECOND, clock)
    for number in range(11):
        allowance.use(f"198.51.100.{number}")
        clock.seconds += 1
    assert len(allowance._full_at) <= 2
    for _ in range(AT_ONCE):
        allowance.use("198.51.100.10")
    assert allowance.wait_seconds("198.51.100.10") > 0
    assert allowance.wait_seconds("198.51.100.0") == 0
