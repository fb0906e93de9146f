"""scripts/_lib/orders.py: freezes, and orders over shares from the proposal to its end."""

from __future__ import annotations

import pytest
from ape import reverts
from ape.api import AccountAPI

from api.errors import UnknownCluster
from scripts._lib import operations, orders, roles
from scripts._lib.orders import WHOLE, Order, OrderKind, OrderStatus
from scripts._lib.times import utc
from tests.support.enforcement import (
    DAY,
    FORCED_TRANSFER_DELAY,
    FREEZE_SECONDS,
    ORDER_LIFE,
    RECOVERY_DELAY,
    attest_replacement,
)
from tests.support.income import now
from tests.support.scenario import SHARE, Scenario, travel_to

REFERENCE = b"\x0d" * 32
OWNED = 10 * SHARE


@pytest.fixture(scope="module")
def cluster_id(
    scenario: Scenario,
    issuer: AccountAPI,
    transfer_agent: AccountAPI,
    holder: AccountAPI,
    other_holder: AccountAPI,
    keeper: AccountAPI,
) -> int:
    """With both its offices; `holder` has all shares, and `keeper` is another wallet of theirs."""
    cluster_id = scenario.register_cluster()
    share = scenario.open_funding(cluster_id)
    operations.appoint(
        scenario.system, roles.TRANSFER_AGENT, cluster_id, transfer_agent.address, issuer
    )
    scenario.issue(share, [holder], [OWNED])
    scenario.attest(other_holder)
    attest_replacement(scenario, holder, keeper)
    return cluster_id


def frozen(scenario: Scenario, cluster_id: int, account: AccountAPI) -> int:
    return int(operations.share_of(scenario.system, cluster_id).getFrozenTokens(account))


def test_freeze__everything__stands_for_its_time_and_lapses(
    scenario: Scenario,
    cluster_id: int,
    holder: AccountAPI,
    transfer_agent: AccountAPI,
    attacker: AccountAPI,
) -> None:
    system, who = scenario.system, holder.address

    until = orders.freeze(system, cluster_id, who, WHOLE, REFERENCE, transfer_agent)

    assert until - now() in range(FREEZE_SECONDS - DAY, FREEZE_SECONDS + 1)
    assert frozen(scenario, cluster_id, holder) == WHOLE
    with reverts(system.enforcement.Enforcement_FreezeStands, expiresAt=until):
        orders.lapse_freeze(system, cluster_id, who, attacker)
    travel_to(until)
    orders.lapse_freeze(system, cluster_id, who, attacker)
    assert frozen(scenario, cluster_id, holder) == 0


def test_confirm_freeze__by_the_trustee__stands_until_lifted(
    scenario: Scenario,
    cluster_id: int,
    holder: AccountAPI,
    transfer_agent: AccountAPI,
    trustee: AccountAPI,
) -> None:
    system, who = scenario.system, holder.address
    orders.freeze(system, cluster_id, who, 3 * SHARE, REFERENCE, transfer_agent)

    assert orders.confirm_freeze(system, cluster_id, who, trustee) == 3 * SHARE

    assert system.enforcement.freezeOf(cluster_id, who).expiresAt == 0
    orders.unfreeze(system, cluster_id, who, SHARE, trustee)
    assert frozen(scenario, cluster_id, holder) == SHARE
    orders.unfreeze(system, cluster_id, who, 0, trustee)
    assert frozen(scenario, cluster_id, holder) == 0


def test_freeze__unknown_cluster__is_said(
    scenario: Scenario, holder: AccountAPI, transfer_agent: AccountAPI
) -> None:
    system, who = scenario.system, holder.address

    with pytest.raises(UnknownCluster, match="cluster 9999 is not known"):
        orders.freeze(system, 9_999, who, SHARE, REFERENCE, transfer_agent)


def test_propose_recovery__to_its_end__is_told_at_every_step(
    scenario: Scenario,
    cluster_id: int,
    holder: AccountAPI,
    keeper: AccountAPI,
    transfer_agent: AccountAPI,
    trustee: AccountAPI,
    attacker: AccountAPI,
) -> None:
    system = scenario.system
    orders.freeze(system, cluster_id, holder.address, WHOLE, REFERENCE, transfer_agent)

    proposed = orders.propose_recovery(
        system, cluster_id, holder.address, keeper.address, REFERENCE, transfer_agent
    )

    at = proposed.executable_at
    assert at - now() in range(RECOVERY_DELAY - DAY, RECOVERY_DELAY + 1)
    assert proposed == Order(
        1,
        cluster_id,
        OrderKind.RECOVERY,
        OrderStatus.PROPOSED,
        at,
        at + ORDER_LIFE,
        0,
        holder.address,
        keeper.address,
    )
    line = f"order 1, cluster {cluster_id}: everything of {holder.address} to {keeper.address}; "
    assert orders.in_words(proposed) == (
        f"{line}waits for the trustee, executable from {utc(at)} at the earliest"
    )
    system.enforcement.confirmOrder(1, sender=trustee)
    confirmed = orders.order_of(system, 1)
    assert confirmed.status is OrderStatus.CONFIRMED
    ends = utc(confirmed.expires_at)
    assert orders.in_words(confirmed) == f"{line}confirmed, executable {utc(at)} to {ends}"
    travel_to(at)
    system.enforcement.executeOrder(1, sender=attacker)
    assert orders.in_words(orders.order_of(system, 1)) == f"{line}executed"
    assert operations.share_of(system, cluster_id).balanceOf(keeper) == OWNED


def test_propose_forced_transfer__frozen_shares__waits_and_can_be_cancelled(
    scenario: Scenario,
    cluster_id: int,
    holder: AccountAPI,
    other_holder: AccountAPI,
    transfer_agent: AccountAPI,
    trustee: AccountAPI,
) -> None:
    system = scenario.system
    orders.freeze(system, cluster_id, holder.address, 4 * SHARE, REFERENCE, transfer_agent)

    def propose(amount: int) -> Order:
        return orders.propose_forced_transfer(
            system,
            cluster_id,
            holder.address,
            other_holder.address,
            amount,
            REFERENCE,
            transfer_agent,
        )

    assert list(orders.orders(system)) == []
    first, second = propose(SHARE), propose(5 * SHARE // 2)

    assert list(orders.orders(system)) == [second, first]
    assert second.kind is OrderKind.FORCED_TRANSFER
    delay = second.executable_at - now()
    assert delay in range(FORCED_TRANSFER_DELAY - DAY, FORCED_TRANSFER_DELAY + 1)
    assert f": 2.5 shares of {holder.address} to {other_holder.address}; waits" in orders.in_words(
        second
    )
    system.enforcement.cancelOrder(2, sender=trustee)
    assert orders.in_words(orders.order_of(system, 2)).endswith("; cancelled")


def test_order_of__never_given__is_the_contracts_to_refuse(scenario: Scenario) -> None:
    with reverts(scenario.system.enforcement.Enforcement_UnknownOrder, orderId=1):
        orders.order_of(scenario.system, 1)
