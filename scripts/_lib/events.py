"""Past events of a contract, read in windows that public nodes accept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ape import chain

from api.chain.abi import Event, contract_abi
from api.chain.client import WINDOW_BLOCKS
from api.domain.codec import to_hex


@dataclass(frozen=True)
class PastEvent:
    """An event, its fields by name, and the block, the log in it and the transaction that it came
    with.
    """

    name: str
    fields: dict[str, Any]
    block: int
    index: int
    tx_hash: str

    @property
    def spot(self) -> tuple[int, int]:
        """Where it stands among all events."""
        return self.block, self.index


def newest_first(
    contract: str,
    address: str,
    names: Sequence[str],
    *,
    from_block: int,
    first_indexed: int | str | None = None,
    second_indexed: int | str | None = None,
) -> Iterator[PastEvent]:
    """Events of a contract from the newest back to `from_block`, read as far as the caller goes.

    `first_indexed` and `second_indexed` narrow these fields, given as integers or addresses.
    """
    abi = contract_abi(contract)
    by_topic = {to_hex(abi.events[name].topic): abi.events[name] for name in names}
    topics: list[object] = [list(by_topic)]
    topics += [_topic(first_indexed), _topic(second_indexed)]
    while topics[-1] is None:
        # Nodes pass over events with fewer topics than are asked for, be it for any.
        topics.pop()
    last = int(chain.blocks.height)
    while last >= from_block:
        first = max(from_block, last - WINDOW_BLOCKS + 1)
        found = chain.provider.make_request(
            "eth_getLogs",
            [{"address": address, "topics": topics, "fromBlock": hex(first), "toBlock": hex(last)}],
        )
        for log in reversed(found):
            yield _event(by_topic[log["topics"][0]], log)
        last = first - 1


def _topic(value: int | str | None) -> str | None:
    if value is None:
        return None
    return f"0x{int(value, 16) if isinstance(value, str) else value:064x}"


def in_transaction(contract: str, address: str, tx_hash: str) -> list[PastEvent]:
    """The events of a contract in a mined transaction, in their order."""
    abi = contract_abi(contract)
    by_topic = {to_hex(event.topic): event for event in abi.events.values()}
    mined = chain.provider.make_request("eth_getTransactionReceipt", [tx_hash])
    return [
        _event(by_topic[log["topics"][0]], log)
        for log in mined["logs"]
        if log["address"].lower() == address.lower() and log["topics"][0] in by_topic
    ]


def _event(kind: Event, log: Mapping[str, Any]) -> PastEvent:
    fields = kind.decode([_bytes(topic) for topic in log["topics"]], _bytes(log["data"]))
    return PastEvent(
        kind.name, fields, int(log["blockNumber"], 16), int(log["logIndex"], 16),
        log["transactionHash"],
    )  # fmt: skip


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))
