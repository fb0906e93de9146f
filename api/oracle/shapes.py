"""From what the services return to the models of the answers."""

from __future__ import annotations

from collections.abc import Sequence

from api.domain.codec import json_integer, to_hex
from api.domain.epochs import epoch_end, epoch_start
from api.domain.equivocation import Equivocation, SignedReport
from api.domain.figures import ClusterFigures
from api.domain.quality import Hour
from api.domain.samples import sample_json, sample_leaf
from api.oracle import schemas
from api.oracle.reading import (
    ClusterDetail,
    ClusterOverview,
    ClusterReportDetail,
    SampleProof,
    hexes,
    status_word,
)
from api.oracle.series import Point
from api.store.batches import BatchRecord
from api.store.reports import CountedEpoch
from api.types import BPS, ClusterId


def receipt(record: BatchRecord) -> schemas.BatchReceipt:
    return schemas.BatchReceipt(
        batch_id=to_hex(record.id),
        cluster_id=record.cluster_id,
        agent=record.agent,
        sequence=json_integer(record.sequence),
        samples=record.sample_count,
        through_ms=record.through_ms,
        received_at_ms=record.received_at_ms,
    )


def figures(measured: ClusterFigures) -> dict[str, int | None]:
    """The members of `schemas.Figures`."""
    contracted = measured.contracted_gpu_seconds

    def share(part: int) -> int | None:
        return part * BPS // contracted if contracted else None

    return {
        "contracted_gpu_seconds": contracted,
        "available_gpu_seconds": measured.available_gpu_seconds,
        "busy_gpu_seconds": measured.busy_gpu_seconds,
        "billable_gpu_seconds": measured.billable_gpu_seconds,
        "energy_wh": measured.energy_wh,
        "availability_bps": share(measured.available_gpu_seconds),
        "utilisation_bps": share(measured.busy_gpu_seconds),
        "billable_bps": share(measured.billable_gpu_seconds),
    }


def series(
    cluster_id: ClusterId, start: int, end: int, step: int, points: list[Point]
) -> schemas.MetricSeries:
    return schemas.MetricSeries.model_validate(
        {
            "cluster_id": cluster_id,
            "from": start,
            "to": end,
            "step": step,
            "points": [
                {"from": point.start, "to": point.end, **figures(point.figures)} for point in points
            ],
        }
    )


def quality(cluster_id: ClusterId, hours: Sequence[Hour]) -> schemas.Quality:
    return schemas.Quality.model_validate(
        {"cluster_id": cluster_id, "hours": [hour.to_json() for hour in hours]}
    )


def summary(overview: ClusterOverview) -> schemas.ClusterSummary:
    return schemas.ClusterSummary.model_validate(_summary(overview))


def cluster(detail: ClusterDetail) -> schemas.ClusterModel:
    overview, spec, reading = detail.overview, detail.overview.spec, detail.reading
    return schemas.ClusterModel.model_validate(
        _summary(overview)
        | {
            "first_epoch": overview.cluster.first_epoch,
            "retired_epoch": overview.cluster.last_epoch,
            "specification": {
                "gpu_set_root": to_hex(spec.gpu_set_root),
                "documents_root": to_hex(spec.documents_root),
                "gpu_max_power_watts": spec.gpu_max_power_watts,
                "gpu_idle_power_watts": spec.gpu_idle_power_watts,
                "pue_bps": spec.pue_bps,
                "tariff_usd6_per_kwh": spec.tariff_usd6_per_kwh,
                "contracted_rate_usd6_per_gpu_hour": spec.contracted_rate_usd6_per_gpu_hour,
                "reserve_share_bps": spec.reserve_share_bps,
                "depreciation_life_seconds": spec.depreciation_life_seconds,
                "price_paid_usd6": str(spec.price_paid_usd6),
                "reserve_target_usd6": str(spec.reserve_target_usd6),
            },
            "meters": {
                "epoch": reading.epoch,
                "energy_wh": str(reading.energy_wh),
                "contracted_gpu_seconds": str(reading.contracted_gpu_seconds),
                "available_gpu_seconds": str(reading.available_gpu_seconds),
                "billable_gpu_seconds": str(reading.billable_gpu_seconds),
                "is_stale": detail.is_stale,
                "is_disputed": detail.is_disputed,
            },
            "gpus_known": None if detail.gpus is None else len(detail.gpus),
            "agents": [
                {
                    "agent": agent,
                    "sequence": json_integer(progress.sequence),
                    "through_ms": progress.through_ms,
                }
                for agent, progress in sorted(detail.agents.items())
            ],
        }
    )


def claim(report: SignedReport) -> schemas.ClaimModel:
    return schemas.ClaimModel(
        reporter_set_id=report.reporter_set_id,
        epoch=report.epoch,
        round=report.round,
        root=to_hex(report.root),
        figures=[str(word) for word in report.figures],
        signature=to_hex(report.signature),
    )


def equivocation(proof: Equivocation) -> schemas.EquivocationModel:
    return schemas.EquivocationModel(
        reporter=proof.reporter,
        cluster_id=proof.cluster_id,
        first=claim(proof.first),
        second=claim(proof.second),
        first_index=proof.first_index,
        second_index=proof.second_index,
    )


def report(
    detail: ClusterReportDetail, samples: Sequence[SampleProof] | None
) -> schemas.ReportModel:
    counted, posted, part = detail.counted, detail.posted, detail.part
    is_other = detail.bound not in (None, counted.figures)
    return schemas.ReportModel.model_validate(
        {
            "cluster_id": counted.cluster_id,
            "epoch": counted.epoch,
            "from": epoch_start(counted.epoch),
            "to": epoch_end(counted.epoch),
            "state": _state(counted),
            "reporter_set_id": posted.reporter_set_id,
            "round": posted.round,
            "root": to_hex(posted.root),
            "figures": figures(ClusterFigures.unpack(counted.figures)),
            "packed_figures": str(counted.figures),
            "bound_figures": str(detail.bound) if is_other else None,
            "sample_root": to_hex(part.report.sample_root) if part else None,
            "leaf": to_hex(part.report.leaf(counted.epoch)) if part else None,
            "proof": None if detail.leaf_proof is None else hexes(detail.leaf_proof),
            "batch_ids": hexes(part.batch_ids) if part else None,
            "signatures": None
            if detail.signatures is None
            else [
                {"reporter": reporter, "signature": to_hex(signature)}
                for reporter, signature in detail.signatures
            ],
            "transaction": {
                "hash": to_hex(posted.tx_hash),
                "block_number": posted.block_number,
                "block_hash": to_hex(posted.block_hash),
                "transmitter": posted.transmitter,
            },
            "samples": None
            if samples is None
            else [
                {
                    "sample": sample_json(one.sample),
                    "leaf": to_hex(sample_leaf(one.sample)),
                    "root": to_hex(one.root),
                    "proof": hexes(one.proof),
                }
                for one in samples
            ],
        }
    )


def _summary(overview: ClusterOverview) -> dict[str, object]:
    cluster, spec = overview.cluster, overview.spec
    return {
        "cluster_id": overview.cluster_id,
        "status": status_word(cluster.status),
        "gpu_model": spec.gpu_model,
        "region": spec.region,
        "gpu_count": spec.gpu_count,
        "share": cluster.share,
        "next_epoch": overview.next_epoch,
        "last_epoch": _counted(overview.last_counted),
    }


def _counted(entry: CountedEpoch | None) -> dict[str, object] | None:
    if entry is None:
        return None
    return {
        "epoch": entry.epoch,
        "state": _state(entry),
        **figures(ClusterFigures.unpack(entry.figures)),
    }


def _state(entry: CountedEpoch) -> str:
    if entry.is_final:
        return "final"
    return "held" if entry.is_held else "waiting"
