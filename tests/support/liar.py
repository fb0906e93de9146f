"""A reporter that lies, as a process: `python -m tests.support.liar`.

It is the real reporter with its measuring bent, so that it lies in everything that it proposes and
disagrees with everything that is true. `RACKSTREAM_LIE` says how: `figures` bills more than was
worked and counts no downtime, `omit` leaves one agent's batches out of its proposals, `equivocate`
proposes the truth to one peer and a watt-hour more to the others, in the same round. `out-of-turn`
does that in every round of the newest epoch that is over, whosever turn it is.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Collection
from dataclasses import replace

from api.domain.epochs import epoch_at
from api.domain.reports import ClusterReport, Report
from api.oracle.__main__ import main
from api.oracle.agree import Proposer
from api.oracle.collecting import Collecting
from api.oracle.measuring import Evidence, Measuring
from api.oracle.peers import Peer
from api.oracle.proposals import ClusterProposal, parse_proposal
from api.oracle.rounds import round_at
from api.store.batches import BatchRecord
from api.types import Address, ClusterId, Digest, Epoch, Signature

_true_evidence = Measuring.evidence
_true_inventory = Collecting.inventory
_true_ask = Proposer._ask_one
_true_work = Proposer.work

_out_of_turn: set[tuple[Epoch, int]] = set()


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


async def _curtailed(
    self: Collecting, clusters: Collection[ClusterId], epoch: Epoch
) -> dict[ClusterId, list[BatchRecord]]:
    held = await _true_inventory(self, clusters, epoch)
    return {cluster_id: _without_one(records) for cluster_id, records in held.items()}


def _without_one(records: list[BatchRecord]) -> list[BatchRecord]:
    silenced = min((record.agent for record in records), default=None)
    return [record for record in records if record.agent != silenced]


async def _ask_another(
    self: Proposer, peer: Peer, body: bytes, report: Report
) -> tuple[Address, Signature] | None:
    if peer.address == min(one.address for one in self._others(self._watch.snapshot)):
        return await _true_ask(self, peer, body, report)
    truth = parse_proposal(body).proposal
    lie = replace(truth, clusters=tuple(map(_bent, truth.clusters)))
    signature = await self._promises._signer.sign(lie.report.message(self._domain))
    return await _true_ask(self, peer, lie.signed_json(signature), lie.report)


async def _work_out_of_turn(self: Proposer) -> bool:
    snapshot, now = self._watch.current(), self._clock.now()
    epoch = Epoch(epoch_at(now) - 1)
    round_ = round_at(now, epoch)
    if (epoch, round_) not in _out_of_turn:
        _out_of_turn.add((epoch, round_))
        truth = await self._compute(snapshot, epoch, round_, frozenset(snapshot.next_epochs))
        own = await self._promises._signer.sign(truth.report.message(self._domain))
        body = truth.signed_json(own)
        for peer in self._others(snapshot):
            await _ask_another(self, peer, body, truth.report)
    return await _true_work(self)


def _bent(cluster: ClusterProposal) -> ClusterProposal:
    figures = cluster.report.figures
    more = replace(figures, energy_wh=figures.energy_wh + 1)
    return replace(cluster, report=replace(cluster.report, figures=more))


if __name__ == "__main__":
    lie = os.environ["RACKSTREAM_LIE"]
    if lie == "figures":
        Measuring.evidence = _inflated  # type: ignore[method-assign]
    elif lie == "equivocate":
        Proposer._ask_one = _ask_another  # type: ignore[method-assign]
    elif lie == "out-of-turn":
        Proposer._ask_one = _ask_another  # type: ignore[method-assign]
        Proposer.work = _work_out_of_turn  # type: ignore[method-assign]
    else:
        Collecting.inventory = _curtailed  # type: ignore[method-assign]
    sys.exit(main())
