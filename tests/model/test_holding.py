"""ClusterShare against the model of a holding: every combination of small numbers.

Every balance up to MAX_BALANCE units, every way to pledge of it to two takers, every frozen amount
from none to more than the balance and to all, every amount; and each of transfer, delivery by
either taker, encumbrance, forced transfer and recovery. The newer taker's pledge has its income
assigned: at no act does anybody's income change.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import pytest
from ape.api import AccountAPI
from ape.contracts import ContractInstance
from eth_utils.crypto import keccak

from scripts._lib.deployment import System
from tests.model import holding as model
from tests.model.holding import ALL, HoldingModel, Refused
from tests.support.enforcement import attest_replacement, let_take
from tests.support.income import MIN_SUPPLY, UINT256_MAX, deploy_open_share
from tests.support.node import Call, Node, TransactionFailed, copy_of_chain
from tests.support.scenario import USD, Scenario
from tests.support.search import DEEP

MAX_BALANCE = 5 if DEEP else 3
DAY = 86_400
After = TypeVar("After")
ERRORS = {
    keccak(text=signature)[:4].hex(): signature.split("(")[0]
    for signature in (
        f"{model.NOT_ENOUGH}(address,uint256,uint256)",
        f"{model.FROZEN}(address,uint256,uint256)",
        f"{model.UNAVAILABLE}(address,uint256,uint256)",
        f"{model.NOT_FROZEN}(address,uint256,uint256)",
        f"{model.NOTHING}()",
    )
}

pytestmark = pytest.mark.property


@dataclass(frozen=True)
class Stage:
    """A share with a day's income for whoever holds, all of it `rest`'s, and who acts on it."""

    share: ContractInstance
    node: Node
    funder: str
    enforcement: str
    rest: str
    holder: str
    receiver: str
    replacement: str
    lender: str
    older: str
    newer: str

    def ask(self, function: str, *arguments: Any) -> Any:
        return self.node.ask(Call(self.share, function, arguments))

    def act(self, sender: str, function: str, *arguments: Any) -> None:
        assert self.node.send(None, sender, Call(self.share, function, arguments)), function

    def refusal(self, sender: str, function: str, *arguments: Any) -> str | None:
        """The name of the error with which the call would fail, if it would."""
        call = Call(self.share, function, arguments)
        question = {"from": sender, "to": str(self.share.address), "data": call.data}
        try:
            self.node.request("eth_call", question, "latest")
        except TransactionFailed as failed:
            failure = str(failed)
        else:
            return None
        found = re.search(r"'data': '0x([0-9a-f]{8})", failure)
        assert found, failure
        return ERRORS[found[1]]

    def prepare(self, state: HoldingModel) -> None:
        """Let the holder have it, with an income of its own and the lender's share of it."""
        takers = (self.older, self.newer)
        self.act(self.rest, "transfer", self.holder, state.balance)
        for taker, units in state.pledges:
            self.act(self.holder, "encumber", taker, units)
            if taker == self.newer:
                self.act(self.holder, "assignIncome", taker, units, self.lender)
        for taker in takers:
            self.act(self.holder, "approve", taker, UINT256_MAX)
        self.act(self.funder, "fund", 1_000 * USD)
        self.node.mine(self.node.newest() + 2 * DAY)
        self.act(self.enforcement, "setFrozenTokens", self.holder, state.frozen)

    def see(self, owner: str, state: HoldingModel) -> None:
        """The share has of the owner what the model has."""
        account = self.ask("accountState", owner)
        assert account["balance"] == state.balance == self.ask("balanceOf", owner)
        assert account["encumbered"] == state.encumbered == self.ask("encumberedBalanceOf", owner)
        assert account["frozen"] == state.frozen == self.ask("getFrozenTokens", owner)
        assert account["assigned"] == state.pledged_to(self.newer)
        assert self.ask("availableBalanceOf", owner) == state.available
        assert list(self.ask("takersOf", owner)) == [t.lower() for t, _ in state.pledges]
        for taker in (self.older, self.newer):
            assert self.ask("encumbrances", owner, taker) == state.pledged_to(taker)
        units = state.pledged_to(self.newer)
        assert self.ask("interestState", owner, self.lender)["units"] == units

    def incomes(self) -> dict[str, int]:
        """Everybody's, in the finest unit. Nothing streams any more."""
        owners = {
            name: self.ask("accountState", getattr(self, name))["earned"]
            for name in ("holder", "receiver", "replacement", "rest")
        }
        interests = {
            f"lender's of {name}": self.ask("interestState", getattr(self, name), self.lender)
            for name in ("holder", "replacement")
        }
        return owners | {name: interest["earned"] for name, interest in interests.items()}


@pytest.fixture(scope="module")
def stage(
    scenario: Scenario,
    system: System,
    admin: AccountAPI,
    deployer: AccountAPI,
    issuer: AccountAPI,
    customer: AccountAPI,
    holder: AccountAPI,
    other_holder: AccountAPI,
    attacker: AccountAPI,
    guardian: AccountAPI,
    oracle_admin: AccountAPI,
    keeper: AccountAPI,
    relayer: AccountAPI,
) -> Iterator[Stage]:
    cluster_id = scenario.register_cluster()
    scenario.open_funding(cluster_id)
    share = deploy_open_share(scenario, cluster_id, customer)
    rest, receiver, replacement, lender = other_holder, attacker, guardian, oracle_admin
    scenario.attest(holder, rest, receiver, expiresAt=2**40 - 1)
    attest_replacement(scenario, holder, replacement)
    share.issue([rest], [MIN_SUPPLY], sender=issuer)
    let_take(scenario, admin, keeper, relayer)
    scenario.give_usd(customer, 10**9 * USD)
    system.stablecoin.approve(share, UINT256_MAX, sender=customer)
    actors = (deployer, rest, holder, receiver, replacement, lender, keeper, relayer)
    with copy_of_chain() as node:
        yield Stage(share, node, str(customer.address), *(str(a.address) for a in actors))


def states(balance: int, older: str, newer: str) -> Iterator[HoldingModel]:
    """Every way to pledge and to freeze `balance` units."""
    for to_older in range(balance + 1):
        for to_newer in range(balance - to_older + 1):
            pledges = ((older, to_older), (newer, to_newer))
            for frozen in (*range(balance + 2), ALL):
                yield HoldingModel(balance, tuple(p for p in pledges if p[1]), frozen)


def foretold(act: Callable[[], After]) -> tuple[After | None, str | None]:
    """What the model says: what is then, or the name of a refusal."""
    try:
        return act(), None
    except Refused as refused:
        return None, str(refused)


@pytest.mark.parametrize("balance", range(MAX_BALANCE + 1))
def test_holding__every_combination_and_act__as_in_the_model(stage: Stage, balance: int) -> None:
    tried = 0
    for state in states(balance, stage.older, stage.newer):
        with stage.node.undone():
            stage.prepare(state)
            stage.see(stage.holder, state)
            tried += try_recovery(stage, state)
            for amount in range(balance + 2):
                tried += try_acts(stage, state, amount)
    assert tried == sum(1 for _ in states(balance, "", "-")) * (5 * (balance + 2) + 1)


def try_acts(stage: Stage, state: HoldingModel, amount: int) -> int:
    """Every act of one amount, each from the same state; how many."""
    holder, receiver = stage.holder, stage.receiver
    acts: list[tuple[tuple[Any, ...], Callable[[], HoldingModel]]] = [
        ((holder, "transfer", receiver, amount), lambda: state.transfer(amount)),
        ((holder, "encumber", stage.older, amount), lambda: state.encumber(stage.older, amount)),
        (
            (stage.enforcement, "forcedTransfer", holder, receiver, amount),
            lambda: state.force_transfer(amount),
        ),
        (
            (stage.older, "transferFrom", holder, receiver, amount),
            lambda: state.deliver(stage.older, amount),
        ),
        (
            (stage.newer, "transferFrom", holder, receiver, amount),
            lambda: state.deliver(stage.newer, amount),
        ),
    ]
    can_transfer = foretold(lambda: state.transfer(amount))[0] is not None
    assert stage.ask("canTransfer", holder, receiver, amount) == can_transfer
    for call, act in acts:
        after, refusal = foretold(act)
        assert stage.refusal(*call) == refusal, (call, state)
        if after is None:
            continue
        before = stage.incomes()
        with stage.node.undone():
            stage.act(*call)
            stage.see(holder, after)
            assert stage.ask("balanceOf", receiver) == state.balance - after.balance
            assert stage.incomes() == before, (call, state)
    return len(acts)


def try_recovery(stage: Stage, state: HoldingModel) -> int:
    """Recovery to a wallet that has nothing; one act."""
    call = (stage.enforcement, "recover", stage.holder, stage.replacement)
    after, refusal = foretold(state.recover)
    assert stage.refusal(*call) == refusal, state
    if after is None:
        return 1
    lost, replacement = after
    before = stage.incomes()
    with stage.node.undone():
        stage.act(*call)
        stage.see(stage.holder, lost)
        stage.see(stage.replacement, replacement)
        expected = before | {"holder": 0, "replacement": before["holder"]}
        if state.pledged_to(stage.newer):
            moved = before["lender's of holder"]
            assert moved > 0
            expected |= {"lender's of holder": 0, "lender's of replacement": moved}
        assert stage.incomes() == expected, state
    return 1
