"""Faults that are agreed on over the chain: who reports, with whose key, and who is punished.

A change of who reports is announced a day ahead; what strikes is its coming into force. The process
of the newcomer is up by then, beside the one whose seat it takes, which goes on until the epoch is
on chain.
"""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

from scripts._lib.cast import Account
from tests.chaos import registry
from tests.chaos.fault import Fault, Replaying
from tests.chaos.schedule import ACCOUNTS, DURING, SETTLING, Notice
from tests.chaos.system import System

UNBIDDEN = "out-of-turn"
"""How the liar lies when it equivocates: see `tests.support.liar`."""


class SeatChanged(Fault):
    """Announced with a `Notice`, whose target it has."""

    moments = (*DURING[:-1], SETTLING)

    @abstractmethod
    def announcement(self, operators: Mapping[str, Account], notice: Notice) -> registry.Act:
        """What makes it known; `operators` have the seats until then."""

    async def strike(self, system: System, target: str) -> None:
        seat, newcomer = target.split(" to ")
        await system.prepare(newcomer)
        system.registry.see_to(registry.activate(ACCOUNTS[newcomer]))
        system.hand_over(seat, newcomer)

    async def heal(self, system: System, target: str) -> None:
        system.dismiss(target.split(" to ")[0])

    async def under(self, replay: Replaying, epoch: int) -> None:
        await replay.report_comes(epoch)


class KeyRotated(SeatChanged):
    name = "key rotated"

    def announcement(self, operators: Mapping[str, Account], notice: Notice) -> registry.Act:
        return registry.announce_key(operators[notice.seat], ACCOUNTS[notice.newcomer])


class ReporterReplaced(SeatChanged):
    """One is left out of the next set, and one that has never been there is in it."""

    name = "reporter replaced"

    def announcement(self, operators: Mapping[str, Account], notice: Notice) -> registry.Act:
        newcomer = ACCOUNTS[notice.newcomer]
        named = {**operators, notice.seat: newcomer}
        return registry.announce_set(list(named.values()), newcomer)

    async def strike(self, system: System, target: str) -> None:
        await super().strike(system, target)
        seat, newcomer = target.split(" to ")
        system.operators[seat] = ACCOUNTS[newcomer]


class EquivocatorSlashed(Fault):
    """The liar signs two reports of one thing, is found out by everybody, and loses its bond."""

    name = "equivocator slashed"

    async def strike(self, system: System, target: str) -> None:
        await system.let_liar(UNBIDDEN)

    async def heal(self, system: System, target: str) -> None:
        await system.let_liar(system.schedule.lie)

    async def under(self, replay: Replaying, epoch: int) -> None:
        system = replay.system
        key = system.reporters[system.schedule.liar].account.address
        told: dict[str, Any] = {}

        async def is_told() -> bool:
            for name, reporter in system.honest().items():
                answer = await system.world.get(reporter, "/v1/equivocations")
                proofs = answer.json()["equivocations"] if answer.status_code == 200 else []
                told[name] = next((proof for proof in proofs if proof["reporter"] == key), None)
            return None not in told.values()

        await replay.until(is_told, "proof of the equivocation at every honest reporter")
        operator = system.operators[system.schedule.liar]
        evidence = json.dumps(next(iter(told.values()))).encode()
        system.registry.see_to(registry.challenge(operator, evidence))
        system.forfeited.add(operator.name)
