"""Waterfall.withdrawOperatingCost: the operator takes what is final and covered."""

from __future__ import annotations

import ape
from ape import chain
from ape.api import AccountAPI
from ape.contracts import ContractInstance

from scripts._lib.roles import OPERATOR
from tests.support.income import DAY
from tests.support.revenue import CONTRACTED, ENERGY_PER_KWH, MAXIMUM, Books, open_books
from tests.support.scenario import EPOCH_SECONDS, USD, Scenario


def _reported(books: Books, energy_wh: int = 500, income_usd6: int = 100 * USD) -> int:
    """One epoch is reported, then income is distributed: its cost."""
    chain.pending_timestamp = books.start + EPOCH_SECONDS
    books.report(0, energy_wh)
    books.receive(income_usd6)
    books.distribute()
    return CONTRACTED + energy_wh * ENERGY_PER_KWH // 1_000


def test_withdraw_operating_cost__final_and_covered__paid_to_the_named_payee(
    books: Books,
    waterfall: ContractInstance,
    stablecoin: ContractInstance,
    operator: AccountAPI,
    keeper: AccountAPI,
) -> None:
    cost = _reported(books)
    receipt = waterfall.withdrawOperatingCost(books.cluster_id, keeper, sender=operator)
    assert receipt.return_value == stablecoin.balanceOf(keeper) == cost
    [event] = receipt.decode_logs(waterfall.OperatingCostWithdrawn)
    assert (event.clusterId, event.operator, event.payee) == (
        books.cluster_id,
        operator.address,
        keeper.address,
    )
    assert (event.amountUsd6, event.totalUsd6) == (cost, cost)
    assert books.state.operatorPaid == cost
    assert books.is_conserved()


def test_withdraw_operating_cost__again__only_what_became_final_since(
    books: Books, waterfall: ContractInstance, operator: AccountAPI, keeper: AccountAPI
) -> None:
    cost = _reported(books)
    waterfall.withdrawOperatingCost(books.cluster_id, keeper, sender=operator)
    with ape.reverts(
        waterfall.Waterfall_NothingToWithdraw,
        clusterId=books.cluster_id,
        account=operator.address,
    ):
        waterfall.withdrawOperatingCost(books.cluster_id, keeper, sender=operator)
    chain.pending_timestamp = books.start + 2 * EPOCH_SECONDS
    books.report(1, energy_wh=100)
    books.receive(10 * USD)
    books.distribute()
    receipt = waterfall.withdrawOperatingCost(books.cluster_id, keeper, sender=operator)
    [event] = receipt.decode_logs(waterfall.OperatingCostWithdrawn)
    second = CONTRACTED + 100 * ENERGY_PER_KWH // 1_000
    assert (event.amountUsd6, event.totalUsd6) == (second, cost + second)


def test_withdraw_operating_cost__escrowed_but_not_final__refused(
    books: Books, waterfall: ContractInstance, operator: AccountAPI
) -> None:
    books.receive(100 * USD)
    books.distribute(at=books.start + EPOCH_SECONDS)
    assert books.state.escrowed == MAXIMUM
    with ape.reverts(waterfall.Waterfall_NothingToWithdraw):
        waterfall.withdrawOperatingCost(books.cluster_id, operator, sender=operator)


def test_withdraw_operating_cost__final_but_covered_in_part__that_part(
    books: Books, waterfall: ContractInstance, operator: AccountAPI
) -> None:
    cost = _reported(books, income_usd6=100_000)
    receipt = waterfall.withdrawOperatingCost(books.cluster_id, operator, sender=operator)
    assert receipt.return_value == 100_000 < cost
    books.receive(50 * USD)
    books.distribute()
    receipt = waterfall.withdrawOperatingCost(books.cluster_id, operator, sender=operator)
    assert receipt.return_value == cost - 100_000
    assert books.is_conserved()


def test_withdraw_operating_cost__metered_part_lapsed__contracted_part_alone(
    books: Books, waterfall: ContractInstance, operator: AccountAPI
) -> None:
    books.receive(100 * USD)
    books.distribute(at=books.start + EPOCH_SECONDS + DAY)
    receipt = waterfall.withdrawOperatingCost(books.cluster_id, operator, sender=operator)
    assert receipt.return_value == CONTRACTED


def test_withdraw_operating_cost__fractions_of_a_unit__paid_down_escrowed_up_and_kept(
    scenario: Scenario,
    waterfall: ContractInstance,
    oracle_admin: AccountAPI,
    customer: AccountAPI,
    holder: AccountAPI,
    operator: AccountAPI,
) -> None:
    # A watt-hour costs 150.0015 units.
    books = open_books(scenario, oracle_admin, customer, holder, tariffUsd6PerKwh=100_001)
    paid = 0
    for epoch in range(4):
        chain.pending_timestamp = books.start + (epoch + 1) * EPOCH_SECONDS
        books.report(epoch, energy_wh=301)
        books.receive(10 * USD)
        books.distribute()
        due = waterfall.operatorDueUsd6(books.cluster_id)
        final = (epoch + 1) * (CONTRACTED * 10_000 + 301 * 1_500_015) // 10_000
        assert due.finalDown == final
        paid += waterfall.withdrawOperatingCost(
            books.cluster_id, operator, sender=operator
        ).return_value
        assert paid == final
    assert paid == 4 * (CONTRACTED + 45_150) + 1, "four fractions make a unit"
    assert books.is_conserved()


def test_withdraw_operating_cost__never_any_income__refused(
    books: Books, waterfall: ContractInstance, operator: AccountAPI
) -> None:
    with ape.reverts(waterfall.Waterfall_NothingToWithdraw):
        waterfall.withdrawOperatingCost(books.cluster_id, operator, sender=operator)


def test_withdraw_operating_cost__not_the_operator__refused(
    books: Books, waterfall: ContractInstance, issuer: AccountAPI, attacker: AccountAPI
) -> None:
    _reported(books)
    for account in (attacker, issuer):
        with ape.reverts(
            waterfall.Authorised_MissingPower,
            account=account.address,
            power=OPERATOR,
            clusterId=books.cluster_id,
        ):
            waterfall.withdrawOperatingCost(books.cluster_id, account, sender=account)


def test_withdraw_operating_cost__payee_blacklisted__operator_names_another(
    books: Books,
    waterfall: ContractInstance,
    stablecoin: ContractInstance,
    deployer: AccountAPI,
    operator: AccountAPI,
    keeper: AccountAPI,
) -> None:
    cost = _reported(books)
    stablecoin.blacklist(keeper, sender=deployer)
    with ape.reverts("Blacklistable: account is blacklisted"):
        waterfall.withdrawOperatingCost(books.cluster_id, keeper, sender=operator)
    waterfall.withdrawOperatingCost(books.cluster_id, operator, sender=operator)
    assert stablecoin.balanceOf(operator) == cost


def test_withdraw_operating_cost__suspended_retired_or_paused__still_paid(
    books: Books,
    waterfall: ContractInstance,
    registry: ContractInstance,
    scenario: Scenario,
    guardian: AccountAPI,
    issuer: AccountAPI,
    operator: AccountAPI,
) -> None:
    cost = _reported(books)
    waterfall.pauseInflow(3_600, sender=guardian)
    registry.suspend(books.cluster_id, sender=scenario.registrar)
    registry.retire(books.cluster_id, sender=issuer)
    receipt = waterfall.withdrawOperatingCost(books.cluster_id, operator, sender=operator)
    assert receipt.return_value == cost
