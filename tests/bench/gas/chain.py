"""One Anvil, driven by plain JSON-RPC: any account sends, every transaction has its second."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from eth_abi.abi import decode, encode
from eth_abi.grammar import TupleType, parse
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from tests.bench.gas.opcodes import Spent, spent
from tests.support.node import Node, TransactionFailed

GAS_LIMIT = 30_000_000
"""Of a transaction, and of a block."""


@dataclass(frozen=True)
class Sent:
    """A transaction that succeeded, and on what its gas was spent if that was asked for."""

    gas: int
    hash: str
    spent: Spent | None = None


def total(sent: list[Sent]) -> int:
    """Gas of transactions together."""
    return sum(transaction.gas for transaction in sent)


def account(sent: list[Sent]) -> Spent:
    """On what the gas of transactions that were looked into went, together."""
    together = Spent()
    for transaction in sent:
        assert transaction.spent is not None
        together += transaction.spent
    return together


def calldata(signature: str, *arguments: Any) -> bytes:
    """A call of `name(types)` with its arguments."""
    return keccak(text=signature)[:4] + packed(signature[signature.index("(") :], *arguments)


def packed(types: str, *arguments: Any) -> bytes:
    """`arguments` as the ABI encodes a list of `(types)`."""
    return encode(_members(types), arguments) if types != "()" else b""


def _members(types: str) -> list[str]:
    tree = parse(types)
    assert isinstance(tree, TupleType)
    return [member.to_type_str() for member in tree.components]


def wallet(name: str) -> str:
    """An address of its own for each name; nobody has its key, and Anvil needs none."""
    return to_checksum_address(keccak(text=name)[12:])


@dataclass
class Chain:
    """An Anvil on which any account may send. `now` is the second of its newest block."""

    node: Node
    now: int = field(init=False)
    looks_into: bool = field(init=False, default=False)
    """Whether transactions are traced, too."""

    def __post_init__(self) -> None:
        self.node.request("anvil_autoImpersonateAccount", True)
        self.catch_up()

    def account(self, name: str) -> str:
        """An address of its own for each name, which can pay for gas. Nobody has its key."""
        address = wallet(name)
        self.node.request("anvil_setBalance", address, hex(10**24))
        return address

    def send(self, sender: str, to: str, signature: str, *arguments: Any) -> Sent:
        """Call a function of `to` in a block a second after the last; TransactionFailed if refused.

        The signature is as in `transfer(address,uint256)`.
        """
        return self.send_data(sender, to, calldata(signature, *arguments))

    def send_data(self, sender: str, to: str, data: bytes) -> Sent:
        """The same with calldata as it is."""
        transaction = {"from": sender, "to": to, "data": "0x" + data.hex(), "gas": hex(GAS_LIMIT)}
        traced = self._trace(transaction) if self.looks_into else None
        receipt = self._mine(transaction)
        gas = int(receipt["gasUsed"], 16)
        return Sent(
            gas, receipt["transactionHash"], spent(traced, GAS_LIMIT, gas) if traced else None
        )

    def deploy(self, sender: str, code: str, types: str = "()", *arguments: Any) -> str:
        """Address of a new contract of this creation code with its constructor's arguments."""
        data = code.removeprefix("0x") + packed(types, *arguments).hex()
        receipt = self._mine({"from": sender, "data": "0x" + data, "gas": hex(GAS_LIMIT)})
        return to_checksum_address(receipt["contractAddress"])

    def ask(self, to: str, signature: str, returns: str, *arguments: Any) -> Any:
        """The only value that a view returns."""
        question = {"to": to, "data": "0x" + calldata(signature, *arguments).hex()}
        answer = self.node.request("eth_call", question, "latest")
        return decode([returns], bytes.fromhex(answer[2:]))[0]

    def catch_up(self) -> None:
        """Look at the clock again, after blocks that were not mined here."""
        self.now = self.node.newest()

    def wait_until(self, second: int) -> None:
        """The next transaction's block is of this second. Raises ValueError if it has passed."""
        if second <= self.now:
            raise ValueError(f"second {second} has passed: it is {self.now}")
        self.now = second - 1

    def _trace(self, transaction: dict[str, Any]) -> list[dict[str, Any]]:
        """The steps that the transaction will take in the next block."""
        options = {
            "disableStack": True,
            "disableStorage": True,
            "blockOverrides": {"time": hex(self.now + 1), "number": hex(self._height() + 1)},
        }
        answer = self.node.request("debug_traceCall", transaction, "latest", options)
        steps: list[dict[str, Any]] = answer["structLogs"]
        return steps

    def _height(self) -> int:
        return int(self.node.request("eth_blockNumber"), 16)

    def _mine(self, transaction: dict[str, Any]) -> dict[str, Any]:
        self.now += 1
        self.node.request("evm_setNextBlockTimestamp", self.now)
        receipt: dict[str, Any] = self.node.request("eth_sendTransactionSync", transaction)
        if receipt["status"] != "0x1":
            raise TransactionFailed(f"{transaction['from']} to {transaction.get('to')}: {receipt}")
        return receipt
