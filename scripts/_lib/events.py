"""Past events of a contract, read in windows that public nodes accept."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ape import chain

from api.chain.abi import contract_abi
from api.domain.codec import to_hex

WINDOW_BLOCKS = 10_000


@dataclass(frozen=True)
class PastEvent:
    """An event, its fields by name, and the block and transaction that it came with."""

    name: str
    fields: dict[str, Any]
    block: int
    tx_hash: str


def newest_first(
    contract: str,
    address: str,
    names: Sequence[str],
    *,
    from_block: int,
    first_indexed: int | str | None = None,
) -> Iterator[PastEvent]:
    """Events of a contract from the newest back to `from_block`, read as far as the caller goes.

    `first_indexed` narrows the first indexed field, given as an integer or an address.
    """
    abi = contract_abi(contract)
    by_topic = {to_hex(abi.events[name].topic): abi.events[name] for name in names}
    topics: list[object] = [list(by_topic)]
    if first_indexed is not None:
        word = int(first_indexed, 16) if isinstance(first_indexed, str) else first_indexed
        topics.append(f"0x{word:064x}")
    last = int(chain.blocks.height)
    while last >= from_block:
        first = max(from_block, last - WINDOW_BLOCKS + 1)
        found = chain.provider.make_request(
            "eth_getLogs",
            [{"address": address, "topics": topics, "fromBlock": hex(first), "toBlock": hex(last)}],
        )
        for log in reversed(found):
            event = by_topic[log["topics"][0]]
            fields = event.decode([_bytes(topic) for topic in log["topics"]], _bytes(log["data"]))
            yield PastEvent(event.name, fields, int(log["blockNumber"], 16), log["transactionHash"])
        last = first - 1


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))
