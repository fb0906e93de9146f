"""What owners sign for the HolderDesk, and clusters whose holders go to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ape import chain, project
from ape.api import AccountAPI
from ape.contracts import ContractInstance
from eth_account.messages import SignableMessage, encode_typed_data
from eth_utils.crypto import keccak

from tests.support.capital import deploy_commanded_share
from tests.support.income import DAY, now
from tests.support.scenario import SHARE, USD, Scenario, travel_to
from tests.support.signing import signed
from tests.support.usd import as_bytes

ZERO_ADDRESS = "0x" + "00" * 20
OWNED = 300 * SHARE
"""What each owner has in each cluster, of four times as much."""
INCOME = 1_000 * USD
"""What each cluster has been funded with, and streamed."""
EARNED = INCOME // 4

TYPES = {
    "ClaimAuthorization": [
        ("owner", "address"),
        ("recipient", "address"),
        ("clusterIds", "uint32[]"),
        ("nonce", "bytes32"),
        ("deadline", "uint256"),
    ],
    "EncumbranceAuthorization": [
        ("owner", "address"),
        ("clusterId", "uint32"),
        ("taker", "address"),
        ("amount", "uint256"),
        ("expiresAt", "uint40"),
        ("assignedUnits", "uint256"),
        ("payee", "address"),
        ("nonce", "bytes32"),
        ("deadline", "uint256"),
    ],
    "AllowanceAuthorization": [
        ("owner", "address"),
        ("clusterId", "uint32"),
        ("spender", "address"),
        ("amount", "uint256"),
        ("nonce", "bytes32"),
        ("deadline", "uint256"),
    ],
    "DelegationAuthorization": [
        ("owner", "address"),
        ("clusterIds", "uint32[]"),
        ("delegatee", "address"),
        ("nonce", "bytes32"),
        ("deadline", "uint256"),
    ],
}

Authorization = dict[str, Any]


def desk_message(
    desk: ContractInstance, kind: str, authorization: Authorization, chain_id: int | None = None
) -> SignableMessage:
    """What an owner signs, encoded by eth_account and not by the contract."""
    return encode_typed_data(
        domain_data={
            "name": "Rackstream HolderDesk",
            "version": "1",
            "chainId": chain_id or chain.chain_id,
            "verifyingContract": desk.address,
        },
        message_types={kind: [{"name": name, "type": type_} for name, type_ in TYPES[kind]]},
        message_data=authorization,
    )


def digest(message: SignableMessage) -> bytes:
    """The 32 bytes that are signed."""
    return keccak(b"\x19" + message.version + message.header + message.body)


def sign(
    desk: ContractInstance, signer: AccountAPI, kind: str, authorization: Authorization
) -> bytes:
    """The 65 bytes of a signature."""
    return as_bytes(signed(signer, desk_message(desk, kind, authorization)))


def nonce(number: int) -> bytes:
    """Any 32 bytes."""
    return keccak(text=f"nonce {number}")


@dataclass(frozen=True)
class Owner:
    """A holder: an account that signs for itself, or a contract whose owner signs for it."""

    address: str
    signer: AccountAPI


@dataclass(frozen=True)
class Counter:
    """Three clusters whose income has streamed, with a quarter of each for both owners."""

    scenario: Scenario
    desk: ContractInstance
    cluster_ids: tuple[int, ...]
    shares: tuple[ContractInstance, ...]
    account: Owner
    contract: Owner
    enforcement: AccountAPI

    def owner(self, kind: str) -> Owner:
        return {"account": self.account, "contract": self.contract}[kind]

    def signed(self, kind: str, owner: Owner, **fields: Any) -> tuple[Authorization, bytes]:
        """The arguments of the desk's function for an authorization good for ten minutes, with
        nonce 1, unless `fields` say otherwise."""
        authorization = {"owner": owner.address, "nonce": nonce(1), "deadline": now() + 600}
        authorization |= fields
        ordered = {name: authorization[name] for name, _ in TYPES[kind]}
        assert ordered.keys() == authorization.keys()
        return ordered, sign(self.desk, owner.signer, kind, ordered)

    def freeze(self, share: ContractInstance, account: str, amount: int = 2**64 - 1) -> None:
        share.setFrozenTokens(account, amount, sender=self.enforcement)

    def recover(self, share: ContractInstance, lost: str, replacement: AccountAPI) -> None:
        """`replacement` is of the same investor, and is not frozen afterwards."""
        attestation = self.scenario.system.identity.attestationOf(lost)
        self.scenario.attest(replacement, investorId=attestation.investorId)
        self.freeze(share, lost)
        share.recover(lost, replacement, sender=self.enforcement)
        self.freeze(share, replacement.address, 0)


def open_counter(
    scenario: Scenario,
    funder: AccountAPI,
    enforcement: AccountAPI,
    holder: AccountAPI,
    other_holder: AccountAPI,
) -> Counter:
    """`holder` owns a quarter of each cluster, and so does a contract of `holder`'s; the rest is
    `other_holder`'s."""
    usd = scenario.system.stablecoin
    wallet = scenario.deployer.deploy(project.ERC1271Wallet, holder)
    scenario.give_usd(funder, 10**6 * USD)
    cluster_ids, shares = [], []
    for _ in range(3):
        cluster_id = scenario.register_cluster()
        share = deploy_commanded_share(scenario, cluster_id, enforcement, waterfall=funder)
        holders = [holder.address, wallet.address, other_holder.address]
        scenario.issue(share, holders, [OWNED, OWNED, 2 * OWNED])
        usd.approve(share, INCOME, sender=funder)
        share.fund(INCOME, sender=funder)
        cluster_ids.append(cluster_id)
        shares.append(share)
    travel_to(now() + 2 * DAY)
    return Counter(
        scenario,
        scenario.system.desk,
        tuple(cluster_ids),
        tuple(shares),
        Owner(holder.address, holder),
        Owner(wallet.address, holder),
        enforcement,
    )
