"""CapitalProceeds.settle and its views: exact, beside fractions, whoever settles and when."""

from __future__ import annotations

from fractions import Fraction
from random import Random

import pytest
from ape.api import AccountAPI
from ape.contracts import ContractInstance

from scripts._lib import roles
from tests.support.capital import Ending, open_ending
from tests.support.income import SCALE
from tests.support.scenario import SHARE, USD, Scenario

DEPOSITS = [1, 2, 3, 999_999_999, 10**12 + 7, 1, 5 * USD]


class Proceeds:
    """One cluster's proceeds by definition: the index is the whole number of 2⁻⁷² × 10⁻⁶ dollars
    that a share unit has been due, and each holder has balance × index, deposit by deposit."""

    def __init__(self, balances: dict[AccountAPI, int]) -> None:
        self.balances = balances
        self.supply = sum(balances.values())
        self.received = 0
        self.capital = {owner: Fraction(0) for owner in balances}
        self.exact = dict(self.capital)

    @property
    def index(self) -> int:
        return int(Fraction(self.received * SCALE, self.supply))

    def deposit(self, amount: int) -> None:
        before = self.index
        self.received += amount
        for owner, balance in self.balances.items():
            self.capital[owner] += Fraction(balance * (self.index - before), SCALE)
            self.exact[owner] += Fraction(amount * balance, self.supply)

    def move(self, owner: AccountAPI, to: AccountAPI, amount: int) -> None:
        self.balances[owner] -= amount
        self.balances[to] += amount

    @property
    def remainder(self) -> Fraction:
        return self.received - Fraction(self.index * self.supply, SCALE)


@pytest.fixture
def capital(ending: Ending) -> ContractInstance:
    return ending.capital


@pytest.mark.parametrize("poked", [False, True])
def test_settle__deposits_orders_and_claims__everybody_has_exactly_their_fractions(
    ending: Ending,
    capital: ContractInstance,
    scenario: Scenario,
    stablecoin: ContractInstance,
    authority: ContractInstance,
    admin: AccountAPI,
    holder: AccountAPI,
    other_holder: AccountAPI,
    keeper: AccountAPI,
    attacker: AccountAPI,
    poked: bool,
) -> None:
    """Each deposit after an order or a delivery of an odd amount; in one run everybody is settled
    all the time, in the other nobody but by the share."""
    scenario.attest(keeper)
    owners = [holder, other_holder, keeper]
    model = Proceeds({holder: 300 * SHARE, other_holder: 100 * SHARE, keeper: 0})
    authority.grantRole(roles.ENCUMBRANCER_ROLE, attacker, 0, sender=admin)
    ending.share.closeBooks(sender=attacker)
    random = Random(72)
    for number, amount in enumerate(DEPOSITS):
        ending.deposit(amount)
        model.deposit(amount)
        if poked:
            for owner in owners:
                capital.settle(ending.cluster_id, owner, sender=attacker)
        sender = random.choice([owner for owner in owners if model.balances[owner]])
        receiver = owners[number % 3]
        moved = random.randint(1, model.balances[sender])
        if sender == receiver or number % 2:
            ending.share.encumber(attacker, moved, sender=sender)
            ending.share.transferFrom(sender, receiver, moved, sender=attacker)
        else:
            ending.force(sender, receiver, moved)
            ending.freeze(sender, 0)
        model.move(sender, receiver, moved)
        payee = owners[number % 2]
        if capital.claimableCapitalUsd6(ending.cluster_id, payee):
            ending.claim(payee)

        state = capital.proceeds(ending.cluster_id)
        assert (state.receivedUsd6, state.index) == (model.received, model.index)
        assert Fraction(state.remainder, SCALE) == model.remainder
        for owner in owners:
            assert ending.capital_of(owner) == model.capital[owner]
            # By how much the index can have rounded, over all deposits: far below a unit.
            error = abs(model.capital[owner] - model.exact[owner])
            assert error < Fraction((number + 1) * model.supply, SCALE) < Fraction(1, 2**30)
        assert ending.is_conserved(*owners)
        held = sum(model.capital.values()) + model.remainder - state.paidUsd6
        assert stablecoin.balanceOf(capital) == held


def test_settle__all_claimed__less_than_a_unit_a_holder_is_left(
    ending: Ending,
    capital: ContractInstance,
    stablecoin: ContractInstance,
    holder: AccountAPI,
    other_holder: AccountAPI,
) -> None:
    for amount in DEPOSITS:
        ending.deposit(amount)
    for owner in (holder, other_holder):
        ending.claim(owner)
        assert capital.earnedCapital(ending.cluster_id, owner) < SCALE
    assert stablecoin.balanceOf(capital) <= 2
    assert (
        stablecoin.balanceOf(capital)
        == sum(DEPOSITS) - capital.proceeds(ending.cluster_id).paidUsd6
    )


def test_settle__by_anyone_at_any_time__changes_nothing_that_can_be_seen(
    ending: Ending, capital: ContractInstance, holder: AccountAPI, attacker: AccountAPI
) -> None:
    ending.deposit(12_345)
    before = ending.capital_of(holder)
    state = capital.proceeds(ending.cluster_id)
    for _ in range(2):
        receipt = capital.settle(ending.cluster_id, holder, sender=attacker)
        assert list(receipt.events) == []
        assert ending.capital_of(holder) == before
        assert capital.proceeds(ending.cluster_id) == state


def test_settle__before_any_proceeds_or_of_no_cluster__nothing(
    ending: Ending, capital: ContractInstance, holder: AccountAPI, attacker: AccountAPI
) -> None:
    capital.settle(ending.cluster_id, holder, sender=attacker)
    capital.settle(10_000, holder, sender=attacker)
    assert capital.earnedCapital(ending.cluster_id, holder) == 0
    assert capital.proceeds(10_000) == capital.proceeds(ending.cluster_id) == (0, 0, 0, 0)


def test_settle__supply_that_divides_nothing__remainder_is_carried_to_the_next(
    scenario: Scenario, customer: AccountAPI, deployer: AccountAPI, holder: AccountAPI
) -> None:
    supply = SHARE + 1
    ending = open_ending(scenario, customer, deployer, {holder: supply})
    ending.retire()
    carried = []
    for amount in (1, 1, 1):
        ending.deposit(amount)
        carried.append(ending.capital.proceeds(ending.cluster_id).remainder)
    assert carried == [n * SCALE % supply for n in (1, 2, 3)]
    assert len(set(carried)) == 3
    assert ending.is_conserved(holder)
