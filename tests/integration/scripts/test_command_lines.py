"""The scripts and the console as they are run: processes of their own against a running chain."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.own_node import Node

ROOT = Path(__file__).resolve().parents[3]
CLUSTER = """
name = "Rackstream Node 1"
symbol = "RACK1"
authorisedShares = "1000"
[spec]
gpuModel = "H100-SXM5-80GB"
region = "eu-north-1"
gpuSetRoot = "0x1111111111111111111111111111111111111111111111111111111111111111"
gpuCount = 8
gpuMaxPowerWatts = 700
gpuIdlePowerWatts = 90
pueBps = 13000
tariffUsd6PerKwh = 92900
contractedRateUsd6PerGpuHour = 250000
reserveShareBps = 1000
depreciationLifeSeconds = 157680000
pricePaidUsd6 = 300000000000
reserveTargetUsd6 = 60000000000
"""


@pytest.fixture
def node() -> Iterator[Node]:
    node = Node()
    yield node
    node.kill()


class Terminal:
    """Runs ape on a node's network, with records in a folder of the test's own."""

    def __init__(self, network: str, deployments: Path) -> None:
        self._network = network
        self._environment = {
            **os.environ,
            "RACKSTREAM_DEPLOYMENTS_DIR": str(deployments),
            "COLUMNS": "160",
        }

    def ape(self, *arguments: str, typed: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["ape", *arguments, "--network", self._network, "-v", "ERROR"],
            cwd=ROOT,
            env=self._environment,
            input=typed,
            capture_output=True,
            text=True,
            timeout=120,
        )

    def run(self, *arguments: str) -> str:
        done = self.ape("run", *arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


def test_scripts__from_an_empty_chain__end_in_a_portfolio(node: Node, tmp_path: Path) -> None:
    node.start()
    terminal = Terminal(f"ethereum:local:{node.url}", tmp_path)
    record = tmp_path / "31337.json"
    cluster = tmp_path / "cluster.toml"
    cluster.write_text(CLUSTER)

    assert terminal.run("deploy").count(" deployed\n") == 10
    written = record.read_text()
    assert terminal.run("deploy").count(" as recorded\n") == 10
    assert record.read_text() == written
    assert "cluster 1: share 0x" in terminal.run("register_cluster", "--file", str(cluster))
    assert list(json.loads(record.read_text())["shares"]) == ["1"]
    admission = ["--reference", "a", "--salt", "s", "--country", "528", "--class", "institution"]
    assert "is admitted as investor" in terminal.run(
        "admit_investor", "--wallet", "TEST::1", *admission
    )
    assert "issued 600 shares of cluster 1" in terminal.run(
        "issue_shares", "--cluster", "1", "--to", "TEST::1", "--shares", "600"
    )
    console = terminal.ape("console", typed='portfolio("TEST::1")\nclaim("TEST::1")\ncluster(2)\n')

    assert re.search(r"│ 1 +│ RACK1 +│ +600 │ +100\.00 %", console.stdout)
    assert "has nothing to claim now" in console.stdout
    assert "cluster 2 is not known: clusters() lists those there are" in console.stdout
    assert "Traceback" not in console.stdout + console.stderr
    # The chain is gone and another one stands in its place: nothing is taken for what it is not.
    node.kill()
    node.start()
    refused = terminal.ape("run", "status")
    assert refused.returncode == 1
    assert "None of the 11 contracts" in refused.stderr


def test_deploy__well_known_key_off_the_local_chain__is_refused(node: Node, tmp_path: Path) -> None:
    node.start(chain_id=5)
    terminal = Terminal(node.url, tmp_path)

    unnamed = terminal.ape("run", "deploy")
    known = terminal.ape("run", "deploy", "--account", "TEST::0")

    assert (unnamed.returncode, known.returncode) == (2, 1)
    assert "chain 5 is not local: name the --account that signs" in unnamed.stderr
    assert "is a well-known test account: refused on chain 5" in known.stderr
    assert node.rpc("eth_blockNumber") == "0x0"
    assert not list(tmp_path.iterdir())


def test_deploy__public_chain_called_local__is_refused(node: Node, tmp_path: Path) -> None:
    node.start(chain_id=5)

    refused = Terminal(f"ethereum:local:{node.url}", tmp_path).ape("run", "deploy")

    assert refused.returncode == 1
    assert "the node serves chain 5, expected is 31337" in refused.stderr
    assert node.rpc("eth_blockNumber") == "0x0"
