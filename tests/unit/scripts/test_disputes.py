"""scripts/_lib/disputes.py and posted.py: disputing, settling and telling, without reporters."""

from __future__ import annotations

from dataclasses import replace

import pytest

from api.domain.figures import ClusterFigures
from api.errors import Incoherent, InvalidInput, NotFound, OutOfRange, ReportNotFound
from scripts._lib import disputes, posted, verification
from scripts._lib.disputes import DisputeState
from scripts._lib.posted import Subject
from tests.support.court import Court
from tests.support.reporters import key_of
from tests.support.scenario import USD, travel_to

URL = "http://127.0.0.1:1"
TWO_MORE_THAN_IT_CAN_DRAW = 5_603
"""Watt-hours: an hour of eight GPUs at 700 W is 5,600."""


def test_root_of__several_posted__the_one_that_brought_the_figures(court: Court) -> None:
    first = court.post(court.figures())
    second = court.post(court.figures(busy=18_000), number=1)
    for subject in (first, second):
        root = posted.root_of(court.system, subject)
        carrier = posted.transaction_of(court.system, root, 0)
        call = posted.call_in(carrier, root)
        assert call is not None
        assert call.header.epoch == subject.epoch
        assert posted.call_in(carrier, type(root)(bytes(32))) is None
        assert list(map(str, posted.signers(court.system, call))) == [
            str(key_of(str(account.address)).address) for account in court.operators.accounts
        ]
    with pytest.raises(ReportNotFound):
        posted.root_of(court.system, replace(first, epoch=first.epoch + 9))
    with pytest.raises(ReportNotFound):
        posted.root_of(court.system, replace(first, cluster_id=9))


def test_challenge__bond_approved_and_paid__told_with_its_statement(court: Court) -> None:
    subject = court.post(court.figures())
    (line,) = court.lines(subject)
    assert "not disputed; until " in line
    assert "energyWh=4,900, contractedGpuSeconds=28,800" in line
    disputes.challenge(court.system, subject, "GPU 3 was down", court.challenger)
    found = disputes.of(court.system, subject)
    assert (found.state, found.is_bonded) == (DisputeState.OPEN, True)
    assert court.system.stablecoin.balanceOf(court.challenger) == 0
    head, says, figures, deadline = court.lines(subject)
    assert head.endswith(f"challenged by {court.challenger.address}, with a bond of $1,000.00")
    assert says == f"  {court.challenger.address} says: GPU 3 was down"
    assert figures.startswith("  posted:  energyWh=4,900")
    assert deadline.startswith("  the arbiter has until ")


def test_in_words__nothing_posted__says_so(court: Court) -> None:
    (line,) = court.lines(Subject(court.cluster_id, court.first_epoch, 0))
    assert line.endswith("nothing waits: not posted yet, or counted")


def test_correct__some_figures__the_others_stay_and_signers_pay_once(court: Court) -> None:
    subject = court.post(court.figures())
    disputes.challenge(court.system, subject, "more", court.challenger)
    changes = disputes.parse_changes("energyWh=4000, billableGpuSeconds=5")
    disputes.correct(court.system, subject, changes, True, court.arbiter)
    penalties = list(disputes.penalise(court.system, subject, court.challenger))
    assert [one.amount_usd6 for one in penalties] == [1_000 * USD] * 3
    assert list(disputes.penalise(court.system, subject, court.challenger)) == []
    told = court.lines(subject)
    assert "  counted: energyWh=4,000, contractedGpuSeconds=28,800" in told[3]
    assert told[3].endswith("billableGpuSeconds=5")
    assert told[4] == "  settled by the arbiter; whoever signed is to blame"
    assert len(told) == 8
    owed = disputes.pay(court.system, str(court.challenger.address), court.arbiter)
    assert owed == (1_000 + 3 * 500) * USD
    assert disputes.pay(court.system, str(court.challenger.address), court.arbiter) == 0


def test_correct__same_figures_or_impossible_ones__refused_before_anything_is_sent(
    court: Court,
) -> None:
    subject = court.post(court.figures())
    disputes.challenge(court.system, subject, "more", court.challenger)
    with pytest.raises(InvalidInput, match="they stand"):
        disputes.correct(court.system, subject, {"energyWh": 4_900}, False, court.arbiter)
    with pytest.raises(Incoherent):
        disputes.correct(court.system, subject, {"busyGpuSeconds": 1}, False, court.arbiter)
    disputes.stand(court.system, subject, court.arbiter)
    assert "whoever signed is not to blame" in court.lines(subject)[-1]


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", InvalidInput),
        ("energyWh", InvalidInput),
        ("energy=4", InvalidInput),
        ("energyWh=-1", InvalidInput),
        ("energyWh=1,energyWh=2", InvalidInput),
        (f"energyWh={2**32}", OutOfRange),
    ],
)
def test_parse_changes__no_figures__refused(text: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        disputes.parse_changes(text)


def test_refute_by_hardware__more_than_it_can_draw__nobody_ruled_and_counted_as_silence(
    court: Court,
) -> None:
    subject = court.post(court.figures(energy_wh=TWO_MORE_THAN_IT_CAN_DRAW))
    disputes.refute_by_hardware(court.system, subject, court.challenger)
    found = disputes.of(court.system, subject)
    assert (found.state, found.is_bonded) == (DisputeState.REFUTED, False)
    assert f"shown to be wrong by {court.challenger.address}" in court.lines(subject)[0]
    travel_to(found.deadline_at)
    assert court.lines(subject)[-1].endswith("the epoch is counted without what happened in it")
    disputes.lapse(court.system, subject, court.challenger)
    told = court.lines(subject)
    assert told[-2].startswith("  counted: energyWh=0, contractedGpuSeconds=28,800, available")
    assert told[-1] == "  settled by the deadline, which passed; whoever signed is to blame"


def test_refute_by_root__root_binds_other_figures__with_what_a_reporter_knows(
    court: Court, monkeypatch: pytest.MonkeyPatch
) -> None:
    true, lie = court.figures(energy_wh=4_000), court.figures(energy_wh=5_000)
    subject = court.post(lie, bound=true)
    told = court.told(subject, true, lie)
    monkeypatch.setattr(verification, "fetch", lambda *_: told)
    disputes.refute_by_root(court.system, subject, URL, court.challenger)
    assert disputes.of(court.system, subject).state is DisputeState.REFUTED


def test_penalise__report_by_another_contract__says_that_it_cannot_tell_signatures_apart(
    court: Court, monkeypatch: pytest.MonkeyPatch
) -> None:
    subject = court.post(court.figures(energy_wh=TWO_MORE_THAN_IT_CAN_DRAW))
    disputes.refute_by_hardware(court.system, subject, court.challenger)
    monkeypatch.setattr(posted, "call_in", lambda *_: None)
    with pytest.raises(NotFound, match="another contract's call"):
        list(disputes.penalise(court.system, subject, court.challenger))


def test_figures_in_words__any__every_one_with_its_name() -> None:
    figures = ClusterFigures(1, 2_000, 50, 40, 30, 20)  # type: ignore[arg-type]
    assert posted.figures_in_words(figures.pack()) == (
        "energyWh=2,000, contractedGpuSeconds=50, availableGpuSeconds=40, busyGpuSeconds=30,"
        " billableGpuSeconds=20"
    )
