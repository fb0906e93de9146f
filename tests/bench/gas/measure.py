"""The operations one by one, and the work of a day."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.bench.gas.chain import Sent, account, total
from tests.bench.gas.cluster import BATCH, HOURLY_USD6_EACH, Cluster, NotOffered, batches
from tests.bench.gas.opcodes import Spent

MINUTE, HOUR, DAY = 60, 3_600, 86_400
TRADE_SHARES = 1_234
TRADERS_PERCENT, CLAIMANTS_PERCENT = 1, 5
"""Of the holders, in a day."""


@dataclass
class Measured:
    """Gas of each operation, on what it went, and why what is missing is."""

    gas: dict[str, int] = field(default_factory=dict)
    spent: dict[str, Spent] = field(default_factory=dict)
    not_offered: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Work:
    """What a cluster of `holders` took in `days`: gas by kind, and how often."""

    holders: int
    days: int
    gas: dict[str, int]
    count: dict[str, int]

    @property
    def gas_a_day(self) -> int:
        return sum(self.gas.values()) // self.days

    def at(self, holders: int, serves_each: bool) -> int:
        """Gas a day of another number of holders, composed of the operations measured here.

        Transfers and claims come with the number of holders; fundings come by the hour, and their
        gas grows only where each holder is served.
        """
        grown = sum(gas for kind, gas in self.gas.items() if kind != "fund" or serves_each)
        return (grown * holders // self.holders + sum(self.gas.values()) - grown) // self.days


def populate(cluster: Cluster, holders: list[str]) -> None:
    """Admit and issue to all of them."""
    cluster.admit(holders)
    for batch in batches(holders):
        cluster.issue(batch)


class Routine:
    """A cluster's life, hour by hour."""

    def __init__(self, cluster: Cluster, holders: list[str]) -> None:
        self.cluster = cluster
        self.holders = holders
        self.clock = cluster.ground.chain
        self._hour = self.clock.now // HOUR

    def next_hour(self) -> list[Sent]:
        """The funding of the next hour, in its middle: never twice the same amount in a row."""
        self._hour += 1
        self.clock.wait_until(self._hour * HOUR + HOUR // 2)
        swing = 7_919 * (self._hour % 24)
        return self.cluster.fund((HOURLY_USD6_EACH + swing) * len(self.holders))

    def after(self, seconds: int) -> None:
        self.clock.wait_until(self.clock.now + seconds)

    def trade(self, sender: str, receiver: str) -> list[Sent]:
        """Raises AssertionError unless the shares moved."""
        cluster, amount = self.cluster, TRADE_SHARES * self.cluster.SHARE
        before = cluster.shares_of(receiver)
        sent = cluster.transfer(sender, receiver, amount)
        assert cluster.shares_of(receiver) == before + amount
        return sent

    def claim(self, holder: str) -> list[Sent]:
        """Raises AssertionError unless it brought stablecoin."""
        before = self.cluster.ground.usd_of(holder)
        sent = self.cluster.claim(holder)
        assert self.cluster.ground.usd_of(holder) > before
        return sent

    def claim_if_offered(self, holder: str) -> list[Sent]:
        try:
            return self.claim(holder)
        except NotOffered:
            return []

    def warm_up(self, pairs: list[tuple[str, str]], claimants: list[str]) -> None:
        """Let income run; all who will trade and claim do so, and claim last, as most do."""
        for hour in range(self.cluster.WARM_HOURS):
            self.next_hour()
            if hour != 1:
                continue
            for sender, receiver in pairs:
                self.trade(sender, receiver)
                self.trade(receiver, sender)
            for holder in dict.fromkeys([*(one for pair in pairs for one in pair), *claimants]):
                self.claim_if_offered(holder)


def operations(cluster: Cluster, holders: list[str]) -> Measured:
    """Issue to all of them, then each operation between two of them, while income runs.

    The state is the cheapest for every system: the two have traded and claimed before, and were
    settled since they claimed. A funding is the middle one of a day's.
    """
    measured = Measured()
    chain = cluster.ground.chain
    first, second = holders[:2]

    def record(name: str, sent: list[Sent]) -> None:
        measured.gas[name] = total(sent)
        if all(transaction.spent for transaction in sent):
            measured.spent[name] = account(sent)

    cluster.admit(holders)
    chain.looks_into = cluster.LIGHT_ISSUE
    issues = [cluster.issue(batch) for batch in batches(holders)]
    if len(holders) == BATCH:
        record("issue_100", issues[0])
    chain.looks_into = False
    routine = Routine(cluster, holders)
    routine.warm_up([(first, second)], [])

    chain.looks_into = not cluster.SERVES_EACH
    fundings = sorted((routine.next_hour() for _ in range(24)), key=total)
    record("funding", fundings[len(fundings) // 2])
    chain.looks_into = True
    routine.trade(second, first)
    routine.after(MINUTE)
    record("transfer", routine.trade(first, second))
    routine.after(MINUTE)
    try:
        record("claim", routine.claim(first))
    except NotOffered as reason:
        measured.not_offered["claim"] = str(reason)
    try:
        for holder in (first, second):
            cluster.delegate(holder)
        routine.trade(second, first)
        routine.after(MINUTE)
        record("transfer_delegated", routine.trade(first, second))
    except NotOffered as reason:
        measured.not_offered["transfer_delegated"] = str(reason)
    chain.looks_into = False
    return measured


def work(cluster: Cluster, holders: list[str], days: int) -> Work:
    """Hourly fundings, and trades and claims spread evenly, of a populated cluster."""
    period = days * DAY
    trades = len(holders) * TRADERS_PERCENT * days // 100
    claims = len(holders) * CLAIMANTS_PERCENT * days // 100
    pairs = [(holders[2 * n], holders[2 * n + 1]) for n in range(trades)]
    claimants = holders[-claims:]
    routine = Routine(cluster, holders)
    routine.warm_up(pairs, claimants)

    start = (cluster.ground.chain.now // HOUR + 1) * HOUR
    agenda: list[tuple[int, str, int]] = [
        *((start + hour * HOUR + HOUR // 2, "fund", hour) for hour in range(24 * days)),
        *((start + _middle(n, trades, period), "transfer", n) for n in range(trades)),
        *((start + _middle(n, claims, period), "claim", n) for n in range(claims)),
    ]
    gas, count = (dict.fromkeys(("fund", "transfer", "claim"), 0) for _ in range(2))
    for second, kind, n in sorted(agenda):
        if kind == "fund":
            sent = routine.next_hour()
        else:
            routine.clock.wait_until(max(second, routine.clock.now + 1))
            sent = (
                routine.trade(*pairs[n])
                if kind == "transfer"
                else routine.claim_if_offered(claimants[n])
            )
        gas[kind] += total(sent)
        count[kind] += 1
    return Work(len(holders), days, gas, count)


def _middle(n: int, parts: int, period: int) -> int:
    """The second in the middle of a part of the period, a minute later: never when income comes."""
    return (2 * n + 1) * period // (2 * parts) + MINUTE
