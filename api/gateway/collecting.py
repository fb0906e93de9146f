"""Takes what was charged to the chain, in batches.

1. One batch at a time is on its way. It is formed of the channels that owe most and can pay, with
   the receipts that say why, and stored before it is sent. Every voucher says which cluster gets
   how much, for work with which model. No channel is asked for more than was spent there beyond
   what was collected.
2. It is sent until it is mined and as deep in the chain as it has to be; what it brought is read
   from its event, and noted once. A voucher that came short stays due, and is in a later batch.
3. A batch that the contract refuses as a whole, and of which no transaction can come any more, is
   given up: its receipts go into the next, which is half as large.
4. It is time for a batch every so often, and at once when somebody owes half of the credit.

A process that is killed at any moment comes back to the stored batch. Bringing one twice takes
nothing twice: vouchers are cumulative, and their parts say what was collected before them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import structlog
from pydantic_core import from_json, to_json

from api.chain.client import ChainClient
from api.chain.contracts import InferencePayments
from api.chain.views import Receipt as Mined
from api.clock import Clock
from api.domain.codec import address_bytes, parse_digest, to_hex
from api.domain.merkle import merkle_root
from api.domain.vouchers import MAX_PARTS, Split, Voucher, pack_voucher
from api.domain.work import Work
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

MAX_WORKS: Final = 256

# Looked at for a batch: some of them cannot pay.
_CANDIDATES: Final = 2_000

# Between two looks at a batch that is on its way, and at what is owed.
_LOOK_SECONDS: Final = 0.5

# Until a channel that could not pay is asked again; less than a key must last after a request.
_RETRY_SECONDS: Final = 300.0

_AT_ONCE: Final = 16


@dataclass(frozen=True, slots=True)
class Bill:
    """What a channel is asked for: its voucher, what it has collected, and each work's part in 10⁻⁶
    dollars.
    """

    voucher: Voucher
    collected_usd6: int
    parts: Sequence[tuple[Work, int]]

    def packed(self, places: Mapping[Work, int]) -> bytes:
        """As `collect` takes it."""
        parts = [(places[work], amount) for work, amount in self.parts]
        due = sum(amount for _, amount in parts)
        if len(parts) == 1 and self.voucher.cumulative_usd6 == self.collected_usd6 + due:
            # All that it promises: the shorter form, which is cheaper.
            return pack_voucher(self.voucher, parts[0][0])
        return pack_voucher(self.voucher, Split(self.collected_usd6, parts))

    def to_json(self) -> dict[str, Any]:
        """As it stands in the store, to be read when the batch has come in."""
        return {
            "payer": self.voucher.payer,
            "key": self.voucher.key,
            "promised": self.voucher.cumulative_usd6,
            "parts": [
                [int(work.cluster_id), to_hex(work.model_id), amount] for work, amount in self.parts
            ],
        }


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
        credit_usd6: int,
    ) -> None:
        """Every `interval_seconds` what can be collected is, if it is `least_usd6` or more. They
        count from when a batch is formed: what comes while it is on its way waits no longer.
        """
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
        self._credit_usd6 = credit_usd6
        self._most_channels = MAX_CHANNELS
        self._is_refused_together = False
        # When there was a batch to be formed, by the loop's time.
        self._formed_at = 0.0
        # When a channel that could not pay is asked again, by the loop's time.
        self._asked_again_at: dict[tuple[Address, Address], float] = {}

    async def run(self) -> None:
        """Work without end."""
        while True:
            try:
                is_done = await self.work()
            except Unavailable as error:
                _log.warning("collecting waits", reason=error.message)
                await asyncio.sleep(PAUSE_SECONDS)
            except ChainError as error:
                _log.error("collecting refused", reason=error.message)
                await asyncio.sleep(PAUSE_SECONDS)
            else:
                await (self._until_due() if is_done else asyncio.sleep(_LOOK_SECONDS))

    async def _until_due(self) -> None:
        clock = asyncio.get_running_loop()
        end = self._formed_at + self._interval_seconds
        while (left := end - clock.time()) > 0:
            await asyncio.sleep(min(left, _LOOK_SECONDS))
            late = {one for one, at in self._asked_again_at.items() if at > clock.time()}
            if self._accounts.owed_usd6(self._clock.now(), late) * 2 > self._credit_usd6:
                return

    async def work(self) -> bool:
        """One step; whether nothing more is to be done now."""
        await self._sender.note_fates()
        batch = await self._store.open()
        if batch is None:
            self._formed_at = asyncio.get_running_loop().time()
            batch = await self._form()
            if batch is None:
                # Another try, with fewer, if they were refused together.
                return not self._is_refused_together
        mined = await self._mined(batch)
        if mined is None:
            call = Call(_purpose(batch), self._payments.address, batch.calldata)
            await self._sender.advance(call)
            if await self._is_refused(batch):
                await self._store.give_up(batch)
                self._most_channels = max(1, self._most_channels // 2)
                _log.error("batch given up", collection=batch.id)
            return False
        if mined.block_number + self._confirmations > (await self._client.block()).number:
            _log.debug("not deep enough yet", collection=batch.id, block=mined.block_number)
            return False
        await self._settle(batch, mined)
        is_full = len(from_json(batch.content)) >= self._most_channels
        self._most_channels = min(MAX_CHANNELS, 2 * self._most_channels)
        return not is_full

    # -- forming ----------------------------------------------------------------------------------

    async def _form(self) -> Collection | None:
        self._is_refused_together = False
        dues, leaves = await self._store.due(_CANDIDATES)
        self._metrics.uncollected(sum(due.due_usd6 for due in dues))
        owing: dict[tuple[Address, Address], list[Due]] = {}
        for due in dues:
            owing.setdefault((due.payer, due.key), []).append(due)
        payable = await self._payable(owing)
        total = sum(amount for bill in payable.values() for _, amount in bill.parts)
        if total < max(self._least_usd6, 1):
            return None
        works = sorted({work for bill in payable.values() for work, _ in bill.parts})
        places = {work: place for place, work in enumerate(works)}
        vouchers, lines = bytearray(), []
        for bill in payable.values():
            vouchers += bill.packed(places)
            lines.append(bill.to_json())
        behind = [one for one in leaves if (one.payer, one.key) in payable]
        root = await self._root([one.hash for one in behind])
        if root is None:
            return None
        calldata = self._payments.encode_collect(bytes(vouchers), works, root)
        try:
            await self._client.call(self._payments.address, calldata, sender=self._gateway)
        except ContractReverted as refusal:
            _log.error("vouchers cannot be collected", why=refusal.message, number=len(payable))
            if len(payable) == 1:
                # It alone is refused: the others need not wait for it.
                self._ask_later(next(iter(payable)))
            else:
                self._most_channels = max(1, len(payable) // 2)
            self._is_refused_together = len(payable) > 1
            return None
        for payer, key in payable:
            # From now on anybody may read these vouchers.
            self._accounts.publish(payer, key)
        batch = await self._store.form(
            root, calldata, to_json(lines), [one.id for one in behind], self._clock.now_ms()
        )
        _log.info(
            "batch formed",
            collection=batch.id,
            vouchers=len(lines),
            receipts=len(behind),
            usd6=total,
        )
        return batch

    async def _payable(
        self, owing: Mapping[tuple[Address, Address], Sequence[Due]]
    ) -> dict[tuple[Address, Address], Bill]:
        """Of the channels, in their order, those that can pay something, with what they can."""
        now = asyncio.get_running_loop().time()
        asked = told_apart(one for one in owing if self._asked_again_at.get(one, 0.0) <= now)
        found: dict[tuple[Address, Address], Bill] = {}
        works: set[Work] = set()
        for start in range(0, len(asked), _AT_ONCE):
            some = asked[start : start + _AT_ONCE]
            bills = await asyncio.gather(*(self._bill(*one, owing[one]) for one in some))
            for one, bill in zip(some, bills, strict=True):
                wanted = {work for work, _ in bill.parts}
                if not wanted:
                    payer, key = one
                    due = sum(each.due_usd6 for each in owing[one])
                    _log.warning("channel cannot pay", payer=payer, key=key, due_usd6=due)
                    self._ask_later(one)
                elif len(works | wanted) <= MAX_WORKS:
                    works |= wanted
                    found[one] = bill
                if len(found) == self._most_channels:
                    return found
        return found

    async def _bill(self, payer: Address, key: Address, dues: Sequence[Due]) -> Bill:
        """What is taken of a channel: what it can pay of what was spent there and promised."""
        collectable = await self._payments.collectable_usd6(payer, key, self._gateway)
        collected = (await self._payments.channel(payer, key, self._gateway)).collected_usd6
        first = dues[0]
        most = min(first.spent_usd6, first.promised_usd6) - collected
        voucher = Voucher(payer, key, self._gateway, first.promised_usd6, first.signature)
        return Bill(voucher, collected, filled(dues, min(collectable, max(0, most))))

    def _ask_later(self, channel: tuple[Address, Address]) -> None:
        now = asyncio.get_running_loop().time()
        for known, at in list(self._asked_again_at.items()):
            if at <= now:
                del self._asked_again_at[known]
        self._asked_again_at[channel] = now + _RETRY_SECONDS

    async def _root(self, leaves: Sequence[Digest]) -> Digest | None:
        """Of the receipts; where only what came short is due, of those that said why before."""
        if leaves:
            return merkle_root(leaves)
        last = await self._store.last()
        return None if last is None else last.root

    # -- following --------------------------------------------------------------------------------

    async def _mined(self, batch: Collection) -> Mined | None:
        for transaction in await self._transactions.of(_purpose(batch)):
            mined = await self._client.receipt(transaction.hash)
            if mined is not None and mined.succeeded:
                return mined
        return None

    async def _settle(self, batch: Collection, mined: Mined) -> None:
        tx_hash = Digest(mined.tx_hash)
        brought: dict[Place, int] = {}
        lines = from_json(batch.content)
        for event in self._payments.decode_logs(mined.logs):
            if event.name == "VouchersCollected" and event.fields["gateway"] == self._gateway:
                for place, amount in brought_by(event.fields["entries"], lines).items():
                    brought[place] = brought.get(place, 0) + amount
        await self._store.settle(batch, brought, tx_hash, mined.block_number)
        due = sum(amount for line in lines for *_, amount in line["parts"])
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
        await self._accounts.refresh_all({line["payer"] for line in lines})

    async def _is_refused(self, batch: Collection) -> bool:
        """Whether the contract refuses it, and nothing that was signed can bring it any more."""
        for transaction in await self._transactions.of(_purpose(batch)):
            if transaction.state in (TransactionState.PENDING, TransactionState.MINED):
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

    A word names a payer, the last 40 bits of the key and the amount. What brought nothing has none,
    so that of keys which share these bits a batch has one (`told_apart`).
    """
    named = {_named(line["payer"], line["key"]): line for line in lines}
    brought: dict[Place, int] = {}
    for entry in entries:
        line, left = named[entry >> 56], entry & 2**56 - 1
        for cluster_id, model_id, amount in line["parts"]:
            part = min(amount, left)
            if part:
                work = Work(ClusterId(cluster_id), parse_digest(model_id, "model"))
                brought[line["payer"], line["key"], work] = part
            left -= part
    return brought


def told_apart(channels: Iterable[tuple[Address, Address]]) -> list[tuple[Address, Address]]:
    """Of channels that VouchersCollected names alike the first, in their order. A payer can search
    for such keys; what is left waits for a batch of its own.
    """
    first: dict[int, tuple[Address, Address]] = {}
    for payer, key in channels:
        first.setdefault(_named(payer, key), (payer, key))
    return list(first.values())


def _named(payer: Address, key: Address) -> int:
    """How VouchersCollected names a channel."""
    return int.from_bytes(address_bytes(payer)) << 40 | int.from_bytes(address_bytes(key)[-5:])


def filled(dues: Sequence[Due], limit_usd6: int) -> list[tuple[Work, int]]:
    """As much of what is due, in its order, as the limit fills."""
    parts: list[tuple[Work, int]] = []
    for due in dues[:MAX_PARTS]:
        amount = min(due.due_usd6, limit_usd6)
        if amount > 0:
            parts.append((due.work, amount))
        limit_usd6 -= amount
    return parts


def _purpose(batch: Collection) -> str:
    return f"collect/{batch.id}"
