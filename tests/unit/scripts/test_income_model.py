"""The exact model of a share's income."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from scripts._lib.income_model import ZERO_ADDRESS, Funding, Move, exact_income

DAY = 86_400


def test_streamed__parts_of_a_funding__add_up_to_it() -> None:
    funding = Funding(at=100, amount_usd6=7, ends_at=103)
    assert [funding.streamed(second, second + 1) for second in range(99, 105)] == [
        0,
        Fraction(7, 3),
        Fraction(7, 3),
        Fraction(7, 3),
        0,
        0,
    ]


def test_exact_income__a_sale_in_mid_stream__each_earns_their_time() -> None:
    fundings = [Funding(0, 1_000, 100)]
    moves = [
        Move(-50, ZERO_ADDRESS, "ann", 3),
        Move(-40, ZERO_ADDRESS, "bob", 1),
        Move(25, "ann", "bob", 2),
        Move(50, "bob", ZERO_ADDRESS, 1),
    ]
    income = exact_income(fundings, moves, 80)
    ann = Fraction(250 * 3, 4) + Fraction(250, 4) + Fraction(300, 3)
    bob = Fraction(250, 4) + Fraction(250 * 3, 4) + Fraction(300 * 2, 3)
    assert income == {"ann": ann, "bob": bob}


@given(
    st.lists(st.tuples(st.integers(0, DAY), st.integers(1, 10**12)), min_size=1, max_size=6),
    st.lists(st.integers(0, 3 * DAY), max_size=6),
)
def test_exact_income__any_trades__all_that_streamed_is_somebodys(
    amounts: list[tuple[int, int]], trades: list[int]
) -> None:
    fundings = [Funding(at, amount, at + DAY) for at, amount in amounts]
    moves = [Move(-1, ZERO_ADDRESS, "ann", 10**6)]
    owners = ["ann", "bob"]
    for number, at in enumerate(sorted(trades)):
        seller, buyer = owners[number % 2], owners[(number + 1) % 2]
        moves.append(Move(at, seller, buyer, 1 + number if number else 10**6))
        if number == 0:
            continue
        moves.append(Move(at, buyer, seller, 1 + number))
    income = exact_income(fundings, moves, 3 * DAY)
    assert sum(income.values()) == sum(amount for _, amount in amounts)
