"""Finds out how a request is paid for.

| what is brought                                                    | means                       |
|--------------------------------------------------------------------|-----------------------------|
| `PAYMENT-SIGNATURE`, scheme `voucher`                              | a voucher of a channel      |
| `Authorization: Bearer rk_…` (or `x-api-key`)                      | a session key: the gateway  |
|                                                                    | signs what was used         |

Everything else is answered by 402 with what would do. An API key is used to sign for what was
charged while its request is served, and is kept nowhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from api.domain.api_key import ApiKey
from api.domain.eip712 import Eip712Domain
from api.domain.vouchers import Voucher
from api.domain.x402 import (
    PAYMENT_SIGNATURE_HEADER,
    Offer,
    Payment,
    PaymentRequired,
    network_of,
)
from api.errors import BadApiKey, PaymentRefused
from api.gateway.accounts import Accounts
from api.gateway.ledger import PromiseTooLow
from api.gateway.purse import ChannelPurse, Purse, ReceiptBook
from api.types import Address

VOUCHER_SCHEME: Final = "voucher"
_BEARER: Final = "bearer "


class PaymentNeeded(PaymentRefused):
    """What was brought, or that nothing was, does not do; `required` says what does."""

    def __init__(self, refusal: PaymentRefused, required: PaymentRequired) -> None:
        super().__init__(refusal.reason, refusal.message, value=refusal.value, limit=refusal.limit)
        self.required = required


@dataclass(frozen=True, slots=True)
class Terms:
    """Where payments of this gateway are valid."""

    chain_id: int
    gateway: Address
    payments: Address
    stablecoin: Address
    domain: Eip712Domain
    """`payments_domain`'s."""

    def voucher_offer(self, most_usd6: int, cumulative_usd6: int | None) -> Offer:
        """Payment by voucher of a request that comes to `most_usd6` at most."""
        extra: dict[str, Any] = {
            "gateway": self.gateway,
            "name": self.domain.name,
            "version": self.domain.version,
        }
        if cumulative_usd6 is not None:
            extra["cumulativeUsd6"] = str(cumulative_usd6)
        return Offer(
            VOUCHER_SCHEME,
            network_of(self.chain_id),
            most_usd6,
            self.stablecoin,
            self.payments,
            60,
            extra,
        )


class Desk:
    """Takes payments."""

    def __init__(self, *, terms: Terms, accounts: Accounts, book: ReceiptBook) -> None:
        self._terms = terms
        self._accounts = accounts
        self._book = book

    async def purse(self, headers: Mapping[str, str], most_usd6: int, url: str) -> Purse:
        """The means for a request that comes to `most_usd6` at most, held.

        Raises:
            PaymentNeeded: None, or not enough; it says what would do.
            BadApiKey, Malformed, BadSignature: What was brought is not what it should be.
        """
        try:
            purse = await self._brought(headers, most_usd6)
            purse.hold(most_usd6)
            return purse
        except PaymentRefused as refusal:
            needed = refusal.cumulative_usd6 if isinstance(refusal, PromiseTooLow) else None
            raise PaymentNeeded(
                refusal,
                PaymentRequired(
                    refusal.message, url, (self._terms.voucher_offer(most_usd6, needed),)
                ),
            ) from None

    async def _brought(self, headers: Mapping[str, str], most_usd6: int) -> Purse:
        payment = headers.get(PAYMENT_SIGNATURE_HEADER)
        if payment is not None:
            return await self._by_payment(Payment.from_header(payment), most_usd6)
        given = headers.get("x-api-key")
        authorization = headers.get("authorization", "")
        if given is None and authorization[: len(_BEARER)].lower() == _BEARER:
            given = authorization[len(_BEARER) :].strip()
        if given is None:
            raise PaymentRefused("payment_required", "this request has to be paid for")
        return await self._by_api_key(ApiKey.parse(given))

    async def _by_payment(self, payment: Payment, most_usd6: int) -> Purse:
        network = network_of(self._terms.chain_id)
        accepted = payment.accepted
        if accepted.scheme != VOUCHER_SCHEME or accepted.network != network:
            raise PaymentRefused(
                "unsupported_scheme",
                f"{accepted.scheme} on {accepted.network} is not taken here",
                value=f"{accepted.scheme} on {accepted.network}",
                limit=f"{VOUCHER_SCHEME} on {network}",
            )
        voucher = Voucher.from_payload(payment.payload, self._terms.gateway)
        voucher.require_signed(self._terms.domain)
        channel = await self._accounts.channel(voucher.payer, voucher.key)
        channel.require_alive(self._book.clock.now())
        channel.use(voucher, most_usd6)
        return ChannelPurse(channel, self._book, None)

    async def _by_api_key(self, key: ApiKey) -> Purse:
        if key.signer.address == key.payer:
            raise BadApiKey("the API key is its payer's own key: give a session key with a limit")
        channel = await self._accounts.channel(key.payer, key.signer.address)
        return ChannelPurse(channel, self._book, key.signer)
