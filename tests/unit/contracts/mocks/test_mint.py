"""TestUsd.mint, burn and configureMinter."""

from __future__ import annotations

import ape
from ape.api import AccountAPI
from ape.contracts import ContractInstance
from ape.utils import ZERO_ADDRESS

from tests.support.scenario import USD


def test_mint__by_deployer__without_limit(
    usd: ContractInstance, deployer: AccountAPI, customer: AccountAPI
) -> None:
    supply = usd.totalSupply()
    receipt = usd.mint(customer, 10**18, sender=deployer)
    assert usd.balanceOf(customer) == 10**18
    assert usd.totalSupply() == supply + 10**18
    assert usd.minterAllowance(deployer) == 2**256 - 1
    [event] = receipt.decode_logs(usd.Mint)
    assert tuple(event.event_arguments.values()) == (deployer.address, customer.address, 10**18)


def test_mint__by_a_minter__up_to_the_allowance(
    usd: ContractInstance, deployer: AccountAPI, keeper: AccountAPI, customer: AccountAPI
) -> None:
    usd.configureMinter(keeper, 10 * USD, sender=deployer)
    usd.mint(customer, 9 * USD, sender=keeper)
    with ape.reverts("FiatToken: mint amount exceeds minterAllowance"):
        usd.mint(customer, USD + 1, sender=keeper)
    usd.configureMinter(keeper, 0, sender=deployer)
    with ape.reverts("FiatToken: mint amount exceeds minterAllowance"):
        usd.mint(customer, 1, sender=keeper)
    assert usd.balanceOf(customer) == 9 * USD


def test_mint__by_anybody_else__refused(usd: ContractInstance, attacker: AccountAPI) -> None:
    with ape.reverts("FiatToken: mint amount exceeds minterAllowance"):
        usd.mint(attacker, 1, sender=attacker)


def test_mint__nothing_or_to_nobody__refused(
    usd: ContractInstance, deployer: AccountAPI, holder: AccountAPI
) -> None:
    with ape.reverts("FiatToken: mint amount not greater than 0"):
        usd.mint(holder, 0, sender=deployer)
    with ape.reverts("FiatToken: mint to the zero address"):
        usd.mint(ZERO_ADDRESS, 1, sender=deployer)


def test_mint__beyond_the_balance_field__refused(
    usd: ContractInstance, deployer: AccountAPI, customer: AccountAPI
) -> None:
    """A balance may never grow into the bit of the blacklist."""
    with ape.reverts("FiatTokenV2_2: Balance exceeds (2^255 - 1)"):
        usd.mint(customer, 2**255, sender=deployer)


def test_burn__own__gone(usd: ContractInstance, holder: AccountAPI) -> None:
    supply = usd.totalSupply()
    usd.burn(30 * USD, sender=holder)
    assert usd.balanceOf(holder) == 70 * USD
    assert usd.totalSupply() == supply - 30 * USD
    with ape.reverts("FiatToken: burn amount exceeds balance"):
        usd.burn(70 * USD + 1, sender=holder)
    with ape.reverts("FiatToken: burn amount not greater than 0"):
        usd.burn(0, sender=holder)
