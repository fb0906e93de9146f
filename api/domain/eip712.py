"""EIP-712: what is signed is a hash of typed fields in a domain, so that no signature works
elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from api.domain.codec import address_bytes
from api.domain.hashing import keccak256
from api.types import Address, Digest

_DOMAIN_TYPE = keccak256(
    b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
)


def word(value: int) -> bytes:
    """An unsigned integer as one ABI word."""
    return value.to_bytes(32, "big")


def address_word(address: Address) -> bytes:
    """An address as one ABI word."""
    return bytes(12) + address_bytes(address)


@dataclass(frozen=True)
class Eip712Domain:
    """Where a signature is valid: one contract on one chain, for one purpose."""

    name: str
    version: str
    chain_id: int
    verifying_contract: Address

    @cached_property
    def separator(self) -> Digest:
        return keccak256(
            _DOMAIN_TYPE
            + keccak256(self.name.encode())
            + keccak256(self.version.encode())
            + word(self.chain_id)
            + address_word(self.verifying_contract)
        )

    def digest(self, struct_hash: Digest) -> Digest:
        """The digest to sign for a struct with this hash."""
        return keccak256(b"\x19\x01" + self.separator + struct_hash)


def agent_domain(chain_id: int, metrics_oracle: Address) -> Eip712Domain:
    """The domain of agents' sample batches."""
    return Eip712Domain("Rackstream Agent", "1", chain_id, metrics_oracle)


def oracle_domain(chain_id: int, metrics_oracle: Address) -> Eip712Domain:
    """The domain of reporters' reports, as the MetricsOracle computes it."""
    return Eip712Domain("Rackstream MetricsOracle", "1", chain_id, metrics_oracle)


def reporter_registry_domain(chain_id: int, reporter_registry: Address) -> Eip712Domain:
    """The domain of proofs that a reporter's key is held, as the ReporterRegistry computes it."""
    return Eip712Domain("Rackstream ReporterRegistry", "1", chain_id, reporter_registry)
