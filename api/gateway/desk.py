"""Finds out how a request is paid for.

| what is brought                                                    | means                       |
|--------------------------------------------------------------------|-----------------------------|
| `PAYMENT-SIGNATURE`, scheme `voucher`                              | a voucher of a channel      |
| the same header, scheme `exact`                                    | one payment, settled on     |
|                                                                    | chain for this request      |
| `Authorization: Bearer rk_…` (or `x-api-key`)                      | a session key: the gateway  |
|                                                                    | signs what was used         |

Everything else is answered by 402 with what would do. Where a lock is needed, a voucher brings it,
and a request waits until it is there. An API key is used to sign for what was charged, and a lock
that it takes, while its request is served, and is kept nowhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from api.domain.api_key import ApiKey
from api.domain.eip712 import Eip712Domain
from api.domain.vouchers import Lock, Voucher
from api.domain.x402 import (
    MAX_OFFERS,
    PAYMENT_SIGNATURE_HEADER,
    Offer,
    Payment,
    PaymentRequired,
    network_of,
)
from api.errors import BadApiKey, PaymentRefused, UpstreamUnavailable
from api.gateway.accounts import Accounts
from api.gateway.exact import EXACT_SCHEME, Exact
from api.gateway.exact_purse import ExactPurse
from api.gateway.ledger import LockNeeded, PromiseTooLow
from api.gateway.locking import Locking
from api.gateway.purse import PAYMENT_TIMEOUT_SECONDS, ChannelPurse, Purse, ReceiptBook
from api.types import Address, ClusterId

VOUCHER_SCHEME: Final = "voucher"
_BEARER: Final = "bearer "

_MOST_LOCKS: Final = 3
"""That are waited for: others that waited too may have used the first."""


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

    def voucher_offer(self, most_usd6: int, refusal: PaymentRefused) -> Offer:
        """Payment by voucher of a request that comes to `most_usd6` at most, after that refusal."""
        extra: dict[str, Any] = {
            "gateway": self.gateway,
            "name": self.domain.name,
            "version": self.domain.version,
        }
        if isinstance(refusal, PromiseTooLow | LockNeeded):
            extra["cumulativeUsd6"] = str(refusal.cumulative_usd6)
        if isinstance(refusal, LockNeeded):
            extra["lock"] = {"cumulativeUsd6": str(refusal.cover_usd6), "until": refusal.until}
        return Offer(
            VOUCHER_SCHEME,
            network_of(self.chain_id),
            most_usd6,
            self.stablecoin,
            self.payments,
            PAYMENT_TIMEOUT_SECONDS,
            extra,
        )


class Desk:
    """Takes payments."""

    def __init__(
        self, *, terms: Terms, accounts: Accounts, book: ReceiptBook, locking: Locking
    ) -> None:
        self._terms = terms
        self._accounts = accounts
        self._book = book
        self._locking = locking
        self.exact: Exact | None = None
        """Once it is known that the stablecoin can be paid so."""

    async def purse(
        self, headers: Mapping[str, str], most: Mapping[ClusterId, int], url: str
    ) -> Purse:
        """The means for a request that comes to so much at most at each cluster, held.

        Raises:
            PaymentNeeded: None, or not enough; it says what would do.
            BadApiKey, Malformed, BadSignature: What was brought is not what it should be.
        """
        dearest = max(most.values())
        try:
            purse = await self._brought(headers, most)
            try:
                await _hold(purse, dearest)
            except BaseException:
                purse.release()
                raise
            return purse
        except PaymentRefused as refusal:
            offers = [self._terms.voucher_offer(dearest, refusal)]
            if self.exact is not None:
                offers += [
                    self.exact.offer(cluster_id, amount, PAYMENT_TIMEOUT_SECONDS)
                    for cluster_id, amount in list(most.items())[: MAX_OFFERS - 1]
                ]
            required = PaymentRequired(refusal.message, url, tuple(offers))
            raise PaymentNeeded(refusal, required) from None

    async def _brought(self, headers: Mapping[str, str], most: Mapping[ClusterId, int]) -> Purse:
        payment = headers.get(PAYMENT_SIGNATURE_HEADER)
        if payment is not None:
            return await self._by_payment(Payment.from_header(payment), most)
        given = headers.get("x-api-key")
        authorization = headers.get("authorization", "")
        if given is None and authorization[: len(_BEARER)].lower() == _BEARER:
            given = authorization[len(_BEARER) :].strip()
        if given is None:
            raise PaymentRefused("payment_required", "this request has to be paid for")
        return await self._by_api_key(ApiKey.parse(given))

    async def _by_payment(self, payment: Payment, most: Mapping[ClusterId, int]) -> Purse:
        network = network_of(self._terms.chain_id)
        accepted = payment.accepted
        if accepted.scheme == EXACT_SCHEME and self.exact is not None:
            return await self._by_exact(self.exact, payment, most)
        if accepted.scheme != VOUCHER_SCHEME or accepted.network != network:
            raise PaymentRefused(
                "unsupported_scheme",
                f"{accepted.scheme} on {accepted.network} is not taken here",
                value=f"{accepted.scheme} on {accepted.network}",
                limit=f"{VOUCHER_SCHEME} on {network}",
            )
        voucher = Voucher.from_payload(payment.payload, self._terms.gateway)
        voucher.require_signed(self._terms.domain)
        lock = Lock.from_payload(payment.payload, voucher)
        if lock is not None:
            lock.require_signed(self._terms.domain)
        channel = await self._accounts.channel(voucher.payer, voucher.key)
        channel.require_alive(self._book.clock.now())
        channel.use(voucher, max(most.values()))
        return ChannelPurse(channel, self._book, self._locking, brought=lock)

    async def _by_exact(
        self, exact: Exact, payment: Payment, most: Mapping[ClusterId, int]
    ) -> Purse:
        accepted = payment.accepted
        cluster_id = exact.cluster_of(accepted.pay_to)
        if cluster_id is None:
            raise PaymentRefused(
                "invalid_payment_requirements",
                f"{accepted.pay_to} is no cluster's here",
                value=accepted.pay_to,
            )
        needed = most.get(cluster_id)
        if needed is None:
            raise UpstreamUnavailable("the cluster that was paid has no room now")
        # Before anything is asked of the chain.
        if accepted.amount < needed:
            raise PaymentRefused(
                "invalid_payment_requirements",
                f"the payment is {accepted.amount}, the request may come to {needed} now",
                value=accepted.amount,
                limit=needed,
            )
        offer = exact.offer(cluster_id, accepted.amount, PAYMENT_TIMEOUT_SECONDS)
        return ExactPurse(exact, await exact.take(payment, offer), self._book)

    async def _by_api_key(self, key: ApiKey) -> Purse:
        if key.signer.address == key.payer:
            raise BadApiKey("the API key is its payer's own key: give a session key with a limit")
        channel = await self._accounts.channel(key.payer, key.signer.address)
        return ChannelPurse(channel, self._book, self._locking, signer=key.signer)


async def _hold(purse: Purse, most_usd6: int) -> None:
    for _ in range(_MOST_LOCKS):
        try:
            purse.hold(most_usd6)
        except LockNeeded as needed:
            if not await purse.lock(needed):
                raise
        else:
            return
    purse.hold(most_usd6)
