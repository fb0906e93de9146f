"""A request that is paid by one authorisation of x402's scheme `exact`.

A whole answer is given once its payment is settled; a stream begins once it is settled ahead. What
was not used is the payer's balance afterwards. A settlement that takes too long is told as pending:
it was looked at by a simulation, goes on, and is made once. Its receipt names no key.
"""

from __future__ import annotations

import asyncio
from typing import Final

from api.domain.receipts import RECEIPT_ID_BYTES, Receipt
from api.domain.x402 import PaymentResponse
from api.errors import PaymentRefused
from api.gateway.exact import PENDING, Exact
from api.gateway.purse import ReceiptBook
from api.store.exact_payments import PaymentState, TakenPayment
from api.store.journal import JournalStore
from api.types import Address, ClusterId

NOBODY: Final = Address("0x0000000000000000000000000000000000000000")
"""The key of such a receipt."""


class ExactPurse:
    """A payment that was taken for one request."""

    def __init__(
        self, exact: Exact, taken: TakenPayment, book: ReceiptBook, store: JournalStore
    ) -> None:
        self._exact = exact
        self._taken = taken
        self._book = book
        self._store = store
        self._is_ahead = False
        self._is_ordered = False
        self.payer: Address = taken.authorization.payer
        self.key = NOBODY
        self.cluster_id: ClusterId | None = taken.cluster_id

    @property
    def promised_usd6(self) -> int:
        return self._taken.authorization.value

    def receipt_id(self) -> bytes:
        """A payment has one receipt."""
        return self._taken.authorization.nonce[:RECEIPT_ID_BYTES]

    async def response(self, charge_usd6: int | None) -> PaymentResponse:
        return await self._exact.response(self._taken)

    def hold(self, most_usd6: int) -> None:
        value = self._taken.authorization.value
        if value < most_usd6:
            raise PaymentRefused(
                "invalid_payment_requirements",
                f"the payment is {value}, the request may come to {most_usd6} now",
                value=value,
                limit=most_usd6,
            )

    async def begin(self) -> None:
        """Have it settled, before anything is given."""
        self._is_ahead = self._is_ordered = True
        self._taken = await self._exact.settle_ahead(self._taken.authorization)
        if not self._taken.state.is_paid:
            one = self._taken.authorization
            # Should it be settled yet, all of it is the payer's again.
            await self._exact.note_use(one, 0, self._taken.authorization.nonce)
            raise PaymentRefused(
                self._taken.reason or PENDING, "the payment was not settled in time"
            )

    async def record(self, receipt: Receipt, *, is_open: bool) -> None:
        stored = self._book.stored(receipt, is_open=is_open)
        await self._store.keep(stored)
        if is_open:
            return
        one, used = self._taken.authorization, receipt.charge_usd6
        if self._is_ahead:
            await self._exact.note_use(one, used, stored.hash)
            return
        self._is_ordered = True
        self._taken = await self._exact.settle(one, used, stored.hash)
        if self._taken.state is PaymentState.FAILED:
            raise PaymentRefused(
                self._taken.reason or "transaction_failed", "the payment failed; nothing was given"
            )

    def release(self) -> None:
        if not self._is_ordered:
            self._is_ordered = True
            # Nothing was given for it: it can be brought again.
            asyncio.ensure_future(self._exact.release(self._taken.authorization))  # noqa: RUF006
