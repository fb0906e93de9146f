"""Which payments of the scheme `exact` requests hold, and what becomes of those that are let go.

1. A payment is taken for one request at a time, and only while its payer has what all of its
   payments come to that are not on the chain yet.
2. Whoever took it lets it go, whatever happened. What was never ordered is forgotten: it can be
   brought again. Of what was settled ahead of its use, the use is said: as the receipt has it, or
   nothing if nothing was given.
3. What cannot be written down now is tried again; after a process died, all is let go that it held.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import Final

from api.domain.eip3009 import Authorization
from api.errors import PaymentRefused
from api.store.exact_payments import (
    ExactPaymentStore,
    SettlementKind,
    TakenPayment,
)
from api.store.journal import JournalStore
from api.types import Address, Digest

INSUFFICIENT: Final = "invalid_exact_evm_insufficient_balance"


class Holding:
    """Of one gateway, which alone writes to its database."""

    def __init__(self, store: ExactPaymentStore, journal: JournalStore) -> None:
        self._store = store
        self._journal = journal
        # By payer and nonce.
        self._held: set[tuple[Address, Digest]] = set()
        # Let go and not written down yet: whether anything was given for it.
        self._loose: dict[Authorization, bool] = {}
        self._writing = asyncio.Lock()

    async def recover(self) -> None:
        """Once, before anything is taken: let go what a process that died held."""
        for one in await self._store.unfinished():
            self._loose[one.authorization] = True
        await self.tidy()

    async def take(
        self, taken: TakenPayment, balance_usd6: int, paid: Collection[Authorization]
    ) -> None:
        """Keep a payment for one request. `balance_usd6` is its payer's, which `paid` has left.

        Raises PaymentRefused if it was brought before, or is more than the payer has.
        """
        one = taken.authorization
        async with self._writing:
            if one in self._loose:
                await self._let_go(one)
            waiting = await self._store.unsettled(one.payer)
            if any(other.authorization.nonce == one.nonce for other in waiting):
                raise _known()
            owed = sum(
                other.authorization.value
                for other in waiting
                if other.authorization not in paid
            )  # fmt: skip
            # One that somebody else has brought has left the balance.
            if not taken.state.is_paid and owed + one.value > balance_usd6:
                raise PaymentRefused(
                    INSUFFICIENT,
                    "what this payer has brought comes to more than it has",
                    value=owed + one.value,
                    limit=balance_usd6,
                )
            try:
                is_new = await self._store.take(taken)
            except BaseException:
                # Nobody holds it; whether it was kept is found out later.
                if (one.payer, one.nonce) not in self._held:
                    self._loose[one] = False
                raise
            if not is_new:
                raise _known()
            self._held.add((one.payer, one.nonce))

    def let_go(self, one: Authorization, *, is_given: bool) -> None:
        """No request holds it any more; `tidy` does the rest."""
        self._held.discard((one.payer, one.nonce))
        self._loose[one] = is_given

    async def tidy(self) -> None:
        """Write down what became of payments that were let go. Raises StoreUnavailable."""
        for one in list(self._loose):
            async with self._writing:
                if one in self._loose:
                    await self._let_go(one)

    async def _let_go(self, one: Authorization) -> None:
        known = await self._store.find(one.payer, one.nonce)
        if known is not None and known.kind is None:
            await self._store.forget(one)
        elif known is not None and known.kind is SettlementKind.AHEAD and known.used_usd6 is None:
            receipt = await self._journal.receipt(one.receipt_id) if self._loose[one] else None
            if receipt is None:
                await self._store.note_use(one, 0, one.unused_hash)
            else:
                # What it pays is the most that can be used of it.
                used = min(receipt.charge_usd6, one.value)
                await self._store.note_use(one, used, receipt.hash)
        del self._loose[one]


def _known() -> PaymentRefused:
    return PaymentRefused("invalid_exact_evm_nonce_already_used", "this payment was brought before")
