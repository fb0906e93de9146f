"""What was measured of all systems, as numbers and as aims that are met or not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.bench.gas.measure import Measured, Work
from tests.bench.tables import Aim

OURS = "rackstream"
OPERATIONS = ("transfer", "transfer_delegated", "funding", "claim", "issue_100")
COMPOSED = 10_000
"""Holders, of a day that is composed of operations measured with fewer."""
CALLDATA = 100
"""Gas by which amounts may differ: 12 for each byte of calldata that is zero or is not."""


@dataclass(frozen=True)
class Row:
    """One system."""

    name: str
    title: str
    built: str
    use: str
    serves_each: bool
    measured: Measured
    works: tuple[Work, ...]

    def day(self, holders: int) -> int:
        """Gas a day of so many holders: measured, or else composed from the largest measured."""
        for work in self.works:
            if work.holders == holders:
                return work.gas_a_day
        return self.works[-1].at(holders, self.serves_each)


@dataclass(frozen=True)
class Results:
    rows: tuple[Row, ...]
    ours_by_holders: dict[int, Measured]
    """The operations of ours, by the number of holders."""
    sizes: tuple[int, ...] = field(init=False)
    """Numbers of holders of which a day is stated."""

    def __post_init__(self) -> None:
        measured = tuple(work.holders for work in self.rows[0].works)
        object.__setattr__(self, "sizes", (*measured, COMPOSED))

    @property
    def ours(self) -> Row:
        return self[OURS]

    @property
    def peers(self) -> tuple[Row, ...]:
        return tuple(row for row in self.rows if row.name != OURS)

    def __getitem__(self, name: str) -> Row:
        return next(row for row in self.rows if row.name == name)

    def as_json(self) -> dict[str, dict[str, int]]:
        """{operation: {system: gas}}."""
        gas = {
            operation: {
                row.name: row.measured.gas[operation]
                for row in self.rows
                if operation in row.measured.gas
            }
            for operation in OPERATIONS
        }
        for holders, measured in self.ours_by_holders.items():
            for operation in ("transfer", "funding", "claim"):
                gas[f"{operation}_at_{holders}_holders"] = {OURS: measured.gas[operation]}
        for holders in self.sizes:
            gas[f"day_of_{holders}_holders"] = {row.name: row.day(holders) for row in self.rows}
        return gas

    def cheaper(self) -> Iterator[tuple[str, Row]]:
        """Each operation with each peer that does it for less than ours."""
        for operation in OPERATIONS:
            for peer in self.peers:
                gas = peer.measured.gas.get(operation)
                if gas is not None and gas < self.ours.measured.gas[operation]:
                    yield operation, peer

    def aims(self) -> Iterator[Aim]:
        ours = self.ours.measured.gas
        for operation, limit, name in (
            ("transfer", 70_000, "transfer"),
            ("transfer_delegated", 130_000, "transfer, both delegated"),
            ("claim", 62_000, "claim"),
            ("funding", 70_000, "funding"),
        ):
            gas = ours[operation]
            yield Aim(f"{name} at most {limit:,}", gas <= limit, f"{gas:,}")
        theirs = self["t-rex"].measured.gas["transfer"]
        part = ours["transfer"] / theirs
        yield Aim("transfer below 0.45 of T-REX's", part < 0.45, f"{part:.3f} of {theirs:,}")
        for holders in self.sizes:
            gas = self.ours.day(holders)
            next_best = min(self.peers, key=lambda peer: peer.day(holders))
            least = next_best.day(holders)
            yield Aim(
                f"a day of {holders:,} holders below every peer's",
                gas < least,
                f"{gas:,}; {next_best.title}: {least:,} ({least / gas:.3f} times ours)",
            )
        for operation in ("transfer", "funding", "claim"):
            by_holders = {n: each.gas[operation] for n, each in self.ours_by_holders.items()}
            spread = max(by_holders.values()) - min(by_holders.values())
            yield Aim(
                f"{operation} flat in the number of holders, but for calldata",
                spread <= CALLDATA,
                ", ".join(f"{gas:,} with {n:,}" for n, gas in by_holders.items()),
            )
