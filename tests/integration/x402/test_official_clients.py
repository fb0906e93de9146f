"""x402's own clients, unmodified: they pay what `Exact` guards, and settle by the facilitator."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from x402 import x402Client, x402ClientSync, x402ResourceServer
from x402.http import FacilitatorConfig, HTTPFacilitatorClient
from x402.http.clients import wrapHttpxWithPayment, wrapRequestsWithPayment
from x402.http.middleware.fastapi import payment_middleware
from x402.http.types import PaymentOption, RouteConfig
from x402.http.utils import decode_payment_response_header, encode_payment_required_header
from x402.mechanisms.evm.exact.register import register_exact_evm_client, register_exact_evm_server
from x402.mechanisms.evm.signers import EthAccountSigner
from x402.schemas import PaymentPayload, PaymentRequirements, SettleResponse
from x402.schemas import PaymentRequired as OfficialRequired

from api.domain.codec import to_hex
from api.domain.hashing import keccak256
from api.domain.x402 import (
    PAYMENT_REQUIRED_HEADER,
    PAYMENT_RESPONSE_HEADER,
    PAYMENT_SIGNATURE_HEADER,
    Payment,
    PaymentRequired,
)
from api.errors import PaymentRefused
from api.gateway.facilitator import Facilitator, facilitator_routes
from tests.support.market import GATEWAY, MERCHANT, MOST, PAYER, Cashier

LEAST = 800
"""Of a payment to somebody else, in 10⁻⁶ dollars."""

USED = 400
PAY = Path(__file__).with_name("pay.mjs")


def shop(cashier: Cashier) -> FastAPI:
    """What costs MOST at most and comes to USED, and the facilitator beside it."""
    app, exact = FastAPI(), cashier.exact

    @app.get("/paid")
    async def paid(request: Request) -> JSONResponse:
        offer = cashier.offer
        header = request.headers.get(PAYMENT_SIGNATURE_HEADER)
        try:
            if header is None:
                raise PaymentRefused("payment_required", "this costs something")
            taken = await exact.take(Payment.from_header(header), offer)
        except PaymentRefused as refusal:
            required = PaymentRequired(refusal.message, str(request.url), (offer,))
            headers = {PAYMENT_REQUIRED_HEADER: required.to_header(), "Cache-Control": "no-store"}
            return JSONResponse({"error": refusal.reason}, 402, headers)
        settled = await exact.settle(taken.authorization, USED, keccak256(b"answer"))
        response = await exact.response(settled)
        return JSONResponse({"answer": 42}, headers={PAYMENT_RESPONSE_HEADER: response.to_header()})

    facilitator = Facilitator(exact, frozenset({MERCHANT}), LEAST)
    app.include_router(facilitator_routes(lambda: facilitator))
    return app


@asynccontextmanager
async def served(app: FastAPI) -> AsyncIterator[str]:
    """The address at which it is served."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off"))
        serving = asyncio.create_task(server.serve([listening]))
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            await serving


@pytest.fixture
async def base(cashier: Cashier) -> AsyncIterator[str]:
    """Where the shop is."""
    async with cashier.working(), served(shop(cashier)) as url:
        yield url


def official() -> x402Client:
    return register_exact_evm_client(x402Client(), EthAccountSigner(PAYER))


def is_settled(header: str) -> None:
    settled = decode_payment_response_header(header)
    assert settled.success
    assert settled.payer == PAYER.address
    assert len(settled.transaction) == 66


async def test_httpx_client__asks__pays_and_is_credited_what_was_not_used(
    cashier: Cashier, base: str
) -> None:
    before = await cashier.credit()
    async with wrapHttpxWithPayment(official(), timeout=30) as client:
        answer = await client.get(f"{base}/paid")
    assert (answer.status_code, answer.json()) == (200, {"answer": 42})
    is_settled(answer.headers[PAYMENT_RESPONSE_HEADER])
    assert await cashier.credit() == before + MOST - USED


async def test_requests_client__asks__pays(cashier: Cashier, base: str) -> None:
    import requests

    client = register_exact_evm_client(x402ClientSync(), EthAccountSigner(PAYER))
    session = wrapRequestsWithPayment(requests.Session(), client)
    before = await cashier.credit()
    answer = await asyncio.to_thread(session.get, f"{base}/paid", timeout=30)
    assert (answer.status_code, answer.json()) == (200, {"answer": 42})
    is_settled(answer.headers[PAYMENT_RESPONSE_HEADER])
    assert await cashier.credit() == before + MOST - USED


async def test_fetch_client__asks__pays(cashier: Cashier, base: str) -> None:
    before = await cashier.credit()
    process = await asyncio.create_subprocess_exec(
        "node", str(PAY), f"{base}/paid", to_hex(bytes(PAYER.key)), stdout=asyncio.subprocess.PIPE
    )
    said, _ = await process.communicate()
    assert process.returncode == 0
    answer = json.loads(said)
    assert (answer["status"], answer["body"]) == (200, {"answer": 42})
    assert answer["payment"]["success"]
    assert answer["payment"]["payer"] == PAYER.address
    assert await cashier.credit() == before + MOST - USED


async def test_payment__sent_twice__is_taken_once(cashier: Cashier, base: str) -> None:
    payload = await made_by(official(), cashier)
    header = {PAYMENT_SIGNATURE_HEADER: Payment.from_json(plain(payload)).to_header()}
    before = await cashier.balance(cashier.market.domain.verifying_contract)
    async with httpx.AsyncClient(timeout=30) as client:
        first, second = await asyncio.gather(
            client.get(f"{base}/paid", headers=header), client.get(f"{base}/paid", headers=header)
        )
    assert sorted((first.status_code, second.status_code)) == [200, 402]
    assert await cashier.balance(cashier.market.domain.verifying_contract) == before


def plain(model: PaymentPayload | PaymentRequirements) -> dict[str, object]:
    return model.model_dump(by_alias=True, exclude_none=True)


async def made_by(client: x402Client, cashier: Cashier) -> PaymentPayload:
    """What an official client makes of our offer, as it reads it."""
    ours = PaymentRequired("", "http://shop/paid", (cashier.offer,))
    theirs = OfficialRequired.model_validate(ours.to_json())
    assert PaymentRequired.from_header(encode_payment_required_header(theirs)) == ours
    payload = await client.create_payment_payload(theirs)
    assert isinstance(payload, PaymentPayload)
    return payload


async def test_facilitator_client__of_an_official_server__verifies_and_settles_once(
    cashier: Cashier, base: str
) -> None:
    facilitator = HTTPFacilitatorClient(FacilitatorConfig(url=base))
    supported = await asyncio.to_thread(facilitator.get_supported)
    assert [(kind.scheme, kind.network) for kind in supported.kinds] == [("exact", "eip155:84532")]
    assert supported.signers == {"eip155:*": [GATEWAY.address]}
    payload = await made_by(official(), cashier)
    valid = await facilitator.verify(payload, payload.accepted)
    assert (valid.is_valid, valid.payer) == (True, PAYER.address)
    settled = [await facilitator.settle(payload, payload.accepted) for _ in range(2)]
    assert settled[0] == settled[1]
    assert settled[0].success
    assert settled[0].amount == str(MOST)
    used = await facilitator.verify(payload, payload.accepted)
    assert (used.is_valid, used.invalid_reason) == (False, "invalid_exact_evm_nonce_already_used")
    forged = payload.model_copy(
        update={"payload": {**payload.payload, "signature": "0x" + "11" * 65}}
    )
    refused: SettleResponse = await facilitator.settle(forged, payload.accepted)
    assert (refused.success, refused.error_reason) == (
        False,
        "invalid_exact_evm_nonce_already_used",
    )
    await facilitator.aclose()


async def test_official_server__with_our_facilitator__is_paid_by_an_official_client(
    cashier: Cashier, base: str
) -> None:
    server = x402ResourceServer(HTTPFacilitatorClient(FacilitatorConfig(url=base)))
    register_exact_evm_server(server)
    price = PaymentOption(scheme="exact", pay_to=MERCHANT, price="$0.002", network="eip155:84532")
    app = FastAPI()
    # It would ask the facilitator while the loop waits, in which both are served here.
    await asyncio.to_thread(server.initialize)
    routes = {"GET /news": RouteConfig(accepts=price)}
    guard = payment_middleware(routes, server, sync_facilitator_on_start=False)
    app.middleware("http")(guard)

    @app.get("/news")
    async def news() -> dict[str, str]:
        return {"news": "none"}

    before = await cashier.balance(MERCHANT)
    async with served(app) as url, wrapHttpxWithPayment(official(), timeout=60) as client:
        answer = await client.get(f"{url}/news")
    assert (answer.status_code, answer.json()) == (200, {"news": "none"})
    is_settled(answer.headers[PAYMENT_RESPONSE_HEADER])
    assert await cashier.balance(MERCHANT) == before + 2_000


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{}", b'{"paymentPayload": {}}', b'{"a": "' + b"x" * 70_000 + b'"}'],
)
async def test_facilitator__what_is_no_payment__is_refused_in_its_own_words(
    base: str, body: bytes
) -> None:
    async with httpx.AsyncClient(timeout=30) as client:
        looked = (await client.post(f"{base}/verify", content=body)).json()
        settled = (await client.post(f"{base}/settle", content=body)).json()
    assert (looked["isValid"], looked["invalidReason"]) == (False, "invalid_payload")
    assert (settled["success"], settled["errorReason"]) == (False, "invalid_payload")


async def test_facilitator__payee_that_is_not_served__is_refused(
    cashier: Cashier, base: str
) -> None:
    offer = cashier.offer.to_json() | {"payTo": GATEWAY.address}
    payload = plain(await made_by(official(), cashier))
    body = {"x402Version": 2, "paymentPayload": payload, "paymentRequirements": offer}
    async with httpx.AsyncClient(timeout=30) as client:
        settled = (await client.post(f"{base}/settle", json=body)).json()
    assert settled["errorReason"] == "unsupported_payee"


async def test_facilitator__less_than_its_gas_is_worth__is_settled_for_own_clusters_alone(
    cashier: Cashier, base: str
) -> None:
    offer = cashier.offer.to_json() | {"payTo": MERCHANT, "amount": str(LEAST - 1)}
    payload = plain(await made_by(official(), cashier))
    body = {"x402Version": 2, "paymentPayload": payload, "paymentRequirements": offer}
    async with httpx.AsyncClient(timeout=30) as client:
        settled = (await client.post(f"{base}/settle", json=body)).json()
    assert settled["errorReason"] == "invalid_payment_requirements"
    assert str(LEAST) in settled["errorMessage"]
