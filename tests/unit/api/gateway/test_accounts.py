"""Payers and channels in step with a real chain: read once, and anew when a block concerns them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from ape import chain, networks
from ape.api import AccountAPI
from eth_account.signers.local import LocalAccount

from api.chain.client import ChainClient
from api.chain.contracts import InferencePayments
from api.domain.codec import parse_address
from api.domain.work import Work
from api.errors import ChainUnavailable
from api.gateway import accounts as accounts_module
from api.gateway.accounts import Accounts
from api.gateway.ledger import Channel
from api.store.database import Database
from api.store.journal import Entry, JournalStore, StoredReceipt
from api.types import ClusterId, Digest, Signature
from tests.support.database import database, migrated, postgres, url
from tests.support.isolation import restored_chain
from tests.support.payments import FOREVER, Till, key_of
from tests.support.scenario import USD, Scenario

__all__ = ["database", "migrated", "postgres", "url"]

KEY = key_of("of accounts")
SIGNATURE = Signature(b"\x05" * 65)
DEPTH = 3


@pytest.fixture
def till(scenario: Scenario, operator: AccountAPI, customer: AccountAPI) -> Till:
    """A gateway, and a customer with ten dollars and a session key for it."""
    till = Till(scenario.system.payments, operator, ())
    scenario.give_usd(customer, 100 * USD)
    scenario.system.stablecoin.approve(till.payments, 2**255, sender=customer)
    till.payments.deposit(10 * USD, sender=customer)
    till.payments.authorise(KEY.address, operator, 5 * USD, FOREVER, sender=customer)
    return till


class Known:
    """The accounts of that gateway, and what it would ask of them."""

    def __init__(self, till: Till, customer: AccountAPI, database: Database) -> None:
        self.store = JournalStore(database)
        self.payer = parse_address(str(customer.address), "payer")
        uri = str(networks.active_provider.http_uri)
        self.client = ChainClient(uri, chain_id=chain.chain_id)
        self.accounts = Accounts(
            client=self.client,
            payments=InferencePayments(
                self.client, parse_address(str(till.payments.address), "payments")
            ),
            store=self.store,
            gateway=parse_address(str(till.gateway.address), "gateway"),
            confirmations=DEPTH,
            credit_usd6=10**9,
            lock_above_usd6=10**9,
        )

    async def note_forty(self) -> None:
        """So much was spent by the key, of 90 that it has promised."""
        key = parse_address(KEY.address, "key")
        receipt = StoredReceipt(
            bytes(16), self.payer, key, Work(ClusterId(1)), 40, 1, b"{}", Digest(bytes(32)),
            SIGNATURE, False,
        )  # fmt: skip
        await self.store.write([Entry(90, SIGNATURE, 40, receipt)])

    async def channel(self, key: LocalAccount = KEY) -> Channel:
        return await self.accounts.channel(self.payer, parse_address(key.address, "key"))


@pytest.fixture
async def known(till: Till, customer: AccountAPI, database: Database) -> AsyncIterator[Known]:
    known = Known(till, customer, database)
    await known.accounts.follow()
    yield known
    await known.client.close()


async def test_channel__asked_again__is_not_read_again_until_a_block_concerns_it(
    known: Known, till: Till, customer: AccountAPI
) -> None:
    channel = await known.channel()
    assert (channel.limit_usd6, channel.payer.balance_usd6) == (5 * USD, 10 * USD)

    till.payments.authorise(KEY.address, till.gateway, 7 * USD, FOREVER, sender=customer)
    till.payments.deposit(USD, sender=customer)
    till.payments.requestWithdrawal(2 * USD, sender=customer)

    assert await known.channel() is channel
    assert (channel.limit_usd6, channel.payer.balance_usd6) == (5 * USD, 10 * USD)
    await known.accounts.follow()
    payer = channel.payer
    assert (channel.limit_usd6, payer.balance_usd6, payer.requested_usd6) == (
        7 * USD, 11 * USD, 2 * USD,
    )  # fmt: skip


async def test_channel__many_ask_at_once__is_one(known: Known) -> None:
    first, *others = await asyncio.gather(*(known.channel() for _ in range(20)))
    assert all(other is first for other in others)
    assert first.payer.channels == [first]


async def test_channel__without_a_session__is_not_remembered(
    known: Known, till: Till, customer: AccountAPI
) -> None:
    stranger = key_of("of nobody")
    assert (await known.channel(stranger)).limit_usd6 == 0
    till.payments.authorise(stranger.address, till.gateway, USD, FOREVER, sender=customer)
    # It is read anew, and no block has to be looked at for that.
    assert (await known.channel(stranger)).limit_usd6 == USD


async def test_channel__looked_at_by_whoever_asks__is_not_remembered(known: Known) -> None:
    key = parse_address(KEY.address, "key")
    looked = await known.accounts.look(known.payer, key)
    assert looked.room_usd6(0) == 5 * USD
    channel = await known.channel()
    assert channel is not looked
    assert await known.accounts.look(known.payer, key) is channel


async def test_follow__blocks_taken_back__reads_everybody_anew(
    known: Known, till: Till, customer: AccountAPI
) -> None:
    channel = await known.channel()
    with restored_chain():
        till.payments.deposit(USD, sender=customer)
        await known.accounts.follow()
        assert channel.payer.balance_usd6 == 11 * USD
    chain.mine(2)
    await known.accounts.follow()
    assert channel.payer.balance_usd6 == 10 * USD


async def test_channel__chain_not_seen_for_too_long__serves_nobody(
    known: Known, monkeypatch: pytest.MonkeyPatch
) -> None:
    await known.channel()
    monkeypatch.setattr(accounts_module, "MAX_BLIND_SECONDS", 0.05)
    await asyncio.sleep(0.1)
    with pytest.raises(ChainUnavailable):
        await known.channel()
    # No new block, and yet it was seen.
    await known.accounts.follow()
    await known.channel()


async def test_channel__before_the_chain_was_seen__serves_nobody(
    till: Till, customer: AccountAPI, database: Database
) -> None:
    known = Known(till, customer, database)
    with pytest.raises(ChainUnavailable):
        await known.channel()
    await known.client.close()


async def test_follow__lock__counts_once_it_is_deep_and_is_balance_before(
    known: Known, till: Till, customer: AccountAPI
) -> None:
    channel = await known.channel()
    until = int(chain.pending_timestamp) + 10_000
    till.lock(customer, KEY, 3 * USD, until)
    await known.accounts.follow()
    assert (channel.locked_usd6, channel.secured_usd6) == (3 * USD, 0)
    assert (channel.payer.balance_usd6, channel.room_usd6(until - 5_000)) == (7 * USD, 5 * USD)
    assert channel.loose_usd6(until - 5_000) == 3 * USD
    chain.mine(DEPTH)
    await known.accounts.refresh(known.payer)
    assert (channel.secured_usd6, channel.secured_until) == (3 * USD, until)
    assert channel.loose_usd6(until - 5_000) == 0


async def test_reload__store_has_more__is_taken_from_it(known: Known) -> None:
    channel = await known.channel()
    await known.note_forty()
    channel.spent_usd6 = 55
    await known.accounts.reload()
    # What was charged here and not noted was never given.
    assert (channel.spent_usd6, channel.promised_usd6, channel.signature) == (40, 90, SIGNATURE)


async def test_open__channel_noted_before__begins_from_what_is_noted(
    known: Known,
) -> None:
    await known.note_forty()
    channel = await known.channel()
    assert (channel.spent_usd6, channel.promised_usd6) == (40, 90)
    # It may be public: only a larger amount is a new voucher.
    assert channel.used_above_usd6 == 90
