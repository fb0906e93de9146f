"""The gas of every operation, under version control: a change of it is a change to be looked at."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ape import chain
from ape.api import AccountAPI

from tests.gas import (
    operations_disputes,
    operations_money,
    operations_oracle,
    operations_payments,
    operations_reporters,
)
from tests.gas.operations_money import FEW, MANY, Actors
from tests.support.scenario import Scenario, travel_to

LEDGER = Path(__file__).with_name("ledger.json")
START = 2_000_000_000 // 14_400 * 14_400 + 7
"""Unix second of the first operation, always the same: times are calldata, and so gas."""

LIMITS = (
    operations_money.LIMITS
    | operations_oracle.LIMITS
    | operations_reporters.LIMITS
    | operations_disputes.LIMITS
    | operations_payments.LIMITS
)


@pytest.fixture(scope="module")
def gas(
    scenario: Scenario,
    oracle_admin: AccountAPI,
    customer: AccountAPI,
    holder: AccountAPI,
    other_holder: AccountAPI,
    relayer: AccountAPI,
    keeper: AccountAPI,
    admin: AccountAPI,
    deployer: AccountAPI,
    arbiter: AccountAPI,
    newcomer: AccountAPI,
) -> dict[str, int]:
    """Each operation's gas, whole transactions."""
    actors = Actors(oracle_admin, customer, holder, other_holder, relayer, keeper, admin)
    travel_to(START)
    money = operations_money.measure(scenario, actors, START)
    travel_to(_days_later())
    oracle = operations_oracle.measure(
        scenario.system, scenario.registrar, scenario.issuer, oracle_admin, keeper
    )
    reporters, operators = operations_reporters.measure(
        scenario.system, (customer, holder, other_holder, relayer), deployer, oracle_admin, keeper
    )
    travel_to(_days_later())
    disputes = operations_disputes.measure(scenario, operators, holder, arbiter, keeper)
    payments = operations_payments.measure(
        scenario, keeper, customer, holder, admin, newcomer, _days_later()
    )
    return dict(sorted((money | oracle | reporters | disputes | payments).items()))


def _days_later() -> int:
    """The start of a day, the same however long the operations before took."""
    return int(chain.blocks.head.timestamp) // 86_400 * 86_400 + 10 * 86_400


def test_ledger__every_operation__costs_what_is_written(
    gas: dict[str, int], updating: bool
) -> None:
    if updating:
        LEDGER.write_text(json.dumps(gas, indent=2) + "\n", encoding="ascii")
    written = json.loads(LEDGER.read_text(encoding="ascii"))
    assert gas == written, "\n" + _differences(written, gas)


@pytest.mark.parametrize("operation", sorted(LIMITS))
def test_ledger__operation_with_a_limit__stays_below(gas: dict[str, int], operation: str) -> None:
    assert gas[operation] <= LIMITS[operation]


@pytest.mark.parametrize("operation", ["transfer", "claim", "distribute"])
def test_ledger__ten_holders_and_a_thousand__cost_the_same(
    gas: dict[str, int], operation: str
) -> None:
    of_few, of_many = gas[operation], gas[f"{operation}_at_{MANY}_holders"]
    assert of_few == of_many, f"{of_few} with {FEW} holders, {of_many} with {MANY}"


def _differences(written: dict[str, int], measured: dict[str, int]) -> str:
    """A line for each operation that changed, and how to accept the change."""
    lines = []
    for operation in sorted(written.keys() | measured.keys()):
        before, now = written.get(operation), measured.get(operation)
        if before != now:
            change = (
                f"{now - before:+,}" if before is not None and now is not None else "new or gone"
            )
            lines.append(f"{operation:28} {before or 0:>10,} → {now or 0:>10,}   {change}")
    return "\n".join([*lines, "If this is meant: make gas, and commit tests/gas/ledger.json."])
