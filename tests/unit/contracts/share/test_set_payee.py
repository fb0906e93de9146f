"""ClusterShare.setPayee: where a holder's claims go."""

from __future__ import annotations

import ape
import pytest
from ape.api import AccountAPI
from ape.contracts import ContractInstance

from tests.support.income import DAY, OpenShare, delegate
from tests.support.scenario import USD, travel_to

ZERO_ADDRESS = "0x" + "00" * 20


def test_set_payee__another_account__told_with_the_previous_one(
    share: ContractInstance, holder: AccountAPI, keeper: AccountAPI, relayer: AccountAPI
) -> None:
    assert share.payeeOf(holder) == holder.address
    [event] = share.setPayee(keeper, sender=holder).decode_logs(share.PayeeChanged)
    assert (event.owner, event.previousPayee, event.payee) == (
        holder.address,
        holder.address,
        keeper.address,
    )
    [event] = share.setPayee(relayer, sender=holder).decode_logs(share.PayeeChanged)
    assert (event.previousPayee, event.payee) == (keeper.address, relayer.address)
    assert share.payeeOf(holder) == share.accountState(holder).payee == relayer.address


@pytest.mark.parametrize("own", [True, False])
def test_set_payee__zero_or_own_address__the_holder_again(
    share: ContractInstance, holder: AccountAPI, keeper: AccountAPI, own: bool
) -> None:
    share.setPayee(keeper, sender=holder)
    receipt = share.setPayee(holder if own else ZERO_ADDRESS, sender=holder)
    [event] = receipt.decode_logs(share.PayeeChanged)
    assert (event.previousPayee, event.payee) == (keeper.address, holder.address)
    assert share.payeeOf(holder) == holder.address


def test_set_payee__the_share_itself__refused(share: ContractInstance, holder: AccountAPI) -> None:
    with ape.reverts(share.ClusterShare_InvalidPayee, payee=share.address):
        share.setPayee(share, sender=holder)


def test_set_payee__in_mid_stream__moves_no_income_and_no_votes(
    ground: OpenShare,
    share: ContractInstance,
    stablecoin: ContractInstance,
    holder: AccountAPI,
    other_holder: AccountAPI,
    keeper: AccountAPI,
) -> None:
    delegate(share, other_holder, sender=holder)
    start = ground.fund(4_000 * USD).timestamp
    travel_to(start + DAY // 2)
    share.claim(sender=holder)
    taken = stablecoin.balanceOf(holder)
    share.setPayee(keeper, sender=holder)
    travel_to(start + 2 * DAY)
    share.claim(sender=holder)
    assert stablecoin.balanceOf(holder) == taken
    assert taken + stablecoin.balanceOf(keeper) in (3_000 * USD, 3_000 * USD - 1)
    assert share.getVotes(other_holder) == share.balanceOf(holder)


def test_set_payee__by_who_holds_nothing__kept_for_later(
    share: ContractInstance, attacker: AccountAPI, keeper: AccountAPI
) -> None:
    share.setPayee(keeper, sender=attacker)
    assert share.payeeOf(attacker) == keeper.address


def test_set_payee__payee_blacklisted__another_one_gets_the_income_through(
    ground: OpenShare,
    share: ContractInstance,
    stablecoin: ContractInstance,
    deployer: AccountAPI,
    holder: AccountAPI,
    keeper: AccountAPI,
    relayer: AccountAPI,
) -> None:
    start = ground.fund(4_000 * USD).timestamp
    travel_to(start + 2 * DAY)
    share.setPayee(keeper, sender=holder)
    stablecoin.blacklist(keeper, sender=deployer)
    with ape.reverts("Blacklistable: account is blacklisted"):
        share.claim(sender=holder)
    share.setPayee(relayer, sender=holder)
    share.claim(sender=holder)
    assert stablecoin.balanceOf(relayer) == share.claimedUsd6(holder) > 0
