"""One question to a gateway, paid for: what an agent does without anybody at hand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import httpx

from api.domain.x402 import PAYMENT_RESPONSE_HEADER, PaymentResponse
from api.errors import GatewayUnavailable, PaymentRefused

RECEIPT_HEADER = "Receipt-Id"


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer and what it cost, in 10⁻⁶ dollars; None where the gateway does not tell."""

    text: str
    charge_usd6: int | None
    receipt_id: str | None


def ask(http: httpx.Client, prompt: str, *, model: str | None, max_tokens: int) -> Answered:
    """Ask over a client that pays, with the gateway as its base URL.

    Args:
        model: Without it the first that the gateway names.

    Raises:
        PaymentRefused: What was promised does not do, for another reason than its amount.
        SpendLimitReached, OfferRefused: As the paying transport raises them.
        GatewayUnavailable: It cannot be reached, or gives no answer that is one.
    """
    try:
        body = {
            "model": model or _first_model(http),
            "messages": [{"role": "user", "content": prompt}],
            "max_tokens": max_tokens,
        }
        answer = http.post("/v1/chat/completions", json=body)
    except httpx.TransportError as error:
        raise GatewayUnavailable(http.base_url.host, str(error)) from None
    if answer.status_code == httpx.codes.PAYMENT_REQUIRED:
        raise PaymentRefused("refused", f"the gateway refuses the payment: {_message(answer)}")
    if answer.is_error:
        raise GatewayUnavailable(http.base_url.host, _message(answer))
    told = answer.headers.get(PAYMENT_RESPONSE_HEADER)
    return Answered(
        text=_of(answer, lambda data: str(data["choices"][0]["message"]["content"])),
        charge_usd6=None if told is None else PaymentResponse.from_header(told).amount,
        receipt_id=answer.headers.get(RECEIPT_HEADER),
    )


def _first_model(http: httpx.Client) -> str:
    return _of(http.get("/v1/models"), lambda data: str(data["data"][0]["id"]))


def _of(answer: httpx.Response, read: Any) -> str:
    try:
        found: str = read(answer.json())
    except (ValueError, KeyError, IndexError, TypeError):
        raise GatewayUnavailable(
            answer.url.host, f"{answer.url.path} is answered with {answer.text[:80]!r}"
        ) from None
    return found


def _message(answer: httpx.Response) -> str:
    try:
        return str(answer.json()["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return f"status {answer.status_code}"
