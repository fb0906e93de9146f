"""What a settled batch of payments of x402 brought, from whom, and what of it was given back, from
the events that told it: `contracts/payments/X402Settler.sol`, read back. Amounts are 10⁻⁶ dollars.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from api.domain.codec import to_address
from api.domain.eip3009 import Authorization
from api.errors import Incoherent, Malformed
from api.types import Address

_AMOUNT: Final = 2**96 - 1
_CREDIT: Final = 2**64 - 1


class PaidIn(NamedTuple):
    """What a payment brought, and of which nonce it was."""

    payer: Address
    amount_usd6: int
    nonce: int


@dataclass(frozen=True, slots=True)
class ExactBatch:
    """Payments in the order in which they were brought; None where one failed."""

    payments: tuple[PaidIn | None, ...]

    @classmethod
    def of(cls, entries: Sequence[int]) -> ExactBatch:
        """From the words of Settled or SettledAhead, two for each. Raises Malformed."""
        if len(entries) % 2:
            raise Malformed("entries", len(entries), "two words for each payment")
        pairs = zip(entries[::2], entries[1::2], strict=True)
        return cls(
            tuple(
                PaidIn(_payer(word), word & _AMOUNT, nonce) if word else None
                for word, nonce in pairs
            )
        )

    def place_of(self, one: Authorization) -> int | None:
        """Where a payment stands; None if it is not there with all that it pays."""
        wanted = PaidIn(one.payer, one.value, int.from_bytes(one.nonce))
        return self.payments.index(wanted) if wanted in self.payments else None

    def credit_at(self, place: int, words: Sequence[int]) -> int | None:
        """What of the payment at `place` was given back, by the words of Credited: a payer and an
        amount each, in the payments' order. None if they leave it open: of several payments of one
        payer some got nothing back.
        """
        payments = enumerate(self.payments)
        payer = self._paid_at(place).payer
        places = [at for at, one in payments if one is not None and one.payer == payer]
        amounts = [word & _AMOUNT for word in words if word and _payer(word) == payer]
        if not amounts:
            return 0
        return amounts[places.index(place)] if len(amounts) == len(places) else None

    def credit_in(self, place: int, credits: Sequence[int]) -> int:
        """The same by the words that the settler was called with: a place and an amount each."""
        self._paid_at(place)
        return sum(word & _CREDIT for word in credits if word >> 64 == place)

    def income_by_payer(self, words: Sequence[int]) -> dict[Address, int]:
        """What each payer's payments came to without what was given back, by the words of Credited.

        Raises Incoherent: More was given back to somebody than he had paid.
        """
        income: dict[Address, int] = {}
        for one in self.payments:
            if one is not None:
                income[one.payer] = income.get(one.payer, 0) + one.amount_usd6
        for word in words:
            if not word & _AMOUNT:
                continue
            payer, amount = _payer(word), word & _AMOUNT
            if amount > income.get(payer, 0):
                raise Incoherent(
                    f"{amount} was given back to {payer}, who had paid {income.get(payer, 0)}",
                    value=amount,
                    limit=income.get(payer, 0),
                )
            income[payer] -= amount
        return income

    def _paid_at(self, place: int) -> PaidIn:
        one = self.payments[place]
        if one is None:
            raise Malformed("place", place, "that of a payment that was made")
        return one


def _payer(word: int) -> Address:
    return to_address((word >> 96).to_bytes(20))
