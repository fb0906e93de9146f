"""The demo's chain and its hand on it, through crashes of the node."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from api.chain.client import ChainClient
from api.types import LOCAL_CHAIN_ID, Address
from scripts._lib import cast
from scripts._lib.anvil import Anvil, RpcRefused, rpc
from scripts._lib.local_chain import LocalChain
from scripts._lib.processes import ProcessFailure, Supervisor, free_ports

GENESIS = 1_700_000_000
SOMEBODY = Address("0x00000000000000000000000000000000000A11cE")


@pytest.fixture
def supervisor() -> Iterator[Supervisor]:
    with Supervisor(lambda _: None) as one:
        yield one


@pytest.fixture
def anvil(tmp_path: Path, supervisor: Supervisor) -> Anvil:
    one = Anvil(
        free_ports(1)[0], tmp_path / "anvil.json", tmp_path / "anvil.log", genesis_time=GENESIS
    )
    one.start()
    supervisor.add(one)
    return one


def kill(anvil: Anvil) -> None:
    pid = anvil.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)


def test_rpc__the_node_refuses__its_words(anvil: Anvil) -> None:
    with pytest.raises(RpcRefused, match="eth_nonsense"):
        rpc(anvil.port, "eth_nonsense")


def test_start__died_before_the_first_checkpoint__refused(tmp_path: Path) -> None:
    anvil = Anvil(free_ports(1)[0], tmp_path / "state", tmp_path / "log", genesis_time=GENESIS)
    anvil.start()
    anvil.stop()
    with pytest.raises(ProcessFailure, match="before the first checkpoint"):
        anvil.start()


async def test_checkpoint__blocks_on_top__after_what_is_kept_and_in_its_second(
    anvil: Anvil, supervisor: Supervisor
) -> None:
    client = ChainClient(anvil.url, chain_id=LOCAL_CHAIN_ID)
    chain = LocalChain(client, anvil, supervisor)
    await chain.move_to(GENESIS + 3_600)
    before = await client.block()
    await chain.checkpoint(64)
    after = await client.block()
    assert after.number == before.number + 64
    assert after.time - before.time < 10
    kill(anvil)
    assert (await chain.patiently(client.block)).number == before.number
    await client.close()


async def test_start__restored__what_was_kept_is_final_and_its_state_is_known(
    tmp_path: Path, supervisor: Supervisor
) -> None:
    depth = 8
    anvil = Anvil(
        free_ports(1)[0],
        tmp_path / "anvil.json",
        tmp_path / "anvil.log",
        genesis_time=GENESIS,
        confirmations=depth,
    )
    anvil.start()
    supervisor.add(anvil)
    client = ChainClient(anvil.url, chain_id=LOCAL_CHAIN_ID)
    chain = LocalChain(client, anvil, supervisor)
    await chain.send(cast.keeper(), SOMEBODY, b"")
    kept = await client.block()
    await chain.checkpoint()

    kill(anvil)
    async with asyncio.timeout(10):
        # It answers a moment before they are there; a chain has no event.
        while (newest := await chain.patiently(client.block)).number < kept.number + depth:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    final = hex(newest.number - depth)
    assert await client.request("eth_getTransactionCount", [cast.keeper().address, final]) == "0x1"
    await client.close()


async def test_checkpoint__killed_after_it__the_chain_goes_on_from_there(
    anvil: Anvil, supervisor: Supervisor
) -> None:
    client = ChainClient(anvil.url, chain_id=LOCAL_CHAIN_ID)
    chain = LocalChain(client, anvil, supervisor)
    await chain.move_to(GENESIS + 10_000)
    receipt = await chain.send(cast.keeper(), SOMEBODY, b"")
    kept = await client.block()
    genesis = await client.block(0)
    await chain.checkpoint()
    await chain.move_to(GENESIS + 20_000)

    kill(anvil)
    newest = await chain.patiently(client.block)
    assert anvil.generation == 2
    assert (newest.number, newest.hash) == (kept.number, kept.hash)
    assert (await client.block(0)).hash == genesis.hash
    assert await client.receipt(receipt.tx_hash) is not None
    # The clock goes on from the checkpoint, not from the wall's time.
    await client.request("evm_mine", [])
    assert kept.time <= (await client.block()).time < kept.time + 60
    await client.close()


async def test_send__forgotten_by_the_node__sent_again_once_and_in_order(
    anvil: Anvil, supervisor: Supervisor
) -> None:
    client = ChainClient(anvil.url, chain_id=LOCAL_CHAIN_ID)
    chain = LocalChain(client, anvil, supervisor)
    await chain.send(cast.keeper(), SOMEBODY, b"")
    await chain.checkpoint()
    await chain.move_to(GENESIS + 5_000)
    lost = [
        await chain.send(signer, SOMEBODY, b"")
        for signer in (cast.operator(), cast.keeper(), cast.operator())
    ]

    kill(anvil)
    after = await chain.send(cast.keeper(), SOMEBODY, b"")
    receipts = [await client.receipt(one.tx_hash) for one in lost]
    assert [one.succeeded for one in receipts if one] == [True, True, True]
    blocks = [one.block_number for one in receipts if one]
    assert blocks == sorted(blocks)
    assert after.block_number > blocks[-1]
    assert await client.nonce_of(cast.operator().address) == 2
    assert await client.nonce_of(cast.keeper().address) == 3
    assert (await client.block(blocks[0])).time >= GENESIS + 5_000
    await client.close()


async def test_patiently__several_at_once_after_a_restart__what_was_lost_is_sent_once(
    anvil: Anvil, supervisor: Supervisor
) -> None:
    client = ChainClient(anvil.url, chain_id=LOCAL_CHAIN_ID)
    chain = LocalChain(client, anvil, supervisor)
    await chain.checkpoint()
    for _ in range(5):
        await chain.send(cast.keeper(), SOMEBODY, b"")

    kill(anvil)
    await asyncio.gather(*(chain.now() for _ in range(8)))
    assert await client.nonce_of(cast.keeper().address) == 5
    await client.close()


async def test_move_to__the_past__the_clock_stays(anvil: Anvil, supervisor: Supervisor) -> None:
    client = ChainClient(anvil.url, chain_id=LOCAL_CHAIN_ID)
    chain = LocalChain(client, anvil, supervisor)
    await chain.move_to(GENESIS + 3_600)
    before = await client.block()
    await chain.move_to(GENESIS + 60)
    assert (await client.block()).number == before.number
    assert await chain.now() == GENESIS + 3_600
    await client.close()


async def test_patiently__the_node_cannot_be_kept_alive__says_so(
    anvil: Anvil, supervisor: Supervisor
) -> None:
    client = ChainClient(anvil.url, chain_id=LOCAL_CHAIN_ID)
    chain = LocalChain(client, anvil, supervisor)
    kill(anvil)  # without a checkpoint: there is nothing to go on from
    with pytest.raises(ProcessFailure, match="anvil died"):
        await chain.now()
    await client.close()
