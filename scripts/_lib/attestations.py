"""Admission of investors: a KYC provider's EIP-712 signature over who a wallet belongs to."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from ape import chain
from ape.api import AccountAPI
from eth_account.messages import SignableMessage, encode_typed_data

from api.domain.hashing import keccak256
from scripts._lib.deployment import DeploymentError, System

_TYPES = {
    "Attestation": [
        {"name": "wallet", "type": "address"},
        {"name": "investorId", "type": "bytes16"},
        {"name": "country", "type": "uint16"},
        {"name": "investorClass", "type": "uint8"},
        {"name": "issuedAt", "type": "uint40"},
        {"name": "expiresAt", "type": "uint40"},
    ]
}


class InvestorClass(IntEnum):
    """As IIdentityRegistry.Attestation has it."""

    RETAIL = 1
    PROFESSIONAL = 2
    INSTITUTION = 3


@dataclass(frozen=True)
class Admission:
    """What is attested of a wallet; times are Unix seconds."""

    wallet: str
    investor_id: bytes
    country: int
    investor_class: InvestorClass
    issued_at: int
    expires_at: int

    def as_struct(self) -> dict[str, object]:
        """The Solidity struct."""
        return {
            "wallet": self.wallet,
            "investorId": self.investor_id,
            "country": self.country,
            "investorClass": int(self.investor_class),
            "issuedAt": self.issued_at,
            "expiresAt": self.expires_at,
        }


def investor_id_of(reference: str, salt: str) -> bytes:
    """A provider's digest of a person: 16 bytes of keccak256(salt, reference).

    The salt stays with the provider, so that nobody can find a person by trying names.
    """
    return keccak256(keccak256(salt.encode()) + reference.encode())[:16]


def message_of(system: System, admission: Admission) -> SignableMessage:
    """What the provider signs."""
    return encode_typed_data(
        domain_data={
            "name": "Rackstream IdentityRegistry",
            "version": "1",
            "chainId": int(chain.chain_id),
            "verifyingContract": system.identity.address,
        },
        message_types=_TYPES,
        message_data=admission.as_struct(),
    )


def admit(system: System, admission: Admission, provider: AccountAPI) -> bool:
    """Sign `admission` and put it in force; False if it already is, to the second and field.

    Raises DeploymentError if the provider's account does not sign.
    """
    known = system.identity.attestationOf(admission.wallet)
    if tuple(known) == tuple(admission.as_struct().values()):
        return False
    signature = provider.sign_message(message_of(system, admission))
    if signature is None:
        raise DeploymentError(f"{provider.address} did not sign the attestation")
    system.identity.attest(admission.as_struct(), provider, signature.encode_rsv(), sender=provider)
    return True


def is_admitted(system: System, admission: Admission) -> bool:
    """Whether the wallet may receive now, as the same investor, of the same country and class."""
    known = system.identity.attestationOf(admission.wallet)
    same = (bytes(known.investorId), known.country, known.investorClass) == (
        admission.investor_id,
        admission.country,
        int(admission.investor_class),
    )
    return same and bool(system.identity.canReceive(admission.wallet))
