"""A Live cluster whose income a test sends, reports and splits, in figures easy to reckon with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ape import chain, project
from ape.api import AccountAPI, ReceiptAPI
from ape.contracts import ContractInstance

from tests.support.oracle import Figures, Newsdesk, reporter_keys
from tests.support.scenario import EPOCH_SECONDS, SHARE, USD, Scenario, travel_to_epoch

CONTRACTED = 300_000
"""Running cost of the one GPU an hour, beside energy: $0.30."""
ENERGY_PER_KWH = 150_000
"""1 kWh × PUE 1.5 × $0.10: $0.15."""
MAXIMUM = CONTRACTED + ENERGY_PER_KWH
"""The GPU draws 1 kW at most."""
RESERVE_TARGET = 10 * USD
SHARES = 1_000 * SHARE
REF = b"\x33" * 32

SPEC: dict[str, int] = {
    "gpuCount": 1,
    "gpuMaxPowerWatts": 1_000,
    "gpuIdlePowerWatts": 100,
    "pueBps": 15_000,
    "tariffUsd6PerKwh": 100_000,
    "contractedRateUsd6PerGpuHour": CONTRACTED,
    "reserveShareBps": 1_000,
    "reserveTargetUsd6": RESERVE_TARGET,
}

FREE = {"tariffUsd6PerKwh": 0, "contractedRateUsd6PerGpuHour": 0}
"""Of a cluster that costs nothing to run: time decides nothing."""


@dataclass(frozen=True)
class Books:
    """One cluster's waterfall with two tranches, seen at the start of its first epoch."""

    scenario: Scenario
    waterfall: ContractInstance
    cluster_id: int
    share: ContractInstance
    senior: ContractInstance
    junior: ContractInstance
    desk: Newsdesk
    customer: AccountAPI
    first_epoch: int

    @property
    def start(self) -> int:
        return self.first_epoch * EPOCH_SECONDS

    @property
    def state(self) -> Any:
        return self.waterfall.state(self.cluster_id)

    def receive(self, amount_usd6: int, at: int | None = None) -> ReceiptAPI:
        if at is not None:
            chain.pending_timestamp = at
        receipt: ReceiptAPI = self.waterfall.receiveIncome(
            self.cluster_id, amount_usd6, 0, REF, sender=self.customer
        )
        return receipt

    def distribute(self, at: int | None = None) -> ReceiptAPI:
        if at is not None:
            chain.pending_timestamp = at
        receipt: ReceiptAPI = self.waterfall.distribute(self.cluster_id, sender=self.customer)
        return receipt

    def report(self, epochs_after_first: int, energy_wh: int) -> None:
        """A Final report of that epoch; its cluster must have all before it reported."""
        figures = Figures(self.cluster_id, energy_wh, 3_600, 3_600, 0, 0)
        epoch = self.first_epoch + epochs_after_first
        self.desk.post(self.desk.report(epoch, figures, salt=epochs_after_first))

    def is_conserved(self) -> bool:
        """Whether every unit received is on one level, and held unless it was paid out."""
        s = self.state
        levels = s.operatorAssigned + s.tranchesAssigned + s.reserveAssigned + s.holdersAssigned
        out = s.operatorPaid + s.tranchesPaid + s.reserveDrawn + s.holdersStreamed
        held = self.scenario.system.stablecoin.balanceOf(self.waterfall)
        return bool(
            s.received == s.undistributed + levels
            and s.received == held + out
            and s.operatorAssigned == s.operatorEarned + s.escrowed
            and s.operatorPaid <= s.operatorEarned
        )


def open_books(
    scenario: Scenario,
    oracle_admin: AccountAPI,
    customer: AccountAPI,
    holder: AccountAPI,
    **spec_changes: Any,
) -> Books:
    """A cluster with `SPEC`, a senior and a junior tranche, one holder and one reporter."""
    system, deployer, issuer = scenario.system, scenario.deployer, scenario.issuer
    cluster_id = scenario.register_cluster(**(SPEC | spec_changes))
    senior = deployer.deploy(project.TestTranche, cluster_id)
    junior = deployer.deploy(project.TestTranche, cluster_id)
    for tranche in (senior, junior):
        system.waterfall.appendTranche(cluster_id, tranche, sender=issuer)
    share = scenario.open_funding(cluster_id)
    scenario.issue(share, [holder], [SHARES])
    system.registry.goLive(cluster_id, sender=issuer)
    keys = tuple(reporter_keys(1))
    system.oracle.setReporters([key.address for key in keys], sender=oracle_admin)
    scenario.give_usd(customer, 2 * 10**18)
    system.stablecoin.approve(system.waterfall, 2**256 - 1, sender=customer)
    first_epoch = int(system.registry.epochRange(cluster_id).firstEpoch)
    travel_to_epoch(first_epoch)
    return Books(
        scenario,
        system.waterfall,
        cluster_id,
        share,
        senior,
        junior,
        Newsdesk(system.oracle, keys, deployer),
        customer,
        first_epoch,
    )


def up(numerator: int, denominator: int) -> int:
    """The quotient, rounded up."""
    return -(-numerator // denominator)
