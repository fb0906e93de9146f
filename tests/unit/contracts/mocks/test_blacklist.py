"""TestUsd.blacklist and pause: the flag shares the balance's slot and never touches the balance."""

from __future__ import annotations

import ape
import pytest
from ape.api import AccountAPI
from ape.contracts import ContractInstance

from tests.support.scenario import USD


def test_blacklist__holder__keeps_balance_and_cannot_send_or_receive(
    usd: ContractInstance, deployer: AccountAPI, holder: AccountAPI, customer: AccountAPI
) -> None:
    usd.transfer(customer, USD, sender=holder)
    receipt = usd.blacklist(holder, sender=deployer)
    assert [event.account for event in receipt.decode_logs(usd.Blacklisted)] == [holder.address]
    assert usd.isBlacklisted(holder)
    assert usd.balanceOf(holder) == 99 * USD
    for sender, receiver in ((holder, customer), (customer, holder)):
        with ape.reverts("Blacklistable: account is blacklisted"):
            usd.transfer(receiver, 1, sender=sender)


def test_un_blacklist__blacklisted__as_before(
    usd: ContractInstance, deployer: AccountAPI, holder: AccountAPI, customer: AccountAPI
) -> None:
    usd.blacklist(holder, sender=deployer)
    usd.unBlacklist(holder, sender=deployer)
    assert not usd.isBlacklisted(holder)
    usd.transfer(customer, 100 * USD, sender=holder)
    assert (usd.balanceOf(holder), usd.balanceOf(customer)) == (0, 100 * USD)


def test_blacklist__others__untouched(
    usd: ContractInstance, deployer: AccountAPI, holder: AccountAPI, attacker: AccountAPI
) -> None:
    usd.blacklist(attacker, sender=deployer)
    assert not usd.isBlacklisted(holder)


def test_pause__everybody__stopped_until_unpaused(
    usd: ContractInstance, deployer: AccountAPI, holder: AccountAPI, customer: AccountAPI
) -> None:
    usd.pause(sender=deployer)
    assert usd.paused()
    for call, arguments in (
        (usd.transfer, (customer, 1)),
        (usd.approve, (customer, 1)),
        (usd.increaseAllowance, (customer, 1)),
        (usd.decreaseAllowance, (customer, 0)),
        (usd.burn, (1,)),
    ):
        with ape.reverts("Pausable: paused"):
            call(*arguments, sender=holder)
    with ape.reverts("Pausable: paused"):
        usd.mint(holder, 1, sender=deployer)

    usd.unpause(sender=deployer)
    usd.transfer(customer, 1, sender=holder)
    assert usd.balanceOf(customer) == 1


@pytest.mark.parametrize(
    "function", ["blacklist", "unBlacklist", "pause", "unpause", "configureMinter"]
)
def test_owner_functions__by_another__refused(
    usd: ContractInstance, attacker: AccountAPI, function: str
) -> None:
    arguments = {"pause": (), "unpause": (), "configureMinter": (attacker, 1)}
    with ape.reverts("Ownable: caller is not the owner"):
        getattr(usd, function)(*arguments.get(function, (attacker,)), sender=attacker)
