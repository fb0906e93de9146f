"""The scripts and the console as they are run: processes of their own against a running chain."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from tests.support.own_node import Node

DAY = 86_400
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

STEP = "-- done --\n"
WALK = f"""
import shlex, sys
from importlib import import_module
from ape.logging import logger
logger.set_level("ERROR")
for line in sys.stdin:
    name, *arguments = shlex.split(line)
    try:
        import_module("scripts." + name).cli.main([*arguments, "--network", sys.argv[1]])
    except SystemExit as done:
        if done.code:
            raise
    print({STEP!r}, end="")
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

    def walk(self, *lines: str) -> list[str]:
        """What each of these command lines says, all run in one process: ape takes seconds to
        start."""
        done = subprocess.run(
            [sys.executable, "-c", WALK, self._network],
            cwd=ROOT,
            env=self._environment,
            input="\n".join(lines),
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.split(STEP)[:-1]


def test_scripts__from_an_empty_chain__end_in_a_portfolio(node: Node, tmp_path: Path) -> None:
    node.start()
    terminal = Terminal(f"ethereum:local:{node.url}", tmp_path)
    record = tmp_path / "31337.json"
    cluster = tmp_path / "cluster.toml"
    cluster.write_text(CLUSTER)

    assert terminal.run("deploy").count(" deployed\n") == 16
    written = record.read_text()
    assert terminal.run("deploy").count(" as recorded\n") == 16
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
    assert "None of the 17 contracts" in refused.stderr


def test_scripts__pledge_claims_and_recovery__leave_all_with_the_new_wallet(
    node: Node, tmp_path: Path
) -> None:
    node.start()
    terminal = Terminal(f"ethereum:local:{node.url}", tmp_path)
    files = [tmp_path / "first.toml", tmp_path / "second.toml"]
    files[0].write_text(CLUSTER)
    files[1].write_text(CLUSTER.replace("gpuCount = 8", "gpuCount = 9"))
    holder, replacement, payee, agent, trustee, taker = (f"TEST::{n}" for n in range(1, 7))
    investor = "--reference a --salt s --country 528 --class institution"

    *_, deposited, authorised, registered, raised, limits, assigned, _, _, hours = terminal.walk(
        "deploy",
        f"admit_investor --wallet {holder} {investor}",
        f"admit_investor --wallet {replacement} {investor}",
        "mint_test_usd --to TEST::8 --dollars 2005",
        *(f"register_cluster --file {file}" for file in files),
        *(f"issue_shares --cluster {n} --to {holder} --shares 600" for n in (1, 2)),
        *(f"go_live --cluster {n}" for n in (1, 2)),
        *(
            f"pay --cluster {n} --dollars 1000 --kind lease --ref inv-{n} --account TEST::8"
            for n in (1, 2)
        ),
        f"admit_taker --taker {taker}",
        "payments --deposit 5 --account TEST::8",
        "payments --authorise TEST::9 --gateway TEST::5 --limit 2 --until 2099-01-01"
        " --account TEST::8",
        "models --name llama --register --royalty 250 --account TEST::8",
        f"models --name llama --royalty 300 --pay-to {payee} --payout --account TEST::8",
        "limits --cluster 1 --max-holders 9 --exclude 408",
        f"encumber --cluster 1 --taker {taker} --shares 100 --assign 40 --payee {payee}"
        f" --account {holder}",
        *(f"distribute --cluster {n}" for n in (1, 2)),
        "quality --cluster 1 --json",
    )
    assert re.match(r"\$5\.000000 deposited\n0x\w+ has \$5\.000000\n\Z", deposited)
    assert "spent $0.000000 of $2.000000, until 2099-01-01" in authorised
    assert re.match(r"llama of 0x\w{40}: 0x\w{64}\nasks 2\.50 %\nhas earned \$0", registered)
    paid, _, asks, _ = raised.splitlines()
    assert paid.startswith("$0.000000 paid to 0x")
    assert re.fullmatch(r"asks 2\.50 %, from 20.* on 3\.00 %", asks)
    assert "1 investors hold cluster 1\nin force: no limits\n" in limits
    assert "by --apply: at most 9 investors; countries excluded\n" in limits
    assert "by --apply: countries 408 excluded\n" in limits
    pledged, income = assigned.splitlines()
    assert pledged.startswith("100 shares of 0x")
    assert income.startswith("the income of 40 of them goes to 0x")
    assert sum(int(hour["paidUsd6"]) for hour in json.loads(hours)) == 1_000 * 10**6
    node.rpc("evm_increaseTime", 7 * DAY)
    node.rpc("evm_mine")

    claimed, assigned, again, released, why, _, _, frozen, proposed, _, limits = terminal.walk(
        f"claim --owner {holder}",
        f"claim --cluster 1 --owner {holder} --assigned-to {payee}",
        f"claim --owner {holder}",
        f"release --cluster 1 --owner {holder} --account {taker}",
        f"why_not --cluster 1 --from {holder} --to TEST::9 --shares 1",
        f"appoint --cluster 1 --power transfer-agent --who {agent}",
        f"appoint --cluster 1 --power trustee --who {trustee}",
        f"freeze --cluster 1 --wallet {holder} --whole --reference 'case 7' --account {agent}",
        f"recover --cluster 1 --lost {holder} --replacement {replacement} --reference 'case 7'"
        f" --account {agent}",
        f"order --confirm 1 --account {trustee}",
        "limits --cluster 1 --apply",
    )
    first, second = map(Decimal, re.findall(r"cluster [12]: \$([\d.]+) paid to 0x", claimed))
    to_payee = Decimal(re.findall(r"cluster 1: \$([\d.]+) that 0x", assigned)[0])
    # Of 600 shares 40 earn for the payee. Amounts are rounded down to a millionth.
    assert abs(to_payee * 560 - first * 40) < Decimal("0.001")
    assert abs(first + to_payee - second) < 10
    assert again.startswith("nothing to claim for 0x")
    assert released.startswith("100 shares of 0x")
    assert why == "The receiver is not attested to as an investor, or no longer.\n"
    assert re.match(r"everything of 0x\w+ is frozen; unless confirmed, until 2", frozen)
    assert re.match(r"order 1: all of 0x\w+ to 0x\w+; once the trustee confirms it", proposed)
    assert "in force: at most 9 investors; countries excluded: 408\n" in limits
    node.rpc("evm_increaseTime", 14 * DAY)
    node.rpc("evm_mine")
    done, listed, paid, swept, freed = terminal.walk(
        "order --execute 1",
        "order",
        f"claim --cluster 1 --owner {replacement}",
        "sweep --cluster 1 --treasury",
        "payments --release --account TEST::8",
    )
    assert done == "order 1: execute done\n"
    assert re.match(r"order 1, cluster 1: everything of 0x\w+ to 0x\w+; executed\n", listed)
    assert "nothing to claim for" in paid
    assert swept == "nothing waits\n"
    assert freed.startswith("no lock is over\n0x")


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
