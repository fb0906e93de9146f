"""scripts/_lib/reporters.py: registering, changing the set or a key, proving a fault."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from ape import chain
from ape.api import AccountAPI

from api.domain.codec import to_hex
from api.domain.signing import Signer
from api.errors import InvalidInput
from scripts._lib import cast, disputes, reporters
from scripts._lib.deployment import System
from tests.support.oracle import Figures
from tests.support.reporters import BOND, Operators, key_of
from tests.support.scenario import USD, travel_to


@pytest.fixture
def operators(
    system: System,
    deployer: AccountAPI,
    holder: AccountAPI,
    customer: AccountAPI,
    oracle_admin: AccountAPI,
) -> Operators:
    """Two with dollars who have approved nothing."""
    for account in (holder, customer):
        system.stablecoin.mint(account, 2 * BOND, sender=deployer)
    return Operators(
        system, system.reporter_registry, system.oracle, (holder, customer), oracle_admin
    )


def signer_of(name: str) -> Signer:
    return Signer(bytes(key_of(name).key))


def register(operators: Operators, number: int, name: str) -> str:
    operator = operators.accounts[number]
    key = signer_of(name)
    proof = reporters.possession(operators.system, str(operator.address), key)
    reporters.register(operators.system, operator, key.address, proof, BOND)
    return str(operator.address)


def test_register__key_proved_by_itself__bond_approved_and_paid(operators: Operators) -> None:
    operator = register(operators, 0, "hot")
    found = reporters.standing(operators.system, operator)
    assert (found.signer, found.bond_usd6) == (signer_of("hot").address, BOND)
    assert found.is_registered
    assert not found.is_member
    assert reporters.add_bond(operators.system, operators.accounts[0], 5 * USD) == BOND + 5 * USD
    assert "bond $10,005.00; in no set" in reporters.of_operator(operators.system, operator)


def test_of_operator__never_registered__says_so(operators: Operators, attacker: AccountAPI) -> None:
    said = reporters.of_operator(operators.system, str(attacker.address))
    assert said == f"{attacker.address} is not registered"


def test_in_words__scheduled_and_in_force__told_with_their_times(operators: Operators) -> None:
    system, registry = operators.system, operators.registry
    assert list(reporters.in_words(system)) == ["no set is in force"]
    first, second = register(operators, 0, "one"), register(operators, 1, "two")
    due_at = reporters.schedule(system, [first, second], operators.oracle_admin)
    assert due_at == chain.blocks.head.timestamp
    scheduled = list(reporters.in_words(system))
    assert scheduled[1].startswith("scheduled, to be activated from ")
    registry.activate(sender=operators.accounts[0])
    head, *members = reporters.in_words(system)
    assert head.endswith(": 2 reporters, 2 signatures make a report")
    assert [line.strip().partition(" ")[0] for line in members] == [first, second]
    operators.rotate(operators.accounts[1], key_of("newer"))
    assert f"{key_of('newer').address} may take over from" in list(reporters.in_words(system))[2]
    reporters.schedule(system, [first], operators.oracle_admin)
    travel_to(chain.blocks.head.timestamp + 86_400)
    registry.activate(sender=operators.accounts[0])
    registry.requestExit(sender=operators.accounts[1])
    assert "leaves, bond free from" in reporters.of_operator(system, second)


def evidence(operators: Operators) -> dict[str, Any]:
    """What a reporter tells of an operator's two reports."""
    report = operators.report(480_000, 1, 2)
    lie = replace(report, figures=(report.figures[0], Figures(2, billable=0)))

    def told(one: Any) -> dict[str, Any]:
        return {
            "reporterSetId": one.set_id,
            "epoch": one.epoch,
            "round": one.round,
            "root": to_hex(one.root),
            "figures": [str(word) for word in one.words],
            "signature": to_hex(one.signature(key_of("hot"))),
        }

    return {"first": told(report), "second": told(lie), "firstIndex": 1, "secondIndex": 1}


def test_prove__evidence_as_it_is_told__bond_lost_and_half_paid(
    operators: Operators, keeper: AccountAPI
) -> None:
    system = operators.system
    operator = register(operators, 0, "hot")
    fault = reporters.prove(system, json.dumps(evidence(operators)).encode(), keeper)
    assert (fault.operator, fault.forfeited_usd6, fault.reward_usd6) == (operator, BOND, BOND // 2)
    before = system.stablecoin.balanceOf(keeper)
    assert disputes.pay(system, str(keeper.address), operators.accounts[1]) == BOND // 2
    assert system.stablecoin.balanceOf(keeper) == before + BOND // 2


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"first": None}, "first"),
        ({"second": {}}, "reporterSetId"),
        ({"firstIndex": "x"}, "firstIndex"),
    ],
)
def test_prove__evidence_that_is_none__names_the_field(
    operators: Operators, keeper: AccountAPI, change: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidInput, match=field):
        reporters.prove(operators.system, json.dumps(evidence(operators) | change).encode(), keeper)


@pytest.mark.parametrize("body", [b"", b"[]", b"{"])
def test_prove__no_object__refused(operators: Operators, keeper: AccountAPI, body: bytes) -> None:
    with pytest.raises(InvalidInput, match="evidence"):
        reporters.prove(operators.system, body, keeper)


def test_set_up__again__sends_nothing(operators: Operators, deployer: AccountAPI) -> None:
    accounts = [reporters.account_of(reporter) for reporter in cast.REPORTERS[:2]]
    for account in accounts:
        deployer.transfer(account, "1 ether")
    reporters.set_up(operators.system, accounts, deployer, operators.oracle_admin)
    assert list(operators.oracle.reporters()) == [str(account.address) for account in accounts]
    height = chain.blocks.height
    reporters.set_up(operators.system, accounts, deployer, operators.oracle_admin)
    assert chain.blocks.height == height
