"""The official x402 client before an answer that offers vouchers beside its own scheme."""

from __future__ import annotations

from dataclasses import replace

import httpx
from eth_account import Account
from x402 import x402Client
from x402.http.clients import x402AsyncTransport
from x402.mechanisms.evm.exact import register_exact_evm_client

from api.domain.x402 import (
    PAYMENT_REQUIRED_HEADER,
    PAYMENT_SIGNATURE_HEADER,
    Payment,
    PaymentRequired,
)
from tests.unit.api.client.conftest import TERMS

EXACT = replace(
    TERMS.offer,
    scheme="exact",
    amount=1_000,
    pay_to=TERMS.gateway,
    extra={"name": "USDC", "version": "2"},
)


async def test_x402_client__offered_vouchers_too__pays_by_its_own_scheme() -> None:
    brought: list[Payment] = []

    def gateway(request: httpx.Request) -> httpx.Response:
        if PAYMENT_SIGNATURE_HEADER in request.headers:
            brought.append(Payment.from_header(request.headers[PAYMENT_SIGNATURE_HEADER]))
            return httpx.Response(200)
        asked = PaymentRequired("unpaid", str(request.url), (TERMS.offer, EXACT))
        return httpx.Response(402, headers={PAYMENT_REQUIRED_HEADER: asked.to_header()})

    paying = x402Client()
    paying.set_spend_controls(
        {"allowed_assets": [{"network": EXACT.network, "asset": EXACT.asset}]}
    )
    register_exact_evm_client(paying, Account.from_key(b"\x03" * 32))
    transport = x402AsyncTransport(paying, httpx.MockTransport(gateway))
    async with httpx.AsyncClient(transport=transport) as http:
        answer = await http.post("http://gateway.example/v1/chat/completions", json={})
    assert answer.status_code == 200
    assert [payment.accepted for payment in brought] == [EXACT]
    assert brought[0].payload["authorization"]["to"] == TERMS.gateway
