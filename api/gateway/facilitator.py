"""x402's facilitator over HTTP: `/supported`, `/verify` and `/settle`, as its clients ask for them.

Another server of x402 can so have its payments looked at and settled here. What pays a cluster of
this gateway goes through the settler, all of it used; what pays somebody else is one transfer, for
which this gateway's account pays the gas: `payees` says for whom.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from api.domain.codec import parse_json
from api.domain.x402 import X402_VERSION, Offer, Payment, PaymentResponse, parse_object
from api.errors import InvalidInput, PaymentRefused
from api.gateway.exact import EXACT_SCHEME, SETTLE_SECONDS, Exact
from api.serving.documented import problems, read_body
from api.serving.rationing import mark_unpaid
from api.types import Address

MAX_BODY_BYTES: Final = 64 * 1024


class Facilitator:
    """Answers with `exact`. `payees` are accounts besides those of this gateway's clusters. What is
    settled is `least_usd6` or more.
    """

    def __init__(
        self,
        exact: Exact,
        payees: frozenset[Address],
        least_usd6: int,
        *,
        settle_seconds: float = SETTLE_SECONDS,
    ) -> None:
        self._exact = exact
        self._payees = payees
        self._least_usd6 = least_usd6
        self._settle_seconds = settle_seconds

    def supported(self) -> dict[str, Any]:
        """What is verified and settled here, and by whom."""
        exact = self._exact
        return {
            "kinds": [
                {"x402Version": X402_VERSION, "scheme": EXACT_SCHEME, "network": exact.network}
            ],
            "extensions": [],
            "signers": {"eip155:*": [exact.gateway]},
        }

    async def verify(self, body: bytes) -> dict[str, Any]:
        """Whether a payment could be settled now. Raises Unavailable."""
        payer = None
        try:
            payment, offer = self._asked(body)
            payer = _payer_of(payment)
            await self._exact.verify(payment, offer)
        except (PaymentRefused, InvalidInput) as refusal:
            said = {"invalidReason": _reason_of(refusal), "invalidMessage": refusal.message}
            return {"isValid": False, **said, **({} if payer is None else {"payer": payer})}
        return {"isValid": True, "payer": payer}

    async def settle(self, body: bytes) -> dict[str, Any]:
        """Settle a payment once, however often it is asked for. Raises Unavailable: asked again, it
        goes on from where it was.
        """
        exact = self._exact
        try:
            payment, offer = self._asked(body)
            known = await exact.facilitate(payment, offer, self._settle_seconds)
        except (PaymentRefused, InvalidInput) as refusal:
            reason = _reason_of(refusal)
            return PaymentResponse(
                False, exact.network, error_reason=reason, error_message=refusal.message
            ).to_json()
        return (await exact.response(known)).to_json()

    def _asked(self, body: bytes) -> tuple[Payment, Offer]:
        fields = parse_object(parse_json(body, "body"), "body")
        payment = Payment.from_json(fields.get("paymentPayload"))
        offer = Offer.from_json(fields.get("paymentRequirements"), "paymentRequirements")
        if not self._exact.is_ours(offer.pay_to) and offer.pay_to not in self._payees:
            message = f"payments to {offer.pay_to} are not settled here"
            raise PaymentRefused("unsupported_payee", message, value=offer.pay_to)
        if offer.amount < self._least_usd6:
            message = f"payments to {offer.pay_to} are settled from {self._least_usd6} on"
            raise PaymentRefused(
                "invalid_payment_requirements", message, value=offer.amount, limit=self._least_usd6
            )
        return payment, offer


def facilitator_routes(facilitator: Callable[[], Facilitator]) -> APIRouter:
    """The three endpoints, answered by whoever `facilitator` gives."""
    routes = APIRouter(tags=["facilitator"], responses=problems(429))

    @routes.get("/supported", summary="What is verified and settled here")
    async def supported() -> dict[str, Any]:
        return facilitator().supported()

    @routes.post("/verify", summary="Whether a payment could be settled now")
    async def verify(request: Request) -> JSONResponse:
        # A payment that is looked at need not be settled.
        mark_unpaid(request)
        return JSONResponse(await facilitator().verify(await _body(request)))

    @routes.post("/settle", summary="Settle a payment, once")
    async def settle(request: Request) -> JSONResponse:
        answer = await facilitator().settle(await _body(request))
        if not answer["success"]:
            mark_unpaid(request)
        return JSONResponse(answer)

    return routes


async def _body(request: Request) -> bytes:
    """What was sent; nothing, which is no JSON, if it is more than is read."""
    try:
        return await read_body(request, MAX_BODY_BYTES)
    except InvalidInput:
        return b""


def _payer_of(payment: Payment) -> str | None:
    authorization = payment.payload.get("authorization")
    payer = authorization.get("from") if isinstance(authorization, Mapping) else None
    return payer if isinstance(payer, str) else None


def _reason_of(refusal: PaymentRefused | InvalidInput) -> str:
    return refusal.reason if isinstance(refusal, PaymentRefused) else "invalid_payload"
