"""Gas of disputing figures: whole transactions."""

from __future__ import annotations

from ape.api import AccountAPI

from scripts._lib.deployment import System
from tests.support.disputes import (
    CHALLENGE_BOND,
    WINDOW,
    Courtroom,
    Gpu,
    GpuTree,
    changed,
    evidence_of,
    samples_between,
    with_samples,
)
from tests.support.oracle import Figures, Newsdesk
from tests.support.reporters import Operators, key_of
from tests.support.scenario import SHARE, Scenario

CLUSTERS = 100
SAMPLES = 4_096
MJ_PER_WH = 3_600_000

LIMITS = {"challenge": 200_000, "refute_by_energy": 200_000, "refute_by_hardware": 200_000}
"""What the operations may cost at most."""


def measure(
    scenario: Scenario,
    operators: Operators,
    holder: AccountAPI,
    arbiter: AccountAPI,
    challenger: AccountAPI,
) -> dict[str, int]:
    """A challenge, a ruling, a penalty over a report of a hundred clusters, and refutations by the
    registered power and by two of 4,096 samples; of a cluster each, by somebody who is owed
    nothing yet.
    """
    system: System = operators.system
    agent = str(challenger.address)
    tree = GpuTree((Gpu("GPU-a", agent), Gpu("GPU-b", agent)))
    ids = [scenario.live_cluster([holder], [SHARE], gpuSetRoot=tree.root)[0] for _ in range(3)]
    epoch = int(system.registry.epochRange(ids[0]).firstEpoch)
    system.oracle.setDisputeWindow(WINDOW, sender=operators.oracle_admin)
    scenario.give_usd(challenger, 2 * CHALLENGE_BOND)
    system.stablecoin.approve(system.disputes, 2 * CHALLENGE_BOND, sender=challenger)
    keys = tuple(key_of(address) for address in operators.addresses)
    desk = Newsdesk(system.oracle, keys, challenger)
    court = Courtroom(operators, desk, system.disputes, arbiter, challenger)

    # Clusters beyond those that are live are skipped, and make the report as long as a real one.
    others = range(ids[-1] + 1, ids[-1] + 1 + CLUSTERS - 2)
    long = desk.report(epoch, ids[0], Figures(ids[1], energy_wh=10**6), *others)
    court.post(long)
    gas = {"challenge": int(court.challenge(long).gas_used)}
    receipt = court.rule(long, changed(long, energy_wh=1), blamed=True)
    gas["rule"] = int(receipt.gas_used)
    gas[f"penalise_{CLUSTERS}"] = int(
        court.penalise(long, key_of(operators.addresses[-1])).gas_used
    )
    receipt = system.disputes.refuteByHardware(long.root, ids[1], epoch, sender=challenger)
    gas["refute_by_hardware"] = int(receipt.gas_used)

    readings = [(number * 3_600 // SAMPLES, number * MJ_PER_WH) for number in range(SAMPLES)]
    samples = samples_between(tree.gpus[0], epoch, readings)
    sampled = with_samples(desk.report(epoch, Figures(ids[2], 1)), samples)
    court.post(sampled)
    evidence = evidence_of(sampled, tree, 0, (0, SAMPLES - 1))
    receipt = system.disputes.refuteByEnergy(
        sampled.root, ids[2], epoch, evidence, sender=challenger
    )
    gas["refute_by_energy"] = int(receipt.gas_used)
    return gas
