"""On what a transaction's gas was spent, by kind of instruction, from the steps that it took."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

COLD_SLOT = 2_100
ENDS = {"STOP", "RETURN", "REVERT"}
KINDS = {
    "SSTORE": "writes",
    "KECCAK256": "hashes",
    **dict.fromkeys(("CALL", "CALLCODE", "DELEGATECALL", "STATICCALL"), "calls"),
    **dict.fromkeys(("BALANCE", "EXTCODESIZE", "EXTCODEHASH", "EXTCODECOPY"), "calls"),
    **{f"LOG{topics}": "events" for topics in range(5)},
}
REFUND_DIVISOR = 5
"""At most this part of a transaction's gas is refunded."""


@dataclass(frozen=True)
class Spent:
    """Gas by what it was spent on; together, less the refund, what the receipt says."""

    calldata: int = 0
    """21,000 and the calldata."""
    cold_reads: int = 0
    warm_reads: int = 0
    writes: int = 0
    """SSTORE, with what it adds for a slot that was cold."""
    calls: int = 0
    """To other contracts and precompiles: not what is done there."""
    events: int = 0
    hashes: int = 0
    rest: int = 0
    """Arithmetic, jumps, memory, transient storage."""
    refund: int = 0
    """Negative."""

    def __add__(self, other: Spent) -> Spent:
        return Spent(*(a + b for a, b in zip(self.values(), other.values(), strict=True)))

    def values(self) -> tuple[int, ...]:
        return tuple(getattr(self, each.name) for each in fields(self))


def spent(steps: list[dict[str, Any]], limit: int, gas: int) -> Spent:
    """What a transaction with that limit, which used `gas`, was spent on.

    Its steps carry the gas that was left before each. Raises ValueError if they are not of it.
    """
    parts = dict.fromkeys((each.name for each in fields(Spent)), 0)
    parts["calldata"] = limit - steps[0]["gas"]
    for step, cost in zip(steps, _costs(steps), strict=True):
        parts[_kind(step["op"], cost)] += cost
    gross = sum(parts.values())
    if not gas <= gross <= gas + gross // REFUND_DIVISOR:
        raise ValueError(f"the steps took {gross} gas, the receipt says {gas}")
    parts["refund"] = gas - gross
    return Spent(**parts)


def _kind(operation: str, cost: int) -> str:
    if operation == "SLOAD":
        return "cold_reads" if cost == COLD_SLOT else "warm_reads"
    return KINDS.get(operation, "rest")


def _costs(steps: list[dict[str, Any]]) -> list[int]:
    """What each step cost by itself: a call without what was done inside it."""
    costs = []
    calls: list[int] = []
    for place, step in enumerate(steps[:-1]):
        after = steps[place + 1]
        if after["depth"] > step["depth"]:
            calls.append(place)
            costs.append(0)
            continue
        if after["depth"] == step["depth"]:
            costs.append(step["gas"] - after["gas"])
            continue
        # What ends otherwise has used up what it was given.
        left = step["gas"] - step["gasCost"] if step["op"] in ENDS else 0
        costs.append(step["gas"] - left)
        call = calls.pop()
        inside = steps[call + 1]["gas"] - left
        costs[call] = steps[call]["gas"] - after["gas"] - inside
    return [*costs, steps[-1]["gasCost"]]
