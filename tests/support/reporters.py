"""Operators of reporters in the ReporterRegistry, with keys of their own."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ape import chain
from ape.api import AccountAPI, ReceiptAPI
from ape.contracts import ContractInstance
from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_account.signers.local import LocalAccount
from eth_utils.crypto import keccak

from scripts._lib.deployment import System
from tests.support.oracle import Figures, Report
from tests.support.scenario import USD

BOND = 10_000 * USD


def key_of(name: str) -> LocalAccount:
    """A key of that name, always the same."""
    key: LocalAccount = Account.from_key(keccak(text=f"key {name}"))
    return key


def possession(registry: ContractInstance, operator: str, key: LocalAccount) -> bytes:
    """The key's proof that it is the operator's, as eth_account encodes it."""
    message = encode_typed_data(
        {
            "name": "Rackstream ReporterRegistry",
            "version": "1",
            "chainId": int(chain.chain_id),
            "verifyingContract": str(registry.address),
        },
        {
            "Possession": [
                {"name": "operator", "type": "address"},
                {"name": "signer", "type": "address"},
            ]
        },
        {"operator": operator, "signer": key.address},
    )
    return bytes(key.sign_message(message).signature)


@dataclass(frozen=True)
class Operators:
    """The registry, and accounts that have dollars for bonds."""

    system: System
    registry: ContractInstance
    oracle: ContractInstance
    accounts: tuple[AccountAPI, ...]
    oracle_admin: AccountAPI

    @property
    def addresses(self) -> list[str]:
        return [str(account.address) for account in self.accounts]

    def register(
        self, operator: AccountAPI, key: LocalAccount | None = None, bond: int = BOND
    ) -> ReceiptAPI:
        """Register with a key (else one named like the address) and a bond in 10⁻⁶ dollars."""
        key = key or key_of(str(operator.address))
        proof = possession(self.registry, str(operator.address), key)
        receipt: ReceiptAPI = self.registry.register(key.address, proof, bond, sender=operator)
        return receipt

    def rotate(self, operator: AccountAPI, key: LocalAccount) -> ReceiptAPI:
        """Have another key take over."""
        proof = possession(self.registry, str(operator.address), key)
        receipt: ReceiptAPI = self.registry.scheduleSigner(key.address, proof, sender=operator)
        return receipt

    def set_up(self) -> None:
        """All of them are registered and the first set."""
        for account in self.accounts:
            self.register(account)
        self.registry.scheduleSet(self.addresses, sender=self.oracle_admin)
        self.registry.activate(sender=self.oracle_admin)

    def report(self, epoch: int, *cluster_ids: int, round_: int = 0, salt: int = 0) -> Report:
        """A report for the present set."""
        return Report(
            int(chain.chain_id),
            str(self.oracle.address),
            int(self.oracle.reporterSetId()),
            epoch,
            tuple(Figures(cluster_id) for cluster_id in cluster_ids),
            salt,
            round_,
        )


def signed(report: Report, key: LocalAccount) -> tuple[object, list[int], bytes]:
    """The contract's SignedReport."""
    return report.header, report.words, report.signature(key)


def in_round(report: Report, round_: int) -> Report:
    """The same of another round."""
    return replace(report, round=round_)
