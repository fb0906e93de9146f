"""A reporter that lies, as a process: `python -m tests.support.liar`.

It is the real reporter with its measuring bent, so that it lies in everything that it proposes and
disagrees with everything that is true. `RACKSTREAM_LIE` says how: `figures` bills more than was
worked and counts no downtime, `omit` leaves one agent's batches out of its proposals.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Collection
from dataclasses import replace

from api.domain.reports import ClusterReport
from api.oracle.__main__ import main
from api.oracle.collecting import Collecting
from api.oracle.measuring import Evidence, Measuring
from api.store.batches import BatchRecord
from api.types import ClusterId, Digest, Epoch

_true_evidence = Measuring.evidence
_true_inventory = Collecting.inventory


async def _inflated(
    self: Measuring, cluster_id: ClusterId, epoch: Epoch, batch_ids: Collection[Digest]
) -> Evidence:
    truth = await _true_evidence(self, cluster_id, epoch, batch_ids)
    everything = truth.report.figures.contracted_gpu_seconds
    figures = replace(
        truth.report.figures,
        available_gpu_seconds=everything,
        busy_gpu_seconds=everything,
        billable_gpu_seconds=everything,
    )
    return replace(truth, report=ClusterReport(figures, truth.report.sample_root))


async def _curtailed(self: Collecting, cluster_id: ClusterId, epoch: Epoch) -> list[BatchRecord]:
    records = await _true_inventory(self, cluster_id, epoch)
    silenced = min(record.agent for record in records)
    return [record for record in records if record.agent != silenced]


if __name__ == "__main__":
    if os.environ["RACKSTREAM_LIE"] == "figures":
        Measuring.evidence = _inflated  # type: ignore[method-assign]
    else:
        Collecting.inventory = _curtailed  # type: ignore[method-assign]
    sys.exit(main())
