"""The client against a node that answers, refuses, hangs, dies and comes back as another."""

from __future__ import annotations

import asyncio
import time

import pytest

from api.chain.client import ChainClient
from api.chain.transactions import Transaction, sign_transaction
from api.chain.views import Fees, Receipt
from api.domain.hashing import keccak256
from api.domain.signing import Signer
from api.errors import (
    ChainTimeout,
    ChainUnavailable,
    ContractReverted,
    NodeRefused,
    WrongChain,
)
from api.types import LOCAL_CHAIN_ID, Address
from tests.support.own_node import ECHO_CODE, REFUSE_CODE, Node

ECHO = Address("0x00000000000000000000000000000000000000E0")
REFUSE = Address("0x00000000000000000000000000000000000000F0")
# The first account of anvil's public mnemonic.
PAYER = Signer.from_hex("0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80")


async def test_connect__expected_chain__passes(client: ChainClient) -> None:
    await client.connect()

    assert (await client.block()).number == 0


async def test_connect__another_chain__is_refused(node: Node) -> None:
    client = ChainClient(node.url, chain_id=1)

    with pytest.raises(WrongChain, match="serves chain 31337, expected is 1"):
        await client.connect()

    await client.close()


async def test_request__node_away__is_unavailable_after_retries(
    node: Node, client: ChainClient
) -> None:
    await client.connect()
    node.kill()
    started = time.monotonic()

    with pytest.raises(ChainUnavailable) as caught:
        await client.block()

    assert f"127.0.0.1:{node.port}" in str(caught.value)
    # Two pauses lie between three attempts: 0.2 s and 0.4 s.
    assert 0.5 < time.monotonic() - started < 5


async def test_request__node_back_within_the_retries__is_answered(
    node: Node, client: ChainClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    await client.connect()
    node.kill()

    async def restart(_: float) -> None:
        node.start()

    monkeypatch.setattr("api.chain.node.asyncio.sleep", restart)

    assert (await client.block()).number == 0


async def test_request__another_chain_came_back__is_refused(
    node: Node, client: ChainClient
) -> None:
    await client.connect()
    node.kill()
    with pytest.raises(ChainUnavailable):
        await client.block()
    node.start(chain_id=5)

    with pytest.raises(WrongChain, match="serves chain 5, expected is 31337"):
        await client.block()


async def test_request__node_hangs__times_out_once(node: Node) -> None:
    client = ChainClient(node.url, chain_id=LOCAL_CHAIN_ID, timeout_seconds=0.3)
    await client.connect()
    node.pause()
    started = time.monotonic()

    with pytest.raises(ChainTimeout, match=r"not answered within 0\.3 seconds"):
        await client.send_raw(b"\x02")

    # What may have arrived is not sent again: one time limit, not three.
    assert time.monotonic() - started < 0.8
    node.go_on()
    await client.close()


async def test_block__unknown_number__is_refused(client: ChainClient) -> None:
    with pytest.raises(NodeRefused, match="no block 99"):
        await client.block(99)


async def test_call__contract_answers__returns_its_bytes(node: Node, client: ChainClient) -> None:
    node.rpc("anvil_setCode", ECHO, ECHO_CODE)

    assert await client.call(ECHO, b"hello") == b"hello"
    assert await client.code_at(ECHO) == bytes.fromhex(ECHO_CODE[2:])
    assert await client.code_at(REFUSE) == b""


@pytest.mark.parametrize("ask", ["call", "estimate"])
async def test_call__contract_refuses__raises_its_error(
    node: Node, client: ChainClient, ask: str
) -> None:
    node.rpc("anvil_setCode", REFUSE, REFUSE_CODE)
    data = keccak256(b"MetricsOracle_ZeroRoot()")[:4]

    with pytest.raises(ContractReverted) as caught:
        if ask == "call":
            await client.call(REFUSE, data)
        else:
            await client.estimate_gas(REFUSE, data, sender=PAYER.address)

    assert caught.value.name == "MetricsOracle_ZeroRoot"


async def _signed(
    client: ChainClient, data: bytes, fees: Fees | None = None
) -> tuple[bytes, bytes]:
    transaction = Transaction(
        LOCAL_CHAIN_ID,
        await client.nonce_of(PAYER.address),
        ECHO,
        data,
        100_000,
        fees or await client.fees(),
    )
    signed = sign_transaction(PAYER, transaction)
    return signed.raw, signed.hash


async def _mined(client: ChainClient, tx_hash: bytes) -> Receipt:
    # Anvil answers before it mines.
    for _ in range(1_000):
        receipt = await client.receipt(tx_hash)
        if receipt is not None:
            return receipt
        await asyncio.sleep(0.01)
    raise AssertionError(f"{tx_hash.hex()} was not mined")


async def test_send_raw__signed_transaction__is_mined_under_its_hash(client: ChainClient) -> None:
    before = await client.nonce_of(PAYER.address)
    raw, tx_hash = await _signed(client, b"xyz")

    assert await client.send_raw(raw) == tx_hash

    receipt = await _mined(client, tx_hash)
    assert receipt.succeeded
    assert receipt.block_number == 1
    assert receipt.block_hash == (await client.block(1)).hash
    assert await client.nonce_of(PAYER.address) == before + 1
    assert await client.is_known(tx_hash)
    assert await client.calldata(tx_hash, ECHO) == b"xyz"
    assert await client.calldata(tx_hash, REFUSE) is None


async def test_send_raw__waiting_transaction_again__returns_the_same_hash(
    node: Node, client: ChainClient
) -> None:
    node.rpc("evm_setAutomine", False)
    raw, tx_hash = await _signed(client, b"")

    assert await client.send_raw(raw) == tx_hash
    assert await client.send_raw(raw) == tx_hash

    assert await client.receipt(tx_hash) is None
    assert await client.nonce_of(PAYER.address, "pending") == 1
    assert await client.nonce_of(PAYER.address) == 0


async def test_send_raw__mined_transaction_again__is_refused(client: ChainClient) -> None:
    raw, tx_hash = await _signed(client, b"")
    await client.send_raw(raw)
    await _mined(client, tx_hash)

    with pytest.raises(NodeRefused, match="nonce too low"):
        await client.send_raw(raw)


async def test_receipt__reverted_transaction__says_so(node: Node, client: ChainClient) -> None:
    node.rpc("anvil_setCode", ECHO, REFUSE_CODE)
    raw, tx_hash = await _signed(client, b"")

    await client.send_raw(raw)

    receipt = await _mined(client, tx_hash)
    assert not receipt.succeeded


async def test_receipt__unknown_transaction__is_none(client: ChainClient) -> None:
    assert await client.receipt(bytes(32)) is None
    assert not await client.is_known(bytes(32))
    assert await client.calldata(bytes(32), ECHO) is None


async def test_logs__matching_topic__come_with_their_place(node: Node, client: ChainClient) -> None:
    # log1(0, 0, topic = first word of calldata)
    node.rpc("anvil_setCode", ECHO, "0x5f355f5fa1")
    topic = keccak256(b"topic")
    raw, tx_hash = await _signed(client, topic)
    await client.send_raw(raw)
    await _mined(client, tx_hash)

    (log,) = await client.logs(addresses=[ECHO], topics=[[bytes(32), topic]], from_block=0)

    assert (log.address.lower(), log.topics, log.block_number) == (ECHO.lower(), (topic,), 1)
    assert log.tx_hash == tx_hash
    assert not log.removed
    assert await client.logs(addresses=[ECHO], topics=[bytes(32)], from_block=0) == []
    assert await client.logs(addresses=[ECHO], topics=[None], from_block=0) == [log]


@pytest.mark.parametrize(
    ("is_newest_first", "blocks"), [(False, [2, 3, 4, 5]), (True, [5, 4, 3, 2])]
)
async def test_past_logs__of_several_windows__in_either_order_and_no_others(
    node: Node,
    client: ChainClient,
    monkeypatch: pytest.MonkeyPatch,
    is_newest_first: bool,
    blocks: list[int],
) -> None:
    monkeypatch.setattr("api.chain.client.WINDOW_BLOCKS", 3)
    node.rpc("anvil_setCode", ECHO, "0x5f355f5fa1")
    for _ in range(6):
        raw, tx_hash = await _signed(client, bytes(32))
        await client.send_raw(raw)
        await _mined(client, tx_hash)

    found = client.past_logs(
        addresses=[ECHO],
        topics=[None],
        from_block=2,
        to_block=5,
        is_newest_first=is_newest_first,
    )

    assert [log.block_number async for log in found] == blocks


async def test_fees__base_fee__leaves_room_to_double(client: ChainClient) -> None:
    fees = await client.fees()

    base_fee = (await client.block()).base_fee
    assert fees.max_fee == 2 * base_fee + fees.max_priority_fee
