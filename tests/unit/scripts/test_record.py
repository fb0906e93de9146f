"""scripts/_lib/record.py: what is on record is what is on chain, or the difference is named."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from ape import chain
from ape.api import AccountAPI

from api.chain import deployments
from api.chain.deployments import ContractRecord
from api.errors import DeploymentMissing, WrongChain
from api.types import Address
from scripts._lib import record as record_module
from scripts._lib.deployment import DeploymentError, RoleHolders, deploy_share
from scripts._lib.record import (
    OtherLocalChain,
    Record,
    RecordMismatch,
    created_address,
    share_key,
    source_hash,
)
from scripts._lib.rollout import roll_out
from tests.support.scenario import default_spec

KEYS = [
    "Authority",
    "TestUsd",
    "IdentityRegistry",
    "ClusterRegistry",
    "MetricsOracle",
    "Waterfall",
    "CapitalProceeds",
    "HolderDesk",
    "Enforcement",
    "ShareExtension",
    "ReporterRegistry",
    "Disputes",
    "ModelRegistry",
    "InferencePayments",
    "X402Settler",
    "RelatedParties",
]
OTHER_HASH = "0x" + "ee" * 32


class Killed(BaseException):
    """Stands for the process dying: nothing may catch it."""


@pytest.fixture
def copied(record: Record, tmp_path: Path) -> Record:
    """The record in a folder of its own, for a test to spoil."""
    shutil.copy(record.path, tmp_path)
    return Record(tmp_path)


def _spoil(copied: Record, key: str, **changes: object) -> Record:
    entry: ContractRecord = replace(copied.deployment.contracts[key], **changes)  # type: ignore[arg-type]
    contracts = {**copied.deployment.contracts, key: entry}
    deployments.save(copied.directory, replace(copied.deployment, contracts=contracts))
    return Record(copied.directory)


def _contracts_created_by(account: AccountAPI) -> list[str]:
    nonces = range(int(chain.provider.get_nonce(account.address)))
    created = [created_address(Address(account.address), nonce) for nonce in nonces]
    return [address for address in created if chain.provider.get_code(address)]


# -- reading ---------------------------------------------------------------------------------------


def test_record__rolled_out_system__has_everything(record: Record, deployer: AccountAPI) -> None:
    assert list(record.contracts()) == KEYS
    assert record.deployment.stablecoin == record.deployment.contracts["TestUsd"].address
    assert record.deployment.pending is None
    entry = record.deployment.contracts["Waterfall"]
    assert list(entry.constructor_arguments.values()) == [
        record.addresses()[name]
        for name in ("Authority", "ClusterRegistry", "MetricsOracle", "TestUsd")
    ]
    receipt = chain.get_receipt(entry.tx_hash)
    assert (receipt.block_number, receipt.contract_address) == (entry.block, entry.address)
    assert entry.source_hash == source_hash("Waterfall")
    authority = record.deployment.contracts["Authority"]
    assert authority.constructor_arguments == {"initialAdmin": deployer.address}


def test_system__nothing_on_record__is_missing(tmp_path: Path) -> None:
    with pytest.raises(DeploymentMissing, match=r"there is no .*31337\.json"):
        Record(tmp_path).system()


def test_record__node_of_another_chain__is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configured = SimpleNamespace(chain_id=1, provider=chain.provider)
    monkeypatch.setattr("scripts._lib.network.chain", configured)

    with pytest.raises(WrongChain, match="serves chain 31337, expected is 1"):
        Record(tmp_path)


# -- verifying -------------------------------------------------------------------------------------


def test_verify__untouched_record__finds_nothing(record: Record) -> None:
    assert record.findings() == []
    record.verify()


@pytest.mark.parametrize("key", KEYS)
def test_verify__other_code_hash__is_found(copied: Record, key: str) -> None:
    spoiled = _spoil(copied, key, code_hash=OTHER_HASH)

    with pytest.raises(RecordMismatch, match="Nothing was sent") as caught:
        spoiled.verify(sources=False)

    (finding,) = caught.value.findings
    assert (finding.key, finding.what, finding.expected) == (key, "code", OTHER_HASH)


@pytest.mark.parametrize("key", KEYS)
def test_verify__other_source_hash__is_found(copied: Record, key: str) -> None:
    spoiled = _spoil(copied, key, source_hash=OTHER_HASH)

    # The sources are as they were, and so is what was sent: both contradict the record.
    assert {(finding.key, finding.what) for finding in spoiled.findings()} == {
        (key, "source"),
        (key, "transaction"),
    }


def test_verify__sources_changed_since__is_found_and_advised(
    record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(record_module, "source_hash", lambda key: OTHER_HASH)

    with pytest.raises(RecordMismatch, match="Check out the release") as caught:
        record.verify()

    assert {finding.what for finding in caught.value.findings} == {"source"}
    # Whoever only uses what is deployed is not held up by it.
    record.verify(sources=False)


def test_verify__other_constructor_argument__is_found(copied: Record, admin: AccountAPI) -> None:
    spoiled = _spoil(copied, "Authority", constructor_arguments={"initialAdmin": admin.address})

    (finding,) = spoiled.findings()

    assert (finding.what, finding.found) == ("arguments", f"initialAdmin={admin.address}")


def test_verify__contract_built_on_another_one__is_found(copied: Record) -> None:
    deployment = copied.deployment
    exchanged = {
        **deployment.contracts,
        "Authority": deployment.contracts["IdentityRegistry"],
    }
    deployments.save(copied.directory, replace(deployment, contracts=exchanged))

    found = {(finding.key, finding.what) for finding in Record(copied.directory).findings()}

    assert {
        (key, "arguments") for key in ("ClusterRegistry", "MetricsOracle", "Waterfall")
    } <= found


def test_verify__other_address__is_found(copied: Record, holder: AccountAPI) -> None:
    spoiled = _spoil(copied, "MetricsOracle", address=Address(holder.address))

    with pytest.raises(RecordMismatch, match=f"a contract at {holder.address}"):
        spoiled.verify(sources=False)


def test_verify__unknown_transaction__is_found(copied: Record) -> None:
    spoiled = _spoil(copied, "Waterfall", tx_hash=OTHER_HASH)

    (finding,) = spoiled.findings()

    assert (finding.what, finding.found) == ("transaction", "unknown to the node")


def test_verify__code_on_chain_changed__is_found(record: Record) -> None:
    address = record.deployment.contracts["MetricsOracle"].address
    chain.provider.make_request("anvil_setCode", [address, "0x00"])

    with pytest.raises(RecordMismatch, match="MetricsOracle: code is 0x"):
        record.verify(sources=False)


def test_verify__nothing_is_there__is_another_local_chain(copied: Record) -> None:
    for entry in copied.contracts().values():
        chain.provider.make_request("anvil_setCode", [entry.address, "0x"])

    with pytest.raises(OtherLocalChain, match=f"None of the {len(KEYS)} contracts"):
        copied.verify()
    copied.discard()

    assert not copied.path.exists()
    assert copied.contracts() == {}


def test_discard__record_of_this_chain__is_kept(copied: Record) -> None:
    with pytest.raises(DeploymentError, match="it is kept"):
        copied.discard()

    assert copied.path.exists()


# -- writing ---------------------------------------------------------------------------------------


def test_choose_stablecoin__another_one__is_refused(copied: Record, holder: AccountAPI) -> None:
    with pytest.raises(DeploymentError, match=f"on record, not {holder.address}"):
        copied.choose_stablecoin(holder.address)


def test_on_deployed__share__is_recorded_by_its_cluster(
    copied: Record, registrar: AccountAPI, issuer: AccountAPI
) -> None:
    system = copied.system()
    system.registry.registerCluster(issuer, 10**12, default_spec(), sender=registrar)
    cluster_id = int(system.registry.clusterCount())
    with copied.deploying(registrar):
        share = deploy_share(
            system, cluster_id, "Node", "NODE", registrar, on_deployed=copied.on_deployed
        )

    again = Record(copied.directory)

    assert again.deployment.share_of(cluster_id) == share.address
    assert share_key(cluster_id) in again.addresses()
    assert again.findings() == []
    assert again.deployment.pending is None


@pytest.mark.parametrize(
    ("moment", "key"),
    [*(("before", key) for key in KEYS), ("after", "Authority"), ("after", "Waterfall")],
)
def test_roll_out__died_at_the_record_of_a_contract__is_continued(
    deployer: AccountAPI,
    role_holders: RoleHolders,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    key: str,
    moment: str,
) -> None:
    before = len(_contracts_created_by(deployer))
    add = Record._add

    def die(self: Record, name: str, *arguments: object) -> None:
        if moment == "after" or name != key:
            add(self, name, *arguments)  # type: ignore[arg-type]
        if name == key:
            raise Killed

    monkeypatch.setattr(Record, "_add", die)
    with pytest.raises(Killed):
        list(roll_out(deployer, role_holders, None, tmp_path))
    monkeypatch.setattr(Record, "_add", add)
    last = _contracts_created_by(deployer)[-1]
    assert (key in Record(tmp_path).contracts()) == (moment == "after")

    lines = list(roll_out(deployer, role_holders, None, tmp_path))

    record = Record(tmp_path)
    assert list(record.contracts()) == KEYS
    assert record.addresses()[key] == last
    assert record.findings() == []
    # Nothing was deployed twice.
    assert len(_contracts_created_by(deployer)) - before == len(KEYS)
    found = [line for line in lines if line.startswith(f"{key}: found on chain")]
    assert bool(found) == (moment == "before")


def test_recover__share_that_was_not_recorded__is_recorded(
    copied: Record,
    registrar: AccountAPI,
    issuer: AccountAPI,
    holder: AccountAPI,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    system = copied.system()
    system.registry.registerCluster(issuer, 10**12, default_spec(), sender=registrar)
    cluster_id = int(system.registry.clusterCount())

    def die(*_: object) -> None:
        raise Killed

    monkeypatch.setattr(copied, "on_deployed", die)

    def deploy() -> None:
        with copied.deploying(registrar):
            # Other transactions of the same account lie around it.
            registrar.transfer(holder, 1)
            deploy_share(
                system, cluster_id, "Node", "NODE", registrar, on_deployed=copied.on_deployed
            )

    with pytest.raises(Killed):
        deploy()
    holder.transfer(registrar, 1)
    continued = Record(copied.directory)

    assert continued.recover() == [share_key(cluster_id)]

    arguments = continued.deployment.shares[cluster_id].constructor_arguments
    assert list(arguments.values())[:3] == ["Node", "NODE", cluster_id]
    assert Record(copied.directory).findings() == []
    assert continued.recover() == []


@pytest.fixture(autouse=True)
def _no_leftover(tmp_path: Path) -> Iterator[None]:
    """Whatever a test does, a record is one whole file: no temporary ones stay."""
    yield
    assert {path.suffix for path in tmp_path.iterdir()} <= {".json"}
