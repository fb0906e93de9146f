"""The revenue stream in rational numbers, from the words of `IClusterShare` and not from its code.

Each funding is kept for itself: an amount that streams evenly from its second to its end. What
streams in an interval is divided at once among all who earn, by their shares: no index, no rates.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction

STREAM_SECONDS = 86_400
BOUNDARY_SECONDS = 14_400

Earner = str | tuple[str, str]
"""A holder, or the (owner, payee) of income that is assigned."""


def end_of_funding(start: int) -> int:
    """A day after `start`, rounded up to the grid of four hours."""
    return -(-(start + STREAM_SECONDS) // BOUNDARY_SECONDS) * BOUNDARY_SECONDS


@dataclass
class Funding:
    """`amount` streams evenly from `start` to `end`; what did until `given` is the holders'."""

    amount: int
    start: int
    end: int
    given: int


@dataclass
class StreamModel:
    """One share. Times are Unix seconds and never fall; amounts are whole 10⁻⁶ dollars."""

    now: int
    balances: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    claimed: dict[Earner, int] = field(default_factory=lambda: defaultdict(int))
    funded: int = 0
    waited: int = 0
    """Seconds that money waited because nobody held: the stream's clock is behind by them."""
    _fundings: list[Funding] = field(default_factory=list)
    # Income by denominator, so that ten thousand fundings are summed in integers: a Fraction of all
    # of their lengths would have thousands of digits at every step.
    _income: dict[Earner, dict[int, int]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(int))
    )

    @property
    def supply(self) -> int:
        return sum(self.balances.values())

    @property
    def clock(self) -> int:
        """Stream time now."""
        return self.now - self.waited

    def advance(self, to: int) -> None:
        """Let time pass, to the Unix second `to`."""
        if self.supply == 0 and any(f.end > self.clock for f in self._fundings):
            self.waited += to - self.now
        self.now = to

    def fund(self, amount: int) -> None:
        self.funded += amount
        clock = self.clock
        self._fundings.append(Funding(amount, clock, end_of_funding(clock), clock))

    def issue(self, to: str, amount: int) -> None:
        self._settle()
        self.balances[to] += amount

    def burn(self, holder: str, amount: int) -> None:
        self._settle()
        self.balances[holder] -= amount

    def transfer(self, sender: str, to: str, amount: int) -> None:
        self._settle()
        self.balances[sender] -= amount
        self.balances[to] += amount

    def claim(self, earner: Earner, amount: int) -> None:
        self.claimed[earner] += amount

    def income(self, earner: Earner) -> Fraction:
        """All that `earner` has earned to now, claimed or not."""
        self._settle()
        return sum(
            (Fraction(value, base) for base, value in self._income[earner].items()), Fraction(0)
        )

    def _earners(self) -> Iterator[tuple[Earner, int]]:
        """Who earns now, and for how many shares."""
        yield from self.balances.items()

    def unstreamed(self) -> Fraction:
        """What has still to stream."""
        return sum(
            (
                Fraction(f.amount * (f.end - self.clock), f.end - f.start)
                for f in self._fundings
                if f.end > self.clock
            ),
            Fraction(0),
        )

    def _settle(self) -> None:
        """Give those who earn what streamed since: rate × shares / supply, each second."""
        supply = self.supply
        if supply == 0:
            return
        clock = self.clock
        earning = [(self._income[earner], shares) for earner, shares in self._earners() if shares]
        for funding in self._fundings:
            until = min(clock, funding.end)
            streamed = funding.amount * (until - funding.given)
            funding.given = until
            base = (funding.end - funding.start) * supply
            if streamed:
                for income, shares in earning:
                    income[base] += streamed * shares
        self._fundings = [f for f in self._fundings if f.end > clock]
