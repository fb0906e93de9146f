"""Disputes.challenge and MetricsOracle.hold: disputed figures wait, everything else goes on."""

from __future__ import annotations

from dataclasses import replace

import ape
import pytest
from ape import chain, project
from ape.api import AccountAPI
from ape.contracts import ContractInstance

from scripts._lib import roles
from tests.support.disputes import (
    ARBITRATION_SECONDS,
    CHALLENGE_BOND,
    NONE,
    OPEN,
    SETTLED,
    WINDOW,
    Courtroom,
)
from tests.support.hostile import Vice
from tests.support.oracle import GRACE_SECONDS, Figures, Reading, Report, end_of
from tests.support.scenario import travel_to


@pytest.fixture
def report(court: Courtroom, clusters: list[int], first_epoch: int) -> Report:
    """Posted, with three clusters in it."""
    report = court.desk.report(first_epoch, *clusters)
    court.post(report)
    return report


def test_challenge__posted_figures__held_with_the_bond(court: Courtroom, report: Report) -> None:
    receipt = court.challenge(report, 1, "Rack 7 was dark from 10:00 to 10:40")
    figures = report.figures[1]
    (event,) = receipt.decode_logs(court.disputes.Challenged)
    assert (event.clusterId, event.epoch, event.challenger, event.root) == (
        figures.cluster_id, report.epoch, court.challenger.address, report.root,
    )  # fmt: skip
    assert event.figures == figures.word
    assert event.statement == "Rack 7 was dark from 10:00 to 10:40"
    assert event.deadlineAt == receipt.timestamp + ARBITRATION_SECONDS
    (held,) = court.desk.events(receipt, "FiguresHeld")
    assert held == {
        "clusterId": figures.cluster_id,
        "epoch": report.epoch,
        "root": report.root,
        "figures": figures.word,
    }
    found = court.state(report, 1)
    assert (found.state, found.bonded, found.blamed) == (OPEN, True, False)
    assert (found.root, found.figures) == (report.root, figures.word)
    assert court.oracle.isDisputed(figures.cluster_id)
    assert court.oracle.isStale(figures.cluster_id)
    assert court.oracle.postedFigures(figures.cluster_id, report.epoch)[2]
    court.holds_exactly([court.challenger], 1)


def test_challenge__window_over__neither_it_nor_what_follows_is_counted(
    court: Courtroom, report: Report
) -> None:
    later = court.desk.report(report.epoch + 1, *(f.cluster_id for f in report.figures))
    court.challenge(report, 0)
    final_at = court.post(later)
    travel_to(final_at + WINDOW)
    disputed, other, _ = (figures.cluster_id for figures in report.figures)
    assert court.finalize(disputed) == 0
    assert court.desk.reading(disputed) == Reading()
    assert court.oracle.nextEpoch(disputed) == report.epoch + 2
    assert court.finalize(other) == 2
    assert not court.oracle.isStale(other)


def test_challenge__a_later_epoch__earlier_ones_are_counted(
    court: Courtroom, report: Report
) -> None:
    cluster_id = report.figures[0].cluster_id
    later = court.desk.report(report.epoch + 1, cluster_id)
    final_at = court.post(later)
    court.challenge(later)
    travel_to(final_at)
    assert court.finalize(cluster_id) == 1
    assert court.desk.reading(cluster_id).epoch == report.epoch


def test_challenge__held_past_its_grace__its_energy_is_not_resolved(
    court: Courtroom, report: Report
) -> None:
    """A cost that may still change is not settled, however long it takes."""
    cluster_id = report.figures[0].cluster_id
    court.challenge(report)
    travel_to(end_of(report.epoch) + GRACE_SECONDS + 3_600)
    assert court.oracle.resolvedEpoch(cluster_id) == report.epoch - 1
    court.rule(report, report.figures[0])
    assert court.finalize(cluster_id) == 1
    assert court.oracle.resolvedEpoch(cluster_id) >= report.epoch


def test_challenge__last_second_of_the_window__taken_and_the_next_refused(
    court: Courtroom, clusters: list[int], first_epoch: int
) -> None:
    report = court.desk.report(first_epoch, *clusters)
    final_at = court.post(report)
    travel_to(final_at - 2)
    chain.pending_timestamp = final_at - 1
    assert court.challenge(report, 0).timestamp == final_at - 1
    chain.pending_timestamp = final_at
    with ape.reverts(
        court.oracle.MetricsOracle_WindowOver,
        clusterId=clusters[1],
        epoch=first_epoch,
        finalAt=final_at,
    ):
        court.challenge(report, 1)


def test_challenge__without_a_window__nothing_waits(
    court: Courtroom, oracle_admin: AccountAPI, cluster_id: int, first_epoch: int
) -> None:
    court.oracle.setDisputeWindow(0, sender=oracle_admin)
    report = court.desk.report(first_epoch, cluster_id)
    court.post(report)
    with ape.reverts(court.oracle.MetricsOracle_NotPosted, clusterId=cluster_id, epoch=first_epoch):
        court.challenge(report)


def test_challenge__counted_already__refused(court: Courtroom, report: Report) -> None:
    cluster_id = report.figures[0].cluster_id
    travel_to(int(chain.blocks.head.timestamp) + WINDOW)
    assert court.finalize(cluster_id) == 1
    with ape.reverts(court.oracle.MetricsOracle_NotPosted):
        court.challenge(report)


def test_challenge__twice__refused_also_once_it_is_settled(
    court: Courtroom, report: Report
) -> None:
    court.challenge(report)
    with ape.reverts(court.disputes.Disputes_Disputed, state=OPEN):
        court.challenge(report)
    court.rule(report, report.figures[0])
    with ape.reverts(court.disputes.Disputes_Disputed, state=SETTLED):
        court.challenge(report)


def test_challenge__root_of_another_report__refused(
    court: Courtroom, report: Report, clusters: list[int]
) -> None:
    """Also one of the same epoch, which named the cluster when it was not its turn any more."""
    other = court.desk.report(report.epoch + 1, *clusters)
    court.post(other)
    again = court.desk.report(report.epoch, *clusters, salt=1)
    unknown = replace(report, salt=2)
    for one in (other, again, unknown):
        with ape.reverts(court.oracle.MetricsOracle_OtherReport, root=one.root):
            court.disputes.challenge(
                one.root, clusters[0], report.epoch, "?", sender=court.challenger
            )
    assert court.state(report).state == NONE


def test_challenge__skipped_by_a_second_report_of_the_epoch__only_the_first_is_its_own(
    court: Courtroom, clusters: list[int], first_epoch: int
) -> None:
    first = court.desk.report(first_epoch, clusters[0])
    second = court.desk.report(first_epoch, *clusters)
    court.post(first)
    court.post(second)
    with ape.reverts(court.oracle.MetricsOracle_OtherReport, root=second.root):
        court.challenge(second, 0)
    court.challenge(second, 1)
    court.challenge(first, 0)


@pytest.mark.parametrize("statement", ["", "x" * 1_001])
def test_challenge__statement_empty_or_too_long__refused(
    court: Courtroom, report: Report, statement: str
) -> None:
    with ape.reverts(
        court.disputes.Disputes_StatementLength, length=len(statement), minimum=1, maximum=1_000
    ):
        court.challenge(report, 0, statement)


def test_challenge__no_dollars__nothing_is_held(
    court: Courtroom, report: Report, deployer: AccountAPI
) -> None:
    cluster_id = report.figures[0].cluster_id
    with ape.reverts():
        court.disputes.challenge(report.root, cluster_id, report.epoch, "?", sender=deployer)
    assert not court.oracle.isDisputed(cluster_id)


@pytest.mark.parametrize(
    ("vice", "received"),
    [
        (Vice.FEE, CHALLENGE_BOND - CHALLENGE_BOND // 100),
        (Vice.FEE_OF_ALL, 0),
        (Vice.MOVES_NOTHING, 0),
    ],
)
def test_challenge__bond_arrives_in_part__nothing_is_held(
    court: Courtroom,
    report: Report,
    deployer: AccountAPI,
    admin: AccountAPI,
    vice: Vice,
    received: int,
) -> None:
    system, usd = court.operators.system, deployer.deploy(project.HostileUsd, 6)
    disputes = deployer.deploy(
        project.Disputes, admin, system.authority, system.registry, system.oracle,
        system.reporter_registry, usd,
    )  # fmt: skip
    system.authority.grantRole(roles.DISPUTES_ROLE, disputes, 0, sender=admin)
    usd.rebase(court.challenger, CHALLENGE_BOND, sender=deployer)
    usd.approve(disputes, CHALLENGE_BOND, sender=court.challenger)
    usd.setVice(vice, sender=deployer)
    with ape.reverts(disputes.Disputes_Short, amountUsd6=CHALLENGE_BOND, receivedUsd6=received):
        replace(court, disputes=disputes).challenge(report)
    assert not court.oracle.isDisputed(report.figures[0].cluster_id)


def test_constructor__stablecoin_of_other_decimals_or_no_treasury__refused(
    court: Courtroom, deployer: AccountAPI
) -> None:
    system, usd = court.operators.system, deployer.deploy(project.HostileUsd, 18)
    built_on = (system.authority, system.registry, system.oracle, system.reporter_registry)
    with ape.reverts(project.Disputes.Disputes_UnsupportedStablecoin, decimals=18, supported=6):
        deployer.deploy(project.Disputes, deployer, *built_on, usd)
    with ape.reverts(project.Disputes.Disputes_ZeroAddress):
        deployer.deploy(project.Disputes, "0x" + "00" * 20, *built_on, court.stablecoin)


def test_hold__anybody_but_the_disputes_contract__refused(
    court: Courtroom, report: Report, oracle: ContractInstance
) -> None:
    cluster_id = report.figures[0].cluster_id
    for account in (court.challenger, court.arbiter):
        with ape.reverts():
            oracle.hold(report.root, cluster_id, report.epoch, sender=account)
        with ape.reverts():
            oracle.settle(cluster_id, report.epoch, report.words[0], sender=account)


def test_posted_figures__waiting_held_counted__as_they_are(
    court: Courtroom, clusters: list[int], first_epoch: int
) -> None:
    report = court.desk.report(first_epoch, *clusters)
    final_at = court.post(report)
    posted = [tuple(court.oracle.postedFigures(id_, first_epoch)) for id_ in clusters]
    assert posted == [(word, final_at, False) for word in report.words]
    court.challenge(report, 0)
    assert court.oracle.postedFigures(clusters[0], first_epoch) == (report.words[0], final_at, True)
    travel_to(final_at)
    court.finalize(clusters[1])
    assert court.oracle.postedFigures(clusters[1], first_epoch) == (0, 0, False)
    assert court.desk.reading(clusters[1]) == Reading().plus(Figures(clusters[1]), first_epoch)


def test_challenge__two_of_them__two_bonds_wait(court: Courtroom, report: Report) -> None:
    before = court.stablecoin.balanceOf(court.challenger)
    court.challenge(report, 0)
    court.challenge(report, 1)
    assert court.stablecoin.balanceOf(court.challenger) == before - 2 * CHALLENGE_BOND
    court.holds_exactly([court.challenger, court.disputes.TREASURY()], 2)
    with ape.reverts(court.disputes.Disputes_NothingOwed, account=court.challenger.address):
        court.disputes.pay(court.challenger, sender=court.challenger)
