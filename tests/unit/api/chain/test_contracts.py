"""The wrappers against the deployed contracts: each value as ape reads it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import astuple
from types import SimpleNamespace

import pytest
from ape import chain, networks
from ape.api import AccountAPI

from api.chain.client import ChainClient
from api.chain.contracts import (
    ClusterRegistry,
    ClusterShare,
    IdentityRegistry,
    MetricsOracle,
    Stablecoin,
    Waterfall,
)
from api.chain.views import Cluster, ClusterStatus, IncomeKind, MeterReading, ReportHeader
from api.domain.codec import parse_address
from api.errors import ContractReverted, UndecodableAnswer
from api.types import Address
from tests.support.scenario import EPOCH_SECONDS, SHARE, USD, Scenario, current_epoch, investor_id

REPORTERS = 4


@pytest.fixture(scope="module")
def market(
    scenario: Scenario,
    oracle_admin: AccountAPI,
    holder: AccountAPI,
    other_holder: AccountAPI,
    customer: AccountAPI,
    accounts: list[AccountAPI],
) -> SimpleNamespace:
    """A Live cluster with two holders, an income that streams and four reporters."""
    system = scenario.system
    # Well before the first measured epoch, whatever the time: no running cost comes between.
    chain.mine(timestamp=(current_epoch() + 1) * EPOCH_SECONDS)
    scenario.attest(holder, investorId=investor_id(7))
    cluster_id, share = scenario.live_cluster([holder, other_holder], [300 * SHARE, 100 * SHARE])
    reporters = [account.address for account in accounts[-REPORTERS:]]
    system.oracle.setReporters(reporters, sender=oracle_admin)
    scenario.give_usd(customer, 1_000 * USD)
    system.stablecoin.approve(system.waterfall, 2**255, sender=customer)
    system.waterfall.receiveIncome(
        cluster_id, 1_000 * USD, int(IncomeKind.LEASE), b"\x05" * 32, sender=customer
    )
    system.waterfall.distribute(cluster_id, sender=customer)
    chain.mine(timestamp=int(chain.pending_timestamp) + 600)
    return SimpleNamespace(id=cluster_id, share=share, system=system, reporters=reporters)


@pytest.fixture
async def client() -> AsyncIterator[ChainClient]:
    uri = str(networks.active_provider.http_uri)
    client = ChainClient(uri, chain_id=int(chain.chain_id))
    yield client
    await client.close()


async def test_cluster_registry__live_cluster__reads_as_registered(
    client: ChainClient, market: SimpleNamespace
) -> None:
    registry = ClusterRegistry(client, Address(market.system.registry.address))
    raw = market.system.registry.cluster(market.id)

    assert await registry.cluster_count() == market.system.registry.clusterCount()
    assert await registry.cluster(market.id) == Cluster(
        ClusterStatus.LIVE, raw.firstEpoch, 0, raw.authorisedShares, Address(market.share.address)
    )
    assert await registry.epoch_range(market.id) == (raw.firstEpoch, 0)
    spec, from_epoch = await registry.spec_at(market.id, raw.firstEpoch)
    assert (spec.gpu_model, spec.region, from_epoch) == ("H100-SXM5-80GB", "eu-north-1", 0)
    assert spec.gpu_set_root == b"\x11" * 32
    assert (spec.gpu_count, spec.pue_bps, spec.price_paid_usd6) == (8, 13_000, 300_000 * USD)
    assert await registry.scheduled_spec(market.id) is None


async def test_cluster_registry__unknown_cluster__raises_the_contracts_error(
    client: ChainClient, market: SimpleNamespace
) -> None:
    registry = ClusterRegistry(client, Address(market.system.registry.address))

    with pytest.raises(ContractReverted) as caught:
        await registry.cluster(99_999)

    assert caught.value.name == "ClusterRegistry_UnknownCluster"
    assert caught.value.arguments == {"clusterId": 99_999}


async def test_cluster_registry__earlier_block__reads_the_state_then(
    client: ChainClient, market: SimpleNamespace
) -> None:
    registry = ClusterRegistry(client, Address(market.system.registry.address))
    event = (await registry.events(["ClusterRegistered"], from_block=0))[-1]

    assert event.fields["clusterId"] == market.id
    assert await registry.cluster_count(block=event.log.block_number - 1) == market.id - 1


async def test_metrics_oracle__before_a_report__reads_the_expected_epoch(
    client: ChainClient, market: SimpleNamespace
) -> None:
    oracle = MetricsOracle(client, Address(market.system.oracle.address))
    first = market.system.registry.cluster(market.id).firstEpoch

    assert await oracle.reading(market.id) == MeterReading(0, 0, 0, 0, 0)
    assert await oracle.next_epoch(market.id) == first
    assert await oracle.resolved_epoch(market.id) == first - 1
    assert await oracle.reporters() == tuple(market.reporters)
    assert await oracle.reporter_set_id() == market.system.oracle.reporterSetId()
    assert await oracle.quorum() == 3
    assert await oracle.dispute_window_seconds() == 0
    assert await oracle.age_seconds(market.id) == market.system.oracle.ageSeconds(market.id)
    assert not await oracle.is_stale(market.id)
    assert astuple(await oracle.report(bytes(32))) == (0, 0, 0, 0)


async def test_metrics_oracle__post_report_calldata__is_apes(
    client: ChainClient, market: SimpleNamespace
) -> None:
    oracle = MetricsOracle(client, Address(market.system.oracle.address))
    header, figures = ReportHeader(1, 5, 2, b"\x09" * 32), [market.id << 160]

    digest = await oracle.report_digest(header, figures)
    data = oracle.encode_post_report(header, figures, b"\x01" * 65)

    contract = market.system.oracle
    assert digest == bytes(contract.reportDigest(astuple(header), figures))
    expected = contract.postReport.encode_input(astuple(header), figures, b"\x01" * 65)
    assert data == bytes(expected)


async def test_cluster_share__running_stream__reads_exact_income(
    client: ChainClient, market: SimpleNamespace, holder: AccountAPI
) -> None:
    share = ClusterShare(client, Address(market.share.address))
    owner = Address(holder.address)
    block = (await client.block()).number

    state = await share.account_state(owner, block=block)
    stream = await share.stream_state(block=block)

    assert state.balance == await share.balance_of(owner) == 300 * SHARE
    assert state.payee == owner
    assert await share.claimable_usd6(owner, block=block) == state.earned >> 72 > 0
    assert await share.earned_usd6(owner, block=block) == state.earned >> 72
    assert await share.claimed_usd6(owner) == 0
    assert await share.total_supply() == 400 * SHARE
    assert (await share.name(), await share.symbol()) == (
        market.share.name(),
        market.share.symbol(),
    )
    ends = await share.stream_ends(block=block)
    assert sum(rate for _, rate in ends) == stream.rate_per_second > 0
    assert stream.funded_usd6 == 900 * USD


async def test_waterfall__distributed_income__adds_up(
    client: ChainClient, market: SimpleNamespace
) -> None:
    waterfall = Waterfall(client, Address(market.system.waterfall.address))

    state = await waterfall.state(market.id)

    assert astuple(state) == tuple(market.system.waterfall.state(market.id))
    assert state.received == 1_000 * USD
    assert state.received == (
        state.undistributed
        + state.operator_assigned
        + state.tranches_assigned
        + state.reserve_assigned
        + state.holders_assigned
    )
    assert await waterfall.tranches(market.id) == ()
    assert await waterfall.operator_due_usd6(market.id) == (0, 0)
    # An hour into the first epoch the maximum is due, and nothing of it is final.
    later = (market.system.registry.cluster(market.id).firstEpoch + 1) * EPOCH_SECONDS
    chain.mine(timestamp=later)
    final_down, due_up = await waterfall.operator_due_usd6(market.id)
    assert (final_down, due_up) == tuple(market.system.waterfall.operatorDueUsd6(market.id))
    assert final_down == 0 < due_up


async def test_waterfall__income_of_a_receipt__is_decoded(
    client: ChainClient, market: SimpleNamespace, customer: AccountAPI
) -> None:
    waterfall = Waterfall(client, Address(market.system.waterfall.address))
    first = market.id.to_bytes(32, "big")
    (event,) = await waterfall.events(["IncomeReceived"], from_block=0, first_indexed=[first])

    receipt = await client.receipt(event.log.tx_hash)

    assert receipt is not None
    decoded = waterfall.decode_logs(receipt.logs)
    assert event in decoded
    # The stablecoin's own Transfer in the same receipt is left out.
    assert {one.log.address for one in decoded} == {waterfall.address}
    assert len(decoded) < len(receipt.logs)
    assert event.fields == {
        "clusterId": market.id,
        "payer": customer.address,
        "kind": int(IncomeKind.LEASE),
        "ref": b"\x05" * 32,
        "amountUsd6": 1_000 * USD,
        "totalUsd6": 1_000 * USD,
    }


async def test_identity_registry__admitted_wallet__has_an_attestation(
    client: ChainClient, market: SimpleNamespace, holder: AccountAPI, attacker: AccountAPI
) -> None:
    identity = IdentityRegistry(client, Address(market.system.identity.address))
    wallet = Address(holder.address)

    attestation = await identity.attestation_of(wallet)

    assert attestation is not None
    assert (attestation.wallet, attestation.investor_id) == (wallet, investor_id(7))
    assert await identity.wallets_of(investor_id(7)) == (wallet,)
    assert await identity.can_receive(wallet)
    assert await identity.attestation_of(Address(attacker.address)) is None
    assert not await identity.can_receive(Address(attacker.address))


async def test_stablecoin__spent_money__is_with_the_share(
    client: ChainClient, market: SimpleNamespace, customer: AccountAPI
) -> None:
    coin = Stablecoin(client, Address(market.system.stablecoin.address))
    waterfall = Address(market.system.waterfall.address)

    assert (await coin.symbol(), await coin.decimals()) == ("USDC", 6)
    assert await coin.balance_of(Address(customer.address)) == 0
    assert await coin.balance_of(parse_address(market.share.address, "share")) == 900 * USD
    assert await coin.allowance(Address(customer.address), waterfall) > 0


async def test_read__address_without_code__is_undecodable(client: ChainClient) -> None:
    oracle = MetricsOracle(client, Address("0x00000000000000000000000000000000000000AA"))

    with pytest.raises(UndecodableAnswer, match="0 bytes"):
        await oracle.quorum()
