"""ClusterShare.permit: an allowance by signature (ERC-2612)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import ape
import pytest
from ape import chain
from ape.api import AccountAPI
from ape.contracts import ContractInstance
from ape_ethereum.provider import Web3Provider

from tests.support.income import UINT256_MAX, OpenShare, deploy_open_share, now
from tests.support.scenario import YEAR_SECONDS
from tests.support.signing import mirrored, permit_message, signed

ZERO_ADDRESS = "0x" + "00" * 20
OTHER_CHAIN_ID = 8_453


def _signed(
    share: ContractInstance,
    signer: AccountAPI,
    owner: AccountAPI,
    spender: AccountAPI,
    **changes: int,
) -> tuple[Any, ...]:
    """The arguments of `permit`, for 7 shares' smallest units and ten minutes but for `changes`."""
    permit = {"value": 7, "nonce": share.nonces(owner), "deadline": now() + 600} | changes
    message = permit_message(share, owner=owner.address, spender=spender.address, **permit)
    deadline = permit["deadline"]
    return (owner.address, spender.address, permit["value"], deadline, *signed(signer, message))


def test_permit__signed_by_the_owner__allows_once(
    share: ContractInstance, holder: AccountAPI, keeper: AccountAPI, relayer: AccountAPI
) -> None:
    arguments = _signed(share, holder, holder, keeper)
    share.permit(*arguments, sender=relayer)
    assert share.allowance(holder, keeper) == 7
    assert share.nonces(holder) == 1
    with ape.reverts(share.ERC2612InvalidSigner, owner=holder.address):
        share.permit(*arguments, sender=relayer)


def test_permit__presented__is_the_approval_that_it_says(
    share: ContractInstance, holder: AccountAPI, other_holder: AccountAPI, keeper: AccountAPI
) -> None:
    share.approve(keeper, 1_000, sender=holder)
    receipt = share.permit(*_signed(share, holder, holder, keeper), sender=keeper)
    [event] = receipt.decode_logs(share.Approval)
    assert (event.owner, event.spender, event.value) == (holder.address, keeper.address, 7)
    share.transferFrom(holder, other_holder, 7, sender=keeper)
    assert share.allowance(holder, keeper) == 0


@pytest.mark.parametrize("value", [0, UINT256_MAX])
def test_permit__of_nothing_or_without_limit__sets_just_that(
    share: ContractInstance, holder: AccountAPI, keeper: AccountAPI, value: int
) -> None:
    share.approve(keeper, 1_000, sender=holder)
    share.permit(*_signed(share, holder, holder, keeper, value=value), sender=keeper)
    assert share.allowance(holder, keeper) == value


def test_permit__two_signed_ahead__in_the_order_of_their_nonces_alone(
    share: ContractInstance, holder: AccountAPI, keeper: AccountAPI, other_holder: AccountAPI
) -> None:
    first = _signed(share, holder, holder, keeper, value=1, nonce=0)
    second = _signed(share, holder, holder, keeper, value=2, nonce=1)
    with ape.reverts(share.ERC2612InvalidSigner):
        share.permit(*second, sender=keeper)
    share.permit(*first, sender=keeper)
    share.permit(*second, sender=keeper)
    assert (share.allowance(holder, keeper), share.nonces(holder)) == (2, 2)
    assert share.nonces(other_holder) == 0


def test_permit__run_ahead_of_by_another__sets_the_same_and_stops_the_second(
    share: ContractInstance, holder: AccountAPI, keeper: AccountAPI, attacker: AccountAPI
) -> None:
    arguments = _signed(share, holder, holder, keeper)
    share.permit(*arguments, sender=attacker)
    with ape.reverts(share.ERC2612InvalidSigner):
        share.permit(*arguments, sender=keeper)
    assert share.allowance(holder, keeper) == 7
    assert share.allowance(holder, attacker) == 0


@pytest.mark.parametrize("field", ["owner", "spender", "value", "deadline"])
def test_permit__changed_after_signing__refused(
    share: ContractInstance,
    holder: AccountAPI,
    keeper: AccountAPI,
    attacker: AccountAPI,
    field: str,
) -> None:
    owner, spender, value, deadline, *signature = _signed(share, holder, holder, keeper)
    changed = {"owner": owner, "spender": spender, "value": value, "deadline": deadline}
    changed[field] = changed[field] + 1 if isinstance(changed[field], int) else attacker.address
    with ape.reverts(share.ERC2612InvalidSigner, owner=changed["owner"]):
        share.permit(*changed.values(), *signature, sender=attacker)
    assert share.nonces(holder) == share.nonces(attacker) == 0


def test_permit__owner_is_the_zero_address__refused_whatever_the_signature_recovers_to(
    share: ContractInstance, holder: AccountAPI, keeper: AccountAPI
) -> None:
    _, spender, value, deadline, v, r, s = _signed(share, holder, holder, keeper)
    with ape.reverts(share.ERC2612InvalidSigner, owner=ZERO_ADDRESS):
        share.permit(ZERO_ADDRESS, spender, value, deadline, v, r, s, sender=keeper)
    # v of neither 27 nor 28 recovers to the zero address.
    with ape.reverts(share.ECDSAInvalidSignature):
        share.permit(ZERO_ADDRESS, spender, value, deadline, 29, r, s, sender=keeper)


@pytest.mark.parametrize("wrong", ["v of neither parity", "s in the upper half", "r of zero"])
def test_permit__signature_in_another_form__refused_and_the_right_one_still_good(
    share: ContractInstance, holder: AccountAPI, keeper: AccountAPI, wrong: str
) -> None:
    *permit, v, r, s = _signed(share, holder, holder, keeper)
    signature, error = {
        "v of neither parity": ((v + 27, r, s), share.ECDSAInvalidSignature),
        "s in the upper half": (mirrored(v, r, s), share.ECDSAInvalidSignatureS),
        "r of zero": ((v, b"\0" * 32, s), share.ECDSAInvalidSignature),
    }[wrong]
    with ape.reverts(error):
        share.permit(*permit, *signature, sender=keeper)
    share.permit(*permit, v, r, s, sender=keeper)
    assert share.allowance(holder, keeper) == 7


def test_permit__signed_by_somebody_else__refused(
    share: ContractInstance, holder: AccountAPI, attacker: AccountAPI
) -> None:
    with ape.reverts(share.ERC2612InvalidSigner, signer=attacker.address, owner=holder.address):
        share.permit(*_signed(share, attacker, holder, attacker), sender=attacker)


@pytest.mark.parametrize("late", [0, 1])
def test_permit__around_its_deadline__good_until_the_second_itself(
    share: ContractInstance, holder: AccountAPI, keeper: AccountAPI, late: int
) -> None:
    deadline = now() + 100
    arguments = _signed(share, holder, holder, keeper, deadline=deadline)
    chain.pending_timestamp = deadline + late
    if late:
        with ape.reverts(share.ERC2612ExpiredSignature, deadline=deadline):
            share.permit(*arguments, sender=keeper)
    else:
        share.permit(*arguments, sender=keeper)
    assert share.allowance(holder, keeper) == (0 if late else 7)


def test_permit__without_end__good_for_ever(
    share: ContractInstance, holder: AccountAPI, keeper: AccountAPI
) -> None:
    arguments = _signed(share, holder, holder, keeper, deadline=UINT256_MAX)
    chain.pending_timestamp = now() + 100 * YEAR_SECONDS
    share.permit(*arguments, sender=keeper)
    assert share.allowance(holder, keeper) == 7


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


def test_permit__signed_for_another_chain__refused(
    share: ContractInstance, holder: AccountAPI, keeper: AccountAPI
) -> None:
    with ape.reverts(share.ERC2612InvalidSigner):
        share.permit(
            *_signed(share, holder, holder, keeper, chain_id=OTHER_CHAIN_ID), sender=keeper
        )


def test_permit__chain_splits_and_takes_another_id__good_on_the_one_that_was_signed_for(
    share: ContractInstance, holder: AccountAPI, keeper: AccountAPI
) -> None:
    here = _signed(share, holder, holder, keeper, chain_id=chain.chain_id)
    there = _signed(share, holder, holder, keeper, chain_id=OTHER_CHAIN_ID)
    with _chain_id(OTHER_CHAIN_ID):
        share.permit.call(*there, sender=keeper)
        with ape.reverts(share.ERC2612InvalidSigner):
            share.permit.call(*here, sender=keeper)
    share.permit(*here, sender=keeper)
    assert share.allowance(holder, keeper) == 7


def test_domain_separator__here_and_on_another_chain__equals_eip712s(
    share: ContractInstance, holder: AccountAPI
) -> None:
    permit = {"owner": holder.address, "spender": holder.address}
    permit |= {"value": 0, "nonce": 0, "deadline": 0}
    here = permit_message(share, **permit).header
    assert share.DOMAIN_SEPARATOR() == here
    fields, name, version, chain_id, contract, salt, extensions = share.eip712Domain()
    # Name, version, chain and contract; neither salt nor extensions.
    assert fields == b"\x0f"
    assert (name, version, chain_id) == (share.name(), "1", chain.chain_id)
    assert (contract, salt, extensions) == (share.address, b"\0" * 32, [])
    with _chain_id(OTHER_CHAIN_ID):
        there = permit_message(share, chain_id=OTHER_CHAIN_ID, **permit).header
        assert share.DOMAIN_SEPARATOR() == there != here


@contextmanager
def _chain_id(chain_id: int) -> Iterator[None]:
    """The node's chain by another id, as after a split; a snapshot does not put that back."""
    before = chain.chain_id
    provider = cast(Web3Provider, chain.provider)
    provider.make_request("anvil_setChainId", [chain_id])
    try:
        yield
    finally:
        provider.make_request("anvil_setChainId", [before])
