"""IdentityRegistry.attest: an attestation signed by a KYC provider is put in force.

Branches: fields (wallet, investor, country, class, times) × provider (holds the role or not)
× signature (of this attestation, by this provider, in this domain) × what the registry knows of the
wallet (nothing, older, newer, revoked, blocked, of another investor) and of the investor (revoked,
as many wallets as allowed).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ape
import pytest
from ape import chain, project
from ape.api import AccountAPI
from ape.contracts import ContractInstance
from ape.utils import ZERO_ADDRESS

from scripts._lib import roles
from tests.support.compliance import wallet_number
from tests.support.scenario import Scenario, investor_id, sign_attestation

MAX_WALLETS = 32


def test_attest__signed_by_a_provider__in_force(
    identity: ContractInstance,
    scenario: Scenario,
    kyc_provider: AccountAPI,
    holder: AccountAPI,
    relayer: AccountAPI,
) -> None:
    attestation = scenario.attestation(holder, investorId=investor_id(1))
    signature = sign_attestation(identity, attestation, kyc_provider)
    assert not identity.canReceive(holder)

    receipt = identity.attest(attestation, kyc_provider, signature, sender=relayer)

    assert identity.canReceive(holder)
    stored = identity.attestationOf(holder)
    assert {name: getattr(stored, name) for name in attestation} == attestation
    assert identity.walletsOf(investor_id(1)) == [holder.address]
    [event] = receipt.decode_logs(identity.WalletAttested)
    expected = attestation | {"provider": kyc_provider.address}
    assert {name: event.event_arguments[name] for name in expected} == expected


def test_attest__contract_as_provider__its_owners_signature_counts(
    identity: ContractInstance,
    authority: ContractInstance,
    scenario: Scenario,
    admin: AccountAPI,
    deployer: AccountAPI,
    keeper: AccountAPI,
    attacker: AccountAPI,
    holder: AccountAPI,
) -> None:
    provider = deployer.deploy(project.ERC1271Wallet, keeper)
    authority.grantRole(roles.KYC_PROVIDER_ROLE, provider, 0, sender=admin)
    attestation = scenario.attestation(holder)
    by_stranger = sign_attestation(identity, attestation, attacker)
    with ape.reverts(
        identity.IdentityRegistry_BadSignature, provider=provider.address, wallet=holder.address
    ):
        identity.attest(attestation, provider, by_stranger, sender=keeper)

    by_owner = sign_attestation(identity, attestation, keeper)
    identity.attest(attestation, provider, by_owner, sender=attacker)
    assert identity.canReceive(holder)


@pytest.mark.parametrize(
    "change",
    [
        {"investorClass": 1},
        {"investorClass": 3},
        {"country": 1},
        {"country": 999},
        {"investorId": b"\xff" * 16},
        {"expiresAt": 2**40 - 1},
    ],
    ids=lambda change: next(iter(change)),
)
def test_attest__field_at_bound__accepted(
    identity: ContractInstance, scenario: Scenario, holder: AccountAPI, change: dict[str, Any]
) -> None:
    scenario.attest(holder, **change)
    assert identity.canReceive(holder)
    [(field, value)] = change.items()
    assert getattr(identity.attestationOf(holder), field) == value


def refused(
    scenario: Scenario,
    wallet: AccountAPI | str,
    error: Any,
    expected: dict[str, Any],
    **changes: Any,
) -> None:
    """See a well-signed attestation refused with `error` and its `expected` values."""
    identity = scenario.system.identity
    attestation = scenario.attestation(wallet, **changes)
    signature = sign_attestation(identity, attestation, scenario.kyc_provider)
    with ape.reverts(error, **expected):
        identity.attest(attestation, scenario.kyc_provider, signature, sender=scenario.deployer)


def test_attest__zero_wallet__refused(identity: ContractInstance, scenario: Scenario) -> None:
    refused(
        scenario,
        ZERO_ADDRESS,
        identity.IdentityRegistry_ZeroWalletOrInvestor,
        {},
        investorId=investor_id(1),
    )


def test_attest__zero_investor__refused(
    identity: ContractInstance, scenario: Scenario, holder: AccountAPI
) -> None:
    refused(
        scenario,
        holder,
        identity.IdentityRegistry_ZeroWalletOrInvestor,
        {},
        investorId=investor_id(0),
    )


@pytest.mark.parametrize("country", [0, 1_000, 65_535])
def test_attest__country_out_of_range__refused(
    identity: ContractInstance, scenario: Scenario, holder: AccountAPI, country: int
) -> None:
    error = identity.IdentityRegistry_CountryOutOfRange
    refused(scenario, holder, error, {"country": country, "limit": 999}, country=country)


@pytest.mark.parametrize("investor_class", [0, 4, 255])
def test_attest__unknown_class__refused(
    identity: ContractInstance, scenario: Scenario, holder: AccountAPI, investor_class: int
) -> None:
    error = identity.IdentityRegistry_UnknownInvestorClass
    value = {"investorClass": investor_class}
    refused(scenario, holder, error, value, **value)


def test_attest__issued_this_second__accepted(
    identity: ContractInstance, scenario: Scenario, kyc_provider: AccountAPI, holder: AccountAPI
) -> None:
    now = int(chain.blocks.head.timestamp) + 100
    attestation = scenario.attestation(holder, issuedAt=now)
    signature = sign_attestation(identity, attestation, kyc_provider)
    chain.pending_timestamp = now
    receipt = identity.attest(attestation, kyc_provider, signature, sender=kyc_provider)
    assert receipt.timestamp == now
    assert identity.attestationOf(holder).issuedAt == now


def test_attest__issued_a_second_ahead__refused(
    identity: ContractInstance, scenario: Scenario, kyc_provider: AccountAPI, holder: AccountAPI
) -> None:
    now = int(chain.blocks.head.timestamp) + 100
    attestation = scenario.attestation(holder, issuedAt=now + 1)
    signature = sign_attestation(identity, attestation, kyc_provider)
    chain.pending_timestamp = now
    with ape.reverts(identity.IdentityRegistry_IssuedInFuture, issuedAt=now + 1, limit=now):
        identity.attest(attestation, kyc_provider, signature, sender=kyc_provider)


def test_attest__expires_this_second__refused(
    identity: ContractInstance, scenario: Scenario, kyc_provider: AccountAPI, holder: AccountAPI
) -> None:
    now = int(chain.blocks.head.timestamp) + 100
    attestation = scenario.attestation(holder, expiresAt=now)
    signature = sign_attestation(identity, attestation, kyc_provider)
    chain.pending_timestamp = now
    with ape.reverts(identity.IdentityRegistry_Expired, expiresAt=now, limit=now):
        identity.attest(attestation, kyc_provider, signature, sender=kyc_provider)


def test_attest__signed_by_no_provider__refused(
    identity: ContractInstance, scenario: Scenario, attacker: AccountAPI
) -> None:
    attestation = scenario.attestation(attacker)
    signature = sign_attestation(identity, attestation, attacker)
    with ape.reverts(identity.IdentityRegistry_NotAProvider, account=attacker.address):
        identity.attest(attestation, attacker, signature, sender=attacker)


def test_attest__provider_dismissed__refused_and_what_it_attested_stays(
    identity: ContractInstance,
    authority: ContractInstance,
    scenario: Scenario,
    admin: AccountAPI,
    kyc_provider: AccountAPI,
    holder: AccountAPI,
    other_holder: AccountAPI,
) -> None:
    scenario.attest(holder)
    authority.revokeRole(roles.KYC_PROVIDER_ROLE, kyc_provider, sender=admin)
    refused(
        scenario,
        other_holder,
        identity.IdentityRegistry_NotAProvider,
        {"account": kyc_provider.address},
    )
    assert identity.canReceive(holder)


@pytest.mark.parametrize(
    "change",
    [
        {"wallet": "0x000000000000000000000000000000000000bEEF"},
        {"investorId": b"\x07" * 16},
        {"country": 840},
        {"investorClass": 3},
        {"issuedAt": 1},
        {"expiresAt": 2**40 - 1},
    ],
    ids=lambda change: next(iter(change)),
)
def test_attest__field_changed_after_signing__refused(
    identity: ContractInstance,
    scenario: Scenario,
    kyc_provider: AccountAPI,
    attacker: AccountAPI,
    change: dict[str, Any],
) -> None:
    attestation = scenario.attestation(attacker)
    signature = sign_attestation(identity, attestation, kyc_provider)
    with ape.reverts(identity.IdentityRegistry_BadSignature, provider=kyc_provider.address):
        identity.attest(attestation | change, kyc_provider, signature, sender=attacker)


@pytest.mark.parametrize("signature", [b"", b"\0" * 65, b"\x01" * 64, b"\x01" * 66])
def test_attest__no_signature_at_all__refused(
    identity: ContractInstance,
    scenario: Scenario,
    kyc_provider: AccountAPI,
    attacker: AccountAPI,
    signature: bytes,
) -> None:
    with ape.reverts(identity.IdentityRegistry_BadSignature, provider=kyc_provider.address):
        identity.attest(scenario.attestation(attacker), kyc_provider, signature, sender=attacker)


def test_attest__signed_for_another_registry__refused(
    identity: ContractInstance,
    authority: ContractInstance,
    scenario: Scenario,
    deployer: AccountAPI,
    kyc_provider: AccountAPI,
    holder: AccountAPI,
) -> None:
    other = deployer.deploy(project.IdentityRegistry, authority)
    attestation = scenario.attestation(holder)
    signature = sign_attestation(other, attestation, kyc_provider)
    with ape.reverts(identity.IdentityRegistry_BadSignature):
        identity.attest(attestation, kyc_provider, signature, sender=holder)


def test_attest__replayed__refused(
    identity: ContractInstance, scenario: Scenario, kyc_provider: AccountAPI, holder: AccountAPI
) -> None:
    attestation = scenario.attestation(holder)
    signature = sign_attestation(identity, attestation, kyc_provider)
    identity.attest(attestation, kyc_provider, signature, sender=holder)
    issued = attestation["issuedAt"]
    with ape.reverts(identity.IdentityRegistry_NotNewer, issuedAt=issued, limit=issued):
        identity.attest(attestation, kyc_provider, signature, sender=holder)


def test_attest__older_than_the_cached_one__refused(
    identity: ContractInstance, scenario: Scenario, holder: AccountAPI
) -> None:
    scenario.attest(holder)
    cached = identity.attestationOf(holder).issuedAt
    refused(
        scenario,
        holder,
        identity.IdentityRegistry_NotNewer,
        {"issuedAt": cached - 1, "limit": cached},
        issuedAt=cached - 1,
    )


def test_attest__newer__replaces_and_lists_the_wallet_once(
    identity: ContractInstance, scenario: Scenario, holder: AccountAPI
) -> None:
    scenario.attest(holder, investorId=investor_id(1))
    later = identity.attestationOf(holder).issuedAt + 1
    chain.mine(deltatime=10)
    scenario.attest(holder, investorId=investor_id(1), country=840, issuedAt=later)
    assert identity.attestationOf(holder).country == 840
    assert identity.walletsOf(investor_id(1)) == [holder.address]


def test_attest__newer_and_shorter__shortens(
    identity: ContractInstance, scenario: Scenario, holder: AccountAPI
) -> None:
    scenario.attest(holder)
    chain.mine(deltatime=10)
    now = int(chain.blocks.head.timestamp)
    scenario.attest(holder, issuedAt=now, expiresAt=now + 60)
    assert identity.canReceive(holder)
    chain.mine(deltatime=60)
    assert not identity.canReceive(holder)


def test_attest__wallet_of_another_investor__refused(
    identity: ContractInstance, scenario: Scenario, holder: AccountAPI
) -> None:
    scenario.attest(holder, investorId=investor_id(1))
    chain.mine(deltatime=10)
    refused(
        scenario,
        holder,
        identity.IdentityRegistry_WalletOfAnotherInvestor,
        {"wallet": holder.address, "investorId": investor_id(1)},
        investorId=investor_id(2),
    )


@pytest.mark.parametrize("end", ["expired", "revoked", "investor revoked"])
def test_attest__wallet_once_of_another_investor__refused(
    identity: ContractInstance,
    scenario: Scenario,
    compliance: AccountAPI,
    holder: AccountAPI,
    end: str,
) -> None:
    """A wallet is its first investor's for good: what that one holds must not change by this."""
    now = int(chain.pending_timestamp)
    scenario.attest(holder, investorId=investor_id(1), expiresAt=now + 60)
    if end == "revoked":
        identity.revokeWallet(holder, sender=compliance)
    elif end == "investor revoked":
        identity.revokeInvestor(investor_id(1), sender=compliance)
    chain.mine(deltatime=100)
    refused(
        scenario,
        holder,
        identity.IdentityRegistry_WalletOfAnotherInvestor,
        {"wallet": holder.address, "investorId": investor_id(1)},
        investorId=investor_id(2),
    )
    assert identity.walletsOf(investor_id(2)) == []


def test_attest__blocked_wallet__refused(
    identity: ContractInstance,
    scenario: Scenario,
    block: Callable[[AccountAPI | str], None],
    holder: AccountAPI,
    other_holder: AccountAPI,
) -> None:
    """Whether it was attested before or not."""
    scenario.attest(holder, investorId=investor_id(1))
    chain.mine(deltatime=10)
    for wallet in (holder, other_holder):
        block(wallet)
        chain.mine(deltatime=10)
        refused(
            scenario,
            wallet,
            identity.IdentityRegistry_WalletBlocked,
            {"wallet": wallet.address},
            investorId=investor_id(1),
        )


def test_attest__as_many_wallets_as_allowed__no_other_even_when_one_is_revoked(
    identity: ContractInstance, scenario: Scenario, compliance: AccountAPI
) -> None:
    wallets = [wallet_number(number) for number in range(0xA11CE, 0xA11CE + MAX_WALLETS + 1)]
    scenario.attest(*wallets[:-1], investorId=investor_id(1))
    identity.revokeWallet(wallets[3], sender=compliance)
    refused(
        scenario,
        wallets[-1],
        identity.IdentityRegistry_TooManyWallets,
        {"investorId": investor_id(1), "limit": MAX_WALLETS},
        investorId=investor_id(1),
    )
    assert identity.walletsOf(investor_id(1)) == wallets[:-1]

    chain.mine(deltatime=10)
    scenario.attest(wallets[3], investorId=investor_id(1))
    assert identity.canReceive(wallets[3])
    assert identity.walletsOf(investor_id(1)) == wallets[:-1]
