"""ClusterShare whose stablecoin turns hostile after income was taken.

Every vice of `HostileUsd` against every way in which money enters and leaves: supported, or refused
by name. Whatever happens, the share owes no more than it holds, but for what the stablecoin itself
took from it; that is the loss of this share's last claimants and of nobody else.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import ape
import pytest
from ape import project
from ape.api import AccountAPI
from ape.contracts import ContractInstance
from ape.managers.accounts import TestAccountManager

from scripts._lib import roles
from tests.support.hostile import (
    REENTRANT,
    Hostile,
    Moment,
    Vice,
    deploy_hostile,
    error,
    less_fee,
)
from tests.support.income import DAY, SCALE, UINT256_MAX, deploy_open_share
from tests.support.scenario import SHARE, USD, Scenario

INCOME = 10_000 * USD
MORE = 1_000 * USD
SHARES = 100 * SHARE
TRANSFERS = [Moment.BEFORE_TRANSFER, Moment.AFTER_TRANSFER]


@pytest.fixture(scope="module")
def hostile(deployer: AccountAPI) -> Iterator[Hostile]:
    with deploy_hostile(deployer) as hostile:
        yield hostile


@pytest.fixture(scope="module")
def borrower(accounts: TestAccountManager) -> AccountAPI:
    return accounts[17]


@pytest.fixture(scope="module")
def lender(accounts: TestAccountManager) -> AccountAPI:
    return accounts[18]


@pytest.fixture(scope="module")
def share(
    scenario: Scenario,
    hostile: Hostile,
    admin: AccountAPI,
    deployer: AccountAPI,
    customer: AccountAPI,
    holder: AccountAPI,
    other_holder: AccountAPI,
    borrower: AccountAPI,
    lender: AccountAPI,
) -> ContractInstance:
    """Of three equal holders, for whom `INCOME` has streamed while the stablecoin was good. The
    third has pledged all shares to the deployer and assigned their income to the lender."""
    cluster_id = scenario.register_cluster()
    scenario.open_funding(cluster_id)
    scenario.system.authority.grantRole(roles.ENCUMBRANCER_ROLE, deployer, 0, sender=admin)
    share = open_share(scenario, hostile, cluster_id, customer, [holder, other_holder, borrower])
    hostile.do(borrower, share, "encumber", deployer, SHARES)
    hostile.do(borrower, share, "assignIncome", deployer, SHARES, lender)
    stream(hostile, share, customer, INCOME)
    return share


def open_share(
    scenario: Scenario,
    hostile: Hostile,
    cluster_id: int,
    funder: AccountAPI,
    holders: list[AccountAPI],
) -> ContractInstance:
    share = deploy_open_share(scenario, cluster_id, funder, hostile.usd)
    scenario.issue(share, holders, [SHARES] * len(holders))
    hostile.do(funder, hostile.usd, "mint", funder, 10 * INCOME)
    hostile.do(funder, hostile.usd, "approve", share, UINT256_MAX)
    return share


def stream(hostile: Hostile, share: ContractInstance, funder: AccountAPI, amount_usd6: int) -> None:
    """Fund the share, and wait until all of it has streamed."""
    hostile.do(funder, share, "fund", amount_usd6)
    hostile.wait(2 * DAY)


@pytest.fixture
def owners(
    holder: AccountAPI,
    other_holder: AccountAPI,
    borrower: AccountAPI,
    lender: AccountAPI,
    keeper: AccountAPI,
    hostile: Hostile,
) -> list[tuple[Any, ...]]:
    """The views of all accounts that ever earn in these tests."""
    holders = [holder, other_holder, borrower, keeper, hostile.usd]
    assigned = ("interestState", borrower, lender)
    return [*(("accountState", each) for each in holders), assigned]


def accounts_of(
    hostile: Hostile, share: ContractInstance, owners: list[tuple[Any, ...]]
) -> list[tuple[int, int]]:
    """What each has claimed, in 10⁻⁶ dollars, and earned beside, to the last fraction."""
    states = [hostile.see(share, *view) for view in owners]
    return [(state.get("claimedUsd6", state.get("claimed")), state["earned"]) for state in states]


def incomes(hostile: Hostile, share: ContractInstance, owners: list[tuple[Any, ...]]) -> list[int]:
    """Claimed and earned of each, to the last fraction."""
    accounts = accounts_of(hostile, share, owners)
    return [claimed * SCALE + earned for claimed, earned in accounts]


def earning(hostile: Hostile, share: ContractInstance, owners: list[tuple[Any, ...]]) -> list[int]:
    """The share units whose income each gets."""
    states = [hostile.see(share, *view) for view in owners]
    return [s["units"] if "units" in s else s["balance"] - s["assigned"] for s in states]


def surplus(hostile: Hostile, share: ContractInstance, owners: list[tuple[Any, ...]]) -> int:
    """What the share holds beyond all that it owes, earned or not; negative where it owes more."""
    state = hostile.see(share, "streamState")
    accounts = accounts_of(hostile, share, owners)
    owed = state["fundedUsd6"] - sum(claimed for claimed, _ in accounts)
    streaming = state["indexRemainder"] + state["unstreamed"] + state["fundingRemainder"]
    assert owed * SCALE == sum(earned for _, earned in accounts) + streaming
    return hostile.balance(share) - int(owed)


def short(received: int) -> bytes:
    return error("ClusterShare_FundingShort(uint256,uint256)", MORE, received)


@pytest.mark.parametrize("vice", Vice, ids=str)
def test_fund__stablecoin_with_a_vice__taken_whole_or_refused_by_name(
    hostile: Hostile,
    share: ContractInstance,
    customer: AccountAPI,
    holder: AccountAPI,
    other_holder: AccountAPI,
    owners: list[tuple[Any, ...]],
    vice: Vice,
) -> None:
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
    assert hostile.refusal(customer, share, "fund", MORE) == refusal
    if refusal is None:
        hostile.do(customer, share, "fund", MORE)
    hostile.turn(Vice.NONE)
    assert surplus(hostile, share, owners) == 0
    # What was taken before, and what is from now on, is nobody's loss.
    stream(hostile, share, customer, MORE)
    for owner in (holder, other_holder):
        hostile.do(owner, share, "claim")
    funded = INCOME + MORE * (1 if refusal else 2)
    assert abs(hostile.balance(holder) - funded // 3) <= 1
    assert surplus(hostile, share, owners) == 0


@pytest.mark.parametrize("function", ["claim", "claimFor", "claimTo", "claimAssigned"])
@pytest.mark.parametrize("vice", Vice, ids=str)
def test_claim__stablecoin_with_a_vice__paid_or_refused_and_nobody_else_touched(
    hostile: Hostile,
    share: ContractInstance,
    deployer: AccountAPI,
    holder: AccountAPI,
    other_holder: AccountAPI,
    borrower: AccountAPI,
    lender: AccountAPI,
    keeper: AccountAPI,
    owners: list[tuple[Any, ...]],
    vice: Vice,
    function: str,
) -> None:
    sender, arguments, payee = {
        "claim": (holder, (), holder),
        "claimFor": (keeper, (holder,), holder),
        "claimTo": (deployer, (holder, keeper), keeper),
        "claimAssigned": (keeper, (borrower, lender), lender),
    }[function]
    claim = (sender, share, function, *arguments)
    due = others = hostile.see(share, "claimableUsd6", other_holder)
    failed = error("SafeERC20FailedOperation(address)", hostile.usd)
    refusal = {
        Vice.RETURNS_FALSE: failed,
        Vice.RETURNS_TWO: failed,
        Vice.PAUSED: error("HostileUsd_Paused()"),
    }.get(vice)
    before = incomes(hostile, share, owners)
    hostile.turn(vice)
    assert hostile.refusal(*claim) == refusal
    if refusal is None:
        hostile.do(*claim)
    hostile.turn(Vice.NONE)
    if refusal is not None:
        # It was refused, and is paid as soon as the stablecoin allows it.
        hostile.do(*claim)
    arrived = {Vice.FEE: less_fee(due), Vice.FEE_OF_ALL: 0, Vice.MOVES_NOTHING: 0}.get(vice, due)
    assert hostile.balance(payee) == arrived
    claimant = lender if function == "claimAssigned" else holder
    nothing = error("ClusterShare_NothingToClaim(address)", claimant)
    assert hostile.refusal(*claim) == nothing
    assert incomes(hostile, share, owners) == before
    taken = {Vice.SURCHARGE: due // 100, Vice.MOVES_NOTHING: -due}.get(vice, 0)
    assert surplus(hostile, share, owners) == -taken

    last = (lender, "claimAssigned", borrower, lender) if claimant is holder else (holder, "claim")
    hostile.do(last[0], share, *last[1:])
    if taken > 0:
        # The stablecoin has it: the last claimant waits until it is given back.
        held = hostile.balance(share)
        assert hostile.refusal(other_holder, share, "claim") == error(
            "ERC20InsufficientBalance(address,uint256,uint256)", share, held, others
        )
        hostile.do(keeper, hostile.usd, "mint", share, taken)
    hostile.do(other_holder, share, "claim")
    assert hostile.balance(other_holder) == others


@pytest.mark.parametrize("listed", ["holder", "payee", "share"])
def test_claim__stablecoin_blacklists__only_who_is_listed_waits(
    hostile: Hostile,
    share: ContractInstance,
    customer: AccountAPI,
    holder: AccountAPI,
    other_holder: AccountAPI,
    keeper: AccountAPI,
    owners: list[tuple[Any, ...]],
    listed: str,
) -> None:
    due = hostile.see(share, "claimableUsd6", holder)
    if listed == "payee":
        hostile.do(holder, share, "setPayee", keeper)
    account = {"holder": holder, "payee": keeper, "share": share}[listed]
    refusal = error("HostileUsd_Blacklisted(address)", account)
    hostile.blacklist(account)
    assert hostile.refusal(keeper, share, "claimFor", holder) == refusal
    others_refusal = refusal if listed == "share" else None
    assert hostile.refusal(other_holder, share, "claim") == others_refusal
    assert hostile.refusal(customer, share, "fund", MORE) == others_refusal
    if listed == "payee":
        # Whom the stablecoin lists need not stop a payout: the owner names another.
        hostile.do(holder, share, "setPayee", holder)
    else:
        hostile.blacklist(None)
    hostile.do(keeper, share, "claimFor", holder)
    assert hostile.balance(holder) == due
    assert surplus(hostile, share, owners) == 0


@pytest.mark.parametrize("moment", TRANSFERS, ids=str)
@pytest.mark.parametrize("outer", ["fund", "claim", "claimFor", "claimAssigned"])
def test_claim__stablecoin_calls_back_into_the_money__refused_inside_and_paid_once(
    hostile: Hostile,
    share: ContractInstance,
    customer: AccountAPI,
    holder: AccountAPI,
    other_holder: AccountAPI,
    borrower: AccountAPI,
    lender: AccountAPI,
    owners: list[tuple[Any, ...]],
    outer: str,
    moment: Moment,
) -> None:
    due = hostile.see(share, "claimableUsd6", holder)
    inner = [
        (share, "fund", 1),
        (share, "claim"),
        (share, "claimFor", holder),
        (share, "claimFor", other_holder),
        (share, "claimAssigned", borrower, lender),
    ]
    before = incomes(hostile, share, owners)
    hostile.call_back(moment, *inner)
    arguments = {"fund": [MORE], "claim": [], "claimFor": [holder]}
    sender = customer if outer == "fund" else holder
    hostile.do(sender, share, outer, *arguments.get(outer, [borrower, lender]))
    assert hostile.answers() == [REENTRANT] * len(inner)
    paid = {holder: outer in ("claim", "claimFor"), lender: outer == "claimAssigned"}
    for account in (holder, other_holder, lender):
        assert hostile.balance(account) == (due if paid.get(account) else 0)
    assert incomes(hostile, share, owners) == before
    assert surplus(hostile, share, owners) == 0


def test_claim__stablecoin_calls_in_a_transfer_of_others__nothing_but_being_inside_was_refused(
    hostile: Hostile,
    share: ContractInstance,
    customer: AccountAPI,
    holder: AccountAPI,
    other_holder: AccountAPI,
    borrower: AccountAPI,
    lender: AccountAPI,
    owners: list[tuple[Any, ...]],
) -> None:
    hostile.call_back(
        Moment.BEFORE_TRANSFER,
        (share, "claimFor", holder),
        (share, "claimFor", other_holder),
        (share, "claimAssigned", borrower, lender),
        (share, "fund", 1),
    )
    hostile.do(customer, hostile.usd, "transfer", holder, 0)
    not_funder = error("ClusterShare_NotTheWaterfall(address)", hostile.usd)
    assert hostile.answers() == [None, None, None, not_funder]
    assert hostile.balance(holder) == hostile.balance(lender) > 0
    assert surplus(hostile, share, owners) == 0


@pytest.mark.parametrize("moment", TRANSFERS, ids=str)
@pytest.mark.parametrize("outer", ["fund", "claimFor"])
def test_claim__stablecoin_moves_shares_in_the_middle__every_income_as_without(
    hostile: Hostile,
    share: ContractInstance,
    scenario: Scenario,
    deployer: AccountAPI,
    customer: AccountAPI,
    holder: AccountAPI,
    other_holder: AccountAPI,
    keeper: AccountAPI,
    owners: list[tuple[Any, ...]],
    outer: str,
    moment: Moment,
) -> None:
    scenario.attest(hostile.usd)
    hostile.do(holder, share, "approve", hostile.usd, UINT256_MAX)
    inner = [
        (share, "transferFrom", holder, hostile.usd, SHARES),
        (share, "transfer", other_holder, SHARES // 2),
        (share, "delegate", keeper),
        (share, "setPayee", keeper),
        (share, "approve", keeper, SHARES),
        (share, "encumber", deployer, SHARES // 4),
        (share, "burn", SHARES // 4),
    ]
    before = incomes(hostile, share, owners)
    index = hostile.see(share, "streamState")["index"]
    hostile.call_back(moment, *inner)
    if outer == "fund":
        hostile.do(customer, share, "fund", MORE)
    else:
        hostile.do(keeper, share, "claimFor", holder)
    assert hostile.answers() == [None] * len(inner)
    # Of the smaller supply that the burn leaves, what the index carried may be enough for one step.
    step = hostile.see(share, "streamState")["index"] - index
    assert step in (0, 1)
    assert incomes(hostile, share, owners) == [
        income + step * units
        for income, units in zip(before, earning(hostile, share, owners), strict=True)
    ]
    assert hostile.see(share, "balanceOf", hostile.usd) == SHARES // 4
    assert hostile.see(share, "availableBalanceOf", hostile.usd) == 0
    assert hostile.see(share, "getVotes", keeper) == SHARES // 4
    assert surplus(hostile, share, owners) == 0


def test_fund__stablecoin_burns_every_share_in_the_middle__money_waits_for_the_next_holder(
    hostile: Hostile,
    share: ContractInstance,
    scenario: Scenario,
    deployer: AccountAPI,
    customer: AccountAPI,
    holder: AccountAPI,
    other_holder: AccountAPI,
    borrower: AccountAPI,
    keeper: AccountAPI,
    owners: list[tuple[Any, ...]],
) -> None:
    scenario.attest(hostile.usd)
    hostile.do(deployer, share, "release", borrower, SHARES)
    for owner in (holder, other_holder, borrower):
        hostile.do(owner, share, "transfer", hostile.usd, SHARES)
    hostile.call_back(Moment.BEFORE_TRANSFER, (share, "burn", 3 * SHARES))
    hostile.do(customer, share, "fund", MORE)
    assert hostile.answers() == [None]
    assert hostile.see(share, "totalSupply") == 0
    assert surplus(hostile, share, owners) == 0
    hostile.wait(DAY)
    scenario.issue(share, [keeper], [SHARES])
    hostile.wait(2 * DAY)
    hostile.do(keeper, share, "claim")
    assert hostile.balance(keeper) in (MORE - 1, MORE)
    assert surplus(hostile, share, owners) == 0


@pytest.mark.parametrize("moment", TRANSFERS, ids=str)
@pytest.mark.parametrize(
    ("change", "refusal"),
    [
        (1, short(MORE + 1)),
        (-1, short(MORE - 1)),
        (-MORE, short(0)),
        (-MORE - 1, short(0)),
    ],
    ids=["up", "down", "down by all", "below what it was"],
)
def test_fund__balance_changed_in_the_middle__refused_and_nothing_moved(
    hostile: Hostile,
    share: ContractInstance,
    customer: AccountAPI,
    owners: list[tuple[Any, ...]],
    change: int,
    refusal: bytes,
    moment: Moment,
) -> None:
    balance = INCOME + change + (MORE if moment is Moment.AFTER_TRANSFER else 0)
    hostile.call_back(moment, (hostile.usd, "rebase", share, balance))
    assert hostile.refusal(customer, share, "fund", MORE) == refusal
    assert surplus(hostile, share, owners) == 0


@pytest.mark.parametrize("moment", TRANSFERS, ids=str)
def test_claim__balance_taken_in_the_middle__paid_and_the_loss_is_the_shares(
    hostile: Hostile,
    share: ContractInstance,
    holder: AccountAPI,
    owners: list[tuple[Any, ...]],
    moment: Moment,
) -> None:
    due = hostile.see(share, "claimableUsd6", holder)
    balance = INCOME - USD - (due if moment is Moment.AFTER_TRANSFER else 0)
    hostile.call_back(moment, (hostile.usd, "rebase", share, balance))
    hostile.do(holder, share, "claim")
    assert (hostile.answers(), hostile.balance(holder)) == ([None], due)
    assert surplus(hostile, share, owners) == -USD


def test_claim__balance_taken_outside_transfers__first_are_paid_last_wait_and_no_other_share_cares(
    hostile: Hostile,
    share: ContractInstance,
    scenario: Scenario,
    customer: AccountAPI,
    holder: AccountAPI,
    other_holder: AccountAPI,
    keeper: AccountAPI,
    owners: list[tuple[Any, ...]],
) -> None:
    cluster_id = int(share.clusterId())
    neighbour = open_share(scenario, hostile, cluster_id, customer, [keeper])
    stream(hostile, neighbour, customer, INCOME)
    taken = INCOME // 2
    hostile.rebase(share, INCOME - taken)
    due = hostile.see(share, "claimableUsd6", other_holder)
    hostile.do(holder, share, "claim")
    assert hostile.refusal(other_holder, share, "claim") == error(
        "ERC20InsufficientBalance(address,uint256,uint256)", share, hostile.balance(share), due
    )
    hostile.do(keeper, neighbour, "claim")
    assert hostile.balance(keeper) in (INCOME - 1, INCOME)
    # Shares move and earn as ever. The loss stays what it was: new money does not hide it.
    hostile.do(other_holder, share, "transfer", holder, SHARES)
    hostile.do(customer, share, "fund", MORE)
    assert surplus(hostile, share, owners) == -taken
    hostile.do(keeper, hostile.usd, "mint", share, taken)
    hostile.do(other_holder, share, "claim")
    assert hostile.balance(other_holder) == due


def test_claim__balance_given_outside_transfers__nobodys(
    hostile: Hostile,
    share: ContractInstance,
    holder: AccountAPI,
    other_holder: AccountAPI,
    owners: list[tuple[Any, ...]],
) -> None:
    before = incomes(hostile, share, owners)
    hostile.rebase(share, 2 * INCOME)
    for owner in (holder, other_holder):
        hostile.do(owner, share, "claim")
    assert incomes(hostile, share, owners) == before
    assert surplus(hostile, share, owners) == INCOME


def test_constructor__stablecoin_counts_otherwise_by_now__refused_by_name(
    hostile: Hostile, share: ContractInstance, scenario: Scenario, customer: AccountAPI
) -> None:
    hostile.turn(Vice.OTHER_DECIMALS)
    with ape.reverts(
        project.ClusterShare.ClusterShare_UnsupportedStablecoin,
        stablecoin=hostile.usd.address,
        decimals=18,
        required=6,
    ):
        deploy_open_share(scenario, int(share.clusterId()), customer, hostile.usd)
