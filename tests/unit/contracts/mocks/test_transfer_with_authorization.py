"""TestUsd and EIP-3009: transferWithAuthorization, receiveWithAuthorization, cancelAuthorization.

Each in both forms, with v, r, s and with bytes, as USDC v2.2 offers them.
"""

from __future__ import annotations

from typing import Any

import ape
import pytest
from ape import chain, project
from ape.api import AccountAPI
from ape.contracts import ContractInstance

from tests.support.scenario import USD
from tests.support.signing import mirrored
from tests.support.usd import as_bytes, sign_usd

NONCE = b"\x05" * 32
FORMS = ["v, r, s", "bytes"]
KINDS = ["TransferWithAuthorization", "ReceiveWithAuthorization"]


@pytest.fixture
def authorization(holder: AccountAPI, customer: AccountAPI) -> dict[str, Any]:
    now = int(chain.blocks.head.timestamp)
    return {
        "from": holder.address,
        "to": customer.address,
        "value": 8 * USD,
        "validAfter": now - 1,
        "validBefore": now + 1_000,
        "nonce": NONCE,
    }


def signed(
    usd: ContractInstance, signer: AccountAPI, kind: str, message: dict[str, Any], form: str
) -> list[Any]:
    """The arguments of the call: the message, and its signature in the form asked for."""
    signature = sign_usd(usd, signer, kind, message)
    return [*message.values(), *([as_bytes(signature)] if form == "bytes" else signature)]


def present(usd: ContractInstance, kind: str, arguments: list[Any], sender: AccountAPI) -> Any:
    return getattr(usd, kind[0].lower() + kind[1:])(*arguments, sender=sender)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", KINDS)
def test_authorization__presented_by_payee__pays_once(
    usd: ContractInstance,
    holder: AccountAPI,
    customer: AccountAPI,
    authorization: dict[str, Any],
    kind: str,
    form: str,
) -> None:
    arguments = signed(usd, holder, kind, authorization, form)
    assert not usd.authorizationState(holder, NONCE)

    receipt = present(usd, kind, arguments, customer)

    assert (usd.balanceOf(holder), usd.balanceOf(customer)) == (92 * USD, 8 * USD)
    assert usd.authorizationState(holder, NONCE)
    [event] = receipt.decode_logs(usd.AuthorizationUsed)
    assert (event.authorizer, event.nonce) == (holder.address, NONCE)
    with ape.reverts("FiatTokenV2: authorization is used or canceled"):
        present(usd, kind, arguments, customer)


def test_transfer_with_authorization__presented_by_anybody__pays_the_payee(
    usd: ContractInstance,
    holder: AccountAPI,
    customer: AccountAPI,
    relayer: AccountAPI,
    authorization: dict[str, Any],
) -> None:
    arguments = signed(usd, holder, KINDS[0], authorization, "bytes")
    present(usd, KINDS[0], arguments, relayer)
    assert usd.balanceOf(customer) == 8 * USD


def test_receive_with_authorization__presented_by_another__refused(
    usd: ContractInstance,
    holder: AccountAPI,
    relayer: AccountAPI,
    authorization: dict[str, Any],
) -> None:
    arguments = signed(usd, holder, KINDS[1], authorization, "bytes")
    with ape.reverts("FiatTokenV2: caller must be the payee"):
        present(usd, KINDS[1], arguments, relayer)


@pytest.mark.parametrize("kind", KINDS)
def test_authorization__signed_as_the_other_kind__refused(
    usd: ContractInstance,
    holder: AccountAPI,
    customer: AccountAPI,
    authorization: dict[str, Any],
    kind: str,
) -> None:
    [other] = set(KINDS) - {kind}
    arguments = signed(usd, holder, other, authorization, "bytes")
    with ape.reverts("FiatTokenV2: invalid signature"):
        present(usd, kind, arguments, customer)


def test_transfer_with_authorization__run_ahead_of__payee_is_paid_and_the_second_is_told(
    usd: ContractInstance,
    holder: AccountAPI,
    customer: AccountAPI,
    attacker: AccountAPI,
    authorization: dict[str, Any],
) -> None:
    arguments = signed(usd, holder, KINDS[0], authorization, "bytes")
    present(usd, KINDS[0], arguments, attacker)
    with ape.reverts("FiatTokenV2: authorization is used or canceled"):
        present(usd, KINDS[0], arguments, customer)
    assert (usd.balanceOf(customer), usd.balanceOf(attacker)) == (8 * USD, 0)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("position", range(6))
def test_authorization__changed_after_signing__refused(
    usd: ContractInstance,
    holder: AccountAPI,
    customer: AccountAPI,
    attacker: AccountAPI,
    authorization: dict[str, Any],
    kind: str,
    position: int,
) -> None:
    usd.transfer(attacker, 20 * USD, sender=holder)
    arguments = signed(usd, holder, kind, authorization, "bytes")
    arguments[position] = [
        attacker.address,
        attacker.address,
        arguments[2] + 1,
        arguments[3] - 1,
        arguments[4] + 1,
        b"\x06" * 32,
    ][position]
    payee = attacker if position == 1 else customer
    with ape.reverts("FiatTokenV2: invalid signature"):
        present(usd, kind, arguments, payee)


@pytest.mark.parametrize("kind", KINDS)
def test_authorization__signed_by_another__refused(
    usd: ContractInstance,
    attacker: AccountAPI,
    customer: AccountAPI,
    authorization: dict[str, Any],
    kind: str,
) -> None:
    arguments = signed(usd, attacker, kind, authorization, "bytes")
    with ape.reverts("FiatTokenV2: invalid signature"):
        present(usd, kind, arguments, customer)


@pytest.mark.parametrize("kind", KINDS)
def test_authorization__signed_for_another_token__refused(
    usd: ContractInstance,
    deployer: AccountAPI,
    holder: AccountAPI,
    customer: AccountAPI,
    authorization: dict[str, Any],
    kind: str,
) -> None:
    other = deployer.deploy(project.TestUsd)
    arguments = signed(other, holder, kind, authorization, "bytes")
    with ape.reverts("FiatTokenV2: invalid signature"):
        present(usd, kind, arguments, customer)


@pytest.mark.parametrize("wrong", ["s in the upper half", "v of neither parity", "too short"])
def test_authorization__signature_in_another_form__refused_and_the_right_one_still_good(
    usd: ContractInstance,
    holder: AccountAPI,
    customer: AccountAPI,
    authorization: dict[str, Any],
    wrong: str,
) -> None:
    message = list(authorization.values())
    v, r, s = sign_usd(usd, holder, KINDS[0], authorization)
    malformed = {
        "s in the upper half": as_bytes(mirrored(v, r, s)),
        "v of neither parity": as_bytes((v + 27, r, s)),
        "too short": r + s,
    }[wrong]
    with ape.reverts("FiatTokenV2: invalid signature"):
        present(usd, KINDS[0], [*message, malformed], customer)
    present(usd, KINDS[0], [*message, as_bytes((v, r, s))], customer)
    assert usd.balanceOf(customer) == 8 * USD


def test_authorization__from_the_zero_address__refused(
    usd: ContractInstance, holder: AccountAPI, customer: AccountAPI, authorization: dict[str, Any]
) -> None:
    authorization |= {"from": "0x" + "00" * 20, "value": 0}
    *message, signature = signed(usd, holder, KINDS[0], authorization, "bytes")
    # v of neither 27 nor 28 recovers to the zero address.
    for presented in (signature, signature[:64] + b"\x1d"):
        with ape.reverts("FiatTokenV2: invalid signature"):
            present(usd, KINDS[0], [*message, presented], customer)


def test_authorization__nonce_used_in_one_way__used_in_the_other_too(
    usd: ContractInstance,
    holder: AccountAPI,
    customer: AccountAPI,
    authorization: dict[str, Any],
) -> None:
    transfer, receive = (signed(usd, holder, kind, authorization, "bytes") for kind in KINDS)
    present(usd, KINDS[1], receive, customer)
    with ape.reverts("FiatTokenV2: authorization is used or canceled"):
        present(usd, KINDS[0], transfer, customer)
    assert usd.balanceOf(customer) == 8 * USD


def test_authorization__same_nonce_of_two_payers__each_their_own(
    usd: ContractInstance,
    holder: AccountAPI,
    other_holder: AccountAPI,
    customer: AccountAPI,
    authorization: dict[str, Any],
) -> None:
    usd.transfer(other_holder, 8 * USD, sender=holder)
    for payer in (holder, other_holder):
        message = authorization | {"from": payer.address}
        present(usd, KINDS[0], signed(usd, payer, KINDS[0], message, "bytes"), customer)
    assert usd.balanceOf(customer) == 16 * USD


@pytest.mark.parametrize("kind", KINDS)
def test_authorization__more_than_the_balance__refused_and_not_used_up(
    usd: ContractInstance,
    deployer: AccountAPI,
    holder: AccountAPI,
    customer: AccountAPI,
    authorization: dict[str, Any],
    kind: str,
) -> None:
    authorization |= {"value": 101 * USD}
    arguments = signed(usd, holder, kind, authorization, "bytes")
    with ape.reverts("ERC20: transfer amount exceeds balance"):
        present(usd, kind, arguments, customer)
    assert not usd.authorizationState(holder, NONCE)
    usd.mint(holder, USD, sender=deployer)
    present(usd, kind, arguments, customer)
    assert usd.balanceOf(customer) == 101 * USD


@pytest.mark.parametrize(
    ("bound", "offset", "refusal"),
    [
        ("validAfter", 0, "FiatTokenV2: authorization is not yet valid"),
        ("validAfter", 1, None),
        ("validBefore", -1, None),
        ("validBefore", 0, "FiatTokenV2: authorization is expired"),
    ],
)
def test_authorization__around_its_times__both_bounds_excluded(
    usd: ContractInstance,
    holder: AccountAPI,
    customer: AccountAPI,
    authorization: dict[str, Any],
    bound: str,
    offset: int,
    refusal: str | None,
) -> None:
    authorization |= {"validAfter": authorization["validBefore"] - 500}
    arguments = signed(usd, holder, KINDS[0], authorization, "bytes")
    chain.pending_timestamp = authorization[bound] + offset
    if refusal:
        with ape.reverts(refusal):
            present(usd, KINDS[0], arguments, customer)
    else:
        present(usd, KINDS[0], arguments, customer)
        assert usd.balanceOf(customer) == 8 * USD


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("stopped_by", ["payer listed", "payee listed", "pause"])
def test_authorization__blacklisted_or_paused__refused(
    usd: ContractInstance,
    deployer: AccountAPI,
    holder: AccountAPI,
    customer: AccountAPI,
    authorization: dict[str, Any],
    kind: str,
    stopped_by: str,
) -> None:
    arguments = signed(usd, holder, kind, authorization, "bytes")
    if stopped_by == "pause":
        usd.pause(sender=deployer)
        reason = "Pausable: paused"
    else:
        usd.blacklist(holder if stopped_by == "payer listed" else customer, sender=deployer)
        reason = "Blacklistable: account is blacklisted"
    with ape.reverts(reason):
        present(usd, kind, arguments, customer)


def test_authorization__payer_is_a_contract__its_owners_signature_counts(
    usd: ContractInstance,
    deployer: AccountAPI,
    holder: AccountAPI,
    customer: AccountAPI,
    authorization: dict[str, Any],
) -> None:
    wallet = deployer.deploy(project.ERC1271Wallet, holder)
    usd.transfer(wallet, 8 * USD, sender=holder)
    authorization |= {"from": wallet.address}
    arguments = signed(usd, holder, KINDS[0], authorization, "bytes")
    present(usd, KINDS[0], arguments, customer)
    assert usd.balanceOf(customer) == 8 * USD


@pytest.mark.parametrize("form", FORMS)
def test_cancel_authorization__signed_by_authorizer__can_no_longer_be_used(
    usd: ContractInstance,
    holder: AccountAPI,
    customer: AccountAPI,
    relayer: AccountAPI,
    authorization: dict[str, Any],
    form: str,
) -> None:
    message = {"authorizer": holder.address, "nonce": NONCE}
    cancel = signed(usd, holder, "CancelAuthorization", message, form)

    receipt = usd.cancelAuthorization(*cancel, sender=relayer)

    [event] = receipt.decode_logs(usd.AuthorizationCanceled)
    assert (event.authorizer, event.nonce) == (holder.address, NONCE)
    arguments = signed(usd, holder, KINDS[0], authorization, form)
    with ape.reverts("FiatTokenV2: authorization is used or canceled"):
        present(usd, KINDS[0], arguments, customer)
    with ape.reverts("FiatTokenV2: authorization is used or canceled"):
        usd.cancelAuthorization(*cancel, sender=relayer)


def test_cancel_authorization__signed_by_another__refused(
    usd: ContractInstance, holder: AccountAPI, attacker: AccountAPI
) -> None:
    message = {"authorizer": holder.address, "nonce": NONCE}
    cancel = signed(usd, attacker, "CancelAuthorization", message, "bytes")
    with ape.reverts("FiatTokenV2: invalid signature"):
        usd.cancelAuthorization(*cancel, sender=attacker)


def test_cancel_authorization__used_already__refused(
    usd: ContractInstance,
    holder: AccountAPI,
    customer: AccountAPI,
    authorization: dict[str, Any],
) -> None:
    present(usd, KINDS[0], signed(usd, holder, KINDS[0], authorization, "bytes"), customer)
    message = {"authorizer": holder.address, "nonce": NONCE}
    cancel = signed(usd, holder, "CancelAuthorization", message, "bytes")
    with ape.reverts("FiatTokenV2: authorization is used or canceled"):
        usd.cancelAuthorization(*cancel, sender=holder)


def test_cancel_authorization__same_nonce_of_another_payer__not_touched(
    usd: ContractInstance,
    holder: AccountAPI,
    attacker: AccountAPI,
    customer: AccountAPI,
    authorization: dict[str, Any],
) -> None:
    message = {"authorizer": attacker.address, "nonce": NONCE}
    cancel = signed(usd, attacker, "CancelAuthorization", message, "bytes")
    usd.cancelAuthorization(*cancel, sender=attacker)
    present(usd, KINDS[0], signed(usd, holder, KINDS[0], authorization, "bytes"), customer)
    assert usd.balanceOf(customer) == 8 * USD
