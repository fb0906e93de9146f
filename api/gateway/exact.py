"""Takes payments of x402's scheme `exact`: whether one is good, and each once.

A payment goes through these steps; a process that is killed at any of them comes back to the store:

1. `take`: it is looked at (`verify`), simulated, and kept under its payer and nonce. Whoever brings
   it again is refused.
2. `settle`, when it is known what was used; or `settle_ahead` of that. `Settling` brings it to the
   chain.
3. `let_go`, whatever happened: `Holding` forgets what was not ordered, and says what was used.

That an authorisation is used is no payment: its payer may have cancelled it. What counts is the
transfer, in a successful transaction, as deep in the chain as it has to be. One that somebody else
has brought so is taken too (`fronting.py`), and what is not used of it refunded (`refunding.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from api.chain.client import ChainClient
from api.chain.contracts import InferencePayments, Stablecoin, X402Settler
from api.clock import Clock
from api.domain.codec import to_hex
from api.domain.eip712 import Eip712Domain
from api.domain.eip3009 import Authorization, ExactPayment
from api.domain.signing import recover
from api.domain.work import NO_MODEL
from api.domain.x402 import Offer, Payment, PaymentResponse, network_of
from api.errors import BadSignature, ContractReverted, InvalidInput, OutOfRange, PaymentRefused
from api.gateway.fronting import PENDING, Fronting
from api.gateway.holding import INSUFFICIENT, Holding
from api.gateway.settling import CANCELLED, NOT_MOVED, Settling
from api.store.exact_payments import (
    ExactPaymentStore,
    PaymentState,
    SettlementKind,
    TakenPayment,
)
from api.types import Address, ClusterId, Digest

EXACT_SCHEME: Final = "exact"

LEAST_SECONDS: Final = 6
"""A payment must be good for so much longer: it has to get into a block."""

MOST_SECONDS: Final = 3_600
"""How long one may be good: a batch that cannot be settled is given up when all of it is over."""

FAILED_MS: Final = 3_600_000
"""For how long nothing is taken from a payer who has let a payment fail: each costs gas."""

SETTLE_SECONDS: Final = 20.0
"""How long a settlement is waited for; after that it is pending."""

# What the stablecoin says, in x402's words. USDC's texts.
_REASONS: Final = {
    "authorization is expired": "invalid_exact_evm_payload_authorization_valid_before",
    "authorization is not yet valid": "invalid_exact_evm_payload_authorization_valid_after",
    "authorization is used": "invalid_exact_evm_nonce_already_used",
    "amount exceeds balance": INSUFFICIENT,
    "invalid signature": "invalid_exact_evm_payload_signature",
}
_FAILED_SIMULATION: Final = "invalid_exact_evm_transaction_simulation_failed"


class Exact:
    """Payments to the addresses of this gateway's clusters, and to anybody's as a facilitator."""

    def __init__(
        self,
        *,
        client: ChainClient,
        stablecoin: Stablecoin,
        settler: X402Settler,
        payments: InferencePayments,
        domain: Eip712Domain,
        gateway: Address,
        pay_to: Mapping[ClusterId, Address],
        store: ExactPaymentStore,
        holding: Holding,
        settling: Settling,
        fronting: Fronting,
        clock: Clock,
    ) -> None:
        """`domain` is the stablecoin's; `pay_to` has `X402Settler.pay_to` of each cluster."""
        self._client = client
        self._stablecoin = stablecoin
        self._settler = settler
        self._payments = payments
        self._domain = domain
        self._gateway = gateway
        self._pay_to = dict(pay_to)
        self._cluster_of = {address: cluster_id for cluster_id, address in pay_to.items()}
        self._store = store
        self._holding = holding
        self._settling = settling
        self._fronting = fronting
        self._clock = clock

    @property
    def network(self) -> str:
        return network_of(self._domain.chain_id)

    @property
    def gateway(self) -> Address:
        """Who settles."""
        return self._gateway

    def offer(self, cluster_id: ClusterId, most_usd6: int, timeout_seconds: int) -> Offer:
        """Payment of a request to that cluster which comes to `most_usd6` at most."""
        return Offer(
            EXACT_SCHEME,
            self.network,
            most_usd6,
            self._domain.verifying_contract,
            self._pay_to[cluster_id],
            timeout_seconds,
            {"name": self._domain.name, "version": self._domain.version},
        )

    # -- looking ----------------------------------------------------------------------------------

    async def verify(self, payment: Payment, offer: Offer) -> ExactPayment:
        """The authorisation in a payment for this very offer, if it could be settled now.

        Raises:
            PaymentRefused: With x402's reason.
            Unavailable: The chain cannot be asked.
        """
        brought = self._meant(payment, offer)
        await self._require_good(brought)
        return brought

    def _meant(self, payment: Payment, offer: Offer) -> ExactPayment:
        """The authorisation, which pays what is offered to whom it is offered by."""
        self._require_terms(payment.accepted, offer)
        try:
            brought = ExactPayment.from_payload(payment.payload)
            brought.packed()
        except InvalidInput as error:
            raise PaymentRefused("invalid_payload", error.message, value=error.value) from None
        self._require_fitting(brought.authorization, offer)
        return brought

    async def _require_good(self, brought: ExactPayment) -> None:
        """That it could be settled now."""
        self._require_timely(brought.authorization)
        await self._require_creditable(brought.authorization)
        await self._require_signed(brought)
        await self._require_settleable(brought, brought.packed())

    def _require_terms(self, accepted: Offer, offer: Offer) -> None:
        for name, got, wanted in (
            ("unsupported_scheme", offer.scheme, EXACT_SCHEME),
            ("network_mismatch", offer.network, self.network),
            ("unsupported_asset", offer.asset, self._domain.verifying_contract),
            ("unsupported_scheme", accepted.scheme, offer.scheme),
            ("network_mismatch", accepted.network, offer.network),
        ):
            if got != wanted:
                raise PaymentRefused(name, f"{got} is not {wanted}", value=got, limit=wanted)
        for field, value in (("name", self._domain.name), ("version", self._domain.version)):
            said = offer.extra.get(field)
            if said is None:
                raise PaymentRefused("missing_eip712_domain", f"extra has no {field}", value=field)
            if said != value:
                reason = f"invalid_exact_evm_token_{field}_mismatch"
                raise PaymentRefused(
                    reason, f"the asset's {field} is {value}", value=said, limit=value
                )
        if not offer.is_accepted_by(accepted):
            raise PaymentRefused(
                "invalid_payment_requirements", "what was accepted is not what is offered"
            )

    def _require_fitting(self, one: Authorization, offer: Offer) -> None:
        prefix = "invalid_exact_evm_payload"
        if one.to != offer.pay_to:
            raise PaymentRefused(
                f"{prefix}_recipient_mismatch", "it pays somebody else", value=one.to,
                limit=offer.pay_to,
            )  # fmt: skip
        if one.value != offer.amount or one.value == 0:
            raise PaymentRefused(
                f"{prefix}_authorization_value_mismatch", f"it pays {one.value}", value=one.value,
                limit=offer.amount,
            )  # fmt: skip

    def _require_timely(self, one: Authorization) -> None:
        prefix, now = "invalid_exact_evm_payload", self._clock.now()
        if one.valid_before < now + LEAST_SECONDS:
            raise PaymentRefused(
                f"{prefix}_authorization_valid_before", "it is over, or too soon",
                value=one.valid_before, limit=now + LEAST_SECONDS,
            )  # fmt: skip
        if one.valid_before > now + MOST_SECONDS:
            raise PaymentRefused(
                f"{prefix}_authorization_valid_before", "it is good for too long",
                value=one.valid_before, limit=now + MOST_SECONDS,
            )  # fmt: skip
        if one.valid_after >= now:
            raise PaymentRefused(
                f"{prefix}_authorization_valid_after", "it is not good yet",
                value=one.valid_after, limit=now,
            )  # fmt: skip

    async def _require_creditable(self, one: Authorization) -> None:
        """While deposits are paused nothing can be given back of what is paid for a cluster."""
        paused_until = await self._payments.inflow_paused_until()
        if self._clock.now() < paused_until and one.to in self._cluster_of:
            raise PaymentRefused(
                "invalid_transaction_state",
                f"deposits are paused until {paused_until}, so that what is not used of a payment"
                " could not be given back: pay by voucher",
                value=self._clock.now(),
                limit=paused_until,
            )

    async def _require_signed(self, brought: ExactPayment) -> None:
        """By the payer's key. What an account with code signs, the stablecoin asks of it itself."""
        payer = brought.authorization.payer
        if not self._is_signed(brought) and not await self._client.code_at(payer):
            raise PaymentRefused(
                "invalid_exact_evm_payload_signature", f"{payer} has not signed it", value=payer
            )

    def _is_signed(self, brought: ExactPayment) -> bool:
        digest = brought.authorization.message(self._domain).digest
        try:
            return recover(digest, brought.signature) == brought.authorization.payer
        except BadSignature:
            # A contract's signature has its own form.
            return False

    async def _require_settleable(self, brought: ExactPayment, packed: bytes) -> None:
        """By a call that changes nothing, with the gas that it would get."""
        one = brought.authorization
        cluster_id = self._cluster_of.get(one.to)
        if cluster_id is not None and await self._would_settle(cluster_id, packed) == one.value:
            return
        calldata = self._stablecoin.encode_transfer_with_authorization(brought)
        try:
            await self._client.call(self._stablecoin.address, calldata, sender=self._gateway)
        except ContractReverted as refusal:
            raise PaymentRefused(_reason_of(refusal), refusal.message) from None
        if cluster_id is not None:
            raise PaymentRefused(_FAILED_SIMULATION, "it cannot be settled with the gas it gets")

    async def _would_settle(self, cluster_id: ClusterId, packed: bytes) -> int:
        try:
            return await self._settler.would_settle(cluster_id, packed, sender=self._gateway)
        except ContractReverted:
            # What the stablecoin has against it is asked next.
            return 0

    # -- taking -----------------------------------------------------------------------------------

    async def take(self, payment: Payment, offer: Offer) -> TakenPayment:
        """Keep a payment that is good, or that somebody else has brought, for one request until
        `let_go`. Raises PaymentRefused if it was brought before, or is more than its payer has
        beside what it has brought already.
        """
        brought, from_block = self._meant(payment, offer), (await self._client.block()).number
        paid_in: Digest | None = None
        try:
            await self._require_good(brought)
        except PaymentRefused:
            # What a contract has signed cannot be asked once its nonce is used.
            if self._is_signed(brought):
                paid_in = await self._fronting.paid_in(brought.authorization)
            if paid_in is None:
                raise
        return await self._hold(brought, from_block, paid_in)

    async def _hold(
        self, brought: ExactPayment, from_block: int, paid_in: Digest | None = None
    ) -> TakenPayment:
        payer, now_ms = brought.authorization.payer, self._clock.now_ms()
        cluster_id = self._cluster_of.get(brought.authorization.to)
        taken = TakenPayment(brought, cluster_id, from_block, now_ms)
        if paid_in is None:
            await self._require_reliable(payer, now_ms)
        else:
            taken = replace(taken, state=PaymentState.FRONTED, tx_hash=paid_in)
        # In this order: what is paid has left the balance.
        paid = self._settling.paid()
        balance = await self._stablecoin.balance_of(payer)
        await self._holding.take(taken, balance, paid)
        return taken

    async def _require_reliable(self, payer: Address, now_ms: int) -> None:
        """An account with code may say one thing when it is asked and another when it is to pay."""
        for one in await self._store.failed(payer, now_ms - FAILED_MS):
            if one.reason in (NOT_MOVED, CANCELLED):
                again_at = (one.taken_at_ms + FAILED_MS) // 1_000 + 1
                raise PaymentRefused(
                    "invalid_transaction_state",
                    f"a payment of {payer} failed on chain; others are taken from {again_at} on",
                    value=now_ms // 1_000,
                    limit=again_at,
                )

    def let_go(self, one: Authorization, *, is_given: bool) -> None:
        """The request that it was taken for is over; whether anything was given for it."""
        self._holding.let_go(one, is_given=is_given)
        self._settling.wake()

    # -- settling ---------------------------------------------------------------------------------

    async def settle(
        self,
        one: Authorization,
        used_usd6: int,
        receipt_hash: Digest,
        seconds: float = SETTLE_SECONDS,
    ) -> TakenPayment:
        """Have it settled, `used_usd6` of it as the cluster's income and the rest credited to its
        payer. What is known of it when it is in a block or failed, or after `seconds`; it goes on
        then. With 0 the order is durable when this returns.

        Raises OutOfRange if more was used than it brings.
        """
        _require_used(one, used_usd6)
        await self._store.order(one, SettlementKind.SETTLE, used_usd6, receipt_hash)
        return await self._settling.outcome(one, seconds)

    async def settle_ahead(
        self,
        one: Authorization,
        seconds: float = SETTLE_SECONDS,
        *,
        model_id: Digest = NO_MODEL,
    ) -> TakenPayment:
        """The same before it is known what will be used: `let_go` must follow within a day.
        `model_id` is of the registered model that is to be used, if any.
        """
        await self._store.order(one, SettlementKind.AHEAD, model_id=model_id)
        return await self._settling.outcome(one, seconds)

    async def facilitate(
        self, payment: Payment, offer: Offer, seconds: float = SETTLE_SECONDS
    ) -> TakenPayment:
        """Settle a payment for somebody else's request, all of it used; once, however often it is
        asked for. Its receipt is the authorisation itself.

        Raises PaymentRefused.
        """
        known = await self._known(payment)
        if known is not None:
            # It was ordered before, or pays for a request here, which says what was used of it.
            self._require_terms(payment.accepted, offer)
            self._require_fitting_known(known.authorization, offer)
            return await self._settling.outcome(known.authorization, seconds)
        # What somebody else has brought is for its payee to know, who may have served it.
        from_block = (await self._client.block()).number
        known = await self._hold(await self.verify(payment, offer), from_block)
        one = known.authorization
        kind = SettlementKind.PLAIN if known.cluster_id is None else SettlementKind.SETTLE
        try:
            await self._store.order(one, kind, one.value, one.message(self._domain).digest)
        finally:
            self.let_go(one, is_given=False)
        return await self._settling.outcome(one, seconds)

    def told(self, known: TakenPayment) -> PaymentResponse:
        """What a payer is told of a payment."""
        reason = known.reason if known.state is PaymentState.FAILED else PENDING
        return PaymentResponse(
            success=known.state.is_paid,
            network=self.network,
            transaction="" if known.tx_hash is None else to_hex(known.tx_hash),
            payer=known.authorization.payer,
            amount=known.authorization.value if known.state.is_paid else None,
            error_reason=None if known.state.is_paid else reason,
        )

    async def response(self, known: TakenPayment) -> PaymentResponse:
        """The same with the transaction that is to settle it, if one was sent."""
        return self.told(replace(known, tx_hash=await self._settling.transaction_of(known)))

    def cluster_of(self, pay_to: Address) -> ClusterId | None:
        """Which cluster of this gateway is paid there."""
        return self._cluster_of.get(pay_to)

    def is_ours(self, pay_to: Address) -> bool:
        """Whether a payment there is for a cluster of this gateway."""
        return pay_to in self._cluster_of

    async def _known(self, payment: Payment) -> TakenPayment | None:
        try:
            brought = ExactPayment.from_payload(payment.payload)
        except InvalidInput as error:
            raise PaymentRefused("invalid_payload", error.message) from None
        one = brought.authorization
        known = await self._store.find(one.payer, one.nonce)
        if known is not None and known.payment != brought:
            raise PaymentRefused(
                "invalid_exact_evm_nonce_already_used", "another payment with it was brought before"
            )
        return known

    def _require_fitting_known(self, one: Authorization, offer: Offer) -> None:
        if (one.to, one.value) != (offer.pay_to, offer.amount):
            raise PaymentRefused(
                "invalid_payment_requirements", "what was settled is not what is offered"
            )


def _require_used(one: Authorization, used_usd6: int) -> None:
    if not 0 <= used_usd6 <= one.value:
        raise OutOfRange("usedUsd6", used_usd6, 0, one.value)


def _reason_of(refusal: ContractReverted) -> str:
    said = str(refusal.arguments.get("reason", ""))
    return next((word for text, word in _REASONS.items() if text in said), _FAILED_SIMULATION)
