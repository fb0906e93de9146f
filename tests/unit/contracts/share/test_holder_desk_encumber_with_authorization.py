"""HolderDesk.encumberWithAuthorization: a pledge by signature, with income if the owner says so."""

from __future__ import annotations

import ape
import pytest
from ape.api import AccountAPI
from ape.contracts import ContractInstance

from scripts._lib import roles
from tests.support.access import error_arguments, revert_data, state_changing
from tests.support.desk import OWNED, TYPES, ZERO_ADDRESS, Authorization, Counter, nonce, sign
from tests.support.income import now
from tests.support.scenario import SHARE

ENCUMBRANCE = "EncumbranceAuthorization"
AMOUNT = 100 * SHARE


@pytest.fixture(scope="module")
def taker(
    counter: Counter, authority: ContractInstance, admin: AccountAPI, keeper: AccountAPI
) -> AccountAPI:
    authority.grantRole(roles.ENCUMBRANCER_ROLE, keeper, 0, sender=admin)
    return keeper


def _pledge(
    counter: Counter, taker: AccountAPI, owner: str = "account", **fields: object
) -> tuple[Authorization, bytes]:
    """100 shares of the first cluster for ten days, without income, unless `fields` differ."""
    fields = {
        "clusterId": counter.cluster_ids[0],
        "taker": taker.address,
        "amount": AMOUNT,
        "expiresAt": now() + 10 * 86_400,
        "assignedUnits": 0,
        "payee": ZERO_ADDRESS,
    } | fields
    return counter.signed(ENCUMBRANCE, counter.owner(owner), **fields)


def _refusal(
    desk: ContractInstance, sender: AccountAPI, arguments: tuple[Authorization, bytes]
) -> bytes | None:
    """What the call reverts with; errors of the share come through, which the desk's ABI lacks."""
    [abi] = state_changing(desk)["encumberWithAuthorization"]
    authorization, signature = arguments
    return revert_data(
        desk, abi, sender, authorization=tuple(authorization.values()), signature=signature
    )


@pytest.mark.parametrize("owner", ["account", "contract"])
def test_encumber_with_authorization__signed__encumbers_and_the_owner_goes_on_earning(
    counter: Counter, desk: ContractInstance, taker: AccountAPI, relayer: AccountAPI, owner: str
) -> None:
    address = counter.owner(owner).address
    arguments = _pledge(counter, taker, owner)
    receipt = desk.encumberWithAuthorization(*arguments, sender=relayer)
    share = counter.shares[0]
    pledge = share.encumbranceOf(address, taker)
    assert (pledge.amount, pledge.assigned, pledge.expiresAt, pledge.payee) == (
        AMOUNT,
        0,
        arguments[0]["expiresAt"],
        ZERO_ADDRESS,
    )
    assert share.availableBalanceOf(address) == OWNED - AMOUNT
    [event] = receipt.decode_logs(desk.AuthorizationUsed)
    assert (event.owner, event.nonce) == (address, nonce(1))


@pytest.mark.parametrize("owner", ["account", "contract"])
def test_encumber_with_authorization__with_income__assigns_it_too(
    counter: Counter,
    desk: ContractInstance,
    taker: AccountAPI,
    other_holder: AccountAPI,
    relayer: AccountAPI,
    owner: str,
) -> None:
    arguments = _pledge(
        counter, taker, owner, assignedUnits=AMOUNT // 4, payee=other_holder.address
    )
    desk.encumberWithAuthorization(*arguments, sender=relayer)
    pledge = counter.shares[0].encumbranceOf(counter.owner(owner).address, taker)
    assert (pledge.assigned, pledge.payee) == (AMOUNT // 4, other_holder.address)


def test_encumber_with_authorization__brought_again__refused(
    counter: Counter, desk: ContractInstance, taker: AccountAPI, relayer: AccountAPI
) -> None:
    arguments = _pledge(counter, taker)
    desk.encumberWithAuthorization(*arguments, sender=relayer)
    with ape.reverts(desk.HolderDesk_NonceUsed):
        desk.encumberWithAuthorization(*arguments, sender=relayer)
    assert counter.shares[0].encumbrances(counter.account.address, taker) == AMOUNT


@pytest.mark.parametrize("owner", ["account", "contract"])
@pytest.mark.parametrize("field", [name for name, _ in TYPES[ENCUMBRANCE]])
def test_encumber_with_authorization__changed_after_signing__refused(
    counter: Counter,
    desk: ContractInstance,
    taker: AccountAPI,
    attacker: AccountAPI,
    owner: str,
    field: str,
) -> None:
    authorization, signature = _pledge(counter, taker, owner)
    old = authorization[field]
    if field == "nonce":
        authorization[field] = nonce(2)
    else:
        authorization[field] = old + 1 if isinstance(old, int) else attacker.address
    with ape.reverts(desk.HolderDesk_BadSignature, owner=authorization["owner"]):
        desk.encumberWithAuthorization(authorization, signature, sender=attacker)


def test_encumber_with_authorization__signed_by_somebody_else__refused(
    counter: Counter, desk: ContractInstance, taker: AccountAPI, attacker: AccountAPI
) -> None:
    authorization, _ = _pledge(counter, taker)
    signature = sign(desk, attacker, ENCUMBRANCE, authorization)
    with ape.reverts(desk.HolderDesk_BadSignature):
        desk.encumberWithAuthorization(authorization, signature, sender=attacker)


def test_encumber_with_authorization__late__refused(
    counter: Counter, desk: ContractInstance, taker: AccountAPI, relayer: AccountAPI
) -> None:
    arguments = _pledge(counter, taker, deadline=now() - 1)
    with ape.reverts(desk.HolderDesk_Expired, deadline=arguments[0]["deadline"]):
        desk.encumberWithAuthorization(*arguments, sender=relayer)


def test_encumber_with_authorization__more_than_available__the_shares_refusal_and_still_good(
    counter: Counter,
    desk: ContractInstance,
    taker: AccountAPI,
    holder: AccountAPI,
    relayer: AccountAPI,
) -> None:
    share = counter.shares[0]
    arguments = _pledge(counter, taker)
    counter.freeze(share, holder.address, OWNED - AMOUNT + 1)
    refusal = _refusal(desk, relayer, arguments)
    assert error_arguments(
        refusal, "ERC7943InsufficientUnfrozenBalance(address,uint256,uint256)"
    ) == (holder.address.lower(), AMOUNT, AMOUNT - 1)
    counter.freeze(share, holder.address, 0)
    desk.encumberWithAuthorization(*arguments, sender=relayer)


def test_encumber_with_authorization__taker_that_is_none__refused(
    counter: Counter, desk: ContractInstance, attacker: AccountAPI
) -> None:
    refusal = _refusal(desk, attacker, _pledge(counter, attacker))
    assert error_arguments(refusal, "ClusterShare_NotAnEncumbrancer(address)") == (
        attacker.address.lower(),
    )


def test_encumber_with_authorization__expiry_in_the_past__refused(
    counter: Counter, desk: ContractInstance, taker: AccountAPI
) -> None:
    refusal = _refusal(desk, taker, _pledge(counter, taker, expiresAt=now() - 5))
    assert error_arguments(refusal, "ClusterShare_ExpiryInPast(uint256,uint256)")


def test_encumber_with_authorization__more_income_than_shares_encumbered__neither_is_done(
    counter: Counter, desk: ContractInstance, taker: AccountAPI, relayer: AccountAPI
) -> None:
    arguments = _pledge(counter, taker, assignedUnits=AMOUNT + 1, payee=relayer.address)
    with ape.reverts():
        desk.encumberWithAuthorization(*arguments, sender=relayer)
    assert counter.shares[0].encumbrances(counter.account.address, taker) == 0


def test_encumber_with_authorization__recovered_owner__refused(
    counter: Counter, desk: ContractInstance, taker: AccountAPI, relayer: AccountAPI
) -> None:
    counter.recover(counter.shares[0], counter.account.address, relayer)
    with ape.reverts(
        desk.HolderDesk_OwnerRecovered,
        clusterId=counter.cluster_ids[0],
        successor=relayer.address,
    ):
        desk.encumberWithAuthorization(*_pledge(counter, taker), sender=taker)


def test_encumber_with_authorization__cluster_without_a_share__refused(
    counter: Counter, desk: ContractInstance, taker: AccountAPI
) -> None:
    proposed = counter.scenario.register_cluster()
    with ape.reverts(desk.HolderDesk_NoShare, clusterId=proposed):
        desk.encumberWithAuthorization(*_pledge(counter, taker, clusterId=proposed), sender=taker)


def test_encumber_for__by_anybody_but_the_desk__refused(
    counter: Counter, taker: AccountAPI, attacker: AccountAPI, holder: AccountAPI
) -> None:
    share = counter.shares[0]
    for caller in (attacker, holder, counter.enforcement):
        with ape.reverts(share.ClusterShare_NotTheDesk, account=caller.address):
            share.encumberFor(holder, taker, AMOUNT, 2**40 - 1, 0, ZERO_ADDRESS, sender=caller)
