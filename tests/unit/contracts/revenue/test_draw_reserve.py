"""Waterfall.drawReserve: the trustee pays for replacements."""

from __future__ import annotations

import ape
import pytest
from ape import chain
from ape.api import AccountAPI
from ape.contracts import ContractInstance

from scripts._lib.roles import TRUSTEE
from tests.support.revenue import RESERVE_TARGET, Books
from tests.support.scenario import EPOCH_SECONDS, USD, Scenario

DOCUMENT = b"\x44" * 32


@pytest.fixture
def filled(books: Books) -> Books:
    """The reserve holds its target."""
    books.receive(150 * USD)
    books.distribute()
    assert books.state.reserveAssigned == RESERVE_TARGET
    return books


def test_draw_reserve__part__paid_and_told_with_its_document(
    filled: Books,
    waterfall: ContractInstance,
    stablecoin: ContractInstance,
    trustee: AccountAPI,
    keeper: AccountAPI,
) -> None:
    waterfall.drawReserve(filled.cluster_id, 3, keeper, DOCUMENT, sender=trustee)
    receipt = waterfall.drawReserve(filled.cluster_id, 4, keeper, DOCUMENT, sender=trustee)
    [event] = receipt.decode_logs(waterfall.ReserveDrawn)
    assert (event.clusterId, event.trustee, event.payee) == (
        filled.cluster_id,
        trustee.address,
        keeper.address,
    )
    assert (event.amountUsd6, event.documentHash, event.totalUsd6) == (4, DOCUMENT, 7)
    assert stablecoin.balanceOf(keeper) == filled.state.reserveDrawn == 7
    assert filled.is_conserved()


def test_draw_reserve__drawn__filled_again_from_later_income_only(
    filled: Books, waterfall: ContractInstance, trustee: AccountAPI, keeper: AccountAPI
) -> None:
    # $70 are in and not distributed: they pass to the holders before the draw makes room.
    filled.receive(70 * USD)
    waterfall.drawReserve(filled.cluster_id, 4 * USD, keeper, DOCUMENT, sender=trustee)
    assert filled.state.undistributed == 0
    assert filled.state.reserveAssigned == RESERVE_TARGET
    filled.receive(30 * USD)
    filled.distribute()
    assert 2 * USD < filled.state.reserveAssigned - RESERVE_TARGET <= 3 * USD
    filled.receive(100 * USD)
    filled.distribute()
    assert filled.state.reserveAssigned == RESERVE_TARGET + 4 * USD
    assert filled.is_conserved()


def test_draw_reserve__more_than_it_holds__refused(
    filled: Books, waterfall: ContractInstance, trustee: AccountAPI
) -> None:
    with ape.reverts(
        waterfall.Waterfall_ReserveTooSmall, amountUsd6=RESERVE_TARGET + 1, limit=RESERVE_TARGET
    ):
        waterfall.drawReserve(
            filled.cluster_id, RESERVE_TARGET + 1, trustee, DOCUMENT, sender=trustee
        )
    with ape.reverts(waterfall.Waterfall_ReserveTooSmall, amountUsd6=2**256 - 1):
        waterfall.drawReserve(filled.cluster_id, 2**256 - 1, trustee, DOCUMENT, sender=trustee)


def test_draw_reserve__nothing__refused(
    filled: Books, waterfall: ContractInstance, trustee: AccountAPI
) -> None:
    with ape.reverts(waterfall.Waterfall_ZeroAmount):
        waterfall.drawReserve(filled.cluster_id, 0, trustee, DOCUMENT, sender=trustee)


def test_draw_reserve__not_the_trustee__refused(
    filled: Books,
    waterfall: ContractInstance,
    issuer: AccountAPI,
    operator: AccountAPI,
    attacker: AccountAPI,
) -> None:
    for account in (attacker, issuer, operator):
        with ape.reverts(
            waterfall.Authorised_MissingPower,
            account=account.address,
            power=TRUSTEE,
            clusterId=filled.cluster_id,
        ):
            waterfall.drawReserve(filled.cluster_id, 1, account, DOCUMENT, sender=account)


def test_draw_reserve__retired_and_resolved__reserve_is_no_more(
    filled: Books,
    waterfall: ContractInstance,
    registry: ContractInstance,
    issuer: AccountAPI,
    trustee: AccountAPI,
) -> None:
    registry.retire(filled.cluster_id, sender=issuer)
    chain.pending_timestamp = filled.start + EPOCH_SECONDS
    filled.report(0, energy_wh=0)
    with ape.reverts(waterfall.Waterfall_ReserveTooSmall, amountUsd6=1, limit=0):
        waterfall.drawReserve(filled.cluster_id, 1, trustee, DOCUMENT, sender=trustee)


def test_draw_reserve__retired_and_not_resolved__still_drawn(
    filled: Books,
    waterfall: ContractInstance,
    registry: ContractInstance,
    issuer: AccountAPI,
    trustee: AccountAPI,
) -> None:
    registry.retire(filled.cluster_id, sender=issuer)
    waterfall.drawReserve(filled.cluster_id, 1, trustee, DOCUMENT, sender=trustee)
    assert filled.state.reserveDrawn == 1


def test_draw_reserve__before_live__refused(
    waterfall: ContractInstance, scenario: Scenario, trustee: AccountAPI
) -> None:
    cluster_id = scenario.register_cluster()
    with ape.reverts(waterfall.Waterfall_NotEarning, clusterId=cluster_id):
        waterfall.drawReserve(cluster_id, 1, trustee, DOCUMENT, sender=trustee)


def test_draw_reserve__tranche_unreadable__refused_until_the_senior_is_known(
    filled: Books, waterfall: ContractInstance, trustee: AccountAPI
) -> None:
    filled.senior.setUnreadable(True, sender=trustee)
    with ape.reverts(filled.senior.TestTranche_Unreadable):
        waterfall.drawReserve(filled.cluster_id, 1, trustee, DOCUMENT, sender=trustee)
    filled.senior.setUnreadable(False, sender=trustee)
    waterfall.drawReserve(filled.cluster_id, 1, trustee, DOCUMENT, sender=trustee)
    assert filled.state.reserveDrawn == 1
