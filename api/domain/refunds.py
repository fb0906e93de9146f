"""A refund by signature: a gateway's own dollars for a payer's balance, because of a receipt.

Its nonce is bound to payer and receipt, and the stablecoin takes a nonce once: whoever brings it,
and however often, it is paid once.
"""

from __future__ import annotations

from dataclasses import dataclass

from api.domain.deposits import bound_nonce, receive_message
from api.domain.eip712 import Eip712Domain, TypedMessage
from api.domain.eip3009 import MAX_TIME
from api.types import Address, Digest

VALID_BEFORE = MAX_TIME
"""A debt does not lapse."""


def refund_nonce(payer: Address, receipt_hash: Digest) -> Digest:
    """`InferencePayments.refundNonce`."""
    return bound_nonce(b"Refund", payer, receipt_hash)


@dataclass(frozen=True, slots=True)
class RefundAuthorization:
    """Good from the first second to VALID_BEFORE. In 10⁻⁶ dollars."""

    gateway: Address
    payer: Address
    amount_usd6: int
    receipt_hash: Digest

    @property
    def nonce(self) -> Digest:
        return refund_nonce(self.payer, self.receipt_hash)

    def message(self, stablecoin: Eip712Domain, payments: Address) -> TypedMessage:
        """What the gateway signs, in the stablecoin's own domain."""
        return receive_message(
            stablecoin, self.gateway, payments, self.amount_usd6, 0, VALID_BEFORE, self.nonce
        )
