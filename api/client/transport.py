"""httpx transports that pay a gateway by vouchers: any client that is built on them becomes a
paying one, OpenAI's among them.

    promises = Promises(terms, key, payer, limit_usd6=1_500_000)
    transport = PayingTransport("https://gateway.example", promises)
    openai.OpenAI(base_url="https://gateway.example/v1", api_key="-",
                  http_client=httpx.Client(transport=transport))

Errors of payment (SpendLimitReached, OfferRefused) come out of the client as they are.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Final

import httpx

from api.client.promises import Promise, Promises, parse_channel
from api.domain.x402 import (
    PAYMENT_REQUIRED_HEADER,
    PAYMENT_SIGNATURE_HEADER,
    PaymentRequired,
)
from api.errors import GatewayUnavailable

_PAYMENT_REQUIRED: Final = 402

_TRIES: Final = 5
"""The second time with what was asked for; another only if others took of that meanwhile."""

_Flow = Generator[httpx.Request, httpx.Response, None]


class _Paying:
    """Which requests to send for one, whatever sends them."""

    def __init__(self, url: str, promises: Promises) -> None:
        self._url = httpx.URL(url)
        self._promises = promises

    def pays_for(self, request: httpx.Request) -> bool:
        """What goes elsewhere, or asks for nothing to be done, goes out as it is."""
        return request.method == "POST" and _origin(request.url) == _origin(self._url)

    def flow(self, request: httpx.Request) -> _Flow:
        """Requests to send; after each its answer, with its body read where it is not the last."""
        promises = self._promises
        # A key for another service is none of this one's business.
        request.headers.pop("authorization", None)
        if not promises.is_open:
            asking = httpx.Request(
                "GET", self._url.join(promises.path), extensions=request.extensions
            )
            answer = yield asking
            if answer.status_code != httpx.codes.OK:
                raise GatewayUnavailable(self._url.host, f"its status is {answer.status_code}")
            promises.open(parse_channel(answer.content))
        promise: Promise | None = promises.next()
        tries = 0
        while promise is not None:
            tries += 1
            request.headers[PAYMENT_SIGNATURE_HEADER] = promise.header
            answer = yield request
            asked = answer.headers.get(PAYMENT_REQUIRED_HEADER)
            if answer.status_code != _PAYMENT_REQUIRED or asked is None or tries == _TRIES:
                return
            promise = promises.more(PaymentRequired.from_header(asked), promise)


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port


class PayingTransport(httpx.BaseTransport):
    """For `httpx.Client`. `transport` sends; without it httpx's own."""

    def __init__(
        self, url: str, promises: Promises, transport: httpx.BaseTransport | None = None
    ) -> None:
        self._paying = _Paying(url, promises)
        self._transport = transport or httpx.HTTPTransport()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Raises SpendLimitReached, OfferRefused, GatewayUnavailable or InvalidInput beside what
        httpx raises.
        """
        if not self._paying.pays_for(request):
            return self._transport.handle_request(request)
        request.read()
        flow = self._paying.flow(request)
        following = next(flow)
        while True:
            sent, answer = following, self._transport.handle_request(following)
            try:
                if _is_read(sent, request, answer):
                    answer.read()
                following = flow.send(answer)
            except StopIteration:
                return answer
            except BaseException:
                answer.close()
                raise
            answer.close()

    def close(self) -> None:
        self._transport.close()


class AsyncPayingTransport(httpx.AsyncBaseTransport):
    """For `httpx.AsyncClient`. `transport` sends; without it httpx's own."""

    def __init__(
        self, url: str, promises: Promises, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        self._paying = _Paying(url, promises)
        self._transport = transport or httpx.AsyncHTTPTransport()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Raises SpendLimitReached, OfferRefused, GatewayUnavailable or InvalidInput beside what
        httpx raises.
        """
        if not self._paying.pays_for(request):
            return await self._transport.handle_async_request(request)
        await request.aread()
        flow = self._paying.flow(request)
        following = next(flow)
        while True:
            sent, answer = following, await self._transport.handle_async_request(following)
            try:
                if _is_read(sent, request, answer):
                    await answer.aread()
                following = flow.send(answer)
            except StopIteration:
                return answer
            except BaseException:
                await answer.aclose()
                raise
            await answer.aclose()

    async def aclose(self) -> None:
        await self._transport.aclose()


def _is_read(sent: httpx.Request, request: httpx.Request, answer: httpx.Response) -> bool:
    """An answer that is handed on may be a stream: it is the caller's to read."""
    return sent is not request or answer.status_code == _PAYMENT_REQUIRED
