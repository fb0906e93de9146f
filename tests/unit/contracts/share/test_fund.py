"""ClusterShare.fund: the Waterfall's money streams to an end on a grid of four hours."""

from __future__ import annotations

from fractions import Fraction

import ape
import pytest
from ape import chain
from ape.api import AccountAPI
from ape.contracts import ContractInstance

from tests.support.income import (
    BOUNDARY_SECONDS,
    DAY,
    MIN_SUPPLY,
    UINT256_MAX,
    OpenShare,
    deploy_open_share,
    is_close,
    next_boundary,
)
from tests.support.scenario import USD, Scenario, travel_to

MAX_FUNDED = 10**18


def test_fund__from_the_waterfall__event_money_and_totals(
    ground: OpenShare, share: ContractInstance, stablecoin: ContractInstance
) -> None:
    first = ground.fund(5 * USD)
    [event] = first.decode_logs(share.StreamFunded)
    assert (event.funder, event.amountUsd6, event.fundedUsd6) == (
        ground.funder.address,
        5 * USD,
        5 * USD,
    )
    assert event.endsAt % BOUNDARY_SECONDS == 0
    assert DAY <= event.endsAt - first.timestamp < DAY + BOUNDARY_SECONDS
    [event] = ground.fund(7 * USD).decode_logs(share.StreamFunded)
    assert (event.amountUsd6, event.fundedUsd6) == (7 * USD, 12 * USD)
    assert stablecoin.balanceOf(share) == share.streamState().fundedUsd6 == 12 * USD


@pytest.mark.parametrize(("after", "duration"), [(0, DAY), (1, DAY + BOUNDARY_SECONDS - 1)])
def test_fund__at_a_boundary_and_a_second_later__shortest_and_longest_stream(
    ground: OpenShare, share: ContractInstance, after: int, duration: int
) -> None:
    start = next_boundary() + after
    [event] = ground.fund(1_000 * USD, at=start).decode_logs(share.StreamFunded)
    assert event.endsAt == start + duration
    ends, rates = share.streamEnds()
    assert (list(ends), list(rates)) == ([start + duration], [(1_000 * USD << 52) // duration])
    assert share.streamState().ratePerSecond == rates[0]


def test_fund__seconds_around_the_end__streams_to_the_last_and_no_longer(
    ground: OpenShare, share: ContractInstance, holder: AccountAPI
) -> None:
    start = next_boundary()
    ground.fund(DAY * 400 * USD, at=start)
    for at, left in ((DAY - 1, 400), (DAY, 0), (DAY + 1, 0)):
        travel_to(start + at)
        assert share.streamState().unstreamed == left * USD * 2**72
        assert is_close(ground.earned(holder), Fraction((DAY * 400 - left) * USD * 3, 4))
    assert share.streamState().ratePerSecond == 0
    assert share.streamEnds() == ([], [])


def test_fund__again__earlier_end_and_rate_unchanged(
    ground: OpenShare, share: ContractInstance
) -> None:
    start = next_boundary() + 5
    ground.fund(1_000 * USD, at=start)
    [end], [rate] = share.streamEnds()
    ground.fund(9 * USD, at=start + BOUNDARY_SECONDS)
    ends, rates = share.streamEnds()
    assert (ends[0], rates[0]) == (end, rate)
    assert ends[1] == end + BOUNDARY_SECONDS
    assert sum(rates) == share.streamState().ratePerSecond


def test_fund__in_every_four_hours__seven_ends_live_at_once(
    ground: OpenShare, share: ContractInstance, holder: AccountAPI, other_holder: AccountAPI
) -> None:
    start = next_boundary() + BOUNDARY_SECONDS - 1
    for n in range(20):
        ground.fund(100 * USD, at=start + n * BOUNDARY_SECONDS)
        ends, _ = share.streamEnds()
        assert len(ends) == min(n + 1, 7)
    assert ground.is_conserved(holder, other_holder)


def test_fund__smallest_amount__streams_a_unit(
    ground: OpenShare, share: ContractInstance, holder: AccountAPI, other_holder: AccountAPI
) -> None:
    start = ground.fund(1).timestamp
    travel_to(start + 2 * DAY)
    assert share.streamState().unstreamed == 0
    assert is_close(ground.earned(holder) + ground.earned(other_holder), Fraction(1))
    assert ground.is_conserved(holder, other_holder)


def test_fund__not_the_waterfall__refused(share: ContractInstance, attacker: AccountAPI) -> None:
    with ape.reverts(share.ClusterShare_NotTheWaterfall, account=attacker.address):
        share.fund(1, sender=attacker)


def test_fund__nothing__refused(ground: OpenShare) -> None:
    with ape.reverts(ground.share.ClusterShare_ZeroFunding):
        ground.fund(0)


def test_fund__nobody_holds__refused(scenario: Scenario, customer: AccountAPI) -> None:
    cluster_id = scenario.register_cluster()
    share = deploy_open_share(scenario, cluster_id, customer)
    with ape.reverts(share.ClusterShare_SupplyTooSmall, supply=0, minimum=MIN_SUPPLY):
        share.fund(1, sender=customer)


def test_fund__more_than_the_index_is_sized_for__refused(ground: OpenShare) -> None:
    ground.fund(3)
    with ape.reverts(
        ground.share.ClusterShare_FundingOverLimit, amountUsd6=MAX_FUNDED - 2, limit=MAX_FUNDED - 3
    ):
        ground.fund(MAX_FUNDED - 2)
    with ape.reverts(ground.share.ClusterShare_FundingOverLimit, amountUsd6=UINT256_MAX):
        ground.fund(UINT256_MAX)
    ground.fund(MAX_FUNDED - 3)
    with ape.reverts(ground.share.ClusterShare_FundingOverLimit, amountUsd6=1, limit=0):
        ground.fund(1)


def test_fund__not_approved__stablecoin_refuses(
    ground: OpenShare, share: ContractInstance, stablecoin: ContractInstance
) -> None:
    stablecoin.approve(share, 5, sender=ground.funder)
    with ape.reverts("ERC20: transfer amount exceeds allowance"):
        ground.fund(6)


def test_fund__stablecoin_paused__refused_and_later_accepted(
    ground: OpenShare, stablecoin: ContractInstance, deployer: AccountAPI
) -> None:
    stablecoin.pause(sender=deployer)
    with ape.reverts("Pausable: paused"):
        ground.fund(5)
    assert ground.share.streamState().fundedUsd6 == 0
    stablecoin.unpause(sender=deployer)
    ground.fund(5)


def test_fund__money_sent_past_it__streams_to_nobody(
    ground: OpenShare, share: ContractInstance, stablecoin: ContractInstance, holder: AccountAPI
) -> None:
    stablecoin.transfer(share, 50 * USD, sender=ground.funder)
    chain.mine(deltatime=DAY)
    assert share.streamState().fundedUsd6 == 0
    assert ground.earned(holder) == 0
