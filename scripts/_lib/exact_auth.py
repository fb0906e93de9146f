"""Pays what a server asks by x402: an authorisation of the payer's dollars for each request.

A customer would take x402's own client, as the tests do. That signs for the time of its machine,
from which the chain of a replay can be days away: here it is the chain's.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncGenerator, Awaitable, Callable

import httpx

from api.domain.eip712 import Eip712Domain
from api.domain.eip3009 import Authorization, ExactPayment
from api.domain.signing import Signer
from api.domain.x402 import (
    PAYMENT_REQUIRED_HEADER,
    PAYMENT_SIGNATURE_HEADER,
    Offer,
    Payment,
    PaymentRequired,
    chain_id_of,
)
from api.types import Digest

EXACT = "exact"


class ExactAuth(httpx.Auth):
    """For `httpx.AsyncClient`. A request that is sent again is paid again."""

    def __init__(self, signer: Signer, now: Callable[[], Awaitable[int]]) -> None:
        """`now` is the chain's, in Unix seconds."""
        self._signer = signer
        self._now = now
        self.taken: list[Authorization] = []
        """What was signed for requests that were answered, for the owner to clear."""

    async def async_auth_flow(
        self, request: httpx.Request
    ) -> AsyncGenerator[httpx.Request, httpx.Response]:
        """The request, and once more with a payment if the answer asks for one."""
        answer = yield request
        asked = answer.headers.get(PAYMENT_REQUIRED_HEADER)
        if answer.status_code != httpx.codes.PAYMENT_REQUIRED or asked is None:
            return
        offers = PaymentRequired.from_header(asked).accepts
        offer = next((one for one in offers if one.scheme == EXACT), None)
        if offer is not None:
            authorization = self._authorize(offer, await self._now())
            payment = self._sign(authorization, offer)
            request.headers[PAYMENT_SIGNATURE_HEADER] = payment.to_header()
            answer = yield request
            if answer.is_success:
                self.taken.append(authorization)

    def _authorize(self, offer: Offer, now: int) -> Authorization:
        return Authorization(
            self._signer.address,
            offer.pay_to,
            offer.amount,
            0,
            now + offer.max_timeout_seconds,
            Digest(secrets.token_bytes(32)),
        )

    def _sign(self, authorization: Authorization, offer: Offer) -> Payment:
        chain_id = chain_id_of(offer.network)
        domain = Eip712Domain(offer.extra["name"], offer.extra["version"], chain_id, offer.asset)
        signed = ExactPayment.signed(authorization, domain, self._signer)
        return Payment(offer, signed.to_payload())
