"""CapitalProceeds.claimCapital: by anyone, to the owner's payee or to who replaced the owner."""

from __future__ import annotations

import ape
import pytest
from ape.api import AccountAPI
from ape.contracts import ContractInstance

from tests.support.capital import Ending, open_ending
from tests.support.income import DAY, now
from tests.support.scenario import SHARE, USD, YEAR_SECONDS, Scenario, travel_to

PROCEEDS = 1_000 * USD
HOLDERS_PART = 750 * USD


@pytest.fixture
def capital(ending: Ending) -> ContractInstance:
    return ending.capital


@pytest.fixture
def paid_in(ending: Ending) -> Ending:
    ending.deposit(PROCEEDS)
    return ending


@pytest.fixture
def replacement(
    paid_in: Ending, identity: ContractInstance, holder: AccountAPI, keeper: AccountAPI
) -> AccountAPI:
    """Another wallet of the holder's."""
    investor = identity.attestationOf(holder).investorId
    paid_in.scenario.attest(keeper, investorId=investor)
    return keeper


def _is_about(amount_usd6: int, expected_usd6: int) -> bool:
    """Equal but for the fraction of a unit that the index cannot say."""
    return amount_usd6 in (expected_usd6 - 1, expected_usd6)


def test_claim_capital__by_anyone__goes_to_the_owner_once(
    paid_in: Ending,
    capital: ContractInstance,
    stablecoin: ContractInstance,
    holder: AccountAPI,
    other_holder: AccountAPI,
    customer: AccountAPI,
    attacker: AccountAPI,
) -> None:
    cluster_id = paid_in.cluster_id
    claimable = capital.claimableCapitalUsd6(cluster_id, holder)
    receipt = capital.claimCapital(cluster_id, holder, sender=attacker)
    assert receipt.return_value == claimable == stablecoin.balanceOf(holder)
    assert _is_about(claimable, HOLDERS_PART)
    [event] = receipt.decode_logs(capital.CapitalClaimed)
    assert (event.clusterId, event.owner, event.payee) == (
        cluster_id,
        holder.address,
        holder.address,
    )
    assert (event.amountUsd6, event.totalUsd6) == (claimable, claimable)
    assert capital.claimableCapitalUsd6(cluster_id, holder) == 0
    assert capital.capitalPaidUsd6(cluster_id, holder) == claimable
    assert capital.proceeds(cluster_id).paidUsd6 == claimable
    assert paid_in.is_conserved(holder, other_holder)
    with ape.reverts(
        capital.CapitalProceeds_NothingToClaim, clusterId=cluster_id, owner=holder.address
    ):
        capital.claimCapital(cluster_id, holder, sender=holder)


def test_claim_capital__after_each_deposit__total_adds_up(
    paid_in: Ending,
    capital: ContractInstance,
    stablecoin: ContractInstance,
    holder: AccountAPI,
    other_holder: AccountAPI,
) -> None:
    paid_in.claim(holder)
    paid_in.deposit(PROCEEDS)
    [event] = paid_in.claim(holder).decode_logs(capital.CapitalClaimed)
    assert _is_about(event.totalUsd6, 2 * HOLDERS_PART)
    assert event.totalUsd6 == stablecoin.balanceOf(holder)
    paid_in.claim(other_holder)
    assert stablecoin.balanceOf(capital) <= 2
    assert paid_in.is_conserved(holder, other_holder)


def test_claim_capital__more_than_56_bits__counted_whole(
    paid_in: Ending, capital: ContractInstance, scenario: Scenario, holder: AccountAPI
) -> None:
    amount = 2**57
    scenario.give_usd(paid_in.payer, amount)
    paid_in.deposit(amount)
    paid_in.claim(holder)
    paid = capital.proceeds(paid_in.cluster_id).paidUsd6
    assert _is_about(paid, HOLDERS_PART + amount * 3 // 4)
    assert paid > 2**56


def test_claim_capital__decades_later__still_there(
    paid_in: Ending, stablecoin: ContractInstance, holder: AccountAPI
) -> None:
    travel_to(now() + 50 * YEAR_SECONDS)
    paid_in.claim(holder)
    assert _is_about(stablecoin.balanceOf(holder), HOLDERS_PART)


def test_claim_capital__payee_in_the_share__paid_instead(
    paid_in: Ending, stablecoin: ContractInstance, holder: AccountAPI, keeper: AccountAPI
) -> None:
    paid_in.share.setPayee(keeper, sender=holder)
    paid_in.claim(holder)
    assert _is_about(stablecoin.balanceOf(keeper), HOLDERS_PART)
    assert stablecoin.balanceOf(holder) == 0


def test_claim_capital__who_never_held_or_no_proceeds__refused(
    ending: Ending, capital: ContractInstance, holder: AccountAPI, attacker: AccountAPI
) -> None:
    with ape.reverts(capital.CapitalProceeds_NothingToClaim, owner=holder.address):
        ending.claim(holder)
    ending.deposit(PROCEEDS)
    with ape.reverts(capital.CapitalProceeds_NothingToClaim, owner=attacker.address):
        ending.claim(attacker)
    with ape.reverts(capital.CapitalProceeds_NothingToClaim, clusterId=10_000):
        capital.claimCapital(10_000, holder, sender=holder)


def test_claim_capital__less_than_a_unit__refused_and_kept(
    ending: Ending, capital: ContractInstance, other_holder: AccountAPI
) -> None:
    ending.deposit(3)
    assert capital.earnedCapital(ending.cluster_id, other_holder) > 0
    with ape.reverts(capital.CapitalProceeds_NothingToClaim):
        ending.claim(other_holder)
    ending.deposit(2)
    assert ending.claim(other_holder).return_value == 1


# ---------------------------------------------------------------------- freezes and orders


def test_claim_capital__frozen_whole__refused_until_it_is_lifted(
    paid_in: Ending, capital: ContractInstance, stablecoin: ContractInstance, holder: AccountAPI
) -> None:
    paid_in.freeze(holder)
    with ape.reverts(
        capital.CapitalProceeds_Frozen, clusterId=paid_in.cluster_id, owner=holder.address
    ):
        paid_in.claim(holder)
    paid_in.freeze(holder, 0)
    paid_in.claim(holder)
    assert _is_about(stablecoin.balanceOf(holder), HOLDERS_PART)


def test_claim_capital__all_shares_frozen_but_not_whole__paid(
    paid_in: Ending, stablecoin: ContractInstance, holder: AccountAPI
) -> None:
    """As with income: a freeze of so many shares holds shares, a whole one holds money."""
    paid_in.freeze(holder, 2**64 - 2)
    paid_in.claim(holder)
    assert _is_about(stablecoin.balanceOf(holder), HOLDERS_PART)


def test_claim_capital__shares_moved_by_order__each_deposit_to_who_held_then(
    paid_in: Ending,
    stablecoin: ContractInstance,
    holder: AccountAPI,
    other_holder: AccountAPI,
) -> None:
    paid_in.force(holder, other_holder, 300 * SHARE)
    paid_in.deposit(400 * USD)
    paid_in.claim(holder)
    paid_in.claim(other_holder)
    assert _is_about(stablecoin.balanceOf(holder), HOLDERS_PART)
    assert _is_about(stablecoin.balanceOf(other_holder), PROCEEDS - HOLDERS_PART + 400 * USD)
    assert paid_in.is_conserved(holder, other_holder)


def test_claim_capital__recovered_before_and_after__the_replacement_gets_both(
    paid_in: Ending,
    capital: ContractInstance,
    stablecoin: ContractInstance,
    holder: AccountAPI,
    other_holder: AccountAPI,
    replacement: AccountAPI,
) -> None:
    paid_in.recover(holder, replacement)
    paid_in.deposit(PROCEEDS)
    for owner in (holder, replacement):
        with ape.reverts(capital.CapitalProceeds_Frozen, owner=replacement.address):
            paid_in.claim(owner)
    paid_in.freeze(replacement, 0)
    [event] = paid_in.claim(holder).decode_logs(capital.CapitalClaimed)
    assert (event.owner, event.payee) == (holder.address, replacement.address)
    paid_in.claim(replacement)
    assert _is_about(stablecoin.balanceOf(replacement), 2 * HOLDERS_PART)
    assert stablecoin.balanceOf(holder) == 0
    assert paid_in.is_conserved(holder, other_holder, replacement)


def test_claim_capital__recovered_several_times__the_last_ones_payee(
    paid_in: Ending,
    scenario: Scenario,
    stablecoin: ContractInstance,
    identity: ContractInstance,
    holder: AccountAPI,
    replacement: AccountAPI,
    relayer: AccountAPI,
    operator: AccountAPI,
) -> None:
    investor = identity.attestationOf(holder).investorId
    scenario.attest(relayer, investorId=investor)
    paid_in.recover(holder, replacement)
    paid_in.recover(replacement, relayer)
    paid_in.freeze(relayer, 0)
    paid_in.share.setPayee(operator, sender=relayer)
    paid_in.claim(holder)
    assert _is_about(stablecoin.balanceOf(operator), HOLDERS_PART)


def test_claim_capital__payee_of_a_lost_wallet__is_of_no_account(
    paid_in: Ending,
    stablecoin: ContractInstance,
    holder: AccountAPI,
    replacement: AccountAPI,
    attacker: AccountAPI,
) -> None:
    """Whoever has the key sets a payee, before the recovery and after it."""
    paid_in.share.setPayee(attacker, sender=holder)
    paid_in.recover(holder, replacement)
    paid_in.freeze(replacement, 0)
    paid_in.share.setPayee(attacker, sender=holder)
    paid_in.claim(holder)
    assert stablecoin.balanceOf(attacker) == 0
    assert _is_about(stablecoin.balanceOf(replacement), HOLDERS_PART)


# ---------------------------------------------------------------------- the stablecoin


def test_claim_capital__payee_blacklisted__stops_that_owner_alone(
    paid_in: Ending,
    capital: ContractInstance,
    stablecoin: ContractInstance,
    deployer: AccountAPI,
    holder: AccountAPI,
    other_holder: AccountAPI,
    keeper: AccountAPI,
) -> None:
    stablecoin.blacklist(holder, sender=deployer)
    with ape.reverts("Blacklistable: account is blacklisted"):
        paid_in.claim(holder)
    paid_in.claim(other_holder)
    assert _is_about(stablecoin.balanceOf(other_holder), PROCEEDS - HOLDERS_PART)
    assert _is_about(capital.claimableCapitalUsd6(paid_in.cluster_id, holder), HOLDERS_PART)
    paid_in.share.setPayee(keeper, sender=holder)
    paid_in.claim(holder)
    assert _is_about(stablecoin.balanceOf(keeper), HOLDERS_PART)


def test_claim_capital__stablecoin_paused__refused_and_nothing_lost(
    paid_in: Ending, stablecoin: ContractInstance, deployer: AccountAPI, holder: AccountAPI
) -> None:
    stablecoin.pause(sender=deployer)
    with ape.reverts("Pausable: paused"):
        paid_in.claim(holder)
    stablecoin.unpause(sender=deployer)
    travel_to(now() + DAY)
    paid_in.claim(holder)


def test_claim_capital__of_one_cluster__leaves_the_others_alone(
    paid_in: Ending,
    scenario: Scenario,
    customer: AccountAPI,
    deployer: AccountAPI,
    stablecoin: ContractInstance,
    holder: AccountAPI,
) -> None:
    other = open_ending(scenario, customer, deployer, {holder: 10 * SHARE})
    other.retire()
    other.deposit(20 * USD)
    paid_in.claim(holder)
    assert _is_about(stablecoin.balanceOf(holder), HOLDERS_PART)
    assert other.capital.proceeds(other.cluster_id).paidUsd6 == 0
    other.claim(holder)
    assert _is_about(stablecoin.balanceOf(holder), HOLDERS_PART + 20 * USD)
