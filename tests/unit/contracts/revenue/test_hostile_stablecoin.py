"""Waterfall whose stablecoin turns hostile after income was taken.

Every vice of `HostileUsd` against every way in which money enters and leaves: supported, deferred,
or refused by name. Whatever happens, the waterfall owes no more than it holds, but for what the
stablecoin itself took from it; that is the loss of whoever withdraws last, of all its clusters.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
from ape.api import AccountAPI
from ape.contracts import ContractInstance

from scripts._lib import roles
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
from tests.support.income import DAY
from tests.support.oracle import let_name_reporters
from tests.support.revenue import REF, SHARES, Books, open_books
from tests.support.scenario import EPOCH_SECONDS, USD, Scenario

INCOME = 100 * USD
MORE = 50 * USD
SERVICE = 5 * USD
DRAWN = 3 * USD
DOCUMENT = b"\x44" * 32
WITHDRAWALS = ["withdrawOperatingCost", "withdrawTranche", "drawReserve"]
TRANSFERS = [Moment.BEFORE_TRANSFER, Moment.AFTER_TRANSFER]


@dataclass(frozen=True)
class Stage:
    """A cluster that has split `INCOME`, and a neighbour with `INCOME` that is not split."""

    hostile: Hostile
    books: Books
    neighbour_id: int
    payee: AccountAPI

    @property
    def waterfall(self) -> ContractInstance:
        return self.books.waterfall

    @property
    def states(self) -> list[Any]:
        """The books of both clusters."""
        ids = (self.books.cluster_id, self.neighbour_id)
        return [self.hostile.see(self.waterfall, "state", each) for each in ids]

    @property
    def surplus(self) -> int:
        """What the waterfall holds beyond all that it owes; negative where it owes more."""
        owed = 0
        for s in self.states:
            levels = ("operatorAssigned", "tranchesAssigned", "reserveAssigned", "holdersAssigned")
            assert s["received"] == s["undistributed"] + sum(s[level] for level in levels)
            out = ("operatorPaid", "tranchesPaid", "reserveDrawn", "holdersStreamed")
            owed += s["received"] - sum(s[each] for each in out)
        return self.hostile.balance(self.waterfall) - owed

    @property
    def income(self) -> tuple[Any, ...]:
        """The customer's call that pays `MORE`."""
        call = ("receiveIncome", self.books.cluster_id, MORE, 0, REF)
        return (self.books.customer, self.waterfall, *call)

    def withdrawal(self, function: str) -> tuple[tuple[Any, ...], int, Any]:
        """The call, what it pays, and to whom."""
        cluster_id, scenario = self.books.cluster_id, self.books.scenario
        sender, arguments, amount, payee = {
            "withdrawOperatingCost": (
                scenario.operator,
                (self.payee,),
                self.states[0]["operatorEarned"],
                self.payee,
            ),
            "withdrawTranche": (self.payee, (self.books.senior,), SERVICE, self.books.senior),
            "drawReserve": (scenario.trustee, (DRAWN, self.payee, DOCUMENT), DRAWN, self.payee),
        }[function]
        return (sender, self.waterfall, function, cluster_id, *arguments), amount, payee

    def withdraw_everything(self) -> None:
        """All three withdrawals, each with its amount."""
        for function in WITHDRAWALS:
            call, amount, payee = self.withdrawal(function)
            before = self.hostile.balance(payee)
            self.hostile.do(*call)
            assert self.hostile.balance(payee) == before + amount > 0


@pytest.fixture(scope="module")
def stage(
    scenario: Scenario,
    deployer: AccountAPI,
    role_holders: RoleHolders,
    admin: AccountAPI,
    oracle_admin: AccountAPI,
    customer: AccountAPI,
    holder: AccountAPI,
    keeper: AccountAPI,
) -> Iterator[Stage]:
    with deploy_hostile(deployer) as hostile:
        system = deploy_system(deployer, role_holders, stablecoin=hostile.usd.address)
        let_name_reporters(system, oracle_admin, admin)
        scenario = replace(scenario, system=system)
        neighbour_id, _ = scenario.live_cluster([holder], [SHARES])
        books = open_books(scenario, oracle_admin, customer, holder)
        books.waterfall.receiveIncome(neighbour_id, INCOME, 0, REF, sender=customer)
        books.senior.accrue(SERVICE, 0, sender=customer)
        books.receive(INCOME, at=books.start + EPOCH_SECONDS)
        books.report(0, energy_wh=100)
        books.distribute()
        yield Stage(hostile, books, neighbour_id, keeper)


def streamed_or_deferred(stage: Stage) -> bytes | None:
    """Distribute: the reason for which the holders' part was deferred; None if it was streamed."""
    receipt = stage.books.distribute()
    deferred = receipt.decode_logs(stage.waterfall.HoldersDeferred)
    streamed = receipt.decode_logs(stage.waterfall.HoldersStreamed)
    assert len(deferred) + len(streamed) == 1
    return bytes(deferred[0].reason) if deferred else None


@pytest.mark.parametrize("vice", Vice, ids=str)
def test_receive_income__stablecoin_with_a_vice__what_arrived_or_refused_by_name(
    stage: Stage, vice: Vice
) -> None:
    hostile = stage.hostile
    failed = error("SafeERC20FailedOperation(address)", hostile.usd)
    refusal = {
        Vice.FEE_OF_ALL: error("Waterfall_ZeroAmount()"),
        Vice.MOVES_NOTHING: error("Waterfall_ZeroAmount()"),
        Vice.RETURNS_FALSE: failed,
        Vice.RETURNS_TWO: failed,
        Vice.PAUSED: error("HostileUsd_Paused()"),
        Vice.HIDES_BALANCES: error("HostileUsd_BalancesHidden()"),
    }.get(vice)
    hostile.turn(vice)
    assert hostile.refusal(*stage.income) == refusal
    if refusal is None:
        hostile.do(*stage.income)
    hostile.turn(Vice.NONE)
    arrived = 0 if refusal else less_fee(MORE) if vice is Vice.FEE else MORE
    assert stage.states[0]["received"] == INCOME + arrived
    assert stage.surplus == 0
    hostile.do(*stage.income)
    assert streamed_or_deferred(stage) is None
    stage.withdraw_everything()
    assert stage.surplus == 0


@pytest.mark.parametrize("vice", Vice, ids=str)
def test_distribute__stablecoin_with_a_vice__split_as_ever_and_streamed_or_deferred(
    stage: Stage, vice: Vice
) -> None:
    hostile, before = stage.hostile, stage.states[0]
    hostile.do(*stage.income)
    hostile.turn(vice)
    reason = streamed_or_deferred(stage)
    hostile.turn(Vice.NONE)
    after = stage.states[0]
    assert after["undistributed"] == 0
    assert after["operatorAssigned"] >= before["operatorAssigned"]
    assert after["reserveAssigned"] > before["reserveAssigned"]
    holders = after["holdersAssigned"] - before["holdersAssigned"]
    assert holders > MORE * 8 // 10
    short = "ClusterShare_FundingShort(uint256,uint256)"
    assert reason == {
        Vice.FEE: error(short, holders, less_fee(holders)),
        Vice.FEE_OF_ALL: error(short, holders, 0),
        Vice.MOVES_NOTHING: error(short, holders, 0),
        Vice.RETURNS_FALSE: error("SafeERC20FailedOperation(address)", hostile.usd),
        Vice.RETURNS_TWO: (2).to_bytes(32, "big"),
        Vice.REFUSES_APPROVAL: b"\0" * 32,
        Vice.PAUSED: error("HostileUsd_Paused()"),
        Vice.HIDES_BALANCES: error("HostileUsd_BalancesHidden()"),
    }.get(vice)
    taken = holders // 100 if vice is Vice.SURCHARGE else 0
    assert stage.surplus == -taken
    if reason is not None:
        assert after["holdersStreamed"] == before["holdersStreamed"]
        # An approval that was made, whatever it answered, stands until the next one replaces it.
        allowance = holders if vice is Vice.RETURNS_TWO else 0
        found = hostile.see(hostile.usd, "allowance", stage.waterfall, stage.books.share)
        assert found == allowance
        assert streamed_or_deferred(stage) is None
    funded = hostile.see(stage.books.share, "streamState")["fundedUsd6"]
    assert funded == hostile.balance(stage.books.share) == after["holdersAssigned"]
    stage.withdraw_everything()
    assert stage.surplus == -taken


@pytest.mark.parametrize("function", WITHDRAWALS)
@pytest.mark.parametrize("vice", Vice, ids=str)
def test_withdraw__stablecoin_with_a_vice__paid_or_refused_and_nobody_else_touched(
    stage: Stage, vice: Vice, function: str
) -> None:
    hostile = stage.hostile
    call, due, payee = stage.withdrawal(function)
    failed = error("SafeERC20FailedOperation(address)", hostile.usd)
    refusal = {
        Vice.RETURNS_FALSE: failed,
        Vice.RETURNS_TWO: failed,
        Vice.PAUSED: error("HostileUsd_Paused()"),
    }.get(vice)
    before = stage.states
    hostile.turn(vice)
    assert hostile.refusal(*call) == refusal
    if refusal is None:
        hostile.do(*call)
    hostile.turn(Vice.NONE)
    if refusal is not None:
        hostile.do(*call)
    arrived = {Vice.FEE: less_fee(due), Vice.FEE_OF_ALL: 0, Vice.MOVES_NOTHING: 0}.get(vice, due)
    assert hostile.balance(payee) == arrived
    name = {"withdrawOperatingCost": "operatorPaid", "withdrawTranche": "tranchesPaid"}
    after = stage.states
    assert after[0][name.get(function, "reserveDrawn")] == due
    assert after[0]["undistributed"] == before[0]["undistributed"] == 0
    assert after[1]["undistributed"] == before[1]["undistributed"] == INCOME
    taken = {Vice.SURCHARGE: due // 100, Vice.MOVES_NOTHING: -due}.get(vice, 0)
    assert stage.surplus == -taken


@pytest.mark.parametrize("vice", [Vice.FEE, Vice.RETURNS_FALSE, Vice.REFUSES_APPROVAL], ids=str)
def test_draw_reserve__stablecoin_with_a_vice_and_income_not_split__split_and_deferred_before(
    stage: Stage, vice: Vice
) -> None:
    hostile = stage.hostile
    hostile.do(*stage.income)
    call, due, payee = stage.withdrawal("drawReserve")
    hostile.turn(vice)
    if vice is Vice.RETURNS_FALSE:
        failed = error("SafeERC20FailedOperation(address)", hostile.usd)
        assert hostile.refusal(*call) == failed
        hostile.turn(Vice.NONE)
        assert stage.states[0]["undistributed"] == MORE
        return
    hostile.do(*call)
    hostile.turn(Vice.NONE)
    state = stage.states[0]
    assert hostile.balance(payee) == (less_fee(due) if vice is Vice.FEE else due)
    assert state["undistributed"] == 0
    assert state["holdersStreamed"] < state["holdersAssigned"]
    assert stage.surplus == 0
    assert streamed_or_deferred(stage) is None


@pytest.mark.parametrize("listed", ["customer", "payee", "tranche", "share", "waterfall"])
def test_withdraw__stablecoin_blacklists__only_who_is_listed_waits(
    stage: Stage, listed: str
) -> None:
    hostile, books = stage.hostile, stage.books
    hostile.do(*stage.income)
    account = {
        "customer": books.customer,
        "payee": stage.payee,
        "tranche": books.senior,
        "share": books.share,
        "waterfall": stage.waterfall,
    }[listed]
    refusal = error("HostileUsd_Blacklisted(address)", account)
    hostile.blacklist(account)
    all_stop = listed == "waterfall"
    assert hostile.refusal(*stage.income) == (refusal if all_stop or listed == "customer" else None)
    for function in WITHDRAWALS:
        call, _, payee = stage.withdrawal(function)
        is_listed = payee.address == account.address
        assert hostile.refusal(*call) == (refusal if all_stop or is_listed else None)
    reason = refusal if listed in ("share", "waterfall") else None
    assert streamed_or_deferred(stage) == reason
    assert stage.surplus == 0
    hostile.blacklist(None)
    hostile.do(*stage.income)
    assert streamed_or_deferred(stage) is None
    stage.withdraw_everything()
    assert stage.surplus == 0


@pytest.fixture
def powerful(stage: Stage, registrar: AccountAPI) -> Stage:
    """The stablecoin itself is operator and trustee, and has money that the waterfall may take."""
    scenario, usd = stage.books.scenario, stage.hostile.usd
    for power, granter in ((roles.OPERATOR, scenario.issuer), (roles.TRUSTEE, registrar)):
        role = roles.over(power, stage.books.cluster_id)
        scenario.system.authority.grantRole(role, usd, 0, sender=granter)
    stage.hostile.do(stage.payee, usd, "mint", usd, INCOME)
    stage.hostile.call_back(Moment.APPROVAL, (usd, "approve", stage.waterfall, INCOME))
    stage.hostile.do(stage.payee, usd, "approve", usd, 0)
    return stage


def calls_of_all_powers(stage: Stage) -> list[tuple[Any, ...]]:
    cluster_id, usd = stage.books.cluster_id, stage.hostile.usd
    return [
        (stage.waterfall, "withdrawOperatingCost", cluster_id, usd),
        (stage.waterfall, "withdrawTranche", cluster_id, stage.books.senior),
        (stage.waterfall, "drawReserve", cluster_id, 1, usd, DOCUMENT),
        (stage.waterfall, "receiveIncome", cluster_id, 5, 0, REF),
        (stage.waterfall, "distribute", cluster_id),
        (stage.waterfall, "distribute", stage.neighbour_id),
        (stage.waterfall, "applySpec", cluster_id),
    ]


@pytest.mark.parametrize(
    ("outer", "moment"),
    [
        *((outer, moment) for outer in ["receiveIncome", *WITHDRAWALS] for moment in TRANSFERS),
        *(("distribute", moment) for moment in Moment),
    ],
)
def test_waterfall__stablecoin_calls_back_with_every_power__refused_inside_and_counted_once(
    powerful: Stage, outer: str, moment: Moment
) -> None:
    stage, hostile = powerful, powerful.hostile
    calls = {
        "receiveIncome": stage.income,
        "distribute": (stage.payee, stage.waterfall, "distribute", stage.neighbour_id),
    }
    call = calls.get(outer) or stage.withdrawal(outer)[0]
    before = stage.states
    hostile.call_back(moment, *calls_of_all_powers(stage))
    hostile.do(*call)
    assert hostile.answers() == [REENTRANT] * 7
    after = stage.states
    name, amount = {
        "receiveIncome": ("received", MORE),
        "withdrawOperatingCost": ("operatorPaid", before[0]["operatorEarned"]),
        "withdrawTranche": ("tranchesPaid", SERVICE),
        "drawReserve": ("reserveDrawn", DRAWN),
    }.get(outer, ("received", 0))
    assert after[0][name] - before[0][name] == amount
    if outer == "distribute":
        assert after[1]["undistributed"] == 0
        assert after[1]["holdersStreamed"] == after[1]["holdersAssigned"] > 0
    assert stage.surplus == 0


def test_waterfall__stablecoin_calls_in_a_transfer_of_others__nothing_but_being_inside_was_refused(
    powerful: Stage,
) -> None:
    stage, hostile = powerful, powerful.hostile
    hostile.call_back(Moment.BEFORE_TRANSFER, *calls_of_all_powers(stage))
    hostile.do(stage.books.customer, hostile.usd, "transfer", stage.payee, 0)
    *done, no_spec = hostile.answers()
    assert done == [None] * 6
    assert no_spec is not None
    assert no_spec[:4] == error("Waterfall_NoSpecToApply(uint32,uint32,uint32)", 0, 0, 0)[:4]
    assert stage.surplus == 0


@pytest.mark.parametrize("moment", TRANSFERS, ids=str)
@pytest.mark.parametrize(
    ("change", "refusal"),
    [
        (1, None),
        (-1, None),
        (-MORE, error("Waterfall_ZeroAmount()")),
        (-MORE - 1, error("Waterfall_ZeroAmount()")),
    ],
    ids=["up", "down", "down by all", "below what it was"],
)
def test_receive_income__balance_changed_in_the_middle__what_is_there_counts(
    stage: Stage, change: int, refusal: bytes | None, moment: Moment
) -> None:
    hostile = stage.hostile
    arrived = MORE if moment is Moment.AFTER_TRANSFER else 0
    balance = hostile.balance(stage.waterfall) + arrived + change
    hostile.call_back(moment, (hostile.usd, "rebase", stage.waterfall, balance))
    assert hostile.refusal(*stage.income) == refusal
    if refusal is None:
        hostile.do(*stage.income)
        assert stage.states[0]["received"] == INCOME + MORE + change
    assert stage.surplus == 0


def test_receive_income__holders_claim_comes_to_the_waterfall_in_the_middle__is_income_once(
    stage: Stage, holder: AccountAPI
) -> None:
    hostile, share = stage.hostile, stage.books.share
    hostile.wait(2 * DAY)
    hostile.do(holder, share, "setPayee", stage.waterfall)
    hostile.call_back(Moment.BEFORE_TRANSFER, (share, "claimFor", holder))
    hostile.do(*stage.income)
    claimed = hostile.see(share, "claimedUsd6", holder)
    assert stage.states[0]["received"] == INCOME + MORE + claimed > INCOME + MORE
    assert stage.surplus == 0


def test_withdraw__balance_taken_outside_transfers__first_are_paid_and_streams_do_not_care(
    stage: Stage, holder: AccountAPI
) -> None:
    hostile, books = stage.hostile, stage.books
    taken = hostile.balance(stage.waterfall) - 20 * USD
    hostile.rebase(stage.waterfall, 20 * USD)
    assert stage.surplus == -taken
    stage.withdraw_everything()
    # The neighbour's income is not there any more: what its holders are due waits for it.
    hostile.do(stage.payee, stage.waterfall, "distribute", stage.neighbour_id)
    waiting = stage.states[1]["holdersAssigned"]
    assert waiting > hostile.balance(stage.waterfall)
    assert stage.states[1]["holdersStreamed"] == 0
    # What was streamed is in the share, out of reach of all this.
    hostile.wait(2 * DAY)
    hostile.do(holder, books.share, "claim")
    assert hostile.balance(holder) >= stage.states[0]["holdersStreamed"] - 1
    assert stage.surplus == -taken
    hostile.do(stage.payee, hostile.usd, "mint", stage.waterfall, taken)
    hostile.do(stage.payee, stage.waterfall, "distribute", stage.neighbour_id)
    assert stage.states[1]["holdersStreamed"] >= waiting
    assert stage.surplus == 0


def test_distribute__share_empty_and_approvals_of_zero_refused__refused_by_name_until_it_can(
    stage: Stage, holder: AccountAPI
) -> None:
    hostile, books = stage.hostile, stage.books
    hostile.do(holder, books.share, "burn", SHARES)
    hostile.do(*stage.income)
    hostile.turn(Vice.REFUSES_ZERO_APPROVAL)
    call = (stage.payee, stage.waterfall, "distribute", books.cluster_id)
    refusal = error("HostileUsd_ApprovalOfZero(address)", books.share)
    assert hostile.refusal(*call) == refusal
    withdrawal, amount, payee = stage.withdrawal("withdrawTranche")
    hostile.do(*withdrawal)
    assert hostile.balance(payee) == amount
    hostile.turn(Vice.NONE)
    assert streamed_or_deferred(stage) is not None
    assert stage.surplus == 0
