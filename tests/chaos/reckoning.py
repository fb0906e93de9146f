"""What has to be true at the end, whatever happened: nothing lost, nothing twice, nothing made up.

Held against each other are what the chain counted, what reporters acknowledged to agents, what is
in the reporters' databases, and a count of what the agents measured, second by second.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import replace
from typing import Any

import httpx
import psycopg
from sqlalchemy import make_url

from api.domain.codec import parse_digest, to_hex
from api.domain.epochs import epoch_window_ms
from api.domain.figures import ClusterFigures
from api.domain.samples import Sample, SampleSet, SignedBatch, parse_batch
from api.types import ClusterId, Epoch
from tests.chaos.changes import ReporterReplaced
from tests.chaos.disputes import CORRECTED, bonds
from tests.chaos.schedule import ACCOUNTS, REPORTERS
from tests.chaos.system import System
from tests.chaos.telemetry import IDLE_WATTS, PEAK_WATTS, Telemetry
from tests.support.reporting import FIRST_EPOCH, PATIENCE_SECONDS, ReporterProcess
from tests.support.seconds import Hour, hours

_LOOK_SECONDS = 0.1


class Reckoning:
    """`wrong` gives a line for each thing that does not hold."""

    def __init__(self, system: System, telemetry: Mapping[ClusterId, Telemetry]) -> None:
        self._system = system
        self._world = system.world
        self._epochs = epochs = system.schedule.scale.epochs
        self._hours = {
            cluster_id: list(hours(one.containers, IDLE_WATTS, PEAK_WATTS))[:epochs]
            for cluster_id, one in telemetry.items()
        }
        for (cluster_id, number), is_corrected in system.verdicts.items():
            if is_corrected:
                counted = self._hours[cluster_id][number]
                self._hours[cluster_id][number] = replace(
                    counted,
                    available=CORRECTED["availableGpuSeconds"],
                    busy=CORRECTED["busyGpuSeconds"],
                )
        self._acknowledged: dict[str, list[SignedBatch]] = {
            name: [parse_batch(body) for body in bodies]
            for name, bodies in system.acknowledged.bodies.items()
        }

    @property
    def acknowledgements(self) -> int:
        """Batches that reporters said they had, each as often as there are reporters that did."""
        return sum(map(len, self._acknowledged.values()))

    async def wrong(self) -> list[str]:
        found = [line async for line in self._on_chain()]
        found += self._in_stores()
        found += [line async for line in self._under_roots()]
        found += [line async for line in self._accused()]
        found += self._at_registry()
        found += self._at_disputes()
        found += self._endings()
        return found

    async def _on_chain(self) -> AsyncIterator[str]:
        """Each epoch counted once, as it was measured; the meters are the sum."""
        events = await self._world.oracle.events(["FiguresFinal"], from_block=0)
        counted = Counter(
            (ClusterId(event.fields["clusterId"]), event.fields["epoch"]) for event in events
        )
        figures = {
            (ClusterId(event.fields["clusterId"]), event.fields["epoch"]): ClusterFigures.unpack(
                event.fields["figures"]
            )
            for event in events
        }
        for cluster_id, expected in self._hours.items():
            for number, hour in enumerate(expected):
                key = cluster_id, FIRST_EPOCH + number
                if counted[key] != 1:
                    yield f"epoch {number} of cluster {cluster_id}: counted {counted[key]} times"
                elif _hour(figures[key]) != hour:
                    yield f"epoch {number} of cluster {cluster_id}: {figures[key]}, not {hour}"
            reading = await self._world.reading(cluster_id)
            beyond = reading.epoch - (FIRST_EPOCH + self._epochs - 1)
            meters = (
                reading.contracted_gpu_seconds,
                reading.available_gpu_seconds,
                reading.billable_gpu_seconds,
                reading.energy_wh,
            )
            sums = tuple(
                sum(values)
                for values in zip(
                    *((h.contracted, h.available, h.busy, h.energy_wh) for h in expected),
                    strict=True,
                )
            )
            if beyond != 0 or meters != sums:
                yield f"cluster {cluster_id}: {reading}, not {sums}"

    def _in_stores(self) -> Iterator[str]:
        """What a reporter acknowledged, it has."""
        for name, batches in self._acknowledged.items():
            url = make_url(self._system.postgres.url(name.replace("-", "_")))
            address = url.set(drivername="postgresql").render_as_string(hide_password=False)
            with psycopg.connect(address) as connection:
                kept = {bytes(row[0]) for row in connection.execute("select id from batches")}
            for batch in batches:
                if batch.batch.digest(self._world.stage.domain) not in kept:
                    yield f"{name} lost batch {batch.batch.sequence} of {batch.batch.agent}"

    async def _under_roots(self) -> AsyncIterator[str]:
        """The samples behind each report are those that were acknowledged, every one of them."""
        everything: dict[ClusterId, set[Sample]] = {cluster_id: set() for cluster_id in self._hours}
        for batches in self._acknowledged.values():
            for signed in batches:
                everything[signed.batch.cluster_id].update(signed.batch.samples)
        for cluster_id, samples in everything.items():
            for number in range(self._epochs):
                epoch = Epoch(FIRST_EPOCH + number)
                path = f"/v1/clusters/{cluster_id}/reports/{epoch}"
                of_epoch = SampleSet(samples, *epoch_window_ms(epoch))
                for name, reporter in self._system.honest().items():
                    told = await self._told(reporter, path, "sampleRoot")
                    if told is None:
                        yield f"{name} does not show {path}"
                    elif parse_digest(told, "sampleRoot") != of_epoch.root:
                        yield f"{name}: {path} has other samples than {to_hex(of_epoch.root)}"

    async def _told(self, reporter: ReporterProcess, path: str, field: str) -> Any:
        """What it tells in the end: a newcomer has yet to get what was reported before its time."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            answer = await self._world.get(reporter, path)
            told = answer.json().get(field) if answer.status_code == httpx.codes.OK else None
            if told is not None or time.monotonic() > deadline:
                return told
            await asyncio.sleep(_LOOK_SECONDS)

    async def _accused(self) -> AsyncIterator[str]:
        """Nobody but the liar, whoever had its seat, ever signed two reports of one thing."""
        liars = {one.address for one in self._system.seated(self._system.schedule.liar)}
        for name, reporter in self._system.honest().items():
            told = await self._told(reporter, "/v1/equivocations", "equivocations")
            if told is None:
                yield f"{name} tells of no equivocations, not even that there are none"
            for proof in told or ():
                if proof["reporter"] not in liars:
                    yield f"{name} accuses an honest reporter: {proof}"

    def _at_registry(self) -> Iterator[str]:
        """Who reports is who has the seats; bonds add up, and the liar's went to whom it should."""
        ledger = self._system.registry.ledger(list(ACCOUNTS.values()))
        seated = tuple(one.account.address for one in self._system.reporters.values())
        if ledger.reporters != seated:
            yield f"reporters on chain are {ledger.reporters}, not {seated}"
        if ledger.held_usd6 != sum(ledger.bonds_usd6.values()) + ledger.owed_usd6:
            yield f"bonds and what is owed are not what is held: {ledger}"
        minimum, forfeited = ledger.minimum_usd6, self._system.forfeited
        operators = {*REPORTERS} | {
            notice.newcomer
            for notice in self._system.schedule.notices
            if notice.fault == ReporterReplaced.name
        }
        expected = {
            name: minimum if name in operators - forfeited else 0 for name in ledger.bonds_usd6
        }
        if ledger.bonds_usd6 != expected:
            yield f"bonds are {ledger.bonds_usd6}, not {expected}"
        half = len(forfeited) * minimum // 2
        if (ledger.challenger_usd6, ledger.treasury_usd6) != (half, half):
            yield f"challenger and treasury have not {half} each: {ledger}"

    def _at_disputes(self) -> Iterator[str]:
        """Disputes are over; the treasury has the bonds that were lost, the challenger others."""
        found, verdicts = self._system.registry.ask(bonds), self._system.verdicts
        lost = list(verdicts.values()).count(False) * found.bond_usd6
        if (found.held_usd6, found.owed_usd6) != (lost, lost):
            yield f"Disputes has not {lost} for the treasury alone: {found}"
        # A bond that came back is the next one's.
        kept = found.bond_usd6 if [*verdicts.values()][-1:] == [True] else 0
        if found.challenger_usd6 != kept:
            yield f"the challenger has not {kept}: {found}"

    def _endings(self) -> Iterator[str]:
        """A process may say that it cannot start, and is started again; it does not crash."""
        for ending in self._system.endings:
            if ending.status != 2:
                yield f"{ending.name} ended with {ending.status}: {ending.last_line}"


def _hour(figures: ClusterFigures) -> Hour:
    return Hour(
        figures.contracted_gpu_seconds,
        figures.available_gpu_seconds,
        figures.busy_gpu_seconds,
        figures.energy_wh,
    )
