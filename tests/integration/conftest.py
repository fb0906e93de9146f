"""One stage and one database server a session; each module makes a world on them."""

from __future__ import annotations

import pytest

from api.chain import deployments
from api.chain.deployments import ContractRecord, Deployment
from api.types import LOCAL_CHAIN_ID, Address
from scripts._lib import cast, reporters
from scripts._lib.anvil import Anvil, rpc
from scripts._lib.deployment import RoleHolders, deploy_system
from scripts._lib.opening import connected
from scripts._lib.processes import free_ports
from tests.support.database import postgres
from tests.support.reporting import CLUSTER, GENESIS, GPU_SETS, SECOND_CLUSTER, Stage
from tests.support.scenario import SHARE, Scenario

__all__ = ["postgres"]


@pytest.fixture(scope="session")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    """Deployed with the one deployment code; two clusters live; four reporters named."""
    from ape import accounts

    folder = tmp_path_factory.mktemp("stage")
    (port,) = free_ports(1)
    anvil = Anvil(port, folder / "anvil.json", folder / "anvil.log", genesis_time=GENESIS)
    anvil.start()
    try:
        with connected(anvil.url):
            actors = accounts.test_accounts
            deployer, admin, issuer = actors[0], actors[1], actors[7]
            system = deploy_system(deployer, RoleHolders.all_to(admin.address))
            scenario = Scenario(system, deployer, admin, admin, issuer, actors[8], actors[9])
            for cluster_id in (CLUSTER, SECOND_CLUSTER):
                gpus = GPU_SETS[cluster_id]
                made, _ = scenario.live_cluster(
                    [actors[10]], [1_000 * SHARE], gpuSetRoot=gpus.root, gpuCount=len(gpus)
                )
                assert made == cluster_id
            operators = [reporters.account_of(reporter) for reporter in cast.REPORTERS]
            reporters.set_up(system, operators, deployer, admin)
            oracle = Address(str(system.oracle.address))
            registry = Address(str(system.registry.address))
            reporter_registry = Address(str(system.reporter_registry.address))
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
            contracts={
                name: ContractRecord(address, block, blank, {}, blank, blank)
                for name, address in (
                    ("MetricsOracle", oracle),
                    ("ClusterRegistry", registry),
                    ("ReporterRegistry", reporter_registry),
                )
            },
        ),
    )
    return Stage(
        folder / "anvil.json", folder / "deployments", oracle, int(newest["timestamp"], 16)
    )
