"""Enforcement.proposeForcedTransfer and proposeRecovery: the first of two signatures."""

from __future__ import annotations

from typing import Any

import ape
import pytest
from ape.api import AccountAPI
from ape.contracts import ContractInstance

from scripts._lib import roles
from tests.support.enforcement import (
    FORCED_TRANSFER_DELAY,
    ORDER_LIFE,
    RECOVERY_DELAY,
    REFERENCE,
    ZERO_ADDRESS,
    Offices,
    OrderKind,
    OrderStatus,
    attest_replacement,
    investor_of,
)
from tests.support.income import UINT256_MAX
from tests.support.scenario import SHARE, Scenario

SUPPLY = 400_000 * SHARE
NO_INVESTOR = b"\0" * 16


def fields(order: Any) -> tuple[Any, ...]:
    """An order without its times."""
    return (
        order.clusterId,
        OrderKind(order.kind),
        OrderStatus(order.status),
        order.amount,
        order.owner,
        order.to,
        order.reference_,
    )


def test_propose_forced_transfer__by_the_agent__waits_for_the_trustee_and_its_time(
    offices: Offices, holder: AccountAPI, other_holder: AccountAPI
) -> None:
    """Nothing needs to be frozen yet, and nothing is touched."""
    receipt = offices.enforcement.proposeForcedTransfer(
        offices.cluster_id, holder, other_holder, SHARE, REFERENCE, sender=offices.agent
    )
    order_id = receipt.return_value
    assert order_id == offices.enforcement.orderCount()
    order = offices.enforcement.order(order_id)
    executable_at = receipt.timestamp + FORCED_TRANSFER_DELAY
    assert (order.executableAt, order.expiresAt) == (executable_at, executable_at + ORDER_LIFE)
    assert fields(order) == (
        offices.cluster_id,
        OrderKind.FORCED_TRANSFER,
        OrderStatus.PROPOSED,
        SHARE,
        holder.address,
        other_holder.address,
        REFERENCE,
    )
    [event] = receipt.decode_logs(offices.enforcement.OrderProposed)
    assert (event.orderId, event.clusterId, event.actor) == (
        order_id,
        offices.cluster_id,
        offices.agent.address,
    )
    assert [str(value).lower() for value in event.order] == [
        str(value).lower() for _, value in order.items()
    ]
    assert offices.share.availableBalanceOf(holder) == 300_000 * SHARE


def test_propose_recovery__of_two_wallets_of_one_investor__waits_twice_as_long(
    offices: Offices, scenario: Scenario, holder: AccountAPI, keeper: AccountAPI
) -> None:
    attest_replacement(scenario, holder, keeper)
    receipt = offices.enforcement.proposeRecovery(
        offices.cluster_id, holder, keeper, REFERENCE, sender=offices.agent
    )
    order = offices.enforcement.order(receipt.return_value)
    executable_at = receipt.timestamp + RECOVERY_DELAY
    assert (order.executableAt, order.expiresAt) == (executable_at, executable_at + ORDER_LIFE)
    assert fields(order) == (
        offices.cluster_id,
        OrderKind.RECOVERY,
        OrderStatus.PROPOSED,
        0,
        holder.address,
        keeper.address,
        REFERENCE,
    )


def test_propose_recovery__of_wallets_that_were_revoked__their_investor_is_still_known(
    offices: Offices,
    scenario: Scenario,
    compliance: AccountAPI,
    holder: AccountAPI,
    keeper: AccountAPI,
) -> None:
    attest_replacement(scenario, holder, keeper)
    for wallet in (holder, keeper):
        scenario.system.identity.revokeWallet(wallet, sender=compliance)
    assert offices.propose_recovery(holder, keeper)


def test_propose_forced_transfer__between_impossible_parties__refused(
    offices: Offices, holder: AccountAPI
) -> None:
    wallet = holder.address
    for owner, to in ((wallet, wallet), (wallet, ZERO_ADDRESS), (ZERO_ADDRESS, wallet)):
        with ape.reverts(offices.enforcement.Enforcement_InvalidParties, owner=owner, to=to):
            offices.propose_transfer(owner, to, 1)


@pytest.mark.parametrize("amount", [0, SUPPLY + 1, 2**64, 2**64 + 1, UINT256_MAX])
def test_propose_forced_transfer__of_nothing_or_more_than_all_shares__refused(
    offices: Offices, holder: AccountAPI, other_holder: AccountAPI, amount: int
) -> None:
    with ape.reverts(offices.enforcement.Enforcement_AmountOutOfRange, amount=amount, limit=SUPPLY):
        offices.propose_transfer(holder, other_holder, amount)


def test_propose_recovery__to_the_lost_wallet_itself__refused(
    offices: Offices, holder: AccountAPI
) -> None:
    with ape.reverts(
        offices.enforcement.Enforcement_InvalidParties, owner=holder.address, to=holder.address
    ):
        offices.propose_recovery(holder, holder)


def test_propose_recovery__of_another_investors_wallet__refused(
    offices: Offices, holder: AccountAPI, other_holder: AccountAPI, attacker: AccountAPI
) -> None:
    """Nor of wallets that are nobody's: no id is none in common."""
    ids = {
        holder.address: investor_of(holder),
        other_holder.address: investor_of(other_holder),
        attacker.address: NO_INVESTOR,
        ZERO_ADDRESS: NO_INVESTOR,
    }
    for lost in ids:
        for replacement in ids:
            if lost == replacement:
                continue
            with ape.reverts(
                offices.enforcement.Enforcement_AnotherInvestor,
                lostInvestor=ids[lost],
                replacementInvestor=ids[replacement],
            ):
                offices.propose_recovery(lost, replacement)


def test_propose__without_a_document__refused(
    offices: Offices, scenario: Scenario, holder: AccountAPI, keeper: AccountAPI
) -> None:
    attest_replacement(scenario, holder, keeper)
    none = b"\0" * 32
    with ape.reverts(offices.enforcement.Enforcement_ZeroReference):
        offices.enforcement.proposeForcedTransfer(
            offices.cluster_id, holder, keeper, 1, none, sender=offices.agent
        )
    with ape.reverts(offices.enforcement.Enforcement_ZeroReference):
        offices.enforcement.proposeRecovery(
            offices.cluster_id, holder, keeper, none, sender=offices.agent
        )


def test_propose__before_there_is_a_share__refused(
    offices: Offices, scenario: Scenario, holder: AccountAPI, keeper: AccountAPI
) -> None:
    attest_replacement(scenario, holder, keeper)
    cluster_id = scenario.register_cluster()
    role = roles.over(roles.TRANSFER_AGENT, cluster_id)
    scenario.system.authority.grantRole(role, offices.agent, 0, sender=scenario.issuer)
    with ape.reverts(offices.enforcement.Enforcement_NoShare, clusterId=cluster_id):
        offices.enforcement.proposeForcedTransfer(
            cluster_id, holder, keeper, 1, REFERENCE, sender=offices.agent
        )
    with ape.reverts(offices.enforcement.Enforcement_NoShare, clusterId=cluster_id):
        offices.enforcement.proposeRecovery(
            cluster_id, holder, keeper, REFERENCE, sender=offices.agent
        )


def test_propose__by_whom_has_no_such_power__refused(
    offices: Offices,
    scenario: Scenario,
    authority: ContractInstance,
    holder: AccountAPI,
    keeper: AccountAPI,
    other_issuer: AccountAPI,
    relayer: AccountAPI,
) -> None:
    attest_replacement(scenario, holder, keeper)
    other_cluster = scenario.register_cluster(other_issuer)
    role = roles.over(roles.TRANSFER_AGENT, other_cluster)
    authority.grantRole(role, relayer, 0, sender=other_issuer)
    for caller in (relayer, offices.trustee, scenario.issuer, scenario.registrar, holder):
        refusal = {
            "account": caller.address,
            "power": roles.TRANSFER_AGENT,
            "clusterId": offices.cluster_id,
        }
        with ape.reverts(offices.enforcement.Authorised_MissingPower, **refusal):
            offices.enforcement.proposeForcedTransfer(
                offices.cluster_id, holder, keeper, 1, REFERENCE, sender=caller
            )
        with ape.reverts(offices.enforcement.Authorised_MissingPower, **refusal):
            offices.enforcement.proposeRecovery(
                offices.cluster_id, holder, keeper, REFERENCE, sender=caller
            )


def test_order__that_is_none__refused(offices: Offices) -> None:
    for order_id in (0, int(offices.enforcement.orderCount()) + 1, UINT256_MAX):
        with ape.reverts(offices.enforcement.Enforcement_UnknownOrder, orderId=order_id):
            offices.enforcement.order(order_id)
