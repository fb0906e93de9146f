"""What payers of InferencePayments and their keys sign, and batches as a gateway packs them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import repeat
from typing import Any, TypeAlias

from ape import chain, project
from ape.api import AccountAPI, ReceiptAPI
from ape.contracts import ContractInstance
from eth_account import Account
from eth_account.messages import SignableMessage, encode_typed_data
from eth_account.signers.local import LocalAccount
from eth_utils.crypto import keccak

from api.domain.work import NO_MODEL
from scripts._lib.deployment import System

DAY = 86_400
ROOT = b"\x77" * 32
FOREVER = 2**40 - 1
FEE_NOTICE = 7 * DAY

TYPES = {
    "Voucher": [("payer", "address"), ("gateway", "address"), ("cumulativeUsd6", "uint256")],
    "AccountVoucher": [
        ("payer", "address"),
        ("gateway", "address"),
        ("cumulativeUsd6", "uint256"),
    ],
    "Lock": [
        ("payer", "address"),
        ("key", "address"),
        ("gateway", "address"),
        ("coverUsd6", "uint256"),
        ("until", "uint256"),
    ],
    "SessionAuthorization": [
        ("payer", "address"),
        ("key", "address"),
        ("gateway", "address"),
        ("limitUsd6", "uint256"),
        ("expiresAt", "uint256"),
        ("nonce", "uint256"),
        ("deadline", "uint256"),
    ],
}

Signer: TypeAlias = Any
"""An account of ape, or a key of eth_account."""
Parts = int | Sequence[tuple[int, int]]
"""The place in the list of clusters of the one that gets all, or (place, 10⁻⁶ dollars) of each."""


def key_of(name: str) -> LocalAccount:
    """A key of that name, always the same."""
    key: LocalAccount = Account.from_key(keccak(text=f"key {name}"))
    return key


def address_of(account: Any) -> str:
    return str(getattr(account, "address", account))


def deploy_payments(system: System, deployer: AccountAPI, treasury: AccountAPI) -> ContractInstance:
    """A contract of its own upon the system's others."""
    payments: ContractInstance = deployer.deploy(
        project.InferencePayments,
        treasury,
        system.authority,
        system.registry,
        system.waterfall,
        system.models,
        system.stablecoin,
    )
    return payments


def pack_voucher(
    payer: Any,
    cumulative: int,
    parts: Parts,
    signature: bytes,
    *,
    by_contract: bool = False,
    before: int = 0,
) -> bytes:
    """One voucher as `VoucherBatch` reads it; `signature` is 65 bytes unless a contract's, `before`
    what its channel has collected when parts are to be filled."""
    if by_contract:
        signed = len(signature).to_bytes(2) + signature
    else:
        r, s, v = signature[:32], int.from_bytes(signature[32:64]), signature[64]
        signed = r + (s | (v - 27) << 255).to_bytes(32)
    if isinstance(parts, int):
        allocation, parts = bytes([parts]), ()
    else:
        allocation = before.to_bytes(7) + b"".join(
            bytes([place]) + amount.to_bytes(7) for place, amount in parts
        )
    head = len(parts) | (0x80 if by_contract else 0)
    address = bytes.fromhex(address_of(payer)[2:])
    return bytes([head]) + address + cumulative.to_bytes(7) + signed + allocation


@dataclass(frozen=True)
class Till:
    """The contract as a gateway sees it that collects for these clusters, each with the model that
    stands in its place; without one, if none do."""

    payments: ContractInstance
    gateway: AccountAPI
    clusters: tuple[int, ...]
    models: tuple[bytes, ...] = ()
    chain_id: int | None = None
    contract: str | None = None
    """Where a signature is meant for, if not for here."""

    @property
    def works(self) -> list[tuple[int, bytes]]:
        """As `collect` takes them."""
        return list(zip(self.clusters, self.models or repeat(NO_MODEL), strict=False))

    def at(self, gateway: AccountAPI) -> Till:
        return replace(self, gateway=gateway)

    def message(self, kind: str, **fields: Any) -> SignableMessage:
        """What is signed for `kind`, one of TYPES, by eth_account and not by the contract."""
        return encode_typed_data(
            domain_data={
                "name": "Rackstream InferencePayments",
                "version": "1",
                "chainId": self.chain_id or chain.chain_id,
                "verifyingContract": self.contract or str(self.payments.address),
            },
            message_types={kind: [{"name": name, "type": type_} for name, type_ in TYPES[kind]]},
            message_data={name: getattr(value, "address", value) for name, value in fields.items()},
        )

    def sign(self, signer: Signer, kind: str, **fields: Any) -> bytes:
        """65 bytes: r, s, v."""
        return sign65(signer, self.message(kind, **fields))

    def voucher(
        self,
        payer: Any,
        key: Signer,
        cumulative: int,
        parts: Parts = 0,
        gateway: Any = None,
        *,
        by_contract: bool = False,
        before: int | None = None,
    ) -> bytes:
        """A voucher of which all goes to the first cluster unless `parts` says otherwise; these
        go on from `before`, or from what is collected now."""
        signature = self.sign(
            key,
            "AccountVoucher" if by_contract else "Voucher",
            payer=payer,
            gateway=gateway or self.gateway,
            cumulativeUsd6=cumulative,
        )
        if before is None:
            before = self.collected(payer, payer if by_contract else key)
        return pack_voucher(
            payer, cumulative, parts, signature, by_contract=by_contract, before=before
        )

    def collect(self, *vouchers: bytes, root: bytes = ROOT, **options: Any) -> ReceiptAPI:
        receipt: ReceiptAPI = self.payments.collect(
            b"".join(vouchers), self.works, root, sender=self.gateway, **options
        )
        return receipt

    def lock(
        self, payer: Any, key: Signer, cover: int, until: int, signer: Signer | None = None
    ) -> ReceiptAPI:
        signature = self.sign(
            signer or key,
            "Lock",
            payer=payer,
            key=key,
            gateway=self.gateway,
            coverUsd6=cover,
            until=until,
        )
        receipt: ReceiptAPI = self.payments.lock(
            address_of(payer), address_of(key), cover, until, signature, sender=self.gateway
        )
        return receipt

    def session(
        self, payer: Any, key: Any, limit: int, expires_at: int = FOREVER, **changes: Any
    ) -> dict[str, Any]:
        """An authorisation as the contract takes it, good for a day."""
        return {
            "payer": address_of(payer),
            "key": address_of(key),
            "gateway": self.gateway.address,
            "limitUsd6": limit,
            "expiresAt": expires_at,
            "nonce": self.payments.account(address_of(payer)).nonce,
            "deadline": int(chain.pending_timestamp) + DAY,
        } | changes

    def authorise_signed(
        self, authorization: dict[str, Any], signer: Signer, sender: AccountAPI
    ) -> ReceiptAPI:
        signature = self.sign(signer, "SessionAuthorization", **authorization)
        receipt: ReceiptAPI = self.payments.authoriseWithSignature(
            authorization, signature, sender=sender
        )
        return receipt

    # -- views ------------------------------------------------------------------------------------

    def balance(self, payer: Any) -> int:
        return int(self.payments.account(address_of(payer)).balanceUsd6)

    def channel(self, payer: Any, key: Any) -> Any:
        return self.payments.channel(address_of(payer), address_of(key), self.gateway)

    def collected(self, payer: Any, key: Any) -> int:
        return int(self.channel(payer, key).collectedUsd6)


def sign65(signer: Signer, message: SignableMessage) -> bytes:
    """The 65 bytes r, s, v of a signature; ape drops leading zeros of r and s."""
    signature = signer.sign_message(message)
    assert signature is not None
    words = [
        word.to_bytes(32) if isinstance(word, int) else bytes(word).rjust(32, b"\0")
        for word in (signature.r, signature.s)
    ]
    return words[0] + words[1] + bytes([signature.v])


def events(receipt: ReceiptAPI, contract: ContractInstance, name: str) -> list[Any]:
    """The events of one kind in a receipt."""
    return list(receipt.events.filter(getattr(contract, name)))
