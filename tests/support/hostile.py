"""Stablecoins that turn, in mid-life, against those who rely on them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from ape import project
from ape.api import AccountAPI
from ape.contracts import ContractInstance
from eth_abi.abi import encode
from eth_utils.crypto import keccak

from tests.support.node import Call, Node, node_of_ape


class Vice(IntEnum):
    """As in HostileUsd, which says what each is."""

    NONE = 0
    NO_RETURN_VALUE = 1
    FEE = 2
    FEE_OF_ALL = 3
    SURCHARGE = 4
    RETURNS_FALSE = 5
    RETURNS_TWO = 6
    MOVES_NOTHING = 7
    REFUSES_APPROVAL = 8
    REFUSES_ZERO_APPROVAL = 9
    PAUSED = 10
    HIDES_BALANCES = 11
    OTHER_DECIMALS = 12

    def __str__(self) -> str:
        return self.name.lower().replace("_", " ")


class Moment(IntEnum):
    """When calls back are made, as in HostileUsd."""

    BEFORE_TRANSFER = 0
    AFTER_TRANSFER = 1
    APPROVAL = 2

    def __str__(self) -> str:
        return self.name.lower().replace("_", " ")


def _plain(value: Any) -> Any:
    """An account or a contract as its address."""
    return str(value.address) if hasattr(value, "address") else value


def error(signature: str, *values: Any) -> bytes:
    """What a revert with that error returns: `Thing_Reason(address,uint256)` and its figures."""
    types = [each for each in signature.partition("(")[2][:-1].split(",") if each]
    return keccak(text=signature)[:4] + encode(types, [_plain(value) for value in values])


def less_fee(amount_usd6: int) -> int:
    """What arrives of a transfer under the vice FEE."""
    return amount_usd6 - amount_usd6 // 100


REENTRANT = error("ReentrancyGuardReentrantCall()")


@dataclass(frozen=True)
class Hostile:
    """A HostileUsd, and everything that is done by it and seen of it, in bulk."""

    usd: ContractInstance
    node: Node
    anybody: AccountAPI

    def see(self, contract: ContractInstance, name: str, *arguments: Any) -> Any:
        """What a view answers: a dictionary by name of several values or of a struct's members."""
        return self.node.ask(Call(contract, name, tuple(map(_plain, arguments))))

    def refusal(
        self, sender: AccountAPI, contract: ContractInstance, name: str, *arguments: Any
    ) -> bytes | None:
        """The data with which the call would be refused now; None if it would not be."""
        call = Call(contract, name, tuple(map(_plain, arguments)))
        return self.node.refusal(str(sender.address), call)

    def do(
        self, sender: AccountAPI, contract: ContractInstance, name: str, *arguments: Any
    ) -> None:
        """Do it; a refusal is an AssertionError with its data."""
        call = Call(contract, name, tuple(map(_plain, arguments)))
        if not self.node.send(None, str(sender.address), call):
            raise AssertionError(f"{name}: {self.node.refusal(str(sender.address), call)!r}")

    def wait(self, seconds: int) -> None:
        """A block that much later."""
        self.node.now = self.node.newest()  # Ape mines too, and puts the chain back.
        self.node.mine(self.node.now + seconds)

    def turn(self, vice: Vice) -> None:
        self.do(self.anybody, self.usd, "setVice", int(vice))

    def blacklist(self, account: Any) -> None:
        """List that account alone; None lists nobody."""
        self.do(self.anybody, self.usd, "blacklist", account or "0x" + "00" * 20)

    def rebase(self, account: Any, balance: int) -> None:
        self.do(self.anybody, self.usd, "rebase", account, balance)

    def balance(self, account: Any) -> int:
        return int(self.see(self.usd, "balanceOf", account))

    def call_back(self, moment: Moment, *calls: tuple[Any, ...]) -> None:
        """Make the stablecoin do the calls, (contract, name, arguments…), when next it can."""
        self.do(self.anybody, self.usd, "setMoment", int(moment))
        for contract, name, *arguments in calls:
            data = bytes.fromhex(Call(contract, name, tuple(map(_plain, arguments))).data[2:])
            self.do(self.anybody, self.usd, "callBack", contract, data)

    def answers(self) -> list[bytes | None]:
        """What each of those calls was refused with; None where it was not."""
        answers = self.node.ask(Call(self.usd, "answers"))
        return [None if succeeded else data for succeeded, data in answers]


@contextmanager
def deploy_hostile(deployer: AccountAPI) -> Iterator[Hostile]:
    """A HostileUsd of 6 decimals, without a vice."""
    usd: ContractInstance = deployer.deploy(project.HostileUsd, 6)
    with node_of_ape() as node:
        yield Hostile(usd, node, deployer)
