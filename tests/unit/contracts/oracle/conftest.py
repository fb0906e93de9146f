"""Seven reporters, and clusters that all went live in one epoch."""

from __future__ import annotations

import pytest
from ape.api import AccountAPI
from ape.contracts import ContractInstance

from tests.support.oracle import Newsdesk, reporter_keys
from tests.support.scenario import EPOCH_SECONDS, SHARE, Scenario, current_epoch, travel_to


@pytest.fixture(scope="module")
def desk(oracle: ContractInstance, oracle_admin: AccountAPI, relayer: AccountAPI) -> Newsdesk:
    keys = tuple(reporter_keys(7))
    oracle.setReporters([key.address for key in keys], sender=oracle_admin)
    return Newsdesk(oracle, keys, relayer)


@pytest.fixture(scope="module")
def clusters(scenario: Scenario, holder: AccountAPI) -> list[int]:
    """Three Live clusters with the same first epoch."""
    travel_to((current_epoch() + 1) * EPOCH_SECONDS + 1)
    return [scenario.live_cluster([holder], [100 * SHARE])[0] for _ in range(3)]


@pytest.fixture(scope="module", autouse=True)
def _start(desk: Newsdesk, clusters: list[int]) -> None:
    """Every test of a module starts from the same chain, whichever fixtures it names."""


@pytest.fixture(scope="module")
def cluster_id(clusters: list[int]) -> int:
    return clusters[0]


@pytest.fixture(scope="module")
def first_epoch(registry: ContractInstance, clusters: list[int]) -> int:
    epochs = {int(registry.epochRange(cluster_id).firstEpoch) for cluster_id in clusters}
    assert len(epochs) == 1
    return epochs.pop()
