"""A small model of a node for a reporter's transmitter: an account's nonce, a pool, blocks."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import cast

import rlp  # type: ignore[import-untyped]

from api.chain.client import ChainClient
from api.chain.views import Block, Fees, Receipt, ReportRecord
from api.clock import ManualClock
from api.domain.hashing import keccak256
from api.domain.signing import Signer
from api.errors import NodeRefused
from api.oracle.chain_watch import ChainSnapshot, ChainWatch
from api.oracle.finalise import Finalising
from api.oracle.metrics import Metrics
from api.oracle.transmit import Transmitter
from api.sending.sender import Sender
from api.sending.signers import LocalSigner, SigningAccount
from api.store.agreements import AgreedReport, AgreementStore, SignedRoot
from api.store.database import Database
from api.store.reports import CountedEpoch, Position, PostedReport, ReportStore
from api.store.transactions import TransactionStore
from api.types import Address, ClusterId, Digest, Epoch, Signature

SIGNER = Signer(b"\x05" * 32)
OTHER_PAYER = Signer(b"\x06" * 32)
ORACLE = Address("0x" + "22" * 20)
CLUSTER, EPOCH, SET = ClusterId(1), Epoch(472_222), 3
GWEI = 10**9
NOW = 1_700_000_000
REPORT = AgreedReport(SET, EPOCH, 0, Digest(b"\x01" * 32), (CLUSTER << 160,), b"\x04" * 195)
PURPOSE = f"report/{SET}/{'01' * 32}"
FINALIZE = f"finalize/{CLUSTER}/{EPOCH - 10}"
OTHERS = tuple(Address("0x" + f"{number:02x}" * 20) for number in (0xA1, 0xA2, 0xA3))


@dataclass
class Node:
    """A chain with one account that matters. A transaction is mined when the test says so."""

    number: int = 10
    nonce: int = 7
    base_fee: int = GWEI
    reporter_set_id: int = SET
    set_lasts_seconds: int = 1
    next_epoch_of_cluster: int = EPOCH
    pool: dict[int, bytes] = field(default_factory=dict)
    receipts: dict[bytes, Receipt] = field(default_factory=dict)
    posted: dict[bytes, int] = field(default_factory=dict)
    final_at: dict[int, int] = field(default_factory=dict)
    reporters: tuple[Address, ...] = (SIGNER.address,)
    handed_in: list[bytes] = field(default_factory=list)
    nonces_before: dict[Address, int] = field(default_factory=dict)
    """Of accounts that paid before."""
    refusal: Exception | None = None
    estimate: Exception | None = None
    looked: int = 0
    """How often it was asked what could be made final."""
    chain_id: int = 31337
    address: Address = ORACLE

    async def block(self) -> Block:
        return Block(self.number, NOW, b"", b"", self.base_fee)

    async def nonce_of(self, account: Address) -> int:
        return self.nonces_before.get(account, self.nonce)

    async def receipt(self, tx_hash: bytes) -> Receipt | None:
        return self.receipts.get(tx_hash)

    async def estimate_gas(self, to: Address, data: bytes, *, sender: Address) -> int:
        if self.estimate is not None:
            raise self.estimate
        return 80_000

    async def fees(self) -> Fees:
        return Fees(2 * self.base_fee + GWEI, GWEI)

    async def send_raw(self, raw: bytes) -> bytes:
        if self.refusal is not None:
            raise self.refusal
        self.handed_in.append(raw)
        nonce = int.from_bytes(rlp.decode(raw[1:])[1], "big")
        if nonce < self.nonce:
            raise NodeRefused("eth_sendRawTransaction", -32003, "nonce too low")
        self.pool[nonce] = raw
        return keccak256(raw)

    async def report(self, root: bytes, *, block: int | str = "latest") -> ReportRecord:
        at = self.posted.get(root)
        newest = self.number if block == "latest" else int(block)
        return ReportRecord(EPOCH, SET, 1, 1) if at and at <= newest else ReportRecord(0, 0, 0, 0)

    async def reporter_set_until(self, set_id: int, *, block: int) -> int:
        return NOW + self.set_lasts_seconds

    async def next_epoch(self, cluster_id: int, *, block: int) -> int:
        is_before = block < self.posted.get(REPORT.root, 0)
        return EPOCH if is_before else self.next_epoch_of_cluster

    def encode_post_report(self, *arguments: object) -> bytes:
        return repr(arguments).encode()

    async def finalizable(self, cluster_id: int, limit: int) -> int:
        assert cluster_id == CLUSTER
        self.looked += 1
        return sum(at <= NOW for at in self.final_at.values())

    def encode_finalize(self, *arguments: object) -> bytes:
        return b"finalize"

    def mine(self, *, succeeds: bool = True) -> bytes:
        """Mine what waits with the next nonce; its hash."""
        raw = self.pool.pop(self.nonce)
        self.number += 1
        self.nonce += 1
        tx_hash = keccak256(raw)
        block_hash = keccak256(bytes([self.number]))
        self.receipts[tx_hash] = Receipt(
            tx_hash, self.number, block_hash, succeeds, 80_000, 2 * GWEI, None, ()
        )
        if rlp.decode(raw[1:])[7] == b"finalize":
            self.final_at = {epoch: at for epoch, at in self.final_at.items() if at > NOW}
        elif succeeds:
            self.take_report()
        return tx_hash

    def take_report(self) -> None:
        """The contract has the report, by whoever's transaction."""
        self.posted[REPORT.root] = self.number
        self.next_epoch_of_cluster = EPOCH + 1

    def take_back(self) -> None:
        """The newest block is taken back; its transactions are gone."""
        self.number -= 1
        self.nonce -= 1
        self.receipts.clear()
        self.posted.clear()
        self.next_epoch_of_cluster = EPOCH


class Watch:
    """Reads the node anew every time."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self.client = node
        self.oracle = SimpleNamespace(
            address=ORACLE,
            report=node.report,
            reporter_set_until=node.reporter_set_until,
            next_epoch=node.next_epoch,
            encode_post_report=node.encode_post_report,
            finalizable=node.finalizable,
            encode_finalize=node.encode_finalize,
        )

    @property
    def snapshot(self) -> ChainSnapshot:
        node = self._node
        block = Block(node.number, NOW, b"", b"", node.base_fee)
        epochs = {CLUSTER: Epoch(node.next_epoch_of_cluster)}
        return ChainSnapshot(block, node.reporter_set_id, node.reporters, 1, epochs)

    async def refresh(self) -> ChainSnapshot:
        return self.snapshot


class Desk:
    """A transmitter with its node and its store; `restart` forgets all but the store."""

    def __init__(self, database: Database, node: Node, *, confirmations: int = 0) -> None:
        self.node = node
        self.agreements = AgreementStore(database)
        self.transactions = TransactionStore(database)
        self.reports = ReportStore(database)
        self.clock = ManualClock(NOW * 1_000)
        self.metrics = Metrics()
        self._confirmations = confirmations
        self.payer: SigningAccount = LocalSigner(SIGNER)
        self.transmitter = self._new()

    def _new(self) -> Transmitter:
        watch = cast(ChainWatch, Watch(self.node))
        sender = Sender(
            account=self.payer,
            client=cast(ChainClient, self.node),
            clock=self.clock,
            store=self.transactions,
            metrics=self.metrics,
            max_fee_per_gas=100 * GWEI,
        )
        return Transmitter(
            watch=watch,
            clock=self.clock,
            agreements=self.agreements,
            store=self.transactions,
            sender=sender,
            finalising=Finalising(
                account=SIGNER.address, watch=watch, clock=self.clock, store=self.reports
            ),
            confirmations=self._confirmations,
        )

    async def agree(self) -> None:
        promise = SignedRoot(SET, EPOCH, 0, REPORT.root, Signature(b"\x03" * 65), b"[]")
        await self.agreements.add_signature(promise, 1)
        await self.agreements.add_agreed(REPORT, 1)
        await self.transmitter.take(REPORT)

    def restart(self) -> None:
        self.transmitter = self._new()

    async def work(self, times: int = 1) -> None:
        for _ in range(times):
            await self.transmitter.work()

    async def let_wait(self, *final_at: int) -> None:
        """Figures of consecutive epochs were posted and count from these seconds on."""
        for number, at in enumerate(final_at):
            root = Digest(bytes([0x40 + number]) * 32)
            epoch = Epoch(EPOCH - 10 + number)
            nobody, block = Address("0x" + "33" * 20), Digest(b"\x44" * 32)
            await self.reports.advance(
                Position(number, block),
                [PostedReport(root, epoch, SET, nobody, None, None, None, at, root, number, block)],
                [CountedEpoch(CLUSTER, epoch, root, 0, is_final=False)],
            )
            self.node.final_at[epoch] = at

    async def states(self, purpose: str = PURPOSE) -> list[str]:
        return [str(one.state) for one in await self.transactions.of(purpose)]

    async def is_settled(self) -> bool:
        return not await self.agreements.unsettled()
