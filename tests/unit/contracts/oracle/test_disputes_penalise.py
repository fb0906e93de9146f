"""Disputes.penalise: who signed figures that were wrong by its fault pays from its bond."""

from __future__ import annotations

from dataclasses import replace

import ape
import pytest
from ape.api import AccountAPI

from tests.support.disputes import PENALTY, Courtroom, changed
from tests.support.oracle import Figures, Report
from tests.support.reporters import BOND, key_of, signed
from tests.support.scenario import travel_to


@pytest.fixture
def report(court: Courtroom, clusters: list[int], first_epoch: int) -> Report:
    """Challenged in its second cluster and corrected, with blame."""
    report = court.desk.report(first_epoch, *clusters)
    court.post(report)
    court.challenge(report, 1)
    court.rule(report, changed(report, 1, energy_wh=1), blamed=True, index=1)
    return report


def test_penalise__each_signer__pays_once(court: Courtroom, report: Report) -> None:
    registry, treasury = court.operators.registry, court.disputes.TREASURY()
    for number in range(4):
        receipt = court.penalise(report, court.key(number), 1)
        (event,) = receipt.decode_logs(court.disputes.SignerPenalised)
        assert (event.signer, event.amountUsd6) == (court.key(number).address, PENALTY)
        (event,) = receipt.decode_logs(registry.Penalised)
        assert event.operator == court.operators.addresses[number]
        assert (event.forfeitedUsd6, event.rewardUsd6) == (PENALTY, PENALTY // 2)
        assert registry.reporter(court.operators.addresses[number]).bondUsd6 == BOND - PENALTY
        with ape.reverts(court.disputes.Disputes_PenalisedBefore, signer=court.key(number).address):
            court.penalise(report, court.key(number), 1)
    assert registry.owedUsd6(court.challenger) == 4 * PENALTY // 2
    assert registry.owedUsd6(treasury) == 4 * PENALTY // 2
    before = court.stablecoin.balanceOf(court.challenger)
    registry.pay(court.challenger, sender=court.arbiter)
    assert court.stablecoin.balanceOf(court.challenger) == before + 4 * PENALTY // 2
    bonds = 5 * BOND - 4 * PENALTY
    assert court.stablecoin.balanceOf(registry) == bonds + 4 * PENALTY // 2


def test_penalise__signed_in_another_round__is_the_same_claim(
    court: Courtroom, report: Report
) -> None:
    court.penalise(replace(report, round=3), court.key(0), 1)
    with ape.reverts(court.disputes.Disputes_PenalisedBefore):
        court.penalise(report, court.key(0), 1)


def test_penalise__again_and_again__until_no_bond_is_left(
    court: Courtroom, clusters: list[int], first_epoch: int
) -> None:
    """A bond pays for ten faults; the eleventh finds none."""
    registry, operator = court.operators.registry, court.operators.addresses[0]
    for n in range(11):
        report = court.desk.report(first_epoch + n, clusters[0])
        court.post(report)
        court.challenge(report)
        court.rule(report, changed(report, energy_wh=1), blamed=True)
        court.disputes.pay(court.challenger, sender=court.challenger)
        if n < 10:
            court.penalise(report, court.key(0))
        assert registry.reporter(operator).bondUsd6 == max(BOND - PENALTY * (n + 1), 0)
    with ape.reverts(registry.ReporterRegistry_NoBond, operator=operator):
        court.penalise(report, court.key(0))


def test_penalise__did_not_sign_that_report__refused(court: Courtroom, report: Report) -> None:
    other = replace(report, salt=1)
    with ape.reverts(court.disputes.Disputes_OtherFigures, index=1, disputed=report.words[1]):
        court.disputes.penalise(
            report.figures[1].cluster_id, report.epoch, signed(other, court.key(4)), 1,
            sender=court.challenger,
        )  # fmt: skip


def test_penalise__index_of_another_cluster_or_of_none__refused(
    court: Courtroom, report: Report
) -> None:
    cluster_id = report.figures[1].cluster_id
    one = signed(report, court.key(0))
    with ape.reverts(court.disputes.Disputes_OtherFigures, index=0):
        court.disputes.penalise(cluster_id, report.epoch, one, 0, sender=court.challenger)
    with ape.reverts(court.disputes.Disputes_NoSuchFigures, index=3, count=3):
        court.disputes.penalise(cluster_id, report.epoch, one, 3, sender=court.challenger)


def test_penalise__key_of_nobody_or_no_signature__refused(court: Courtroom, report: Report) -> None:
    stranger = key_of("stranger")
    with ape.reverts(
        court.operators.registry.ReporterRegistry_UnknownSigner, signer=stranger.address
    ):
        court.penalise(report, stranger, 1)
    with ape.reverts(court.disputes.Disputes_BadSignature):
        court.disputes.penalise(
            report.figures[1].cluster_id, report.epoch, (report.header, report.words, bytes(65)),
            1, sender=court.challenger,
        )  # fmt: skip


def test_penalise__nobody_blamed__refused(
    court: Courtroom, clusters: list[int], first_epoch: int
) -> None:
    report = court.desk.report(first_epoch, *clusters)
    court.post(report)
    for index in range(3):
        with ape.reverts(court.disputes.Disputes_NotBlamed, clusterId=clusters[index]):
            court.penalise(report, court.key(0), index)
        if index == 0:
            court.challenge(report, 1)
            court.rule(report, changed(report, 1, energy_wh=1), index=1)
            court.challenge(report, 2)
            court.rule(report, report.figures[2], index=2)


def test_penalise__refuted_before_it_is_settled__waits(
    court: Courtroom, cluster_id: int, first_epoch: int
) -> None:
    report = court.desk.report(first_epoch, Figures(cluster_id, 10**6))
    court.post(report)
    court.disputes.refuteByHardware(report.root, cluster_id, first_epoch, sender=court.challenger)
    with ape.reverts(court.disputes.Disputes_NotBlamed):
        court.penalise(report, court.key(0))
    travel_to(int(court.state(report).deadlineAt))
    court.disputes.lapse(cluster_id, first_epoch, sender=court.challenger)
    court.penalise(report, court.key(0))


def test_penalise__registry_itself__for_the_disputes_contract_alone(
    court: Courtroom, admin: AccountAPI
) -> None:
    for account in (court.challenger, court.arbiter, admin):
        with ape.reverts():
            court.operators.registry.penalise(
                court.key(0).address, PENALTY, account, sender=account
            )
