"""How a request is paid for. What serves it does not know which way."""

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import Final, Protocol

from api.clock import Clock
from api.domain.eip712 import Eip712Domain
from api.domain.receipts import RECEIPT_ID_BYTES, Receipt
from api.domain.signing import Signer
from api.domain.vouchers import Lock, Voucher
from api.domain.work import Work
from api.domain.x402 import PaymentResponse, network_of
from api.gateway.journal import Journal
from api.gateway.ledger import Channel, Hold, LockNeeded
from api.gateway.locking import Locking
from api.gateway.shapes import receipt_content
from api.store.journal import Entry, StoredReceipt
from api.types import Address, ClusterId, Digest

PAYMENT_TIMEOUT_SECONDS: Final = 60
"""How long a customer's signature should hold."""


class Purse(Protocol):
    """A customer's means for one request. `cluster_id` is where it can be spent; None if anywhere.

    `Desk` gives it with `hold` done. Then `begin`, once there is something to give; `record`,
    before that is given, as often as there is more; `release`, whatever happened.
    """

    @property
    def payer(self) -> Address: ...

    @property
    def key(self) -> Address: ...

    @property
    def cluster_id(self) -> ClusterId | None: ...

    @property
    def promised_usd6(self) -> int:
        """The voucher behind it, or the payment; 0 where the gateway signs itself."""

    def receipt_id(self) -> bytes:
        """Of the receipt to be made."""

    def response(self, charge_usd6: int | None) -> PaymentResponse:
        """What the customer is told of the payment."""

    def hold(self, most_usd6: int) -> None:
        """Set aside the most that the request may come to. Raises PaymentRefused."""

    async def lock(self, needed: LockNeeded) -> bool:
        """Have that locked, if the customer consents; whether it may be held now.

        Raises PaymentRefused.
        """

    async def begin(self, work: Work) -> None:
        """What must have happened before anything is given for that work has, however often it is
        asked for.

        Raises PaymentRefused.
        """

    async def record(self, receipt: Receipt, *, is_open: bool) -> None:
        """Note durably what the request has come to.

        Raises StoreUnavailable.
        """

    def release(self) -> None:
        """Give back what was set aside and not charged."""


class ReceiptBook:
    """Signs receipts, and notes them with what they charge."""

    def __init__(
        self,
        *,
        signer: Signer,
        gateway_domain: Eip712Domain,
        payments_domain: Eip712Domain,
        journal: Journal,
        clock: Clock,
    ) -> None:
        self._signer = signer
        self._domain = gateway_domain
        self.payments_domain = payments_domain
        self.gateway = signer.address
        self.journal = journal
        self.clock = clock

    def stored(self, receipt: Receipt, work: Work, *, is_open: bool) -> StoredReceipt:
        message = receipt.message(self._domain)
        return StoredReceipt(
            receipt.id,
            receipt.payer,
            receipt.key,
            work,
            receipt.charge_usd6,
            receipt.served_at,
            receipt_content(receipt),
            Digest(message.struct_hash),
            self._signer.sign(message.digest),
            is_open,
        )


class ChannelPurse:
    """A channel of InferencePayments: by voucher, or by a session key that the gateway was given.

    `signer` is that session key. `brought` is the lock that came with the voucher.
    """

    def __init__(
        self,
        channel: Channel,
        book: ReceiptBook,
        locking: Locking,
        *,
        signer: Signer | None = None,
        brought: Lock | None = None,
    ) -> None:
        self._channel = channel
        self._book = book
        self._locking = locking
        self._signer = signer
        self._brought = brought
        self._hold: Hold | None = None
        self._receipt_id: bytes | None = None
        self._work: Work | None = None
        self.payer = channel.payer.address
        self.key = channel.key
        self.cluster_id: ClusterId | None = None

    def receipt_id(self) -> bytes:
        return secrets.token_bytes(RECEIPT_ID_BYTES)

    def response(self, charge_usd6: int | None) -> PaymentResponse:
        network = network_of(self._book.payments_domain.chain_id)
        return PaymentResponse(True, network, payer=self.payer, amount=charge_usd6)

    @property
    def promised_usd6(self) -> int:
        return self._channel.promised_usd6 if self._signer is None else 0

    def hold(self, most_usd6: int) -> None:
        now = self._book.clock.now()
        self._hold = Hold(self._channel, most_usd6, now, is_promised=self._signer is None)

    async def lock(self, needed: LockNeeded) -> bool:
        lock, book = self._brought, self._book
        if self._signer is not None:
            lock = Lock.signed(
                book.payments_domain,
                self._signer,
                self.payer,
                book.gateway,
                needed.cover_usd6,
                needed.until,
            )
        if lock is None or not needed.is_met_by(lock.cover_usd6, lock.until):
            return False
        self._channel.waiting_usd6 += needed.most_usd6
        try:
            await self._locking.secure(self._channel, lock)
        finally:
            self._channel.waiting_usd6 -= needed.most_usd6
        return True

    async def begin(self, work: Work) -> None:
        """A channel needs nothing more."""
        self._work = work

    async def record(self, receipt: Receipt, *, is_open: bool) -> None:
        assert self._hold is not None
        assert self._work is not None
        channel = self._channel
        added = self._hold.charge(receipt.charge_usd6)
        receipt = replace(receipt, charge_usd6=self._hold.charged_usd6)
        self._receipt_id = receipt.id
        if self._signer is not None:
            self._promise(self._signer)
        await self._book.journal.write(
            Entry(
                channel.promised_usd6,
                channel.signature,
                added,
                self._book.stored(receipt, self._work, is_open=is_open),
            )
        )

    def _promise(self, signer: Signer) -> None:
        """Promise in the customer's name what was charged, beside what its vouchers are for."""
        channel = self._channel
        needed = channel.spent_usd6 + channel.held_by_vouchers_usd6
        if needed > channel.promised_usd6:
            book = self._book
            channel.promised_usd6 = needed
            channel.signature = Voucher.signed(
                book.payments_domain, signer, self.payer, book.gateway, needed
            ).signature

    def release(self) -> None:
        if self._hold is not None:
            self._hold.release()
        if self._receipt_id is not None:
            self._book.journal.ended(self._receipt_id)
