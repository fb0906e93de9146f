"""InflowPausable, as the Waterfall has it: seven days at most, and never claims."""

from __future__ import annotations

import ape
import pytest
from ape import chain
from ape.api import AccountAPI
from ape.contracts import ContractInstance

from tests.support.scenario import SHARE, USD, Scenario, travel_to

MAX_PAUSE = 7 * 86_400


@pytest.fixture(scope="module")
def cluster_id(
    scenario: Scenario, holder: AccountAPI, customer: AccountAPI, waterfall: ContractInstance
) -> int:
    """A Live cluster, with income of ten dollars and a customer who has approved a thousand."""
    cluster_id, _ = scenario.live_cluster([holder], [100 * SHARE])
    stablecoin = scenario.system.stablecoin
    scenario.give_usd(customer, 1_000 * USD)
    stablecoin.approve(waterfall, 1_000 * USD, sender=customer)
    waterfall.receiveIncome(cluster_id, 10 * USD, 0, b"\0" * 32, sender=customer)
    return cluster_id


def pay(waterfall: ContractInstance, cluster_id: int, customer: AccountAPI) -> None:
    waterfall.receiveIncome(cluster_id, USD, 0, b"\0" * 32, sender=customer)


@pytest.mark.parametrize("duration", [1_000, MAX_PAUSE])
def test_pause_inflow__in_range__income_waits_until_it_lets_go_by_itself(
    waterfall: ContractInstance,
    guardian: AccountAPI,
    customer: AccountAPI,
    cluster_id: int,
    duration: int,
) -> None:
    receipt = waterfall.pauseInflow(duration, sender=guardian)

    until = receipt.timestamp + duration
    assert waterfall.inflowPausedUntil() == until
    [event] = receipt.decode_logs(waterfall.InflowPaused)
    assert (event.guardian, event.untilAt) == (guardian.address, until)
    chain.pending_timestamp = until - 1
    with ape.reverts(waterfall.InflowPausable_Paused, untilAt=until):
        pay(waterfall, cluster_id, customer)
    travel_to(until)
    pay(waterfall, cluster_id, customer)


def test_pause_inflow__while_paused__distribution_and_claims_go_on(
    waterfall: ContractInstance,
    registry: ContractInstance,
    stablecoin: ContractInstance,
    guardian: AccountAPI,
    keeper: AccountAPI,
    holder: AccountAPI,
    cluster_id: int,
) -> None:
    share = ape.project.ClusterShare.at(registry.cluster(cluster_id).share)
    waterfall.pauseInflow(MAX_PAUSE, sender=guardian)
    waterfall.distribute(cluster_id, sender=keeper)
    chain.mine(deltatime=3_600)
    before = stablecoin.balanceOf(holder)
    share.claim(sender=holder)
    assert stablecoin.balanceOf(holder) > before


@pytest.mark.parametrize("duration", [0, MAX_PAUSE + 1, 2**256 - 1])
def test_pause_inflow__out_of_range__refused(
    waterfall: ContractInstance, guardian: AccountAPI, duration: int
) -> None:
    with ape.reverts(
        waterfall.InflowPausable_PauseOutOfRange, secondsAsked=duration, limit=MAX_PAUSE
    ):
        waterfall.pauseInflow(duration, sender=guardian)


@pytest.mark.parametrize("resumed", [False, True])
def test_pause_inflow__again__not_before_as_long_as_the_longest_pause(
    waterfall: ContractInstance, guardian: AccountAPI, resumed: bool
) -> None:
    ended = waterfall.pauseInflow(1_000, sender=guardian).timestamp + 1_000
    with ape.reverts(waterfall.InflowPausable_TooSoon, notBefore=ended + MAX_PAUSE):
        waterfall.pauseInflow(1_000, sender=guardian)
    if resumed:
        ended = waterfall.resumeInflow(sender=guardian).timestamp
    chain.pending_timestamp = ended + MAX_PAUSE - 1
    with ape.reverts(waterfall.InflowPausable_TooSoon, notBefore=ended + MAX_PAUSE):
        waterfall.pauseInflow(1_000, sender=guardian)
    travel_to(ended + MAX_PAUSE)
    waterfall.pauseInflow(1_000, sender=guardian)
    assert waterfall.inflowPausedUntil() > ended + MAX_PAUSE


def test_resume_inflow__paused__income_flows_at_once(
    waterfall: ContractInstance, guardian: AccountAPI, customer: AccountAPI, cluster_id: int
) -> None:
    waterfall.pauseInflow(MAX_PAUSE, sender=guardian)
    receipt = waterfall.resumeInflow(sender=guardian)
    [event] = receipt.decode_logs(waterfall.InflowResumed)
    assert event.guardian == guardian.address
    assert waterfall.inflowPausedUntil() == receipt.timestamp
    pay(waterfall, cluster_id, customer)


def test_resume_inflow__not_paused__nothing_changes(
    waterfall: ContractInstance, guardian: AccountAPI
) -> None:
    """Were it to move the end of a pause that is over, a guardian could never pause again."""
    until = waterfall.pauseInflow(1_000, sender=guardian).timestamp + 1_000
    travel_to(until + 10)
    waterfall.resumeInflow(sender=guardian)
    assert waterfall.inflowPausedUntil() == until
