"""A chain as services see it: typed reads and signed transactions, over one or several nodes.

A node that cannot be reached, does not answer in time or answers what makes no sense is left for
the next in the list; what a node or a contract answers, a refusal included, counts. A caller learns
within about a second that no node can be reached, and waits in its own way. `check` looks at all of
them: a node of another chain, or one that is more than `MAX_BLOCKS_BEHIND` behind the best, is not
asked, and one that is back is.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, Final

from api.chain.node import Node, Result, integer
from api.chain.views import Block, Fees, Log, Receipt
from api.domain.codec import parse_address, to_hex
from api.domain.hashing import keccak256
from api.errors import (
    ChainBehind,
    ChainTimeout,
    ChainUnavailable,
    NodeRefused,
    RackstreamError,
    Unavailable,
    WrongChain,
)
from api.types import Address

ATTEMPTS = 3
DEFAULT_TIMEOUT_SECONDS = 10.0

MAX_BLOCKS_BEHIND = 10
"""A node further behind the best is not asked. Fewer than the confirmations that anything waits for
off the local chain, so that a switch does not look like blocks taken back.
"""

WINDOW_BLOCKS: Final = 10_000
"""Whose events are read at once: public nodes accept so many."""

# Why another node is asked.
_FAILURES = (ChainUnavailable, ChainTimeout, WrongChain)

# What anvil, geth, erigon and nethermind answer to a transaction that they hold already.
_ALREADY_KNOWN = ("already known", "already imported", "alreadyknown", "known transaction")


class ChainClient:
    """One chain, by the nodes at `urls`, the first of them first.

    `on_switch` is told when another node is asked from now on: the one before, and the new one.
    """

    def __init__(
        self,
        *urls: str,
        chain_id: int,
        timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
        on_switch: Callable[[Node, Node], None] | None = None,
    ) -> None:
        self.chain_id = chain_id
        # With others at hand there is no reason to wait for one.
        attempts = ATTEMPTS if len(urls) == 1 else 1
        self.nodes = tuple(
            Node(url, chain_id=chain_id, timeout_seconds=timeout_seconds, attempts=attempts)
            for url in urls
        )
        self._told = self.nodes[0]
        self._on_switch = on_switch

    async def connect(self) -> None:
        """Check that a node answers and is of the expected chain. Raises as `check`."""
        await self.check()

    async def close(self) -> None:
        """Close the connections. The client may not be used afterwards."""
        for node in self.nodes:
            await node.close()

    # -- reading ----------------------------------------------------------------------------------

    async def block(self, which: int | str = "latest") -> Block:
        """A block by number or by name (`latest`, `safe`, `finalized`, `earliest`).

        Raises NodeRefused if the chain has no such block.
        """
        tag = hex(which) if isinstance(which, int) else which
        block = await self._read("eth_getBlockByNumber", [tag, False], _block)
        if block is None:
            raise NodeRefused("eth_getBlockByNumber", -32001, f"no block {which}")
        return block

    async def code_at(self, address: Address) -> bytes:
        """The code at an address; empty if it is no contract."""
        return await self._read("eth_getCode", [address, "latest"], _bytes)

    async def balance_of(self, address: Address) -> int:
        """What an account holds of the chain's own coin, in wei."""
        return await self._read("eth_getBalance", [address, "latest"], integer)

    async def nonce_of(self, address: Address, at: str = "latest") -> int:
        """Transactions of an account: mined ones (`latest`), or with waiting ones (`pending`)."""
        return await self._read("eth_getTransactionCount", [address, at], integer)

    async def call(
        self,
        to: Address,
        data: bytes,
        *,
        sender: Address | None = None,
        block: int | str = "latest",
    ) -> bytes:
        """What a call would return. Raises ContractReverted with the contract's own error."""
        tag = hex(block) if isinstance(block, int) else block
        return await self._read("eth_call", [_call_fields(to, data, sender), tag], _bytes)

    async def estimate_gas(self, to: Address, data: bytes, *, sender: Address) -> int:
        """Gas that a transaction would take now. Raises ContractReverted if it would revert."""
        return await self._read("eth_estimateGas", [_call_fields(to, data, sender)], integer)

    async def logs(
        self,
        *,
        addresses: Sequence[Address],
        topics: Sequence[bytes | Sequence[bytes] | None],
        from_block: int,
        to_block: int | str = "latest",
    ) -> list[Log]:
        """Events of the addresses whose topics match (None matches any), oldest first."""
        return await self._read(
            "eth_getLogs",
            [
                {
                    "address": list(addresses),
                    "topics": [_topic(topic) for topic in topics],
                    "fromBlock": hex(from_block),
                    "toBlock": hex(to_block) if isinstance(to_block, int) else to_block,
                }
            ],
            _logs,
        )

    async def past_logs(
        self,
        *,
        addresses: Sequence[Address],
        topics: Sequence[bytes | Sequence[bytes] | None],
        from_block: int,
        to_block: int,
        is_newest_first: bool = False,
    ) -> AsyncIterator[Log]:
        """The same of any number of blocks, both included, WINDOW_BLOCKS at a time: oldest first
        unless it is told otherwise.
        """
        step = -1 if is_newest_first else 1
        for first in range(from_block, to_block + 1, WINDOW_BLOCKS)[::step]:
            last = min(first + WINDOW_BLOCKS - 1, to_block)
            found = await self.logs(
                addresses=addresses, topics=topics, from_block=first, to_block=last
            )
            for log in found[::step]:
                yield log

    async def fees(self) -> Fees:
        """What to offer now: the node's tip, and room for the base fee to double."""
        newest = await self.block()
        tip = await self._read("eth_maxPriorityFeePerGas", [], integer)
        return Fees(2 * newest.base_fee + tip, tip)

    # -- writing ----------------------------------------------------------------------------------

    async def send_raw(self, raw: bytes) -> bytes:
        """Hand in a signed transaction; returns its hash. Repeating it is harmless.

        Raises NodeRefused, with the node's own words, if it is not accepted (a nonce that is used,
        too little to pay for gas): whether it was mined before is for `receipt` to say.
        """
        try:
            return await self._read("eth_sendRawTransaction", [to_hex(raw)], _bytes)
        except NodeRefused as refusal:
            if any(words in refusal.reason.lower() for words in _ALREADY_KNOWN):
                return keccak256(raw)
            raise

    async def receipt(self, tx_hash: bytes) -> Receipt | None:
        """The receipt of a mined transaction; None while it is not mined."""
        return await self._read("eth_getTransactionReceipt", [to_hex(tx_hash)], _receipt)

    async def calldata(self, tx_hash: bytes, to: Address) -> bytes | None:
        """What a transaction called `to` with; None if it called somebody else, who may take bytes
        that look the same for something else, or if the node does not hold it.
        """
        return await self._read(
            "eth_getTransactionByHash", [to_hex(tx_hash)], lambda answer: _calldata(answer, to)
        )

    async def is_known(self, tx_hash: bytes) -> bool:
        """Whether the node holds the transaction, mined or waiting."""
        return await self.request("eth_getTransactionByHash", [to_hex(tx_hash)]) is not None

    # -- the nodes --------------------------------------------------------------------------------

    async def request(self, method: str, parameters: Sequence[object]) -> Any:
        """One JSON-RPC request, to the first node that works.

        Repeating it with another node is safe: it reads, or hands in what was signed. Raises the
        errors of this module's callers; ContractReverted and NodeRefused are answers.
        """
        return await self._read(method, parameters, lambda result: result)

    async def _read(
        self, method: str, parameters: Sequence[object], read: Callable[[Any], Result]
    ) -> Result:
        """What `read` makes of the result of a request."""
        failures: list[RackstreamError] = []
        for node in self._usable():
            try:
                answer = await node.request(method, parameters, read)
            except _FAILURES as failure:
                node.failure = failure
                failures.append(failure)
                self._tell()
            else:
                node.failure = None
                return answer
        raise _most_hopeful(failures)

    async def check(self) -> None:
        """Look at every node; those that are away, of another chain or behind are left out.

        Raises ChainUnavailable, ChainTimeout, WrongChain or NodeRefused if none can be used.
        """
        numbers = await asyncio.gather(*(_newest_block(node) for node in self.nodes))
        best = max(numbers)
        for node, number in zip(self.nodes, numbers, strict=True):
            if number >= 0:
                behind = best - number
                node.failure = (
                    ChainBehind(node.host, behind, MAX_BLOCKS_BEHIND)
                    if behind > MAX_BLOCKS_BEHIND
                    else None
                )
        self._tell()
        if best < 0:
            raise _most_hopeful([node.failure for node in self.nodes if node.failure is not None])

    @property
    def node(self) -> Node:
        """The one that is asked now."""
        return self._usable()[0]

    def _usable(self) -> list[Node]:
        """In the order in which they are asked: as listed, those that failed last time last."""
        known = [node for node in self.nodes if not isinstance(node.failure, ChainBehind)]
        return sorted(known, key=lambda node: node.failure is not None) or list(self.nodes)

    def _tell(self) -> None:
        before, self._told = self._told, self.node
        if before is not self._told and self._on_switch is not None:
            self._on_switch(before, self._told)


async def _newest_block(node: Node) -> int:
    """The number of its newest block; -1 if there is none to be had, with the node's failure."""
    try:
        return await node.newest_block()
    except (*_FAILURES, NodeRefused) as failure:
        node.failure = failure
        return -1


def _most_hopeful(failures: Sequence[RackstreamError]) -> RackstreamError:
    """What to tell of several: that one node is wrong matters less than that one may be back."""
    return next((one for one in failures if isinstance(one, Unavailable)), failures[0])


def _call_fields(to: Address, data: bytes, sender: Address | None) -> dict[str, str]:
    fields = {"to": str(to), "data": to_hex(data)}
    if sender is not None:
        fields["from"] = sender
    return fields


def _bytes(data: str) -> bytes:
    return bytes.fromhex(data.removeprefix("0x"))


def _address(text: str) -> Address:
    return parse_address(text, "address")


def _block(answer: Any) -> Block | None:
    if answer is None:
        return None
    return Block(
        integer(answer["number"]),
        integer(answer["timestamp"]),
        _bytes(answer["hash"]),
        _bytes(answer["parentHash"]),
        integer(answer.get("baseFeePerGas", "0x0")),
    )


def _receipt(answer: Any) -> Receipt | None:
    if answer is None:
        return None
    created = answer.get("contractAddress")
    return Receipt(
        _bytes(answer["transactionHash"]),
        integer(answer["blockNumber"]),
        _bytes(answer["blockHash"]),
        integer(answer["status"]) == 1,
        integer(answer["gasUsed"]),
        integer(answer["effectiveGasPrice"]),
        _address(created) if created else None,
        tuple(_log(entry) for entry in answer["logs"]),
    )


def _calldata(answer: Any, to: Address) -> bytes | None:
    # One that creates a contract has no target.
    if answer is None or (answer.get("to") or "").lower() != to.lower():
        return None
    return _bytes(answer["input"])


def _topic(topic: bytes | Sequence[bytes] | None) -> str | list[str] | None:
    if topic is None:
        return None
    if isinstance(topic, bytes):
        return to_hex(topic)
    return [to_hex(choice) for choice in topic]


def _logs(answer: Any) -> list[Log]:
    return [_log(entry) for entry in answer]


def _log(entry: dict[str, Any]) -> Log:
    return Log(
        _address(entry["address"]),
        tuple(_bytes(topic) for topic in entry["topics"]),
        _bytes(entry["data"]),
        integer(entry["blockNumber"]),
        _bytes(entry["blockHash"]),
        _bytes(entry["transactionHash"]),
        integer(entry["logIndex"]),
        bool(entry.get("removed", False)),
    )
