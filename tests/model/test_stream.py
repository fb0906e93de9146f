"""ClusterShare against the stream in rational numbers, on a chain."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from random import Random
from typing import Any

import pytest
from ape.api import AccountAPI
from ape.contracts import ContractInstance
from hypothesis import given
from hypothesis import strategies as st

from scripts._lib.deployment import System
from tests.model.stream import BOUNDARY_SECONDS, STREAM_SECONDS, StreamModel
from tests.support.income import deploy_open_share
from tests.support.node import Call, Node, copy_of_chain
from tests.support.scenario import SHARE, YEAR_SECONDS, Scenario
from tests.support.search import searched

SCALE = 2**72
MIN_SUPPLY = 10**6
DAY = 86_400
BLOCK_SECONDS = 12

pytestmark = pytest.mark.property


@dataclass(frozen=True)
class Stage:
    """A share in Funding, whose waterfall is an account, and four admitted accounts."""

    share: ContractInstance
    stablecoin: ContractInstance
    waterfall: str
    issuer: str
    holders: tuple[str, ...]
    node: Node


@pytest.fixture(scope="module")
def stage(
    scenario: Scenario,
    system: System,
    issuer: AccountAPI,
    customer: AccountAPI,
    holder: AccountAPI,
    other_holder: AccountAPI,
    keeper: AccountAPI,
    relayer: AccountAPI,
) -> Iterator[Stage]:
    cluster_id = scenario.register_cluster(authorised_shares=2**63 - 1)
    scenario.open_funding(cluster_id)
    holders = (holder, other_holder, keeper, relayer)
    share = deploy_open_share(scenario, cluster_id, customer)
    scenario.attest(*holders, expiresAt=2**40 - 1)
    scenario.give_usd(customer, 2 * 10**18)
    system.stablecoin.approve(share, 2**256 - 1, sender=customer)
    with copy_of_chain() as node:
        yield Stage(
            share,
            system.stablecoin,
            str(customer.address),
            str(issuer.address),
            tuple(str(account.address) for account in holders),
            node,
        )


class Run:
    """Operations on the chain and on the model at once. Time is the model's."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.node = stage.node
        self.model = StreamModel(stage.node.now)

    def wait(self, seconds: int) -> None:
        """At least one second: every block has its own."""
        self.model.advance(self.model.now + seconds)

    def act(self, sender: str, function: str, *arguments: Any) -> bool:
        call = Call(self.stage.share, function, arguments)
        return self.node.send(self.model.now, sender, call)

    def fund(self, amount: int) -> None:
        assert self.act(self.stage.waterfall, "fund", amount)
        self.model.fund(amount)

    def issue(self, to: str, amount: int) -> None:
        assert self.act(self.stage.issuer, "issue", [to], [amount])
        self.model.issue(to, amount)

    def burn(self, holder: str, amount: int) -> None:
        assert self.act(holder, "burn", amount)
        self.model.burn(holder, amount)

    def transfer(self, sender: str, to: str, amount: int) -> None:
        assert self.act(sender, "transfer", to, amount)
        self.model.transfer(sender, to, amount)

    def claim(self, holder: str) -> None:
        """Pay `holder` what it has; refused only where that is less than a unit."""
        before = self.ask("claimedUsd6", holder)
        done = self.act(self.stage.waterfall, "claimFor", holder)
        paid = self.ask("claimedUsd6", holder) - before
        self.model.claim(holder, paid)
        due = self.model.income(holder) - self.model.claimed[holder] + paid
        assert abs(due - paid) < 2
        assert done == (paid > 0)

    def ask(self, function: str, *arguments: Any) -> Any:
        return self.node.ask(Call(self.stage.share, function, arguments))

    def check(self) -> None:
        """Everything, at the second now."""
        model = self.model
        self.node.mine(model.now)
        stream = self.ask("streamState")
        accounts = {holder: self.ask("accountState", holder) for holder in self.stage.holders}
        for holder, account in accounts.items():
            income = account["claimedUsd6"] + Fraction(account["earned"], SCALE)
            assert abs(income - model.income(holder)) < 1, f"{holder} is a unit off"
            assert account["balance"] == model.balances[holder]
            assert account["claimedUsd6"] == model.claimed[holder]
        claimed = sum(model.claimed.values())
        call = Call(self.stage.stablecoin, "balanceOf", (self.stage.share.address,))
        assert self.node.ask(call) == model.funded - claimed
        assert stream["fundedUsd6"] == model.funded >= claimed
        assert abs(Fraction(stream["unstreamed"], SCALE) - model.unstreamed()) < 1
        assert model.funded * SCALE == (
            claimed * SCALE
            + sum(account["earned"] for account in accounts.values())
            + stream["indexRemainder"]
            + stream["unstreamed"]
            + stream["fundingRemainder"]
        ), "income is not conserved"


def _waits() -> st.SearchStrategy[int | str]:
    """Seconds, or a place relative to the next boundary of the stream."""
    return st.one_of(
        st.integers(1, 60),
        st.integers(1, BOUNDARY_SECONDS),
        st.integers(1, 2 * STREAM_SECONDS),
        st.integers(1, 5 * YEAR_SECONDS),
        st.sampled_from(["boundary - 1", "boundary", "boundary + 1"]),
    )


_WHO = st.integers(0, 3)
_AMOUNTS = st.one_of(st.integers(1, 1_000), st.integers(1, 10**12), st.integers(1, 10**16))
_PARTS = st.one_of(st.just(Fraction(1)), st.just(Fraction(0)), st.fractions(0, 1))
_SHARES = st.one_of(st.just(MIN_SUPPLY), st.integers(MIN_SUPPLY, 10**13), st.just(2**60))

_OPERATIONS = st.one_of(
    st.tuples(st.just("fund"), _AMOUNTS),
    st.tuples(st.just("fund"), _AMOUNTS),
    st.tuples(st.just("transfer"), _WHO, _WHO, _PARTS),
    st.tuples(st.just("transfer"), _WHO, _WHO, _PARTS),
    st.tuples(st.just("claim"), _WHO),
    st.tuples(st.just("delegate"), _WHO, _WHO),
    st.tuples(st.just("setPayee"), _WHO, _WHO),
    st.tuples(st.just("burn"), _WHO, _PARTS),
    st.tuples(st.just("issue"), _WHO, _SHARES),
    st.tuples(st.just("check")),
)


def _wait(run: Run, wait: int | str) -> None:
    if isinstance(wait, str):
        to_boundary = -run.model.clock % BOUNDARY_SECONDS
        wait = to_boundary + {"boundary - 1": -1, "boundary": 0, "boundary + 1": 1}[wait]
    run.wait(max(wait, 1))


def _do(run: Run, operation: tuple[Any, ...]) -> None:
    """One operation, unless the share would rightly refuse it."""
    kind, *arguments = operation
    holders, model = run.stage.holders, run.model
    if kind == "check":
        run.check()
    elif kind == "fund" and model.supply and model.funded + arguments[0] <= 10**18:
        run.fund(arguments[0])
    elif kind == "transfer":
        sender, to = holders[arguments[0]], holders[arguments[1]]
        run.transfer(sender, to, int(model.balances[sender] * arguments[2]))
    elif kind == "claim":
        run.claim(holders[arguments[0]])
    elif kind in ("delegate", "setPayee"):
        run.act(holders[arguments[0]], kind, holders[arguments[1]])
    elif kind == "burn":
        holder = holders[arguments[0]]
        amount = int(model.balances[holder] * arguments[1])
        if model.supply == amount or model.supply - amount >= MIN_SUPPLY:
            run.burn(holder, amount)
    elif kind == "issue" and model.supply + arguments[1] < 2**63:
        run.issue(holders[arguments[0]], arguments[1])


@searched(150)
@given(steps=st.lists(st.tuples(_waits(), _OPERATIONS), min_size=6, max_size=24))
def test_stream__any_operations_in_any_order__as_in_rational_numbers(
    stage: Stage, steps: list[tuple[int | str, tuple[Any, ...]]]
) -> None:
    with stage.node.undone():
        run = Run(stage)
        run.wait(1)
        run.issue(stage.holders[0], 1_000_000 * SHARE)
        for wait, operation in steps:
            _wait(run, wait)
            _do(run, operation)
        run.check()
        run.wait(2 * STREAM_SECONDS)
        run.check()


def test_stream__ten_years_and_a_busy_day__less_than_a_unit_a_holder_left(stage: Stage) -> None:
    """Five years, a day with a funding in every block and many trades, and five years more."""
    random = Random(20_200_229)
    with stage.node.undone():
        run = Run(stage)
        for shares in (333_333, 333_334, 333_333):
            run.wait(1)
            to = stage.holders[len(run.model.balances)]
            run.issue(to, shares * SHARE + random.randrange(SHARE))
        _five_years(run, random)
        _busy_day(run, random)
        _five_years(run, random)
        run.wait(2 * STREAM_SECONDS)
        for holder in stage.holders[:3]:
            run.wait(1)
            run.claim(holder)
        run.check()
        assert run.model.unstreamed() == 0
        left = run.model.funded - sum(run.model.claimed.values())
        assert left < 3, "a unit a holder or more is left"


def _five_years(run: Run, random: Random) -> None:
    """A funding every two weeks, a trade after some of them."""
    for _ in range(5 * 26):
        run.wait(14 * DAY - random.randrange(3_600))
        run.fund(random.randrange(1, 10**11))
        if random.random() < 0.3:
            run.wait(random.randrange(1, DAY))
            _trade(run, random)
    run.check()


def _busy_day(run: Run, random: Random) -> None:
    """A funding in every block of twelve seconds, but for a trade in every hundredth."""
    with run.node.every(BLOCK_SECONDS):
        for block in range(DAY // BLOCK_SECONDS):
            run.wait(BLOCK_SECONDS)
            if block % 100 == 50:
                _trade(run, random)
            elif block % 1_000 == 500:
                run.claim(run.stage.holders[0])
            else:
                run.fund(random.randrange(1, 10**6))
    run.check()


def _trade(run: Run, random: Random) -> None:
    sender, to = random.sample(run.stage.holders[:3], 2)
    run.transfer(sender, to, random.randrange(run.model.balances[sender]))
