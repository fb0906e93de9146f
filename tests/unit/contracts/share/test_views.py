"""ClusterShare: what it says of itself, and what its constructor refuses."""

from __future__ import annotations

import ape
import pytest
from ape import project
from ape.api import AccountAPI
from ape.contracts import ContractInstance
from eth_utils.crypto import keccak

from scripts._lib import build
from tests.support.income import DAY, MIN_SUPPLY, SCALE, OpenShare, deploy_open_share
from tests.support.scenario import SHARE, USD, Scenario, travel_to

HOLDER_SHARES = 300_000 * SHARE


def test_views__identity__as_deployed(
    ground: OpenShare, share: ContractInstance, stablecoin: ContractInstance, customer: AccountAPI
) -> None:
    system = ground.scenario.system
    assert (share.name(), share.symbol(), share.decimals()) == ("Open share", "OPEN", 6)
    assert share.clusterId() == ground.cluster_id
    assert share.STABLECOIN() == stablecoin.address
    assert share.WATERFALL() == customer.address
    assert share.REGISTRY() == system.registry.address
    assert share.IDENTITIES() == system.identity.address
    assert share.authority() == system.authority.address


def test_views__constants__as_documented(share: ContractInstance) -> None:
    assert share.STREAM_SECONDS() == DAY
    assert share.BOUNDARY_SECONDS() == 4 * 3_600
    assert share.MIN_SUPPLY() == MIN_SUPPLY
    assert share.MAX_FUNDED_USD6() == 10**18


def test_constructor__stablecoin_of_other_decimals__refused_by_name(
    scenario: Scenario, customer: AccountAPI
) -> None:
    hostile = scenario.deployer.deploy(project.HostileUsd, 18)
    with ape.reverts(
        project.ClusterShare.ClusterShare_UnsupportedStablecoin,
        stablecoin=hostile.address,
        decimals=18,
        required=6,
    ):
        deploy_open_share(scenario, 1, customer, hostile)


def test_account_state__holder_in_mid_stream__agrees_with_every_other_view(
    ground: OpenShare, share: ContractInstance, holder: AccountAPI
) -> None:
    start = ground.fund(10_000 * USD).timestamp
    travel_to(start + DAY // 4)
    share.claim(sender=holder)
    travel_to(start + DAY // 2)
    state = share.accountState(holder)
    assert state.balance == share.balanceOf(holder) == share.availableBalanceOf(holder)
    assert (state.encumbered, state.frozen, state.payee) == (0, 0, holder.address)
    assert state.claimedUsd6 == share.claimedUsd6(holder) > 0
    assert state.earned // SCALE == share.claimableUsd6(holder) > 0
    assert share.earnedUsd6(holder) == state.claimedUsd6 + state.earned // SCALE


def test_account_state__stranger__nothing_and_its_own_payee(
    share: ContractInstance, attacker: AccountAPI
) -> None:
    assert tuple(share.accountState(attacker)) == (0, 0, 0, 0, 0, 0, attacker.address)


@pytest.mark.parametrize("issued", [False, True])
def test_stream_state__never_funded__all_zero(
    scenario: Scenario, customer: AccountAPI, holder: AccountAPI, issued: bool
) -> None:
    cluster_id = scenario.register_cluster()
    scenario.open_funding(cluster_id)
    share = deploy_open_share(scenario, cluster_id, customer)
    if issued:
        scenario.issue(share, [holder], [HOLDER_SHARES])
    assert tuple(share.streamState()) == (0,) * 6
    assert share.streamEnds() == ([], [])


def test_stream_state__in_mid_stream__index_times_supply_is_what_streamed(
    ground: OpenShare, share: ContractInstance
) -> None:
    start = ground.fund(10_000 * USD).timestamp
    travel_to(start + DAY // 3)
    state = share.streamState()
    whole = state.index * share.totalSupply() + state.indexRemainder
    assert whole + state.unstreamed + state.fundingRemainder == 10_000 * USD * SCALE
    [end], [rate] = share.streamEnds()
    assert state.unstreamed == rate * (end - start - DAY // 3) << 20


def test_supports_interface__by_erc_165__those_of_the_standards_that_it_follows(
    share: ContractInstance,
) -> None:
    """Of ERC-165 and ERC-20 as the standards say; of the others what their functions make."""
    for known in ("01ffc9a7", "36372b07"):
        assert share.supportsInterface(bytes.fromhex(known))
    for name in ("IERC7943Fungible", "IERC7246"):
        number = 0
        for function in build.contracts()[name].contract_type.methods:
            if function.name != "supportsInterface":
                number ^= int.from_bytes(keccak(text=function.selector)[:4])
        assert share.supportsInterface(number.to_bytes(4)), name
    for unknown in (bytes(4), b"\xff" * 4):
        assert not share.supportsInterface(unknown)
