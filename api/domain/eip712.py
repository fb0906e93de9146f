"""EIP-712: what is signed is a hash of typed fields in a domain, so that no signature works
elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

from api.domain.codec import address_bytes, to_hex
from api.domain.hashing import keccak256
from api.types import Address, Digest

_DOMAIN_FIELDS = (
    ("name", "string"),
    ("version", "string"),
    ("chainId", "uint256"),
    ("verifyingContract", "address"),
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
            _type_hash("EIP712Domain", _DOMAIN_FIELDS)
            + keccak256(self.name.encode())
            + keccak256(self.version.encode())
            + word(self.chain_id)
            + address_word(self.verifying_contract)
        )

    def digest(self, struct_hash: Digest) -> Digest:
        """The digest to sign for a struct with this hash."""
        return keccak256(b"\x19\x01" + self.separator + struct_hash)


@dataclass(frozen=True)
class TypedMessage:
    """A struct to be signed, which whoever signs can read.

    `fields` are (name, type) in the struct's order, each type of one word: an unsigned integer, an
    address or `bytes32`; `values` stand beside them as int, Address and bytes.
    """

    domain: Eip712Domain
    name: str
    fields: tuple[tuple[str, str], ...]
    values: tuple[int | Address | bytes, ...]

    @cached_property
    def struct_hash(self) -> Digest:
        """The hash of the struct alone, the same in every domain."""
        return keccak256(
            _type_hash(self.name, self.fields) + b"".join(_word_of(one) for one in self.values)
        )

    @cached_property
    def digest(self) -> Digest:
        """The digest to sign."""
        return self.domain.digest(self.struct_hash)

    def typed_data(self) -> dict[str, Any]:
        """The same as `eth_signTypedData` takes it."""
        domain = self.domain
        return {
            "types": {
                "EIP712Domain": _listed(_DOMAIN_FIELDS),
                self.name: _listed(self.fields),
            },
            "primaryType": self.name,
            "domain": {
                "name": domain.name,
                "version": domain.version,
                "chainId": domain.chain_id,
                "verifyingContract": domain.verifying_contract,
            },
            "message": {
                name: to_hex(value) if isinstance(value, bytes) else value
                for (name, _), value in zip(self.fields, self.values, strict=True)
            },
        }


@cache
def _type_hash(name: str, fields: tuple[tuple[str, str], ...]) -> bytes:
    return keccak256(f"{name}({','.join(f'{kind} {field}' for field, kind in fields)})".encode())


def _word_of(value: int | Address | bytes) -> bytes:
    if isinstance(value, int):
        return word(value)
    return value if isinstance(value, bytes) else address_word(value)


def _listed(fields: tuple[tuple[str, str], ...]) -> list[Mapping[str, str]]:
    return [{"name": name, "type": kind} for name, kind in fields]


def agent_domain(chain_id: int, metrics_oracle: Address) -> Eip712Domain:
    """The domain of agents' sample batches."""
    return Eip712Domain("Rackstream Agent", "1", chain_id, metrics_oracle)


def oracle_domain(chain_id: int, metrics_oracle: Address) -> Eip712Domain:
    """The domain of reporters' reports, as the MetricsOracle computes it."""
    return Eip712Domain("Rackstream MetricsOracle", "1", chain_id, metrics_oracle)


def reporter_registry_domain(chain_id: int, reporter_registry: Address) -> Eip712Domain:
    """The domain of proofs that a reporter's key is held, as the ReporterRegistry computes it."""
    return Eip712Domain("Rackstream ReporterRegistry", "1", chain_id, reporter_registry)
