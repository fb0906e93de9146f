"""HoldingRules.scheduleLimits: limits act at once where they harm nobody, else with notice.

caller is the issuer of the share's cluster (of no share: of cluster 0, which nobody is)
minimum above a maximum → LimitsCross
├─ nothing issued → at once, whatever it says
└─ issued
   ├─ a lock-up put on or made longer → LockExtended
   ├─ every limit equal or looser → at once
   └─ any limit tighter → after the notice; replaces what was scheduled
"""

from __future__ import annotations

from typing import Any

import ape
import pytest
from ape import chain
from ape.api import AccountAPI
from ape.contracts import ContractInstance

from scripts._lib import roles
from tests.support.compliance import (
    NOTICE_SECONDS,
    LimitedShare,
    Limits,
    as_limits,
    limits,
    wallet_number,
)
from tests.support.scenario import Scenario, travel_to

SOME = limits(
    minHolding=10,
    maxHolding=1_000,
    maxHolders=50,
    lockedUntilDay=[30_000, 30_001, 30_002],
    excludesCountries=True,
)
LARGEST = limits(
    minHolding=2**64 - 1,
    maxHolding=2**64 - 1,
    maxHolders=2**32 - 1,
    lockedUntilDay=[2**16 - 1] * 3,
    excludesCountries=True,
)


@pytest.fixture
def issued(scenario: Scenario, limited: LimitedShare, holder: AccountAPI) -> LimitedShare:
    """SOME in force, and one holder."""
    scenario.attest(holder)
    limited.set_limits(**SOME)
    limited.issue(holder, 500)
    return limited


def in_force(share: LimitedShare) -> Limits:
    return as_limits(share.rules.limitsOf(share.token))


def scheduled(share: LimitedShare) -> tuple[Limits, int]:
    answer = share.rules.scheduledLimits(share.token)
    return as_limits(answer.limits), int(answer.fromAt)


NOTHING = (limits(), 0)


@pytest.mark.parametrize("wanted", [SOME, LARGEST, limits()], ids=["some", "largest", "none"])
def test_schedule_limits__nothing_issued__at_once(limited: LimitedShare, wanted: Limits) -> None:
    limited.set_limits(maxHolders=7)
    receipt = limited.rules.scheduleLimits(limited.token, wanted, sender=limited.issuer)

    assert in_force(limited) == wanted
    assert scheduled(limited) == NOTHING
    assert limited.holders() == 0
    [said] = receipt.decode_logs(limited.rules.LimitsScheduled)
    assert (said.share, said.issuer) == (limited.token.address, limited.issuer.address)
    assert (as_limits(said.limits), said.fromAt) == (wanted, receipt.timestamp)
    [changed] = receipt.decode_logs(limited.rules.LimitsChanged)
    assert changed.share == limited.token.address
    assert as_limits(changed.previous) == limits(maxHolders=7)
    assert as_limits(changed.limits) == wanted


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"minHolding": 9},
        {"minHolding": 0},
        {"maxHolding": 1_001},
        {"maxHolding": 0},
        {"maxHolders": 51},
        {"maxHolders": 0},
        {"lockedUntilDay": [29_999, 30_001, 30_002]},
        {"lockedUntilDay": [0, 0, 0]},
        {"excludesCountries": False},
    ],
    ids=str,
)
def test_schedule_limits__none_is_tighter__at_once(
    issued: LimitedShare, change: dict[str, Any]
) -> None:
    issued.rules.scheduleLimits(issued.token, SOME | change, sender=issued.issuer)
    assert in_force(issued) == SOME | change
    assert scheduled(issued) == NOTHING
    assert issued.holders() == 1


@pytest.mark.parametrize(
    "change",
    [
        {"minHolding": 11},
        {"maxHolding": 999},
        {"maxHolders": 49},
        {"maxHolders": 49, "minHolding": 0, "maxHolding": 0, "lockedUntilDay": [0, 0, 0]},
    ],
    ids=str,
)
def test_schedule_limits__any_is_tighter__after_the_notice(
    issued: LimitedShare, change: dict[str, Any]
) -> None:
    receipt = issued.rules.scheduleLimits(issued.token, SOME | change, sender=issued.issuer)
    from_at = receipt.timestamp + NOTICE_SECONDS
    assert in_force(issued) == SOME
    assert scheduled(issued) == (SOME | change, from_at)
    assert receipt.decode_logs(issued.rules.LimitsChanged) == []
    [said] = receipt.decode_logs(issued.rules.LimitsScheduled)
    assert (as_limits(said.limits), said.fromAt) == (SOME | change, from_at)


@pytest.mark.parametrize(
    "change",
    [
        {"minHolding": 1},
        {"maxHolding": 2**64 - 1},
        {"maxHolders": 2**32 - 1},
        {"excludesCountries": True},
    ],
    ids=str,
)
def test_schedule_limits__where_there_was_none__after_the_notice(
    scenario: Scenario, limited: LimitedShare, holder: AccountAPI, change: dict[str, Any]
) -> None:
    scenario.attest(holder)
    limited.issue(holder, 500)
    limited.rules.scheduleLimits(limited.token, limits(**change), sender=limited.issuer)
    assert in_force(limited) == limits()
    assert scheduled(limited)[0] == limits(**change)


def test_schedule_limits__seconds_above_32_bits__kept_whole(issued: LimitedShare) -> None:
    """From 2106 on."""
    travel_to(2**32 + 100)
    wanted = SOME | {"minHolding": 20}
    receipt = issued.rules.scheduleLimits(issued.token, wanted, sender=issued.issuer)
    assert scheduled(issued) == (wanted, receipt.timestamp + NOTICE_SECONDS)
    assert in_force(issued) == SOME


def test_schedule_limits__again_within_the_notice__replaces_and_begins_anew(
    issued: LimitedShare,
) -> None:
    issued.rules.scheduleLimits(issued.token, SOME | {"minHolding": 20}, sender=issued.issuer)
    chain.mine(deltatime=NOTICE_SECONDS - 10)
    receipt = issued.rules.scheduleLimits(
        issued.token, SOME | {"minHolding": 30}, sender=issued.issuer
    )
    assert scheduled(issued) == (SOME | {"minHolding": 30}, receipt.timestamp + NOTICE_SECONDS)


def test_schedule_limits__looser_within_the_notice__drops_what_was_scheduled(
    issued: LimitedShare,
) -> None:
    issued.rules.scheduleLimits(issued.token, SOME | {"minHolding": 20}, sender=issued.issuer)
    issued.rules.scheduleLimits(issued.token, SOME, sender=issued.issuer)
    assert scheduled(issued) == NOTHING


@pytest.mark.parametrize("investor_class", [1, 2, 3])
def test_schedule_limits__lock_made_longer__refused_with_shares_issued_alone(
    issued: LimitedShare, holder: AccountAPI, investor_class: int
) -> None:
    days = [30_000, 30_001, 30_002]
    limit = days[investor_class - 1]
    days[investor_class - 1] += 1
    wanted = SOME | {"lockedUntilDay": days}
    with ape.reverts(
        issued.rules.HoldingRules_LockExtended,
        investorClass=investor_class,
        day=limit + 1,
        limit=limit,
    ):
        issued.rules.scheduleLimits(issued.token, wanted, sender=issued.issuer)
    issued.token.move(holder, ape.utils.ZERO_ADDRESS, 500, True, sender=issued.issuer)
    issued.rules.scheduleLimits(issued.token, wanted, sender=issued.issuer)
    assert in_force(issued) == wanted


def test_schedule_limits__all_burnt_meanwhile__at_once_and_drops_what_was_scheduled(
    issued: LimitedShare, holder: AccountAPI
) -> None:
    issued.rules.scheduleLimits(issued.token, SOME | {"minHolding": 20}, sender=issued.issuer)
    issued.token.move(holder, ape.utils.ZERO_ADDRESS, 500, True, sender=issued.issuer)
    issued.rules.scheduleLimits(issued.token, SOME | {"minHolding": 30}, sender=issued.issuer)
    assert in_force(issued)["minHolding"] == 30
    assert scheduled(issued) == NOTHING


@pytest.mark.parametrize(("minimum", "maximum"), [(11, 10), (2**64 - 1, 1)])
def test_schedule_limits__minimum_above_the_maximum__refused(
    limited: LimitedShare, minimum: int, maximum: int
) -> None:
    with ape.reverts(limited.rules.HoldingRules_LimitsCross, minimum=minimum, maximum=maximum):
        limited.set_limits(minHolding=minimum, maxHolding=maximum)


@pytest.mark.parametrize(("minimum", "maximum"), [(10, 10), (10, 0)])
def test_schedule_limits__minimum_and_maximum_that_meet__accepted(
    limited: LimitedShare, minimum: int, maximum: int
) -> None:
    limited.set_limits(minHolding=minimum, maxHolding=maximum)
    assert in_force(limited) == limits(minHolding=minimum, maxHolding=maximum)


def test_schedule_limits__of_another_cluster__its_issuer_refused(
    scenario: Scenario, limited: LimitedShare, other_issuer: AccountAPI
) -> None:
    scenario.register_cluster(other_issuer)
    with ape.reverts(
        limited.rules.Authorised_MissingPower,
        account=other_issuer.address,
        power=roles.ISSUER,
        clusterId=limited.cluster_id,
    ):
        limited.rules.scheduleLimits(limited.token, SOME, sender=other_issuer)


def test_schedule_limits__of_what_is_no_share__nobody_is_let_in(
    identity: ContractInstance, stablecoin: ContractInstance, limited: LimitedShare
) -> None:
    """An account without code, and a contract without a cluster."""
    for no_share in (wallet_number(0xE0A), stablecoin.address):
        with ape.reverts(
            identity.Authorised_MissingPower,
            account=limited.issuer.address,
            power=roles.ISSUER,
            clusterId=0,
        ):
            identity.scheduleLimits(no_share, SOME, sender=limited.issuer)
