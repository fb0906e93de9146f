"""HolderDesk.claimMany: income of many clusters at once, by anyone, to the owner's payees."""

from __future__ import annotations

from itertools import pairwise

import ape
import pytest
from ape.api import AccountAPI, ReceiptAPI
from ape.contracts import ContractInstance
from eth_abi.abi import decode, encode
from eth_utils.crypto import keccak

from tests.support.desk import EARNED, Counter
from tests.support.scenario import Scenario

MAX_CLUSTERS = 64


def _skipped(desk: ContractInstance, receipt: ReceiptAPI) -> list[tuple[int, str, bytes]]:
    """Cluster, owner and reason of each claim that was skipped."""
    events = receipt.decode_logs(desk.ClaimSkipped)
    return [(event.clusterId, event.owner, bytes(event.reason)) for event in events]


def test_claim_many__income_in_each__pays_each_payee_and_says_how_much(
    counter: Counter,
    desk: ContractInstance,
    stablecoin: ContractInstance,
    holder: AccountAPI,
    keeper: AccountAPI,
    relayer: AccountAPI,
) -> None:
    first, second, third = counter.shares
    second.setPayee(keeper, sender=holder)
    receipt = desk.claimMany(holder, counter.cluster_ids, sender=relayer)
    # All of the stream but its last fraction.
    assert receipt.return_value == [EARNED - 1] * 3
    assert stablecoin.balanceOf(holder) == 2 * (EARNED - 1)
    assert stablecoin.balanceOf(keeper) == EARNED - 1
    assert [share.claimedUsd6(holder) for share in (first, second, third)] == [EARNED - 1] * 3
    assert _skipped(desk, receipt) == []


def test_claim_many__nothing_to_claim_in_one__zero_and_no_event(
    counter: Counter, desk: ContractInstance, holder: AccountAPI, relayer: AccountAPI
) -> None:
    counter.shares[1].claim(sender=holder)
    receipt = desk.claimMany(holder, counter.cluster_ids, sender=relayer)
    assert receipt.return_value == [EARNED - 1, 0, EARNED - 1]
    assert _skipped(desk, receipt) == []


def test_claim_many__by_somebody_who_never_held__zeros(
    counter: Counter, desk: ContractInstance, attacker: AccountAPI
) -> None:
    receipt = desk.claimMany(attacker, counter.cluster_ids, sender=attacker)
    assert receipt.return_value == [0, 0, 0]
    assert list(receipt.events) == []


def test_claim_many__frozen_whole_in_one__told_why_and_the_others_paid(
    counter: Counter, desk: ContractInstance, holder: AccountAPI, relayer: AccountAPI
) -> None:
    counter.freeze(counter.shares[0], holder.address)
    receipt = desk.claimMany(holder, counter.cluster_ids, sender=relayer)
    assert receipt.return_value == [0, EARNED - 1, EARNED - 1]
    reason = keccak(text="ClusterShare_IncomeFrozen(address)")[:4]
    reason += encode(["address"], [holder.address])
    assert _skipped(desk, receipt) == [(counter.cluster_ids[0], holder.address, reason)]


def test_claim_many__blacklisted_payee_in_one__told_why_and_the_others_paid(
    counter: Counter,
    desk: ContractInstance,
    stablecoin: ContractInstance,
    deployer: AccountAPI,
    holder: AccountAPI,
    keeper: AccountAPI,
    relayer: AccountAPI,
) -> None:
    counter.shares[2].setPayee(keeper, sender=holder)
    stablecoin.blacklist(keeper, sender=deployer)
    receipt = desk.claimMany(holder, counter.cluster_ids, sender=relayer)
    assert receipt.return_value == [EARNED - 1, EARNED - 1, 0]
    [(cluster_id, _, reason)] = _skipped(desk, receipt)
    assert cluster_id == counter.cluster_ids[2]
    assert decode(["string"], reason[4:]) == ("Blacklistable: account is blacklisted",)
    assert counter.shares[2].claimableUsd6(holder) == EARNED - 1


def test_claim_many__stablecoin_paused__nothing_paid_and_nothing_lost(
    counter: Counter,
    desk: ContractInstance,
    stablecoin: ContractInstance,
    deployer: AccountAPI,
    holder: AccountAPI,
    relayer: AccountAPI,
) -> None:
    stablecoin.pause(sender=deployer)
    receipt = desk.claimMany(holder, counter.cluster_ids, sender=relayer)
    assert receipt.return_value == [0, 0, 0]
    assert [cluster_id for cluster_id, _, _ in _skipped(desk, receipt)] == [*counter.cluster_ids]
    stablecoin.unpause(sender=deployer)
    receipt = desk.claimMany(holder, counter.cluster_ids, sender=relayer)
    assert receipt.return_value == [EARNED - 1] * 3


def test_claim_many__owner_recovered_in_one__paid_where_it_was_not(
    counter: Counter,
    desk: ContractInstance,
    holder: AccountAPI,
    keeper: AccountAPI,
    relayer: AccountAPI,
) -> None:
    counter.recover(counter.shares[0], holder.address, keeper)
    receipt = desk.claimMany(holder, counter.cluster_ids, sender=relayer)
    assert receipt.return_value == [0, EARNED - 1, EARNED - 1]
    receipt = desk.claimMany(keeper, counter.cluster_ids, sender=relayer)
    assert receipt.return_value == [EARNED - 1, 0, 0]


def test_claim_many__no_cluster__nothing(
    desk: ContractInstance, holder: AccountAPI, relayer: AccountAPI
) -> None:
    assert desk.claimMany(holder, [], sender=relayer).return_value == []


def test_claim_many__as_many_as_allowed__a_cluster_named_twice_pays_once(
    counter: Counter, desk: ContractInstance, holder: AccountAPI, relayer: AccountAPI
) -> None:
    receipt = desk.claimMany(holder, [counter.cluster_ids[0]] * MAX_CLUSTERS, sender=relayer)
    assert receipt.return_value == [EARNED - 1, *[0] * (MAX_CLUSTERS - 1)]


def test_claim_many__more_than_allowed__refused(
    counter: Counter, desk: ContractInstance, holder: AccountAPI, relayer: AccountAPI
) -> None:
    assert desk.MAX_CLUSTERS() == MAX_CLUSTERS
    too_many = [counter.cluster_ids[0]] * (MAX_CLUSTERS + 1)
    with ape.reverts(desk.HolderDesk_TooManyClusters, count=MAX_CLUSTERS + 1, limit=MAX_CLUSTERS):
        desk.claimMany(holder, too_many, sender=relayer)


def test_claim_many__cluster_without_a_share__refused(
    counter: Counter,
    desk: ContractInstance,
    scenario: Scenario,
    holder: AccountAPI,
    relayer: AccountAPI,
) -> None:
    proposed = scenario.register_cluster()
    with ape.reverts(desk.HolderDesk_NoShare, clusterId=proposed):
        desk.claimMany(holder, [*counter.cluster_ids, proposed], sender=relayer)


def test_claim_many__no_such_cluster__refused(
    counter: Counter,
    desk: ContractInstance,
    registry: ContractInstance,
    holder: AccountAPI,
    relayer: AccountAPI,
) -> None:
    with ape.reverts():
        desk.claimMany(holder, [counter.cluster_ids[0], 10_000], sender=relayer)
    assert counter.shares[0].claimedUsd6(holder) == 0


@pytest.mark.parametrize("gas", [150_000, 250_000, 340_000])
def test_claim_many__too_little_gas_for_a_claim__refused_instead_of_skipped(
    counter: Counter, desk: ContractInstance, holder: AccountAPI, relayer: AccountAPI, gas: int
) -> None:
    with ape.reverts(desk.HolderDesk_TooLittleGas):
        desk.claimMany(holder, counter.cluster_ids, gas=gas, sender=relayer)
    assert [share.claimedUsd6(holder) for share in counter.shares] == [0, 0, 0]


def test_claim_many__more_clusters__each_costs_less_than_a_claim_of_its_own(
    counter: Counter, desk: ContractInstance, holder: AccountAPI, other_holder: AccountAPI
) -> None:
    """Whole transactions, of owners who have stablecoin already."""
    used = []
    for count, owner in enumerate((counter.contract.address, holder, other_holder), start=1):
        counter.scenario.give_usd(owner, 1)
        receipt = desk.claimMany(owner, counter.cluster_ids[:count], sender=other_holder)
        used.append(receipt.gas_used)
    alone = counter.shares[2].claim(sender=holder).gas_used
    assert all(0 < later - earlier < alone for earlier, later in pairwise(used))
