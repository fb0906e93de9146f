"""The faults, each a class with a line in `PASSING`, `HELD`, `CHANGES` or `DISPUTES`: the schedule
draws them.

A passing fault ends soon after the epoch does, before its report is waited for. A held one lasts:
`under` says what has to be seen while it does. There is one held fault an epoch. A
dispute lasts too, and ends after the held one; then ends a change of who reports.
"""

from __future__ import annotations

import asyncio
import json
import random
import shutil
from abc import abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar, Final

from scripts._lib.anvil import Anvil, NodeGone, RpcRefused, rpc
from tests.chaos.changes import EquivocatorSlashed, KeyRotated, ReporterReplaced, SeatChanged
from tests.chaos.disputes import ChallengeLost, ChallengeWon, Disputed
from tests.chaos.fault import Fault, Replaying
from tests.chaos.schedule import DURING, REPORTED, REPORTERS, SETTLING, Drawing
from tests.chaos.system import System
from tests.support.own_node import Node
from tests.support.relay import Behaviour, Forward, Message, honest
from tests.support.reporting import standing_ports

REORG_BLOCKS: Final = 3
SKEW_SECONDS: Final = 300
GAS_TIMES: Final = 10
LATE_SECONDS: Final = (0.1, 1.2)


class Kill(Fault):
    """`kill -9`, drawn apart from the others; up again after a moment."""

    name = "kill -9"

    def __init__(self) -> None:
        self.pauses = random.Random("pauses")

    async def strike(self, system: System, target: str) -> None:
        await system.kill(target, self.pauses.uniform(0, 0.5))


# -- between reporters --------------------------------------------------------------------------


async def reset(request: Message, forward: Forward) -> None:
    """The connection breaks."""


async def silence(request: Message, forward: Forward) -> None:
    """The packets are lost."""
    await asyncio.Event().wait()


class Cut(Fault):
    """Reporters that no other reporter reaches, nor they any other: `reporter-1 and … silence`."""

    how: ClassVar[dict[str, Behaviour]] = {"reset": reset, "silence": silence}

    async def strike(self, system: System, target: str) -> None:
        self._become(system, target, self.how[target.split()[-1]])

    async def heal(self, system: System, target: str) -> None:
        self._become(system, target, honest)

    def _become(self, system: System, target: str, behaviour: Behaviour) -> None:
        for way, link in system.links.items():
            if not set(way).isdisjoint(target.split()):
                link.become(behaviour)


class CutOne(Cut):
    """f of the reporters: the others go on. The liar tells the truth meanwhile: it is one too."""

    name = "network cut, f reporters"

    def target(self, drawing: Drawing) -> str:
        return f"{drawing.honest()} by {drawing.dice.choice(list(self.how))}"

    async def strike(self, system: System, target: str) -> None:
        await system.let_liar(None)
        await super().strike(system, target)

    async def heal(self, system: System, target: str) -> None:
        await super().heal(system, target)
        await system.let_liar(system.schedule.lie)

    async def under(self, replay: Replaying, epoch: int) -> None:
        await replay.report_comes(epoch)


class CutTwo(Cut):
    """f + 1 of them: nothing is reported until they are back."""

    name = "network cut, f + 1 reporters"

    def target(self, drawing: Drawing) -> str:
        one, other = drawing.dice.sample(REPORTERS, 2)
        return f"{one} and {other} by {drawing.dice.choice(list(self.how))}"

    async def under(self, replay: Replaying, epoch: int) -> None:
        await replay.no_quorum(epoch)


# -- clocks -------------------------------------------------------------------------------------


def blocks_changed(change: Callable[[dict[str, Any]], None]) -> Behaviour:
    """A node whose blocks are as `change` leaves them."""

    async def node(request: Message, forward: Forward) -> Message:
        answer = await forward(request)
        if b"eth_getBlockBy" not in request.body:
            return answer
        content = json.loads(answer.body)
        if content.get("result"):
            change(content["result"])
        return answer.with_body(json.dumps(content).encode())

    return node


class Skew(Fault):
    """A clock that is five minutes fast or slow. Time is the newest block's, so its blocks are."""

    async def strike(self, system: System, target: str) -> None:
        who, seconds = target.split()[:2]

        def skew(block: dict[str, Any]) -> None:
            block["timestamp"] = hex(int(block["timestamp"], 16) + int(seconds))

        system.nodes[who].become(blocks_changed(skew))

    async def heal(self, system: System, target: str) -> None:
        system.nodes[target.split()[0]].become(honest)

    def _skewed(self, who: str, drawing: Drawing) -> str:
        return f"{who} {drawing.dice.choice((-SKEW_SECONDS, SKEW_SECONDS)):+} s"


class ReporterClock(Skew):
    name = "clock of a reporter"

    def target(self, drawing: Drawing) -> str:
        return self._skewed(drawing.reporter(), drawing)


class AgentClock(Skew):
    name = "clock of an agent"

    def target(self, drawing: Drawing) -> str:
        return self._skewed(drawing.agent(), drawing)


# -- stores -------------------------------------------------------------------------------------


class DatabaseRestarted(Fault):
    name = "PostgreSQL restarted"
    moments = (*DURING, SETTLING)

    async def strike(self, system: System, target: str) -> None:
        await system.restart_postgres()


class DiskFull(Fault):
    name = "disk of an agent full"

    def target(self, drawing: Drawing) -> str:
        return drawing.agent()

    async def strike(self, system: System, target: str) -> None:
        system.agents[target].fill_disk()

    async def heal(self, system: System, target: str) -> None:
        system.agents[target].free_disk()


# -- the node -----------------------------------------------------------------------------------


def late() -> Behaviour:
    dice = random.Random("late")

    async def node(request: Message, forward: Forward) -> Message:
        await asyncio.sleep(dice.uniform(*LATE_SECONDS))
        return await forward(request)

    return node


def wrong() -> Behaviour:
    """Every other answer is one that no node should give."""
    dice = random.Random("wrong")
    bodies = (
        b"<html>502 Bad Gateway</html>",
        b"",
        b"{}",
        b"[]",
        b"null",
        b'{"jsonrpc":"2.0","id":1,"result":null}',
        b'{"jsonrpc":"2.0","id":1,"result":{}}',
        b'{"jsonrpc":"2.0","id":1,"result":"0x"}',
        b'{"jsonrpc":"2.0","id":1,"result":"no hex"}',
        b'{"jsonrpc":"2.0","id":1,"error":{"code":-32603,"message":"internal error"}}',
        b'{"jsonrpc":"2.0","id":1,"error":{"code":-32005,"message":"limit exceeded"}}',
        b'{"jsonrpc":"2.0","id":1,"error":{"code":-32000,"message":"header not found"}}',
        b'{"jsonrpc":"2.0","id":1,"error":"out of order"}',
    )

    async def node(request: Message, forward: Forward) -> Message:
        answer = await forward(request)
        if dice.random() < 0.5:
            return answer
        if dice.random() < 0.2:
            head = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n"
            return Message(head, b"")
        return answer.with_body(dice.choice(bodies))

    return node


class NodeFault(Fault):
    """Between one process and its node."""

    def target(self, drawing: Drawing) -> str:
        return drawing.reporter_or_agent()

    async def heal(self, system: System, target: str) -> None:
        system.nodes[target].become(honest)


class NodeLate(NodeFault):
    name = "node answers late"

    async def strike(self, system: System, target: str) -> None:
        system.nodes[target].become(late())


class NodeWrong(NodeFault):
    name = "node answers wrongly"

    async def strike(self, system: System, target: str) -> None:
        system.nodes[target].become(wrong())


class Misled(NodeFault):
    """A process's node is one of another chain, in the place of its own."""

    def __init__(self) -> None:
        self._stop: Callable[[], None] = lambda: None

    @abstractmethod
    async def other(self, system: System) -> tuple[int, Callable[[], None]]:
        """Start the other node: its port, and how it is ended."""

    async def strike(self, system: System, target: str) -> None:
        port, self._stop = await self.other(system)
        system.nodes[target].target = port
        system.nodes[target].drop()

    async def heal(self, system: System, target: str) -> None:
        system.nodes[target].target = system.world.anvil.port
        system.nodes[target].drop()
        await asyncio.to_thread(self._stop)


class OtherFork(Misled):
    """The chain went another way after the last checkpoint."""

    name = "node of another fork"

    async def other(self, system: System) -> tuple[int, Callable[[], None]]:
        world = system.world
        newest = await world.client.block()
        state = world.folder / "fork.json"
        shutil.copyfile(world.folder / "anvil.json", state)
        (port,) = standing_ports(1)
        fork = Anvil(port, state, world.folder / "fork.log", genesis_time=newest.time)
        await asyncio.to_thread(fork.start)
        for _ in range(REORG_BLOCKS):
            await asyncio.to_thread(rpc, port, "evm_mine")
        return port, fork.stop


class OtherChain(Misled):
    """Another chain altogether, with another id and none of the contracts."""

    name = "node of another chain"

    async def other(self, system: System) -> tuple[int, Callable[[], None]]:
        node = Node()
        await asyncio.to_thread(node.start, 1)
        return node.port, node.kill


class Reorg(Fault):
    """The last blocks are taken back, and empty ones come in their place."""

    name = f"reorg, {REORG_BLOCKS} blocks deep"
    moments = (*DURING, SETTLING, REPORTED)

    async def strike(self, system: System, target: str) -> None:
        port = system.world.anvil.port
        # A chain that was just restored has forgotten the states behind its newest block.
        for _ in range(REORG_BLOCKS + 1):
            try:
                await asyncio.to_thread(rpc, port, "anvil_reorg", REORG_BLOCKS, [])
                return
            except (RpcRefused, NodeGone):
                await asyncio.to_thread(rpc, port, "evm_mine")
        await asyncio.to_thread(rpc, port, "anvil_reorg", REORG_BLOCKS, [])


class GasDear(Fault):
    """From one block to the next gas costs ten times as much, and stays so dear."""

    name = f"gas price times {GAS_TIMES}"

    def __init__(self) -> None:
        self._before = 0

    async def strike(self, system: System, target: str) -> None:
        self._before = (await system.world.client.block()).base_fee
        await self._set(system, self._before * GAS_TIMES)

    async def heal(self, system: System, target: str) -> None:
        await self._set(system, self._before)

    async def under(self, replay: Replaying, epoch: int) -> None:
        await self._set(replay.system, self._before * GAS_TIMES)
        await replay.report_comes(epoch)

    async def _set(self, system: System, base_fee: int) -> None:
        port = system.world.anvil.port
        await asyncio.to_thread(rpc, port, "anvil_setNextBlockBaseFeePerGas", hex(base_fee))


PASSING: Final[tuple[type[Fault], ...]] = (
    ReporterClock,
    AgentClock,
    DatabaseRestarted,
    DiskFull,
    NodeLate,
    NodeWrong,
    OtherFork,
    OtherChain,
    Reorg,
)
HELD: Final[tuple[type[Fault], ...]] = (CutOne, CutTwo, GasDear)

CHANGES: Final[tuple[type[SeatChanged], ...]] = (KeyRotated, ReporterReplaced)

DISPUTES: Final[tuple[type[Disputed], ...]] = (ChallengeWon, ChallengeLost)

KINDS: Final[tuple[type[Fault], ...]] = (
    Kill,
    *HELD,
    *PASSING,
    *CHANGES,
    *DISPUTES,
    EquivocatorSlashed,
)
