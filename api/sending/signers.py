"""Who signs for a reporter: a key in this process, or a remote signer (`remote_signer`).

Whoever needs a signature waits for it and need not know where the key is.
"""

from __future__ import annotations

from typing import Protocol

from api.chain.transactions import SignedTransaction, Transaction, sign_transaction
from api.domain.eip712 import TypedMessage
from api.domain.signing import Signer
from api.errors import Unavailable
from api.types import Address, Signature


class SigningAccount(Protocol):
    """An account, and whoever holds its key.

    Asking may raise an Unavailable; asking again later is safe. `failure` is why it could not be
    asked last, None if nothing is known against it. `place` is where the key is, in words without
    secrets.
    """

    @property
    def address(self) -> Address: ...

    @property
    def place(self) -> str: ...

    @property
    def failure(self) -> Unavailable | None: ...

    async def sign(self, message: TypedMessage) -> Signature:
        """The account's signature under `message`: v is 27 or 28, s in the lower half."""

    async def sign_transaction(self, transaction: Transaction) -> SignedTransaction:
        """This very transaction, signed by the account."""

    async def check(self) -> None:
        """Ask whether the account is there, so that `failure` tells. Nothing is signed."""

    async def close(self) -> None:
        """The account may not be asked afterwards."""


class LocalSigner:
    """A key in this process, which is always there."""

    place = "this process"
    failure: Unavailable | None = None

    def __init__(self, signer: Signer) -> None:
        self._signer = signer
        self.address = signer.address

    async def sign(self, message: TypedMessage) -> Signature:
        """Deterministic: the same message gives the same signature."""
        return self._signer.sign(message.digest)

    async def sign_transaction(self, transaction: Transaction) -> SignedTransaction:
        """Deterministic: the same transaction gives the same bytes."""
        return sign_transaction(self._signer, transaction)

    async def check(self) -> None:
        """Nothing to ask."""

    async def close(self) -> None:
        """Nothing to close."""
