"""ClusterShare.claim: a holder takes whole units of income, the fraction stays theirs."""

from __future__ import annotations

import ape
import pytest
from ape import chain
from ape.api import AccountAPI
from ape.contracts import ContractInstance

from tests.support.income import DAY, SCALE, OpenShare, is_close, is_rounded_down, streamed
from tests.support.scenario import USD, travel_to

HOLDER_SHARES = 300_000 * 10**6


@pytest.fixture
def start(ground: OpenShare) -> int:
    """The second at which $10,000 began to stream."""
    return int(ground.fund(10_000 * USD).timestamp)


def test_claim__in_mid_stream__pays_what_was_claimable_and_keeps_the_fraction(
    ground: OpenShare,
    share: ContractInstance,
    stablecoin: ContractInstance,
    holder: AccountAPI,
    start: int,
) -> None:
    chain.pending_timestamp = start + DAY // 7
    receipt = share.claim(sender=holder)
    exact = streamed(10_000 * USD, start, start + DAY // 7) * 3 / 4
    paid = receipt.return_value
    assert is_rounded_down(paid, exact)
    assert stablecoin.balanceOf(holder) == paid
    [event] = receipt.decode_logs(share.IncomeClaimed)
    assert (event.owner, event.payee, event.amountUsd6, event.claimedUsd6) == (
        holder.address,
        holder.address,
        paid,
        paid,
    )
    assert share.claimedUsd6(holder) == share.earnedUsd6(holder) == paid
    assert share.claimableUsd6(holder) == 0
    assert 0 < share.accountState(holder).earned < SCALE
    assert is_close(ground.earned(holder), exact)


def test_claim__many_times__pays_as_much_as_once(
    ground: OpenShare,
    share: ContractInstance,
    stablecoin: ContractInstance,
    holder: AccountAPI,
    other_holder: AccountAPI,
    start: int,
) -> None:
    for hour in range(1, 31):
        chain.pending_timestamp = start + hour * 3_600
        if share.claimableUsd6(holder):
            share.claim(sender=holder)
    travel_to(start + 2 * DAY)
    assert share.earnedUsd6(holder) in (7_500 * USD - 1, 7_500 * USD)
    assert stablecoin.balanceOf(holder) == share.claimedUsd6(holder)
    assert ground.is_conserved(holder, other_holder)


def test_claim__all_after_the_end__less_than_a_unit_a_holder_left(
    ground: OpenShare,
    share: ContractInstance,
    stablecoin: ContractInstance,
    holder: AccountAPI,
    other_holder: AccountAPI,
    start: int,
) -> None:
    travel_to(start + 2 * DAY)
    share.claim(sender=holder)
    share.claim(sender=other_holder)
    assert all(share.accountState(each).earned < SCALE for each in (holder, other_holder))
    assert stablecoin.balanceOf(share) <= 2
    assert ground.is_conserved(holder, other_holder)


@pytest.mark.usefixtures("start")
def test_claim__nothing_earned__refused(share: ContractInstance, attacker: AccountAPI) -> None:
    with ape.reverts(share.ClusterShare_NothingToClaim, owner=attacker.address):
        share.claim(sender=attacker)


def test_claim__less_than_a_unit_earned__refused(
    ground: OpenShare, share: ContractInstance, other_holder: AccountAPI
) -> None:
    ground.fund(3)
    chain.mine(deltatime=2 * DAY)
    assert ground.earned(other_holder) > 0
    with ape.reverts(share.ClusterShare_NothingToClaim, owner=other_holder.address):
        share.claim(sender=other_holder)


def test_claim__after_all_shares_are_sold__pays_what_was_earned_before(
    ground: OpenShare,
    share: ContractInstance,
    stablecoin: ContractInstance,
    holder: AccountAPI,
    other_holder: AccountAPI,
    start: int,
) -> None:
    chain.pending_timestamp = start + DAY // 3
    share.transfer(other_holder, HOLDER_SHARES, sender=holder)
    travel_to(start + 2 * DAY)
    share.claim(sender=holder)
    assert is_rounded_down(
        stablecoin.balanceOf(holder), streamed(10_000 * USD, start, start + DAY // 3) * 3 / 4
    )
    assert ground.is_conserved(holder, other_holder)


def test_claim__stablecoin_paused__refused_and_nothing_lost(
    share: ContractInstance,
    stablecoin: ContractInstance,
    deployer: AccountAPI,
    holder: AccountAPI,
    start: int,
) -> None:
    travel_to(start + 2 * DAY)
    claimable = share.claimableUsd6(holder)
    stablecoin.pause(sender=deployer)
    with ape.reverts("Pausable: paused"):
        share.claim(sender=holder)
    assert share.claimableUsd6(holder) == claimable
    stablecoin.unpause(sender=deployer)
    assert share.claim(sender=holder).return_value == claimable


def test_claim__holder_blacklisted_by_the_stablecoin__hurts_that_holder_alone(
    share: ContractInstance,
    stablecoin: ContractInstance,
    deployer: AccountAPI,
    holder: AccountAPI,
    other_holder: AccountAPI,
    start: int,
) -> None:
    travel_to(start + DAY // 2)
    stablecoin.blacklist(holder, sender=deployer)
    with ape.reverts("Blacklistable: account is blacklisted"):
        share.claim(sender=holder)
    assert share.claim(sender=other_holder).return_value > 0
    share.transfer(other_holder, 1, sender=holder)
    travel_to(start + 2 * DAY)
    stablecoin.unBlacklist(holder, sender=deployer)
    assert share.claim(sender=holder).return_value in (7_500 * USD - 1, 7_500 * USD)
