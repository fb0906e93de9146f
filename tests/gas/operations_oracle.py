"""Gas of the oracle's operations: whole transactions, as receipts state them."""

from __future__ import annotations

from ape.api import AccountAPI

from scripts._lib.deployment import System
from tests.support.bulk import live_clusters
from tests.support.oracle import (
    Figures,
    Newsdesk,
    Sampled,
    quorum_of,
    reporter_keys,
    samples_of,
)
from tests.support.scenario import default_spec, travel_to_epoch

REPORTERS = 7
SIZES = (1, 10, 100)
SAMPLES = 4_096

LIMITS = {"report_1": 95_000, "report_100": 900_000}
"""What the operations may cost at most."""


def measure(
    system: System,
    registrar: AccountAPI,
    issuer: AccountAPI,
    oracle_admin: AccountAPI,
    transmitter: AccountAPI,
) -> dict[str, int]:
    """`report_N`: a report of N clusters of 1,024 GPUs that have been reported before.

    Seven reporters, of whom the five of a quorum sign; no dispute window. `verify_sample`: the
    proof of one of 4,096 samples, an hour of 68 GPUs by the minute, behind one of 100 clusters.
    """
    keys = tuple(reporter_keys(REPORTERS))
    system.oracle.setReporters([key.address for key in keys], sender=oracle_admin)
    desk = Newsdesk(system.oracle, keys, transmitter)
    assert len(desk.quorum) == quorum_of(REPORTERS) == 5

    clusters = live_clusters(system, registrar, issuer, [default_spec()] * max(SIZES))
    epoch = int(system.registry.epochRange(clusters[-1]).firstEpoch)
    travel_to_epoch(epoch + len(SIZES) + 1)
    desk.post(desk.report(epoch, *_hour(clusters)))

    gas = {}
    # The larger first: a cluster that is left out of a report could not be in the next.
    for size in sorted(SIZES, reverse=True):
        epoch += 1
        receipt = desk.post(desk.report(epoch, *_hour(clusters[:size])))
        assert len(desk.events(receipt, "FiguresFinal")) == size
        gas[f"report_{size}"] = int(receipt.gas_used)
    epoch += 1
    plain = desk.report(epoch, *_hour(clusters))
    report = Sampled(
        plain.chain_id,
        plain.oracle,
        plain.set_id,
        epoch,
        plain.figures,
        samples=samples_of(SAMPLES),
    )
    travel_to_epoch(epoch + 1)
    desk.post(report)
    last = len(report.figures) - 1
    receipt = system.oracle.verifySample.transact(
        report.root,
        epoch,
        report.words[last],
        report.proof(last),
        report.samples[0],
        report.sample_proof(0),
        sender=transmitter,
    )
    gas["verify_sample"] = int(receipt.gas_used)
    return dict(sorted(gas.items(), key=lambda item: item[1]))


def _hour(clusters: list[int]) -> list[Figures]:
    """An hour of 1,024 GPUs in each cluster, no two alike."""
    return [
        Figures(
            cluster_id,
            energy_wh=627_200 + 97 * cluster_id,
            contracted=1_024 * 3_600,
            available=3_600_000 + 89 * cluster_id,
            busy=2_400_000 + 83 * cluster_id,
            billable=2_200_000 + 79 * cluster_id,
        )
        for cluster_id in clusters
    ]
