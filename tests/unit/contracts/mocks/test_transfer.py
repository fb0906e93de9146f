"""TestUsd.transfer, transferFrom, approve and allowances: as USDC, in its words of refusal."""

from __future__ import annotations

import ape
import pytest
from ape.api import AccountAPI
from ape.contracts import ContractInstance
from ape.utils import ZERO_ADDRESS

from tests.support.scenario import USD


def test_metadata__as_deployed__that_of_usdc(usd: ContractInstance) -> None:
    assert (usd.name(), usd.symbol(), usd.decimals(), usd.version()) == ("USDC", "USDC", 6, "2")


def test_transfer__enough__moves_and_tells(
    usd: ContractInstance, holder: AccountAPI, customer: AccountAPI
) -> None:
    supply = usd.totalSupply()
    receipt = usd.transfer(customer, 40 * USD, sender=holder)
    assert (usd.balanceOf(holder), usd.balanceOf(customer)) == (60 * USD, 40 * USD)
    assert usd.totalSupply() == supply
    [event] = receipt.decode_logs(usd.Transfer)
    assert tuple(event.event_arguments.values()) == (holder.address, customer.address, 40 * USD)


def test_transfer__to_oneself__nothing_changes(usd: ContractInstance, holder: AccountAPI) -> None:
    usd.transfer(holder, 40 * USD, sender=holder)
    assert usd.balanceOf(holder) == 100 * USD


def test_transfer__too_much__refused(
    usd: ContractInstance, holder: AccountAPI, customer: AccountAPI
) -> None:
    with ape.reverts("ERC20: transfer amount exceeds balance"):
        usd.transfer(customer, 100 * USD + 1, sender=holder)


def test_transfer__to_nobody__refused(usd: ContractInstance, holder: AccountAPI) -> None:
    with ape.reverts("ERC20: transfer to the zero address"):
        usd.transfer(ZERO_ADDRESS, 1, sender=holder)


def test_transfer_from__within_allowance__spends_it(
    usd: ContractInstance, holder: AccountAPI, customer: AccountAPI, keeper: AccountAPI
) -> None:
    usd.approve(keeper, 50 * USD, sender=holder)
    usd.transferFrom(holder, customer, 20 * USD, sender=keeper)
    assert usd.balanceOf(customer) == 20 * USD
    assert usd.allowance(holder, keeper) == 30 * USD


def test_transfer_from__allowance_without_limit__spent_all_the_same(
    usd: ContractInstance, holder: AccountAPI, customer: AccountAPI, keeper: AccountAPI
) -> None:
    """USDC knows no unlimited allowance."""
    usd.approve(keeper, 2**256 - 1, sender=holder)
    usd.transferFrom(holder, customer, 1, sender=keeper)
    assert usd.allowance(holder, keeper) == 2**256 - 2


def test_transfer_from__above_allowance__refused(
    usd: ContractInstance, holder: AccountAPI, customer: AccountAPI, keeper: AccountAPI
) -> None:
    usd.approve(keeper, USD, sender=holder)
    with ape.reverts("ERC20: transfer amount exceeds allowance"):
        usd.transferFrom(holder, customer, USD + 1, sender=keeper)


def test_increase_and_decrease_allowance__by_steps__add_up(
    usd: ContractInstance, holder: AccountAPI, keeper: AccountAPI
) -> None:
    usd.increaseAllowance(keeper, 5, sender=holder)
    usd.increaseAllowance(keeper, 6, sender=holder)
    usd.decreaseAllowance(keeper, 1, sender=holder)
    assert usd.allowance(holder, keeper) == 10
    with ape.reverts("ERC20: decreased allowance below zero"):
        usd.decreaseAllowance(keeper, 11, sender=holder)


def test_approve__nobody__refused(usd: ContractInstance, holder: AccountAPI) -> None:
    with ape.reverts("ERC20: approve to the zero address"):
        usd.approve(ZERO_ADDRESS, 1, sender=holder)


@pytest.mark.parametrize("listed", ["sender", "owner", "receiver"])
def test_transfer_from__party_blacklisted__refused(
    usd: ContractInstance,
    deployer: AccountAPI,
    holder: AccountAPI,
    customer: AccountAPI,
    keeper: AccountAPI,
    listed: str,
) -> None:
    usd.approve(keeper, USD, sender=holder)
    party = {"sender": keeper, "owner": holder, "receiver": customer}[listed]
    usd.blacklist(party, sender=deployer)
    with ape.reverts("Blacklistable: account is blacklisted"):
        usd.transferFrom(holder, customer, 1, sender=keeper)
