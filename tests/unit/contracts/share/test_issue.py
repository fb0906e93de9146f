"""ClusterShare.issue: shares are issued in Funding, to eligible accounts, as many as authorised."""

from __future__ import annotations

import ape
import pytest
from ape.api import AccountAPI
from ape.contracts import ContractInstance

from scripts._lib.roles import ISSUER
from tests.support.income import DAY, MIN_SUPPLY, UINT256_MAX, OpenShare, deploy_open_share, past
from tests.support.scenario import SHARE, USD, Scenario, travel_to

AUTHORISED = 1_000_000 * SHARE
ZERO_ADDRESS = "0x" + "00" * 20


@pytest.fixture(scope="module", autouse=True)
def _admitted(
    empty: OpenShare, scenario: Scenario, holder: AccountAPI, other_holder: AccountAPI
) -> None:
    scenario.attest(holder, other_holder)


def test_issue__several_accounts__balances_supply_events_and_votes_in_all(
    empty: OpenShare, issuer: AccountAPI, holder: AccountAPI, other_holder: AccountAPI
) -> None:
    share = empty.share
    receipt = share.issue([holder, other_holder, holder], [5 * SHARE, 7, SHARE], sender=issuer)
    assert share.balanceOf(holder) == 6 * SHARE
    assert share.balanceOf(other_holder) == 7
    assert share.totalSupply() == 6 * SHARE + 7
    assert [(e["from"], e["to"], e["value"]) for e in receipt.decode_logs(share.Transfer)] == [
        (ZERO_ADDRESS, holder.address, 5 * SHARE),
        (ZERO_ADDRESS, other_holder.address, 7),
        (ZERO_ADDRESS, holder.address, SHARE),
    ]
    assert share.getPastTotalSupply(past(receipt)) == 6 * SHARE + 7


def test_issue__later_in_funding__earlier_income_stays_and_later_is_divided(
    empty: OpenShare, issuer: AccountAPI, holder: AccountAPI, other_holder: AccountAPI
) -> None:
    share = empty.share
    share.issue([holder], [1_000 * SHARE], sender=issuer)
    funded_at = empty.fund(10_000 * USD).timestamp
    share.issue([other_holder], [1_000 * SHARE], sender=issuer)
    before = empty.earned(holder)
    assert empty.earned(other_holder) == 0
    travel_to(funded_at + 2 * DAY)
    assert empty.earned(holder) - before == empty.earned(other_holder) > 0
    assert empty.is_conserved(holder, other_holder)


def test_issue__not_the_issuer__refused(
    empty: OpenShare, attacker: AccountAPI, holder: AccountAPI
) -> None:
    with ape.reverts(
        empty.share.Authorised_MissingPower,
        account=attacker.address,
        power=ISSUER,
        clusterId=empty.cluster_id,
    ):
        empty.share.issue([holder], [SHARE], sender=attacker)


def test_issue__issuer_of_another_cluster__refused(
    empty: OpenShare, scenario: Scenario, other_issuer: AccountAPI, holder: AccountAPI
) -> None:
    scenario.register_cluster(issuer=other_issuer)
    with ape.reverts(empty.share.Authorised_MissingPower, account=other_issuer.address):
        empty.share.issue([holder], [SHARE], sender=other_issuer)


def test_issue__lists_of_different_lengths__refused(
    empty: OpenShare, issuer: AccountAPI, holder: AccountAPI
) -> None:
    with ape.reverts(empty.share.ClusterShare_LengthMismatch, accounts=1, amounts=2):
        empty.share.issue([holder], [SHARE, SHARE], sender=issuer)


def test_issue__still_proposed__refused(
    scenario: Scenario, issuer: AccountAPI, customer: AccountAPI, holder: AccountAPI
) -> None:
    cluster_id = scenario.register_cluster()
    share = deploy_open_share(scenario, cluster_id, customer)
    with ape.reverts(share.ClusterShare_NotInFunding, clusterId=cluster_id):
        share.issue([holder], [SHARE], sender=issuer)


def test_issue__live__refused(
    scenario: Scenario, issuer: AccountAPI, holder: AccountAPI, other_holder: AccountAPI
) -> None:
    cluster_id, share = scenario.live_cluster([holder], [100 * SHARE])
    with ape.reverts(share.ClusterShare_NotInFunding, clusterId=cluster_id):
        share.issue([other_holder], [SHARE], sender=issuer)


def test_issue__all_that_is_authorised__accepted_and_no_more(
    empty: OpenShare, issuer: AccountAPI, holder: AccountAPI
) -> None:
    empty.share.issue([holder], [AUTHORISED], sender=issuer)
    with ape.reverts(empty.share.ClusterShare_OverAuthorised, amount=1, limit=0):
        empty.share.issue([holder], [1], sender=issuer)


def test_issue__over_the_authorised_together__refused_as_a_whole(
    empty: OpenShare, issuer: AccountAPI, holder: AccountAPI, other_holder: AccountAPI
) -> None:
    with ape.reverts(empty.share.ClusterShare_OverAuthorised, amount=SHARE + 1, limit=SHARE):
        empty.share.issue([holder, other_holder], [AUTHORISED - SHARE, SHARE + 1], sender=issuer)
    assert empty.share.totalSupply() == 0


def test_issue__amount_beyond_every_width__refused(
    empty: OpenShare, issuer: AccountAPI, holder: AccountAPI
) -> None:
    for amount in (2**64, 2**128 + 1, UINT256_MAX):
        with ape.reverts(empty.share.ClusterShare_OverAuthorised, amount=amount, limit=AUTHORISED):
            empty.share.issue([holder], [amount], sender=issuer)


def test_issue__after_a_burn__room_for_as_many_again(
    empty: OpenShare, issuer: AccountAPI, holder: AccountAPI
) -> None:
    empty.share.issue([holder], [AUTHORISED], sender=issuer)
    empty.share.burn(3 * SHARE, sender=holder)
    empty.share.issue([holder], [3 * SHARE], sender=issuer)
    assert empty.share.totalSupply() == AUTHORISED


def test_issue__account_not_admitted__refused(
    empty: OpenShare, issuer: AccountAPI, attacker: AccountAPI
) -> None:
    with ape.reverts(empty.share.ERC7943CannotReceive, account=attacker.address):
        empty.share.issue([attacker], [SHARE], sender=issuer)


def test_issue__zero_address__refused(empty: OpenShare, issuer: AccountAPI) -> None:
    with ape.reverts(empty.share.ERC20InvalidReceiver, receiver=ZERO_ADDRESS):
        empty.share.issue([ZERO_ADDRESS], [SHARE], sender=issuer)


def test_issue__supply_below_the_minimum__refused(
    empty: OpenShare, issuer: AccountAPI, holder: AccountAPI
) -> None:
    with ape.reverts(
        empty.share.ClusterShare_SupplyTooSmall, supply=MIN_SUPPLY - 1, minimum=MIN_SUPPLY
    ):
        empty.share.issue([holder], [MIN_SUPPLY - 1], sender=issuer)
    empty.share.issue([holder], [MIN_SUPPLY], sender=issuer)
    assert empty.share.totalSupply() == MIN_SUPPLY


@pytest.mark.parametrize(("count", "amounts"), [(0, []), (1, [0])])
def test_issue__nothing__changes_nothing(
    empty: OpenShare, issuer: AccountAPI, holder: AccountAPI, count: int, amounts: list[int]
) -> None:
    share: ContractInstance = empty.share
    share.issue([holder] * count, amounts, sender=issuer)
    assert share.totalSupply() == 0
