"""scripts/_lib/cluster_file.py: a cluster's file, and what is wrong with it by field and value."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from api.domain.codec import to_address
from api.domain.gpu_set import GpuRecord, GpuSet
from api.domain.hashing import hash_leaf
from api.domain.merkle import MerkleTree
from api.errors import Incoherent, InvalidInput, Malformed
from api.types import ClusterId
from scripts._lib import cluster_file
from tests.support.scenario import default_spec

TOML = """
name = "Rackstream Node 1"
symbol = "RACK1"
issuer = "0x70997970c51812dc3a010c7d01b50e0d17dc79c8"
authorisedShares = "1,000,000.5"
[spec]
gpuModel = "H100-SXM5-80GB"
region = "eu-north-1"
gpuSetRoot = "0x1111111111111111111111111111111111111111111111111111111111111111"
documentsRoot = "0x2222222222222222222222222222222222222222222222222222222222222222"
gpuCount = 8
gpuMaxPowerWatts = 700
gpuIdlePowerWatts = 90
pueBps = 13000
tariffUsd6PerKwh = 92900
contractedRateUsd6PerGpuHour = 250000
reserveShareBps = 1000
depreciationLifeSeconds = 157680000
pricePaidUsd6 = "300000000000"
reserveTargetUsd6 = 60000000000
"""

GPUS = GpuSet(
    ClusterId(1),
    [GpuRecord(f"GPU-{i}", to_address(bytes([i] * 20)), 1_000, 9_000, 1_000) for i in (1, 2, 3)],
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "cluster.toml"
    path.write_text(TOML)
    return path


def test_read__toml_file__has_the_contracts_fields(path: Path) -> None:
    cluster = cluster_file.read(path)

    assert cluster.spec == default_spec()
    assert list(cluster.spec) == list(default_spec())
    assert (cluster.name, cluster.symbol) == ("Rackstream Node 1", "RACK1")
    assert cluster.issuer == "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
    assert cluster.authorised_shares == 1_000_000_500_000
    assert cluster.gpus is None


def test_read__json_file__is_the_same(path: Path, tmp_path: Path) -> None:
    import tomllib

    other = tmp_path / "cluster.json"
    other.write_text(json.dumps(tomllib.loads(TOML)))

    assert cluster_file.read(other) == cluster_file.read(path)


def test_read__changes__replace_fields_of_the_spec_and_of_the_file(path: Path) -> None:
    cluster = cluster_file.read(path, ["pueBps=15000", "symbol=RACK2"])

    assert (cluster.spec["pueBps"], cluster.symbol) == (15_000, "RACK2")


def test_read__no_file__takes_all_from_the_changes() -> None:
    spec = default_spec()
    words = {field: f"0x{spec[field].hex()}" for field in cluster_file.ROOT_FIELDS}
    texts = {"gpuModel": "H100-SXM5-80GB", "region": "eu-north-1"}
    changes = [f"{field}={value}" for field, value in {**spec, **words, **texts}.items()]

    cluster = cluster_file.read(None, [*changes, "name=N", "symbol=S", "authorisedShares=10"])

    assert cluster.spec == spec


def test_read__gpu_manifest__gives_root_and_count(path: Path, tmp_path: Path) -> None:
    (tmp_path / "gpus.json").write_text(GPUS.to_manifest())
    text = TOML.replace("[spec]", 'gpuManifest = "gpus.json"\n[spec]')
    path.write_text("\n".join(line for line in text.splitlines() if "gpuSetRoot" not in line))

    cluster = cluster_file.read(path)

    assert cluster.spec["gpuSetRoot"] == GPUS.root
    # The file names a count itself: GPUs in service at once can be fewer than the set over time.
    assert cluster.spec["gpuCount"] == 8
    assert cluster.gpus == GPUS
    path.write_text("\n".join(line for line in path.read_text().split("\n") if "gpuC" not in line))
    assert cluster_file.read(path).spec["gpuCount"] == len(GPUS)


def test_read__manifest_of_another_root__is_refused(path: Path, tmp_path: Path) -> None:
    (tmp_path / "gpus.json").write_text(GPUS.to_manifest())

    with pytest.raises(Incoherent, match="gpuSetRoot is not the root of the manifest"):
        cluster_file.read(path, ["gpuManifest=gpus.json"])


def test_read__documents__give_the_root_of_their_digests(path: Path, tmp_path: Path) -> None:
    contents = {"title.pdf": b"title", "insurance.pdf": b"insurance"}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    path.write_text(TOML.replace("[spec]", 'documents = ["title.pdf", "insurance.pdf"]\n[spec]'))

    cluster = cluster_file.read(path)

    digests = [hashlib.sha256(content).digest() for content in contents.values()]
    assert cluster.spec["documentsRoot"] == MerkleTree(map(hash_leaf, digests)).root


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("gpuCount=eight", "gpuCount is 'eight', expected an integer"),
        ("gpuModel=" + "x" * 32, "takes 32 bytes, at most 31 fit"),
        ("gpuModel=", "gpuModel is '', expected a text"),
        ("gpuSetRoot=0x12", "gpuSetRoot is '0x12', expected 0x and 64 hex digits"),
        ("authorisedShares=0.0000001", "more than six decimals"),
        ("name= ", "name is ' ', expected a text"),
        ("issuer=0x12", "issuer is '0x12', expected an address"),
        ("gpuCuont=8", "field is 'gpuCuont'"),
        ("gpuCount", "change is 'gpuCount', expected FIELD=VALUE"),
        ("gpuManifest=none.json", "No such file"),
    ],
)
def test_read__bad_value__is_named(path: Path, change: str, message: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        cluster_file.read(path, [change])

    assert message in str(caught.value)


def test_read__missing_field__is_named(path: Path) -> None:
    path.write_text("\n".join(line for line in TOML.splitlines() if "pueBps" not in line))

    with pytest.raises(Malformed, match="pueBps is None"):
        cluster_file.read(path)


@pytest.mark.parametrize("text", ["= 1", "[spec"])
def test_read__no_toml__is_refused(path: Path, text: str) -> None:
    path.write_text(text)

    with pytest.raises(Malformed, match="JSON or TOML"):
        cluster_file.read(path)


def test_read__bad_manifest__is_named(path: Path, tmp_path: Path) -> None:
    (tmp_path / "gpus.json").write_text('{"clusterId": 1, "gpus": [{}]}')

    with pytest.raises(Malformed, match="uuid"):
        cluster_file.read(path, ["gpuManifest=gpus.json"])
