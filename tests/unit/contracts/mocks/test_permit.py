"""TestUsd.permit (EIP-2612), with both kinds of signature."""

from __future__ import annotations

from typing import Any

import ape
import pytest
from ape import chain, project
from ape.api import AccountAPI
from ape.contracts import ContractInstance
from eth_account.messages import encode_typed_data

from tests.support.scenario import USD
from tests.support.usd import as_bytes, sign_usd


@pytest.fixture
def permit(usd: ContractInstance, holder: AccountAPI, keeper: AccountAPI) -> dict[str, Any]:
    return {
        "owner": holder.address,
        "spender": keeper.address,
        "value": 7 * USD,
        "nonce": usd.nonces(holder),
        "deadline": int(chain.blocks.head.timestamp) + 1_000,
    }


def arguments(permit: dict[str, Any]) -> list[Any]:
    """What the function takes: the permit without its nonce."""
    return [value for name, value in permit.items() if name != "nonce"]


@pytest.mark.parametrize("form", ["v, r, s", "bytes"])
def test_permit__signed_by_owner__allows_once(
    usd: ContractInstance,
    holder: AccountAPI,
    keeper: AccountAPI,
    relayer: AccountAPI,
    permit: dict[str, Any],
    form: str,
) -> None:
    signature = sign_usd(usd, holder, "Permit", permit)
    tail = [as_bytes(signature)] if form == "bytes" else list(signature)
    usd.permit(*arguments(permit), *tail, sender=relayer)
    assert usd.allowance(holder, keeper) == 7 * USD
    assert usd.nonces(holder) == permit["nonce"] + 1
    with ape.reverts("EIP2612: invalid signature"):
        usd.permit(*arguments(permit), *tail, sender=relayer)


def test_permit__signed_by_another__refused(
    usd: ContractInstance, attacker: AccountAPI, permit: dict[str, Any]
) -> None:
    signature = sign_usd(usd, attacker, "Permit", permit)
    with ape.reverts("EIP2612: invalid signature"):
        usd.permit(*arguments(permit), *signature, sender=attacker)


@pytest.mark.parametrize("late", [0, 1])
def test_permit__around_deadline__good_until_the_second_itself(
    usd: ContractInstance,
    holder: AccountAPI,
    keeper: AccountAPI,
    permit: dict[str, Any],
    late: int,
) -> None:
    signature = sign_usd(usd, holder, "Permit", permit)
    chain.pending_timestamp = permit["deadline"] + late
    if late:
        with ape.reverts("FiatTokenV2: permit is expired"):
            usd.permit(*arguments(permit), *signature, sender=keeper)
    else:
        usd.permit(*arguments(permit), *signature, sender=keeper)
        assert usd.allowance(holder, keeper) == 7 * USD


def test_permit__owner_is_a_contract__its_owners_signature_counts(
    usd: ContractInstance,
    deployer: AccountAPI,
    holder: AccountAPI,
    keeper: AccountAPI,
    permit: dict[str, Any],
) -> None:
    wallet = deployer.deploy(project.ERC1271Wallet, holder)
    permit |= {"owner": wallet.address, "nonce": 0}
    signature = as_bytes(sign_usd(usd, holder, "Permit", permit))
    usd.permit(*arguments(permit), signature, sender=keeper)
    assert usd.allowance(wallet, keeper) == 7 * USD


def test_domain_separator__any__equals_eip712s(usd: ContractInstance) -> None:
    message = encode_typed_data(
        domain_data={
            "name": "USDC",
            "version": "2",
            "chainId": chain.chain_id,
            "verifyingContract": usd.address,
        },
        message_types={"Any": [{"name": "value", "type": "uint256"}]},
        message_data={"value": 1},
    )
    assert usd.DOMAIN_SEPARATOR() == message.header
