"""A payer's account on chain: its balance for inference, its session keys, what it takes out again.

Every act waits until it is mined. Amounts are 10⁻⁶ dollars, instants Unix seconds.
"""

from __future__ import annotations

import asyncio
import secrets
from typing import Final

from api.chain.client import ChainClient
from api.chain.contracts import InferencePayments, Stablecoin
from api.chain.transactions import Transaction, sign_transaction
from api.chain.views import PayerAccount, Receipt
from api.client.promises import Terms
from api.domain.deposits import DepositAuthorization
from api.domain.eip712 import Eip712Domain
from api.domain.signing import Signer
from api.domain.vouchers import SessionAuthorization
from api.errors import ChainTimeout, ContractReverted
from api.types import Address, Signature

MINED_SECONDS: Final = 180.0

_POLL_SECONDS: Final = 0.25

# An estimate is of the state now; by the time that it is mined a slot may be another's first.
_GAS_PERCENT: Final = 125


class Wallet:
    """Acts as one account, which pays for gas. One act at a time."""

    def __init__(self, client: ChainClient, signer: Signer, terms: Terms) -> None:
        self.address = signer.address
        self._client = client
        self._signer = signer
        self._terms = terms
        self._payments = InferencePayments(client, terms.payments)
        self._stablecoin = Stablecoin(client, terms.stablecoin)

    async def account(self) -> PayerAccount:
        """What it has at InferencePayments."""
        return await self._payments.account(self.address)

    async def dollars(self) -> int:
        """What it holds of the stablecoin itself."""
        return await self._stablecoin.balance_of(self.address)

    async def now(self) -> int:
        """The newest block's time, by which what is said here holds."""
        return (await self._client.block()).time

    # -- in ---------------------------------------------------------------------------------------

    async def deposit(self, amount_usd6: int, payer: Address | None = None) -> Receipt:
        """Add to a balance, the account's own or that of `payer`; approved if it has to be.

        Raises ContractReverted, or what the chain raises.
        """
        allowed = await self._stablecoin.allowance(self.address, self._terms.payments)
        if allowed < amount_usd6:
            await self._send(
                self._terms.stablecoin,
                self._stablecoin.encode("approve", self._terms.payments, amount_usd6),
            )
        return await self._act("depositFor", payer or self.address, amount_usd6)

    def sign_deposit(
        self, amount_usd6: int, *, valid_before: int, token: Eip712Domain
    ) -> tuple[DepositAuthorization, Signature]:
        """A deposit to the account's own balance that anybody may bring until then, and pay the gas
        for. `token` is the stablecoin's own domain.
        """
        authorization = DepositAuthorization(
            self.address, self.address, amount_usd6, 0, valid_before, secrets.token_bytes(32)
        )
        message = authorization.message(token, self._terms.payments)
        return authorization, self._signer.sign(message.digest)

    async def bring_deposit(
        self, authorization: DepositAuthorization, signature: Signature
    ) -> Receipt:
        """Bring somebody's deposit. Raises ContractReverted, or what the chain raises."""
        return await self._act(
            "depositWithAuthorization",
            authorization.owner,
            authorization.payer,
            authorization.amount_usd6,
            authorization.valid_after,
            authorization.valid_before,
            authorization.salt,
            signature,
        )

    # -- session keys -----------------------------------------------------------------------------

    async def authorise(self, key: Address, limit_usd6: int, expires_at: int) -> Receipt:
        """Let `key` spend up to a limit, in all and with what it has spent, until then."""
        return await self._act("authorise", key, self._terms.gateway, limit_usd6, expires_at)

    async def sign_session(
        self, key: Address, limit_usd6: int, expires_at: int, *, deadline: int
    ) -> tuple[SessionAuthorization, Signature]:
        """The same as a word that anybody may bring until the deadline, and pay the gas for."""
        authorization = SessionAuthorization(
            self.address,
            key,
            self._terms.gateway,
            limit_usd6,
            expires_at,
            (await self.account()).nonce,
            deadline,
        )
        message = authorization.message(self._terms.domain)
        return authorization, self._signer.sign(message.digest)

    async def bring_session(
        self, authorization: SessionAuthorization, signature: Signature
    ) -> Receipt:
        """Bring somebody's authorisation of a session key."""
        values = (
            authorization.payer,
            authorization.key,
            authorization.gateway,
            authorization.limit_usd6,
            authorization.expires_at,
            authorization.nonce,
            authorization.deadline,
        )
        return await self._act("authoriseWithSignature", values, signature)

    async def revoke(self, key: Address) -> Receipt:
        """End a key at once; what its gateway has locked stays collectable until the lock ends."""
        return await self._act("revoke", key, self._terms.gateway)

    # -- out --------------------------------------------------------------------------------------

    async def request_withdrawal(self, amount_usd6: int) -> Receipt:
        """Announce a withdrawal, a day ahead; 0 takes it back."""
        return await self._act("requestWithdrawal", amount_usd6)

    async def withdraw(self) -> Receipt:
        """Take out what was announced a day ago. Raises ContractReverted if it is not due."""
        return await self._act("withdraw")

    # -- transactions -----------------------------------------------------------------------------

    async def _act(self, function: str, *arguments: object) -> Receipt:
        return await self._send(self._terms.payments, self._payments.encode(function, *arguments))

    async def _send(self, to: Address, data: bytes) -> Receipt:
        gas = await self._client.estimate_gas(to, data, sender=self.address)
        signed = sign_transaction(
            self._signer,
            Transaction(
                self._terms.chain_id,
                await self._client.nonce_of(self.address, "pending"),
                to,
                data,
                gas * _GAS_PERCENT // 100,
                await self._client.fees(),
            ),
        )
        await self._client.send_raw(signed.raw)
        return await self._mined(signed.hash)

    async def _mined(self, tx_hash: bytes) -> Receipt:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + MINED_SECONDS
        while (receipt := await self._client.receipt(tx_hash)) is None:
            if loop.time() > deadline:
                raise ChainTimeout("the transaction", MINED_SECONDS)
            await asyncio.sleep(_POLL_SECONDS)
        if not receipt.succeeded:
            raise ContractReverted("Unknown", {"transaction": "0x" + tx_hash.hex()})
        return receipt
