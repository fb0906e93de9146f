"""One replay: the chain's clock goes from epoch to epoch while the schedule's faults strike.

For each epoch:

1. What is announced in the epoch is; acts at the ReporterRegistry are seen to again after every
   strike, which may have taken them back.
2. The clock stops at moments in the epoch; what the schedule has for each strikes there.
3. It goes over the epoch's end; kills go on. Then passing faults end.
4. It waits there until two honest reporters have acknowledged what each agent measured: a proposal
   that leaves out what one of them holds finds no quorum. Only then may the epoch close by time.
5. What has to be seen under the held fault is waited for, then that ends too; then a dispute, and
   then a change of who reports.
6. The clock goes on, from one reporter's turn to the next, until the epoch is on chain; then comes
   what strikes after that, and it has to be on chain again.
7. Anvil's state is kept: a kill takes the chain back to here.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final

from api.domain.epochs import epoch_end, epoch_start
from api.types import CLOSE_SECONDS, ROUND_SECONDS, Epoch
from tests.chaos.changes import SeatChanged
from tests.chaos.faults import CHANGES, DISPUTES, KINDS, PASSING, Kill
from tests.chaos.schedule import ANNOUNCED, DURING, OFFSETS, REPORTED, SETTLING, Schedule, Strike
from tests.chaos.system import System
from tests.chaos.telemetry import AGENTS
from tests.support.reporting import FIRST_EPOCH

# A step that takes longer than this is taken for one that never ends.
PATIENCE_SECONDS: Final = 150.0

# Real time between two looks, between two blocks, and that a reporter's turn may take.
_LOOK_SECONDS: Final = 0.1
_BLOCK_SECONDS: Final = 0.5
_TURN_SECONDS: Final = 7.0

_HONEST_NEEDED: Final = 2


class Replay:
    """`run` it once. `struck` are the strikes so far, `survived` those of `epochs` on
    chain."""

    def __init__(self, system: System, schedule: Schedule, tell: Callable[[str], None]) -> None:
        """`tell` is given a line for each fault."""
        self.system = system
        self.struck: list[Strike] = []
        self.survived: list[Strike] = []
        self.epochs = 0
        self._schedule = schedule
        self._tell = tell
        self._world = system.world
        self._faults = {kind.name: kind() for kind in KINDS}
        self._lasting: list[Strike] = []
        self._target = 0
        self._closing = 0

    async def run(self) -> None:
        """Raises AssertionError with the reporters' last words where something never comes."""
        for number in range(self._schedule.scale.epochs):
            await self._epoch(number)
            self.survived = list(self.struck)
            self.epochs = number + 1
            self._tell(f"epoch {number:2} on chain")

    async def report_comes(self, epoch: int) -> None:
        async def is_there() -> bool:
            readings = [await self._world.reading(cluster_id) for cluster_id in AGENTS]
            return all(reading.epoch >= FIRST_EPOCH + epoch for reading in readings)

        await self.until(is_there, f"epoch {epoch} on chain")

    async def go_on(self, seconds: int) -> None:
        await self._go_to(min(self._target + seconds, self._closing))

    async def no_quorum(self, epoch: int) -> None:
        before = {one: len(one.log()) for one in self._world.reporters}

        async def is_said() -> bool:
            return any("no quorum" in one.log()[before[one] :] for one in before)

        await self.until(is_said, "a proposal without a quorum")
        for cluster_id in AGENTS:
            assert (await self._world.reading(cluster_id)).epoch < FIRST_EPOCH + epoch, (
                f"epoch {epoch} was reported without a quorum"
            )

    async def _epoch(self, number: int) -> None:
        epoch = Epoch(FIRST_EPOCH + number)
        self._closing = epoch_end(epoch) + CLOSE_SECONDS - 1
        self.system.newcomers.clear()
        for moment in DURING:
            await self._go_to(epoch_start(epoch) + OFFSETS[moment])
            if moment == ANNOUNCED:
                self._announce(number)
            await self._strike(number, moment)
        await self._go_to(epoch_end(epoch))
        await self._strike(number, SETTLING)
        for strike in [one for one in self._lasting if self._is_passing(one)]:
            await self._heal(strike)
        await self.until(self._acknowledged(epoch), f"epoch {number} acknowledged")
        self._closing = epoch_end(Epoch(epoch + 1))
        for strike in sorted(self._lasting, key=self._place):
            await self._faults[strike.fault].under(self, number)
            await self._heal(strike)
        await self.report_comes(number)
        await self._strike(number, REPORTED)
        await self.report_comes(number)
        await asyncio.to_thread(self._world.anvil.checkpoint)
        self.system.registry.settle()

    def _announce(self, number: int) -> None:
        for notice in self._schedule.announced(number):
            self._tell(str(notice))
            fault = self._faults[notice.fault]
            assert isinstance(fault, SeatChanged)
            self.system.registry.see_to(fault.announcement(self.system.operators, notice))

    async def _strike(self, number: int, moment: int) -> None:
        for strike in self._schedule.at(number, moment):
            await asyncio.sleep(strike.pause_ms / 1_000)
            self._tell(str(strike))
            self.struck.append(strike)
            if strike.fault != Kill.name:
                self._lasting.append(strike)
            await self._faults[strike.fault].strike(self.system, strike.target)
            await self._world.move_to(self._target)
            self.system.registry.look_again()

    async def _heal(self, strike: Strike) -> None:
        self._lasting.remove(strike)
        await self._faults[strike.fault].heal(self.system, strike.target)

    def _is_passing(self, strike: Strike) -> bool:
        return isinstance(self._faults[strike.fault], PASSING)

    def _place(self, strike: Strike) -> int:
        fault = self._faults[strike.fault]
        return 2 if isinstance(fault, CHANGES) else 1 if isinstance(fault, DISPUTES) else 0

    def _acknowledged(self, epoch: Epoch) -> Callable[[], Awaitable[bool]]:
        end_ms = epoch_end(epoch) * 1_000
        # A newcomer has only what came since it has its seat.
        honest = self.system.honest().keys() - self.system.newcomers

        async def is_enough() -> bool:
            through_ms = self.system.acknowledged.through_ms
            return all(
                sum(through_ms[name, agent.address.lower()] >= end_ms for name in honest)
                >= _HONEST_NEEDED
                for agents in AGENTS.values()
                for agent in agents
            )

        return is_enough

    async def _go_to(self, at: int) -> None:
        self._target = max(self._target, at)
        await self._world.move_to(self._target)

    async def until(self, condition: Callable[[], Awaitable[bool]], what: str) -> None:
        """Wait, with a block now and then and a turn's length of the chain's time now and then."""
        started = blocks = turns = time.monotonic()
        while not await condition():
            now = time.monotonic()
            if now - started > PATIENCE_SECONDS:
                raise AssertionError(f"waited in vain: {what}\n{self._world.last_words()}")
            if now - turns > _TURN_SECONDS:
                turns = now
                await self._go_to(min(self._target + ROUND_SECONDS, self._closing))
            elif now - blocks > _BLOCK_SECONDS:
                blocks = now
                await self._go_to(min(self._target + 1, self._closing))
            await asyncio.sleep(_LOOK_SECONDS)
