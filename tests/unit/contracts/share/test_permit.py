"""ClusterShare.permit: an allowance by signature (ERC-2612)."""

from __future__ import annotations

from typing import Any

import ape
import pytest
from ape import chain
from ape.api import AccountAPI
from ape.contracts import ContractInstance
from eth_account.messages import SignableMessage, encode_typed_data

from tests.support.income import OpenShare, deploy_open_share, now
from tests.support.signing import signed


def _message(share: ContractInstance, **permit: Any) -> SignableMessage:
    return encode_typed_data(
        domain_data={
            "name": share.name(),
            "version": "1",
            "chainId": chain.chain_id,
            "verifyingContract": share.address,
        },
        message_types={
            "Permit": [
                {"name": "owner", "type": "address"},
                {"name": "spender", "type": "address"},
                {"name": "value", "type": "uint256"},
                {"name": "nonce", "type": "uint256"},
                {"name": "deadline", "type": "uint256"},
            ]
        },
        message_data=permit,
    )


def _signed(
    share: ContractInstance,
    signer: AccountAPI,
    owner: AccountAPI,
    spender: AccountAPI,
    **changes: int,
) -> tuple[Any, ...]:
    permit = {"value": 7, "nonce": share.nonces(owner), "deadline": now() + 600} | changes
    message = _message(share, owner=owner.address, spender=spender.address, **permit)
    return (owner, spender, permit["value"], permit["deadline"], *signed(signer, message))


def test_permit__signed_by_the_owner__allows_once(
    share: ContractInstance, holder: AccountAPI, keeper: AccountAPI, relayer: AccountAPI
) -> None:
    arguments = _signed(share, holder, holder, keeper)
    share.permit(*arguments, sender=relayer)
    assert share.allowance(holder, keeper) == 7
    assert share.nonces(holder) == 1
    with ape.reverts(share.ERC2612InvalidSigner, owner=holder.address):
        share.permit(*arguments, sender=relayer)


def test_permit__signed_by_somebody_else__refused(
    share: ContractInstance, holder: AccountAPI, attacker: AccountAPI
) -> None:
    with ape.reverts(share.ERC2612InvalidSigner, signer=attacker.address, owner=holder.address):
        share.permit(*_signed(share, attacker, holder, attacker), sender=attacker)


def test_permit__deadline_over__refused(
    share: ContractInstance, holder: AccountAPI, keeper: AccountAPI
) -> None:
    deadline = now() - 1
    with ape.reverts(share.ERC2612ExpiredSignature, deadline=deadline):
        share.permit(*_signed(share, holder, holder, keeper, deadline=deadline), sender=keeper)


@pytest.mark.parametrize("nonce", [1, 5])
def test_permit__another_nonce__refused(
    share: ContractInstance, holder: AccountAPI, keeper: AccountAPI, nonce: int
) -> None:
    with ape.reverts(share.ERC2612InvalidSigner):
        share.permit(*_signed(share, holder, holder, keeper, nonce=nonce), sender=keeper)


def test_permit__signed_for_another_share__refused(
    share: ContractInstance, ground: OpenShare, holder: AccountAPI, keeper: AccountAPI
) -> None:
    other = deploy_open_share(ground.scenario, ground.cluster_id, keeper)
    with ape.reverts(share.ERC2612InvalidSigner):
        share.permit(*_signed(other, holder, holder, keeper), sender=keeper)
