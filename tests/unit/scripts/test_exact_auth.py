"""Who pays by x402 at the chain's time: once asked, an authorisation for the very offer."""

from __future__ import annotations

import httpx

from api.domain.eip712 import Eip712Domain
from api.domain.eip3009 import ExactPayment
from api.domain.signing import Signer, require_signer
from api.domain.x402 import (
    PAYMENT_REQUIRED_HEADER,
    PAYMENT_SIGNATURE_HEADER,
    Offer,
    Payment,
    PaymentRequired,
)
from api.types import Address, Signature
from scripts._lib.exact_auth import ExactAuth

PAYER = Signer(b"\x07" * 32)
NOW = 1_700_000_000
ASSET, PAY_TO = Address("0x" + "11" * 20), Address("0x" + "22" * 20)
VOUCHER = Offer("voucher", "eip155:31337", 0, ASSET, PAY_TO, 60)
EXACT = Offer("exact", "eip155:31337", 250, ASSET, PAY_TO, 60, {"name": "USDC", "version": "2"})


async def now() -> int:
    return NOW


class Server:
    """Answers with these offers until something is paid."""

    def __init__(self, *offers: Offer) -> None:
        self.offers = offers
        self.paid: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        paid = request.headers.get(PAYMENT_SIGNATURE_HEADER)
        if paid is not None:
            self.paid.append(paid)
            return httpx.Response(200)
        if not self.offers:
            return httpx.Response(402)
        asked = PaymentRequired("", "/", self.offers).to_header()
        return httpx.Response(402, headers={PAYMENT_REQUIRED_HEADER: asked})


async def status_of(server: Server, times: int = 1) -> int:
    transport, auth = httpx.MockTransport(server), ExactAuth(PAYER, now)
    async with httpx.AsyncClient(transport=transport, auth=auth) as client:
        answers = [await client.post("http://gateway/v1/completions") for _ in range(times)]
    return answers[-1].status_code


async def test_exact_auth__asked_to_pay__authorises_the_offer_for_as_long_as_it_says() -> None:
    server = Server(VOUCHER, EXACT)
    assert await status_of(server) == 200
    (header,) = server.paid
    payment = Payment.from_header(header)
    assert payment.accepted == EXACT
    brought = ExactPayment.from_payload(payment.payload)
    one = brought.authorization
    assert (one.payer, one.to, one.value) == (PAYER.address, PAY_TO, 250)
    assert (one.valid_after, one.valid_before) == (0, NOW + 60)
    domain = Eip712Domain("USDC", "2", 31_337, ASSET)
    require_signer(one.message(domain).digest, Signature(brought.signature), PAYER.address)


async def test_exact_auth__asked_again__is_another_payment() -> None:
    server = Server(EXACT)
    await status_of(server, times=2)
    payments = [ExactPayment.from_payload(Payment.from_header(one).payload) for one in server.paid]
    assert len({one.authorization.nonce for one in payments}) == 2


async def test_exact_auth__nothing_that_it_could_pay__the_answer_stays() -> None:
    for server in (Server(VOUCHER), Server()):
        assert await status_of(server) == 402
        assert server.paid == []
