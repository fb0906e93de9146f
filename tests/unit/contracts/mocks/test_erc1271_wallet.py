"""ERC1271Wallet: an account that is a contract, for the tests of others."""

from __future__ import annotations

import ape
import pytest
from ape import project
from ape.api import AccountAPI
from ape.contracts import ContractInstance
from eth_account.messages import _hash_eip191_message, encode_defunct

from tests.support.scenario import USD


@pytest.fixture
def wallet(deployer: AccountAPI, holder: AccountAPI) -> ContractInstance:
    return deployer.deploy(project.ERC1271Wallet, holder)


@pytest.mark.parametrize("own", [True, False])
def test_is_valid_signature__own_and_foreign__magic_value_for_the_owners_only(
    wallet: ContractInstance, holder: AccountAPI, attacker: AccountAPI, own: bool
) -> None:
    message = encode_defunct(text="hello")
    signature = (holder if own else attacker).sign_message(message)
    assert signature is not None
    answer = wallet.isValidSignature(_hash_eip191_message(message), signature.encode_rsv())
    assert answer.hex().removeprefix("0x") == ("1626ba7e" if own else "ffffffff")


def test_is_valid_signature__malformed__refused_without_revert(wallet: ContractInstance) -> None:
    answer = wallet.isValidSignature(b"\x01" * 32, b"\x01\x02")
    assert answer.hex().removeprefix("0x") == "ffffffff"


def test_execute__owner__acts_as_the_wallet_and_reverts_pass(
    wallet: ContractInstance, usd: ContractInstance, holder: AccountAPI, customer: AccountAPI
) -> None:
    usd.transfer(wallet, USD, sender=holder)
    data = usd.transfer.encode_input(customer, USD)
    wallet.execute(usd, data, sender=holder)
    assert usd.balanceOf(customer) == USD
    with ape.reverts("ERC20: transfer amount exceeds balance"):
        wallet.execute(usd, data, sender=holder)


def test_execute__another__refused(
    wallet: ContractInstance, usd: ContractInstance, holder: AccountAPI, attacker: AccountAPI
) -> None:
    with ape.reverts(
        wallet.ERC1271Wallet_NotTheOwner, account=attacker.address, owner=holder.address
    ):
        wallet.execute(usd, b"", sender=attacker)
