"""Disputes.rule, lapse and pay: what is counted in the end, and whose the bond is."""

from __future__ import annotations

from dataclasses import replace

import ape
import pytest
from ape import chain
from ape.api import AccountAPI

from tests.support.disputes import (
    ARBITRATION_SECONDS,
    CHALLENGE_BOND,
    NONE,
    OPEN,
    SETTLED,
    WINDOW,
    Courtroom,
    changed,
)
from tests.support.oracle import GRACE_SECONDS, Figures, Reading, Report, end_of
from tests.support.scenario import travel_to


@pytest.fixture
def report(court: Courtroom, clusters: list[int], first_epoch: int) -> Report:
    """Challenged in its first cluster, with the window over."""
    report = court.desk.report(first_epoch, *clusters)
    final_at = court.post(report)
    court.challenge(report)
    travel_to(final_at)
    return report


@pytest.fixture
def treasury(court: Courtroom) -> str:
    return str(court.disputes.TREASURY())


def test_rule__figures_stand__counted_and_the_bond_is_the_treasurys(
    court: Courtroom, report: Report, treasury: str
) -> None:
    figures = report.figures[0]
    receipt = court.rule(report, figures)
    (event,) = receipt.decode_logs(court.disputes.DisputeSettled)
    assert (event.figures, event.counted) == (figures.word, figures.word)
    assert (event.blamed, event.byArbiter) == (False, True)
    assert court.state(report).state == SETTLED
    assert not court.oracle.isDisputed(figures.cluster_id)
    assert court.finalize(figures.cluster_id) == 1
    assert court.desk.reading(figures.cluster_id) == Reading().plus(figures, report.epoch)
    assert court.disputes.owedUsd6(treasury) == CHALLENGE_BOND
    assert court.disputes.owedUsd6(court.challenger) == 0
    court.holds_exactly([court.challenger, treasury], 0)


@pytest.mark.parametrize("blamed", [False, True])
def test_rule__other_figures__those_are_counted_and_the_bond_comes_back(
    court: Courtroom, report: Report, treasury: str, blamed: bool
) -> None:
    true = changed(report, energy_wh=5_100, available=20_000, busy=15_000, billable=9_000)
    receipt = court.rule(report, true, blamed)
    (settled,) = court.desk.events(receipt, "FiguresSettled")
    assert settled["figures"] == true.word
    assert court.state(report).blamed == blamed
    court.finalize(true.cluster_id)
    assert court.desk.reading(true.cluster_id) == Reading().plus(true, report.epoch)

    before = court.stablecoin.balanceOf(court.challenger)
    court.disputes.pay(court.challenger, sender=court.arbiter)
    assert court.stablecoin.balanceOf(court.challenger) == before + CHALLENGE_BOND
    with ape.reverts(court.disputes.Disputes_NothingOwed, account=court.challenger.address):
        court.disputes.pay(court.challenger, sender=court.challenger)
    assert court.disputes.owedUsd6(treasury) == 0
    court.holds_exactly([court.challenger, treasury], 0)


def test_rule__before_the_window_is_over__counted_only_after_it(
    court: Courtroom, clusters: list[int], first_epoch: int
) -> None:
    report = court.desk.report(first_epoch, clusters[0])
    final_at = court.post(report)
    court.challenge(report)
    court.rule(report, report.figures[0])
    travel_to(final_at - 2)
    assert court.finalize(clusters[0]) == 0
    travel_to(final_at)
    assert court.finalize(clusters[0]) == 1


def test_rule__posted_after_its_grace__energy_that_is_ruled_does_not_count(
    court: Courtroom, cluster_id: int, first_epoch: int
) -> None:
    """The cost of that epoch was settled without it."""
    travel_to(end_of(first_epoch) + GRACE_SECONDS)
    report = court.desk.report(first_epoch, cluster_id)
    final_at = court.post(report)
    court.challenge(report)
    assert court.state(report).figures == report.figures[0].without_energy().word
    receipt = court.rule(report, changed(report, available=20_000, busy=0, billable=0))
    (settled,) = court.desk.events(receipt, "FiguresSettled")
    counted = changed(report, energy_wh=0, available=20_000, busy=0, billable=0)
    assert settled["figures"] == counted.word
    travel_to(final_at)
    court.finalize(cluster_id)
    assert court.desk.reading(cluster_id) == Reading().plus(counted, first_epoch)


def test_rule__one_report_of_the_epoch_in_time_and_one_late__each_clusters_own_counts(
    court: Courtroom, clusters: list[int], first_epoch: int
) -> None:
    timely = court.desk.report(first_epoch, clusters[1])
    court.post(timely)
    court.challenge(timely)
    travel_to(end_of(first_epoch) + GRACE_SECONDS)
    late = court.desk.report(first_epoch, clusters[0])
    final_at = court.post(late)
    court.challenge(late)
    assert [court.state(one).late for one in (timely, late)] == [False, True]
    for one in (timely, late):
        court.rule(one, changed(one, energy_wh=5_000, billable=0))
    travel_to(final_at)
    for cluster_id, energy in zip(clusters, (0, 5_000), strict=False):
        court.finalize(cluster_id)
        assert court.desk.reading(cluster_id).energy_wh == energy


def test_rule__late_figures_with_nothing_but_energy_changed__are_the_same(
    court: Courtroom, cluster_id: int, first_epoch: int
) -> None:
    travel_to(end_of(first_epoch) + GRACE_SECONDS)
    report = court.desk.report(first_epoch, cluster_id)
    court.post(report)
    court.challenge(report)
    posted = report.figures[0].without_energy()
    for energy in (0, 1):
        with ape.reverts(court.disputes.Disputes_NothingToBlame, figures=posted.word):
            court.rule(report, changed(report, energy_wh=energy), blamed=True)
    court.rule(report, changed(report, energy_wh=1))
    assert court.disputes.owedUsd6(court.disputes.TREASURY()) == CHALLENGE_BOND


@pytest.mark.parametrize(
    ("field", "limit"), [("energyWh", 8 * 700), ("contractedGpuSeconds", 8 * 3_600)]
)
def test_rule__more_than_the_hardware_can_do__refused(
    court: Courtroom, report: Report, field: str, limit: int
) -> None:
    name = {"energyWh": "energy_wh", "contractedGpuSeconds": "contracted"}[field]
    with ape.reverts(
        court.disputes.Disputes_BeyondHardware, field=field, value=limit + 1, limit=limit
    ):
        court.rule(report, changed(report, **{name: limit + 1}))
    court.rule(report, changed(report, billable=0, **{name: limit}))


def test_rule__figures_that_cannot_be__refused(
    court: Courtroom, report: Report, clusters: list[int]
) -> None:
    for wrong in (
        changed(report, billable=report.figures[0].busy + 1),
        replace(report.figures[0], cluster_id=clusters[1]),
    ):
        with ape.reverts(court.oracle.MetricsOracle_Incoherent, figures=wrong.word):
            court.rule(report, wrong)
    assert court.state(report).state == OPEN


def test_rule__standing_figures_blamed__refused(court: Courtroom, report: Report) -> None:
    with ape.reverts(court.disputes.Disputes_NothingToBlame, figures=report.words[0]):
        court.rule(report, report.figures[0], blamed=True)


def test_rule__anybody_else__refused(
    court: Courtroom, report: Report, admin: AccountAPI, oracle_admin: AccountAPI
) -> None:
    for account in (admin, oracle_admin, court.challenger):
        with ape.reverts():
            court.disputes.rule(
                report.figures[0].cluster_id, report.epoch, report.words[0], False, sender=account
            )


def test_rule__not_disputed_or_settled__refused(court: Courtroom, report: Report) -> None:
    with ape.reverts(court.disputes.Disputes_NotOpen, state=NONE):
        court.rule(report, report.figures[1], index=1)
    court.rule(report, report.figures[0])
    with ape.reverts(court.disputes.Disputes_NotOpen, state=SETTLED):
        court.rule(report, changed(report, energy_wh=1))


def test_rule__at_the_deadline__the_default_stands_instead(
    court: Courtroom, report: Report, treasury: str
) -> None:
    deadline = int(court.state(report).deadlineAt)
    cluster_id = report.figures[0].cluster_id
    chain.pending_timestamp = deadline - 1
    with ape.reverts(court.disputes.Disputes_DeadlineNotOver, deadlineAt=deadline):
        court.disputes.lapse(cluster_id, report.epoch, sender=court.challenger)
    chain.pending_timestamp = deadline
    with ape.reverts(court.disputes.Disputes_DeadlineOver, deadlineAt=deadline):
        court.rule(report, changed(report, energy_wh=1))
    receipt = court.disputes.lapse(cluster_id, report.epoch, sender=court.challenger)
    (event,) = receipt.decode_logs(court.disputes.DisputeSettled)
    assert (event.counted, event.blamed, event.byArbiter) == (report.words[0], False, False)
    assert court.disputes.owedUsd6(court.challenger) == CHALLENGE_BOND
    assert court.disputes.owedUsd6(treasury) == 0
    court.finalize(cluster_id)
    assert court.desk.reading(cluster_id) == Reading().plus(report.figures[0], report.epoch)
    with ape.reverts(court.disputes.Disputes_NotOpen, state=SETTLED):
        court.disputes.lapse(cluster_id, report.epoch, sender=court.challenger)


def test_rule__many_epochs_behind_it__counted_in_order(
    court: Courtroom, clusters: list[int], first_epoch: int
) -> None:
    """Three epochs wait, the first and the third are disputed."""
    cluster_id, total = clusters[0], Reading()
    reports = [court.desk.report(first_epoch + n, Figures(cluster_id, 100 + n)) for n in range(4)]
    for report in reports:
        court.post(report)
        if report in reports[::2]:
            court.challenge(report)
    assert int(chain.blocks.head.timestamp) < court.state(reports[0]).deadlineAt
    travel_to(int(chain.blocks.head.timestamp) + WINDOW)
    assert court.finalize(cluster_id) == 0
    court.rule(reports[0], Figures(cluster_id, 90))
    assert court.finalize(cluster_id) == 2
    assert court.oracle.isDisputed(cluster_id)
    court.rule(reports[2], reports[2].figures[0])
    assert court.finalize(cluster_id) == 2
    for n, energy in enumerate((90, 101, 102, 103)):
        total = total.plus(Figures(cluster_id, energy), first_epoch + n)
    assert court.desk.reading(cluster_id) == total
    assert not court.oracle.isDisputed(cluster_id)


def test_settle__deadlines_differ__each_by_its_own(
    court: Courtroom, report: Report, clusters: list[int]
) -> None:
    later = court.desk.report(report.epoch + 1, *clusters)
    court.post(later)
    court.challenge(later)
    travel_to(int(court.state(report).deadlineAt))
    court.disputes.lapse(clusters[0], report.epoch, sender=court.challenger)
    assert court.state(later).deadlineAt > court.state(report).deadlineAt
    with ape.reverts(court.disputes.Disputes_DeadlineNotOver):
        court.disputes.lapse(clusters[0], later.epoch, sender=court.challenger)
    assert int(court.state(later).deadlineAt) <= chain.pending_timestamp + ARBITRATION_SECONDS
