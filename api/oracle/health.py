"""Whether a reporter can work."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

MAX_CLOCK_LAG_SECONDS: Final = 60
"""A system clock that is further behind the newest block is wrong: agents would be refused."""


@dataclass(frozen=True, slots=True)
class Health:
    """What stands in the way of work; None where nothing does."""

    database: str | None
    chain: str | None
    clock: str | None
    signer: str | None
    is_registered: bool
    block_number: int | None
    now: int | None

    @property
    def is_ready(self) -> bool:
        return (
            self.database is None
            and self.chain is None
            and self.clock is None
            and self.signer is None
            and self.is_registered
        )
