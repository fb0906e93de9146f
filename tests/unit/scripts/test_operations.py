"""scripts/_lib/operations.py: every step done once, however often it is asked for."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from ape import chain, reverts
from ape.api import AccountAPI
from ape.contracts import ContractInstance

from api.chain.views import ClusterStatus, IncomeKind
from api.domain.codec import to_address
from api.domain.gpu_set import GpuRecord, GpuSet
from api.errors import UnknownCluster
from api.types import Address, ClusterId
from scripts._lib import operations, orders, roles
from scripts._lib.cluster_file import ClusterFile
from scripts._lib.deployment import DeploymentError, System
from scripts._lib.record import Record
from tests.support.scenario import EPOCH_SECONDS, SHARE, USD, Scenario, current_epoch, default_spec

CLUSTER = ClusterFile("Rackstream Node 1", "RACK1", None, 1_000 * SHARE, default_spec(), None)


@pytest.fixture(scope="module")
def system(record: Record) -> System:
    return record.system()


@pytest.fixture(scope="module")
def life(
    system: System,
    deployer: AccountAPI,
    registrar: AccountAPI,
    kyc_provider: AccountAPI,
    issuer: AccountAPI,
    operator: AccountAPI,
    trustee: AccountAPI,
) -> Scenario:
    """The scenario over the deployment on record."""
    return Scenario(system, deployer, registrar, kyc_provider, issuer, operator, trustee)


@pytest.fixture(scope="module")
def registration(
    record: Record, system: System, issuer: AccountAPI, registrar: AccountAPI
) -> operations.Registration:
    return operations.register_cluster(record, system, CLUSTER, issuer.address, registrar)


@pytest.fixture(scope="module")
def share(system: System, registration: operations.Registration) -> ContractInstance:
    return operations.share_of(system, registration.cluster_id)


@pytest.fixture(scope="module")
def live(
    record: Record,
    system: System,
    life: Scenario,
    registration: operations.Registration,
    issuer: AccountAPI,
    holder: AccountAPI,
    operator: AccountAPI,
) -> int:
    """A Live cluster whose only holder is `holder`."""
    # Well before the first measured epoch, whatever the time: no running cost comes between.
    chain.mine(timestamp=(current_epoch() + 1) * EPOCH_SECONDS)
    life.attest(holder)
    cluster_id = registration.cluster_id
    operations.issue_shares(record, system, cluster_id, {holder.address: 10 * SHARE}, issuer)
    operations.appoint(system, roles.OPERATOR, cluster_id, operator.address, issuer)
    operations.go_live(system, cluster_id, issuer)
    return cluster_id


@pytest.fixture
def copied(record: Record, registration: operations.Registration, tmp_path: Path) -> Record:
    """The record in a folder of its own: ape takes back the chain after a test, and no file."""
    shutil.copy(record.path, tmp_path)
    return Record(tmp_path)


def _heads() -> int:
    return int(chain.blocks.height)


# -- register_cluster --------------------------------------------------------------------------


def test_register_cluster__new_one__is_open_for_funding(
    record: Record, system: System, registration: operations.Registration
) -> None:
    state = system.registry.cluster(registration.cluster_id)

    assert registration.done == (
        "registered",
        "share deployed",
        "share registered",
        "funding opened",
    )
    assert ClusterStatus(state.status) is ClusterStatus.FUNDING
    assert state.share == registration.share
    assert Record(record.directory).deployment.share_of(registration.cluster_id) == state.share


def test_register_cluster__the_same_again__does_nothing(
    record: Record,
    system: System,
    registration: operations.Registration,
    issuer: AccountAPI,
    registrar: AccountAPI,
) -> None:
    before = _heads()

    again = operations.register_cluster(record, system, CLUSTER, issuer.address, registrar)

    assert again == replace(registration, done=())
    assert _heads() == before


def test_register_cluster__another_issuer_or_spec__is_another_cluster(
    record: Record,
    system: System,
    registration: operations.Registration,
    other_issuer: AccountAPI,
) -> None:
    other = replace(CLUSTER, spec=default_spec(gpuCount=9))

    assert operations.find_cluster(record, system, CLUSTER, other_issuer.address) is None
    assert operations.find_cluster(record, system, other, other_issuer.address) is None


def test_register_cluster__registered_and_died__goes_on(
    copied: Record, system: System, issuer: AccountAPI, registrar: AccountAPI
) -> None:
    cluster = replace(CLUSTER, spec=default_spec(gpuCount=10))
    system.registry.registerCluster(
        issuer, cluster.authorised_shares, dict(cluster.spec), sender=registrar
    )
    cluster_id = int(system.registry.clusterCount())

    result = operations.register_cluster(copied, system, cluster, issuer.address, registrar)

    assert result.cluster_id == cluster_id
    assert result.done == ("share deployed", "share registered", "funding opened")
    assert Record(copied.directory).findings() == []


def test_register_cluster__manifest_of_another_cluster__is_refused(
    record: Record, system: System, issuer: AccountAPI, registrar: AccountAPI
) -> None:
    gpus = GpuSet(ClusterId(77), [GpuRecord("GPU-1", to_address(b"\x01" * 20), 1, 2, 1_000)])
    expected = int(system.registry.clusterCount()) + 1
    cluster = replace(CLUSTER, gpus=gpus, spec=default_spec(gpuSetRoot=gpus.root))
    before = _heads()

    with pytest.raises(DeploymentError, match=f"is of cluster 77, this one is {expected}"):
        operations.register_cluster(record, system, cluster, issuer.address, registrar)

    assert _heads() == before


def test_register_cluster__by_nobodys_leave__is_the_contracts_to_refuse(
    record: Record, system: System, issuer: AccountAPI, attacker: AccountAPI
) -> None:
    cluster = replace(CLUSTER, spec=default_spec(gpuCount=11))

    with reverts(system.registry.AccessManagedUnauthorized, caller=attacker.address):
        operations.register_cluster(record, system, cluster, issuer.address, attacker)


def test_require_cluster__unknown__is_said(system: System) -> None:
    for cluster_id in (0, 10**6):
        with pytest.raises(UnknownCluster, match=f"cluster {cluster_id} is not known"):
            operations.require_cluster(system, cluster_id)


def test_share_of__no_share_yet__is_said(
    system: System, issuer: AccountAPI, registrar: AccountAPI
) -> None:
    system.registry.registerCluster(issuer, 10 * SHARE, default_spec(gpuCount=12), sender=registrar)

    with pytest.raises(DeploymentError, match="has no share yet"):
        operations.share_of(system, int(system.registry.clusterCount()))


# -- appoint -----------------------------------------------------------------------------------


def test_appoint__operator_twice__is_done_once(
    system: System,
    registration: operations.Registration,
    issuer: AccountAPI,
    relayer: AccountAPI,
) -> None:
    cluster_id = registration.cluster_id

    assert operations.appoint(system, roles.OPERATOR, cluster_id, relayer.address, issuer)
    assert not operations.appoint(system, roles.OPERATOR, cluster_id, relayer.address, issuer)

    assert system.authority.hasRole(roles.over(roles.OPERATOR, cluster_id), relayer)[0]


# -- issue_shares ------------------------------------------------------------------------------


def test_issue_shares__list_run_again_and_raised__issues_the_difference(
    record: Record,
    system: System,
    life: Scenario,
    share: ContractInstance,
    registration: operations.Registration,
    issuer: AccountAPI,
    holder: AccountAPI,
    other_holder: AccountAPI,
) -> None:
    life.attest(holder, other_holder)
    cluster_id = registration.cluster_id
    first = {holder.address: 3 * SHARE, other_holder.address: 2 * SHARE}
    raised = {**first, holder.address: 5 * SHARE}

    assert operations.issue_shares(record, system, cluster_id, first, issuer) == first
    # What a holder does with their shares is not the issue's business.
    share.transfer(other_holder, SHARE, sender=holder)
    assert operations.issue_shares(record, system, cluster_id, first, issuer) == {}
    assert operations.issue_shares(record, system, cluster_id, raised, issuer) == {
        holder.address: 2 * SHARE
    }

    assert share.totalSupply() == 7 * SHARE
    assert operations.issued_so_far(record, share, cluster_id) == raised


def test_issue_shares__less_than_was_issued__is_refused(
    record: Record,
    system: System,
    life: Scenario,
    registration: operations.Registration,
    issuer: AccountAPI,
    holder: AccountAPI,
) -> None:
    life.attest(holder)
    cluster_id = registration.cluster_id
    operations.issue_shares(record, system, cluster_id, {holder.address: 3 * SHARE}, issuer)

    with pytest.raises(DeploymentError, match="more than the allocation of 2000000"):
        operations.issue_shares(record, system, cluster_id, {holder.address: 2 * SHARE}, issuer)


# -- money -------------------------------------------------------------------------------------


def test_go_live__twice__is_done_once(system: System, live: int, issuer: AccountAPI) -> None:
    assert not operations.go_live(system, live, issuer)

    assert ClusterStatus(system.registry.cluster(live).status) is ClusterStatus.LIVE


def test_pay__same_reference_again__sends_nothing(
    record: Record, system: System, life: Scenario, live: int, customer: AccountAPI
) -> None:
    life.give_usd(customer, 100 * USD)
    invoice = operations.reference_of("invoice 7")

    def pay(reference: bytes) -> object:
        return operations.pay(record, system, live, 30 * USD, IncomeKind.LEASE, reference, customer)

    assert pay(invoice) is not None
    assert pay(invoice) is None
    assert pay(operations.reference_of("invoice 8")) is not None
    # No reference names nothing, so it is never the same payment.
    assert pay(bytes(32)) is not None

    assert system.waterfall.state(live).received == 90 * USD
    assert system.stablecoin.balanceOf(customer) == 10 * USD


def test_pay__more_than_is_held__is_refused_before_anything_is_sent(
    record: Record, system: System, live: int, customer: AccountAPI
) -> None:
    before = _heads()

    with pytest.raises(DeploymentError, match="holds 0 units of stablecoin, not 1"):
        operations.pay(record, system, live, 1, IncomeKind.OTHER, bytes(32), customer)

    assert _heads() == before


def test_distribute_and_claim__income__goes_to_the_holder(
    record: Record,
    system: System,
    life: Scenario,
    share: ContractInstance,
    live: int,
    customer: AccountAPI,
    holder: AccountAPI,
    keeper: AccountAPI,
) -> None:
    life.give_usd(customer, 100 * USD)
    operations.pay(record, system, live, 100 * USD, IncomeKind.LEASE, bytes(32), customer)

    split = operations.distribute(system, live, keeper)

    assert (split.reserveUsd6, split.holdersUsd6, split.shortfallUsd6) == (10 * USD, 90 * USD, 0)
    chain.mine(timestamp=int(chain.pending_timestamp) + 2 * 86_400)
    # A holder is left with less than one unit.
    assert operations.claim(share, holder.address, keeper) == 90 * USD - 1
    assert operations.claim(share, holder.address, keeper) == 0
    assert operations.claim(share, keeper.address, keeper) == 0
    assert system.stablecoin.balanceOf(holder) == 90 * USD - 1


def test_claim__by_the_owner_themselves__is_paid(
    record: Record,
    system: System,
    life: Scenario,
    share: ContractInstance,
    live: int,
    customer: AccountAPI,
    holder: AccountAPI,
) -> None:
    life.give_usd(customer, 10 * USD)
    operations.pay(record, system, live, 10 * USD, IncomeKind.LEASE, bytes(32), customer)
    operations.distribute(system, live, customer)
    chain.mine(timestamp=int(chain.pending_timestamp) + 2 * 86_400)

    assert operations.claim(share, holder.address, holder) == 9 * USD - 1


@pytest.fixture
def both(
    record: Record,
    system: System,
    life: Scenario,
    live: int,
    customer: AccountAPI,
    holder: AccountAPI,
) -> tuple[int, int]:
    """Two Live clusters that have streamed $9 and $18 to `holder`, who has all their shares."""
    other, _ = life.live_cluster([holder], [SHARE])
    life.give_usd(customer, 30 * USD)
    for cluster_id, amount in ((live, 10 * USD), (other, 20 * USD)):
        operations.pay(record, system, cluster_id, amount, IncomeKind.LEASE, bytes(32), customer)
        operations.distribute(system, cluster_id, customer)
    chain.mine(timestamp=int(chain.pending_timestamp) + 2 * 86_400)
    return live, other


def test_claim_many__two_clusters__are_paid_in_one_transaction(
    system: System, both: tuple[int, int], holder: AccountAPI, keeper: AccountAPI
) -> None:
    first, second = both
    before = _heads()

    assert operations.claim_many(system, both, holder.address, keeper) == [
        operations.Claim(first, holder.address, 9 * USD - 1),
        operations.Claim(second, holder.address, 18 * USD - 1),
    ]

    assert _heads() == before + 1
    assert operations.claim_many(system, both, holder.address, keeper) == []
    assert operations.claim_many(system, both, keeper.address, keeper) == []
    assert _heads() == before + 1


def test_claim_many__one_that_cannot_pay__is_said_after_all_others_are_paid(
    system: System,
    both: tuple[int, int],
    issuer: AccountAPI,
    holder: AccountAPI,
    transfer_agent: AccountAPI,
    keeper: AccountAPI,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first, _ = both
    operations.appoint(system, roles.TRANSFER_AGENT, first, transfer_agent.address, issuer)
    orders.freeze(system, first, holder.address, orders.WHOLE, b"\x0d" * 32, transfer_agent)
    monkeypatch.setattr(operations, "CLAIMS_AT_ONCE", 1)
    words = f"cluster {first} could not pay {holder.address}: ClusterShare_IncomeFrozen"

    with pytest.raises(operations.ClaimRefused, match=words):
        operations.claim_many(system, both, holder.address, keeper)

    assert system.stablecoin.balanceOf(holder) == 18 * USD - 1


def test_clusters_with_shares__proposed_one__is_left_out(
    system: System, life: Scenario, registration: operations.Registration
) -> None:
    proposed = life.register_cluster()

    found = operations.clusters_with_shares(system)

    assert registration.cluster_id in found
    assert proposed not in found


def test_withdraw_operating_cost__nothing_final__sends_nothing(
    system: System, live: int, operator: AccountAPI
) -> None:
    before = _heads()

    assert operations.withdraw_operating_cost(system, live, operator.address, operator) == 0

    assert _heads() == before


def test_withdraw_operating_cost__lapsed_epochs__pay_the_contracted_rate(
    record: Record,
    system: System,
    life: Scenario,
    live: int,
    customer: AccountAPI,
    operator: AccountAPI,
) -> None:
    first = int(system.registry.cluster(live).firstEpoch)
    life.give_usd(customer, 1_000 * USD)
    operations.pay(record, system, live, 1_000 * USD, IncomeKind.LEASE, bytes(32), customer)
    # Two epochs whose grace is over without a report: their energy lapses, the rate does not.
    chain.mine(timestamp=(first + 2) * 3_600 + 86_400)
    operations.distribute(system, live, customer)

    paid = operations.withdraw_operating_cost(system, live, operator.address, operator)

    assert paid == 2 * 8 * 250_000
    assert system.stablecoin.balanceOf(operator) == paid
    assert operations.withdraw_operating_cost(system, live, operator.address, operator) == 0


def test_apply_spec__changed_specification__counts_from_its_epoch(
    system: System, live: int, issuer: AccountAPI, keeper: AccountAPI
) -> None:
    start = int(system.registry.cluster(live).firstEpoch) + 2
    system.registry.scheduleSpec(
        live, start, default_spec(contractedRateUsd6PerGpuHour=100_000), sender=issuer
    )
    chain.mine(timestamp=(start + 1) * 3_600 + 86_400)

    applied = operations.apply_spec(system, live, keeper)

    assert applied.specEpoch == start


# -- references --------------------------------------------------------------------------------


def test_reference_of__text_and_hex__are_words() -> None:
    assert operations.reference_of("inv-1") == b"inv-1" + bytes(27)
    assert operations.reference_of("0x" + "07" * 32) == b"\x07" * 32
    assert operations.reference_of("") == bytes(32)


@pytest.mark.parametrize(
    ("text", "message"),
    [("0x07", "is 1 bytes, a reference is 32"), ("x" * 33, "takes 33 bytes"), ("0xzz", "hex")],
)
def test_reference_of__what_does_not_fit__is_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        operations.reference_of(text)


def test_record__share_of_the_registered_cluster__verifies(
    records: Path, registration: operations.Registration
) -> None:
    record = Record(records)

    assert record.findings() == []
    assert record.deployment.share_of(registration.cluster_id) == Address(registration.share)
