"""HolderDesk.cancelAuthorization: what an owner signed and no longer means."""

from __future__ import annotations

import ape
from ape import project
from ape.api import AccountAPI
from ape.contracts import ContractInstance

from tests.support.desk import Counter, nonce


def test_cancel_authorization__before_it_is_brought__void(
    counter: Counter, desk: ContractInstance, holder: AccountAPI, relayer: AccountAPI
) -> None:
    arguments = counter.signed(
        "ClaimAuthorization",
        counter.account,
        recipient=relayer.address,
        clusterIds=list(counter.cluster_ids),
    )
    receipt = desk.cancelAuthorization(nonce(1), sender=holder)
    [event] = receipt.decode_logs(desk.AuthorizationCancelled)
    assert (event.owner, event.nonce) == (holder.address, nonce(1))
    assert desk.isNonceUsed(holder, nonce(1))
    with ape.reverts(desk.HolderDesk_NonceUsed, owner=holder.address, nonce=nonce(1)):
        desk.claimWithAuthorization(*arguments, sender=relayer)


def test_cancel_authorization__of_somebody_else__only_the_callers_own(
    desk: ContractInstance, holder: AccountAPI, attacker: AccountAPI
) -> None:
    desk.cancelAuthorization(nonce(1), sender=attacker)
    assert desk.isNonceUsed(attacker, nonce(1))
    assert not desk.isNonceUsed(holder, nonce(1))


def test_cancel_authorization__twice__refused(desk: ContractInstance, holder: AccountAPI) -> None:
    desk.cancelAuthorization(nonce(1), sender=holder)
    with ape.reverts(desk.HolderDesk_NonceUsed, owner=holder.address, nonce=nonce(1)):
        desk.cancelAuthorization(nonce(1), sender=holder)


def test_cancel_authorization__by_a_contract__for_itself(
    counter: Counter, desk: ContractInstance, holder: AccountAPI
) -> None:
    wallet = project.ERC1271Wallet.at(counter.contract.address)
    data = desk.cancelAuthorization.encode_input(nonce(1))
    wallet.execute(desk, data, sender=holder)
    assert desk.isNonceUsed(wallet, nonce(1))
    assert not desk.isNonceUsed(holder, nonce(1))
