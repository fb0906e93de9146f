"""Payments of x402 that a gateway settles on the test's chain, and its receipts for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from ape.api import AccountAPI

from api.domain.eip3009 import Authorization
from api.domain.receipts import NOBODY, Receipt
from api.domain.way import ProvenReceipt
from api.types import Address, Digest
from tests.support import x402
from tests.support.ways import Counter


@dataclass
class ExactWays:
    """A gateway's payments of x402, and the receipts that it signs for them."""

    till: x402.Counter
    books: Counter

    def receipt(self, payer: Any, value: int, used: int, name: object) -> Receipt:
        address = Address(str(payer.address))
        nonce = Digest(x402.nonce_of(name))
        one = Authorization(address, Address(self.till.pay_to), value, 0, 0, nonce)
        told = self.books.receipt(payer, payer, self.till.cluster, used)
        return replace(told, id=one.receipt_id, key=NOBODY, promised_usd6=value)

    def proven(self, receipts: Sequence[Receipt]) -> list[ProvenReceipt]:
        return self.books.proven(receipts)

    def unproven(self, receipt: Receipt) -> ProvenReceipt:
        return replace(self.books.proven([receipt])[0], root=None, proof=())

    def settle(self, *bought: tuple[Any, int, int, object]) -> list[ProvenReceipt]:
        """Each a payer, what it pays, what it uses of that, and a nonce's name."""
        proven = self.proven([self.receipt(*one) for one in bought])
        assert proven[0].root is not None
        payments = [self.till.payment(payer, value, name) for payer, value, _, name in bought]
        unused = [value - used for _, value, used, _ in bought]
        credits = {place: amount for place, amount in enumerate(unused) if amount}
        self.till.settle(*payments, credits=credits, root=proven[0].root)
        return proven

    def ahead(self, *bought: tuple[Any, int, int, object]) -> Any:
        """The batch's id and entries."""
        payments = [self.till.payment(payer, value, name) for payer, value, _, name in bought]
        (told,) = self.till.settle_ahead(*payments).decode_logs(self.till.settler.SettledAhead)
        return told

    def front(self, payer: Any, value: int, name: object, by: AccountAPI) -> None:
        """Somebody brings a payment to the stablecoin."""
        usd = self.till.usd
        one = self.till.authorization(payer, value, name)
        usd.transferWithAuthorization(
            payer, one.to, value, one.valid_after, one.valid_before, one.nonce,
            one.signed_by(payer, usd), sender=by,
        )  # fmt: skip
