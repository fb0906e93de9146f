"""The demo's hand on its own chain: it sends transactions, moves the clock, and loses nothing.

The chain may die and come back as it was at its newest checkpoint. Everything sent since then is
kept here, signed, and sent again in its order before anything else is done; nonces see to it that
nothing happens twice.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

from api.chain.client import ChainClient
from api.chain.transactions import SignedTransaction, Transaction, sign_transaction
from api.chain.views import Fees, Receipt
from api.domain.signing import Signer
from api.errors import ChainUnavailable, ContractReverted, NodeRefused, Unavailable
from api.types import Address
from scripts._lib.anvil import NodeGone
from scripts._lib.processes import ProcessFailure, Supervisor

# A chain of one's own: gas costs nothing, and no estimate has to be asked for.
_GAS_LIMIT = 3_000_000
_FEES = Fees(max_fee=200 * 10**9, max_priority_fee=10**9)

_POLL_SECONDS = 0.01
_PATIENCE_SECONDS = 60.0

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class _Sent:
    """A transaction that no checkpoint holds yet, and the time of its block."""

    signed: SignedTransaction
    sender: Address
    to: Address
    data: bytes
    at: int


class Node(Protocol):
    """What runs the chain: `generation` grows when it comes back from a checkpoint."""

    generation: int

    def checkpoint(self) -> None:
        """Keep the chain as it is now. Raises NodeGone."""

    def mine(self, blocks: int) -> None:
        """Put empty blocks on top, in one second. Raises NodeGone."""


class LocalChain:
    """The chain of one node, watched by `supervisor`, through `client`."""

    def __init__(self, client: ChainClient, node: Node, supervisor: Supervisor) -> None:
        self.client = client
        self.node = node
        self._supervisor = supervisor
        self._generation = node.generation
        self._nonces: dict[Address, int] = {}
        self._unsaved: list[_Sent] = []
        self._restoring = asyncio.Lock()

    async def now(self) -> int:
        """Time of the newest block, Unix seconds."""
        return (await self.patiently(self.client.block)).time

    async def move_to(self, at: int) -> None:
        """Let the chain's time be at least `at`."""

        async def move() -> None:
            if (await self.client.block()).time < at:
                await self._let_next_be_at(at)
                await self.client.request("evm_mine", [])

        await self.patiently(move)

    async def send(self, signer: Signer, to: Address, data: bytes) -> Receipt:
        """Send a transaction and wait until it is mined. Raises ContractReverted if it failed."""

        async def prepare() -> _Sent:
            nonce = await self._next_nonce(signer.address)
            signed = sign_transaction(
                signer, Transaction(self.client.chain_id, nonce, to, data, _GAS_LIMIT, _FEES)
            )
            return _Sent(signed, signer.address, to, data, (await self.client.block()).time)

        sent = await self.patiently(prepare)
        self._nonces[signer.address] = sent.signed.nonce + 1
        # Kept before it is sent: from here on the node may forget it at any moment.
        self._unsaved.append(sent)
        return await self.patiently(lambda: self._mined(sent))

    async def checkpoint(self, blocks: int = 0) -> None:
        """Keep everything so far, whatever happens to the node, and put `blocks` on top."""

        async def keep() -> None:
            unsaved = list(self._unsaved)
            try:
                await asyncio.to_thread(self.node.checkpoint)
                await asyncio.to_thread(self.node.mine, blocks)
            except NodeGone as gone:
                raise ChainUnavailable(self.client.node.url, str(gone)) from gone
            if self.node.generation != self._generation:
                raise ChainUnavailable(self.client.node.url, "the node was started again")
            del self._unsaved[: len(unsaved)]

        await self.patiently(keep)

    async def patiently(self, ask: Callable[[], Awaitable[Answer]]) -> Answer:
        """The answer to `ask`, which may be asked again while the node is away and coming back."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while True:
            self._supervisor.check()
            try:
                async with self._restoring:
                    if self.node.generation != self._generation:
                        await self._restore()
                    generation = self._generation
                answer = await ask()
                if self.node.generation == generation:
                    return answer
                # It may come from a chain that has forgotten what was sent.
            except Unavailable as error:
                if time.monotonic() > deadline:
                    raise ProcessFailure(f"the chain did not come back: {error}") from error
                await asyncio.sleep(0.1)

    async def _let_next_be_at(self, at: int) -> None:
        """Let the next block's time be `at`, if it is not later by then."""
        try:
            await self.client.request("evm_setNextBlockTimestamp", [at])
        except NodeRefused:
            # Somebody else's block was mined in between, which says what time it is now.
            if (await self.client.block()).time < at:
                raise

    async def _restore(self) -> None:
        """Send again, in order and not before their time, the transactions that the node forgot."""
        generation = self.node.generation
        for sent in self._unsaved:
            if await self.client.receipt(sent.signed.hash) is not None:
                continue
            if (await self.client.block()).time < sent.at:
                await self._let_next_be_at(sent.at)
            await self._mined(sent, generation)
        self._generation = generation

    async def _mined(self, sent: _Sent, generation: int | None = None) -> Receipt:
        """Hand the transaction in and wait for it. Raises ChainUnavailable if the node was started
        again meanwhile, and what it knew is no more."""
        generation = self._generation if generation is None else generation
        receipt = await self.client.receipt(sent.signed.hash)
        if receipt is None:
            await self.client.send_raw(sent.signed.raw)
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while receipt is None:
            if self.node.generation != generation:
                raise ChainUnavailable(self.client.node.url, "the node was started again")
            if time.monotonic() > deadline:
                raise ProcessFailure(f"0x{sent.signed.hash.hex()} was not mined")
            await asyncio.sleep(_POLL_SECONDS)
            receipt = await self.client.receipt(sent.signed.hash)
        await self._require_success(receipt, sent.sender, sent.to, sent.data)
        return receipt

    async def _require_success(
        self, receipt: Receipt, sender: Address, to: Address, data: bytes
    ) -> None:
        if receipt.succeeded:
            return
        before = receipt.block_number - 1
        await self.client.call(to, data, sender=sender, block=before)
        # The call says why it reverts, unless it was for a reason that the block before did not
        # have.
        raise ContractReverted("Unknown", {"transaction": "0x" + receipt.tx_hash.hex()})

    async def _next_nonce(self, sender: Address) -> int:
        if sender not in self._nonces:
            self._nonces[sender] = await self.client.nonce_of(sender)
        return self._nonces[sender]
