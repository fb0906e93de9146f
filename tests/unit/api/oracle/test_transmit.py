"""An agreed report gets on chain once, whatever happens to its transaction.

The node is a small model of one: an account's nonce, a pool, blocks; the store is PostgreSQL.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any, cast

import pytest
import rlp  # type: ignore[import-untyped]
from prometheus_client.parser import text_string_to_metric_families

from api.chain.client import ChainClient
from api.chain.transactions import SignedTransaction, Transaction
from api.chain.views import Block, Fees, Receipt, ReportRecord
from api.clock import ManualClock
from api.domain.hashing import keccak256
from api.domain.signing import Signer
from api.errors import ChainUnavailable, ContractReverted, NodeRefused, SignerUnavailable
from api.oracle.chain_watch import ChainSnapshot, ChainWatch
from api.oracle.finalise import Finalising
from api.oracle.metrics import Metrics
from api.oracle.transmit import Transmitter
from api.sending import sender as sending
from api.sending.sender import Sender
from api.sending.signers import LocalSigner, SigningAccount
from api.store.agreements import AgreedReport, AgreementStore, SignedRoot
from api.store.database import Database
from api.store.reports import CountedEpoch, Position, PostedReport, ReportStore
from api.store.transactions import TransactionState, TransactionStore
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


@pytest.fixture
async def desk(database: Database, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """One report is agreed on."""
    monkeypatch.setattr(sending, "PAUSE_SECONDS", 0.0)
    desk = Desk(database, Node())
    await desk.agree()
    return desk


async def test_work__agreed_report__sent_mined_settled(desk: Desk) -> None:
    await desk.work()
    assert await desk.states() == ["pending"]
    desk.node.mine()
    await desk.work()
    assert await desk.states() == ["mined"]
    assert await desk.is_settled()
    assert len(desk.node.handed_in) == 1


async def test_work__nothing_new__sends_nothing_twice(desk: Desk) -> None:
    await desk.work(times=5)
    assert len(desk.node.handed_in) == 1


class Locked(LocalSigner):
    """A signer that has to be unlocked first."""

    is_locked = True

    async def sign_transaction(self, transaction: Transaction) -> SignedTransaction:
        if self.is_locked:
            raise SignerUnavailable("signer.example", "locked")
        return await super().sign_transaction(transaction)


async def test_work__signer_away__nothing_stored_and_sent_when_it_is_back(desk: Desk) -> None:
    desk.payer = locked = Locked(SIGNER)
    desk.restart()
    for _ in range(2):
        with pytest.raises(SignerUnavailable):
            await desk.work()
    assert (desk.node.handed_in, await desk.states()) == ([], [])
    locked.is_locked = False
    await desk.work()
    assert await desk.states() == ["pending"]
    assert len(desk.node.handed_in) == 1


async def test_work__another_account_pays_from_now_on__nonces_are_told_apart(desk: Desk) -> None:
    desk.node.refusal = ChainUnavailable("http://node", "killed here")
    with pytest.raises(ChainUnavailable):
        await desk.work()
    desk.node.refusal = None
    # The new account's next nonce is that of the transaction which the old one never sent.
    desk.node.nonces_before[SIGNER.address] = desk.node.nonce
    desk.payer = LocalSigner(OTHER_PAYER)
    desk.restart()
    await desk.work()
    unsent, sent = await desk.transactions.of(PURPOSE)
    assert (unsent.sender, sent.sender) == (SIGNER.address, OTHER_PAYER.address)
    assert unsent.nonce == sent.nonce
    assert desk.node.handed_in == [sent.raw]
    desk.node.mine()
    await desk.work()
    assert await desk.states() == ["displaced", "mined"]
    assert await desk.is_settled()


async def test_work__stored_and_killed_before_sending__the_same_bytes_are_sent(desk: Desk) -> None:
    desk.node.refusal = ChainUnavailable("http://node", "killed here")
    with pytest.raises(ChainUnavailable):
        await desk.work()
    (stored,) = await desk.transactions.of(PURPOSE)
    assert desk.node.handed_in == []
    desk.node.refusal = None
    desk.restart()
    await desk.work()
    assert desk.node.handed_in == [stored.raw]
    desk.node.mine()
    await desk.work()
    assert await desk.is_settled()


async def test_work__killed_after_sending__handed_in_again_unchanged(desk: Desk) -> None:
    await desk.work()
    desk.restart()
    await desk.work()
    assert len(desk.node.handed_in) == 2
    assert len(set(desk.node.handed_in)) == 1
    assert await desk.states() == ["pending"]


async def test_work__killed_after_mining__settled_without_another(desk: Desk) -> None:
    await desk.work()
    desk.node.mine()
    desk.restart()
    await desk.work()
    assert await desk.states() == ["mined"]
    assert await desk.is_settled()
    assert len(desk.node.handed_in) == 1


async def test_work__somebody_else_posted_it__settled_without_a_transaction(desk: Desk) -> None:
    desk.node.take_report()
    await desk.work()
    assert await desk.is_settled()
    assert desk.node.handed_in == []


async def test_work__nonce_used_by_another_transaction__signed_anew(desk: Desk) -> None:
    await desk.work()
    desk.node.pool.clear()
    desk.node.nonce += 1
    await desk.work()
    assert await desk.states() == ["displaced", "pending"]
    desk.node.mine()
    await desk.work()
    assert await desk.is_settled()


async def test_work__reverted__signed_anew(desk: Desk) -> None:
    await desk.work()
    desk.node.mine(succeeds=False)
    await desk.work()
    assert await desk.states() == ["reverted", "pending"]


async def test_work__block_taken_back__the_same_bytes_are_sent(desk: Desk) -> None:
    await desk.work()
    desk.node.mine()
    await desk.work()
    assert await desk.is_settled()
    desk.node.take_back()
    # The reporters agree anew, on the same report.
    await desk.transmitter.take(REPORT)
    desk.restart()
    await desk.work()
    assert len(set(desk.node.handed_in)) == 1
    desk.node.mine()
    await desk.work()
    assert await desk.is_settled()


async def test_work__nonce_of_the_past__gap_is_not_waited_for(desk: Desk) -> None:
    await desk.work()
    # The chain lost a transaction that came before this one.
    desk.node.pool.clear()
    desk.node.nonce -= 2
    await desk.work()
    first, second = await desk.transactions.of(PURPOSE)
    assert (first.nonce, second.nonce) == (7, 5)


async def test_work__too_few_confirmations__not_settled_yet(database: Database) -> None:
    desk = Desk(database, Node(), confirmations=2)
    await desk.agree()
    await desk.work()
    desk.node.mine()
    await desk.work()
    assert not await desk.is_settled()
    desk.node.number += 2
    await desk.work()
    assert await desk.is_settled()
    assert len(desk.node.handed_in) == 1


@pytest.mark.parametrize("change", [{"set_lasts_seconds": 0}, {"next_epoch_of_cluster": EPOCH + 1}])
async def test_work__chain_takes_it_no_more__superseded(desk: Desk, change: dict[str, int]) -> None:
    for name, value in change.items():
        setattr(desk.node, name, value)
    await desk.work()
    assert await desk.is_settled()
    assert desk.node.handed_in == []


async def test_work__not_its_turn_yet__waits(desk: Desk) -> None:
    desk.node.next_epoch_of_cluster = EPOCH - 1
    await desk.work()
    assert desk.node.handed_in == []
    assert not await desk.is_settled()


async def test_work__would_revert__nothing_signed(desk: Desk) -> None:
    desk.node.estimate = ContractReverted("MetricsOracle_EpochNotOver", {"epoch": EPOCH})
    await desk.work()
    assert await desk.states() == []
    desk.node.estimate = None
    await desk.work()
    assert await desk.states() == ["pending"]


async def test_work__base_fee_above_the_limit__waits_until_it_falls(desk: Desk) -> None:
    desk.node.base_fee = 101 * GWEI
    await desk.work()
    assert await desk.states() == []
    desk.node.base_fee = 90 * GWEI
    await desk.work()
    (stored,) = await desk.transactions.of(PURPOSE)
    assert stored.max_fee == 100 * GWEI


async def test_work__not_mined_for_long__replaced_by_one_that_pays_a_quarter_more(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    await desk.work()
    monkeypatch.setattr(sending, "REPLACE_SECONDS", 0.0)
    await desk.work()
    first, second = await desk.transactions.of(PURPOSE)
    assert first.nonce == second.nonce
    assert second.max_fee == -(-first.max_fee * 5 // 4)
    assert second.max_priority_fee == -(-first.max_priority_fee * 5 // 4)
    assert desk.node.pool[second.nonce] == second.raw
    assert b'rackstream_transactions_total{event="replaced"} 1.0' in desk.metrics.render()
    desk.node.mine()
    await desk.work()
    assert await desk.states() == ["displaced", "mined"]


async def test_work__replacement_above_the_limit__the_old_one_stays(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.node.base_fee = 45 * GWEI
    await desk.work()
    monkeypatch.setattr(sending, "REPLACE_SECONDS", 0.0)
    await desk.work()
    assert await desk.states() == ["pending"]


async def test_work__two_reports__one_after_the_other(desk: Desk) -> None:
    later = replace(REPORT, root=Digest(b"\x02" * 32), epoch=Epoch(EPOCH + 1))
    promise = SignedRoot(SET, later.epoch, 0, later.root, Signature(b"\x03" * 65), b"[]")
    await desk.agreements.add_signature(promise, 2)
    await desk.agreements.add_agreed(later, 2)
    await desk.work(times=3)
    assert len(desk.node.handed_in) == 1
    desk.node.mine()
    await desk.work()
    assert len(desk.node.handed_in) == 2
    nonces = [int.from_bytes(rlp.decode(raw[1:])[1], "big") for raw in desk.node.handed_in]
    assert nonces == [7, 8]


async def test_work__refused_by_the_node_for_long__replaced(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.node.refusal = NodeRefused("eth_sendRawTransaction", -32000, "fee below the base fee")
    await desk.work()
    desk.node.refusal = None
    monkeypatch.setattr(sending, "REPLACE_SECONDS", 0.0)
    await desk.work()
    first, second = await desk.transactions.of(PURPOSE)
    assert second.max_fee > first.max_fee
    assert desk.node.handed_in == [second.raw]


async def test_work__window_over__figures_made_final(desk: Desk) -> None:
    desk.node.take_report()
    await desk.let_wait(NOW - 1, NOW, NOW + 1)
    await desk.work(times=3)
    assert await desk.states(FINALIZE) == ["pending"]
    assert len(desk.node.handed_in) == 1
    desk.node.mine()
    await desk.work(times=3)
    assert await desk.states(FINALIZE) == ["mined"]
    assert len(desk.node.handed_in) == 1


async def test_work__mined__cost_counted_once_by_purpose(desk: Desk) -> None:
    await desk.work()
    desk.node.mine()
    await desk.let_wait(NOW - 1)
    await desk.work(times=2)
    desk.node.mine()
    await desk.work(times=2)
    told = {
        (sample.name, sample.labels["purpose"]): sample.value
        for family in text_string_to_metric_families(desk.metrics.render().decode())
        for sample in family.samples
        if "purpose" in sample.labels
    }
    for purpose in ("report", "finalize"):
        assert told["rackstream_gas_used_count", purpose] == 1
        assert told["rackstream_gas_used_sum", purpose] == 80_000
        assert told["rackstream_gas_cost_wei_sum", purpose] == 80_000 * 2 * GWEI


async def test_work__window_not_over__waits(desk: Desk) -> None:
    desk.node.take_report()
    await desk.let_wait(NOW + 1)
    await desk.work()
    assert desk.node.handed_in == []


async def test_work__report_to_be_sent__goes_before_what_is_to_be_final(desk: Desk) -> None:
    await desk.let_wait(NOW - 1)
    await desk.work()
    assert (await desk.states(), await desk.states(FINALIZE)) == (["pending"], [])
    desk.node.mine()
    await desk.work()
    assert (await desk.states(), await desk.states(FINALIZE)) == (["mined"], ["pending"])


async def test_work__report_while_another_transaction_waits__that_one_first(
    database: Database,
) -> None:
    desk = Desk(database, Node())
    await desk.let_wait(NOW - 1)
    await desk.work()
    await desk.agree()
    await desk.work(times=3)
    assert (await desk.states(), await desk.states(FINALIZE)) == ([], ["pending"])
    desk.node.mine()
    await desk.work()
    assert (await desk.states(), await desk.states(FINALIZE)) == (["pending"], ["mined"])


async def test_work__report_while_another_transaction_is_stuck__takes_its_nonce(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = Desk(database, Node())
    await desk.let_wait(NOW - 1)
    await desk.work()
    await desk.agree()
    monkeypatch.setattr(sending, "REPLACE_SECONDS", 0.0)
    await desk.work()
    (stuck,), (report,) = (
        await desk.transactions.of(FINALIZE),
        await desk.transactions.of(PURPOSE),
    )
    assert report.nonce == stuck.nonce
    assert report.max_fee > stuck.max_fee
    desk.node.mine()
    await desk.work()
    assert (await desk.states(), await desk.states(FINALIZE)) == (
        ["mined"],
        ["displaced", "pending"],
    )


async def test_work__figures_due__each_reporter_in_its_round_alone(desk: Desk) -> None:
    desk.node.take_report()
    desk.node.reporters = (SIGNER.address, *OTHERS)
    await desk.let_wait(NOW)
    rounds = []
    for round_ in range(8):
        desk.clock.set_ms((NOW + 60 * round_ + 59) * 1_000)
        desk.node.pool.clear()
        if await desk.transmitter._finalising.due() is not None:
            rounds.append(round_)
    own = -(EPOCH - 10 + CLUSTER) % 4
    assert rounds == [own, own + 4]


async def test_work__oldest_epoch_held_by_a_dispute__tried_when_it_is_settled(desk: Desk) -> None:
    desk.node.take_report()
    await desk.let_wait(NOW - 2, NOW - 1)
    epoch, root = Epoch(EPOCH - 10), Digest(b"\x40" * 32)
    held = CountedEpoch(CLUSTER, epoch, root, 0, is_final=False, is_held=True)
    position = Position(9, Digest(b"\x44" * 32))
    await desk.reports.advance(position, [], [held])
    await desk.work(times=3)
    assert (desk.node.handed_in, desk.node.looked) == ([], 0)
    await desk.reports.advance(position, [], [replace(held, is_held=False)])
    await desk.work()
    assert await desk.states(FINALIZE) == ["pending"]
    assert desk.node.looked == 1


async def test_work__no_reporter_any_more__makes_nothing_final(desk: Desk) -> None:
    desk.node.take_report()
    desk.node.reporters = OTHERS
    await desk.let_wait(NOW - 1)
    await desk.work()
    assert desk.node.handed_in == []


async def test_states__every_one__is_allowed_by_the_table(desk: Desk) -> None:
    await desk.work()
    (stored,) = await desk.transactions.of(PURPOSE)
    for state in TransactionState:
        await desk.transactions.update(stored.hash, state)


def test_raised__any_fee__a_quarter_more_rounded_up() -> None:
    values: list[tuple[Any, ...]] = [(0, 0, 0), (1, 0, 2), (4, 0, 5), (4, 9, 9)]
    for before, now, expected in values:
        assert sending._raised(before, now) == expected
