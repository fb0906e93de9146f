"""ClusterShare.closeBooks: the end of a cluster; who holds now holds for good."""

from __future__ import annotations

from fractions import Fraction

import ape
import pytest
from ape import chain
from ape.api import AccountAPI
from ape.contracts import ContractInstance

from scripts._lib import roles
from tests.support.capital import deploy_commanded_share
from tests.support.income import DAY, UINT256_MAX, OpenShare, delegate, is_close, streamed
from tests.support.registry import Status
from tests.support.scenario import SHARE, USD, Scenario, travel_to

HOLDER_SHARES = 300 * SHARE
OTHER_SHARES = 100 * SHARE


@pytest.fixture(scope="module")
def live(
    scenario: Scenario,
    customer: AccountAPI,
    deployer: AccountAPI,
    holder: AccountAPI,
    other_holder: AccountAPI,
) -> OpenShare:
    """A Live cluster whose share the customer funds and the deployer commands."""
    cluster_id = scenario.register_cluster()
    share = deploy_commanded_share(scenario, cluster_id, deployer, waterfall=customer)
    scenario.issue(share, [holder, other_holder], [HOLDER_SHARES, OTHER_SHARES])
    scenario.system.registry.goLive(cluster_id, sender=scenario.issuer)
    scenario.give_usd(customer, 10**6 * USD)
    scenario.system.stablecoin.approve(share, UINT256_MAX, sender=customer)
    return OpenShare(scenario, cluster_id, share, customer)


@pytest.fixture
def retired(live: OpenShare) -> OpenShare:
    live.scenario.system.registry.retire(live.cluster_id, sender=live.scenario.issuer)
    return live


@pytest.fixture
def closed(retired: OpenShare, keeper: AccountAPI) -> OpenShare:
    retired.share.closeBooks(sender=keeper)
    return retired


@pytest.fixture
def share(live: OpenShare) -> ContractInstance:
    return live.share


def test_close_books__retired__by_anyone_once(
    retired: OpenShare, share: ContractInstance, attacker: AccountAPI
) -> None:
    assert not share.booksClosed()
    receipt = share.closeBooks(sender=attacker)
    [event] = receipt.decode_logs(share.BooksClosed)
    assert event.supply == HOLDER_SHARES + OTHER_SHARES
    assert share.booksClosed()
    with ape.reverts(share.ClusterShare_BooksClosed, clusterId=retired.cluster_id):
        share.closeBooks(sender=attacker)


@pytest.mark.parametrize("status", [Status.FUNDING, Status.LIVE, Status.SUSPENDED])
def test_close_books__not_retired__refused(
    live: OpenShare,
    scenario: Scenario,
    registry: ContractInstance,
    registrar: AccountAPI,
    deployer: AccountAPI,
    issuer: AccountAPI,
    status: Status,
) -> None:
    cluster_id, share = live.cluster_id, live.share
    if status == Status.FUNDING:
        cluster_id = scenario.register_cluster()
        share = deploy_commanded_share(scenario, cluster_id, deployer)
    if status == Status.SUSPENDED:
        registry.suspend(cluster_id, sender=registrar)
    assert registry.statusOf(cluster_id) == status
    with ape.reverts(share.ClusterShare_NotRetired, clusterId=cluster_id):
        share.closeBooks(sender=issuer)


def test_transfer__retired_and_books_open__moves(
    retired: OpenShare, share: ContractInstance, holder: AccountAPI, other_holder: AccountAPI
) -> None:
    share.transfer(other_holder, SHARE, sender=holder)
    assert share.balanceOf(other_holder) == OTHER_SHARES + SHARE
    assert retired.scenario.system.registry.statusOf(retired.cluster_id) == Status.RETIRED


@pytest.mark.parametrize("amount", [0, SHARE])
def test_transfer__books_closed__refused_by_owner_and_by_allowance(
    closed: OpenShare,
    share: ContractInstance,
    holder: AccountAPI,
    other_holder: AccountAPI,
    keeper: AccountAPI,
    amount: int,
) -> None:
    share.approve(keeper, SHARE, sender=holder)
    refusal = {"clusterId": closed.cluster_id}
    with ape.reverts(share.ClusterShare_BooksClosed, **refusal):
        share.transfer(other_holder, amount, sender=holder)
    with ape.reverts(share.ClusterShare_BooksClosed, **refusal):
        share.transferFrom(holder, other_holder, amount, sender=keeper)
    with ape.reverts(share.ClusterShare_BooksClosed, **refusal):
        share.burn(amount, sender=holder)
    assert not share.canTransfer(holder, other_holder, amount)
    assert share.totalSupply() == HOLDER_SHARES + OTHER_SHARES


@pytest.mark.usefixtures("closed")
def test_forced_transfer__books_closed__moves(
    share: ContractInstance, holder: AccountAPI, other_holder: AccountAPI, deployer: AccountAPI
) -> None:
    share.setFrozenTokens(holder, SHARE, sender=deployer)
    share.forcedTransfer(holder, other_holder, SHARE, sender=deployer)
    assert share.balanceOf(other_holder) == OTHER_SHARES + SHARE


@pytest.mark.usefixtures("closed")
def test_transfer_from__books_closed_and_encumbered__taker_delivers(
    share: ContractInstance,
    authority: ContractInstance,
    admin: AccountAPI,
    holder: AccountAPI,
    other_holder: AccountAPI,
    keeper: AccountAPI,
) -> None:
    """Also what was encumbered only afterwards: a lender is to have its collateral."""
    authority.grantRole(roles.ENCUMBRANCER_ROLE, keeper, 0, sender=admin)
    share.encumber(keeper, 2 * SHARE, sender=holder)
    share.transferFrom(holder, other_holder, SHARE, sender=keeper)
    assert share.balanceOf(other_holder) == OTHER_SHARES + SHARE
    assert share.encumbrances(holder, keeper) == SHARE
    # No more than that: an allowance beside it counts for the part beyond the encumbrance.
    share.approve(keeper, SHARE, sender=holder)
    share.transferFrom(holder, other_holder, SHARE, sender=keeper)
    with ape.reverts(share.ClusterShare_BooksClosed):
        share.transferFrom(holder, other_holder, SHARE, sender=keeper)


@pytest.mark.usefixtures("closed")
def test_recover__books_closed__moves_all(
    share: ContractInstance,
    scenario: Scenario,
    holder: AccountAPI,
    keeper: AccountAPI,
    deployer: AccountAPI,
) -> None:
    investor = scenario.system.identity.attestationOf(holder).investorId
    scenario.attest(keeper, investorId=investor)
    share.setFrozenTokens(holder, 2**64 - 1, sender=deployer)
    share.recover(holder, keeper, sender=deployer)
    assert (share.balanceOf(holder), share.balanceOf(keeper)) == (0, HOLDER_SHARES)


def test_claim__books_closed__what_streams_goes_on_and_stays_claimable_for_years(
    live: OpenShare,
    share: ContractInstance,
    stablecoin: ContractInstance,
    holder: AccountAPI,
    other_holder: AccountAPI,
) -> None:
    start = int(live.fund(1_000 * USD).timestamp)
    live.scenario.system.registry.retire(live.cluster_id, sender=live.scenario.issuer)
    travel_to(start + DAY // 2)
    share.closeBooks(sender=holder)
    half = streamed(1_000 * USD, start, int(chain.blocks.head.timestamp)) * 3 / 4
    assert is_close(live.earned(holder), half)
    travel_to(start + 20 * 365 * DAY)
    assert is_close(live.earned(holder), Fraction(750 * USD))
    share.claim(sender=holder)
    share.claimFor(other_holder, sender=holder)
    assert stablecoin.balanceOf(holder) + stablecoin.balanceOf(other_holder) >= 1_000 * USD - 2
    assert live.is_conserved(holder, other_holder)


def test_fund__books_closed__streams_to_the_last_holders(
    closed: OpenShare, share: ContractInstance, holder: AccountAPI, other_holder: AccountAPI
) -> None:
    """Income may come late: costs are settled after the last epoch."""
    start = int(closed.fund(4 * USD).timestamp)
    travel_to(start + 2 * DAY)
    assert is_close(closed.earned(holder), Fraction(3 * USD))
    assert is_close(closed.earned(other_holder), Fraction(USD))


@pytest.mark.usefixtures("closed")
def test_delegate__books_closed__votes_move(
    share: ContractInstance, holder: AccountAPI, keeper: AccountAPI
) -> None:
    delegate(share, keeper, sender=holder)
    assert share.getVotes(keeper) == HOLDER_SHARES
