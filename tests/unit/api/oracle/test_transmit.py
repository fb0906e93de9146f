"""An agreed report gets on chain once, whatever happens to its transaction.

The node is a small model of one (`transmission_double.py`); the store is PostgreSQL.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import rlp  # type: ignore[import-untyped]
from prometheus_client.parser import text_string_to_metric_families

from api.chain.transactions import SignedTransaction, Transaction
from api.errors import ChainUnavailable, ContractReverted, NodeRefused, SignerUnavailable
from api.sending import sender as sending
from api.sending.signers import LocalSigner
from api.store.agreements import SignedRoot
from api.store.database import Database
from api.store.reports import CountedEpoch, Position
from api.store.transactions import TransactionState
from api.types import Digest, Epoch, Signature
from tests.unit.api.oracle.transmission_double import (
    CLUSTER,
    EPOCH,
    FINALIZE,
    GWEI,
    NOW,
    OTHER_PAYER,
    OTHERS,
    PURPOSE,
    REPORT,
    SET,
    SIGNER,
    Desk,
    Node,
)


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
