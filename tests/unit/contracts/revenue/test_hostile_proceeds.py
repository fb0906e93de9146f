"""CapitalProceeds whose stablecoin turns hostile after proceeds were taken.

As of the waterfall's income: paid, or refused by name, and no more owed than is held but for what
the stablecoin itself took.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
from ape.api import AccountAPI
from ape.contracts import ContractInstance

from scripts._lib.deployment import RoleHolders, deploy_system
from tests.support.hostile import (
    REENTRANT,
    Hostile,
    Moment,
    Vice,
    deploy_hostile,
    error,
    less_fee,
)
from tests.support.income import UINT256_MAX
from tests.support.scenario import SHARE, USD, Scenario

PROCEEDS = 100 * USD
HALF = PROCEEDS // 2
MORE = 60 * USD
REFERENCE = b"\x44" * 32
TRANSFERS = [Moment.BEFORE_TRANSFER, Moment.AFTER_TRANSFER]


@dataclass(frozen=True)
class Stage:
    """A retired cluster of two equal holders, whose sale brought `PROCEEDS`."""

    hostile: Hostile
    capital: ContractInstance
    cluster_id: int
    payer: AccountAPI

    @property
    def deposit(self) -> tuple[Any, ...]:
        """The payer's call that pays `MORE`."""
        arguments = (self.cluster_id, MORE, 0, REFERENCE)
        return (self.payer, self.capital, "depositProceeds", *arguments)

    def claim(self, owner: AccountAPI) -> tuple[Any, ...]:
        """Anybody's call that pays `owner`."""
        return (self.payer, self.capital, "claimCapital", self.cluster_id, owner)

    @property
    def received(self) -> int:
        return int(self.hostile.see(self.capital, "proceeds", self.cluster_id)["receivedUsd6"])

    @property
    def surplus(self) -> int:
        """What is held beyond all that is owed; negative where more is owed."""
        paid = self.hostile.see(self.capital, "proceeds", self.cluster_id)["paidUsd6"]
        return self.hostile.balance(self.capital) - (self.received - int(paid))


@pytest.fixture(scope="module")
def stage(
    scenario: Scenario,
    deployer: AccountAPI,
    role_holders: RoleHolders,
    customer: AccountAPI,
    holder: AccountAPI,
    other_holder: AccountAPI,
) -> Iterator[Stage]:
    with deploy_hostile(deployer) as hostile:
        system = deploy_system(deployer, role_holders, stablecoin=hostile.usd.address)
        scenario = replace(scenario, system=system)
        cluster_id, _ = scenario.live_cluster([holder, other_holder], [SHARE, SHARE])
        system.registry.retire(cluster_id, sender=scenario.issuer)
        hostile.do(customer, hostile.usd, "mint", customer, 10 * PROCEEDS)
        hostile.do(customer, hostile.usd, "approve", system.capital, UINT256_MAX)
        arguments = (cluster_id, PROCEEDS, 0, REFERENCE)
        hostile.do(customer, system.capital, "depositProceeds", *arguments)
        yield Stage(hostile, system.capital, cluster_id, customer)


def short(received: int) -> bytes:
    return error("CapitalProceeds_Short(uint256,uint256)", MORE, received)


@pytest.mark.parametrize("vice", Vice, ids=str)
def test_deposit_proceeds__stablecoin_with_a_vice__taken_whole_or_refused_by_name(
    stage: Stage, holder: AccountAPI, vice: Vice
) -> None:
    hostile = stage.hostile
    failed = error("SafeERC20FailedOperation(address)", hostile.usd)
    refusal = {
        Vice.FEE: short(less_fee(MORE)),
        Vice.FEE_OF_ALL: short(0),
        Vice.MOVES_NOTHING: short(0),
        Vice.RETURNS_FALSE: failed,
        Vice.RETURNS_TWO: failed,
        Vice.PAUSED: error("HostileUsd_Paused()"),
        Vice.HIDES_BALANCES: error("HostileUsd_BalancesHidden()"),
    }.get(vice)
    hostile.turn(vice)
    assert hostile.refusal(*stage.deposit) == refusal
    if refusal is None:
        hostile.do(*stage.deposit)
    hostile.turn(Vice.NONE)
    assert stage.received == PROCEEDS + (0 if refusal else MORE)
    assert stage.surplus == 0
    hostile.do(*stage.deposit)
    hostile.do(*stage.claim(holder))
    assert hostile.balance(holder) == (PROCEEDS + MORE * (1 if refusal else 2)) // 2
    assert stage.surplus == 0


@pytest.mark.parametrize("vice", Vice, ids=str)
def test_claim_capital__stablecoin_with_a_vice__paid_or_refused_and_nobody_else_touched(
    stage: Stage, holder: AccountAPI, other_holder: AccountAPI, vice: Vice
) -> None:
    hostile = stage.hostile
    failed = error("SafeERC20FailedOperation(address)", hostile.usd)
    refusal = {
        Vice.RETURNS_FALSE: failed,
        Vice.RETURNS_TWO: failed,
        Vice.PAUSED: error("HostileUsd_Paused()"),
    }.get(vice)
    hostile.turn(vice)
    assert hostile.refusal(*stage.claim(holder)) == refusal
    if refusal is None:
        hostile.do(*stage.claim(holder))
    hostile.turn(Vice.NONE)
    if refusal is not None:
        hostile.do(*stage.claim(holder))
    arrived = {Vice.FEE: less_fee(HALF), Vice.FEE_OF_ALL: 0, Vice.MOVES_NOTHING: 0}
    assert hostile.balance(holder) == arrived.get(vice, HALF)
    taken = {Vice.SURCHARGE: HALF // 100, Vice.MOVES_NOTHING: -HALF}.get(vice, 0)
    assert stage.surplus == -taken
    if taken > 0:
        held = hostile.balance(stage.capital)
        assert hostile.refusal(*stage.claim(other_holder)) == error(
            "ERC20InsufficientBalance(address,uint256,uint256)", stage.capital, held, HALF
        )
        hostile.do(stage.payer, hostile.usd, "transfer", stage.capital, taken)
    hostile.do(*stage.claim(other_holder))
    assert hostile.balance(other_holder) == HALF


def test_claim_capital__stablecoin_blacklists_a_holder__only_that_one_waits(
    stage: Stage, holder: AccountAPI, other_holder: AccountAPI
) -> None:
    hostile = stage.hostile
    hostile.blacklist(holder)
    refusal = error("HostileUsd_Blacklisted(address)", holder)
    assert hostile.refusal(*stage.claim(holder)) == refusal
    hostile.do(*stage.claim(other_holder))
    hostile.blacklist(None)
    hostile.do(*stage.claim(holder))
    assert hostile.balance(holder) == hostile.balance(other_holder) == HALF


@pytest.mark.parametrize("moment", TRANSFERS, ids=str)
@pytest.mark.parametrize("outer", ["depositProceeds", "claimCapital"])
def test_claim_capital__stablecoin_calls_back__refused_inside_and_counted_once(
    stage: Stage, holder: AccountAPI, other_holder: AccountAPI, outer: str, moment: Moment
) -> None:
    hostile = stage.hostile
    hostile.call_back(
        moment,
        (stage.capital, "claimCapital", stage.cluster_id, holder),
        (stage.capital, "claimCapital", stage.cluster_id, other_holder),
        (stage.capital, "depositProceeds", stage.cluster_id, 1, 0, REFERENCE),
        # Open to all: it writes down what is so already.
        (stage.capital, "settle", stage.cluster_id, other_holder),
    )
    deposits = outer == "depositProceeds"
    hostile.do(*(stage.deposit if deposits else stage.claim(holder)))
    assert hostile.answers() == [REENTRANT] * 3 + [None]
    assert stage.received == PROCEEDS + (MORE if deposits else 0)
    assert stage.surplus == 0
    if deposits:
        hostile.do(*stage.claim(holder))
    hostile.do(*stage.claim(other_holder))
    assert hostile.balance(holder) == hostile.balance(other_holder) == stage.received // 2


def test_claim_capital__stablecoin_calls_in_a_transfer_of_others__only_being_inside_was_refused(
    stage: Stage, holder: AccountAPI, other_holder: AccountAPI
) -> None:
    hostile = stage.hostile
    hostile.call_back(
        Moment.AFTER_TRANSFER,
        (stage.capital, "claimCapital", stage.cluster_id, holder),
        (stage.capital, "claimCapital", stage.cluster_id, other_holder),
    )
    hostile.do(stage.payer, hostile.usd, "transfer", holder, 0)
    assert hostile.answers() == [None, None]
    assert hostile.balance(holder) == hostile.balance(other_holder) == HALF


@pytest.mark.parametrize("moment", TRANSFERS, ids=str)
@pytest.mark.parametrize(
    ("change", "refusal"),
    [(1, short(MORE + 1)), (-1, short(MORE - 1)), (-MORE, short(0)), (-MORE - 1, short(0))],
    ids=["up", "down", "down by all", "below what it was"],
)
def test_deposit_proceeds__balance_changed_in_the_middle__refused_and_nothing_moved(
    stage: Stage, change: int, refusal: bytes, moment: Moment
) -> None:
    hostile = stage.hostile
    balance = PROCEEDS + change + (MORE if moment is Moment.AFTER_TRANSFER else 0)
    hostile.call_back(moment, (hostile.usd, "rebase", stage.capital, balance))
    assert hostile.refusal(*stage.deposit) == refusal
    assert stage.surplus == 0
