"""The customers who pay a gateway by the inference: with a voucher for each request, and one of
them with a payment of x402 for each.

A request is sent again while a process that it needs is coming back. Then it can have been charged
without an answer: such a request is counted in `repeats`, and what the gateway charged beyond the
bills is for these.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Final

import httpx

from api.client.agent import RECEIPT_HEADER
from api.client.promises import Promises, Terms
from api.client.transport import AsyncPayingTransport
from api.domain.eip3009 import Authorization
from api.domain.llm_trace import LlmRequest
from api.domain.tokens import PromptSource
from api.domain.way import ProvenReceipt
from api.domain.x402 import PAYMENT_RESPONSE_HEADER, PaymentResponse
from api.errors import Unavailable
from api.files import corpus
from scripts._lib import cast
from scripts._lib.cast import Account
from scripts._lib.exact_auth import ExactAuth
from scripts._lib.opening import INFERENCE_FUNDS_USD6, MODEL, PRICE, Opened
from scripts._lib.processes import ProcessFailure

ROOT = Path(__file__).resolve().parents[2]

# Of the requests, in tenths, by customer.
_PARTS: Final = (5, 4, 1)

# Of each customer at a time.
_AT_ONCE: Final = 4

_STEP_USD6: Final = 5_000_000
"""Promised ahead: some dozens of requests."""

# A payment can be refused for what is on its way to the chain; and who asks too often has to wait.
_COME_AGAIN: Final = (httpx.codes.PAYMENT_REQUIRED, httpx.codes.TOO_MANY_REQUESTS)

_PATIENCE_SECONDS: Final = 90.0
_TIMEOUT_SECONDS: Final = 30.0


@dataclass(frozen=True)
class Bill:
    """An answer, and what it cost as its customer could see, in 10⁻⁶ dollars: by voucher as it was
    told, by x402 as the quoted price makes of the tokens that the answer names.
    """

    customer: Account
    asked: LlmRequest
    receipt_id: str
    charge_usd6: int


@dataclass(frozen=True)
class Charged:
    """What the gateway has charged by vouchers, and what of it is collected, in 10⁻⁶ dollars."""

    spent_usd6: int
    collected_usd6: int


@dataclass
class Buyers:
    """Customers of the gateway at `url`; `check` raises if the processes cannot go on, `now` tells
    the chain's time in Unix seconds.
    """

    opened: Opened
    url: str
    check: Callable[[], None]
    now: Callable[[], Awaitable[int]]
    bills: list[Bill] = field(default_factory=list)
    repeats: Counter[Account] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._sessions = cast.session_keys(len(cast.DEPOSITORS))
        self._buying = [
            httpx.AsyncClient(
                transport=AsyncPayingTransport(
                    self.url,
                    Promises(
                        self.terms,
                        session.signer,
                        customer.address,
                        limit_usd6=INFERENCE_FUNDS_USD6,
                        step_usd6=_STEP_USD6,
                    ),
                ),
                base_url=self.url,
                timeout=_TIMEOUT_SECONDS,
            )
            for customer, session in zip(cast.DEPOSITORS, self._sessions, strict=True)
        ]
        self._exact = ExactAuth(cast.PAYER_BY_REQUEST.signer, self.now)
        self._buying.append(
            httpx.AsyncClient(
                auth=self._exact,
                base_url=self.url,
                timeout=_TIMEOUT_SECONDS,
            )
        )
        self._proven: dict[str, ProvenReceipt] = {}
        self._looking = httpx.AsyncClient(base_url=self.url, timeout=_TIMEOUT_SECONDS)
        self._turns = [asyncio.Semaphore(_AT_ONCE) for _ in cast.CUSTOMERS]
        self._asked = 0

    @cached_property
    def terms(self) -> Terms:
        """Whom they pay, in what and where."""
        opened = self.opened
        return Terms(opened.chain_id, opened.payments, cast.GATEWAY.address, opened.stablecoin)

    @cached_property
    def _source(self) -> PromptSource:
        return PromptSource.of(corpus(ROOT))

    async def ask(self, requests: Iterable[LlmRequest]) -> None:
        """Have all of them answered and paid; their prompts and answers have the recorded lengths.

        Raises:
            ProcessFailure: One was not answered in time, or was refused for good.
        """
        self._exact.taken.clear()
        buying = []
        for request in requests:
            buying.append(asyncio.create_task(self._buy(self._asked, request)))
            self._asked += 1
        try:
            await asyncio.gather(*buying)
        finally:
            for one in buying:
                one.cancel()

    async def _buy(self, number: int, request: LlmRequest) -> None:
        place = number % sum(_PARTS)
        buyer = next(one for one in range(len(_PARTS)) if place < sum(_PARTS[: one + 1]))
        async with self._turns[buyer]:
            body = {
                "model": MODEL,
                "prompt": self._source.prompt(number, request.context_tokens),
                "max_tokens": request.generated_tokens,
                "ignore_eos": True,
            }
            client = self._buying[buyer]
            customer = cast.CUSTOMERS[buyer]
            answer = await self._answered(
                lambda: client.post("/v1/completions", json=body), customer
            )
        if customer is cast.PAYER_BY_REQUEST:
            usage = answer.json()["usage"]
            charge = PRICE.charge_up_usd6(usage["prompt_tokens"], usage["completion_tokens"])
        else:
            told = PaymentResponse.from_header(answer.headers[PAYMENT_RESPONSE_HEADER])
            assert told.amount is not None, "a whole answer tells its price"
            charge = told.amount
        self.bills.append(Bill(customer, request, answer.headers[RECEIPT_HEADER], charge))

    async def _answered(
        self, send: Callable[[], Awaitable[httpx.Response]], payer: Account | None = None
    ) -> httpx.Response:
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while True:
            try:
                answer = await send()
                if answer.status_code == httpx.codes.OK:
                    return answer
                why = f"{answer.status_code}: {answer.text[:200]}"
                is_refused = answer.is_client_error and answer.status_code not in _COME_AGAIN
                is_unsent = False
            except (httpx.TransportError, Unavailable) as error:
                why, is_refused = str(error) or type(error).__name__, False
                is_unsent = isinstance(error, httpx.ConnectError)
            self.check()
            if is_refused or time.monotonic() > deadline:
                raise ProcessFailure(f"the gateway does not answer a customer: {why}")
            if payer is not None and not is_unsent:
                self.repeats[payer] += 1
            await asyncio.sleep(0.2)

    @property
    def taken(self) -> Sequence[Authorization]:
        """Payments by x402 that were answered since `ask` was called last."""
        return self._exact.taken

    async def charged(self) -> Charged:
        """What the gateway says of all channels. Raises ProcessFailure."""
        spent = collected = 0
        for customer, session in zip(cast.DEPOSITORS, self._sessions, strict=True):
            path = f"/v1/channels/{customer.address}/{session.address}"
            told = (await self._look(path)).json()
            spent += int(told["spentUsd6"])
            collected += int(told["collectedUsd6"])
        return Charged(spent, collected)

    async def receipts(self) -> Sequence[ProvenReceipt]:
        """The receipts of all bills, as the gateway shows them. Raises ProcessFailure."""
        turns = asyncio.Semaphore(_AT_ONCE)

        async def shown(bill: Bill) -> ProvenReceipt:
            if bill.receipt_id in self._proven:
                return self._proven[bill.receipt_id]
            async with turns:
                answer = await self._look(f"/v1/receipts/{bill.receipt_id}")
            told = ProvenReceipt.from_json(answer.json())
            if told.root is not None:
                self._proven[bill.receipt_id] = told
            return told

        return await asyncio.gather(*(shown(bill) for bill in self.bills))

    async def _look(self, path: str) -> httpx.Response:
        return await self._answered(lambda: self._looking.get(path))

    async def close(self) -> None:
        """Close the connections."""
        for client in (*self._buying, self._looking):
            await client.aclose()
