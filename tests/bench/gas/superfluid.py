"""Superfluid pools: shares are a pool's units, income is a wrapped stablecoin."""

from __future__ import annotations

from typing import Any, ClassVar

from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from tests.bench.gas.chain import Sent, calldata, packed
from tests.bench.gas.cluster import SHARES_EACH, Cluster, Ground, System
from tests.bench.gas.superfluid_framework import (
    GDA,
    HOST,
    SUPER_TOKEN_FACTORY,
    Framework,
    built,
)

SEMI_UPGRADABLE = 1
UPGRADE, CALL_AGREEMENT = 101, 201
TO_SUPER = 10**12
"""A super token has 18 decimals, the stablecoin 6."""
OPERATIONS_AT_ONCE = 50
"""More would not fit into the largest transaction that Ethereum takes, of 2²⁴ gas."""
DAY = 86_400
NOBODY = "0x" + "00" * 20

Operation = tuple[int, str, bytes]


class PoolCluster(Cluster):
    """Income jumps to the pool's members with each funding."""

    SHARE = 1
    """Finer units would round a stream's rate to nothing."""
    LIGHT_ISSUE = False

    def __init__(self, ground: Ground, pool: str, system: Superfluid) -> None:
        super().__init__(ground, pool)
        self._system = system

    def issue(self, holders: list[str]) -> list[Sent]:
        """Units. Then the members are connected, which is not counted: ours needs no such thing."""
        system, issuer = self._system, self.ground.issuer
        units, connections = [], []
        for holder in holders:
            signature = "updateMemberUnits(address,address,uint128,bytes)"
            update = calldata(signature, self.share, holder, SHARES_EACH, b"")
            connect = calldata("tryConnectPoolFor(address,address,bytes)", self.share, holder, b"")
            units.append(system.agreement(update))
            connections.append(system.agreement(connect))
        sent = [system.batch(issuer, part) for part in _parts(units)]
        for part in _parts(connections):
            system.batch(issuer, part)
        return sent

    def fund(self, amount_usd6: int) -> list[Sent]:
        system, funder = self._system, self.ground.funder
        amount = amount_usd6 * TO_SUPER
        distribute = calldata(
            "distribute(address,address,address,uint256,bytes)",
            *(system.super_token, funder, self.share, amount, b""),
        )
        return [system.batch(funder, [system.wrapping(amount), system.agreement(distribute)])]

    def claim(self, holder: str) -> list[Sent]:
        """Unwrap what has arrived: a connected member has it already, as super tokens."""
        chain, token = self.ground.chain, self._system.super_token
        amount: int = chain.ask(token, "balanceOf(address)", "uint256", holder)
        whole = amount // TO_SUPER * TO_SUPER
        return [chain.send(holder, token, "downgrade(uint256)", whole)]


class StreamCluster(PoolCluster):
    """Income streams: each funding sets the rate at which all that came in a day would last one."""

    def __init__(self, ground: Ground, pool: str, system: Superfluid) -> None:
        super().__init__(ground, pool, system)
        self._incomes: list[int] = []

    def fund(self, amount_usd6: int) -> list[Sent]:
        system, funder = self._system, self.ground.funder
        amount = amount_usd6 * TO_SUPER
        self._incomes = [*self._incomes[-23:], amount]
        rate = sum(self._incomes) // DAY
        stream = calldata(
            "distributeFlow(address,address,address,int96,bytes)",
            *(system.super_token, funder, self.share, rate, b""),
        )
        return [system.batch(funder, [system.wrapping(amount), system.agreement(stream)])]


class Superfluid(System):
    name = "superfluid"
    title = "Superfluid pool, instant"
    use = (
        "no rules, no votes; units are the shares, every member connected; a funding wraps the "
        "stablecoin and distributes it at once in one transaction, a claim unwraps it"
    )
    CLUSTER: ClassVar[type[PoolCluster]] = PoolCluster

    def __init__(self, ground: Ground, framework: Framework) -> None:
        self.built = f"{built()}, as published"
        self._ground = ground
        self._host, self._gda = framework.members[HOST], framework.members[GDA]
        factory = framework.members[SUPER_TOKEN_FACTORY]
        chain = ground.chain
        sent = chain.send(
            ground.issuer,
            factory,
            "createERC20Wrapper(address,uint8,uint8,string,string,address)",
            *(ground.usd, 6, SEMI_UPGRADABLE, "Super USDC", "USDCx", NOBODY),
        )
        receipt = chain.node.request("eth_getTransactionReceipt", sent.hash)
        self.super_token = _made(receipt, "SuperTokenCreated(address)", 0)
        ground.approve(self.super_token)
        # A stream asks for a buffer, and stops when its sender has nothing left.
        chain.send(ground.funder, self.super_token, "upgrade(uint256)", 10**6 * 10**18)

    def open(self) -> PoolCluster:
        ground = self._ground
        sent = ground.chain.send(
            ground.issuer,
            self._gda,
            "createPool(address,address,(bool,bool))",
            *(self.super_token, ground.issuer, (True, True)),
        )
        receipt = ground.chain.node.request("eth_getTransactionReceipt", sent.hash)
        pool = _made(receipt, "PoolCreated(address,address,address)", None)
        return self.CLUSTER(ground, pool, self)

    def agreement(self, call: bytes) -> Operation:
        return CALL_AGREEMENT, self._gda, packed("(bytes,bytes)", call, b"")

    def wrapping(self, amount: int) -> Operation:
        return UPGRADE, self.super_token, packed("(uint256)", amount)

    def batch(self, sender: str, operations: list[Operation]) -> Sent:
        signature = "batchCall((uint32,address,bytes)[])"
        return self._ground.chain.send(sender, self._host, signature, operations)


class SuperfluidStream(Superfluid):
    name = "superfluid_stream"
    title = "Superfluid pool, streaming"
    use = (
        "as above, but a funding wraps the stablecoin and sets the pool's rate to a day's income, "
        "so that it runs by the second as ours does"
    )
    CLUSTER = StreamCluster


def _parts(operations: list[Operation]) -> list[list[Operation]]:
    places = range(0, len(operations), OPERATIONS_AT_ONCE)
    return [operations[place : place + OPERATIONS_AT_ONCE] for place in places]


def _made(receipt: dict[str, Any], event: str, topic: int | None) -> str:
    """The address that an event names: in its topic, or as its data."""
    for log in receipt["logs"]:
        if log["topics"][0] == "0x" + keccak(text=event).hex():
            word = log["data"] if topic is None else log["topics"][1 + topic]
            return to_checksum_address("0x" + word[-40:])
    raise LookupError(f"no {event} in {receipt['transactionHash']}")
