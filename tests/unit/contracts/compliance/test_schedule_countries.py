"""HoldingRules.scheduleCountries: exclusion with notice once shares are issued, admission at once.

caller is the issuer of the share's cluster
a country below 1 or above 999 → CountryOutOfRange
├─ nothing issued, or admitted again → at once
└─ excluded with shares issued → after the notice
either replaces the countries that were scheduled
"""

from __future__ import annotations

import ape
import pytest
from ape.api import AccountAPI, ReceiptAPI

from scripts._lib import roles
from tests.support.compliance import NOTICE_SECONDS, LimitedShare
from tests.support.scenario import Scenario

COUNTRIES = [1, 255, 256, 528, 840, 999]


@pytest.fixture
def issued(scenario: Scenario, limited: LimitedShare, holder: AccountAPI) -> LimitedShare:
    scenario.attest(holder)
    limited.issue(holder, 500)
    return limited


def schedule(share: LimitedShare, countries: list[int], excluded: bool) -> ReceiptAPI:
    receipt: ReceiptAPI = share.rules.scheduleCountries(
        share.token, countries, excluded, sender=share.issuer
    )
    return receipt


def changes(share: LimitedShare, receipt: ReceiptAPI) -> list[tuple[int, bool]]:
    """What a transaction announced as changed."""
    events = receipt.decode_logs(share.rules.CountryExclusionChanged)
    assert all(event.share == share.token.address for event in events)
    return [(event.country, event.excluded) for event in events]


def excluded_of(share: LimitedShare, *countries: int) -> list[int]:
    return [one for one in countries if share.rules.isCountryExcluded(share.token, one)]


def scheduled(share: LimitedShare) -> tuple[list[int], int]:
    answer = share.rules.scheduledCountries(share.token)
    return list(answer.countries), int(answer.fromAt)


def test_schedule_countries__nothing_issued__at_once(limited: LimitedShare) -> None:
    receipt = schedule(limited, COUNTRIES, True)
    assert changes(limited, receipt) == [(country, True) for country in COUNTRIES]
    assert excluded_of(limited, *COUNTRIES, 2, 254, 257, 998) == COUNTRIES
    assert scheduled(limited) == ([], 0)
    [said] = receipt.decode_logs(limited.rules.CountriesScheduled)
    assert (said.share, said.issuer) == (limited.token.address, limited.issuer.address)
    assert (list(said.countries), said.excluded, said.fromAt) == (
        COUNTRIES,
        True,
        receipt.timestamp,
    )


def test_schedule_countries__excluded_already__said_once(limited: LimitedShare) -> None:
    schedule(limited, [528], True)
    assert changes(limited, schedule(limited, [528, 840, 840], True)) == [(840, True)]


def test_schedule_countries__shares_issued__excluded_after_the_notice(issued: LimitedShare) -> None:
    receipt = schedule(issued, [528, 840], True)
    assert excluded_of(issued, 528, 840) == []
    assert changes(issued, receipt) == []
    assert scheduled(issued) == ([528, 840], receipt.timestamp + NOTICE_SECONDS)
    [said] = receipt.decode_logs(issued.rules.CountriesScheduled)
    assert said.fromAt == receipt.timestamp + NOTICE_SECONDS


def test_schedule_countries__again_within_the_notice__replaces_and_begins_anew(
    issued: LimitedShare,
) -> None:
    schedule(issued, [528, 840, 1], True)
    receipt = schedule(issued, [276], True)
    assert scheduled(issued) == ([276], receipt.timestamp + NOTICE_SECONDS)


def test_schedule_countries__admitted_again__at_once_and_nothing_stays_scheduled(
    limited: LimitedShare, scenario: Scenario, holder: AccountAPI
) -> None:
    schedule(limited, [528, 840], True)
    scenario.attest(holder)
    limited.issue(holder, 500)
    schedule(limited, [276], True)
    receipt = schedule(limited, [840, 999], False)
    assert changes(limited, receipt) == [(840, False)]
    assert excluded_of(limited, 528, 840) == [528]
    assert scheduled(limited) == ([], 0)


def test_schedule_countries__of_another_share__nothing_changes(
    limited: LimitedShare, scenario: Scenario
) -> None:
    schedule(limited, [528], True)
    other = scenario.deployer.address
    assert not limited.rules.isCountryExcluded(other, 528)


@pytest.mark.parametrize("excluded", [False, True])
@pytest.mark.parametrize("country", [0, 1_000, 65_535])
def test_schedule_countries__country_out_of_range__refused(
    limited: LimitedShare, country: int, excluded: bool
) -> None:
    with ape.reverts(limited.rules.HoldingRules_CountryOutOfRange, country=country, limit=999):
        schedule(limited, [528, country], excluded)


def test_schedule_countries__issuer_of_another_cluster__refused(
    scenario: Scenario, limited: LimitedShare, other_issuer: AccountAPI
) -> None:
    scenario.register_cluster(other_issuer)
    with ape.reverts(
        limited.rules.Authorised_MissingPower,
        account=other_issuer.address,
        power=roles.ISSUER,
        clusterId=limited.cluster_id,
    ):
        limited.rules.scheduleCountries(limited.token, [528], True, sender=other_issuer)
