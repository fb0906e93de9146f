"""The same work on one Anvil: ours beside those who do it, or a part of it."""

from __future__ import annotations

import json

import pytest
from ape.api import AccountAPI

from tests.bench.gas.comparison import compare
from tests.bench.gas.reasons import reason
from tests.bench.gas.report import publish
from tests.bench.gas.results import OPERATIONS, OURS, Results
from tests.bench.tables import FOLDER
from tests.support.scenario import Scenario


@pytest.fixture(scope="module")
def results(scenario: Scenario, customer: AccountAPI) -> Results:
    results = compare(scenario, customer)
    publish(results)
    return results


def test_compare__every_system__is_in_the_ledger(results: Results) -> None:
    gas = json.loads((FOLDER / "gas.json").read_text())
    assert {OURS, "openzeppelin", "t-rex", "sablier_flow", "superfluid", "accumulator"} <= set(
        gas["transfer"]
    )
    assert set(OPERATIONS) <= set(gas)


def test_compare__a_peer_that_is_cheaper__is_explained(results: Results) -> None:
    unexplained = [
        f"{operation}: {peer.name}"
        for operation, peer in results.cheaper()
        if reason(operation, peer.name) is None
    ]
    assert not unexplained, "write why into tests/bench/gas/reasons.py"
