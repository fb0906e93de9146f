"""Disputes.refuteBy…: figures that the chain itself can see are wrong, without a bond."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

import ape
import pytest
from ape import chain
from ape.api import AccountAPI

from tests.support.disputes import (
    CHALLENGE_BOND,
    NONE,
    REFUTED,
    SETTLED,
    Courtroom,
    Gpu,
    GpuTree,
    changed,
    evidence_of,
    samples_between,
    with_samples,
)
from tests.support.oracle import (
    GRACE_SECONDS,
    Figures,
    Reading,
    Report,
    Sampled,
    end_of,
    leaf_of,
    merkle,
)
from tests.support.scenario import EPOCH_SECONDS, SHARE, Scenario, current_epoch, travel_to

WATTS = 700
MJ_PER_WH = 3_600_000


# -- by the root -------------------------------------------------------------------------------


@dataclass(frozen=True)
class TwoFaced(Report):
    """A report whose root binds another word to the first cluster than it carries."""

    bound: Figures = field(kw_only=True)

    @property
    def leaves(self) -> list[bytes]:
        others = super().leaves[1:]
        return [leaf_of(self.bound, self.epoch, self.sample_root(0)), *others]


def two_faced(report: Report, bound: Figures) -> TwoFaced:
    return TwoFaced(
        report.chain_id, report.oracle, report.set_id, report.epoch, report.figures, bound=bound
    )


def refute_by_root(court: Courtroom, report: Report, bound: Figures) -> Any:
    return court.disputes.refuteByRoot(
        report.root, report.figures[0].cluster_id, report.epoch, bound.word,
        report.sample_root(0), report.proof(0), sender=court.challenger,
    )  # fmt: skip


def test_refute_by_root__other_figures_bound__held_without_a_bond(
    court: Courtroom, clusters: list[int], first_epoch: int
) -> None:
    plain = court.desk.report(first_epoch, *clusters)
    bound = changed(plain, available=20_000, busy=1, billable=1)
    report = two_faced(plain, bound)
    court.post(report)
    receipt = refute_by_root(court, report, bound)
    (event,) = receipt.decode_logs(court.disputes.Refuted)
    assert (event.challenger, event.root) == (court.challenger.address, report.root)
    assert event.figures == report.words[0]
    found = court.state(report)
    assert (found.state, found.bonded) == (REFUTED, False)
    assert court.oracle.isDisputed(clusters[0])
    court.holds_exactly([court.challenger], 0)


def test_refute_by_root__the_figures_posted__refused(
    court: Courtroom, clusters: list[int], first_epoch: int
) -> None:
    report = court.desk.report(first_epoch, *clusters)
    court.post(report)
    with ape.reverts(court.disputes.Disputes_SameFigures, figures=report.words[0]):
        refute_by_root(court, report, report.figures[0])
    # Those of its neighbour are bound too, and are no contradiction.
    with ape.reverts(court.disputes.Disputes_SameFigures, figures=report.words[1]):
        court.disputes.refuteByRoot(
            report.root, clusters[0], first_epoch, report.words[1],
            report.sample_root(1), report.proof(1), sender=court.challenger,
        )  # fmt: skip
    assert court.state(report).state == NONE


def test_refute_by_root__not_under_the_root__refused(
    court: Courtroom, clusters: list[int], first_epoch: int
) -> None:
    report = court.desk.report(first_epoch, *clusters)
    court.post(report)
    wrong = changed(report, energy_wh=1)
    with ape.reverts(court.disputes.Disputes_NotBound, root=report.root, figures=wrong.word):
        refute_by_root(court, report, wrong)


def test_refute_by_root__energy_that_came_late__is_no_contradiction(
    court: Courtroom, clusters: list[int], first_epoch: int
) -> None:
    travel_to(end_of(first_epoch) + GRACE_SECONDS)
    report = court.desk.report(first_epoch, *clusters)
    court.post(report)
    with ape.reverts(court.disputes.Disputes_SameFigures):
        refute_by_root(court, report, report.figures[0])


def test_refute_by_root__no_energy_posted_in_time__is_one(
    court: Courtroom, clusters: list[int], first_epoch: int
) -> None:
    plain = court.desk.report(first_epoch, Figures(clusters[0], 0))
    report = two_faced(plain, Figures(clusters[0], 5_000))
    court.post(report)
    refute_by_root(court, report, Figures(clusters[0], 5_000))
    assert court.state(report).state == REFUTED


# -- by the hardware ---------------------------------------------------------------------------


@pytest.mark.parametrize("contracted", [28_800, 3_599, 1])
def test_refute_by_hardware__more_than_it_can_draw__refuted(
    court: Courtroom, cluster_id: int, first_epoch: int, contracted: int
) -> None:
    limit = (contracted + 1) * WATTS // 3_600
    figures = Figures(cluster_id, limit + 1, contracted, 1, 1, 1)
    report = court.desk.report(first_epoch, figures)
    court.post(report)
    court.disputes.refuteByHardware(report.root, cluster_id, first_epoch, sender=court.challenger)
    assert court.state(report).state == REFUTED


@pytest.mark.parametrize("contracted", [28_800, 3_599, 1])
def test_refute_by_hardware__what_it_can_draw__refused(
    court: Courtroom, cluster_id: int, first_epoch: int, contracted: int
) -> None:
    """The most that reporters count of a time that they round down to the second."""
    almost_a_second_more = Fraction(contracted * 1_000 + 999, 1_000)
    most = int(almost_a_second_more * WATTS / 3_600)
    report = court.desk.report(first_epoch, Figures(cluster_id, most, contracted, 1, 1, 1))
    court.post(report)
    with ape.reverts(court.disputes.Disputes_WithinHardware, energyWh=most):
        court.disputes.refuteByHardware(
            report.root, cluster_id, first_epoch, sender=court.challenger
        )
    assert court.state(report).state == NONE


# -- by samples --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Measured:
    """A cluster with two known GPUs, and what the first one's counter showed."""

    court: Courtroom
    cluster_id: int
    epoch: int
    tree: GpuTree

    def report(self, energy_wh: int, *readings: tuple[int, int], **fields: int) -> Sampled:
        """Posted, with these samples of the first GPU and one of the second."""
        figures = replace(Figures(self.cluster_id, energy_wh), **fields)
        samples = samples_between(self.tree.gpus[0], self.epoch, readings)
        samples += samples_between(self.tree.gpus[1], self.epoch, [(5, 10**9)])
        report = with_samples(self.court.desk.report(self.epoch, figures), samples)
        self.court.post(report)
        return report

    def refute(self, report: Sampled, first: int = 0, second: int = 1, **changes: Any) -> Any:
        """Hand in two samples of the first GPU, by their numbers; with parts changed by name."""
        evidence = evidence_of(report, self.tree, 0, (first, second), **changes)
        return self.court.disputes.refuteByEnergy(
            report.root, self.cluster_id, self.epoch, evidence, sender=self.court.challenger
        )


@pytest.fixture
def measured(
    court: Courtroom, scenario: Scenario, holder: AccountAPI, relayer: AccountAPI
) -> Measured:
    agent = str(relayer.address)
    tree = GpuTree((Gpu("GPU-a", agent), Gpu("GPU-b", agent)))
    cluster_id, _ = scenario.live_cluster([holder], [100 * SHARE], gpuSetRoot=tree.root)
    epoch = int(court.operators.system.registry.epochRange(cluster_id).firstEpoch)
    return Measured(court, cluster_id, epoch, tree)


def test_refute_by_energy__less_than_one_gpu_drew__refuted(measured: Measured) -> None:
    report = measured.report(499, (60, 7 * 10**9), (3_500, 7 * 10**9 + 500 * MJ_PER_WH))
    measured.refute(report)
    assert measured.court.state(report).state == REFUTED


@pytest.mark.parametrize("extra_mj", [0, MJ_PER_WH - 1])
def test_refute_by_energy__at_least_what_one_gpu_drew__refused(
    measured: Measured, extra_mj: int
) -> None:
    report = measured.report(500, (60, 0), (3_500, 500 * MJ_PER_WH + extra_mj))
    with ape.reverts(measured.court.disputes.Disputes_EnergyAgrees, energyWh=500, shownWh=500):
        measured.refute(report)


def test_refute_by_energy__counter_beyond_the_hardware__no_more_than_that_is_shown(
    measured: Measured,
) -> None:
    """Reporters cap the energy by the contracted time: a broken counter refutes nobody."""
    contracted = 7_200
    most = contracted * WATTS // 3_600
    fields = {"contracted": contracted, "available": 1, "busy": 1, "billable": 1}
    report = measured.report(most, (60, 0), (3_500, 10**15), **fields)
    with ape.reverts(measured.court.disputes.Disputes_EnergyAgrees, energyWh=most, shownWh=most):
        measured.refute(report)


def test_refute_by_energy__counter_was_reset__shows_nothing(measured: Measured) -> None:
    report = measured.report(0, (60, 900 * MJ_PER_WH), (3_500, 100 * MJ_PER_WH))
    with ape.reverts(measured.court.disputes.Disputes_EnergyAgrees, energyWh=0, shownWh=0):
        measured.refute(report)


def test_refute_by_energy__posted_after_its_grace__energy_does_not_count(
    measured: Measured,
) -> None:
    travel_to(end_of(measured.epoch) + GRACE_SECONDS)
    report = measured.report(1, (60, 0), (3_500, 500 * MJ_PER_WH))
    with ape.reverts(measured.court.disputes.Disputes_EnergyAgrees, energyWh=0, shownWh=0):
        measured.refute(report)


@pytest.mark.parametrize(
    ("first", "second"), [(1, 0), (0, 0), (0, 2), (2, 1)], ids=["turned", "one", "two GPUs", "b, a"]
)
def test_refute_by_energy__not_two_of_one_gpu_in_order__refused(
    measured: Measured, first: int, second: int
) -> None:
    report = measured.report(1, (60, 0), (3_500, 500 * MJ_PER_WH))
    with ape.reverts(measured.court.disputes.Disputes_SamplesMisfit):
        measured.refute(report, first, second)


@pytest.mark.parametrize("seconds", [(-1, 1_800), (1_800, EPOCH_SECONDS)])
def test_refute_by_energy__a_sample_outside_the_epoch__refused(
    measured: Measured, seconds: tuple[int, int]
) -> None:
    """Energy between it and the first one inside may be the other epoch's."""
    report = measured.report(1, (seconds[0], 0), (seconds[1], 500 * MJ_PER_WH))
    with ape.reverts(measured.court.disputes.Disputes_SamplesMisfit):
        measured.refute(report)


@pytest.mark.parametrize("field", ["from_ms", "until_ms"])
def test_refute_by_energy__gpu_out_of_service__refused(
    court: Courtroom, scenario: Scenario, holder: AccountAPI, relayer: AccountAPI, field: str
) -> None:
    agent, epoch = str(relayer.address), current_epoch() + 1
    middle_ms = (epoch * EPOCH_SECONDS + 1_800) * 1_000
    service = {"from_ms": 0, "until_ms": 2**64 - 1} | {field: middle_ms}
    tree = GpuTree((Gpu("GPU-a", agent, **service), Gpu("GPU-b", agent)))
    cluster_id, _ = scenario.live_cluster([holder], [100 * SHARE], gpuSetRoot=tree.root)
    assert court.operators.system.registry.epochRange(cluster_id).firstEpoch == epoch
    measured = Measured(court, cluster_id, epoch, tree)
    at = (60, 1_700) if field == "from_ms" else (1_900, 3_500)
    report = measured.report(1, (at[0], 0), (at[1], 500 * MJ_PER_WH))
    with ape.reverts(court.disputes.Disputes_SamplesMisfit):
        measured.refute(report)


def test_refute_by_energy__anything_not_proved__refused(measured: Measured) -> None:
    disputes = measured.court.disputes
    report = measured.report(1, (60, 0), (3_500, 500 * MJ_PER_WH))
    stranger = Gpu("GPU-c", measured.tree.gpus[0].agent)
    with ape.reverts(disputes.Disputes_NotRegistered, gpuId=stranger.gpu_id):
        measured.refute(report, gpu=stranger.words)
    gpu, *numbers = report.samples[1]
    swollen = (gpu, *numbers[:3], numbers[3] + 1, numbers[4])
    for changes in ({"later": swollen}, {"later_proof": report.sample_proof(0)}):
        with ape.reverts(disputes.Disputes_NotASample, atMs=report.samples[1][1]):
            measured.refute(report, **changes)
    other_root, proofs = merkle([bytes(32), bytes([1]) * 32])
    with ape.reverts(disputes.Disputes_NotASample):
        measured.refute(report, sample_root=other_root, earlier_proof=proofs[0])
    with ape.reverts(disputes.Disputes_NotBound, root=report.root):
        measured.refute(report, figures_proof=[bytes(32)])
    assert measured.court.state(report).state == NONE


# -- all of them -------------------------------------------------------------------------------


@pytest.fixture
def refuted(court: Courtroom, cluster_id: int, first_epoch: int) -> Report:
    """More than the hardware can draw, challenged first and then refuted by somebody else."""
    report = court.desk.report(first_epoch, Figures(cluster_id, 10**6))
    court.post(report)
    court.challenge(report)
    court.disputes.refuteByHardware(
        report.root, cluster_id, first_epoch, sender=court.operators.accounts[0]
    )
    return report


def test_refute__challenged_before__bond_comes_back_and_the_reward_is_for_the_proof(
    court: Courtroom, refuted: Report
) -> None:
    found = court.state(refuted)
    assert (found.state, found.bonded) == (REFUTED, False)
    assert found.challenger == court.operators.accounts[0].address
    assert court.disputes.owedUsd6(court.challenger) == CHALLENGE_BOND
    court.holds_exactly([court.challenger], 0)


def test_refute__refuted_or_settled__refused(
    court: Courtroom, refuted: Report, cluster_id: int
) -> None:
    for state in (REFUTED, SETTLED):
        with ape.reverts(court.disputes.Disputes_Disputed, state=state):
            court.disputes.refuteByHardware(
                refuted.root, cluster_id, refuted.epoch, sender=court.challenger
            )
        if state == REFUTED:
            court.rule(refuted, changed(refuted, energy_wh=5))


def test_refute__challenge_of_another_report__refused(
    court: Courtroom, cluster_id: int, first_epoch: int
) -> None:
    report = court.desk.report(first_epoch, Figures(cluster_id, 10**6))
    court.post(report)
    court.challenge(report)
    other = bytes(32)
    with ape.reverts(court.disputes.Disputes_OtherReport, root=other, disputed=report.root):
        court.disputes.refuteByHardware(other, cluster_id, first_epoch, sender=court.challenger)


@pytest.mark.parametrize("left", [1, 2 * 86_400, 2 * 86_400 + 1])
def test_refute__challenged_long_ago__two_days_are_left_for_a_ruling(
    court: Courtroom, cluster_id: int, first_epoch: int, left: int
) -> None:
    report = court.desk.report(first_epoch, Figures(cluster_id, 10**6))
    court.post(report)
    court.challenge(report)
    deadline = int(court.state(report).deadlineAt)
    travel_to(deadline - left - 1)
    chain.pending_timestamp = deadline - left
    court.disputes.refuteByHardware(report.root, cluster_id, first_epoch, sender=court.challenger)
    assert court.state(report).deadlineAt == max(deadline, deadline - left + 2 * 86_400)


def test_refute__deadline_of_the_challenge_over__refused(
    court: Courtroom, cluster_id: int, first_epoch: int
) -> None:
    report = court.desk.report(first_epoch, Figures(cluster_id, 10**6))
    court.post(report)
    court.challenge(report)
    deadline = int(court.state(report).deadlineAt)
    travel_to(deadline)
    with ape.reverts(court.disputes.Disputes_DeadlineOver, deadlineAt=deadline):
        court.disputes.refuteByHardware(
            report.root, cluster_id, first_epoch, sender=court.challenger
        )


def test_rule__refuted_figures__cannot_stand(court: Courtroom, refuted: Report) -> None:
    with ape.reverts(court.disputes.Disputes_Refuted, figures=refuted.words[0]):
        court.rule(refuted, refuted.figures[0])
    true = changed(refuted, energy_wh=4_000)
    court.rule(refuted, true)
    assert court.state(refuted).blamed


def test_lapse__refuted_figures__counted_as_an_epoch_without_samples(
    court: Courtroom, refuted: Report, cluster_id: int
) -> None:
    travel_to(int(court.state(refuted).deadlineAt))
    court.disputes.lapse(cluster_id, refuted.epoch, sender=court.challenger)
    court.finalize(cluster_id)
    silence = Figures(cluster_id, 0, refuted.figures[0].contracted, 0, 0, 0)
    assert court.desk.reading(cluster_id) == Reading().plus(silence, refuted.epoch)
    assert court.state(refuted).blamed
