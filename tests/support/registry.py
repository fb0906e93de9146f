"""The registry's vocabulary, as its interface states it."""

from __future__ import annotations

from enum import IntEnum
from typing import Any

from tests.support.scenario import default_spec

FIELDS = tuple(default_spec())


class Status(IntEnum):
    """ClusterStatus, in the order of the contract's enum."""

    NONE = 0
    PROPOSED = 1
    FUNDING = 2
    LIVE = 3
    SUSPENDED = 4
    RETIRED = 5


def spec_of(spec: Any) -> dict[str, Any]:
    """A ClusterSpec that a contract returned, as `default_spec` writes it."""
    return {
        field: bytes(value) if isinstance(value, bytes) else int(value)
        for field, value in zip(FIELDS, spec, strict=True)
    }
