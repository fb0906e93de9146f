"""ClusterShare.encumberFrom: an allowance pledges its owner's shares."""

from __future__ import annotations

import ape
import pytest
from ape.api import AccountAPI
from ape.contracts import ContractInstance

from tests.support.enforcement import NEVER
from tests.support.income import UINT256_MAX
from tests.support.scenario import SHARE

HOLDER_SHARES = 300_000 * SHARE


@pytest.mark.parametrize(("allowed", "left"), [(10, 3), (7, 0), (UINT256_MAX, UINT256_MAX)])
def test_encumber_from__allowed__pledges_and_spends_the_allowance(
    share: ContractInstance,
    holder: AccountAPI,
    taker: AccountAPI,
    attacker: AccountAPI,
    allowed: int,
    left: int,
) -> None:
    share.approve(attacker, allowed, sender=holder)
    receipt = share.encumberFrom(holder, taker, 7, sender=attacker)
    [event] = receipt.decode_logs(share.Encumber)
    assert (event.owner, event.taker, event.amount) == (holder.address, taker.address, 7)
    assert share.allowance(holder, attacker) == left
    assert share.encumbrances(holder, taker) == 7
    assert share.encumbranceOf(holder, taker).expiresAt == NEVER
    assert share.balanceOf(holder) == HOLDER_SHARES
    assert share.encumberedBalanceOf(attacker) == 0


def test_encumber_from__by_the_taker_to_itself__pledges(
    share: ContractInstance, holder: AccountAPI, taker: AccountAPI
) -> None:
    share.approve(taker, 7, sender=holder)
    share.encumberFrom(holder, taker, 7, sender=taker)
    assert share.encumbrances(holder, taker) == 7


def test_encumber_from__more_than_allowed__refused(
    share: ContractInstance, holder: AccountAPI, taker: AccountAPI, attacker: AccountAPI
) -> None:
    share.approve(attacker, 6, sender=holder)
    with ape.reverts(
        share.ERC20InsufficientAllowance, spender=attacker.address, allowance=6, needed=7
    ):
        share.encumberFrom(holder, taker, 7, sender=attacker)
    with ape.reverts(
        share.ERC20InsufficientAllowance, spender=holder.address, allowance=0, needed=7
    ):
        share.encumberFrom(holder, taker, 7, sender=holder)


def test_encumber_from__what_encumber_refuses__refused_and_nothing_spent(
    share: ContractInstance, holder: AccountAPI, taker: AccountAPI, attacker: AccountAPI
) -> None:
    allowed = 2 * HOLDER_SHARES
    share.approve(attacker, allowed, sender=holder)
    with ape.reverts(share.ClusterShare_ZeroEncumbrance):
        share.encumberFrom(holder, taker, 0, sender=attacker)
    with ape.reverts(share.ERC20InsufficientBalance, needed=HOLDER_SHARES + 1):
        share.encumberFrom(holder, taker, HOLDER_SHARES + 1, sender=attacker)
    with ape.reverts(share.ClusterShare_NotAnEncumbrancer, taker=attacker.address):
        share.encumberFrom(holder, attacker, 1, sender=attacker)
    share.encumber(taker, HOLDER_SHARES, sender=holder)
    with ape.reverts(share.ClusterShare_InsufficientAvailable, available=0, amount=1):
        share.encumberFrom(holder, taker, 1, sender=attacker)
    assert share.allowance(holder, attacker) == allowed
