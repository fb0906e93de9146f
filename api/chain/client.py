"""One Ethereum node over JSON-RPC: time limits, retries where they are safe, typed errors.

Asynchronous, for the services. A request that did not reach the node is tried again after a short
pause (`ATTEMPTS` times in all, so a caller learns within about a second that the node is away and
can wait in its own way); a request that was answered, or that may have been, never is. After any
failed connection the chain id is checked again before the next request, because what comes back on
the same URL may be another chain.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import aiohttp
from web3 import AsyncHTTPProvider
from web3.types import RPCEndpoint

from api.chain.abi import decode_revert
from api.chain.views import Block, Fees, Log, Receipt
from api.domain.codec import parse_address, to_hex
from api.domain.hashing import keccak256
from api.errors import ChainTimeout, ChainUnavailable, NodeRefused, WrongChain
from api.types import Address

ATTEMPTS = 3
PAUSE_SECONDS = 0.2
DEFAULT_TIMEOUT_SECONDS = 10.0

# What anvil, geth, erigon and nethermind answer to a transaction that they hold already.
_ALREADY_KNOWN = ("already known", "already imported", "alreadyknown", "known transaction")


class ChainClient:
    """A node at one URL, known to be of one chain."""

    def __init__(
        self, url: str, *, chain_id: int, timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS
    ) -> None:
        self.url = url
        self.chain_id = chain_id
        self._timeout_seconds = timeout_seconds
        self._provider = AsyncHTTPProvider(
            url,
            request_kwargs={"timeout": aiohttp.ClientTimeout(total=timeout_seconds)},
            exception_retry_configuration=None,
        )
        self._is_chain_checked = False

    async def connect(self) -> None:
        """Check that the node answers and is of the expected chain.

        Raises ChainUnavailable, ChainTimeout or WrongChain.
        """
        self._is_chain_checked = False
        await self._check_chain()

    async def close(self) -> None:
        """Close the connection. The client may not be used afterwards."""
        await self._provider.disconnect()

    # -- reading ----------------------------------------------------------------------------------

    async def block(self, which: int | str = "latest") -> Block:
        """A block by number or by name (`latest`, `safe`, `finalized`, `earliest`).

        Raises NodeRefused if the chain has no such block.
        """
        tag = hex(which) if isinstance(which, int) else which
        answer = await self.request("eth_getBlockByNumber", [tag, False])
        if answer is None:
            raise NodeRefused("eth_getBlockByNumber", -32001, f"no block {which}")
        return Block(
            _integer(answer["number"]),
            _integer(answer["timestamp"]),
            _bytes(answer["hash"]),
            _bytes(answer["parentHash"]),
            _integer(answer.get("baseFeePerGas", "0x0")),
        )

    async def code_at(self, address: Address) -> bytes:
        """The code at an address; empty if it is no contract."""
        return _bytes(await self.request("eth_getCode", [address, "latest"]))

    async def balance_of(self, address: Address) -> int:
        """What an account holds of the chain's own coin, in wei."""
        return _integer(await self.request("eth_getBalance", [address, "latest"]))

    async def nonce_of(self, address: Address, at: str = "latest") -> int:
        """Transactions of an account: mined ones (`latest`), or with waiting ones (`pending`)."""
        return _integer(await self.request("eth_getTransactionCount", [address, at]))

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
        return _bytes(await self.request("eth_call", [_call_fields(to, data, sender), tag]))

    async def estimate_gas(self, to: Address, data: bytes, *, sender: Address) -> int:
        """Gas that a transaction would take now. Raises ContractReverted if it would revert."""
        return _integer(await self.request("eth_estimateGas", [_call_fields(to, data, sender)]))

    async def logs(
        self,
        *,
        addresses: Sequence[Address],
        topics: Sequence[bytes | Sequence[bytes] | None],
        from_block: int,
        to_block: int | str = "latest",
    ) -> list[Log]:
        """Events of the addresses whose topics match (None matches any), oldest first."""
        answer = await self.request(
            "eth_getLogs",
            [
                {
                    "address": list(addresses),
                    "topics": [_topic(topic) for topic in topics],
                    "fromBlock": hex(from_block),
                    "toBlock": hex(to_block) if isinstance(to_block, int) else to_block,
                }
            ],
        )
        return [_log(entry) for entry in answer]

    async def fees(self) -> Fees:
        """What to offer now: the node's tip, and room for the base fee to double."""
        newest = await self.block()
        tip = _integer(await self.request("eth_maxPriorityFeePerGas", []))
        return Fees(2 * newest.base_fee + tip, tip)

    # -- writing ----------------------------------------------------------------------------------

    async def send_raw(self, raw: bytes) -> bytes:
        """Hand in a signed transaction; returns its hash. Repeating it is harmless.

        Raises NodeRefused, with the node's own words, if it is not accepted (a nonce that is used,
        too little to pay for gas): whether it was mined before is for `receipt` to say.
        """
        try:
            return _bytes(await self.request("eth_sendRawTransaction", [to_hex(raw)]))
        except NodeRefused as refusal:
            if any(words in refusal.reason.lower() for words in _ALREADY_KNOWN):
                return keccak256(raw)
            raise

    async def receipt(self, tx_hash: bytes) -> Receipt | None:
        """The receipt of a mined transaction; None while it is not mined."""
        answer = await self.request("eth_getTransactionReceipt", [to_hex(tx_hash)])
        if answer is None:
            return None
        created = answer.get("contractAddress")
        return Receipt(
            tx_hash,
            _integer(answer["blockNumber"]),
            _bytes(answer["blockHash"]),
            _integer(answer["status"]) == 1,
            _integer(answer["gasUsed"]),
            _address(created) if created else None,
            tuple(_log(entry) for entry in answer["logs"]),
        )

    async def calldata(self, tx_hash: bytes) -> bytes | None:
        """What a transaction called its target with; None if the node does not hold it."""
        answer = await self.request("eth_getTransactionByHash", ["0x" + tx_hash.hex()])
        return None if answer is None else _bytes(answer["input"])

    async def is_known(self, tx_hash: bytes) -> bool:
        """Whether the node holds the transaction, mined or waiting."""
        return await self.request("eth_getTransactionByHash", [to_hex(tx_hash)]) is not None

    # -- the wire ---------------------------------------------------------------------------------

    async def request(self, method: str, parameters: Sequence[object]) -> Any:
        """One JSON-RPC request. Raises the errors of this module's callers; see `_answer`."""
        if not self._is_chain_checked:
            await self._check_chain()
        return _answer(method, await self._send(method, parameters))

    async def _check_chain(self) -> None:
        actual = _integer(_answer("eth_chainId", await self._send("eth_chainId", [])))
        if actual != self.chain_id:
            raise WrongChain(actual, self.chain_id)
        self._is_chain_checked = True

    async def _send(self, method: str, parameters: Sequence[object]) -> dict[str, Any]:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                response = await self._provider.make_request(RPCEndpoint(method), list(parameters))
                return dict(response)
            except TimeoutError as error:
                # The node may have acted on it: only the caller knows whether once more is safe.
                self._is_chain_checked = False
                raise ChainTimeout(method, self._timeout_seconds) from error
            except (aiohttp.ClientConnectionError, OSError) as error:
                self._is_chain_checked = False
                if attempt == ATTEMPTS:
                    raise ChainUnavailable(self.url, str(error)) from error
                await asyncio.sleep(PAUSE_SECONDS * attempt)
            except (aiohttp.ClientError, ValueError) as error:
                # Something answered, but not a node: a proxy's error page, a limit on requests.
                raise ChainUnavailable(self.url, str(error)) from error
        raise AssertionError("the last attempt returns or raises")


def _answer(method: str, response: dict[str, Any]) -> Any:
    """The result of a response, or the error that it carries.

    Raises ContractReverted if a contract said no, NodeRefused for any other objection of the node.
    """
    error = response.get("error")
    if error is None:
        return response["result"]
    code, message = int(error.get("code", 0)), str(error.get("message", ""))
    data = error.get("data")
    if isinstance(data, dict):
        # Some nodes wrap the bytes once more.
        data = data.get("data")
    if isinstance(data, str) and (data.startswith(("0x", "Reverted 0x"))):
        raise decode_revert(bytes.fromhex(data.removeprefix("Reverted ").removeprefix("0x")))
    # JSON-RPC's code 3 is Ethereum's "execution reverted"; without data there is no reason to read.
    if code == 3 or "execution reverted" in message:
        raise decode_revert(b"")
    raise NodeRefused(method, code, message)


def _call_fields(to: Address, data: bytes, sender: Address | None) -> dict[str, str]:
    fields = {"to": str(to), "data": to_hex(data)}
    if sender is not None:
        fields["from"] = sender
    return fields


def _integer(quantity: str) -> int:
    return int(quantity, 16)


def _bytes(data: str) -> bytes:
    return bytes.fromhex(data.removeprefix("0x"))


def _address(text: str) -> Address:
    return parse_address(text, "address")


def _topic(topic: bytes | Sequence[bytes] | None) -> str | list[str] | None:
    if topic is None:
        return None
    if isinstance(topic, bytes):
        return to_hex(topic)
    return [to_hex(choice) for choice in topic]


def _log(entry: dict[str, Any]) -> Log:
    return Log(
        _address(entry["address"]),
        tuple(_bytes(topic) for topic in entry["topics"]),
        _bytes(entry["data"]),
        _integer(entry["blockNumber"]),
        _bytes(entry["blockHash"]),
        _bytes(entry["transactionHash"]),
        _integer(entry["logIndex"]),
        bool(entry.get("removed", False)),
    )
