"""What a fault is, and what it may ask of the replay."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from typing import ClassVar, Protocol

from tests.chaos.schedule import DURING, Drawing
from tests.chaos.system import System


class Replaying(Protocol):
    """What a fault that lasts may ask of the replay; `tests.chaos.replay` is it."""

    system: System

    async def report_comes(self, epoch: int) -> None:
        """Let the chain go on until the epoch's report is there."""

    async def no_quorum(self, epoch: int) -> None:
        """Let the chain go on until a reporter found no quorum; nothing may have been reported."""

    async def go_on(self, seconds: int) -> None:
        """Let so much of the chain's time pass at once."""

    async def until(self, condition: Callable[[], Awaitable[bool]], what: str) -> None:
        """Let the chain go on until a condition holds; `what` names it."""


class Fault(ABC):
    """One kind of fault. Stateless but for what it started itself."""

    name: ClassVar[str]
    moments: ClassVar[tuple[int, ...]] = DURING

    def target(self, drawing: Drawing) -> str:
        """Whom it strikes and how, in words that `strike` reads."""
        return ""

    @abstractmethod
    async def strike(self, system: System, target: str) -> None:
        """Let it happen."""

    async def heal(self, system: System, target: str) -> None:  # noqa: B027 - may be nothing
        """Take it back; nothing for what is over when it has struck."""

    async def under(self, replay: Replaying, epoch: int) -> None:  # noqa: B027 - may be nothing
        """While it lasts, the epoch being over and its samples acknowledged."""
