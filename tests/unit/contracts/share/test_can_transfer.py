"""ClusterShare.canTransfer: whether a transfer would go through, whatever is asked."""

from __future__ import annotations

import ape
import pytest
from ape.api import AccountAPI
from ape.contracts import ContractInstance

from tests.support.enforcement import (
    ZERO_ADDRESS,
    block_wallet,
    close_books,
    let_take,
    open_registered_share,
)
from tests.support.income import UINT256_MAX
from tests.support.scenario import SHARE, Scenario

HOLDER_SHARES = 300_000 * SHARE


@pytest.mark.parametrize("amount", [0, 1, HOLDER_SHARES])
def test_can_transfer__available_shares_to_an_eligible_wallet__yes(
    share: ContractInstance, holder: AccountAPI, other_holder: AccountAPI, amount: int
) -> None:
    assert share.canTransfer(holder, other_holder, amount)
    share.transfer(other_holder, amount, sender=holder)


@pytest.mark.parametrize("amount", [HOLDER_SHARES + 1, 2**64, 2**128, UINT256_MAX])
def test_can_transfer__more_than_there_is__no(
    share: ContractInstance, holder: AccountAPI, other_holder: AccountAPI, amount: int
) -> None:
    assert not share.canTransfer(holder, other_holder, amount)


@pytest.mark.parametrize("amount", [0, 1])
def test_can_transfer__to_or_from_nobody__no(
    share: ContractInstance, holder: AccountAPI, amount: int
) -> None:
    assert not share.canTransfer(holder, ZERO_ADDRESS, amount)
    assert not share.canTransfer(ZERO_ADDRESS, holder, amount)
    with ape.reverts(share.ERC20InvalidReceiver):
        share.transfer(ZERO_ADDRESS, amount, sender=holder)


def test_can_transfer__to_the_share_or_whom_may_not_receive__no(
    share: ContractInstance, scenario: Scenario, holder: AccountAPI, attacker: AccountAPI
) -> None:
    scenario.attest(share.address)
    for to in (share.address, attacker.address):
        assert not share.canReceive(to)
        assert not share.canTransfer(holder, to, 1)


def test_can_transfer__of_a_blocked_wallet__no(
    share: ContractInstance,
    scenario: Scenario,
    admin: AccountAPI,
    holder: AccountAPI,
    other_holder: AccountAPI,
) -> None:
    block_wallet(scenario, admin, holder)
    assert not share.canSend(holder)
    assert not share.canTransfer(holder, other_holder, 1)
    with ape.reverts(share.ERC7943CannotSend, account=holder.address):
        share.transfer(other_holder, 1, sender=holder)


def test_can_transfer__encumbered_or_frozen__the_available_alone(
    share: ContractInstance,
    scenario: Scenario,
    admin: AccountAPI,
    deployer: AccountAPI,
    holder: AccountAPI,
    other_holder: AccountAPI,
    keeper: AccountAPI,
) -> None:
    let_take(scenario, admin, keeper)
    share.encumber(keeper, SHARE, sender=holder)
    share.setFrozenTokens(holder, 2 * SHARE, sender=deployer)
    assert share.canTransfer(holder, other_holder, HOLDER_SHARES - 3 * SHARE)
    assert not share.canTransfer(holder, other_holder, HOLDER_SHARES - 3 * SHARE + 1)


def test_can_transfer__on_closed_books__no(
    scenario: Scenario, customer: AccountAPI, holder: AccountAPI, other_holder: AccountAPI
) -> None:
    ground = open_registered_share(scenario, customer)
    scenario.issue(ground.share, [holder, other_holder], [5 * SHARE, SHARE])
    assert ground.share.canTransfer(holder, other_holder, 1)
    close_books(ground)
    assert not ground.share.canTransfer(holder, other_holder, 1)
    with ape.reverts(ground.share.ClusterShare_BooksClosed, clusterId=ground.cluster_id):
        ground.share.transfer(other_holder, 1, sender=holder)
