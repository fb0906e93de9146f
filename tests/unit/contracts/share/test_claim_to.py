"""ClusterShare.claimTo: the desk pays a holder's income to whom the holder signed for."""

from __future__ import annotations

import ape
from ape.api import AccountAPI
from ape.contracts import ContractInstance

from tests.support.income import DAY, OpenShare
from tests.support.scenario import USD, travel_to


def test_claim_to__by_the_desk__goes_to_the_recipient(
    ground: OpenShare,
    share: ContractInstance,
    stablecoin: ContractInstance,
    deployer: AccountAPI,
    holder: AccountAPI,
    keeper: AccountAPI,
    relayer: AccountAPI,
) -> None:
    """Also past the payee that the holder has set; the zero address stands for that one."""
    share.setPayee(relayer, sender=holder)
    start = ground.fund(10_000 * USD).timestamp
    travel_to(start + DAY // 2)
    receipt = share.claimTo(holder, keeper, sender=deployer)
    [event] = receipt.decode_logs(share.IncomeClaimed)
    assert (event.owner, event.payee) == (holder.address, keeper.address)
    assert stablecoin.balanceOf(keeper) == receipt.return_value == share.claimedUsd6(holder) > 0
    travel_to(start + 2 * DAY)
    receipt = share.claimTo(holder, "0x" + "00" * 20, sender=deployer)
    assert stablecoin.balanceOf(relayer) == receipt.return_value > 0


def test_claim_to__by_anybody_else__refused(
    ground: OpenShare,
    share: ContractInstance,
    holder: AccountAPI,
    admin: AccountAPI,
    issuer: AccountAPI,
    attacker: AccountAPI,
) -> None:
    travel_to(ground.fund(10_000 * USD).timestamp + 2 * DAY)
    for caller in (holder, admin, issuer, attacker):
        with ape.reverts(share.ClusterShare_NotTheDesk, account=caller.address):
            share.claimTo(holder, attacker, sender=caller)


def test_claim_to__the_share_itself__refused(
    ground: OpenShare, share: ContractInstance, deployer: AccountAPI, holder: AccountAPI
) -> None:
    travel_to(ground.fund(10_000 * USD).timestamp + 2 * DAY)
    with ape.reverts(share.ClusterShare_InvalidPayee, payee=share.address):
        share.claimTo(holder, share, sender=deployer)
