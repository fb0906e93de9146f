"""HolderDesk.delegateWithAuthorization: votes of many clusters by one signature."""

from __future__ import annotations

import ape
import pytest
from ape.api import AccountAPI
from ape.contracts import ContractInstance

from tests.support.desk import OWNED, TYPES, ZERO_ADDRESS, Authorization, Counter, nonce, sign
from tests.support.income import delegate, now

DELEGATION = "DelegationAuthorization"


def _delegation(
    counter: Counter, delegatee: AccountAPI | str, owner: str = "account", **fields: object
) -> tuple[Authorization, bytes]:
    """In the first two clusters, unless `fields` differ."""
    fields = {"clusterIds": list(counter.cluster_ids[:2])} | fields
    to = str(getattr(delegatee, "address", delegatee))
    return counter.signed(DELEGATION, counter.owner(owner), delegatee=to, **fields)


@pytest.mark.parametrize("owner", ["account", "contract"])
def test_delegate_with_authorization__signed__delegates_in_those_clusters_alone(
    counter: Counter, desk: ContractInstance, keeper: AccountAPI, relayer: AccountAPI, owner: str
) -> None:
    address = counter.owner(owner).address
    receipt = desk.delegateWithAuthorization(*_delegation(counter, keeper, owner), sender=relayer)
    assert [share.getVotes(keeper) for share in counter.shares] == [OWNED, OWNED, 0]
    assert [share.delegates(address) for share in counter.shares] == [
        keeper.address,
        keeper.address,
        ZERO_ADDRESS,
    ]
    assert len(receipt.decode_logs(counter.shares[0].DelegateChanged)) == 2
    assert desk.isNonceUsed(address, nonce(1))


def test_delegate_with_authorization__to_nobody__takes_the_votes_back(
    counter: Counter, desk: ContractInstance, holder: AccountAPI, keeper: AccountAPI
) -> None:
    delegate(counter.shares[0], keeper, sender=holder)
    desk.delegateWithAuthorization(*_delegation(counter, ZERO_ADDRESS), sender=keeper)
    assert counter.shares[0].getVotes(keeper) == 0


def test_delegate_with_authorization__brought_again__refused(
    counter: Counter, desk: ContractInstance, keeper: AccountAPI, holder: AccountAPI
) -> None:
    arguments = _delegation(counter, keeper)
    desk.delegateWithAuthorization(*arguments, sender=keeper)
    delegate(counter.shares[0], holder, sender=holder)
    with ape.reverts(desk.HolderDesk_NonceUsed):
        desk.delegateWithAuthorization(*arguments, sender=keeper)
    assert counter.shares[0].delegates(holder) == holder.address


@pytest.mark.parametrize("owner", ["account", "contract"])
@pytest.mark.parametrize("field", [name for name, _ in TYPES[DELEGATION]])
def test_delegate_with_authorization__changed_after_signing__refused(
    counter: Counter,
    desk: ContractInstance,
    keeper: AccountAPI,
    attacker: AccountAPI,
    owner: str,
    field: str,
) -> None:
    authorization, signature = _delegation(counter, keeper, owner)
    authorization[field] = {
        "owner": attacker.address,
        "clusterIds": list(counter.cluster_ids),
        "delegatee": attacker.address,
        "nonce": nonce(2),
        "deadline": authorization["deadline"] + 1,
    }[field]
    with ape.reverts(desk.HolderDesk_BadSignature, owner=authorization["owner"]):
        desk.delegateWithAuthorization(authorization, signature, sender=attacker)


def test_delegate_with_authorization__signed_by_somebody_else__refused(
    counter: Counter, desk: ContractInstance, attacker: AccountAPI
) -> None:
    authorization, _ = _delegation(counter, attacker)
    signature = sign(desk, attacker, DELEGATION, authorization)
    with ape.reverts(desk.HolderDesk_BadSignature):
        desk.delegateWithAuthorization(authorization, signature, sender=attacker)


def test_delegate_with_authorization__late__refused(
    counter: Counter, desk: ContractInstance, keeper: AccountAPI
) -> None:
    with ape.reverts(desk.HolderDesk_Expired):
        desk.delegateWithAuthorization(
            *_delegation(counter, keeper, deadline=now() - 1), sender=keeper
        )


def test_delegate_with_authorization__more_clusters_than_allowed__refused(
    counter: Counter, desk: ContractInstance, keeper: AccountAPI
) -> None:
    too_many = [counter.cluster_ids[0]] * 65
    with ape.reverts(desk.HolderDesk_TooManyClusters, count=65, limit=64):
        desk.delegateWithAuthorization(
            *_delegation(counter, keeper, clusterIds=too_many), sender=keeper
        )


def test_delegate_with_authorization__recovered_in_one__refused_whole(
    counter: Counter, desk: ContractInstance, keeper: AccountAPI, attacker: AccountAPI
) -> None:
    counter.recover(counter.shares[1], counter.account.address, keeper)
    with ape.reverts(desk.HolderDesk_OwnerRecovered, clusterId=counter.cluster_ids[1]):
        desk.delegateWithAuthorization(*_delegation(counter, attacker), sender=attacker)
    assert counter.shares[0].getVotes(attacker) == 0


def test_delegate_for__by_anybody_but_the_desk__refused(
    counter: Counter, attacker: AccountAPI, holder: AccountAPI
) -> None:
    share = counter.shares[0]
    for caller in (attacker, holder, counter.enforcement):
        with ape.reverts(share.ClusterShare_NotTheDesk, account=caller.address):
            share.delegateFor(holder, attacker, sender=caller)
