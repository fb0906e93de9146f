"""scripts/_lib/closing.py: a cluster's retirement, and what is left for its final holders."""

from __future__ import annotations

import pytest
from ape import chain, reverts
from ape.api import AccountAPI

from api.errors import UnknownCluster
from scripts._lib import closing, operations
from scripts._lib.closing import ProceedsKind
from scripts._lib.deployment import DeploymentError
from tests.support.scenario import SHARE, USD, Scenario

REFERENCE = b"\x44" * 32


@pytest.fixture(scope="module")
def cluster_id(scenario: Scenario, holder: AccountAPI, other_holder: AccountAPI) -> int:
    """A Live one whose shares are held 3 to 1."""
    cluster_id, _ = scenario.live_cluster([holder, other_holder], [3 * SHARE, SHARE])
    return cluster_id


@pytest.fixture
def retired(scenario: Scenario, cluster_id: int, issuer: AccountAPI) -> int:
    closing.retire(scenario.system, cluster_id, issuer)
    return cluster_id


def test_retire__live_cluster__is_retired_and_its_books_closed_once(
    scenario: Scenario, cluster_id: int, issuer: AccountAPI
) -> None:
    system = scenario.system

    assert closing.retire(system, cluster_id, issuer) == ["retired", "books closed"]
    height = chain.blocks.height
    assert closing.retire(system, cluster_id, issuer) == []

    assert chain.blocks.height == height
    assert operations.share_of(system, cluster_id).booksClosed()


def test_retire__books_left_open__closes_them(
    scenario: Scenario, cluster_id: int, issuer: AccountAPI
) -> None:
    scenario.system.registry.retire(cluster_id, sender=issuer)

    assert closing.retire(scenario.system, cluster_id, issuer) == ["books closed"]


def test_retire__unknown_cluster__is_said(scenario: Scenario, issuer: AccountAPI) -> None:
    with pytest.raises(UnknownCluster, match="cluster 9999 is not known"):
        closing.retire(scenario.system, 9_999, issuer)


def test_deposit_proceeds__sale_and_insurance__reach_the_final_holders(
    scenario: Scenario,
    retired: int,
    customer: AccountAPI,
    holder: AccountAPI,
    other_holder: AccountAPI,
    attacker: AccountAPI,
) -> None:
    system = scenario.system
    scenario.give_usd(customer, 100 * USD)

    for kind, amount in ((ProceedsKind.SALE, 80 * USD), (ProceedsKind.INSURANCE, 20 * USD)):
        closing.deposit_proceeds(system, retired, amount, kind, REFERENCE, customer)

    # By whoever asks, to the holder, and once.
    assert closing.claim_capital(system, retired, holder.address, attacker) == 75 * USD
    assert closing.claim_capital(system, retired, other_holder.address, attacker) == 25 * USD
    height = chain.blocks.height
    assert closing.claim_capital(system, retired, holder.address, attacker) == 0
    assert closing.claim_capital(system, retired, attacker.address, attacker) == 0
    assert chain.blocks.height == height
    assert system.stablecoin.balanceOf(holder) == 75 * USD


def test_deposit_proceeds__more_than_is_held__is_refused_before_anything_is_sent(
    scenario: Scenario, retired: int, customer: AccountAPI
) -> None:
    height = chain.blocks.height

    with pytest.raises(DeploymentError, match="holds 0 units of stablecoin, not 1"):
        closing.deposit_proceeds(
            scenario.system, retired, 1, ProceedsKind.OTHER, REFERENCE, customer
        )

    assert chain.blocks.height == height


def test_deposit_proceeds__cluster_that_is_not_retired__is_the_contracts_to_refuse(
    scenario: Scenario, cluster_id: int, customer: AccountAPI
) -> None:
    system = scenario.system
    scenario.give_usd(customer, USD)

    with reverts(system.capital.CapitalProceeds_BooksOpen, clusterId=cluster_id):
        closing.deposit_proceeds(system, cluster_id, USD, ProceedsKind.SALE, REFERENCE, customer)
