"""A chain driven in bulk: thousands of transactions, each in a block at a second of its own.

Plain JSON-RPC over one connection to a copy of ape's chain that keeps no traces and no history: ten
times as fast. A model that is run beside it knows the time of everything without asking.
"""

from __future__ import annotations

import json
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

from ape import chain
from ape.contracts import ContractInstance
from eth_abi.abi import decode, encode
from eth_utils.crypto import keccak
from ethpm_types import ContractType

GAS_LIMIT = 6_000_000
SECONDS_TO_ANSWER = 60
SECONDS_TO_START = 20


class TransactionFailed(AssertionError):
    """The chain refused what the model takes for possible."""


@dataclass(frozen=True)
class Function:
    """One function of an ABI, ready to be encoded."""

    name: str
    selector: bytes
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    fields: tuple[str, ...]
    """Names of the outputs: of the members where the only output is a struct."""


_FUNCTIONS: dict[str, dict[str, Function]] = {}
"""By name of the contract: addresses are used again where a test's chain is put back."""


def _functions(contract_type: ContractType) -> dict[str, Function]:
    name = contract_type.name
    assert name is not None
    if name not in _FUNCTIONS:
        methods = (*contract_type.mutable_methods, *contract_type.view_methods)
        _FUNCTIONS[name] = {abi.name: _function(abi.model_dump()) for abi in methods}
    return _FUNCTIONS[name]


def _function(abi: dict[str, Any]) -> Function:
    inputs = tuple(_type(each) for each in abi["inputs"])
    outputs = abi["outputs"]
    is_struct = len(outputs) == 1 and outputs[0]["type"] == "tuple"
    signature = f"{abi['name']}({','.join(inputs)})"
    return Function(
        abi["name"],
        keccak(text=signature)[:4],
        inputs,
        tuple(_type(each) for each in outputs),
        tuple(each["name"] for each in (outputs[0]["components"] if is_struct else outputs)),
    )


def _type(abi: dict[str, Any]) -> str:
    """The canonical type, structs as tuples."""
    if not abi["type"].startswith("tuple"):
        return str(abi["type"])
    members = ",".join(_type(each) for each in abi["components"])
    return f"({members}){abi['type'][5:]}"


@dataclass(frozen=True)
class Call:
    """A function of a contract with its arguments."""

    contract: ContractInstance
    name: str
    arguments: tuple[Any, ...] = ()

    @property
    def function(self) -> Function:
        return _functions(self.contract.contract_type)[self.name]

    @property
    def data(self) -> str:
        function = self.function
        return "0x" + (function.selector + encode(function.inputs, self.arguments)).hex()

    def decode(self, output: str) -> Any:
        """The only value, or a dictionary by name of several or of a struct's members."""
        function = self.function
        values = decode(function.outputs, bytes.fromhex(output[2:]))
        if len(values) == 1 and not function.outputs[0].endswith(")"):
            return values[0]
        return dict(zip(function.fields, values[0] if len(values) == 1 else values, strict=True))


@contextmanager
def node_of_ape() -> Iterator[Node]:
    """The Anvil that ape is connected to, without ape's waiting: for preparations in bulk."""
    place = urlsplit(chain.provider.http_uri)
    assert place.hostname is not None
    assert place.port is not None
    with closing(Node(place.hostname, place.port)) as node:
        yield node


@contextmanager
def copy_of_chain() -> Iterator[Node]:
    """An Anvil of its own that starts from the state of ape's, with the same accounts."""
    with node_of_ape() as original:
        host, at, state = original.host, original.now, original.request("anvil_dumpState")
    with socket.socket() as probe:
        probe.bind((host, 0))
        port = probe.getsockname()[1]
    config = chain.provider.config_manager.get_config("test")
    command = ["anvil", "--silent", "--port", str(port), "--hardfork", "cancun"]
    command += ["--mnemonic", str(config.mnemonic), "--accounts", str(config.number_of_accounts)]
    command += ["--prune-history", "4", "--transaction-block-keeper", "4"]
    command += ["--no-request-size-limit", "--timestamp", str(at)]
    process = subprocess.Popen(command)
    try:
        with closing(_answering(host, port)) as node:
            assert node.request("anvil_loadState", state)
            node.now = node.newest()
            yield node
    finally:
        process.terminate()
        process.wait()


def _answering(host: str, port: int) -> Node:
    give_up = time.monotonic() + SECONDS_TO_START
    while True:
        try:
            return Node(host, port)
        except OSError:
            if time.monotonic() > give_up:
                raise
            time.sleep(0.05)


@dataclass
class Node:
    """An Anvil."""

    host: str
    port: int
    now: int = field(init=False)
    """Second of the newest block."""
    _interval: int | None = field(init=False, default=None)
    _connection: HTTPConnection = field(init=False)

    def __post_init__(self) -> None:
        self._connection = HTTPConnection(self.host, self.port, timeout=SECONDS_TO_ANSWER)
        try:
            self.now = self.newest()
        except OSError:
            self.close()
            raise

    def close(self) -> None:
        self._connection.close()

    def newest(self) -> int:
        """Second of the newest block, as the node says."""
        return int(self.request("eth_getBlockByNumber", "latest", False)["timestamp"], 16)

    def request(self, method: str, *params: Any) -> Any:
        """The result. Raises TransactionFailed with the node's words."""
        answer = self._answer(method, *params)
        if "error" in answer:
            raise TransactionFailed(f"{method}: {answer['error']}")
        return answer["result"]

    def _answer(self, method: str, *params: Any) -> Any:
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        headers = {"Content-Type": "application/json"}
        self._connection.request("POST", "/", json.dumps(body), headers)
        return json.loads(self._connection.getresponse().read())

    def send(self, at: int | None, sender: str, call: Call) -> bool:
        """The call as a transaction in a block of second `at`: whether it succeeded.

        Without a second, the block has the node's own.
        """
        if at is not None:
            self._set_time(at)
        transaction = {
            "from": sender,
            "to": str(call.contract.address),
            "data": call.data,
            "gas": hex(GAS_LIMIT),
        }
        receipt = self.request("eth_sendTransactionSync", transaction)
        assert at in (None, receipt["blockTimestamp"]), "the block has another second"
        return bool(receipt["status"] == "0x1")

    def refusal(self, sender: str, call: Call) -> bytes | None:
        """What the call would revert with now, as a transaction of `sender`; None if it would not.

        Raises TransactionFailed where the node refuses for a reason of its own.
        """
        question = {"from": sender, "to": str(call.contract.address), "data": call.data}
        answer = self._answer("eth_call", question, "latest")
        if "error" not in answer:
            return None
        data = answer["error"].get("data")
        if data is None:
            raise TransactionFailed(f"{call.name}: {answer['error']}")
        return bytes.fromhex(data[2:])

    def mine(self, at: int) -> None:
        """An empty block at second `at`, unless the newest is of that second."""
        if at != self.now:
            self._set_time(at)
            self.request("evm_mine")

    def ask(self, call: Call) -> Any:
        """The call's answer at the second of the newest block."""
        question = {"to": str(call.contract.address), "data": call.data}
        return call.decode(self.request("eth_call", question, "latest"))

    @contextmanager
    def every(self, seconds: int) -> Iterator[None]:
        """Inside, a block that many seconds after the last needs no word to the node."""
        self.request("anvil_setBlockTimestampInterval", seconds)
        self._interval = seconds
        try:
            yield
        finally:
            self._interval = None
            self.request("anvil_removeBlockTimestampInterval")

    @contextmanager
    def undone(self) -> Iterator[None]:
        """Whatever happens to the chain inside is undone."""
        snapshot, now = self.request("evm_snapshot"), self.now
        try:
            yield
        finally:
            self.request("evm_revert", snapshot)
            self.now = now

    def _set_time(self, at: int) -> None:
        if at - self.now != self._interval:
            self.request("evm_setNextBlockTimestamp", at)
        self.now = at
