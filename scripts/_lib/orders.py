"""What the transfer agent and the trustee of a cluster do: freezes, and orders over shares."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

from ape.api import AccountAPI

from scripts._lib.deployment import System
from scripts._lib.money import shares
from scripts._lib.operations import events_of, require_cluster
from scripts._lib.times import utc

WHOLE = 2**64 - 1
"""The frozen amount that stands for all shares and for their income."""


class OrderKind(IntEnum):
    """IEnforcement.OrderKind."""

    FORCED_TRANSFER = 0
    RECOVERY = 1


class OrderStatus(IntEnum):
    """IEnforcement.OrderStatus."""

    NONE = 0
    PROPOSED = 1
    CONFIRMED = 2
    EXECUTED = 3
    CANCELLED = 4


@dataclass(frozen=True)
class Order:
    """IEnforcement.Order. `amount` in the smallest share unit, times in Unix seconds."""

    order_id: int
    cluster_id: int
    kind: OrderKind
    status: OrderStatus
    executable_at: int
    expires_at: int
    amount: int
    sender: str
    receiver: str


def freeze(
    system: System,
    cluster_id: int,
    account: str,
    amount: int,
    reference: bytes,
    transfer_agent: AccountAPI,
) -> int:
    """Freeze `amount` in all (WHOLE: everything, and the income); the second until which it
    stands unconfirmed."""
    require_cluster(system, cluster_id)
    receipt = system.enforcement.freeze(
        cluster_id, account, amount, reference, sender=transfer_agent
    )
    return int(events_of(system.enforcement, receipt, "AccountFrozen")[-1].expiresAt)


def confirm_freeze(system: System, cluster_id: int, account: str, trustee: AccountAPI) -> int:
    """Let what is frozen stand until it is lifted; the amount."""
    require_cluster(system, cluster_id)
    amount = int(system.enforcement.freezeOf(cluster_id, account).amount)
    system.enforcement.confirmFreeze(cluster_id, account, amount, sender=trustee)
    return amount


def unfreeze(
    system: System, cluster_id: int, account: str, amount: int, office: AccountAPI
) -> None:
    """Lower what is frozen to `amount`."""
    require_cluster(system, cluster_id)
    system.enforcement.unfreeze(cluster_id, account, amount, sender=office)


def lapse_freeze(system: System, cluster_id: int, account: str, sender: AccountAPI) -> None:
    """End an unconfirmed freeze whose time is over."""
    require_cluster(system, cluster_id)
    system.enforcement.lapseFreeze(cluster_id, account, sender=sender)


def propose_recovery(
    system: System,
    cluster_id: int,
    lost: str,
    replacement: str,
    reference: bytes,
    transfer_agent: AccountAPI,
) -> Order:
    """Propose that all of `lost` be moved to `replacement`."""
    require_cluster(system, cluster_id)
    receipt = system.enforcement.proposeRecovery(
        cluster_id, lost, replacement, reference, sender=transfer_agent
    )
    return _proposed(system, receipt)


def propose_forced_transfer(
    system: System,
    cluster_id: int,
    sender: str,
    receiver: str,
    amount: int,
    reference: bytes,
    transfer_agent: AccountAPI,
) -> Order:
    """Propose that `amount` of `sender`'s frozen shares be moved to `receiver`."""
    require_cluster(system, cluster_id)
    receipt = system.enforcement.proposeForcedTransfer(
        cluster_id, sender, receiver, amount, reference, sender=transfer_agent
    )
    return _proposed(system, receipt)


def _proposed(system: System, receipt: object) -> Order:
    event = events_of(system.enforcement, receipt, "OrderProposed")[-1]
    return order_of(system, int(event.orderId))


def order_of(system: System, order_id: int) -> Order:
    """One order; the contract refuses an id that was never given."""
    found = system.enforcement.order(order_id)
    return Order(
        order_id,
        int(found.clusterId),
        OrderKind(found.kind),
        OrderStatus(found.status),
        int(found.executableAt),
        int(found.expiresAt),
        int(found.amount),
        str(found.owner),
        str(found.to),
    )


def orders(system: System) -> Iterator[Order]:
    """Every order, newest first."""
    for order_id in range(int(system.enforcement.orderCount()), 0, -1):
        yield order_of(system, order_id)


def in_words(order: Order) -> str:
    """One line on an order and where it stands."""
    what = "everything" if order.kind is OrderKind.RECOVERY else f"{shares(order.amount)} shares"
    if order.status is OrderStatus.PROPOSED:
        state = f"waits for the trustee, executable from {utc(order.executable_at)} at the earliest"
    elif order.status is OrderStatus.CONFIRMED:
        state = f"confirmed, executable {utc(order.executable_at)} to {utc(order.expires_at)}"
    else:
        state = order.status.name.lower()
    return (
        f"order {order.order_id}, cluster {order.cluster_id}: {what} of {order.sender}"
        f" to {order.receiver}; {state}"
    )
