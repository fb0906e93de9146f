"""All systems on one Anvil, measured by the same steps."""

from __future__ import annotations

from dataclasses import dataclass

from ape.api import AccountAPI

from tests.bench.gas.accumulator import Accumulator
from tests.bench.gas.chain import Chain
from tests.bench.gas.cluster import BATCH, Ground, System
from tests.bench.gas.measure import Measured, Work, operations, populate, work
from tests.bench.gas.openzeppelin import OpenZeppelin, own_contract
from tests.bench.gas.packages import ensure_installed
from tests.bench.gas.push import PushPayments
from tests.bench.gas.rackstream import Rackstream, deploy_shares
from tests.bench.gas.results import Results, Row
from tests.bench.gas.sablier import Sablier
from tests.bench.gas.superfluid import Superfluid, SuperfluidStream
from tests.bench.gas.superfluid_framework import Framework
from tests.bench.gas.trex import Trex
from tests.support.node import copy_of_chain
from tests.support.scenario import Scenario, travel_to

START = 2_000_000_000 // 14_400 * 14_400
"""Unix second, always the same: what is measured can be measured again."""
DAYS = {10: 10, 1_000: 1}
"""Days of work by number of holders: of ten, one trades in ten days."""
USD_OF_FUNDER = 10**17


@dataclass(frozen=True)
class Comparison:
    """The accounts that hold, the same of every system."""

    holders: list[str]

    def row(self, system: System) -> Row:
        cluster = system.open()
        measured = operations(cluster, self.holders[:BATCH])
        works = tuple(self._work(system, holders, days) for holders, days in DAYS.items())
        names = system.name, system.title, system.built, system.use
        return Row(*names, cluster.SERVES_EACH, measured, works)

    def _work(self, system: System, holders: int, days: int) -> Work:
        cluster = system.open()
        populate(cluster, self.holders[:holders])
        return work(cluster, self.holders[:holders], days)

    def operations_of(self, system: System, holders: int) -> Measured:
        return operations(system.open(), self.holders[:holders])


def compare(scenario: Scenario, funder: AccountAPI) -> Results:
    """Deploy and measure all. Shares of ours are deployed by ape, and everything is done on a copy.

    The copy keeps no traces and no history, which makes it ten times as fast.
    """
    ensure_installed()
    travel_to(START)
    scenario.give_usd(funder, USD_OF_FUNDER)
    shares = deploy_shares(scenario, funder, 1 + 2 * len(DAYS))
    with copy_of_chain() as node:
        chain = Chain(node)
        ground = Ground(
            chain,
            usd=str(scenario.system.stablecoin.address),
            issuer=str(scenario.issuer.address),
            funder=str(funder.address),
        )
        holders = [chain.account(f"holder {n}") for n in range(max(DAYS))]
        payments = PushPayments(ground, own_contract("PushPayer"))
        framework = Framework(ground)
        ours = Rackstream(ground, scenario, shares)
        peers = [
            OpenZeppelin(ground, payments),
            Trex(ground, payments),
            Sablier(ground),
            Superfluid(ground, framework),
            SuperfluidStream(ground, framework),
            Accumulator(ground),
        ]
        comparison = Comparison(holders)
        rows = tuple(comparison.row(system) for system in (ours, *peers))
        by_holders = {n: comparison.operations_of(ours, n) for n in DAYS}
        by_holders[BATCH] = rows[0].measured
        return Results(rows, dict(sorted(by_holders.items())))
