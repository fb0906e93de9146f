"""A seller as x402's own documentation makes one, of the packages on PyPI, unmodified:

    python -m tests.bench.gateway.official facilitator '{…}'
    python -m tests.bench.gateway.official server '{…}'

The server guards its endpoint by x402's middleware for FastAPI and hands what was paid for to the
same model's server as the gateway. Its facilitator looks at each payment and settles it by a
transaction of its own, which is waited for. Each is a process.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass

import aiohttp
import uvicorn
import uvloop
from fastapi import FastAPI, Request, Response
from x402 import x402FacilitatorSync, x402ResourceServer
from x402.http import FacilitatorConfig, HTTPFacilitatorClient
from x402.http.middleware.fastapi import payment_middleware
from x402.http.types import PaymentOption, RouteConfig
from x402.mechanisms.evm import FacilitatorWeb3Signer
from x402.mechanisms.evm.exact.register import (
    register_exact_evm_facilitator,
    register_exact_evm_server,
)
from x402.schemas import AssetAmount, PaymentPayload, PaymentRequirements

from api.domain.x402 import network_of

ENDPOINT = "/v1/chat/completions"


@dataclass(frozen=True)
class Settings:
    """Of both processes. `amount` is the price of a request, in 10⁻⁶ dollars."""

    chain_id: int
    rpc_url: str
    upstream: str
    key: str
    asset: str
    pay_to: str
    amount: int
    server_port: int
    facilitator_port: int

    def to_json(self) -> str:
        return json.dumps(asdict(self))


def facilitator(settings: Settings) -> FastAPI:
    """Its endpoints run in threads: the package's web3 and its facilitator are not asynchronous."""
    signer = FacilitatorWeb3Signer(settings.key, settings.rpc_url)
    work = x402FacilitatorSync()
    register_exact_evm_facilitator(work, signer, network_of(settings.chain_id))
    app = FastAPI()

    @app.get("/supported")
    def supported() -> dict[str, object]:
        return work.get_supported().model_dump(by_alias=True, exclude_none=True)

    @app.post("/verify")
    def verify(asked: dict[str, object]) -> dict[str, object]:
        return work.verify(*_payment(asked)).model_dump(by_alias=True, exclude_none=True)

    @app.post("/settle")
    def settle(asked: dict[str, object]) -> dict[str, object]:
        return work.settle(*_payment(asked)).model_dump(by_alias=True, exclude_none=True)

    return app


def _payment(asked: dict[str, object]) -> tuple[PaymentPayload, PaymentRequirements]:
    return (
        PaymentPayload.model_validate(asked["paymentPayload"]),
        PaymentRequirements.model_validate(asked["paymentRequirements"]),
    )


def server(settings: Settings) -> FastAPI:
    sessions: list[aiohttp.ClientSession] = []

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
            sessions.append(session)
            yield

    client = HTTPFacilitatorClient(
        FacilitatorConfig(url=f"http://127.0.0.1:{settings.facilitator_port}")
    )
    resources = register_exact_evm_server(x402ResourceServer(client))
    resources.initialize()
    price = AssetAmount(
        amount=str(settings.amount),
        asset=settings.asset,
        extra={"name": "USDC", "version": "2"},
    )
    option = PaymentOption(
        scheme="exact",
        pay_to=settings.pay_to,
        price=price,
        network=network_of(settings.chain_id),
        max_timeout_seconds=600,
    )
    routes = {f"POST {ENDPOINT}": RouteConfig(accepts=option)}
    app = FastAPI(lifespan=lifespan)
    app.middleware("http")(payment_middleware(routes, resources, sync_facilitator_on_start=False))

    @app.get("/health")
    async def health() -> dict[str, bool]:
        return {"isAlive": True}

    @app.post(ENDPOINT)
    async def chat(request: Request) -> Response:
        async with sessions[0].post(
            settings.upstream + ENDPOINT,
            data=await request.body(),
            headers={"content-type": "application/json"},
        ) as answer:
            body = await answer.read()
        return Response(body, answer.status, media_type="application/json")

    return app


async def _serve(app: FastAPI, port: int) -> None:
    await uvicorn.Server(uvicorn.Config(app, port=port, log_level="error")).serve()


def main() -> None:
    part, settings = sys.argv[1], Settings(**json.loads(sys.argv[2]))
    if part == "server":
        uvloop.run(_serve(server(settings), settings.server_port))
    else:
        asyncio.run(_serve(facilitator(settings), settings.facilitator_port))


if __name__ == "__main__":
    main()
