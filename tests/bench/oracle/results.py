"""What was measured, as tables, as aims and as `oracle.json`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from rich.console import Console

from tests.bench.oracle.latency import Latency
from tests.bench.oracle.scene import BATCHES, CLUSTERS, GPUS
from tests.bench.tables import FOLDER, WIDTH, Aim, Table, aims

LEDGER = Path(__file__).parents[2] / "gas" / "ledger.json"
"""Written by `make gas`; the tests hold that it is true."""

MOST_SECONDS = 5.0


@dataclass(frozen=True)
class GasAim:
    """An operation of the ledger, shared by so many, and the gas that it may take of each."""

    words: str
    operation: str
    shared_by: int
    most: int


GAS_AIMS = (
    GasAim("a report of 100 clusters by 5 of 7, a cluster", "report_100", 100, 9_000),
    GasAim("proof of one of 4,096 samples", "verify_sample", 1, 40_000),
    GasAim("proof of an equivocation over 100 clusters", "prove_equivocation_100", 1, 200_000),
)


@dataclass(frozen=True)
class Results:
    latencies: tuple[Latency, ...]

    @property
    def mined(self) -> list[float]:
        return [latency.mined for latency in self.latencies]

    def gas(self) -> Iterator[tuple[GasAim, int]]:
        """Each aim with what was measured of each, rounded up."""
        ledger = json.loads(LEDGER.read_text(encoding="ascii"))
        for aim in GAS_AIMS:
            yield aim, -(-int(ledger[aim.operation]) // aim.shared_by)

    def aims(self) -> Iterator[Aim]:
        worst = max(self.mined)
        yield Aim(
            f"report at most {MOST_SECONDS} s after an epoch's end",
            worst <= MOST_SECONDS,
            f"{median(self.mined):.2f} s in the middle, {worst:.2f} s at worst",
        )
        for aim, gas in self.gas():
            yield Aim(f"{aim.words}: at most {aim.most:,} gas", gas <= aim.most, f"{gas:,}")

    def as_json(self) -> dict[str, object]:
        return {
            "clusters": CLUSTERS,
            "gpus_a_cluster": GPUS,
            "batches_a_cluster": BATCHES,
            "seconds": {"median": median(self.mined), "worst": max(self.mined)},
            "epochs": [asdict(latency) for latency in self.latencies],
            "gas": {aim.operation: gas for aim, gas in self.gas()},
        }


def epochs(results: Results) -> Table:
    return Table(
        f"Seconds from an epoch's end, {CLUSTERS} clusters of {GPUS} GPUs, {BATCHES} batches each",
        ["epoch", "closing batches taken", "the proposer took", "report mined"],
        [
            [
                str(latency.epoch),
                *(f"{one:.2f}" for one in (latency.taken, latency.agreeing, latency.mined)),
            ]
            for latency in results.latencies
        ],
    )


def publish(results: Results) -> None:
    """Print the tables; write `out/bench/oracle.json`."""
    console = Console(width=WIDTH)
    console.print()
    for table in (epochs(results), aims(results.aims())):
        console.print(table.rich())
    FOLDER.mkdir(parents=True, exist_ok=True)
    text = json.dumps(results.as_json(), indent=2) + "\n"
    (FOLDER / "oracle.json").write_text(text, encoding="ascii")
