"""What was measured, as tables, as aims and as `gateway.json`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from math import inf
from pathlib import Path
from statistics import median

from rich.console import Console

from tests.bench.gateway.paying_out import PayingOut
from tests.bench.gateway.replay import Replay
from tests.bench.gateway.scene import CUSTOMERS
from tests.bench.gateway.speed import FREE, OFFICIAL, PAID, STREAM, WHOLE, Latency, Round
from tests.bench.tables import FOLDER, WIDTH, Aim, Table, aims

LEDGER = Path(__file__).parents[2] / "gas" / "ledger.json"
"""Written by `make gas`; the tests hold that it is true."""

SHAPES = (WHOLE.name, STREAM.name)

LEAST_SHARE = 0.6
MOST_MEDIAN_MS, MOST_P99_MS = 3.0, 15.0
LEAST_TIMES_OFFICIAL = 20.0
MOST_VOUCHER_GAS, MOST_X402_GAS = 17_000, 39_000


@dataclass(frozen=True)
class Results:
    sync_ms: float
    """That the disk takes to keep a few bytes, in the middle: the least of every commit."""

    rounds: tuple[Round, ...]
    latencies: tuple[Latency, ...]
    replay: Replay
    paying_out: PayingOut

    def per_second(self, shape: str, server: str) -> float:
        return median(one.per_second for one in self.rounds_of(shape, server))

    def rounds_of(self, shape: str, server: str) -> list[Round]:
        return [one for one in self.rounds if (one.shape, one.server) == (shape, server)]

    def cpu_ms(self, shape: str, server: str, process: str) -> float:
        return median(one.cpu_ms[process] for one in self.rounds_of(shape, server))

    def share(self, shape: str) -> float:
        """Of what goes through for nothing, what goes through paid."""
        return self.per_second(shape, PAID) / self.per_second(shape, FREE)

    def times_official(self) -> float:
        """How many requests are paid for here while one is there; a short round may have none."""
        official = self.per_second(WHOLE.name, OFFICIAL)
        return self.per_second(WHOLE.name, PAID) / official if official else inf

    def added(self) -> Iterator[tuple[Latency, Latency]]:
        """Paid and free, of each kind of request and number of connections."""
        yield from zip(self.latencies[::2], self.latencies[1::2], strict=True)

    def gas(self) -> dict[str, int]:
        """Of one payment, rounded up."""
        ledger = json.loads(LEDGER.read_text(encoding="ascii"))
        return {
            "voucher_of_100": -(-int(ledger["collect_100"]) // 100),
            "x402_of_50": -(-int(ledger["settle_50"]) // 50),
        }

    def aims(self) -> Iterator[Aim]:
        for shape in SHAPES:
            share = self.share(shape)
            yield Aim(
                f"{shape}: paid at least {LEAST_SHARE} of what goes through for nothing",
                share >= LEAST_SHARE,
                f"{share:.2f}",
            )
        for paid, free in self.added():
            middle, last = paid.median - free.median, paid.p99 - free.p99
            yield Aim(
                f"{paid.shape}, {paid.connections} connections: paying adds at most"
                f" {MOST_MEDIAN_MS:.0f} ms, {MOST_P99_MS:.0f} ms at the 99th percentile",
                middle <= MOST_MEDIAN_MS and last <= MOST_P99_MS,
                f"{middle:.1f} ms, {last:.1f} ms",
            )
        times = self.times_official()
        yield Aim(
            f"at least {LEAST_TIMES_OFFICIAL:.0f} times the paid requests of x402's own server",
            times >= LEAST_TIMES_OFFICIAL,
            f"{times:.1f}",
        )
        gas = self.gas()
        for words, name, most in (
            ("a voucher of 100 collected", "voucher_of_100", MOST_VOUCHER_GAS),
            ("an x402 payment of 50 settled", "x402_of_50", MOST_X402_GAS),
        ):
            yield Aim(f"{words}: at most {most:,} gas", gas[name] <= most, f"{gas[name]:,}")
        out = self.paying_out
        yield Aim(
            f"at the Waterfall within the interval of {out.interval:.0f} s and a block of"
            f" {out.block:.0f} s",
            max(out.seconds) <= out.interval + out.block,
            f"{median(out.seconds):.1f} s in the middle, {max(out.seconds):.1f} s at worst",
        )
        yield Aim(
            "metered, billed and collected are one amount, and nothing is lost",
            self.replay.is_exact,
            f"{self.replay.billed_usd6:,} 10⁻⁶ dollars, {self.replay.lost} lost",
        )

    def as_json(self) -> dict[str, object]:
        return {
            "connections": CUSTOMERS,
            "disk_sync_ms": self.sync_ms,
            "rounds": [asdict(one) for one in self.rounds],
            "latencies": [asdict(one) for one in self.latencies],
            "paid_share": {shape: self.share(shape) for shape in SHAPES},
            "times_official": self.times_official(),
            "gas": self.gas(),
            "paying_out": asdict(self.paying_out),
            "replay": asdict(self.replay),
            "aims": [asdict(aim) for aim in self.aims()],
        }


def _throughput(results: Results) -> Table:
    lines = []
    for shape in SHAPES:
        for server in (PAID, FREE, OFFICIAL):
            rounds = results.rounds_of(shape, server)
            if not rounds:
                continue
            rates = [one.per_second for one in rounds]
            own = [
                name for name in rounds[0].cpu_ms if name in ("gateway", "server", "facilitator")
            ]
            rest = [name for name in rounds[0].cpu_ms if name not in own]
            lines.append(
                [
                    f"{shape} {server}",
                    f"{median(rates):.0f}",
                    f"{min(rates):.0f}–{max(rates):.0f}",
                    str(sum(one.failed for one in rounds)),
                    f"{sum(results.cpu_ms(shape, server, name) for name in own):.2f}",
                    f"{sum(results.cpu_ms(shape, server, name) for name in rest):.2f}",
                ]
            )
    return Table(
        f"Requests a second at {CUSTOMERS} connections, and milliseconds of a core for each",
        ["requests", "median", "least–most", "failed", "server", "all others"],
        lines,
    )


def _latency(latencies: Sequence[Latency], sync_ms: float) -> Table:
    return Table(
        f"Milliseconds at low load; this disk takes {sync_ms:.1f} to keep a few bytes",
        ["requests", "connections", "answers", "median", "99th percentile", "first byte"],
        [
            [
                f"{one.shape} {one.server}",
                str(one.connections),
                str(one.answers),
                *(f"{value:.1f}" for value in (one.median, one.p99, one.first)),
            ]
            for one in latencies
        ],
    )


def _books(replay: Replay) -> Table:
    return Table(
        f"{replay.trace}, {replay.pace:g} times its pace, {replay.seconds:.0f} s",
        [
            "requests", "lost", "tokens in", "out", "metered", "billed", "collected",
            "at the Waterfall", "median ms",
        ],
        [
            [
                *(
                    f"{number:,}"
                    for number in (
                        replay.requests, replay.lost, replay.tokens_in, replay.tokens_out,
                        replay.metered_usd6, replay.billed_usd6, replay.collected_usd6,
                        replay.income_usd6,
                    )
                ),
                f"{replay.median_ms:.0f}",
            ]
        ],
    )  # fmt: skip


def publish(results: Results) -> None:
    """Print the tables; write `out/bench/gateway.json`."""
    console = Console(width=WIDTH)
    console.print()
    for table in (
        _throughput(results),
        _latency(results.latencies, results.sync_ms),
        _books(results.replay),
        aims(results.aims()),
    ):
        console.print(table.rich())
    FOLDER.mkdir(parents=True, exist_ok=True)
    text = json.dumps(results.as_json(), indent=2) + "\n"
    (FOLDER / "gateway.json").write_text(text, encoding="ascii")
