"""Takes what was charged to the chain, in batches.

1. One batch at a time is on its way. It is formed of the channels that owe most, with the receipts
   that say why, and stored before it is sent. Every voucher says which cluster gets how much.
2. It is sent until it is mined and as deep in the chain as it has to be; what it brought is read
   from its event, and noted once. A voucher that came short stays due, and is in a later batch.
3. A batch that the contract refuses as a whole, before a transaction of it was signed, is given up,
   and its receipts go into the next.

A process that is killed at any moment comes back to the stored batch. Bringing one twice takes
nothing twice: vouchers are cumulative, and their parts say what was collected before them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any, Final

import structlog
from pydantic_core import from_json, to_json

from api.chain.client import ChainClient
from api.chain.contracts import InferencePayments
from api.chain.views import Receipt as Mined
from api.clock import Clock
from api.domain.codec import address_bytes, to_address, to_hex
from api.domain.merkle import merkle_root
from api.domain.vouchers import MAX_PARTS, Split, Voucher, pack_voucher
from api.errors import ChainError, ContractReverted, Unavailable
from api.gateway.accounts import Accounts
from api.gateway.metrics import Metrics
from api.sending.sender import PAUSE_SECONDS, Call, Sender
from api.store.collections import Collection, CollectionStore, Due, Place
from api.store.transactions import TransactionState, TransactionStore
from api.types import Address, ClusterId, Digest

_log = structlog.get_logger(__name__)

MAX_CHANNELS: Final = 200
"""In one batch: about five million gas."""

# Between two looks at a batch that is on its way.
_LOOK_SECONDS: Final = 0.5

_KEY_TAIL: Final = 2**40 - 1


class Collector:
    """Collects for one gateway. `run` is its loop."""

    def __init__(
        self,
        *,
        client: ChainClient,
        payments: InferencePayments,
        accounts: Accounts,
        store: CollectionStore,
        transactions: TransactionStore,
        sender: Sender,
        gateway: Address,
        clock: Clock,
        metrics: Metrics,
        confirmations: int,
        interval_seconds: float,
        least_usd6: int,
    ) -> None:
        """Every `interval_seconds` what is due is collected, if it is `least_usd6` or more."""
        self._client = client
        self._payments = payments
        self._accounts = accounts
        self._store = store
        self._transactions = transactions
        self._sender = sender
        self._gateway = gateway
        self._clock = clock
        self._metrics = metrics
        self._confirmations = confirmations
        self._interval_seconds = interval_seconds
        self._least_usd6 = least_usd6

    async def run(self) -> None:
        """Work without end."""
        while True:
            pause = self._interval_seconds
            try:
                if not await self.work():
                    pause = _LOOK_SECONDS
            except Unavailable as error:
                _log.warning("collecting waits", reason=error.message)
                pause = PAUSE_SECONDS
            except ChainError as error:
                _log.error("collecting refused", reason=error.message)
            await asyncio.sleep(pause)

    async def work(self) -> bool:
        """One step; whether nothing is on its way now."""
        await self._sender.note_fates()
        batch = await self._store.open()
        if batch is None:
            batch = await self._form()
            if batch is None:
                return True
        if await self._settled(batch):
            # There may be more than fitted into this one.
            return len(from_json(batch.content)) < MAX_CHANNELS
        await self._sender.advance(Call(_purpose(batch), self._payments.address, batch.calldata))
        if await self._is_refused(batch):
            await self._store.give_up(batch)
            _log.error("batch given up", collection=batch.id)
        return False

    # -- forming ----------------------------------------------------------------------------------

    async def _form(self) -> Collection | None:
        dues, leaves = await self._store.due(MAX_CHANNELS)
        self._metrics.uncollected(sum(due.due_usd6 for due in dues))
        if sum(due.due_usd6 for due in dues) < max(self._least_usd6, 1):
            return None
        clusters = sorted({due.cluster_id for due in dues})
        places = {cluster_id: place for place, cluster_id in enumerate(clusters)}
        vouchers, lines = bytearray(), []
        channels: list[tuple[Address, Address]] = []
        for (payer, key), group in groupby(dues, key=lambda due: (due.payer, due.key)):
            owed = list(group)[:MAX_PARTS]
            state = await self._payments.channel(payer, key, self._gateway)
            vouchers += _packed(owed, self._gateway, state.collected_usd6, places)
            channels.append((payer, key))
            lines.append(
                {
                    "payer": payer,
                    "key": key,
                    "promised": owed[0].promised_usd6,
                    "parts": [[int(due.cluster_id), due.due_usd6] for due in owed],
                }
            )
        root = await self._root(leaves)
        if root is None:
            return None
        calldata = self._payments.encode_collect(bytes(vouchers), clusters, root)
        try:
            await self._client.call(self._payments.address, calldata, sender=self._gateway)
        except ContractReverted as refusal:
            _log.error("vouchers cannot be collected", why=refusal.message)
            return None
        batch = await self._store.form(root, calldata, to_json(lines), leaves, self._clock.now_ms())
        _log.info(
            "batch formed",
            collection=batch.id,
            vouchers=len(channels),
            receipts=len(leaves),
            usd6=sum(due.due_usd6 for due in dues),
        )
        for payer, key in channels:
            # From now on anybody may read these vouchers.
            (await self._accounts.channel(payer, key)).forget_used()
        return batch

    async def _root(self, leaves: Sequence[Digest]) -> Digest | None:
        """Of the receipts; where only what came short is due, of those that said why before."""
        if leaves:
            return merkle_root(leaves)
        last = await self._store.last()
        return None if last is None else last.root

    # -- following --------------------------------------------------------------------------------

    async def _settled(self, batch: Collection) -> bool:
        for transaction in await self._transactions.of(_purpose(batch)):
            mined = await self._client.receipt(transaction.hash)
            if mined is None or not mined.succeeded:
                continue
            newest = (await self._client.block()).number
            if mined.block_number + self._confirmations > newest:
                return False
            await self._settle(batch, mined, Digest(transaction.hash))
            return True
        return False

    async def _settle(self, batch: Collection, mined: Mined, tx_hash: Digest) -> None:
        brought: dict[Place, int] = {}
        lines = from_json(batch.content)
        for event in self._payments.decode_logs(mined.logs):
            if event.name == "VouchersCollected" and event.fields["gateway"] == self._gateway:
                for place, amount in brought_by(event.fields["entries"], lines).items():
                    brought[place] = brought.get(place, 0) + amount
        await self._store.settle(batch, brought, tx_hash, mined.block_number)
        due = sum(amount for line in lines for _, amount in line["parts"])
        total = sum(brought.values())
        self._metrics.collected(total, due - total)
        log = _log.info if total == due else _log.warning
        log(
            "collected",
            collection=batch.id,
            usd6=total,
            short_usd6=due - total,
            transaction=to_hex(tx_hash),
            root=to_hex(batch.root),
        )
        for line in lines:
            await self._accounts.refresh(line["payer"])

    async def _is_refused(self, batch: Collection) -> bool:
        """Whether the contract refuses it, and nothing that was signed can bring it any more."""
        for transaction in await self._transactions.of(_purpose(batch)):
            if transaction.state is not TransactionState.REVERTED:
                return False
        try:
            await self._client.call(self._payments.address, batch.calldata, sender=self._gateway)
        except ContractReverted as refusal:
            _log.warning("batch refused", collection=batch.id, why=refusal.message)
            return True
        return False


def brought_by(entries: Sequence[int], lines: Sequence[Mapping[str, Any]]) -> dict[Place, int]:
    """What each place of a batch got, from the words of VouchersCollected: a voucher fills its
    parts in their order.

    A word names a payer, the last 40 bits of the key and the amount. Two keys of one payer that
    share these bits are told apart by their order, which is the batch's.
    """
    waiting: dict[tuple[bytes, int], list[Mapping[str, Any]]] = {}
    for line in lines:
        tail = int.from_bytes(address_bytes(line["key"])) & _KEY_TAIL
        waiting.setdefault((address_bytes(line["payer"]), tail), []).append(line)
    brought: dict[Place, int] = {}
    for entry in entries:
        payer, tail = (entry >> 96).to_bytes(20), entry >> 56 & _KEY_TAIL
        line, left = waiting[payer, tail].pop(0), entry & 2**56 - 1
        for cluster_id, amount in line["parts"]:
            filled = min(amount, left)
            if filled:
                brought[to_address(payer), line["key"], ClusterId(cluster_id)] = filled
            left -= filled
    return brought


def _packed(
    owed: Sequence[Due], gateway: Address, collected_usd6: int, places: Mapping[ClusterId, int]
) -> bytes:
    first = owed[0]
    assert first.signature is not None
    voucher = Voucher(first.payer, first.key, gateway, first.promised_usd6, first.signature)
    due = sum(one.due_usd6 for one in owed)
    if len(owed) == 1 and first.promised_usd6 == collected_usd6 + due:
        # All that it promises: the shorter form, which is cheaper.
        return pack_voucher(voucher, places[first.cluster_id])
    parts = [(places[one.cluster_id], one.due_usd6) for one in owed]
    return pack_voucher(voucher, Split(collected_usd6, parts))


def _purpose(batch: Collection) -> str:
    return f"collect/{batch.id}"
