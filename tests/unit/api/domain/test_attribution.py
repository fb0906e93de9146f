"""The attribution of a waterfall's money: exact, and the same whoever is followed."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.domain.attribution import Queue, Split, WaterfallBooks
from api.errors import Incoherent
from api.types import Address

SENIOR, JUNIOR = Address("0x" + "1" * 40), Address("0x" + "2" * 40)


def split(
    operator: int = 0, senior: int = 0, reserve: int = 0, holders: int = 0, final: int = 0
) -> Split:
    return Split(operator, {SENIOR: senior} if senior else {}, reserve, holders, final)


def test_take__of_two_that_came__the_first_goes_first() -> None:
    queue = Queue()
    queue.add(10, Fraction(5))
    queue.add(10)

    assert queue.take(4) == 2
    assert queue.take(12) == 3
    assert queue.followed == 0
    assert queue.amount_usd6 == 4


def test_take__more_than_there_is__refused() -> None:
    queue = Queue()
    queue.add(3)
    with pytest.raises(Incoherent) as refused:
        queue.take(4)
    assert (refused.value.value, refused.value.limit) == (4, 3)


def test_distribute__a_tenth_of_the_income__is_a_tenth_of_every_level() -> None:
    books = WaterfallBooks()
    books.receive(900)
    books.receive(100, Fraction(100))

    part = books.distribute(split(operator=200, senior=50, reserve=75, holders=675))

    assert part == Fraction(1, 10)
    assert books.escrow.followed == 20
    assert books.tranches == {SENIOR: 5}
    assert books.reserve.followed == Fraction(15, 2)
    assert books.stream(675) == Fraction(135, 2)


def test_settle__cost_and_a_release_at_once__the_oldest_escrow_is_cost() -> None:
    books = WaterfallBooks()
    books.receive(100, Fraction(100))
    books.distribute(split(operator=60, holders=40))
    books.receive(100)
    books.distribute(split(operator=60, holders=40))

    books.distribute(split(operator=-40, holders=40, final=30))

    assert books.operator == 30
    assert books.escrow.followed == 0
    # 30 of the 40 released were set aside out of the first income, all of which is followed.
    assert books.waiting.followed == 40 + 30


def test_settle__cost_that_nothing_covers__is_none_yet() -> None:
    books = WaterfallBooks()
    books.receive(10, Fraction(10))
    books.distribute(split(operator=10))
    books.settle(25)
    assert books.operator == 10
    books.receive(20, Fraction(20))
    books.distribute(split(operator=15, holders=5, final=25))
    books.settle(25)
    assert books.operator == 25
    assert books.escrow.followed == 0


def test_settle__less_than_was_final_before__refused() -> None:
    books = WaterfallBooks()
    books.receive(10)
    books.distribute(split(operator=10))
    books.settle(8)
    with pytest.raises(Incoherent):
        books.settle(7)


def test_distribute__other_money_than_there_is__refused() -> None:
    books = WaterfallBooks()
    books.receive(10)
    with pytest.raises(Incoherent):
        books.distribute(split(holders=11))


def test_draw__from_a_reserve_of_two_incomes__the_older_is_drawn_first() -> None:
    books = WaterfallBooks()
    books.receive(10, Fraction(10))
    books.distribute(split(reserve=10))
    books.receive(10)
    books.distribute(split(reserve=10))
    books.draw(15)
    assert books.drawn == 10
    assert books.reserve.followed == 0


@dataclass
class Waterfall:
    """A waterfall that splits anyhow, with its books kept once for each income and once for all."""

    books: list[WaterfallBooks]
    assigned: int = 0
    final: int = 0
    tranches: int = 0
    reserve: int = 0
    drawn: int = 0
    holders: int = 0
    streamed: int = 0
    undistributed: int = 0
    incomes: list[int] = field(default_factory=list)
    streams: list[Fraction] = field(default_factory=list)

    def receive(self, amount: int) -> None:
        followed = len(self.incomes)
        self.incomes.append(amount)
        self.undistributed += amount
        for number, books in enumerate(self.books):
            mine = number in (followed, len(self.books) - 1)
            books.receive(amount, Fraction(amount if mine else 0))

    def distribute(self, final: int, due: int, cuts: tuple[int, int, int], ends: bool) -> None:
        """`due` on top of what is final; `cuts` in per cent of what is left."""
        self.final += final
        returned = self.reserve - self.drawn if ends else 0
        left = self.undistributed + self.assigned + returned
        taken = min(left, self.final + due)
        operator = taken - self.assigned
        left -= taken
        senior, junior = left * cuts[0] // 300, left * cuts[1] // 300
        kept = 0 if ends else left * cuts[2] // 300
        holders = left - senior - junior - kept
        self.assigned, self.undistributed = taken, 0
        self.tranches += senior + junior
        self.reserve += kept - returned
        self.holders += holders
        lent = {SENIOR: senior, JUNIOR: junior}
        for books in self.books:
            books.distribute(Split(operator, lent, kept - returned, holders, self.final))

    def draw(self, part: int) -> None:
        amount = (self.reserve - self.drawn) * part // 100
        self.drawn += amount
        for books in self.books:
            books.draw(amount)

    def stream(self) -> None:
        amount = self.holders - self.streamed
        self.streamed = self.holders
        self.streams = [
            sofar + books.stream(amount)
            for sofar, books in zip(self.streams, self.books, strict=True)
        ]


PERCENT = st.integers(0, 100)
STEPS = st.one_of(
    st.tuples(st.just("receive"), st.integers(1, 10**9)),
    st.tuples(
        st.just("distribute"),
        st.integers(0, 10**9),
        st.integers(0, 10**9),
        st.tuples(PERCENT, PERCENT, PERCENT),
        st.booleans(),
    ),
    st.tuples(st.just("draw"), PERCENT),
    st.tuples(st.just("stream")),
)


@given(st.lists(STEPS, max_size=25))
def test_books__of_every_income__are_exact_and_add_up_to_those_of_all(
    steps: list[tuple[object, ...]],
) -> None:
    count = sum(step[0] == "receive" for step in steps)
    waterfall = Waterfall([WaterfallBooks() for _ in range(count + 1)])
    waterfall.streams = [Fraction(0)] * (count + 1)
    for name, *arguments in steps:
        getattr(waterfall, str(name))(*arguments)

    for books in waterfall.books:
        books.settle(waterfall.final)
    *each, together = waterfall.books
    covered = min(waterfall.final, waterfall.assigned)
    for books, streamed, income in zip(each, waterfall.streams, waterfall.incomes, strict=False):
        assert books.followed + streamed == income
    assert together.operator == covered
    assert together.escrow.followed == waterfall.assigned - covered
    assert sum(together.tranches.values()) == waterfall.tranches
    assert together.reserve.followed == waterfall.reserve - waterfall.drawn
    assert together.drawn == waterfall.drawn
    assert waterfall.streams[-1] == waterfall.streamed
    for level in ("operator", "drawn"):
        assert sum(getattr(one, level) for one in each) == getattr(together, level)
    for queue in ("undistributed", "escrow", "reserve", "waiting"):
        followed = [getattr(one, queue).followed for one in each]
        assert sum(followed) == getattr(together, queue).followed
    for tranche in (SENIOR, JUNIOR):
        assert sum(one.tranches.get(tranche, 0) for one in each) == together.tranches.get(
            tranche, 0
        )
    assert sum(waterfall.streams[:-1]) == waterfall.streams[-1]
