"""IdentityRegistry.attestationDigest: EIP-712, as any wallet computes it."""

from __future__ import annotations

from ape import chain
from ape.api import AccountAPI
from ape.contracts import ContractInstance
from eth_abi.abi import encode
from eth_utils.crypto import keccak

from tests.support.scenario import Scenario


def test_attestation_digest__any__equals_eip712_by_hand(
    identity: ContractInstance, scenario: Scenario, holder: AccountAPI
) -> None:
    attestation = scenario.attestation(holder)
    domain = keccak(
        encode(
            ["bytes32", "bytes32", "bytes32", "uint256", "address"],
            [
                keccak(
                    text="EIP712Domain(string name,string version,uint256 chainId,"
                    "address verifyingContract)"
                ),
                keccak(text="Rackstream IdentityRegistry"),
                keccak(text="1"),
                chain.chain_id,
                identity.address,
            ],
        )
    )
    struct = keccak(
        encode(
            ["bytes32", "address", "bytes16", "uint16", "uint8", "uint40", "uint40"],
            [
                keccak(
                    text="Attestation(address wallet,bytes16 investorId,uint16 country,"
                    "uint8 investorClass,uint40 issuedAt,uint40 expiresAt)"
                ),
                *attestation.values(),
            ],
        )
    )
    assert identity.attestationDigest(attestation) == keccak(b"\x19\x01" + domain + struct)
