"""What nobody pays for is rationed by where it comes from.

Work that is paid for needs no limit: whoever wants more of it pays more. A request that is refused
costs a service something, and whoever sends it nothing. So each address has an allowance of these,
that fills up again with time, and by one with each request that is paid for: many begin with one
that asks for the price. While it is used up, whatever comes from there is answered by 429.

Behind a proxy an address is what the proxy says (`X-Forwarded-For`), if uvicorn trusts it
(FORWARDED_ALLOW_IPS; one on this machine without).
"""

from __future__ import annotations

import ipaddress
import math
import time
from collections.abc import Callable
from http import HTTPStatus
from typing import Final

from fastapi import Request
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import RateLimited
from api.serving.logs import PROBES
from api.serving.problems import problem

BURST_SECONDS: Final = 10
"""The most that is allowed at once is what is allowed in so long."""

_UNPAID: Final = "rackstream_unpaid"

# A customer of IPv6 has at least so many bits to choose addresses from.
_IPV6_PREFIX: Final = 64

_PRUNED_ABOVE: Final = 10_000


def mark_unpaid(request: Request) -> None:
    """It was work for nothing, though the answer is none of an error."""
    request.scope[_UNPAID] = True


class Allowance:
    """So many a second for each address, and what is not used of BURST_SECONDS."""

    def __init__(self, per_second: int, now: Callable[[], float] = time.monotonic) -> None:
        self._step = 1 / per_second
        self._now = now
        # When each would have its whole allowance again: the generic cell rate algorithm.
        self._full_at: dict[str, float] = {}

    def wait_seconds(self, address: str) -> float:
        """Until there is something left; 0 if there is."""
        full_at = self._full_at.get(address)
        if full_at is None:
            return 0.0
        return max(0.0, full_at - self._now() - BURST_SECONDS + self._step)

    def use(self, address: str) -> None:
        """Use one up."""
        now = self._now()
        full_at = max(now, self._full_at.get(address, now)) + self._step
        # Many can be looked at at once; they use up no more than there is.
        self._full_at[address] = min(full_at, now + BURST_SECONDS)
        if len(self._full_at) > _PRUNED_ABOVE:
            self._full_at = {one: at for one, at in self._full_at.items() if at > now}

    def give_back(self, address: str) -> None:
        """One more is left."""
        if address in self._full_at:
            self._full_at[address] -= self._step


class Rationing:
    """Middleware: each answer of an error of the asker's uses up one, and what is marked so."""

    def __init__(
        self,
        app: ASGIApp,
        allowance: Allowance,
        paid_header: str,
        on_refused: Callable[[], None],
    ) -> None:
        """An answer without an error that has `paid_header` was paid for; `on_refused` is told of
        each request that is not looked at.
        """
        self._app = app
        self._allowance = allowance
        self._paid_header = paid_header
        self._on_refused = on_refused

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in PROBES:
            await self._app(scope, receive, send)
            return
        address = _address(scope)
        wait = self._allowance.wait_seconds(address)
        if wait:
            self._on_refused()
            await _refusal(scope, RateLimited(math.ceil(wait)))(scope, receive, send)
            return
        status, is_paid = 0, False

        async def send_and_see(message: Message) -> None:
            nonlocal status, is_paid
            if message["type"] == "http.response.start":
                status = message["status"]
                is_paid = status < 400 and self._paid_header in Headers(raw=message["headers"])
            await send(message)

        try:
            await self._app(scope, receive, send_and_see)
        finally:
            if is_paid:
                self._allowance.give_back(address)
            elif 400 <= status < 500 or scope.get(_UNPAID):
                self._allowance.use(address)


def _refusal(scope: Scope, error: RateLimited) -> ASGIApp:
    return problem(
        Request(scope),
        HTTPStatus.TOO_MANY_REQUESTS,
        error.code,
        error.message,
        headers={"Retry-After": str(error.seconds)},
        error={"message": error.message, "type": error.code, "code": error.code},
    )


def _address(scope: Scope) -> str:
    """Whom a request is counted for."""
    host = scope["client"][0] if scope.get("client") else ""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return str(host)
    if address.version == 6:
        if address.ipv4_mapped is not None:
            # As a socket that listens to both has it.
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((address, _IPV6_PREFIX), strict=False))
    return str(address)
