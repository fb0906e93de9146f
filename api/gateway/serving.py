"""One paid request, from the hold on its payment to the receipt.

1. What it may come to at most is held, at the dearest place where it may be served.
2. The servers are asked in the fleet's order until one begins to answer with success. Until then
   nothing is charged.
3. A whole answer is metered, charged and noted, then given. What has to be settled before is.
4. A stream's pieces are noted before they are given: those that come while a note is being made go
   together with the next, the last ones with the end. So whatever was given can be collected, even
   if this process is killed at any moment, and what was cut off is charged as far as it came.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, replace
from typing import Any, Final

import structlog
from pydantic_core import to_json

from api.clock import Clock
from api.domain.receipts import Receipt
from api.errors import RackstreamError, UpstreamFault, UpstreamUnavailable
from api.gateway.asked import Asked
from api.gateway.fleet import Choice, Fleet
from api.gateway.journal import Journal
from api.gateway.metering import Meter, Usage
from api.gateway.metrics import Metrics
from api.gateway.purse import Purse
from api.gateway.upstream import Answer, Upstreams
from api.types import Address, ClusterId, Digest

_log = structlog.get_logger(__name__)

MAX_ANSWER_SECONDS: Final = 600.0
"""An answer may take so long: less than `EXPIRY_MARGIN_SECONDS`, in which what it is charged can be
collected.
"""

_DONE: Final = b"data: [DONE]\n\n"

# Of a stream whose customer reads slower than its server writes.
_MOST_WAITING_BYTES: Final = 256 * 1024


@dataclass(frozen=True, slots=True)
class Served:
    """A whole answer, charged."""

    body: bytes
    content_type: str
    receipt: Receipt


class Stream:
    """An answer that comes in pieces. `receipt` is as far as it was noted; `close` must be called,
    however it ends.
    """

    def __init__(
        self,
        stack: AsyncExitStack,
        answer: Answer,
        meter: Meter,
        purse: Purse,
        receipt: Receipt,
        wants_usage: bool,
        metrics: Metrics,
        clock: Clock,
    ) -> None:
        self._stack = stack
        self._answer = answer
        self._meter = meter
        self._purse = purse
        self._wants_usage = wants_usage
        self._metrics = metrics
        self._clock = clock
        self._hash = hashlib.sha256()
        self._waiting: list[bytes] = []
        self._waiting_bytes = 0
        self._arrived = asyncio.Event()
        self._taken = asyncio.Event()
        self._last_note: asyncio.Future[None] | None = None
        self.receipt = receipt
        self.pieces = self._pieces()
        """The bytes for the customer, each noted before it is given."""

    async def _pieces(self) -> AsyncGenerator[bytes]:
        reading = asyncio.create_task(self._read(), name="upstream stream")
        try:
            while True:
                await self._arrived.wait()
                self._arrived.clear()
                is_over = reading.done()
                piece = self._take()
                if is_over:
                    # What went wrong is for the customer to know; what was given stays charged.
                    error = reading.exception()
                    piece += _DONE if error is None else _error_event(error)
                    self._hash.update(piece)
                    await self._end()
                    yield piece
                    return
                if piece:
                    self._hash.update(piece)
                    await self._note(self._meter.so_far(), is_open=True)
                    yield piece
        finally:
            reading.cancel()

    def _take(self) -> bytes:
        piece = b"".join(self._waiting)
        self._waiting.clear()
        self._waiting_bytes = 0
        self._taken.set()
        return piece

    async def _read(self) -> None:
        try:
            async for data in self._answer.events():
                if data == b"[DONE]":
                    return
                is_usage = self._meter.take_event(data)
                if is_usage and not self._wants_usage:
                    continue
                event = b"data: " + data + b"\n\n"
                self._waiting.append(event)
                self._waiting_bytes += len(event)
                self._arrived.set()
                while self._waiting_bytes > _MOST_WAITING_BYTES:
                    self._taken.clear()
                    await self._taken.wait()
        finally:
            # Seen once this has ended.
            asyncio.get_running_loop().call_soon(self._arrived.set)

    async def _note(self, usage: Usage, *, is_open: bool) -> None:
        self.receipt = charged(self.receipt, usage, Digest(self._hash.digest()), self._clock.now())
        await self._purse.record(self.receipt, is_open=is_open)
        if not is_open:
            self._metrics.served(self.receipt, is_overclaimed=self._meter.is_overclaimed())

    async def _end(self) -> None:
        """Note what it has come to, once; and to its end, whoever stops waiting for that."""
        if self._last_note is None:
            self._last_note = asyncio.ensure_future(self._note(self._meter.total(), is_open=False))
        await asyncio.shield(self._last_note)

    async def close(self) -> None:
        """Charge what was given, give back what was held for more, and leave the upstream."""
        try:
            await self.pieces.aclose()
            if self._meter.has_begun:
                with suppress(RackstreamError):
                    await self._end()
        finally:
            self._purse.release()
            await self._stack.aclose()


class Serving:
    """Serves requests that are paid for."""

    def __init__(
        self,
        *,
        fleet: Fleet,
        upstreams: Upstreams,
        journal: Journal,
        clock: Clock,
        gateway: Address,
        metrics: Metrics,
    ) -> None:
        self._fleet = fleet
        self._upstreams = upstreams
        self._journal = journal
        self._clock = clock
        self._gateway = gateway
        self._metrics = metrics

    def choices(self, asked: Asked) -> list[Choice]:
        """Where it can be served now. Raises UnknownModel or UpstreamUnavailable."""
        return self._fleet.choices(asked.model, asked.most(), self._clock.now())

    def most_usd6(self, asked: Asked, choices: list[Choice]) -> dict[ClusterId, int]:
        """What it can come to at most at each cluster, the best first; in 10⁻⁶ dollars."""
        most, found = asked.most(), dict[ClusterId, int]()
        for choice in choices:
            charge = choice.price.charge_up_usd6(most.input, most.output)
            known = found.get(choice.seat.cluster_id, 0)
            found[choice.seat.cluster_id] = max(known, charge)
        return found

    async def serve(self, asked: Asked, choices: list[Choice], purse: Purse) -> Served | Stream:
        """Serve it where it can be. The purse holds `most_usd6`.

        Raises:
            PaymentRefused: A payment that had to be settled before was not.
            UpstreamAnswered: The request is to blame. UpstreamUnavailable: no server could.
            StoreUnavailable: What it came to could not be noted; nothing was given.
        """
        try:
            self._journal.require_working()
            failure: RackstreamError | None = None
            for choice in choices:
                if purse.cluster_id not in (None, choice.seat.cluster_id):
                    continue
                try:
                    return await self._serve_at(asked, choice, purse)
                except UpstreamUnavailable as error:
                    failure = error
                    self._metrics.failed_over(choice.seat.cluster_id)
                    _log.warning(
                        "upstream failed", upstream=choice.seat.upstream.host, why=error.message
                    )
            # Which one it was, and why, is in the log.
            raise UpstreamUnavailable(f"no server could answer for {asked.model!r}") from failure
        except BaseException:
            purse.release()
            raise

    async def _serve_at(self, asked: Asked, choice: Choice, purse: Purse) -> Served | Stream:
        seat = choice.seat
        stack = AsyncExitStack()
        try:
            answer = await stack.enter_async_context(
                self._upstreams.ask(
                    seat.upstream,
                    asked.endpoint,
                    asked.for_upstream(seat.upstream_model, is_counted=seat.count is not None),
                )
            )
            meter = Meter(asked.prompt, asked.most(), seat.count)
            receipt = Receipt(
                id=purse.receipt_id(),
                gateway=self._gateway,
                payer=purse.payer,
                key=purse.key,
                promised_usd6=purse.promised_usd6,
                cluster_id=seat.cluster_id,
                model=asked.model,
                request_hash=Digest(hashlib.sha256(asked.body).digest()),
                answer_hash=Digest(bytes(32)),
                input_tokens=0,
                output_tokens=0,
                price=choice.price,
                charge_usd6=0,
                served_at=self._clock.now(),
            )
            if asked.is_stream:
                await purse.begin(seat.quote.work)
                return Stream(
                    stack, answer, meter, purse, receipt, asked.wants_usage, self._metrics,
                    self._clock,
                )  # fmt: skip
            try:
                async with asyncio.timeout(MAX_ANSWER_SECONDS):
                    body = await answer.body()
            except TimeoutError:
                raise UpstreamFault(f"the answer took over {MAX_ANSWER_SECONDS:.0f} s") from None
            await stack.aclose()
            # What makes no sense is not worth a settlement.
            meter.take_answer(body)
            await purse.begin(seat.quote.work)
            receipt = charged(
                receipt,
                meter.total(),
                Digest(hashlib.sha256(body).digest()),
                self._clock.now(),
            )
            await purse.record(receipt, is_open=False)
        except BaseException:
            await stack.aclose()
            raise
        purse.release()
        self._metrics.served(receipt, is_overclaimed=meter.is_overclaimed())
        return Served(body, answer.content_type, receipt)


def charged(receipt: Receipt, usage: Usage, answer_hash: Digest, now: int) -> Receipt:
    """The receipt with so much used."""
    return replace(
        receipt,
        input_tokens=usage.input,
        output_tokens=usage.output,
        charge_usd6=receipt.price.charge_up_usd6(usage.input, usage.output),
        answer_hash=answer_hash,
        served_at=now,
    )


def _error_event(error: BaseException) -> bytes:
    """How a stream that could not be brought to its end ends."""
    message = error.message if isinstance(error, RackstreamError) else "internal error"
    code = error.code if isinstance(error, RackstreamError) else "internal-error"
    shape: dict[str, Any] = {"error": {"message": message, "type": code, "code": code}}
    return b"data: " + to_json(shape) + b"\n\n"
