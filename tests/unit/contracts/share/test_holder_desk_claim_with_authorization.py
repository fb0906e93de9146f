"""HolderDesk.claimWithAuthorization: what an owner signed is claimed by a relayer."""

from __future__ import annotations

import ape
import pytest
from ape import chain, project
from ape.api import AccountAPI
from ape.contracts import ContractInstance

from tests.support.desk import (
    EARNED,
    TYPES,
    ZERO_ADDRESS,
    Authorization,
    Counter,
    desk_message,
    nonce,
    sign,
)
from tests.support.income import now
from tests.support.scenario import Scenario
from tests.support.signing import mirrored, signed
from tests.support.usd import as_bytes

CLAIM = "ClaimAuthorization"
OTHER_CHAIN_ID = 8_453


def _claim(
    counter: Counter, recipient: AccountAPI | str, owner: str = "account", **fields: object
) -> tuple[Authorization, bytes]:
    """Of all clusters, unless `fields` say otherwise."""
    fields = {"clusterIds": list(counter.cluster_ids)} | fields
    to = str(getattr(recipient, "address", recipient))
    return counter.signed(CLAIM, counter.owner(owner), recipient=to, **fields)


def _claimed(counter: Counter, owner: str) -> list[int]:
    return [int(share.claimedUsd6(owner)) for share in counter.shares]


@pytest.mark.parametrize("owner", ["account", "contract"])
def test_claim_with_authorization__signed__pays_the_recipient_and_nobody_else(
    counter: Counter,
    desk: ContractInstance,
    stablecoin: ContractInstance,
    keeper: AccountAPI,
    relayer: AccountAPI,
    owner: str,
) -> None:
    address = counter.owner(owner).address
    receipt = desk.claimWithAuthorization(*_claim(counter, keeper, owner), sender=relayer)
    assert receipt.return_value == [EARNED - 1] * 3
    assert stablecoin.balanceOf(keeper) == 3 * (EARNED - 1)
    assert stablecoin.balanceOf(address) == stablecoin.balanceOf(relayer) == 0
    assert _claimed(counter, address) == [EARNED - 1] * 3
    [event] = receipt.decode_logs(desk.AuthorizationUsed)
    assert (event.owner, event.nonce) == (address, nonce(1))
    assert desk.isNonceUsed(address, nonce(1))
    assert receipt.decode_logs(desk.ClaimSkipped) == []


@pytest.mark.parametrize("owner", ["account", "contract"])
def test_claim_with_authorization__without_a_recipient__pays_the_payee_of_each_share(
    counter: Counter,
    desk: ContractInstance,
    stablecoin: ContractInstance,
    holder: AccountAPI,
    keeper: AccountAPI,
    relayer: AccountAPI,
    owner: str,
) -> None:
    counter.shares[0].setPayee(keeper, sender=holder)
    address = counter.owner(owner).address
    desk.claimWithAuthorization(*_claim(counter, ZERO_ADDRESS, owner), sender=relayer)
    paid_to_payee = EARNED - 1 if owner == "account" else 0
    assert stablecoin.balanceOf(keeper) == paid_to_payee
    assert stablecoin.balanceOf(address) == 3 * (EARNED - 1) - paid_to_payee


@pytest.mark.parametrize("owner", ["account", "contract"])
def test_claim_with_authorization__brought_again__refused(
    counter: Counter, desk: ContractInstance, keeper: AccountAPI, relayer: AccountAPI, owner: str
) -> None:
    arguments = _claim(counter, keeper, owner)
    desk.claimWithAuthorization(*arguments, sender=relayer)
    with ape.reverts(desk.HolderDesk_NonceUsed, owner=counter.owner(owner).address, nonce=nonce(1)):
        desk.claimWithAuthorization(*arguments, sender=relayer)


def test_claim_with_authorization__nonces_in_any_order__each_counts_once(
    counter: Counter, desk: ContractInstance, keeper: AccountAPI, relayer: AccountAPI
) -> None:
    for number, cluster_id in zip((9, 2, 5), counter.cluster_ids, strict=True):
        arguments = _claim(counter, keeper, clusterIds=[cluster_id], nonce=nonce(number))
        desk.claimWithAuthorization(*arguments, sender=relayer)
    assert _claimed(counter, counter.account.address) == [EARNED - 1] * 3
    assert [desk.isNonceUsed(counter.account.address, nonce(n)) for n in (1, 2, 5, 9)] == [
        False,
        True,
        True,
        True,
    ]


def test_claim_with_authorization__nonce_of_another_owner__counts_for_each(
    counter: Counter, desk: ContractInstance, keeper: AccountAPI, relayer: AccountAPI
) -> None:
    for owner in ("account", "contract"):
        desk.claimWithAuthorization(*_claim(counter, keeper, owner), sender=relayer)
    assert desk.isNonceUsed(counter.contract.address, nonce(1))


@pytest.mark.parametrize("owner", ["account", "contract"])
@pytest.mark.parametrize("field", [name for name, _ in TYPES[CLAIM]])
def test_claim_with_authorization__changed_after_signing__refused(
    counter: Counter,
    desk: ContractInstance,
    other_holder: AccountAPI,
    attacker: AccountAPI,
    owner: str,
    field: str,
) -> None:
    authorization, signature = _claim(counter, attacker, owner)
    authorization[field] = {
        "owner": other_holder.address,
        "recipient": other_holder.address,
        "clusterIds": list(counter.cluster_ids[:2]),
        "nonce": nonce(2),
        "deadline": authorization["deadline"] + 1,
    }[field]
    with ape.reverts(desk.HolderDesk_BadSignature, owner=authorization["owner"]):
        desk.claimWithAuthorization(authorization, signature, sender=attacker)


@pytest.mark.parametrize("owner", ["account", "contract"])
def test_claim_with_authorization__signed_by_somebody_else__refused(
    counter: Counter, desk: ContractInstance, attacker: AccountAPI, owner: str
) -> None:
    authorization, _ = _claim(counter, attacker, owner)
    with ape.reverts(desk.HolderDesk_BadSignature, owner=counter.owner(owner).address):
        desk.claimWithAuthorization(
            authorization, sign(desk, attacker, CLAIM, authorization), sender=attacker
        )


@pytest.mark.parametrize("owner", ["account", "contract"])
@pytest.mark.parametrize("wrong", ["empty", "short", "in the upper half", "of zeros"])
def test_claim_with_authorization__signature_in_another_form__refused(
    counter: Counter, desk: ContractInstance, keeper: AccountAPI, owner: str, wrong: str
) -> None:
    authorization, signature = _claim(counter, keeper, owner)
    vrs = signed(counter.owner(owner).signer, desk_message(desk, CLAIM, authorization))
    changed = {
        "empty": b"",
        "short": signature[:-1],
        "in the upper half": as_bytes(mirrored(*vrs)),
        "of zeros": bytes(65),
    }[wrong]
    with ape.reverts(desk.HolderDesk_BadSignature):
        desk.claimWithAuthorization(authorization, changed, sender=keeper)
    desk.claimWithAuthorization(authorization, signature, sender=keeper)


def test_claim_with_authorization__of_nobody__refused(
    counter: Counter, desk: ContractInstance, attacker: AccountAPI
) -> None:
    authorization, _ = _claim(counter, attacker, owner="account")
    authorization["owner"] = ZERO_ADDRESS
    with ape.reverts(desk.HolderDesk_BadSignature, owner=ZERO_ADDRESS):
        desk.claimWithAuthorization(authorization, bytes(65), sender=attacker)


def test_claim_with_authorization__signed_as_another_kind__refused(
    counter: Counter, desk: ContractInstance, attacker: AccountAPI
) -> None:
    """The fields of a claim and of a delegation are of the same types."""
    delegation, signature = counter.signed(
        "DelegationAuthorization",
        counter.account,
        clusterIds=list(counter.cluster_ids),
        delegatee=attacker.address,
    )
    claim = delegation | {"recipient": delegation["delegatee"]}
    with ape.reverts(desk.HolderDesk_BadSignature):
        desk.claimWithAuthorization(
            {name: claim[name] for name, _ in TYPES[CLAIM]}, signature, sender=attacker
        )


@pytest.mark.parametrize("late", [0, 1])
def test_claim_with_authorization__around_its_deadline__good_until_the_second_itself(
    counter: Counter, desk: ContractInstance, keeper: AccountAPI, relayer: AccountAPI, late: int
) -> None:
    deadline = now() + 100
    arguments = _claim(counter, keeper, deadline=deadline)
    chain.pending_timestamp = deadline + late
    if late:
        with ape.reverts(desk.HolderDesk_Expired, deadline=deadline, now_=deadline + 1):
            desk.claimWithAuthorization(*arguments, sender=relayer)
    else:
        desk.claimWithAuthorization(*arguments, sender=relayer)
    assert desk.isNonceUsed(counter.account.address, nonce(1)) == (not late)


def test_claim_with_authorization__signed_for_another_desk_or_chain__refused(
    counter: Counter, desk: ContractInstance, scenario: Scenario, keeper: AccountAPI
) -> None:
    authorization, _ = _claim(counter, keeper)
    other = scenario.deployer.deploy(project.HolderDesk, scenario.system.registry)
    signer = counter.account.signer
    elsewhere = [
        desk_message(other, CLAIM, authorization),
        desk_message(desk, CLAIM, authorization, chain_id=OTHER_CHAIN_ID),
    ]
    for message in elsewhere:
        with ape.reverts(desk.HolderDesk_BadSignature):
            desk.claimWithAuthorization(
                authorization, as_bytes(signed(signer, message)), sender=keeper
            )


def test_claim_with_authorization__shares_of_another_desk__serve_their_own_alone(
    counter: Counter, scenario: Scenario, keeper: AccountAPI
) -> None:
    other = scenario.deployer.deploy(project.HolderDesk, scenario.system.registry)
    authorization, _ = _claim(counter, keeper)
    signature = sign(other, counter.account.signer, CLAIM, authorization)
    with ape.reverts(other.HolderDesk_NothingToClaim):
        other.claimWithAuthorization(authorization, signature, sender=keeper)


def test_claim_with_authorization__nothing_to_claim__refused_and_can_be_brought_later(
    counter: Counter,
    desk: ContractInstance,
    stablecoin: ContractInstance,
    deployer: AccountAPI,
    keeper: AccountAPI,
    relayer: AccountAPI,
) -> None:
    arguments = _claim(counter, keeper)
    stablecoin.pause(sender=deployer)
    with ape.reverts(desk.HolderDesk_NothingToClaim, owner=counter.account.address):
        desk.claimWithAuthorization(*arguments, sender=relayer)
    stablecoin.unpause(sender=deployer)
    assert not desk.isNonceUsed(counter.account.address, nonce(1))
    desk.claimWithAuthorization(*arguments, sender=relayer)


def test_claim_with_authorization__one_frozen__the_others_paid(
    counter: Counter, desk: ContractInstance, keeper: AccountAPI, relayer: AccountAPI
) -> None:
    counter.freeze(counter.shares[1], counter.account.address)
    receipt = desk.claimWithAuthorization(*_claim(counter, keeper), sender=relayer)
    assert receipt.return_value == [EARNED - 1, 0, EARNED - 1]
    [event] = receipt.decode_logs(desk.ClaimSkipped)
    assert (event.clusterId, event.owner) == (counter.cluster_ids[1], counter.account.address)


def test_claim_with_authorization__owner_recovered_in_one__refused_whole(
    counter: Counter, desk: ContractInstance, keeper: AccountAPI, attacker: AccountAPI
) -> None:
    """Whoever has the key of a lost wallet."""
    counter.recover(counter.shares[2], counter.account.address, keeper)
    with ape.reverts(
        desk.HolderDesk_OwnerRecovered,
        clusterId=counter.cluster_ids[2],
        owner=counter.account.address,
        successor=keeper.address,
    ):
        desk.claimWithAuthorization(*_claim(counter, attacker), sender=attacker)


@pytest.mark.parametrize("lost_in", ["a share", "the desk"])
def test_claim_with_authorization__recipient_that_would_lose_it__refused(
    counter: Counter, desk: ContractInstance, relayer: AccountAPI, lost_in: str
) -> None:
    recipient = counter.shares[1].address if lost_in == "a share" else desk.address
    with ape.reverts(desk.HolderDesk_InvalidRecipient, recipient=recipient):
        desk.claimWithAuthorization(*_claim(counter, recipient), sender=relayer)


def test_claim_with_authorization__more_clusters_than_allowed__refused(
    counter: Counter, desk: ContractInstance, keeper: AccountAPI
) -> None:
    too_many = [counter.cluster_ids[0]] * 65
    with ape.reverts(desk.HolderDesk_TooManyClusters, count=65, limit=64):
        desk.claimWithAuthorization(*_claim(counter, keeper, clusterIds=too_many), sender=keeper)


@pytest.mark.parametrize("gas", [250_000, 330_000, 370_000, 400_000])
def test_claim_with_authorization__with_too_little_gas__refused_and_good_with_enough(
    counter: Counter, desk: ContractInstance, keeper: AccountAPI, attacker: AccountAPI, gas: int
) -> None:
    """A relayer cannot use up an authorization and pay nothing, or a part."""
    arguments = _claim(counter, keeper)
    with ape.reverts(desk.HolderDesk_TooLittleGas):
        desk.claimWithAuthorization(*arguments, gas=gas, sender=attacker)
    receipt = desk.claimWithAuthorization(*arguments, sender=attacker)
    assert receipt.return_value == [EARNED - 1] * 3
