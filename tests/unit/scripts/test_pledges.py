"""scripts/_lib/pledges.py: what holders pledge, to whom, and whose income it is meanwhile."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from ape import chain, reverts
from ape.api import AccountAPI
from ape.contracts import ContractInstance

from scripts._lib import operations, pledges
from scripts._lib.deployment import DeploymentError
from scripts._lib.pledges import NEVER, Pledge
from tests.support.enforcement import DAY, let_take, open_registered_share
from tests.support.income import now
from tests.support.scenario import SHARE, USD, Scenario, travel_to

OWNED = 10 * SHARE


@dataclass(frozen=True)
class Field:
    """A share that one holder has all of, whom it may be pledged to, and who funds it."""

    share: ContractInstance
    owner: AccountAPI
    taker: AccountAPI
    other_taker: AccountAPI
    funder: AccountAPI

    def encumber(self, amount: int, expires_at: int | None = None) -> Pledge:
        return pledges.encumber(self.share, self.taker.address, amount, expires_at, self.owner)

    def stream(self, amount_usd6: int) -> None:
        """Fund the share, and wait until all of it has streamed."""
        self.share.fund(amount_usd6, sender=self.funder)
        travel_to(now() + 2 * DAY)


@pytest.fixture(scope="module")
def field(
    scenario: Scenario,
    admin: AccountAPI,
    holder: AccountAPI,
    keeper: AccountAPI,
    relayer: AccountAPI,
    customer: AccountAPI,
) -> Field:
    share = open_registered_share(scenario, customer).share
    scenario.issue(share, [holder], [OWNED])
    let_take(scenario, admin, keeper, relayer)
    return Field(share, holder, keeper, relayer, customer)


def test_list_taker__twice__is_done_once(
    scenario: Scenario, admin: AccountAPI, field: Field, attacker: AccountAPI
) -> None:
    with reverts(field.share.ClusterShare_NotAnEncumbrancer, taker=attacker.address):
        pledges.encumber(field.share, attacker.address, SHARE, None, field.owner)

    assert pledges.list_taker(scenario.system, attacker.address, admin)
    height = chain.blocks.height
    assert not pledges.list_taker(scenario.system, attacker.address, admin)

    assert chain.blocks.height == height
    assert pledges.encumber(field.share, attacker.address, SHARE, None, field.owner).amount == SHARE


def test_encumber__without_an_end_and_twice__adds_up_until_released(field: Field) -> None:
    field.encumber(2 * SHARE)

    pledge = field.encumber(SHARE)

    assert pledge == Pledge(field.taker.address, 3 * SHARE, 0, NEVER, None)
    assert pledges.pledges_of(field.share, field.owner.address) == [pledge]
    assert field.share.availableBalanceOf(field.owner) == OWNED - 3 * SHARE


def test_encumber__until_a_moment__ends_then(field: Field, attacker: AccountAPI) -> None:
    ends = now() + DAY

    assert field.encumber(SHARE, ends).expires_at == ends
    with reverts(field.share.ClusterShare_EncumbranceStands, expiresAt=ends):
        pledges.release_expired(field.share, field.owner.address, field.taker.address, attacker)
    travel_to(ends)
    owner, taker = field.owner.address, field.taker.address
    assert pledges.release_expired(field.share, owner, taker, attacker) == SHARE

    assert pledges.pledges_of(field.share, owner) == []


def test_encumber__in_the_past__is_the_contracts_to_refuse(field: Field) -> None:
    with reverts(field.share.ClusterShare_ExpiryInPast, expiresAt=1):
        field.encumber(SHARE, 1)


def test_pledges_of__two_takers__are_told_oldest_first(field: Field) -> None:
    assert pledges.pledges_of(field.share, field.owner.address) == []
    pledges.encumber(field.share, field.other_taker.address, SHARE, None, field.owner)
    field.encumber(2 * SHARE)

    found = pledges.pledges_of(field.share, field.owner.address)

    assert [(pledge.taker, pledge.amount) for pledge in found] == [
        (field.other_taker.address, SHARE),
        (field.taker.address, 2 * SHARE),
    ]


def test_assign_income__part_of_a_pledge__goes_to_the_payee_until_released(
    field: Field, other_holder: AccountAPI, attacker: AccountAPI, stablecoin: ContractInstance
) -> None:
    owner, payee = field.owner.address, other_holder.address
    taker = field.taker.address
    field.encumber(8 * SHARE)
    pledges.assign_income(field.share, taker, 5 * SHARE, payee, field.owner)
    height = chain.blocks.height
    assert pledges.claim_assigned(field.share, owner, payee, attacker) == 0
    assert chain.blocks.height == height

    field.stream(100 * USD)

    assert pledges.pledges_of(field.share, owner) == [
        Pledge(taker, 8 * SHARE, 5 * SHARE, NEVER, payee)
    ]
    assert pledges.claim_assigned(field.share, owner, payee, attacker) == 50 * USD - 1
    assert stablecoin.balanceOf(payee) == 50 * USD - 1
    assert pledges.claim_assigned(field.share, owner, payee, attacker) == 0
    pledges.release(field.share, owner, None, field.taker)
    field.stream(100 * USD)
    # What is left of the first fraction is all.
    assert pledges.claim_assigned(field.share, owner, payee, attacker) == 0
    assert operations.claim(field.share, owner, field.owner) in (150 * USD - 1, 150 * USD)


def test_release__part_and_the_rest__is_what_was_given_up(field: Field) -> None:
    field.encumber(3 * SHARE)

    assert pledges.release(field.share, field.owner.address, SHARE, field.taker) == SHARE
    assert pledges.release(field.share, field.owner.address, None, field.taker) == 2 * SHARE

    assert field.share.availableBalanceOf(field.owner) == OWNED


def test_release__nothing_encumbered__is_said_and_nothing_sent(
    field: Field, attacker: AccountAPI
) -> None:
    height = chain.blocks.height

    with pytest.raises(DeploymentError, match=f"nothing to {attacker.address}"):
        pledges.release(field.share, field.owner.address, None, attacker)

    assert chain.blocks.height == height
