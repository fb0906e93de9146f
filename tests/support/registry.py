"""The registry's vocabulary, as its interface states it."""

from __future__ import annotations

from enum import IntEnum


class Status(IntEnum):
    """ClusterStatus, in the order of the contract's enum."""

    NONE = 0
    PROPOSED = 1
    FUNDING = 2
    LIVE = 3
    SUSPENDED = 4
    RETIRED = 5
