"""Who acts on a local chain: accounts of anvil's well-known mnemonic, by role.

The first twenty are ape's test accounts too; services have accounts beyond them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from eth_account.hdaccount import key_from_seed, seed_from_mnemonic

from api.domain.signing import Signer
from api.types import Address
from scripts._lib.anvil import MNEMONIC

DEPLOYER, ADMIN, REGISTRAR, GUARDIAN, KYC_PROVIDER, COMPLIANCE, ORACLE_ADMIN = range(7)
ISSUER, OPERATOR, TRUSTEE = 7, 8, 9
_FIRST_HOLDER, _FIRST_CUSTOMER, KEEPER = 10, 16, 19
_FIRST_REPORTER, _FIRST_TRANSMITTER, _FIRST_AGENT, _FIRST_SESSION = 20, 24, 30, 40
MAX_AGENTS = 10


@dataclass(frozen=True)
class Account:
    """One account: its place in the mnemonic, and what people call it."""

    index: int
    name: str

    @cached_property
    def key(self) -> bytes:
        seed = seed_from_mnemonic(MNEMONIC, "")
        return bytes(key_from_seed(seed, f"m/44'/60'/0'/0/{self.index}"))

    @cached_property
    def signer(self) -> Signer:
        return Signer(self.key)

    @property
    def address(self) -> Address:
        return self.signer.address


def _accounts(first: int, names: Sequence[str]) -> tuple[Account, ...]:
    return tuple(Account(first + number, name) for number, name in enumerate(names))


HOLDERS = _accounts(
    _FIRST_HOLDER,
    (
        "Aster Pension",
        "Birch Family",
        "Cedar Fund",
        "Dune Capital",
        "Elm Endowment",
        "Fern (buyer)",
    ),
)
CUSTOMERS = _accounts(_FIRST_CUSTOMER, ("Chat service", "Code assistant", "Image studio"))
DEPOSITORS, PAYER_BY_REQUEST = CUSTOMERS[:2], CUSTOMERS[2]
"""Who pays inference by vouchers, on a deposit; who by x402, each request from the wallet."""
REPORTERS = _accounts(_FIRST_REPORTER, tuple(f"reporter-{n}" for n in range(1, 5)))
TRANSMITTERS = _accounts(_FIRST_TRANSMITTER, tuple(f"transmitter-{n}" for n in range(1, 5)))
"""Of the reporters, in the same order: they pay for what a reporter sends."""

GATEWAY = Account(28, "gateway")
"""Whom the customers' vouchers name."""

MODEL_OWNER = Account(29, "model owner")
"""Who registered the model that is sold."""

_KEEPER = Account(KEEPER, "keeper")
_OPERATOR = Account(OPERATOR, "operator")


def keeper() -> Signer:
    """Anybody: who calls what is open to all."""
    return _KEEPER.signer


def operator() -> Signer:
    """Who runs the machines."""
    return _OPERATOR.signer


def session_keys(count: int) -> tuple[Account, ...]:
    """Hot keys that customers let sign vouchers for them."""
    return _accounts(_FIRST_SESSION, tuple(f"session-{n}" for n in range(1, count + 1)))


def agents(count: int) -> tuple[Account, ...]:
    """The accounts of the GPU node agents, at most MAX_AGENTS."""
    return _accounts(_FIRST_AGENT, tuple(f"agent-{n}" for n in range(1, count + 1)))
