"""What a contract test starts from: clusters at any point of their life, holders, money.

Everything is done by the account that has the power to do it, through the contracts' own functions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ape import chain
from ape.api import AccountAPI
from ape.contracts import ContractInstance
from eth_account.messages import encode_typed_data

from scripts._lib import roles
from scripts._lib.deployment import System, deploy_share

EPOCH_SECONDS = 3_600
YEAR_SECONDS = 365 * 86_400
USD = 10**6
SHARE = 10**6

Spec = dict[str, Any]
Attestation = dict[str, Any]


def text32(text: str) -> bytes:
    """A text as the contracts hold it: ASCII in 32 bytes, zero-padded."""
    return text.encode("ascii").ljust(32, b"\0")


def default_spec(**changes: Any) -> Spec:
    """Eight H100s for $300,000: 700 W, PUE 1.3, $0.0929 a kWh, $0.25 a GPU-hour.

    A tenth of what is left goes to the reserve, up to $60,000.
    """
    spec: Spec = {
        "gpuModel": text32("H100-SXM5-80GB"),
        "region": text32("eu-north-1"),
        "gpuSetRoot": b"\x11" * 32,
        "documentsRoot": b"\x22" * 32,
        "gpuCount": 8,
        "gpuMaxPowerWatts": 700,
        "gpuIdlePowerWatts": 90,
        "pueBps": 13_000,
        "tariffUsd6PerKwh": 92_900,
        "contractedRateUsd6PerGpuHour": 250_000,
        "reserveShareBps": 1_000,
        "depreciationLifeSeconds": 5 * YEAR_SECONDS,
        "pricePaidUsd6": 300_000 * USD,
        "reserveTargetUsd6": 60_000 * USD,
    }
    unknown = changes.keys() - spec.keys()
    if unknown:
        raise KeyError(f"a ClusterSpec has no {sorted(unknown)}")
    return spec | changes


def investor_id(number: int) -> bytes:
    """The 16-byte id of an investor of a test."""
    return number.to_bytes(16, "big")


def sign_attestation(
    identity: ContractInstance, attestation: Attestation, signer: AccountAPI
) -> bytes:
    """The EIP-712 signature, encoded by eth_account and not by the contract."""
    message = encode_typed_data(
        domain_data={
            "name": "Rackstream IdentityRegistry",
            "version": "1",
            # Asked anew: ape keeps that of the first node of this process.
            "chainId": int(chain.provider.make_request("eth_chainId", []), 16),
            "verifyingContract": identity.address,
        },
        message_types={
            "Attestation": [
                {"name": "wallet", "type": "address"},
                {"name": "investorId", "type": "bytes16"},
                {"name": "country", "type": "uint16"},
                {"name": "investorClass", "type": "uint8"},
                {"name": "issuedAt", "type": "uint40"},
                {"name": "expiresAt", "type": "uint40"},
            ]
        },
        message_data=attestation,
    )
    signature = signer.sign_message(message)
    assert signature is not None
    return bytes(signature.encode_rsv())


def current_epoch() -> int:
    """The epoch of the next block, were it mined now."""
    return int(chain.pending_timestamp) // EPOCH_SECONDS


def travel_to(timestamp: int) -> None:
    """Mine a block at `timestamp`, so that calls and transactions from here on see that time."""
    chain.pending_timestamp = timestamp
    chain.mine()


def travel_to_epoch(epoch: int) -> None:
    """Mine a block at the first second of `epoch`."""
    travel_to(epoch * EPOCH_SECONDS)


@dataclass(frozen=True)
class Scenario:
    """One deployment and the accounts that act in it."""

    system: System
    deployer: AccountAPI
    registrar: AccountAPI
    kyc_provider: AccountAPI
    issuer: AccountAPI
    operator: AccountAPI
    trustee: AccountAPI

    def attestation(self, wallet: AccountAPI | str, **changes: Any) -> Attestation:
        """A professional investor in the Netherlands, attested a second ago, for a year."""
        address = str(getattr(wallet, "address", wallet))
        now = int(chain.pending_timestamp)
        attestation: Attestation = {
            "wallet": address,
            "investorId": bytes.fromhex(address[2:34]),
            "country": 528,
            "investorClass": 2,
            "issuedAt": now - 1,
            "expiresAt": now + YEAR_SECONDS,
        }
        return attestation | changes

    def attest(self, *wallets: AccountAPI | str, **changes: Any) -> None:
        """Admit each wallet, as an investor of its own unless `investorId` is given."""
        for wallet in wallets:
            attestation = self.attestation(wallet, **changes)
            signature = sign_attestation(self.system.identity, attestation, self.kyc_provider)
            self.system.identity.attest(
                attestation, self.kyc_provider, signature, sender=self.deployer
            )

    def register_cluster(
        self,
        issuer: AccountAPI | None = None,
        authorised_shares: int = 1_000_000 * SHARE,
        **spec_changes: Any,
    ) -> int:
        """A Proposed cluster with operator and trustee: its id."""
        issuer = issuer or self.issuer
        registry, authority = self.system.registry, self.system.authority
        registry.registerCluster(
            issuer, authorised_shares, default_spec(**spec_changes), sender=self.registrar
        )
        cluster_id = int(registry.clusterCount())
        authority.grantRole(roles.over(roles.OPERATOR, cluster_id), self.operator, 0, sender=issuer)
        authority.grantRole(
            roles.over(roles.TRUSTEE, cluster_id), self.trustee, 0, sender=self.registrar
        )
        return cluster_id

    def open_funding(self, cluster_id: int) -> ContractInstance:
        """Proposed → Funding: deploy and register the cluster's share, which is returned."""
        share = deploy_share(
            self.system, cluster_id, f"Cluster {cluster_id}", f"RACK{cluster_id}", self.deployer
        )
        self.system.registry.registerShare(cluster_id, share, sender=self.registrar)
        self.system.registry.openFunding(cluster_id, sender=self.registrar)
        return share

    def issue(
        self,
        share: ContractInstance,
        holders: Sequence[AccountAPI | str],
        amounts: Sequence[int],
        issuer: AccountAPI | None = None,
    ) -> None:
        """Admit the holders that are not, and issue `amounts` to them."""
        self.attest(*(h for h in holders if not self.system.identity.canReceive(h)))
        share.issue(list(holders), list(amounts), sender=issuer or self.issuer)

    def live_cluster(
        self,
        holders: Sequence[AccountAPI | str],
        amounts: Sequence[int],
        issuer: AccountAPI | None = None,
        **spec_changes: Any,
    ) -> tuple[int, ContractInstance]:
        """A Live cluster whose shares are held as said: its id and its share."""
        cluster_id = self.register_cluster(issuer, **spec_changes)
        share = self.open_funding(cluster_id)
        self.issue(share, holders, amounts, issuer)
        self.system.registry.goLive(cluster_id, sender=issuer or self.issuer)
        return cluster_id, share

    def give_usd(self, account: AccountAPI | str, amount_usd6: int) -> None:
        """Mint stablecoin to an account."""
        self.system.stablecoin.mint(account, amount_usd6, sender=self.deployer)
