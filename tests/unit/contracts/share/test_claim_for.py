"""ClusterShare.claimFor: anyone may push a holder's income to the holder or the payee they set."""

from __future__ import annotations

import ape
import pytest
from ape.api import AccountAPI
from ape.contracts import ContractInstance

from tests.support.income import DAY, OpenShare
from tests.support.scenario import USD, travel_to


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
