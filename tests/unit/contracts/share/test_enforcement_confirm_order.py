"""Enforcement.confirmOrder and cancelOrder: the second signature, and taking either back."""

from __future__ import annotations

import ape
import pytest
from ape import chain
from ape.api import AccountAPI
from ape.contracts import ContractInstance

from scripts._lib import roles
from tests.support.enforcement import Offices, OrderStatus
from tests.support.scenario import SHARE, Scenario


@pytest.fixture
def order_id(offices: Offices, holder: AccountAPI, other_holder: AccountAPI) -> int:
    """A proposed forced transfer of a share."""
    return offices.propose_transfer(holder, other_holder, SHARE)


@pytest.fixture
def offices_elsewhere(
    scenario: Scenario,
    authority: ContractInstance,
    other_issuer: AccountAPI,
    keeper: AccountAPI,
    relayer: AccountAPI,
) -> tuple[AccountAPI, AccountAPI]:
    """Transfer agent and trustee of another cluster."""
    other = scenario.register_cluster(other_issuer)
    authority.grantRole(roles.over(roles.TRANSFER_AGENT, other), keeper, 0, sender=other_issuer)
    authority.grantRole(roles.over(roles.TRUSTEE, other), relayer, 0, sender=scenario.registrar)
    return keeper, relayer


def status(offices: Offices, order_id: int) -> OrderStatus:
    return OrderStatus(offices.enforcement.order(order_id).status)


def test_confirm_order__by_the_trustee__confirmed(offices: Offices, order_id: int) -> None:
    receipt = offices.confirm(order_id)
    [event] = receipt.decode_logs(offices.enforcement.OrderConfirmed)
    assert (event.orderId, event.actor) == (order_id, offices.trustee.address)
    assert status(offices, order_id) is OrderStatus.CONFIRMED


def test_confirm_order__again__refused(offices: Offices, order_id: int) -> None:
    offices.confirm(order_id)
    with ape.reverts(offices.enforcement.Enforcement_AlreadyConfirmed, orderId=order_id):
        offices.confirm(order_id)


def test_confirm_order__around_its_end__until_the_second_before(
    offices: Offices, order_id: int, holder: AccountAPI, other_holder: AccountAPI
) -> None:
    expires_at = offices.enforcement.order(order_id).expiresAt
    other = offices.propose_transfer(holder, other_holder, SHARE)
    chain.pending_timestamp = expires_at - 1
    offices.confirm(order_id)
    chain.pending_timestamp = offices.enforcement.order(other).expiresAt
    with ape.reverts(offices.enforcement.Enforcement_TooLate):
        offices.confirm(other)


def test_confirm_order__by_whom_has_no_such_power__refused(
    offices: Offices,
    scenario: Scenario,
    order_id: int,
    offices_elsewhere: tuple[AccountAPI, AccountAPI],
    holder: AccountAPI,
) -> None:
    for caller in (*offices_elsewhere, offices.agent, scenario.issuer, scenario.registrar, holder):
        with ape.reverts(
            offices.enforcement.Authorised_MissingPower,
            account=caller.address,
            power=roles.TRUSTEE,
            clusterId=offices.cluster_id,
        ):
            offices.enforcement.confirmOrder(order_id, sender=caller)
    assert status(offices, order_id) is OrderStatus.PROPOSED


@pytest.mark.parametrize("is_confirmed", [False, True])
@pytest.mark.parametrize("office", ["agent", "trustee"])
def test_cancel_order__by_either_office__never_executed(
    offices: Offices, order_id: int, holder: AccountAPI, office: str, is_confirmed: bool
) -> None:
    offices.freeze(holder)
    if is_confirmed:
        offices.confirm(order_id)
    caller = {"agent": offices.agent, "trustee": offices.trustee}[office]
    receipt = offices.enforcement.cancelOrder(order_id, sender=caller)
    [event] = receipt.decode_logs(offices.enforcement.OrderCancelled)
    assert (event.orderId, event.actor) == (order_id, caller.address)
    assert status(offices, order_id) is OrderStatus.CANCELLED
    chain.pending_timestamp = offices.enforcement.order(order_id).executableAt
    refusal = {"orderId": order_id, "status": OrderStatus.CANCELLED}
    with ape.reverts(offices.enforcement.Enforcement_OrderClosed, **refusal):
        offices.enforcement.executeOrder(order_id, sender=offices.agent)
    with ape.reverts(offices.enforcement.Enforcement_OrderClosed, **refusal):
        offices.confirm(order_id)
    with ape.reverts(offices.enforcement.Enforcement_OrderClosed, **refusal):
        offices.enforcement.cancelOrder(order_id, sender=caller)


def test_cancel_order__executed__refused(
    offices: Offices, order_id: int, holder: AccountAPI
) -> None:
    offices.freeze(holder)
    offices.ripen(order_id)
    offices.enforcement.executeOrder(order_id, sender=holder)
    refusal = {"orderId": order_id, "status": OrderStatus.EXECUTED}
    with ape.reverts(offices.enforcement.Enforcement_OrderClosed, **refusal):
        offices.enforcement.cancelOrder(order_id, sender=offices.trustee)


def test_cancel_order__by_neither_office__refused(
    offices: Offices,
    scenario: Scenario,
    order_id: int,
    offices_elsewhere: tuple[AccountAPI, AccountAPI],
    holder: AccountAPI,
    admin: AccountAPI,
) -> None:
    for caller in (*offices_elsewhere, scenario.issuer, scenario.registrar, holder, admin):
        with ape.reverts(
            offices.enforcement.Enforcement_NotAnOffice,
            account=caller.address,
            clusterId=offices.cluster_id,
        ):
            offices.enforcement.cancelOrder(order_id, sender=caller)


def test_orders__that_are_none__refused(offices: Offices, order_id: int) -> None:
    for unknown in (0, order_id + 1):
        refusal = {"orderId": unknown}
        with ape.reverts(offices.enforcement.Enforcement_UnknownOrder, **refusal):
            offices.confirm(unknown)
        with ape.reverts(offices.enforcement.Enforcement_UnknownOrder, **refusal):
            offices.enforcement.cancelOrder(unknown, sender=offices.trustee)
        with ape.reverts(offices.enforcement.Enforcement_UnknownOrder, **refusal):
            offices.enforcement.executeOrder(unknown, sender=offices.trustee)
