"""IdentityRegistry.revokeInvestor: all wallets of an investor at once, presented or not."""

from __future__ import annotations

import ape
import pytest
from ape import chain
from ape.api import AccountAPI
from ape.contracts import ContractInstance

from tests.support.scenario import Scenario, investor_id, sign_attestation, travel_to

WALLETS = [f"0x{number + 0xCAFE:040x}" for number in range(32)]


@pytest.mark.parametrize("count", [1, 2, 32])
def test_revoke_investor__some_wallets__none_may_receive_and_others_still_may(
    identity: ContractInstance,
    scenario: Scenario,
    compliance: AccountAPI,
    holder: AccountAPI,
    count: int,
) -> None:
    scenario.attest(*WALLETS[:count], investorId=investor_id(1))
    scenario.attest(holder, investorId=investor_id(2))

    receipt = identity.revokeInvestor(investor_id(1), sender=compliance)

    for wallet in WALLETS[:count]:
        assert not identity.canReceive(wallet)
        assert identity.attestationOf(wallet).issuedAt == receipt.timestamp
    assert identity.canReceive(holder)
    assert len(identity.walletsOf(investor_id(1))) == count
    assert identity.investorRevokedAt(investor_id(1)) == receipt.timestamp
    [event] = receipt.decode_logs(identity.InvestorRevoked)
    assert (event.investorId, event.actor, event.revokedAt) == (
        investor_id(1),
        compliance.address,
        receipt.timestamp,
    )


def test_revoke_investor__attestation_not_yet_presented__void(
    identity: ContractInstance,
    scenario: Scenario,
    compliance: AccountAPI,
    kyc_provider: AccountAPI,
    holder: AccountAPI,
) -> None:
    """Nothing of the investor was presented: what was signed before is void all the same."""
    attestation = scenario.attestation(holder, investorId=investor_id(1))
    signature = sign_attestation(identity, attestation, kyc_provider)
    revoked_at = identity.revokeInvestor(investor_id(1), sender=compliance).timestamp
    with ape.reverts(
        identity.IdentityRegistry_NotNewer, issuedAt=attestation["issuedAt"], limit=revoked_at
    ):
        identity.attest(attestation, kyc_provider, signature, sender=holder)
    assert not identity.canReceive(holder)


def test_revoke_investor__attested_again__only_that_wallet_returns(
    identity: ContractInstance, scenario: Scenario, compliance: AccountAPI
) -> None:
    scenario.attest(*WALLETS[:3], investorId=investor_id(1))
    identity.revokeInvestor(investor_id(1), sender=compliance)
    chain.mine(deltatime=10)
    scenario.attest(WALLETS[1], investorId=investor_id(1))
    assert [identity.canReceive(wallet) for wallet in WALLETS[:3]] == [False, True, False]
    assert len(identity.walletsOf(investor_id(1))) == 3


def test_revoke_investor__wallet_revoked_before__stays_revoked(
    identity: ContractInstance, scenario: Scenario, compliance: AccountAPI
) -> None:
    scenario.attest(*WALLETS[:2], investorId=investor_id(1))
    identity.revokeWallet(WALLETS[0], sender=compliance)
    chain.mine(deltatime=10)
    revoked_at = identity.revokeInvestor(investor_id(1), sender=compliance).timestamp
    assert not identity.canReceive(WALLETS[0])
    assert identity.attestationOf(WALLETS[0]).issuedAt == revoked_at


def test_revoke_investor__zero_investor__refused(
    identity: ContractInstance, compliance: AccountAPI
) -> None:
    with ape.reverts(identity.IdentityRegistry_ZeroWalletOrInvestor):
        identity.revokeInvestor(investor_id(0), sender=compliance)


def test_revoke_investor__seconds_above_32_bits__kept_whole(
    identity: ContractInstance, scenario: Scenario, compliance: AccountAPI, holder: AccountAPI
) -> None:
    """From 2106 on."""
    travel_to(2**32 + 100)
    scenario.attest(holder, investorId=investor_id(1))
    receipt = identity.revokeInvestor(investor_id(1), sender=compliance)
    revoked_at = identity.investorRevokedAt(investor_id(1))
    assert revoked_at == identity.attestationOf(holder).issuedAt == receipt.timestamp > 2**32
    assert not identity.canReceive(holder)
