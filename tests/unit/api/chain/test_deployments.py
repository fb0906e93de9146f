"""Records on disk: whole or not at all, and refused when they are something else."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from api.chain import deployments
from api.chain.deployments import ContractRecord, Deployment, PendingRecord
from api.domain.codec import to_address
from api.errors import DeploymentMalformed, DeploymentMissing

ALICE = to_address(b"\x01" * 20)
RECORD = ContractRecord(
    to_address(b"\x02" * 20),
    7,
    "0x" + "ab" * 32,
    {"authority_": ALICE, "clusterId_": 1, "cap": 2**60},
    "0x" + "cd" * 32,
    "0x" + "ef" * 32,
)
DEPLOYMENT = Deployment(
    31337, ALICE, {"Waterfall": RECORD}, {1: RECORD}, PendingRecord(ALICE, 9, 8)
)


def test_save__deployment__is_loaded_again_as_it_was(tmp_path: Path) -> None:
    path = deployments.save(tmp_path / "new" / "folder", DEPLOYMENT)

    loaded = deployments.load(tmp_path / "new" / "folder", 31337)

    # Large integers are strings on disk, so that no other reader rounds them.
    cap = loaded.contracts["Waterfall"].constructor_arguments["cap"]
    assert cap == str(2**60)
    arguments = {**RECORD.constructor_arguments, "cap": cap}
    record = replace(RECORD, constructor_arguments=arguments)
    assert loaded == replace(DEPLOYMENT, contracts={"Waterfall": record}, shares={1: record})
    assert path.name == "31337.json"
    assert list(path.parent.iterdir()) == [path]


def test_save__disk_fails__keeps_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = deployments.save(tmp_path, DEPLOYMENT)
    before = path.read_bytes()

    def fail(_: int) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="disk full"):
        deployments.save(tmp_path, replace(DEPLOYMENT, stablecoin=None))

    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_load__no_file__is_missing(tmp_path: Path) -> None:
    with pytest.raises(DeploymentMissing, match="nothing is deployed on chain 5"):
        deployments.load(tmp_path, 5)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "JSONDecodeError"),
        ("[]", "AttributeError"),
        ('{"chainId": 31337}', "KeyError: 'contracts'"),
        ('{"chainId": 1, "contracts": {}, "shares": {}}', "it is of chain 1"),
        (
            '{"chainId": 31337, "contracts": {"A": {"address": "0x12"}}, "shares": {}}',
            "address is '0x12'",
        ),
    ],
)
def test_load__something_else__is_malformed(tmp_path: Path, text: str, reason: str) -> None:
    (tmp_path / "31337.json").write_text(text)

    with pytest.raises(DeploymentMalformed, match="no record of a deployment") as caught:
        deployments.load(tmp_path, 31337)

    assert reason in str(caught.value)


@pytest.mark.parametrize("value", [None, True, 1.5, ["0x"]])
def test_load__argument_of_another_kind__is_malformed(tmp_path: Path, value: object) -> None:
    path = deployments.save(tmp_path, DEPLOYMENT)
    document = json.loads(path.read_text())
    document["contracts"]["Waterfall"]["constructorArguments"]["authority_"] = value
    path.write_text(json.dumps(document))

    with pytest.raises(DeploymentMalformed, match="constructor argument authority_"):
        deployments.load(tmp_path, 31337)


def test_address_of__contract_on_record__is_its_address() -> None:
    assert DEPLOYMENT.address_of("Waterfall") == RECORD.address
    assert DEPLOYMENT.share_of(1) == RECORD.address


def test_address_of__contract_not_on_record__is_missing() -> None:
    with pytest.raises(DeploymentMissing, match="MetricsOracle"):
        DEPLOYMENT.address_of("MetricsOracle")
    with pytest.raises(DeploymentMissing, match="ClusterShare of cluster 2"):
        DEPLOYMENT.share_of(2)
