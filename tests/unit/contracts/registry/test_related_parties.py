"""RelatedParties: declared easily and backwards, ended by the registrar alone and forwards."""

from __future__ import annotations

import pytest
from ape import chain, reverts
from ape.api import AccountAPI
from ape.contracts import ContractInstance

from scripts._lib.deployment import System
from tests.support.access import MISSING_POWER, UNAUTHORIZED, error_arguments, revert_data
from tests.support.scenario import EPOCH_SECONDS, Scenario, current_epoch

WHY = b"\x44" * 32


@pytest.fixture
def related(system: System) -> ContractInstance:
    return system.related


@pytest.fixture
def cluster_id(scenario: Scenario) -> int:
    return scenario.register_cluster()


def test_declare__by_each_who_may__is_told_and_kept(
    related: ContractInstance,
    cluster_id: int,
    issuer: AccountAPI,
    registrar: AccountAPI,
    customer: AccountAPI,
) -> None:
    epoch = current_epoch()
    for number, sender in enumerate((customer, issuer, registrar)):
        receipt = related.declare(cluster_id, customer, epoch - number, WHY, sender=sender)
        event = related.RelationDeclared(
            clusterId=cluster_id,
            account=customer,
            declarer=sender,
            fromEpoch=epoch - number,
            documentHash=WHY,
        )
        assert receipt.events == [event]
    assert tuple(related.relationOf(cluster_id, customer)) == (True, epoch - 2, 0)


def test_declare__by_anybody_else__refused(
    related: ContractInstance,
    cluster_id: int,
    customer: AccountAPI,
    other_issuer: AccountAPI,
    operator: AccountAPI,
    scenario: Scenario,
) -> None:
    scenario.register_cluster(other_issuer)
    for sender in (other_issuer, operator):
        with reverts(
            related.RelatedParties_NotADeclarer,
            caller=sender.address,
            clusterId=cluster_id,
            account=customer.address,
        ):
            related.declare(cluster_id, customer, 0, WHY, sender=sender)


def test_declare__nobody_or_of_no_cluster__refused(
    related: ContractInstance, cluster_id: int, registrar: AccountAPI
) -> None:
    with reverts(related.RelatedParties_ZeroAddress):
        related.declare(cluster_id, "0x" + "00" * 20, 0, WHY, sender=registrar)
    with reverts(related.RelatedParties_UnknownCluster, clusterId=cluster_id + 1):
        related.declare(cluster_id + 1, registrar, 0, WHY, sender=registrar)


def test_declare__for_an_epoch_to_come__refused(
    related: ContractInstance, cluster_id: int, issuer: AccountAPI, customer: AccountAPI
) -> None:
    epoch = current_epoch()
    with reverts(related.RelatedParties_InTheFuture, fromEpoch=epoch + 1, limit=epoch):
        related.declare(cluster_id, customer, epoch + 1, WHY, sender=issuer)
    related.declare(cluster_id, customer, epoch, WHY, sender=issuer)


def test_declare__one_that_lasts__can_be_dated_back_and_not_forth(
    related: ContractInstance, cluster_id: int, issuer: AccountAPI, customer: AccountAPI
) -> None:
    epoch = current_epoch()
    related.declare(cluster_id, customer, epoch - 5, WHY, sender=issuer)
    for later in (epoch - 5, epoch):
        with reverts(related.RelatedParties_NotEarlier, fromEpoch=later, limit=epoch - 5):
            related.declare(cluster_id, customer, later, WHY, sender=issuer)
    related.declare(cluster_id, customer, 0, WHY, sender=issuer)
    assert related.isRelatedIn(cluster_id, customer, 0)


def test_end__by_the_registrar__acts_from_the_next_epoch_on(
    related: ContractInstance,
    cluster_id: int,
    issuer: AccountAPI,
    registrar: AccountAPI,
    customer: AccountAPI,
) -> None:
    epoch = current_epoch()
    related.declare(cluster_id, customer, epoch - 2, WHY, sender=issuer)

    receipt = related.end(cluster_id, customer, WHY, sender=registrar)

    assert receipt.events == [
        related.RelationEnded(
            clusterId=cluster_id, account=customer, toEpoch=epoch, documentHash=WHY
        )
    ]
    asked = [epoch - 3, epoch - 2, epoch, epoch + 1]
    answers = [related.isRelatedIn(cluster_id, customer, one) for one in asked]
    assert answers == [False, True, True, False]
    with reverts(related.RelatedParties_NotRelated, clusterId=cluster_id, account=customer.address):
        related.end(cluster_id, customer, WHY, sender=registrar)


def test_end__by_issuer_or_account__refused(
    related: ContractInstance, cluster_id: int, issuer: AccountAPI, customer: AccountAPI
) -> None:
    related.declare(cluster_id, customer, 0, WHY, sender=issuer)
    [abi] = [one for one in related.contract_type.mutable_methods if one.name == "end"]
    named = {"clusterId": cluster_id, "account": customer.address}
    for caller in (issuer.address, customer.address):
        data = revert_data(related, abi, caller, **named)
        assert error_arguments(data, UNAUTHORIZED) == (caller.lower(),)
        assert error_arguments(data, MISSING_POWER) is None


def test_end__nobody_declared__refused(
    related: ContractInstance, cluster_id: int, registrar: AccountAPI, customer: AccountAPI
) -> None:
    with reverts(related.RelatedParties_NotRelated):
        related.end(cluster_id, customer, WHY, sender=registrar)


def test_declare__again_after_the_end__does_not_cover_what_is_over(
    related: ContractInstance,
    cluster_id: int,
    issuer: AccountAPI,
    registrar: AccountAPI,
    customer: AccountAPI,
) -> None:
    epoch = current_epoch()
    related.declare(cluster_id, customer, epoch, WHY, sender=issuer)
    related.end(cluster_id, customer, WHY, sender=registrar)
    chain.pending_timestamp = (epoch + 1) * EPOCH_SECONDS
    with reverts(related.RelatedParties_Overlap, fromEpoch=epoch, limit=epoch + 1):
        related.declare(cluster_id, customer, epoch, WHY, sender=issuer)
    related.declare(cluster_id, customer, epoch + 1, WHY, sender=customer)
    assert tuple(related.relationOf(cluster_id, customer)) == (True, epoch + 1, 0)
