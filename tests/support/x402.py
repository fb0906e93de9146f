"""Payments of x402's scheme `exact`, as payers sign them and a gateway packs them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ape import chain, project
from ape.api import AccountAPI, ReceiptAPI
from ape.contracts import ContractInstance
from eth_account.messages import encode_typed_data
from eth_utils.crypto import keccak

from api.domain.work import NO_MODEL
from scripts._lib.deployment import System
from tests.support.payments import ROOT, Signer, address_of, sign65
from tests.support.usd import TYPES


def deploy_settler(
    system: System, deployer: AccountAPI, payments: ContractInstance
) -> ContractInstance:
    """A settler upon that InferencePayments."""
    settler: ContractInstance = deployer.deploy(project.X402Settler, payments, system.stablecoin)
    return settler


def nonce_of(name: object) -> bytes:
    """A nonce of that name, always the same."""
    return keccak(text=f"nonce {name}")


@dataclass(frozen=True)
class Authorization:
    """A payment as its payer signs it. Amounts in 10⁻⁶ dollars, times in Unix seconds."""

    payer: Any
    to: str
    value: int
    nonce: bytes
    valid_after: int = 0
    valid_before: int = 2**40 - 1

    def signed_by(self, signer: Signer, token: ContractInstance) -> bytes:
        """65 bytes r, s, v over it, in the domain of USDC."""
        kind = "TransferWithAuthorization"
        return sign65(
            signer,
            encode_typed_data(
                domain_data={
                    "name": "USDC",
                    "version": "2",
                    "chainId": chain.chain_id,
                    "verifyingContract": str(token.address),
                },
                message_types={kind: [{"name": n, "type": t} for n, t in TYPES[kind]]},
                message_data={
                    "from": address_of(self.payer),
                    "to": self.to,
                    "value": self.value,
                    "validAfter": self.valid_after,
                    "validBefore": self.valid_before,
                    "nonce": self.nonce,
                },
            ),
        )

    def packed(self, signature: bytes) -> bytes:
        """As `PaymentBatch` reads it."""
        return (
            bytes.fromhex(address_of(self.payer)[2:])
            + self.value.to_bytes(7)
            + self.valid_before.to_bytes(5)
            + self.nonce
            + self.valid_after.to_bytes(5)
            + len(signature).to_bytes(2)
            + signature
        )

    @property
    def entry(self) -> list[int]:
        """Its two words in an event."""
        return [
            int(address_of(self.payer), 16) << 96 | self.value,
            int.from_bytes(self.nonce),
        ]


@dataclass(frozen=True)
class Counter:
    """The settler as a gateway sees it that settles for one cluster's work with one model."""

    settler: ContractInstance
    usd: ContractInstance
    gateway: AccountAPI
    cluster: int
    model: bytes = NO_MODEL

    def at(self, gateway: AccountAPI) -> Counter:
        return replace(self, gateway=gateway)

    def serving(self, cluster: int) -> Counter:
        return replace(self, cluster=cluster)

    @property
    def work(self) -> tuple[int, bytes]:
        return self.cluster, self.model

    @property
    def pay_to(self) -> str:
        return str(self.settler.payTo(self.cluster, self.gateway))

    def authorization(self, payer: Any, value: int, name: object, **changes: Any) -> Authorization:
        return replace(Authorization(payer, self.pay_to, value, nonce_of(name)), **changes)

    def payment(self, payer: Any, value: int, name: object, **changes: Any) -> bytes:
        """Packed and signed by the payer, a key or an account of ape."""
        authorization = self.authorization(payer, value, name, **changes)
        return authorization.packed(authorization.signed_by(payer, self.usd))

    def settle(
        self,
        *payments: bytes,
        credits: Mapping[int, int] | None = None,
        root: bytes = ROOT,
        **options: Any,
    ) -> ReceiptAPI:
        """`credits`: place → 10⁻⁶ dollars that were not used."""
        receipt: ReceiptAPI = self.settler.settle(
            self.work,
            b"".join(payments),
            credit_words(credits or {}),
            root,
            sender=self.gateway,
            **options,
        )
        return receipt

    def settle_ahead(self, *payments: bytes) -> ReceiptAPI:
        receipt: ReceiptAPI = self.settler.settleAhead(
            self.work, b"".join(payments), sender=self.gateway
        )
        return receipt

    def pass_on(self, entries: Sequence[int], sender: AccountAPI) -> ReceiptAPI:
        """Anybody's call, once the gateway has been silent for a day."""
        return self.settler.passOn(self.gateway, self.work, list(entries), sender=sender)

    def allocate(
        self, entries: Sequence[int], credits: Mapping[int, int] | None = None, root: bytes = ROOT
    ) -> ReceiptAPI:
        receipt: ReceiptAPI = self.settler.allocate(
            self.work, list(entries), credit_words(credits or {}), root, sender=self.gateway
        )
        return receipt


def credit_words(credits: Mapping[int, int]) -> list[int]:
    """Credits as the settler takes them, in the order in which they are given."""
    return [place << 64 | amount for place, amount in credits.items()]
