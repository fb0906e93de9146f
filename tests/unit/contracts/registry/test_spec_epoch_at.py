"""ClusterRegistry.specEpochAt and specAt: the history of a specification, as long as it may be."""

from __future__ import annotations

import random
from bisect import bisect_right

import pytest
from ape import chain
from ape.api import AccountAPI
from ape.contracts import ContractInstance

from tests.support.registry import spec_of
from tests.support.scenario import EPOCH_SECONDS, Scenario, current_epoch, default_spec


@pytest.mark.parametrize("changes", [0, 1, 2, 3, 4, 13])
def test_spec_epoch_at__some_changes__agrees_with_a_sorted_list(
    registry: ContractInstance, issuer: AccountAPI, scenario: Scenario, changes: int
) -> None:
    """Every epoch from before the first change to after the last, against Python's bisect."""
    choose = random.Random(changes)
    cluster_id = scenario.register_cluster()
    acts = [0]
    for number in range(changes):
        act = current_epoch() + choose.randint(1, 4)
        spec = default_spec(gpuCount=100 + number)
        registry.scheduleSpec(cluster_id, act, spec, sender=issuer)
        acts.append(act)
        chain.pending_timestamp = act * EPOCH_SECONDS + choose.randrange(EPOCH_SECONDS)
        chain.mine()

    first = acts[1] - 3 if changes else 0
    for epoch in [0, 1, *range(first, acts[-1] + 4), 2**32, 2**256 - 1]:
        position = bisect_right(acts, epoch) - 1
        assert registry.specEpochAt(cluster_id, epoch) == acts[position]
    for position, act in enumerate(acts):
        spec, from_epoch = registry.specAt(cluster_id, act)
        count = 8 if position == 0 else 99 + position
        assert (spec_of(spec), from_epoch) == (default_spec(gpuCount=count), act)
