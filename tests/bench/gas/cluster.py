"""What is asked of every system: one cluster's shares, and the income they earn."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from tests.bench.gas.chain import Chain, Sent

BATCH = 100
"""Holders served by one transaction, where a system serves each of them."""

HOURLY_USD6_EACH = 1_234_567
"""About what an hour brings to a holder, in 10⁻⁶ dollars."""

SHARES_EACH = 10_000
"""Whole shares that every holder is issued."""


class NotOffered(Exception):
    """The system does not do that: why."""


@dataclass(frozen=True)
class Ground:
    """The chain and what all systems use there: one stablecoin, and accounts by role."""

    chain: Chain
    usd: str
    issuer: str
    funder: str
    """Has the stablecoin that becomes income."""

    def approve(self, spender: str) -> None:
        """Let `spender` take the funder's stablecoin."""
        maximum = 2**256 - 1
        self.chain.send(self.funder, self.usd, "approve(address,uint256)", spender, maximum)

    def usd_of(self, account: str) -> int:
        balance: int = self.chain.ask(self.usd, "balanceOf(address)", "uint256", account)
        return balance


class Cluster:
    """Shares of one cluster. Each method answers with the transactions that it took.

    As it stands: a token that its issuer mints in batches, and that pays nothing.
    """

    SHARE: ClassVar[int] = 10**6
    """Smallest units of one share."""
    ISSUE: ClassVar[str] = "issue(address[],uint256[])"
    SERVES_EACH: ClassVar[bool] = False
    """Whether a funding does something for each holder."""
    LIGHT_ISSUE: ClassVar[bool] = True
    """Whether an issue to BATCH holders takes no more steps than a trace can hold."""
    WARM_HOURS: ClassVar[int] = 30
    """Hours until a funding costs what it always will: longer than ours streams."""

    def __init__(self, ground: Ground, share: str) -> None:
        self.ground = ground
        self.share = share

    def admit(self, holders: list[str]) -> None:
        """Whatever makes them eligible; not part of what is compared."""

    def issue(self, holders: list[str]) -> list[Sent]:
        """SHARES_EACH to every one of at most BATCH admitted holders."""
        amounts = [SHARES_EACH * self.SHARE] * len(holders)
        ground = self.ground
        return [ground.chain.send(ground.issuer, self.share, self.ISSUE, holders, amounts)]

    def transfer(self, sender: str, receiver: str, amount: int) -> list[Sent]:
        """`amount` in smallest units, between two who hold."""
        signature = "transfer(address,uint256)"
        return [self.ground.chain.send(sender, self.share, signature, receiver, amount)]

    def fund(self, amount_usd6: int) -> list[Sent]:
        """Income for all holders, by their shares, from the funder's stablecoin."""
        raise NotOffered("pays no income")

    def claim(self, holder: str) -> list[Sent]:
        """All that the holder has earned so far, as stablecoin in their wallet."""
        raise NotOffered("pays no income")

    def delegate(self, holder: str) -> None:
        """The holder's votes to themselves."""
        raise NotOffered("has no votes")

    def shares_of(self, holder: str) -> int:
        ask = self.ground.chain.ask
        balance: int = ask(self.share, "balanceOf(address)", "uint256", holder)
        return balance


class System(ABC):
    """What is deployed once, and opens clusters."""

    name: ClassVar[str]
    """In `gas.json`."""
    title: ClassVar[str]
    use: ClassVar[str]
    """How it does the work."""
    built: str
    """Compiler and settings."""

    @abstractmethod
    def open(self) -> Cluster:
        """A cluster that nobody holds yet."""


def batches(holders: list[str]) -> list[list[str]]:
    return [holders[first : first + BATCH] for first in range(0, len(holders), BATCH)]
