"""The stage that reporters act on, made with the one deployment code."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from api.chain import deployments
from api.chain.deployments import ContractRecord, Deployment
from api.domain.gpu_set import GpuSet
from api.types import LOCAL_CHAIN_ID, Address, ClusterId
from scripts._lib import cast, reporters
from scripts._lib.anvil import Anvil, rpc
from scripts._lib.deployment import RoleHolders, deploy_system
from scripts._lib.opening import connected
from scripts._lib.processes import free_ports
from tests.support.reporting import GENESIS, Stage
from tests.support.scenario import SHARE, Scenario

OpenClusters = Callable[[Scenario, Mapping[ClusterId, GpuSet]], None]


def open_in_turn(scenario: Scenario, gpu_sets: Mapping[ClusterId, GpuSet]) -> None:
    """Take a cluster live for each GPU set, one after the other."""
    from ape import accounts

    for cluster_id, gpus in gpu_sets.items():
        made, _ = scenario.live_cluster(
            [accounts.test_accounts[10]],
            [1_000 * SHARE],
            gpuSetRoot=gpus.root,
            gpuCount=len(gpus),
        )
        assert made == cluster_id


def name_reporters(scenario: Scenario) -> None:
    """The four of `cast`, each its own operator, if they are not named yet."""
    operators = [reporters.account_of(reporter) for reporter in cast.REPORTERS]
    reporters.set_up(scenario.system, operators, scenario.deployer, scenario.registrar)


def make_stage(
    folder: Path,
    gpu_sets: Mapping[ClusterId, GpuSet],
    open_clusters: OpenClusters = open_in_turn,
    *,
    genesis: int = GENESIS,
) -> Stage:
    """In `folder`: the clusters of these GPU sets live, numbered from 1, four reporters named.

    A `genesis` before GENESIS leaves it to `open_clusters` to come to that hour.
    """
    from ape import accounts

    (port,) = free_ports(1)
    anvil = Anvil(port, folder / "anvil.json", folder / "anvil.log", genesis_time=genesis)
    anvil.start()
    try:
        with connected(anvil.url):
            actors = accounts.test_accounts
            deployer, admin, issuer = actors[0], actors[1], actors[7]
            system = deploy_system(deployer, RoleHolders.all_to(admin.address))
            scenario = Scenario(system, deployer, admin, admin, issuer, actors[8], actors[9])
            open_clusters(scenario, gpu_sets)
            name_reporters(scenario)
            oracle = Address(str(system.oracle.address))
            named = {
                "MetricsOracle": oracle,
                "ClusterRegistry": Address(str(system.registry.address)),
                "ReporterRegistry": Address(str(system.reporter_registry.address)),
                "Disputes": Address(str(system.disputes.address)),
                "Authority": Address(str(system.authority.address)),
                "RelatedParties": Address(str(system.related.address)),
                "Waterfall": Address(str(system.waterfall.address)),
                "ModelRegistry": Address(str(system.models.address)),
                "InferencePayments": Address(str(system.payments.address)),
                "X402Settler": Address(str(system.settler.address)),
            }
            stablecoin = Address(str(system.stablecoin.address))
        anvil.checkpoint()
        newest = rpc(port, "eth_getBlockByNumber", "latest", False)
    finally:
        anvil.stop()
    # Nothing was reported before this block: the reporters need not look further back.
    block, blank = int(newest["number"], 16), "0x" + "00" * 32
    deployments.save(
        folder / "deployments",
        Deployment(
            LOCAL_CHAIN_ID,
            stablecoin,
            contracts={
                name: ContractRecord(address, block, blank, {}, blank, blank)
                for name, address in named.items()
            },
        ),
    )
    return Stage(
        folder / "anvil.json",
        folder / "deployments",
        oracle,
        int(newest["timestamp"], 16),
        gpu_sets,
    )
