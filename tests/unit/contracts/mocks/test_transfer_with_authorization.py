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


@pytest.mark.parametrize("kind", KINDS)
def test_authorization__value_changed_after_signing__refused(
    usd: ContractInstance,
    holder: AccountAPI,
    customer: AccountAPI,
    authorization: dict[str, Any],
    kind: str,
) -> None:
    arguments = signed(usd, holder, kind, authorization, "bytes")
    arguments[2] += 1
    with ape.reverts("FiatTokenV2: invalid signature"):
        present(usd, kind, arguments, customer)


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
