"""Figures are disputed in the middle of a replay: once they are corrected, once they stand.

The window is there for the epoch alone. One of its clusters is challenged; the window passes and
the others are counted, that one is not; then the arbiter speaks. The signers, who are honest, are
not to blame.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from ape import accounts

from api.types import ClusterId
from scripts._lib import cast, disputes
from scripts._lib.disputes import DisputeState
from scripts._lib.posted import Subject
from tests.chaos.fault import Fault, Replaying
from tests.chaos.registry import Act
from tests.chaos.schedule import Drawing
from tests.chaos.system import System
from tests.chaos.telemetry import AGENTS
from tests.support.reporting import FIRST_EPOCH

WINDOW_SECONDS: Final = 900
CORRECTED: Final = {"availableGpuSeconds": 11, "busyGpuSeconds": 7, "billableGpuSeconds": 7}


class Disputed(Fault):
    """A cluster's figures of the epoch are challenged, with a bond."""

    is_won: ClassVar[bool]

    def target(self, drawing: Drawing) -> str:
        return f"cluster {drawing.dice.choice(list(AGENTS))}"

    @abstractmethod
    def rule(self, system: Any, subject: Subject, arbiter: Any) -> None:
        """What the arbiter says of it."""

    async def strike(self, system: System, target: str) -> None:
        system.disputed = ClusterId(int(target.split()[-1]))
        system.registry.see_to(_window(WINDOW_SECONDS))

    async def heal(self, system: System, target: str) -> None:
        system.registry.see_to(_window(0))

    async def under(self, replay: Replaying, epoch: int) -> None:
        system, number = replay.system, FIRST_EPOCH + epoch
        subject = Subject(system.disputed, number, 0)

        async def is_posted() -> bool:
            following = [await system.world.oracle.next_epoch(one) for one in AGENTS]
            return min(following) > number

        async def are_others_counted() -> bool:
            others = AGENTS.keys() - {system.disputed}
            return all([(await system.world.reading(one)).epoch >= number for one in others])

        await replay.until(is_posted, f"epoch {epoch} posted")
        system.registry.see_to(_challenge(subject))
        await replay.go_on(WINDOW_SECONDS)
        await replay.until(are_others_counted, f"epoch {epoch} of the others counted")
        assert (await system.world.reading(system.disputed)).epoch < number, (
            f"epoch {epoch} was counted while it was disputed"
        )
        system.registry.see_to(_settle(self, subject))
        system.verdicts[system.disputed, epoch] = self.is_won
        await replay.report_comes(epoch)


class ChallengeWon(Disputed):
    """Other figures are counted, and the bond comes back."""

    name = "challenge won"
    is_won = True

    def rule(self, system: Any, subject: Subject, arbiter: Any) -> None:
        disputes.correct(system, subject, CORRECTED, False, arbiter)


class ChallengeLost(Disputed):
    """The figures are counted as posted, and the treasury has the bond."""

    name = "challenge lost"
    is_won = False

    def rule(self, system: Any, subject: Subject, arbiter: Any) -> None:
        disputes.stand(system, subject, arbiter)


def _window(seconds: int) -> Act:
    def act(system: Any) -> None:
        if int(system.oracle.disputeWindowSeconds()) != seconds:
            system.oracle.setDisputeWindow(seconds, sender=_arbiter())

    return act


def _challenge(subject: Subject) -> Act:
    def act(system: Any) -> None:
        if disputes.of(system, subject).state is DisputeState.NONE:
            challenger, bond_usd6 = _challenger(), int(system.disputes.CHALLENGE_BOND_USD6())
            if int(system.stablecoin.balanceOf(challenger)) < bond_usd6:
                deployer = accounts.test_accounts[cast.DEPLOYER]
                system.stablecoin.mint(challenger, bond_usd6, sender=deployer)
            disputes.challenge(system, subject, "It was off", challenger)

    return act


def _settle(fault: Disputed, subject: Subject) -> Act:
    """The arbiter speaks, and whoever gets the bond back is paid."""

    def act(system: Any) -> None:
        if disputes.of(system, subject).state is DisputeState.OPEN:
            fault.rule(system, subject, _arbiter())
        challenger = _challenger()
        if int(system.disputes.owedUsd6(challenger)):
            system.disputes.pay(challenger, sender=challenger)

    return act


@dataclass(frozen=True)
class Bonds:
    """The money of Disputes, in 10⁻⁶ dollars."""

    bond_usd6: int
    held_usd6: int
    owed_usd6: int
    """To the treasury; the challenger is paid."""
    challenger_usd6: int


def bonds(system: Any) -> Bonds:
    """As they are now."""
    contract, stablecoin = system.disputes, system.stablecoin
    return Bonds(
        bond_usd6=int(contract.CHALLENGE_BOND_USD6()),
        held_usd6=int(stablecoin.balanceOf(contract)),
        owed_usd6=int(contract.owedUsd6(contract.TREASURY())),
        challenger_usd6=int(stablecoin.balanceOf(_challenger())),
    )


def _challenger() -> Any:
    return accounts.test_accounts[cast.TRUSTEE]


def _arbiter() -> Any:
    return accounts.test_accounts[cast.ADMIN]
