"""IdentityRegistry.revokeWallet: a wallet may not receive until it is attested anew."""

from __future__ import annotations

import ape
import pytest
from ape import chain
from ape.api import AccountAPI
from ape.contracts import ContractInstance

from tests.support.scenario import Scenario, investor_id, sign_attestation, travel_to


def test_revoke_wallet__attested__may_not_receive_and_stays_on_the_list(
    identity: ContractInstance,
    scenario: Scenario,
    compliance: AccountAPI,
    holder: AccountAPI,
    other_holder: AccountAPI,
) -> None:
    scenario.attest(holder, other_holder, investorId=investor_id(1))

    receipt = identity.revokeWallet(holder, sender=compliance)

    assert not identity.canReceive(holder)
    assert identity.canReceive(other_holder)
    assert identity.walletsOf(investor_id(1)) == [holder.address, other_holder.address]
    stored = identity.attestationOf(holder)
    assert (stored.investorId, stored.expiresAt) == (investor_id(1), 0)
    assert stored.issuedAt == receipt.timestamp
    [event] = receipt.decode_logs(identity.WalletRevoked)
    assert (event.wallet, event.investorId, event.actor, event.revokedAt) == (
        holder.address,
        investor_id(1),
        compliance.address,
        receipt.timestamp,
    )


@pytest.mark.parametrize("age", [0, 1])
def test_revoke_wallet__attestation_issued_up_to_then__void(
    identity: ContractInstance,
    scenario: Scenario,
    compliance: AccountAPI,
    kyc_provider: AccountAPI,
    holder: AccountAPI,
    age: int,
) -> None:
    scenario.attest(holder)
    chain.mine(deltatime=100)
    revoked_at = identity.revokeWallet(holder, sender=compliance).timestamp
    attestation = scenario.attestation(holder, issuedAt=revoked_at - age)
    signature = sign_attestation(identity, attestation, kyc_provider)
    with ape.reverts(
        identity.IdentityRegistry_NotNewer, issuedAt=revoked_at - age, limit=revoked_at
    ):
        identity.attest(attestation, kyc_provider, signature, sender=holder)


def test_revoke_wallet__attestation_issued_later__admits_again(
    identity: ContractInstance, scenario: Scenario, compliance: AccountAPI, holder: AccountAPI
) -> None:
    scenario.attest(holder, investorId=investor_id(1))
    revoked_at = identity.revokeWallet(holder, sender=compliance).timestamp
    chain.mine(deltatime=10)
    scenario.attest(holder, investorId=investor_id(1), issuedAt=revoked_at + 1)
    assert identity.canReceive(holder)
    assert identity.walletsOf(investor_id(1)) == [holder.address]


def test_revoke_wallet__revoked__revoked_again_from_now(
    identity: ContractInstance, scenario: Scenario, compliance: AccountAPI, holder: AccountAPI
) -> None:
    scenario.attest(holder)
    identity.revokeWallet(holder, sender=compliance)
    chain.mine(deltatime=100)
    receipt = identity.revokeWallet(holder, sender=compliance)
    assert identity.attestationOf(holder).issuedAt == receipt.timestamp
    assert identity.walletsOf(identity.attestationOf(holder).investorId) == [holder.address]


def test_revoke_wallet__never_attested__refused(
    identity: ContractInstance, compliance: AccountAPI, attacker: AccountAPI
) -> None:
    with ape.reverts(identity.IdentityRegistry_UnknownWallet, wallet=attacker.address):
        identity.revokeWallet(attacker, sender=compliance)


def test_revoke_wallet__seconds_above_32_bits__kept_whole(
    identity: ContractInstance, scenario: Scenario, compliance: AccountAPI, holder: AccountAPI
) -> None:
    """From 2106 on."""
    travel_to(2**32 + 100)
    scenario.attest(holder)
    assert identity.canReceive(holder)
    receipt = identity.revokeWallet(holder, sender=compliance)
    assert identity.attestationOf(holder).issuedAt == receipt.timestamp > 2**32
    assert not identity.canReceive(holder)
