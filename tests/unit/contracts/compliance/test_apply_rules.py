"""HoldingRules.applyRules and withdrawRules: what was scheduled comes into force, or does not.

nothing scheduled → NothingScheduled
applied by anyone
├─ no notice over → TooEarly, with the second of the first
└─ limits, countries, or both are over → those come into force, the others stay scheduled
withdrawn by the issuer of the share's cluster: all of it
"""

from __future__ import annotations

from collections.abc import Callable

import ape
import pytest
from ape import chain
from ape.api import AccountAPI

from scripts._lib import roles
from tests.support.compliance import NOTICE_SECONDS, LimitedShare, as_limits, limits
from tests.support.scenario import Scenario, travel_to


@pytest.fixture
def issued(scenario: Scenario, limited: LimitedShare, holder: AccountAPI) -> LimitedShare:
    scenario.attest(holder)
    limited.issue(holder, 500)
    return limited


def schedule_limits(share: LimitedShare) -> int:
    """A minimum of 7: the second from which it may come into force."""
    receipt = share.rules.scheduleLimits(share.token, limits(minHolding=7), sender=share.issuer)
    return int(receipt.timestamp) + NOTICE_SECONDS


def schedule_countries(share: LimitedShare) -> int:
    """528 and 840 excluded: the second from which they may be."""
    receipt = share.rules.scheduleCountries(share.token, [528, 840], True, sender=share.issuer)
    return int(receipt.timestamp) + NOTICE_SECONDS


def in_force(share: LimitedShare) -> tuple[bool, bool]:
    """Whether the limits and the countries scheduled above are in force."""
    return (
        as_limits(share.rules.limitsOf(share.token)) == limits(minHolding=7),
        bool(share.rules.isCountryExcluded(share.token, 528)),
    )


def scheduled(share: LimitedShare) -> tuple[int, int]:
    """The seconds of what is scheduled."""
    return (
        int(share.rules.scheduledLimits(share.token).fromAt),
        int(share.rules.scheduledCountries(share.token).fromAt),
    )


def test_apply_rules__limits_in_the_first_second__in_force_by_anyone(
    issued: LimitedShare, attacker: AccountAPI
) -> None:
    from_at = schedule_limits(issued)
    chain.pending_timestamp = from_at
    receipt = issued.rules.applyRules(issued.token, sender=attacker)
    assert receipt.timestamp == from_at
    assert in_force(issued) == (True, False)
    assert scheduled(issued) == (0, 0)
    assert issued.holders() == 1
    [changed] = receipt.decode_logs(issued.rules.LimitsChanged)
    assert as_limits(changed.previous) == limits()
    assert as_limits(changed.limits) == limits(minHolding=7)


def test_apply_rules__holders_came_meanwhile__are_counted_on(
    issued: LimitedShare, scenario: Scenario, other_holder: AccountAPI, attacker: AccountAPI
) -> None:
    from_at = schedule_limits(issued)
    scenario.attest(other_holder)
    issued.issue(other_holder, 10)
    travel_to(from_at)
    issued.rules.applyRules(issued.token, sender=attacker)
    assert issued.holders() == 2


def test_apply_rules__countries_alone__in_force(issued: LimitedShare, attacker: AccountAPI) -> None:
    travel_to(schedule_countries(issued))
    receipt = issued.rules.applyRules(issued.token, sender=attacker)
    assert in_force(issued) == (False, True)
    assert scheduled(issued) == (0, 0)
    events = receipt.decode_logs(issued.rules.CountryExclusionChanged)
    assert [(event.country, event.excluded) for event in events] == [(528, True), (840, True)]


@pytest.mark.parametrize("limits_first", [True, False])
def test_apply_rules__the_one_is_over_the_other_not__the_other_stays_scheduled(
    issued: LimitedShare, attacker: AccountAPI, limits_first: bool
) -> None:
    first, second = (
        (schedule_limits, schedule_countries)
        if limits_first
        else (schedule_countries, schedule_limits)
    )
    first_at = first(issued)
    chain.mine(deltatime=1_000)
    second_at = second(issued)
    travel_to(first_at)
    issued.rules.applyRules(issued.token, sender=attacker)
    assert in_force(issued) == (limits_first, not limits_first)
    assert scheduled(issued) == ((0, second_at) if limits_first else (second_at, 0))
    travel_to(second_at)
    issued.rules.applyRules(issued.token, sender=attacker)
    assert in_force(issued) == (True, True)


def test_apply_rules__both_are_over__both_in_force(
    issued: LimitedShare, attacker: AccountAPI
) -> None:
    schedule_limits(issued)
    travel_to(schedule_countries(issued))
    issued.rules.applyRules(issued.token, sender=attacker)
    assert in_force(issued) == (True, True)
    assert scheduled(issued) == (0, 0)


@pytest.mark.parametrize("what", ["limits", "countries", "limits first", "countries first"])
def test_apply_rules__a_second_before_the_first__refused(
    issued: LimitedShare, attacker: AccountAPI, what: str
) -> None:
    order = [schedule_limits, schedule_countries]
    if what.startswith("countries"):
        order.reverse()
    from_at = order[0](issued)
    if what.endswith("first"):
        chain.mine(deltatime=1_000)
        order[1](issued)
    chain.pending_timestamp = from_at - 1
    with ape.reverts(issued.rules.HoldingRules_TooEarly, fromAt=from_at):
        issued.rules.applyRules(issued.token, sender=attacker)
    assert in_force(issued) == (False, False)


def test_apply_rules__nothing_scheduled__refused(
    limited: LimitedShare, attacker: AccountAPI
) -> None:
    for _ in range(2):
        with ape.reverts(limited.rules.HoldingRules_NothingScheduled, share=limited.token.address):
            limited.rules.applyRules(limited.token, sender=attacker)
        limited.set_limits(minHolding=1)


def test_withdraw_rules__limits_and_countries__nothing_stays_scheduled(
    issued: LimitedShare, attacker: AccountAPI
) -> None:
    from_at = schedule_limits(issued)
    schedule_countries(issued)
    receipt = issued.rules.withdrawRules(issued.token, sender=issued.issuer)
    [event] = receipt.decode_logs(issued.rules.RulesWithdrawn)
    assert (event.share, event.issuer) == (issued.token.address, issued.issuer.address)
    assert scheduled(issued) == (0, 0)
    assert list(issued.rules.scheduledCountries(issued.token).countries) == []
    assert as_limits(issued.rules.scheduledLimits(issued.token).limits) == limits()
    travel_to(from_at + NOTICE_SECONDS)
    with ape.reverts(issued.rules.HoldingRules_NothingScheduled, share=issued.token.address):
        issued.rules.applyRules(issued.token, sender=attacker)


@pytest.mark.parametrize("schedule", [schedule_limits, schedule_countries])
def test_withdraw_rules__one_of_the_two__withdrawn(
    issued: LimitedShare, schedule: Callable[[LimitedShare], int]
) -> None:
    schedule(issued)
    issued.rules.withdrawRules(issued.token, sender=issued.issuer)
    assert scheduled(issued) == (0, 0)


def test_withdraw_rules__nothing_scheduled__refused(limited: LimitedShare) -> None:
    with ape.reverts(limited.rules.HoldingRules_NothingScheduled, share=limited.token.address):
        limited.rules.withdrawRules(limited.token, sender=limited.issuer)


def test_withdraw_rules__issuer_of_another_cluster__refused(
    scenario: Scenario, issued: LimitedShare, other_issuer: AccountAPI
) -> None:
    scenario.register_cluster(other_issuer)
    schedule_limits(issued)
    with ape.reverts(
        issued.rules.Authorised_MissingPower,
        account=other_issuer.address,
        power=roles.ISSUER,
        clusterId=issued.cluster_id,
    ):
        issued.rules.withdrawRules(issued.token, sender=other_issuer)
