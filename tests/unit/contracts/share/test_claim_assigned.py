"""ClusterShare.claimAssigned: anyone may push assigned income to its payee."""

from __future__ import annotations

import ape
import pytest
from ape import chain
from ape.api import AccountAPI
from ape.contracts import ContractInstance

from tests.support.enforcement import ALL, is_conserved
from tests.support.income import DAY, SCALE, OpenShare, is_rounded_down, streamed
from tests.support.scenario import SHARE, USD, Scenario, travel_to

HOLDER_SHARES = 300_000 * SHARE


@pytest.fixture
def lender(customer: AccountAPI) -> AccountAPI:
    return customer


@pytest.fixture
def start(
    ground: OpenShare,
    share: ContractInstance,
    holder: AccountAPI,
    taker: AccountAPI,
    lender: AccountAPI,
) -> int:
    """The second at which $10,000 began to stream, a quarter of them to the lender."""
    share.encumber(taker, HOLDER_SHARES, sender=holder)
    share.assignIncome(taker, HOLDER_SHARES // 3, lender, sender=holder)
    return int(ground.fund(10_000 * USD).timestamp)


def test_claim_assigned__by_anyone__pays_the_payee_and_keeps_the_fraction(
    share: ContractInstance,
    stablecoin: ContractInstance,
    holder: AccountAPI,
    other_holder: AccountAPI,
    lender: AccountAPI,
    attacker: AccountAPI,
    start: int,
) -> None:
    held = stablecoin.balanceOf(lender)
    chain.pending_timestamp = start + DAY // 7
    receipt = share.claimAssigned(holder, lender, sender=attacker)
    exact = streamed(10_000 * USD, start, start + DAY // 7) / 4
    paid = receipt.return_value
    assert is_rounded_down(paid, exact)
    assert stablecoin.balanceOf(lender) == held + paid
    [event] = receipt.decode_logs(share.AssignedIncomeClaimed)
    assert (event.owner, event.payee) == (holder.address, lender.address)
    assert (event.amountUsd6, event.claimedUsd6) == (paid, paid)
    state = share.interestState(holder, lender)
    assert state.claimed == paid
    assert 0 < state.earned < SCALE
    assert share.claimedUsd6(holder) == 0
    assert is_conserved(share, (holder, other_holder), [(holder, lender)])

    travel_to(start + 2 * DAY)
    receipt = share.claimAssigned(holder, lender, sender=attacker)
    [event] = receipt.decode_logs(share.AssignedIncomeClaimed)
    assert event.claimedUsd6 == paid + event.amountUsd6 in (2_500 * USD, 2_500 * USD - 1)


@pytest.mark.usefixtures("start")
def test_claim_assigned__less_than_a_unit_or_no_interest__refused(
    ground: OpenShare,
    share: ContractInstance,
    holder: AccountAPI,
    other_holder: AccountAPI,
    lender: AccountAPI,
    attacker: AccountAPI,
) -> None:
    travel_to(ground.fund(1).timestamp + 2 * DAY)
    share.claimAssigned(holder, lender, sender=attacker)
    travel_to(ground.fund(1).timestamp + 2 * DAY)
    assert 0 < share.interestState(holder, lender).earned < SCALE
    with ape.reverts(share.ClusterShare_NothingToClaim, owner=lender.address):
        share.claimAssigned(holder, lender, sender=lender)
    with ape.reverts(share.ClusterShare_NothingToClaim, owner=attacker.address):
        share.claimAssigned(holder, attacker, sender=attacker)
    with ape.reverts(share.ClusterShare_NothingToClaim, owner=lender.address):
        share.claimAssigned(other_holder, lender, sender=lender)


def test_claim_assigned__owner_frozen__refused_if_whole_and_paid_if_not(
    share: ContractInstance,
    holder: AccountAPI,
    lender: AccountAPI,
    enforcement: AccountAPI,
    start: int,
) -> None:
    travel_to(start + 2 * DAY)
    share.setFrozenTokens(holder, ALL, sender=enforcement)
    with ape.reverts(share.ClusterShare_IncomeFrozen, owner=holder.address):
        share.claimAssigned(holder, lender, sender=lender)
    share.setFrozenTokens(holder, ALL - 1, sender=enforcement)
    assert share.claimAssigned(holder, lender, sender=lender).return_value > 0


def test_claim_assigned__payee_frozen__refused_if_whole_and_paid_if_not(
    share: ContractInstance,
    holder: AccountAPI,
    lender: AccountAPI,
    enforcement: AccountAPI,
    start: int,
) -> None:
    travel_to(start + 2 * DAY)
    share.setFrozenTokens(lender, ALL, sender=enforcement)
    with ape.reverts(share.ClusterShare_IncomeFrozen, owner=lender.address):
        share.claimAssigned(holder, lender, sender=lender)
    assert share.claim(sender=holder).return_value > 0
    share.setFrozenTokens(lender, 1, sender=enforcement)
    assert share.claimAssigned(holder, lender, sender=lender).return_value > 0


def test_claim_assigned__payee_recovered__its_successor_is_paid(
    share: ContractInstance,
    stablecoin: ContractInstance,
    scenario: Scenario,
    holder: AccountAPI,
    lender: AccountAPI,
    attacker: AccountAPI,
    enforcement: AccountAPI,
    start: int,
) -> None:
    """Once it is frozen no more, and again after the next recovery."""
    scenario.attest(attacker)
    held = stablecoin.balanceOf(lender)
    travel_to(start + DAY // 2)
    share.setFrozenTokens(lender, ALL, sender=enforcement)
    share.recover(lender, attacker, sender=enforcement)
    with ape.reverts(share.ClusterShare_IncomeFrozen, owner=attacker.address):
        share.claimAssigned(holder, lender, sender=lender)
    share.setFrozenTokens(attacker, 0, sender=enforcement)
    travel_to(start + 2 * DAY)
    receipt = share.claimAssigned(holder, lender, sender=lender)
    [event] = receipt.decode_logs(share.AssignedIncomeClaimed)
    assert event.payee == lender.address
    assert stablecoin.balanceOf(attacker) == receipt.return_value > 0
    assert stablecoin.balanceOf(lender) == held


@pytest.mark.usefixtures("start")
def test_claim_assigned__owner_with_a_payee_of_its_own__goes_where_it_was_assigned(
    ground: OpenShare,
    share: ContractInstance,
    stablecoin: ContractInstance,
    holder: AccountAPI,
    lender: AccountAPI,
    attacker: AccountAPI,
) -> None:
    share.setPayee(attacker, sender=holder)
    travel_to(ground.fund(8 * USD).timestamp + 2 * DAY)
    share.claimAssigned(holder, lender, sender=holder)
    assert stablecoin.balanceOf(attacker) == 0
    share.claim(sender=holder)
    assert stablecoin.balanceOf(attacker) == share.claimedUsd6(holder) > 0


def test_claim_assigned__payee_blacklisted_by_the_stablecoin__hurts_that_payee_alone(
    share: ContractInstance,
    stablecoin: ContractInstance,
    deployer: AccountAPI,
    holder: AccountAPI,
    lender: AccountAPI,
    start: int,
) -> None:
    travel_to(start + 2 * DAY)
    stablecoin.blacklist(lender, sender=deployer)
    with ape.reverts():
        share.claimAssigned(holder, lender, sender=lender)
    assert share.claim(sender=holder).return_value > 0
    stablecoin.unBlacklist(lender, sender=deployer)
    assert share.claimAssigned(holder, lender, sender=lender).return_value > 0
