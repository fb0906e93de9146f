"""A double of a gateway: its protocol of payment and nothing behind it.

It keeps the books as a gateway does (spent, held, promised), takes a voucher only if its key signed
it, and can be told to lie.
"""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from api.client.promises import Terms
from api.domain.vouchers import Lock, Voucher
from api.domain.x402 import (
    PAYMENT_REQUIRED_HEADER,
    PAYMENT_RESPONSE_HEADER,
    PAYMENT_SIGNATURE_HEADER,
    Offer,
    Payment,
    PaymentRequired,
    PaymentResponse,
)
from api.types import Address
from scripts._lib.processes import free_ports


@dataclass
class GatewayDouble:
    """A request costs `price_usd6` at most, and half of it in the end.

    Attributes:
        offer: What it asks to be paid in; the terms' own unless it lies.
        overcharge_usd6: What it adds to what it needs.
        shows_voucher: Whether it proves what it says is spent.
        refuses: It serves nothing.
        is_greedy: It always asks for the most that a client may give it.
        says_how_much: Whether it tells what a voucher must promise.
        lock: What it wants to be locked before it serves anything, as it stands in an offer.
        locked: The locks that came, if their key signed them.
    """

    terms: Terms
    limit_usd6: int = 10_000_000
    price_usd6: int = 1_000
    offer: Offer | None = None
    overcharge_usd6: int = 0
    shows_voucher: bool = True
    refuses: bool = False
    is_greedy: bool = False
    says_how_much: bool = True
    lock: dict[str, Any] | None = None
    locked: list[Lock] = field(default_factory=list)
    spent_usd6: int = 0
    held_usd6: int = 0
    best: Voucher | None = None
    used: set[int] = field(default_factory=set)
    used_above_usd6: int = 0
    calls: list[tuple[str, int]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    channel_status: int = 200

    @property
    def promised_usd6(self) -> int:
        return 0 if self.best is None else self.best.cumulative_usd6

    def collect(self) -> None:
        """What was promised so far may be public: it is no proof of anything any more."""
        self.used.clear()
        self.used_above_usd6 = self.promised_usd6

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/v1/channels/{payer}/{key}", self._channel),
                Route("/v1/chat/completions", self._complete, methods=["POST"]),
                Route("/v1/models", self._models),
            ]
        )

    async def _models(self, request: Request) -> Response:
        self._note(request, 200)
        return JSONResponse({"object": "list", "data": []})

    async def _channel(self, request: Request) -> Response:
        self._note(request, self.channel_status)
        if self.channel_status != 200:
            return Response(status_code=self.channel_status)
        proof = {}
        if self.best is not None and self.shows_voucher:
            proof = {"signature": self.best.payload()["signature"]}
        return JSONResponse(
            {
                "payer": request.path_params["payer"],
                "key": request.path_params["key"],
                "gateway": self.terms.gateway,
                "spentUsd6": str(self.spent_usd6),
                "heldUsd6": str(self.held_usd6),
                "promisedUsd6": str(self.promised_usd6),
                "limitUsd6": str(self.limit_usd6),
                "expiresAt": 2**40 - 1,
                "collectedUsd6": "0",
                "coveredUsd6": "0",
                **proof,
            }
        )

    async def _complete(self, request: Request) -> Response:
        body = await request.json()
        price = body.get("max_tokens") or self.price_usd6
        is_new = self._take(request)
        due = self.spent_usd6 + self.held_usd6 + price
        if self.refuses or not is_new or due > self.promised_usd6 or not self._is_locked():
            self._note(request, 402)
            return self._ask(request, price, max(due, self.promised_usd6 + 1))
        self._note(request, 200)
        self.held_usd6 += price
        # Others come in while it works.
        await asyncio.sleep(0.005)
        self.held_usd6 -= price
        self.spent_usd6 += price // 2
        return self._answer(body, price // 2)

    def _is_locked(self) -> bool:
        if self.lock is None:
            return True
        return any(one.cover_usd6 >= int(self.lock["cumulativeUsd6"]) for one in self.locked)

    def _take(self, request: Request) -> bool:
        """Keep the voucher that came with a request, if it is good; whether it is a new one."""
        brought = request.headers.get(PAYMENT_SIGNATURE_HEADER)
        if brought is None:
            return False
        payment = Payment.from_header(brought)
        assert payment.accepted.scheme == "voucher"
        voucher = Voucher.from_payload(payment.payload, self.terms.gateway)
        voucher.require_signed(self.terms.domain)
        lock = Lock.from_payload(payment.payload, voucher)
        if lock is not None:
            lock.require_signed(self.terms.domain)
            self.locked.append(lock)
        amount = voucher.cumulative_usd6
        if amount <= self.used_above_usd6 or amount in self.used:
            return False
        self.used.add(amount)
        if voucher.cumulative_usd6 > self.promised_usd6:
            self.best = voucher
        return True

    def _ask(self, request: Request, price: int, needed: int) -> Response:
        offer = self.offer or self.terms.offer
        extra = dict(offer.extra)
        if self.is_greedy:
            needed = self.promised_usd6 + price
        if self.says_how_much:
            extra["cumulativeUsd6"] = str(needed + self.overcharge_usd6)
        if not self._is_locked():
            extra["lock"] = self.lock
        required = PaymentRequired(
            "the voucher does not cover the request",
            str(request.url),
            (replace(offer, amount=price, extra=extra),),
        )
        return JSONResponse(
            {"error": {"message": required.error, "type": "payment_required", "code": None}},
            402,
            {PAYMENT_REQUIRED_HEADER: required.to_header(), "cache-control": "no-store"},
        )

    def _answer(self, body: dict[str, Any], charge: int) -> Response:
        told = PaymentResponse(
            True, self.terms.offer.network, payer=_payer(self.best), amount=charge
        )
        headers = {PAYMENT_RESPONSE_HEADER: told.to_header(), "receipt-id": "receipt-1"}
        if not body.get("stream"):
            choice = {"index": 0, "finish_reason": "stop"}
            message = {"role": "assistant", "content": f"paid {charge}"}
            usage = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}
            answer = {
                "id": "chatcmpl-1",
                "object": "chat.completion",
                "created": 1,
                "model": body["model"],
                "choices": [{**choice, "message": message}],
                "usage": usage,
            }
            return JSONResponse(answer, headers=headers)

        async def events() -> Any:
            for piece in ("paid ", str(charge)):
                chunk = {
                    "id": "chatcmpl-1",
                    "object": "chat.completion.chunk",
                    "created": 1,
                    "model": body["model"],
                    "choices": [{"index": 0, "delta": {"content": piece}, "finish_reason": None}],
                }
                yield f"data: {json.dumps(chunk)}\n\n"
                await asyncio.sleep(0.05)
            yield "data: [DONE]\n\n"

        return StreamingResponse(events(), media_type="text/event-stream", headers=headers)

    def _note(self, request: Request, status: int) -> None:
        self.calls.append((request.url.path, status))
        self.headers.append(dict(request.headers))

    @property
    def statuses(self) -> list[int]:
        """Of the requests for completions, in their order."""
        return [status for path, status in self.calls if path == "/v1/chat/completions"]


def _payer(voucher: Voucher | None) -> Address | None:
    return None if voucher is None else voucher.payer


@contextmanager
def served(double: GatewayDouble) -> Iterator[str]:
    """The double behind a real server; its URL."""
    port = free_ports(1)[0]
    server = uvicorn.Server(uvicorn.Config(double.app(), port=port, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            time.sleep(0.01)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()
