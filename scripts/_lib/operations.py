"""What the scripts do on chain, each step only where it is still to be done.

Every function takes the deployed `System` and the account that signs, and returns what it did. A
contract's refusal is passed on as it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ape import chain
from ape.api import AccountAPI, ReceiptAPI
from ape.contracts import ContractInstance

from api.chain.abi import decode_revert
from api.chain.views import ClusterStatus, IncomeKind
from api.errors import UnknownCluster
from scripts._lib import roles
from scripts._lib.cluster_file import ClusterFile
from scripts._lib.deployment import DeploymentError, System, deploy_share
from scripts._lib.events import newest_first
from scripts._lib.record import SHARE, Record, instance

ZERO_ADDRESS = "0x0000000000000000000000000000000000000000"

CLAIMS_AT_ONCE = 32
"""Clusters whose income is claimed in one transaction; HolderDesk takes twice as many."""


class ClaimRefused(DeploymentError):
    """A cluster's share could not pay an income that is there; the others were paid."""

    def __init__(self, cluster_id: int, owner: str, reason: bytes) -> None:
        why = decode_revert(reason)
        fields = ", ".join(f"{name}={value}" for name, value in why.arguments.items())
        super().__init__(
            f"cluster {cluster_id} could not pay {owner}: {why.name}({fields}); what the other"
            " clusters owed is paid"
        )


def require_cluster(system: System, cluster_id: int) -> Any:
    """The cluster as the registry has it. Raises UnknownCluster."""
    if not 1 <= cluster_id <= int(system.registry.clusterCount()):
        raise UnknownCluster(cluster_id)
    return system.registry.cluster(cluster_id)


def share_of(system: System, cluster_id: int) -> ContractInstance:
    """A cluster's share. Raises UnknownCluster, DeploymentError if none is registered."""
    address = require_cluster(system, cluster_id).share
    if address == ZERO_ADDRESS:
        raise DeploymentError(
            f"cluster {cluster_id} has no share yet: run register_cluster with its file again"
        )
    return instance(SHARE, address)


def clusters_with_shares(system: System) -> list[int]:
    """Every cluster that holders can have earned in, by id."""
    ids = range(1, int(system.registry.clusterCount()) + 1)
    return [one for one in ids if system.registry.cluster(one).share != ZERO_ADDRESS]


@dataclass(frozen=True)
class Registration:
    """A registered cluster, and what this run had to do for it."""

    cluster_id: int
    share: str
    done: tuple[str, ...]


def register_cluster(
    record: Record, system: System, cluster: ClusterFile, issuer: str, registrar: AccountAPI
) -> Registration:
    """Register a cluster and its share and open the funding, as far as that was not done before.

    1. A cluster that was registered with this very specification and issuer is taken up again.
    2. Its share is deployed and recorded, compared with what was recorded, and registered.
    3. Proposed → Funding.
    """
    done = []
    cluster_id = find_cluster(record, system, cluster, issuer)
    expected_id = cluster_id or int(system.registry.clusterCount()) + 1
    if cluster.gpus is not None and cluster.gpus.cluster_id != expected_id:
        raise DeploymentError(
            f"the manifest is of cluster {cluster.gpus.cluster_id}, this one is {expected_id}"
        )
    if cluster_id is None:
        system.registry.registerCluster(
            issuer, cluster.authorised_shares, dict(cluster.spec), sender=registrar
        )
        cluster_id = find_cluster(record, system, cluster, issuer)
        if cluster_id is None:
            raise DeploymentError("the registry emitted no ClusterRegistered for the new cluster")
        done.append("registered")
    state = system.registry.cluster(cluster_id)
    if state.share == ZERO_ADDRESS:
        with record.deploying(registrar):
            share = deploy_share(
                system,
                cluster_id,
                cluster.name,
                cluster.symbol,
                registrar,
                recorded=record.addresses(),
                on_deployed=record.on_deployed,
            )
        record.verify()
        done.append("share deployed")
        system.registry.registerShare(cluster_id, share, sender=registrar)
        done.append("share registered")
    if state.status == ClusterStatus.PROPOSED:
        system.registry.openFunding(cluster_id, sender=registrar)
        done.append("funding opened")
    address = str(system.registry.cluster(cluster_id).share)
    return Registration(cluster_id, address, tuple(done))


def find_cluster(record: Record, system: System, cluster: ClusterFile, issuer: str) -> int | None:
    """The cluster that was registered with this specification, issuer and number of shares."""
    wanted = (issuer, cluster.authorised_shares, tuple(cluster.spec.values()))
    for event in newest_first(
        "ClusterRegistry",
        system.registry.address,
        ["ClusterRegistered"],
        from_block=record.deployment.contracts["ClusterRegistry"].block,
    ):
        fields = event.fields
        if (fields["issuer"], fields["authorisedShares"], tuple(fields["spec"])) == wanted:
            return int(fields["clusterId"])
    return None


def appoint(system: System, power: int, cluster_id: int, who: str, appointer: AccountAPI) -> bool:
    """Give `who` a power over a cluster; False if they hold it."""
    require_cluster(system, cluster_id)
    role = roles.over(power, cluster_id)
    is_member, _ = system.authority.hasRole(role, who)
    if is_member:
        return False
    system.authority.grantRole(role, who, 0, sender=appointer)
    return True


def issued_so_far(record: Record, share: ContractInstance, cluster_id: int) -> dict[str, int]:
    """What was ever issued of a share, by wallet, in the smallest unit."""
    issued: dict[str, int] = {}
    for event in newest_first(
        SHARE,
        share.address,
        ["Transfer"],
        from_block=record.deployment.shares[cluster_id].block,
        first_indexed=ZERO_ADDRESS,
    ):
        wallet = event.fields["to"]
        issued[wallet] = issued.get(wallet, 0) + event.fields["value"]
    return issued


def issue_shares(
    record: Record,
    system: System,
    cluster_id: int,
    allocations: Mapping[str, int],
    issuer: AccountAPI,
) -> dict[str, int]:
    """Bring what was issued to each wallet up to its allocation; returns what was issued now.

    Allocations are totals, so that a list can be run again, extended or raised. A wallet that was
    issued more than its allocation is an error: issued shares are not taken back.
    """
    share = share_of(system, cluster_id)
    issued = issued_so_far(record, share, cluster_id)
    missing: dict[str, int] = {}
    for wallet, allocation in allocations.items():
        already = issued.get(wallet, 0)
        if already > allocation:
            raise DeploymentError(
                f"{wallet} was issued {already} units of cluster {cluster_id}'s share,"
                f" more than the allocation of {allocation}"
            )
        if already < allocation:
            missing[wallet] = allocation - already
    if missing:
        share.issue(list(missing), list(missing.values()), sender=issuer)
    return missing


def go_live(system: System, cluster_id: int, issuer: AccountAPI) -> bool:
    """Funding → Live; False if it is Live."""
    if require_cluster(system, cluster_id).status == ClusterStatus.LIVE:
        return False
    system.registry.goLive(cluster_id, sender=issuer)
    return True


def pay(
    record: Record,
    system: System,
    cluster_id: int,
    amount_usd6: int,
    kind: IncomeKind,
    reference: bytes,
    customer: AccountAPI,
) -> ReceiptAPI | None:
    """Pay income to a cluster; None if this customer has paid with this reference before.

    The zero reference names nothing, so it never counts as paid before.
    """
    require_cluster(system, cluster_id)
    if any(reference) and _was_paid(record, system, cluster_id, reference, customer.address):
        return None
    coin, waterfall = system.stablecoin, system.waterfall
    held = int(coin.balanceOf(customer))
    if held < amount_usd6:
        raise DeploymentError(
            f"{customer.address} holds {held} units of stablecoin, not {amount_usd6}"
        )
    if int(coin.allowance(customer, waterfall)) < amount_usd6:
        coin.approve(waterfall, amount_usd6, sender=customer)
    return waterfall.receiveIncome(cluster_id, amount_usd6, int(kind), reference, sender=customer)


def _was_paid(
    record: Record, system: System, cluster_id: int, reference: bytes, customer: str
) -> bool:
    return any(
        event.fields["ref"] == reference and event.fields["payer"] == customer
        for event in newest_first(
            "Waterfall",
            system.waterfall.address,
            ["IncomeReceived"],
            from_block=record.deployment.contracts["Waterfall"].block,
            first_indexed=cluster_id,
        )
    )


def claim(share: ContractInstance, owner: str, sender: AccountAPI) -> int:
    """Pay `owner`'s income to their payee and return it, in 10⁻⁶ dollars; 0 if there is none."""
    # At the pending block: the newest one can be long ago on a chain where little happens.
    if int(share.claimableUsd6(owner, block_identifier="pending")) == 0:
        return 0
    if sender.address == owner:
        receipt = share.claim(sender=sender)
    else:
        receipt = share.claimFor(owner, sender=sender)
    return sum(int(event.amountUsd6) for event in events_of(share, receipt, "IncomeClaimed"))


@dataclass(frozen=True)
class Claim:
    """What one cluster paid of a holder's income, in 10⁻⁶ dollars."""

    cluster_id: int
    payee: str
    amount_usd6: int


def claim_many(
    system: System, cluster_ids: Sequence[int], owner: str, sender: AccountAPI
) -> list[Claim]:
    """Pay `owner`'s income of these clusters to their payees in one transaction for every
    CLAIMS_AT_ONCE; clusters with nothing to claim are left out.

    Raises ClaimRefused for the first that has income and could not pay it, after the others.
    """
    # At the pending block: the newest one can be long ago on a chain where little happens.
    due = [
        cluster_id
        for cluster_id in cluster_ids
        if int(share_of(system, cluster_id).claimableUsd6(owner, block_identifier="pending"))
    ]
    paid: list[Claim] = []
    skipped: list[Any] = []
    for first in range(0, len(due), CLAIMS_AT_ONCE):
        part = due[first : first + CLAIMS_AT_ONCE]
        receipt = system.desk.claimMany(owner, part, sender=sender)
        for cluster_id in part:
            for event in events_of(share_of(system, cluster_id), receipt, "IncomeClaimed"):
                paid.append(Claim(cluster_id, str(event.payee), int(event.amountUsd6)))
        skipped += events_of(system.desk, receipt, "ClaimSkipped")
    if skipped:
        raise ClaimRefused(int(skipped[0].clusterId), owner, bytes(skipped[0].reason))
    return paid


def events_of(contract: ContractInstance, receipt: ReceiptAPI, name: str) -> Sequence[Any]:
    """The events of one kind in a receipt."""
    return list(receipt.events.filter(getattr(contract, name)))


def distribute(system: System, cluster_id: int, sender: AccountAPI) -> Any:
    """Run the waterfall of a cluster; its IncomeDistributed event."""
    require_cluster(system, cluster_id)
    receipt = system.waterfall.distribute(cluster_id, sender=sender)
    return events_of(system.waterfall, receipt, "IncomeDistributed")[0]


def withdraw_operating_cost(
    system: System, cluster_id: int, payee: str, operator: AccountAPI
) -> int:
    """Pay the operator what is final and covered, in 10⁻⁶ dollars; 0 if there is nothing."""
    require_cluster(system, cluster_id)
    state = system.waterfall.state(cluster_id)
    if int(state.operatorEarned) == int(state.operatorPaid):
        return 0
    receipt = system.waterfall.withdrawOperatingCost(cluster_id, payee, sender=operator)
    events = events_of(system.waterfall, receipt, "OperatingCostWithdrawn")
    return sum(int(event.amountUsd6) for event in events)


def apply_spec(system: System, cluster_id: int, sender: AccountAPI) -> Any:
    """Book costs up to the newest specification and take its reserve; the SpecApplied event.

    A cluster that never had income or a distribution applies its first specification in passing.
    """
    require_cluster(system, cluster_id)
    receipt = system.waterfall.applySpec(cluster_id, sender=sender)
    return events_of(system.waterfall, receipt, "SpecApplied")[-1]


def newest_time() -> int:
    """The time of the newest block, in Unix seconds."""
    return int(chain.blocks.head.timestamp)


def reference_of(text: str) -> bytes:
    """32 bytes for a payment's reference: hexadecimal as it is, any other text padded.

    Raises ValueError if it does not fit.
    """
    if text.startswith("0x"):
        word = bytes.fromhex(text[2:])
        if len(word) != 32:
            raise ValueError(f"{text} is {len(word)} bytes, a reference is 32")
        return word
    encoded = text.encode()
    if len(encoded) > 32:
        raise ValueError(f"{text!r} takes {len(encoded)} bytes, a reference at most 32")
    return encoded.ljust(32, b"\0")
