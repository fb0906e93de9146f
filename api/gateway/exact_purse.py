"""A request that is paid by one authorisation of x402's scheme `exact`.

1. It is settled ahead of its use: before the first byte of a stream, and once a whole answer is
   there. Nothing is given before its transfer is in a block; that the block stays is for the books.
2. Then what the request came to is noted, as often as there is more, and given.
3. When the purse is let go, what was used is said, as its receipt has it. The rest is the payer's
   balance: all of it if nothing was given, whether it was settled in time or later.

A settlement that takes too long is told as pending. Its receipt names no key. What somebody
else has brought is paid already: nothing of it is settled, and what was not used is refunded.
"""

from __future__ import annotations

from contextlib import suppress

from api.domain.receipts import NOBODY, Receipt
from api.domain.work import Work
from api.domain.x402 import PaymentResponse
from api.errors import PaymentRefused, StoreUnavailable
from api.gateway.exact import Exact
from api.gateway.fronting import PENDING
from api.gateway.ledger import LockNeeded
from api.gateway.purse import ReceiptBook
from api.store.exact_payments import TakenPayment
from api.store.journal import Entry
from api.types import Address, ClusterId


class PaymentUnsettled(PaymentRefused):
    """It was not settled, or not in time; `response` says which."""

    def __init__(self, response: PaymentResponse) -> None:
        super().__init__(
            response.error_reason or PENDING,
            "the payment was not settled in time; nothing was given, and once it is settled all of "
            "it is the payer's balance"
            if response.error_reason == PENDING
            else "the payment failed; nothing was given",
        )
        self.response = response


class ExactPurse:
    """A payment that was taken for one request."""

    def __init__(self, exact: Exact, taken: TakenPayment, book: ReceiptBook) -> None:
        self._exact = exact
        self._taken = taken
        self._book = book
        self._is_given = False
        self._is_held = True
        self._work: Work | None = None
        self.payer: Address = taken.authorization.payer
        self.key = NOBODY
        self.cluster_id: ClusterId | None = taken.cluster_id

    @property
    def promised_usd6(self) -> int:
        return self._taken.authorization.value

    def receipt_id(self) -> bytes:
        """A payment has one receipt."""
        return self._taken.authorization.receipt_id

    def response(self, charge_usd6: int | None) -> PaymentResponse:
        return self._exact.told(self._taken)

    def hold(self, most_usd6: int) -> None:
        """It was held against that before it was taken."""

    async def lock(self, needed: LockNeeded) -> bool:
        """It needs none."""
        return False

    async def begin(self, work: Work) -> None:
        """Have it settled, before anything is given."""
        self._work = work
        if self._taken.state.is_paid and self._taken.kind is not None:
            return
        try:
            self._taken = await self._exact.settle_ahead(
                self._taken.authorization, model_id=work.model_id
            )
        except StoreUnavailable:
            # Whether it was ordered or not, it is pending until the store can be asked. One that is
            # paid already must not be served without: it would be forgotten.
            if self._taken.state.is_paid:
                raise
        if not self._taken.state.is_paid:
            response = self._exact.told(self._taken)
            with suppress(StoreUnavailable):
                response = await self._exact.response(self._taken)
            raise PaymentUnsettled(response)

    async def record(self, receipt: Receipt, *, is_open: bool) -> None:
        assert self._work is not None
        stored = self._book.stored(receipt, self._work, is_open=is_open)
        await self._book.journal.write(Entry(0, None, 0, stored))
        self._is_given = True

    def release(self) -> None:
        if self._is_held:
            self._is_held = False
            self._book.journal.ended(self.receipt_id())
            self._exact.let_go(self._taken.authorization, is_given=self._is_given)
