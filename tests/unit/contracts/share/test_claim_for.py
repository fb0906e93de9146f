"""ClusterShare.claimFor: anyone may push a holder's income to the holder or the payee they set."""

from __future__ import annotations

import ape
import pytest
from ape import project
from ape.api import AccountAPI
from ape.contracts import ContractInstance

from tests.support.income import DAY, UINT256_MAX, OpenShare, deploy_open_share
from tests.support.scenario import SHARE, USD, Scenario, travel_to


@pytest.fixture
def start(ground: OpenShare) -> int:
    return int(ground.fund(10_000 * USD).timestamp)


def test_claim_for__by_anyone__goes_to_the_owner(
    share: ContractInstance,
    stablecoin: ContractInstance,
    holder: AccountAPI,
    other_holder: AccountAPI,
    attacker: AccountAPI,
    start: int,
) -> None:
    travel_to(start + 2 * DAY)
    other_before = share.claimableUsd6(other_holder)
    receipt = share.claimFor(holder, sender=attacker)
    assert stablecoin.balanceOf(holder) == receipt.return_value > 0
    assert stablecoin.balanceOf(attacker) == 0
    assert share.claimableUsd6(other_holder) == other_before


def test_claim_for__owner_with_a_payee__goes_to_the_payee(
    share: ContractInstance,
    stablecoin: ContractInstance,
    holder: AccountAPI,
    keeper: AccountAPI,
    attacker: AccountAPI,
    start: int,
) -> None:
    share.setPayee(keeper, sender=holder)
    travel_to(start + 2 * DAY)
    receipt = share.claimFor(holder, sender=attacker)
    [event] = receipt.decode_logs(share.IncomeClaimed)
    assert (event.owner, event.payee) == (holder.address, keeper.address)
    assert stablecoin.balanceOf(keeper) == receipt.return_value == share.claimedUsd6(holder)
    assert stablecoin.balanceOf(holder) == 0


@pytest.mark.usefixtures("start")
def test_claim_for__nothing_earned__refused(
    share: ContractInstance, attacker: AccountAPI, keeper: AccountAPI
) -> None:
    with ape.reverts(share.ClusterShare_NothingToClaim, owner=attacker.address):
        share.claimFor(attacker, sender=keeper)


def test_claim_for__twice_in_one_second__second_finds_nothing(
    share: ContractInstance, holder: AccountAPI, attacker: AccountAPI, start: int
) -> None:
    travel_to(start + 2 * DAY)
    share.claimFor(holder, sender=attacker)
    with ape.reverts(share.ClusterShare_NothingToClaim, owner=holder.address):
        share.claimFor(holder, sender=attacker)


@pytest.fixture
def hostile(
    scenario: Scenario, customer: AccountAPI, holder: AccountAPI, other_holder: AccountAPI
) -> tuple[ContractInstance, ContractInstance]:
    """A stablecoin that calls back; a share of it that has streamed $10 to two equal holders."""
    usd = scenario.deployer.deploy(project.HostileUsd, 6)
    cluster_id = scenario.register_cluster()
    scenario.open_funding(cluster_id)
    share = deploy_open_share(scenario, cluster_id, customer, usd)
    scenario.issue(share, [holder, other_holder], [100 * SHARE, 100 * SHARE])
    usd.mint(customer, 10 * USD, sender=customer)
    usd.approve(share, UINT256_MAX, sender=customer)
    start = share.fund(10 * USD, sender=customer).timestamp
    travel_to(start + 2 * DAY)
    return usd, share


@pytest.mark.parametrize("function", ["claim", "claimFor", "fund"])
def test_claim_for__stablecoin_calls_back_into_the_money__refused_inside_and_paid_once(
    hostile: tuple[ContractInstance, ContractInstance],
    holder: AccountAPI,
    other_holder: AccountAPI,
    function: str,
) -> None:
    usd, share = hostile
    arguments = {"claim": [], "claimFor": [other_holder], "fund": [1]}[function]
    usd.callBack(share, getattr(share, function).encode_input(*arguments), sender=holder)
    paid = share.claimFor(holder, sender=holder).return_value
    assert usd.callSucceeded() is False
    # ReentrancyGuardReentrantCall()
    assert bytes(usd.callResult()).hex() == "3ee5aeb5"
    assert usd.balanceOf(holder) == paid
    assert usd.balanceOf(share) == 10 * USD - paid
    assert share.claimFor(other_holder, sender=holder).return_value in (5 * USD, 5 * USD - 1)


def test_claim_for__stablecoin_moves_shares_in_the_middle__incomes_as_without(
    hostile: tuple[ContractInstance, ContractInstance],
    holder: AccountAPI,
    other_holder: AccountAPI,
) -> None:
    usd, share = hostile
    share.approve(usd, UINT256_MAX, sender=holder)
    call = share.transferFrom.encode_input(holder, other_holder, 100 * SHARE)
    usd.callBack(share, call, sender=holder)
    paid = share.claimFor(holder, sender=holder).return_value
    assert usd.callSucceeded() is True
    assert paid in (5 * USD, 5 * USD - 1)
    assert share.claimableUsd6(holder) == 0
    assert share.earnedUsd6(other_holder) in (5 * USD, 5 * USD - 1)
    with ape.reverts(share.ClusterShare_NothingToClaim):
        share.claimFor(holder, sender=holder)
