"""HolderDesk.approveWithAuthorization: an allowance by signature, also of a smart account."""

from __future__ import annotations

import ape
import pytest
from ape.api import AccountAPI
from ape.contracts import ContractInstance

from tests.support.access import error_arguments, revert_data, state_changing
from tests.support.desk import TYPES, ZERO_ADDRESS, Authorization, Counter, nonce, sign
from tests.support.income import UINT256_MAX, now
from tests.support.scenario import SHARE

ALLOWANCE = "AllowanceAuthorization"


def _approval(
    counter: Counter, spender: AccountAPI | str, owner: str = "account", **fields: object
) -> tuple[Authorization, bytes]:
    """Of seven shares of the first cluster, unless `fields` differ."""
    fields = {
        "clusterId": counter.cluster_ids[0],
        "spender": str(getattr(spender, "address", spender)),
        "amount": 7 * SHARE,
    } | fields
    return counter.signed(ALLOWANCE, counter.owner(owner), **fields)


@pytest.mark.parametrize("owner", ["account", "contract"])
@pytest.mark.parametrize("amount", [7 * SHARE, 0, UINT256_MAX])
def test_approve_with_authorization__signed__sets_just_that(
    counter: Counter,
    desk: ContractInstance,
    keeper: AccountAPI,
    relayer: AccountAPI,
    owner: str,
    amount: int,
) -> None:
    address = counter.owner(owner).address
    first, second, _ = counter.shares
    arguments = _approval(counter, keeper, owner, amount=amount)
    receipt = desk.approveWithAuthorization(*arguments, sender=relayer)
    assert first.allowance(address, keeper) == amount
    assert second.allowance(address, keeper) == first.allowance(address, relayer) == 0
    [event] = receipt.decode_logs(first.Approval)
    assert (event.owner, event.spender, event.value) == (address, keeper.address, amount)
    assert desk.isNonceUsed(address, nonce(1))


@pytest.mark.parametrize("owner", ["account", "contract"])
def test_approve_with_authorization__set__can_be_spent(
    counter: Counter,
    desk: ContractInstance,
    other_holder: AccountAPI,
    keeper: AccountAPI,
    owner: str,
) -> None:
    address = counter.owner(owner).address
    share = counter.shares[0]
    desk.approveWithAuthorization(*_approval(counter, keeper, owner), sender=keeper)
    before = share.balanceOf(other_holder)
    share.transferFrom(address, other_holder, 7 * SHARE, sender=keeper)
    assert share.balanceOf(other_holder) == before + 7 * SHARE
    assert share.allowance(address, keeper) == 0


def test_approve_with_authorization__brought_again__refused(
    counter: Counter, desk: ContractInstance, keeper: AccountAPI, relayer: AccountAPI
) -> None:
    arguments = _approval(counter, keeper)
    desk.approveWithAuthorization(*arguments, sender=relayer)
    with ape.reverts(desk.HolderDesk_NonceUsed):
        desk.approveWithAuthorization(*arguments, sender=relayer)


@pytest.mark.parametrize("owner", ["account", "contract"])
@pytest.mark.parametrize("field", [name for name, _ in TYPES[ALLOWANCE]])
def test_approve_with_authorization__changed_after_signing__refused(
    counter: Counter,
    desk: ContractInstance,
    keeper: AccountAPI,
    attacker: AccountAPI,
    owner: str,
    field: str,
) -> None:
    authorization, signature = _approval(counter, keeper, owner)
    old = authorization[field]
    if field == "nonce":
        authorization[field] = nonce(2)
    else:
        authorization[field] = old + 1 if isinstance(old, int) else attacker.address
    with ape.reverts(desk.HolderDesk_BadSignature, owner=authorization["owner"]):
        desk.approveWithAuthorization(authorization, signature, sender=attacker)


def test_approve_with_authorization__signed_by_somebody_else__refused(
    counter: Counter, desk: ContractInstance, attacker: AccountAPI
) -> None:
    authorization, _ = _approval(counter, attacker, "contract")
    signature = sign(desk, attacker, ALLOWANCE, authorization)
    with ape.reverts(desk.HolderDesk_BadSignature, owner=counter.contract.address):
        desk.approveWithAuthorization(authorization, signature, sender=attacker)


def test_approve_with_authorization__late__refused(
    counter: Counter, desk: ContractInstance, keeper: AccountAPI
) -> None:
    with ape.reverts(desk.HolderDesk_Expired):
        desk.approveWithAuthorization(
            *_approval(counter, keeper, deadline=now() - 1), sender=keeper
        )


def test_approve_with_authorization__spender_is_nobody__the_shares_refusal(
    counter: Counter, desk: ContractInstance, keeper: AccountAPI
) -> None:
    authorization, signature = _approval(counter, ZERO_ADDRESS)
    [abi] = state_changing(desk)["approveWithAuthorization"]
    refusal = revert_data(
        desk, abi, keeper, authorization=tuple(authorization.values()), signature=signature
    )
    assert error_arguments(refusal, "ERC20InvalidSpender(address)") == (ZERO_ADDRESS,)


def test_approve_with_authorization__recovered_owner__refused(
    counter: Counter, desk: ContractInstance, keeper: AccountAPI, attacker: AccountAPI
) -> None:
    counter.recover(counter.shares[0], counter.account.address, keeper)
    with ape.reverts(desk.HolderDesk_OwnerRecovered, owner=counter.account.address):
        desk.approveWithAuthorization(*_approval(counter, attacker), sender=attacker)
    # In a cluster where it was not.
    arguments = _approval(counter, keeper, clusterId=counter.cluster_ids[1])
    desk.approveWithAuthorization(*arguments, sender=keeper)


def test_approve_for__by_anybody_but_the_desk__refused(
    counter: Counter, attacker: AccountAPI, holder: AccountAPI
) -> None:
    share = counter.shares[0]
    for caller in (attacker, holder, counter.enforcement):
        with ape.reverts(share.ClusterShare_NotTheDesk, account=caller.address):
            share.approveFor(holder, attacker, 1, sender=caller)
        with ape.reverts(share.ClusterShare_NotTheDesk, account=caller.address):
            share.claimTo(holder, attacker, sender=caller)
