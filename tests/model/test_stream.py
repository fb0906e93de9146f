"""ClusterShare against the stream in rational numbers, on a chain; pledges and orders with it."""

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
from tests.model.share import ALL, ShareModel
from tests.model.stream import BOUNDARY_SECONDS, STREAM_SECONDS, Earner
from tests.support.enforcement import let_take
from tests.support.income import deploy_open_share
from tests.support.node import Call, Node, copy_of_chain
from tests.support.scenario import SHARE, YEAR_SECONDS, Scenario
from tests.support.search import DEEP, searched

SCALE = 2**72
MIN_SUPPLY = 10**6
DAY = 86_400
BLOCK_SECONDS = 12
LONG_LIFE_ACTS = 20_000 if DEEP else 2_500

pytestmark = pytest.mark.property


@dataclass(frozen=True)
class Stage:
    """A share in Funding, whose waterfall and enforcement are accounts, six admitted accounts, two
    takers and three payees, of whom one is a holder."""

    share: ContractInstance
    stablecoin: ContractInstance
    waterfall: str
    issuer: str
    enforcement: str
    holders: tuple[str, ...]
    takers: tuple[str, ...]
    payees: tuple[str, ...]
    node: Node


@pytest.fixture(scope="module")
def stage(
    scenario: Scenario,
    system: System,
    admin: AccountAPI,
    deployer: AccountAPI,
    issuer: AccountAPI,
    operator: AccountAPI,
    trustee: AccountAPI,
    customer: AccountAPI,
    holder: AccountAPI,
    other_holder: AccountAPI,
    keeper: AccountAPI,
    relayer: AccountAPI,
    guardian: AccountAPI,
    attacker: AccountAPI,
) -> Iterator[Stage]:
    cluster_id = scenario.register_cluster(authorised_shares=2**63 - 1)
    scenario.open_funding(cluster_id)
    holders = (holder, other_holder, keeper, relayer, operator, trustee)
    takers = (guardian, attacker)
    share = deploy_open_share(scenario, cluster_id, customer)
    scenario.attest(*holders, expiresAt=2**40 - 1)
    let_take(scenario, admin, *takers)
    scenario.give_usd(customer, 2 * 10**18)
    system.stablecoin.approve(share, 2**256 - 1, sender=customer)
    with copy_of_chain() as node:
        yield Stage(
            share,
            system.stablecoin,
            str(customer.address),
            str(issuer.address),
            str(deployer.address),
            tuple(str(account.address) for account in holders),
            tuple(str(account.address) for account in takers),
            (str(admin.address), str(issuer.address), str(holder.address)),
            node,
        )


class Run:
    """Operations on the chain and on the model at once. Time is the model's."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.node = stage.node
        self.model = ShareModel(stage.node.now)
        self.living = list(stage.holders[:4])
        """Who acts; the others take the places of those who are lost."""
        self.spare = list(stage.holders[4:])
        self.assigned: set[tuple[str, str]] = set()
        """Every (owner, payee) that there ever was."""

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
        is_allowed = amount <= self.model.available(sender)
        assert self.act(sender, "transfer", to, amount) == is_allowed
        if is_allowed:
            self.model.transfer(sender, to, amount)

    def claim(self, holder: str) -> None:
        """Pay `holder` what it has; refused where that is less than a unit or all is frozen."""
        before = self.ask("claimedUsd6", holder)
        done = self.act(self.stage.waterfall, "claimFor", holder)
        paid = self.ask("claimedUsd6", holder) - before
        self._claimed(holder, paid, done, self.model.is_held(holder))

    def claim_assigned(self, owner: str, payee: str) -> None:
        """Pay `payee`, or who succeeded it, what it has of the owner's income."""
        model = self.model
        recipient = Call(self.stage.stablecoin, "balanceOf", (model.paid(payee),))
        before = self.node.ask(recipient)
        done = self.act(self.stage.waterfall, "claimAssigned", owner, payee)
        paid = self.node.ask(recipient) - before
        is_held = model.is_held(owner) or model.is_held(model.paid(payee))
        self._claimed((owner, payee), paid, done, is_held)

    def _claimed(self, earner: Earner, paid: int, done: bool, is_held: bool) -> None:
        due = self.model.income(earner) - self.model.claimed[earner]
        assert is_held or abs(due - paid) < 2
        assert done == (paid > 0)
        assert not (is_held and done)
        self.model.claim(earner, paid)

    def encumber(self, owner: str, taker: str, amount: int, seconds: int | None) -> None:
        """For `seconds`, or for ever."""
        model = self.model
        is_allowed = 0 < amount <= model.pledgeable(owner, taker)
        if seconds is None:
            done = self.act(owner, "encumber", taker, amount)
        else:
            done = self.act(owner, "encumberUntil", taker, amount, model.now + seconds)
        assert done == is_allowed
        if done:
            model.encumber(owner, taker, amount, None if seconds is None else model.now + seconds)

    def release(self, owner: str, taker: str, amount: int) -> None:
        assert self.act(taker, "release", owner, amount)
        self.model.release(owner, taker, amount)

    def release_expired(self, owner: str, taker: str) -> None:
        is_over = self.model.is_over(owner, taker)
        assert self.act(self.stage.waterfall, "releaseExpired", owner, taker) == is_over
        if is_over:
            self.model.release(owner, taker, self.model.pledge(owner, taker).amount)

    def assign(self, owner: str, taker: str, units: int, payee: str) -> None:
        pledge = self.model.pledge(owner, taker)
        is_allowed = (
            0 < units <= pledge.amount - pledge.assigned
            and payee != owner
            and pledge.payee in ("", payee)
            and not self.model.is_held(owner)
        )
        assert self.act(owner, "assignIncome", taker, units, payee) == is_allowed
        if is_allowed:
            self.model.assign(owner, taker, units, payee)
            self.assigned.add((owner, payee))

    def deliver(self, taker: str, owner: str, to: str, amount: int) -> None:
        is_allowed = amount <= self.model.deliverable(owner, taker)
        if not self.model.pledge(owner, taker).amount:
            # An allowance of nothing moves nothing.
            is_allowed = amount == 0
        elif self.model.is_over(owner, taker):
            is_allowed = False
        assert self.act(taker, "transferFrom", owner, to, amount) == is_allowed
        if is_allowed:
            self.model.deliver(taker, owner, to, amount)

    def freeze(self, owner: str, amount: int) -> None:
        assert self.act(self.stage.enforcement, "setFrozenTokens", owner, amount)
        self.model.freeze(owner, amount)

    def force_transfer(self, owner: str, to: str, amount: int) -> None:
        limit = min(self.model.balances[owner], self.model.frozen[owner])
        is_allowed = owner != to and amount <= limit
        assert self.act(self.stage.enforcement, "forcedTransfer", owner, to, amount) == is_allowed
        if is_allowed:
            self.model.force_transfer(owner, to, amount)

    def recover(self, lost: str) -> None:
        """To a wallet that has nothing and takes the lost one's place."""
        if not self.spare:
            return
        replacement = self.spare.pop(0)
        self.freeze(lost, ALL)
        self.wait(1)
        assert self.act(self.stage.enforcement, "recover", lost, replacement)
        self.assigned |= {(replacement, payee) for owner, payee in self.assigned if owner == lost}
        self.model.recover(lost, replacement)
        self.living[self.living.index(lost)] = replacement

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
            assert account["encumbered"] == model.encumbered(holder)
            assert account["assigned"] == model.assigned(holder)
            assert account["frozen"] == model.frozen[holder]
            assert account["claimedUsd6"] == model.claimed[holder]
            assert self.ask("availableBalanceOf", holder) == model.available(holder)
            self._check_pledges(holder)
        interests = {pair: self.ask("interestState", *pair) for pair in self.assigned}
        for (owner, payee), interest in interests.items():
            income = interest["claimed"] + Fraction(interest["earned"], SCALE)
            assert abs(income - model.income((owner, payee))) < 1, f"{payee} is a unit off"
            assert interest["units"] == model.units(owner, payee)
            assert interest["claimed"] == model.claimed[owner, payee]
        claimed = sum(model.claimed.values())
        call = Call(self.stage.stablecoin, "balanceOf", (self.stage.share.address,))
        assert self.node.ask(call) == model.funded - claimed
        assert stream["fundedUsd6"] == model.funded >= claimed
        assert abs(Fraction(stream["unstreamed"], SCALE) - model.unstreamed()) < 1
        assert model.funded * SCALE == (
            claimed * SCALE
            + sum(account["earned"] for account in accounts.values())
            + sum(interest["earned"] for interest in interests.values())
            + stream["indexRemainder"]
            + stream["unstreamed"]
            + stream["fundingRemainder"]
        ), "income is not conserved"

    def _check_pledges(self, owner: str) -> None:
        pledges = self.model.pledges[owner]
        takers = [taker.lower() for taker in pledges]
        assert list(self.ask("takersOf", owner)) == takers
        for taker, pledge in pledges.items():
            found = self.ask("encumbranceOf", owner, taker)
            assert found["amount"] == pledge.amount
            assert found["assigned"] == pledge.assigned
            assert found["expiresAt"] == pledge.expires_at
            assert int(found["payee"], 16) == int(pledge.payee or "0", 16)


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
_TAKER = st.integers(0, 1)
_PAYEE = st.integers(0, 2)
_WHICH = st.integers(0, 100)
_PLEDGES = st.one_of(st.fractions(Fraction(1, 4), 1), st.fractions(0, Fraction(5, 4)))
_EXPIRIES = st.sampled_from([None, *(2**n for n in range(1, 20))])
_FROZEN = st.one_of(st.just(ALL), _PARTS)

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
    st.tuples(st.just("encumber"), _WHICH, _TAKER, _PLEDGES, _EXPIRIES),
    st.tuples(st.just("encumber"), _WHICH, _TAKER, _PLEDGES, _EXPIRIES),
    st.tuples(st.just("encumber"), _WHICH, _TAKER, _PLEDGES, _EXPIRIES),
    st.tuples(st.just("assign"), _WHICH, _PLEDGES, _PAYEE),
    st.tuples(st.just("assign"), _WHICH, _PLEDGES, _PAYEE),
    st.tuples(st.just("claimAssigned"), _WHICH),
    st.tuples(st.just("deliver"), _WHICH, _WHO, _PLEDGES),
    st.tuples(st.just("deliver"), _WHICH, _WHO, _PLEDGES),
    st.tuples(st.just("release"), _WHICH, _PLEDGES),
    st.tuples(st.just("releaseExpired"), _WHICH),
    st.tuples(st.just("freeze"), _WHICH, _FROZEN),
    st.tuples(st.just("freezeSome"), _WHICH, _PLEDGES),
    st.tuples(st.just("freezeSome"), _WHICH, _PLEDGES),
    st.tuples(st.just("forceTransfer"), _WHICH, _WHO, _PLEDGES),
    st.tuples(st.just("forceTransfer"), _WHICH, _WHO, _PLEDGES),
    st.tuples(st.just("recover"), _WHICH),
)


def _wait(run: Run, wait: int | str) -> None:
    if isinstance(wait, str):
        to_boundary = -run.model.clock % BOUNDARY_SECONDS
        wait = to_boundary + {"boundary - 1": -1, "boundary": 0, "boundary + 1": 1}[wait]
    run.wait(max(wait, 1))


def _do(run: Run, operation: tuple[Any, ...]) -> None:
    """One operation, unless the share would rightly refuse it."""
    kind, *arguments = operation
    holders, model = run.living, run.model
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
        left = model.supply - amount
        if amount <= model.available(holder) and (left == 0 or left >= MIN_SUPPLY):
            run.burn(holder, amount)
    elif kind == "issue" and model.supply + arguments[1] < 2**63:
        run.issue(holders[arguments[0]], arguments[1])
    else:
        _do_with_pledges(run, kind, arguments)


def _do_with_pledges(run: Run, kind: str, arguments: list[Any]) -> None:
    """The same of pledges and orders; what has to be refused is tried too."""
    model, who = run.model, arguments[0]
    owner = _owner(run, who)
    if kind == "encumber":
        _, which, part, seconds = arguments
        taker = run.stage.takers[which]
        run.encumber(owner, taker, int(model.pledgeable(owner, taker) * part), seconds)
    elif kind == "claimAssigned" and run.assigned:
        interests = sorted(run.assigned)
        run.claim_assigned(*interests[who % len(interests)])
    elif kind == "freeze":
        frozen = arguments[1]
        run.freeze(owner, ALL if frozen == ALL else int(model.balances[owner] * frozen))
    elif kind == "freezeSome":
        # All that is free, and a part of what is pledged.
        encumbered = model.encumbered(owner)
        run.freeze(owner, model.balances[owner] - encumbered + int(encumbered * arguments[1]))
    elif kind == "forceTransfer":
        _, to, part = arguments
        limit = min(model.balances[owner], model.frozen[owner])
        run.force_transfer(owner, run.living[to], int(limit * part))
    elif kind == "recover":
        run.recover(owner)
    elif kind in ("release", "releaseExpired", "assign", "deliver"):
        _do_with_a_pledge(run, kind, arguments)


def _owner(run: Run, which: int) -> str:
    """Three in four: who has pledged to most takers, so that pledges and freezes meet."""
    if which % 4:
        return max(run.living, key=lambda owner: len(run.model.pledges[owner]))
    return run.living[which // 4 % len(run.living)]


def _do_with_a_pledge(run: Run, kind: str, arguments: list[Any]) -> None:
    """With one of those that stand, if any does."""
    model, who = run.model, arguments[0]
    pairs = [(owner, taker) for owner in run.living for taker in model.pledges[owner]]
    pairs = pairs or [(run.living[0], run.stage.takers[0])]
    owner, taker = pairs[who % len(pairs)]
    amount = model.pledge(owner, taker).amount
    if kind == "release":
        run.release(owner, taker, int(amount * arguments[1]))
    elif kind == "releaseExpired":
        run.release_expired(owner, taker)
    elif kind == "assign":
        run.assign(owner, taker, int(amount * arguments[1]), run.stage.payees[arguments[2]])
    elif kind == "deliver":
        run.deliver(taker, owner, run.living[arguments[1]], int(amount * arguments[2]))


@searched(120)
@given(steps=st.lists(st.tuples(_waits(), _OPERATIONS), min_size=12, max_size=40))
def test_stream__any_operations_in_any_order__as_in_rational_numbers(
    stage: Stage, steps: list[tuple[int | str, tuple[Any, ...]]]
) -> None:
    with stage.node.undone():
        run = Run(stage)
        for holder in run.living:
            run.wait(1)
            run.issue(holder, 1_000_000 * SHARE)
        for wait, operation in steps:
            _wait(run, wait)
            _do(run, operation)
        run.check()
        run.wait(2 * STREAM_SECONDS)
        run.check()


def test_stream__a_long_life_with_pledges_and_orders__as_in_rational_numbers(stage: Stage) -> None:
    """What short searches seldom reach: many pledges at once, and orders in the midst of them."""
    random = Random(7_246)
    with stage.node.undone():
        run = Run(stage)
        for holder in run.living:
            run.wait(1)
            run.issue(holder, 1_000_000 * SHARE)
        for act in range(LONG_LIFE_ACTS):
            run.wait(random.choice((1, 60, 3_600, BOUNDARY_SECONDS, random.randrange(1, DAY))))
            _do(run, _random_operation(random))
            if act % 20 == 0:
                run.check()
        run.wait(2 * STREAM_SECONDS)
        run.check()
        assert not run.spare, "nobody was lost"


def _random_operation(random: Random) -> tuple[Any, ...]:
    """Pledges are made more often than they are given up."""
    which, who, other = random.randrange(101), random.randrange(4), random.randrange(4)
    part = Fraction(random.randrange(1, 110), 100)
    taker, payee = random.randrange(2), random.randrange(3)
    seconds = random.choice((None, *(2**n for n in range(9, 21))))
    operations: list[tuple[int, tuple[Any, ...]]] = [
        (12, ("fund", random.randrange(1, 10**12))),
        (6, ("transfer", who, other, part / 4)),
        (4, ("claim", who)),
        (1, ("burn", who, part / 8)),
        (1, ("delegate", who, other)),
        (1, ("setPayee", who, other)),
        (20, ("encumber", which, taker, part / 2, seconds)),
        (12, ("assign", which, part, payee)),
        (8, ("claimAssigned", which)),
        (10, ("deliver", which, other, part)),
        (4, ("release", which, part / 2)),
        (2, ("releaseExpired", which)),
        (6, ("freeze", which, random.choice((0, 0, ALL)))),
        (8, ("freezeSome", which, part)),
        (8, ("forceTransfer", which, other, part)),
        (1, ("recover", which)),
    ]
    weights = [weight for weight, _ in operations]
    return random.choices(operations, weights)[0][1]


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
