"""scripts/_lib/verification.py: why something else is counted than was reported, and no excuse."""

from __future__ import annotations

from typing import Any

import pytest

from scripts._lib import disputes, verification
from tests.support.court import Court
from tests.support.oracle import Figures


def counting(court: Court, told: dict[str, Any]) -> tuple[bool, str]:
    """Whether all holds, and what is said of what is counted."""
    checks = list(verification.verify(court.system, told))
    return all(check.holds for check in checks), checks[2].what


def test_verify__waiting_as_reported__holds(court: Court) -> None:
    figures = court.figures()
    subject = court.post(figures)
    holds, what = counting(court, court.told(subject, figures))
    assert holds
    assert what == "the contract counted these figures and no others"


def test_verify__energy_too_late__said_and_holds(court: Court) -> None:
    figures = court.figures()
    subject = court.post(figures, is_late=True)
    told = court.told(subject, figures, figures.without_energy())
    holds, what = counting(court, told)
    assert holds
    assert what.endswith("without their energy, which came too late")
    assert not counting(court, court.told(subject, figures))[0]


def test_verify__disputed__said_until_it_is_settled_and_what_then(court: Court) -> None:
    figures = court.figures()
    subject = court.post(figures)
    disputes.challenge(court.system, subject, "more", court.challenger)
    holds, what = counting(court, court.told(subject, figures))
    assert holds
    assert what == "the figures are disputed: the contract counts none until it is settled which"
    disputes.correct(court.system, subject, {"energyWh": 3}, True, court.arbiter)
    holds, what = counting(court, court.told(subject, figures, court.figures(energy_wh=3)))
    assert holds
    assert "a dispute was settled: energyWh=3, contracted" in what
    # As it was before, or something that nobody settled on.
    for counted in (None, court.figures(energy_wh=4)):
        assert not counting(court, court.told(subject, figures, counted))[0]


def test_verify__dispute_lost__figures_stand(court: Court) -> None:
    figures = court.figures()
    subject = court.post(figures)
    disputes.challenge(court.system, subject, "more", court.challenger)
    disputes.stand(court.system, subject, court.arbiter)
    holds, what = counting(court, court.told(subject, figures))
    assert holds
    assert what.endswith("; a dispute left them standing")


@pytest.mark.parametrize("is_told_so", [True, False])
def test_verify__other_figures_than_the_root_binds__nothing_explains_it(
    court: Court, is_told_so: bool
) -> None:
    true, lie = court.figures(), court.figures(energy_wh=5_000)
    subject = court.post(lie, bound=true)
    counted: Figures | None = lie if is_told_so else None
    holds, _ = counting(court, court.told(subject, true, counted))
    assert not holds
