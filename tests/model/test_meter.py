"""MetricsOracle against `meter.py` through random histories of two clusters.

Any rhythm of reports, any dispute windows, anybody who finalizes: after every step the contract,
which keeps a few words, must answer what the model finds by searching through every report there
ever was. `contracts/oracle/README.md` has the equations.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

import ape
import pytest
from ape import chain
from ape.api import AccountAPI
from ape.contracts import ContractInstance

from scripts._lib import roles
from scripts._lib.deployment import System
from tests.model.meter import Meter
from tests.support.oracle import (
    DAY_SECONDS,
    GRACE_SECONDS,
    Figures,
    Newsdesk,
    Reading,
    end_of,
    reporter_keys,
)
from tests.support.scenario import (
    EPOCH_SECONDS,
    SHARE,
    Scenario,
    current_epoch,
    default_spec,
    travel_to,
)

STEPS = 60


@dataclass
class History:
    """Two clusters, the contract and its model, and what was seen to be settled."""

    desk: Newsdesk
    oracle_admin: AccountAPI
    keeper: AccountAPI
    registry: ContractInstance
    issuer: AccountAPI
    meters: dict[int, Meter]
    draw: random.Random
    now: int
    window: int = 0
    holds: int = 0
    roots: dict[tuple[int, int], bytes] = field(default_factory=dict)
    """cluster and epoch → root of the report that it was posted with."""
    changes: dict[int, list[int]] = field(default_factory=dict)
    """cluster → epochs from which specifications act."""
    settled: dict[int, dict[int, int]] = field(default_factory=dict)
    """cluster → resolved epoch that was seen → energy up to it at that time."""

    def step(self) -> None:
        chances = {
            self.post: 12, self.finalize: 6, self.change_window: 3, self.wait: 3,
            self.hold: 6, self.settle: 4, self.change_spec: 4,
        }  # fmt: skip
        [action] = self.draw.choices(list(chances), list(chances.values()))
        self.advance(self.draw.choice([1, 60, 1_800, EPOCH_SECONDS]))
        action()

    def advance(self, seconds: int) -> None:
        self.now += seconds
        chain.pending_timestamp = self.now

    def wait(self) -> None:
        """For half a day, or until a second around the end of somebody's grace."""
        meter = self.draw.choice(list(self.meters.values()))
        lapse = end_of(meter.next_epoch + self.draw.randrange(3)) + GRACE_SECONDS
        target = self.draw.choice([self.now + DAY_SECONDS // 2, lapse - 1, lapse, lapse + 1])
        self.now = max(self.now, target)
        travel_to(self.now)

    def post(self) -> None:
        """Some epochs in a row: of one cluster, or of both as far as it is their turn."""
        cluster_id, meter = self.draw.choice(list(self.meters.items()))
        named = self.draw.choice([[cluster_id], list(self.meters)])
        for _ in range(self.draw.choice([1, 1, 2, 12])):
            epoch = meter.next_epoch
            if self.now >= end_of(epoch):
                self.advance(1)
            else:
                self.advance(end_of(epoch) - self.now)
            figures = [self.figures(id_) for id_ in named]
            report = self.desk.report(epoch, *figures, salt=self.now)
            receipt = self.desk.post(report)
            assert receipt.timestamp == self.now
            for one in figures:
                if self.meters[one.cluster_id].post(epoch, one, self.window, self.now):
                    self.roots[one.cluster_id, epoch] = report.root

    def figures(self, cluster_id: int) -> Figures:
        quantities = sorted((self.draw.randrange(10**6) for _ in range(4)), reverse=True)
        return Figures(cluster_id, self.draw.randrange(1, 10**6), *quantities)

    def finalize(self) -> None:
        cluster_id, meter = self.draw.choice(list(self.meters.items()))
        limit = self.draw.choice([1, 2, 100])
        receipt = self.desk.oracle.finalize(cluster_id, limit, sender=self.keeper)
        assert receipt.timestamp == self.now
        expected = meter.finalize(limit, self.now)
        assert len(self.desk.events(receipt, "FiguresFinal")) == expected

    def hold(self) -> None:
        """Any epoch that waits, in its window or not: the contract has to say which may be held."""
        cluster_id, meter = self.draw.choice(list(self.meters.items()))
        epochs = meter.waiting[-3:] or [meter.first_epoch]
        epoch = self.draw.choice(epochs)
        root = self.roots.get((cluster_id, epoch), bytes(32))
        if meter.can_be_held(epoch, self.now):
            receipt = self.desk.oracle.hold(root, cluster_id, epoch, sender=self.oracle_admin)
            assert receipt.timestamp == self.now
            meter.accepted[epoch].held = True
            self.holds += 1
        else:
            with ape.reverts():
                self.desk.oracle.hold(root, cluster_id, epoch, sender=self.oracle_admin)
            travel_to(self.now)

    def settle(self) -> None:
        """What is held goes on, with the same figures or others."""
        for cluster_id, meter in self.meters.items():
            for epoch in meter.held[:1]:
                others = [meter.accepted[epoch].figures, self.figures(cluster_id)]
                counted = self.draw.choice(others)
                self.desk.oracle.settle(cluster_id, epoch, counted.word, sender=self.oracle_admin)
                meter.settle(epoch, counted)
                self.advance(1)
        travel_to(self.now)

    def change_window(self) -> None:
        self.window = self.draw.choice([0, 0, 600, 2 * EPOCH_SECONDS, DAY_SECONDS])
        self.desk.oracle.setDisputeWindow(self.window, sender=self.oracle_admin)

    def change_spec(self) -> None:
        """A specification of each cluster, from the first epoch that its notice allows."""
        for cluster_id in self.meters:
            scheduled = self.changes.setdefault(cluster_id, [])
            epoch = (self.now + EPOCH_SECONDS - 1) // EPOCH_SECONDS + 1
            if not scheduled or scheduled[-1] * EPOCH_SECONDS <= self.now:
                spec = default_spec(contractedRateUsd6PerGpuHour=1_000 - len(scheduled))
                self.registry.scheduleSpec(cluster_id, epoch, spec, sender=self.issuer)
                scheduled.append(epoch)
            self.advance(1)
        travel_to(self.now)

    def check_changes(self) -> None:
        """What is kept of a change, or shown until it is reached, is the sum before it."""
        for cluster_id, scheduled in self.changes.items():
            meter = self.meters[cluster_id]
            for epoch in scheduled:
                if epoch > meter.first_epoch:
                    told = self.desk.oracle.readingBefore(cluster_id, epoch)
                    assert Reading.of(told) == meter.reading_before(epoch)

    def check(self) -> None:
        self.check_changes()
        oracle = self.desk.oracle
        for cluster_id, meter in self.meters.items():
            reading = self.desk.reading(cluster_id)
            assert reading == meter.reading
            assert oracle.isDisputed(cluster_id) == bool(meter.held)
            assert oracle.nextEpoch(cluster_id) == meter.next_epoch
            resolved = int(oracle.resolvedEpoch(cluster_id))
            assert resolved == meter.resolved_epoch(self.now)
            assert reading.energy_wh == meter.energy_through(resolved)

            seen = self.settled.setdefault(cluster_id, {})
            assert resolved >= max(seen, default=0)
            for epoch, energy in seen.items():
                assert meter.energy_through(epoch) == energy
            seen[resolved] = meter.energy_through(resolved)


@pytest.fixture(scope="module")
def desk(
    system: System,
    oracle: ContractInstance,
    oracle_admin: AccountAPI,
    admin: AccountAPI,
    relayer: AccountAPI,
) -> Newsdesk:
    keys = tuple(reporter_keys(1))
    system.authority.grantRole(roles.DISPUTES_ROLE, oracle_admin, 0, sender=admin)
    oracle.setReporters([key.address for key in keys], sender=oracle_admin)
    return Newsdesk(oracle, keys, relayer)


@pytest.fixture(scope="module")
def meters(
    desk: Newsdesk, registry: ContractInstance, scenario: Scenario, holder: AccountAPI
) -> dict[int, int]:
    """Two clusters that have just gone live → their first epoch."""
    travel_to((current_epoch() + 1) * EPOCH_SECONDS + 1)
    ids = [scenario.live_cluster([holder], [100 * SHARE])[0] for _ in range(2)]
    return {id_: int(registry.epochRange(id_).firstEpoch) for id_ in ids}


@pytest.mark.parametrize("seed", range(3))
def test_meter__random_history__as_the_model_says_at_every_step(
    desk: Newsdesk,
    oracle_admin: AccountAPI,
    keeper: AccountAPI,
    registry: ContractInstance,
    issuer: AccountAPI,
    meters: dict[int, int],
    seed: int,
) -> None:
    history = History(
        desk,
        oracle_admin,
        keeper,
        registry,
        issuer,
        {id_: Meter(first_epoch) for id_, first_epoch in meters.items()},
        random.Random(seed),
        int(chain.blocks.head.timestamp),
    )
    history.change_spec()
    for _ in range(STEPS):
        history.step()
        history.check()
    accepted = [entry for meter in history.meters.values() for entry in meter.accepted.values()]
    assert any(entry.late for entry in accepted)
    assert any(not entry.late for entry in accepted)
    assert history.holds > 0
    passed = [
        epoch
        for id_, scheduled in history.changes.items()
        for epoch in scheduled
        if epoch <= history.meters[id_].reading.epoch
    ]
    assert passed
