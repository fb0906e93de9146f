"""What a client promises a gateway, and what it never does.

1. The gateway says what it has charged this channel (payer, key, gateway) so far, and shows the
   voucher that let it. From there on at most `limit_usd6` more is promised.
2. Each request carries a voucher of its own, for 10⁻⁶ dollars more than the last: a gateway takes
   an amount once, as the proof that this very request is wanted. The first promises `step_usd6`
   ahead, so that most requests need no more.
3. A gateway that needs more says how much. It gets it, and a step, if it asks for this chain's
   dollars, this contract and itself, and for no more than this request's price beyond what was
   promised: it should have served nothing for which there was no promise.
4. A gateway that wants some of it locked gets the key's consent: for no more than the limit, and
   no longer than a day. What is locked stays the payer's until it is promised and used.
5. Of many requests at once that were not covered each raises the promise by its price, so that they
   do not take it from each other.

So a gateway that lies gets the limit at worst, and a price and a step for each time that it is sent
a request which it does not serve. Amounts are 10⁻⁶ dollars.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from api.clock import Clock, SystemClock
from api.domain.codec import parse_address, parse_hex, parse_uint
from api.domain.eip712 import Eip712Domain
from api.domain.signing import Signer
from api.domain.vouchers import MAX_LOCK_SECONDS, MAX_USD6, Lock, Voucher, payments_domain
from api.domain.x402 import Offer, Payment, PaymentRequired, network_of, parse_object
from api.errors import (
    BadSignature,
    Incoherent,
    Malformed,
    OfferRefused,
    OutOfRange,
    SpendLimitReached,
)
from api.types import SIGNATURE_BYTES, UINT64_MAX, Address, Signature

SCHEME: Final = "voucher"

DEFAULT_STEP_USD6: Final = 50_000
"""Five cents: what a gateway could take without work, against a second try for each request."""

_SPARE_USD6: Final = 1_000
"""A step stops so far below the limit, for the amounts of the requests that it is for."""


@dataclass(frozen=True)
class Terms:
    """Whom to pay, in what and where. From the record of a deployment, never from the gateway.

    Attributes:
        payments: The InferencePayments.
        gateway: The account that collects.
        stablecoin: What the contract holds.
    """

    chain_id: int
    payments: Address
    gateway: Address
    stablecoin: Address

    @cached_property
    def domain(self) -> Eip712Domain:
        return payments_domain(self.chain_id, self.payments)

    @cached_property
    def offer(self) -> Offer:
        """The offer of these terms, for nothing yet."""
        return Offer(
            scheme=SCHEME,
            network=network_of(self.chain_id),
            amount=0,
            asset=self.stablecoin,
            pay_to=self.payments,
            max_timeout_seconds=60,
            extra={
                "gateway": self.gateway,
                "name": self.domain.name,
                "version": self.domain.version,
            },
        )

    def choose(self, required: PaymentRequired) -> Offer:
        """The offer to pay by voucher that keeps these terms. Raises OfferRefused."""
        offers = [offer for offer in required.accepts if offer.scheme == SCHEME]
        for offer in offers:
            if not self._broken(offer):
                return offer
        if not offers:
            raise OfferRefused(f"the gateway takes no vouchers: {required.error}")
        name, asked, wanted = self._broken(offers[0])[0]
        raise OfferRefused(f"{name} is {asked!r}, agreed is {wanted!r}", value=asked, limit=wanted)

    def _broken(self, offer: Offer) -> list[tuple[str, object, object]]:
        """(name, what is offered, what is agreed) of each term that differs."""
        own = self.offer
        terms = [
            ("network", offer.network, own.network),
            ("asset", offer.asset, own.asset),
            ("payTo", offer.pay_to, own.pay_to),
            *((f"extra.{name}", offer.extra.get(name), value) for name, value in own.extra.items()),
        ]
        return [(name, asked, wanted) for name, asked, wanted in terms if asked != wanted]


@dataclass(frozen=True, slots=True)
class ChannelState:
    """What a gateway says of a channel; `voucher` is the newest that it holds, if it shows one."""

    spent_usd6: int
    held_usd6: int
    limit_usd6: int
    expires_at: int
    voucher: Voucher | None

    @classmethod
    def from_json(cls, data: object) -> ChannelState:
        """Raises Malformed or OutOfRange, naming the field."""
        if not isinstance(data, Mapping):
            raise Malformed("channel", data, "an object")
        return cls(
            spent_usd6=parse_uint(data.get("spentUsd6"), "spentUsd6", MAX_USD6),
            held_usd6=parse_uint(data.get("heldUsd6"), "heldUsd6", MAX_USD6),
            limit_usd6=parse_uint(data.get("limitUsd6"), "limitUsd6", MAX_USD6),
            expires_at=parse_uint(data.get("expiresAt"), "expiresAt", UINT64_MAX),
            voucher=_voucher(data),
        )


def _voucher(data: Mapping[str, Any]) -> Voucher | None:
    if data.get("signature") is None:
        return None
    return Voucher(
        parse_address(data.get("payer"), "payer"),
        parse_address(data.get("key"), "key"),
        parse_address(data.get("gateway"), "gateway"),
        parse_uint(data.get("promisedUsd6"), "promisedUsd6", MAX_USD6),
        Signature(parse_hex(data.get("signature"), "signature", SIGNATURE_BYTES)),
    )


@dataclass(frozen=True, slots=True)
class Promise:
    """The amount of a voucher for one request, what may be locked for it, and the header that
    carries them.
    """

    cumulative_usd6: int
    cover_usd6: int
    header: str


class Promises:
    """One channel's vouchers as its client signs them. Threads and tasks share it; another process
    takes a session key of its own, for it would not know what this one has promised.

    Args:
        limit_usd6: Most that is promised beyond what was spent when it opened.
        step_usd6: Promised ahead.
        most_usd6: Most that one request may cost; without it the limit.
        known_spent_usd6: What the caller itself knows to be spent: believed without a voucher.
        clock: By which no lock is longer than a day.

    Raises:
        OutOfRange: An amount is negative or more than a channel holds, or the limit is 0.
    """

    def __init__(
        self,
        terms: Terms,
        signer: Signer,
        payer: Address,
        *,
        limit_usd6: int,
        step_usd6: int = DEFAULT_STEP_USD6,
        most_usd6: int | None = None,
        known_spent_usd6: int = 0,
        clock: Clock | None = None,
    ) -> None:
        for name, amount, least in (
            ("limit_usd6", limit_usd6, 1),
            ("step_usd6", step_usd6, 0),
            ("most_usd6", limit_usd6 if most_usd6 is None else most_usd6, 1),
            ("known_spent_usd6", known_spent_usd6, 0),
        ):
            if not least <= amount <= MAX_USD6:
                raise OutOfRange(name, amount, least, MAX_USD6)
        self.terms = terms
        self.payer = payer
        self.key = signer.address
        self._signer = signer
        self._limit = limit_usd6
        self._step = step_usd6
        self._most = limit_usd6 if most_usd6 is None else most_usd6
        self._known_spent = known_spent_usd6
        self._clock = clock or SystemClock()
        self._lock = threading.Lock()
        self._cap = 0
        self._promised: int | None = None
        self._raised_to = 0

    @property
    def is_open(self) -> bool:
        return self._promised is not None

    @property
    def path(self) -> str:
        """Where the gateway tells of the channel."""
        return f"/v1/channels/{self.payer}/{self.key}"

    def open(self, state: ChannelState) -> None:
        """Begin from what the gateway says, the first time that it is told.

        Raises:
            OfferRefused: It claims to have charged more than it can show a voucher for.
            SpendLimitReached: Nothing can be promised, or an earlier promise that is not used up is
                more than the limit.
        """
        promised = max(self._shown(state.voucher), self._known_spent)
        if state.spent_usd6 > promised:
            raise OfferRefused(
                f"the gateway says that {state.spent_usd6} is spent, and shows vouchers for"
                f" {promised}",
                value=state.spent_usd6,
                limit=promised,
            )
        with self._lock:
            if self._promised is not None:
                return
            spent = state.spent_usd6
            own = self.key == self.payer
            self._cap = min(spent + self._limit, MAX_USD6 if own else state.limit_usd6)
            if promised > self._cap or spent == self._cap:
                raise SpendLimitReached(max(promised - spent, 1), max(self._cap - spent, 0))
            in_use = min(spent + state.held_usd6, self._cap)
            self._promised = promised if promised > in_use else self._ahead(in_use)

    def _shown(self, voucher: Voucher | None) -> int:
        """What a voucher proves to be promised. Raises OfferRefused: It is not of this channel."""
        if voucher is None:
            return 0
        own = (self.payer, self.key, self.terms.gateway)
        try:
            if (voucher.payer, voucher.key, voucher.gateway) != own:
                raise Incoherent("it is of another channel")
            voucher.require_signed(self.terms.domain)
        except (BadSignature, Incoherent) as error:
            raise OfferRefused(f"the gateway shows a voucher that is none: {error}") from None
        return voucher.cumulative_usd6

    def next(self) -> Promise:
        """What to send with another request. Raises SpendLimitReached: Nothing is left."""
        with self._lock:
            return self._signed(self._opened() + 1, self.terms.offer)

    def more(self, required: PaymentRequired, sent: Promise) -> Promise | None:
        """What to send instead of a promise that was not enough; None if the gateway refuses for
        another reason.

        Raises:
            OfferRefused: It asks for something else than agreed, or for more than a request's price
                beyond what was promised.
            SpendLimitReached: The request needs more than may be spent, or locked.
            OutOfRange, Malformed: What it asks for is no amount.
        """
        offer = self.terms.choose(required)
        told = offer.extra.get("cumulativeUsd6")
        if told is None:
            return None
        asked = parse_uint(told, "cumulativeUsd6", MAX_USD6)
        if offer.amount > self._most:
            raise SpendLimitReached(offer.amount, self._most)
        with self._lock:
            promised = self._opened()
            if asked <= sent.cumulative_usd6:
                return None
            # An amount that it has seen costs nothing but the next one.
            most = promised + max(offer.amount, 1)
            if asked > most:
                raise OfferRefused(
                    f"the gateway asks for {asked} in all: {promised} is promised and the request"
                    f" costs {offer.amount}",
                    value=asked,
                    limit=most,
                )
            wanted = self._ahead(asked)
            if self._raised_to > sent.cumulative_usd6:
                # What was added meanwhile is for others that wait as this one does.
                wanted = max(wanted, min(self._raised_to + offer.amount, self._cap))
            lock = self._consent(offer, sent)
            promise = self._signed(max(wanted, promised + 1), offer, lock)
            self._raised_to = promise.cumulative_usd6
            return promise

    def _opened(self) -> int:
        assert self._promised is not None, "not open yet"
        return self._promised

    def _ahead(self, needed_usd6: int) -> int:
        """That and a step, as far as the limit allows."""
        return max(needed_usd6, min(needed_usd6 + self._step, self._cap - _SPARE_USD6))

    def _consent(self, offer: Offer, sent: Promise) -> Lock | None:
        """The lock that it asks for, or as much of it as the limit allows."""
        asked = offer.extra.get("lock")
        if asked is None:
            return None
        fields = parse_object(asked, "lock")
        cover = parse_uint(fields.get("cumulativeUsd6"), "lock.cumulativeUsd6", MAX_USD6)
        until = parse_uint(fields.get("until"), "lock.until", UINT64_MAX)
        latest = self._clock.now() + MAX_LOCK_SECONDS
        if until > latest:
            raise OfferRefused(
                f"the gateway asks for a lock until {until}, {latest} is the latest",
                value=until,
                limit=latest,
            )
        if cover > self._cap <= sent.cover_usd6:
            # So much did not do before.
            raise SpendLimitReached(cover - self._cap + self._limit, self._limit)
        return Lock.signed(
            self.terms.domain,
            self._signer,
            self.payer,
            self.terms.gateway,
            min(cover, self._cap),
            until,
        )

    def _signed(self, cumulative_usd6: int, offer: Offer, lock: Lock | None = None) -> Promise:
        if cumulative_usd6 > self._cap:
            raise SpendLimitReached(cumulative_usd6 - self._cap + self._limit, self._limit)
        voucher = Voucher.signed(
            self.terms.domain, self._signer, self.payer, self.terms.gateway, cumulative_usd6
        )
        self._promised = cumulative_usd6
        payload, cover = voucher.payload(), 0
        if lock is not None:
            payload, cover = payload | {"lock": lock.payload()}, lock.cover_usd6
        return Promise(cumulative_usd6, cover, Payment(offer, payload).to_header())


def parse_channel(content: bytes) -> ChannelState:
    """The answer of a gateway. Raises Malformed or OutOfRange."""
    try:
        return ChannelState.from_json(json.loads(content))
    except ValueError:
        raise Malformed("channel", content[:80], "JSON") from None
