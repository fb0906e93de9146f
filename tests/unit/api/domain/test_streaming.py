"""The exact model of a share's income."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from api.domain.streaming import NOBODY, Earner, Funding, ShareIncome
from api.types import Address

DAY = 86_400
ANN, BOB, LENDER, TAKER, ANN_AGAIN = (Address(f"0x{digit * 40}") for digit in "12345")


def issued(**units: int) -> ShareIncome:
    share = ShareIncome()
    share.move(NOBODY, ANN, units.get("ann", 0))
    share.move(NOBODY, BOB, units.get("bob", 0))
    return share


def test_streamed__parts_of_a_funding__add_up_to_it() -> None:
    funding = Funding(at=100, amount=Fraction(7), ends_at=103)
    assert [funding.streamed(second, second + 1) for second in range(99, 105)] == [
        0,
        Fraction(7, 3),
        Fraction(7, 3),
        Fraction(7, 3),
        0,
        0,
    ]


def test_income__a_sale_in_mid_stream__each_earns_their_time() -> None:
    share = issued(ann=3, bob=1)
    share.fund(100, Fraction(1_000))
    share.advance(25)
    share.move(ANN, BOB, 2)
    share.advance(50)
    share.move(BOB, NOBODY, 1)
    share.advance(80)
    ann = Fraction(250 * 3, 4) + Fraction(250, 4) + Fraction(300, 3)
    bob = Fraction(250, 4) + Fraction(250 * 3, 4) + Fraction(300 * 2, 3)
    assert share.income() == {Earner(ANN): ann, Earner(BOB): bob}
    assert share.unstreamed() == [Funding(80, Fraction(200), 100)]


def test_income__some_assigned__the_payee_earns_for_as_many() -> None:
    share = issued(ann=4)
    share.fund(100, Fraction(1_000))
    share.assign(ANN, TAKER, LENDER, 3)
    share.advance(50)
    share.assign(ANN, TAKER, LENDER, 1)
    share.advance(100)
    assert share.income() == {Earner(ANN): Fraction(500), Earner(ANN, LENDER): Fraction(500)}
    assert not share.is_streaming


def test_recover__with_an_assignment__all_goes_on_for_the_new_wallet() -> None:
    share = issued(ann=4)
    share.fund(100, Fraction(1_000))
    share.assign(ANN, TAKER, LENDER, 1)
    share.advance(40)
    # As the share tells it.
    share.assign(ANN_AGAIN, TAKER, LENDER, 1)
    share.move(ANN, ANN_AGAIN, 4)
    share.recover(ANN, ANN_AGAIN)
    share.advance(100)
    assert share.income() == {
        Earner(ANN_AGAIN): Fraction(750),
        Earner(ANN_AGAIN, LENDER): Fraction(250),
    }


def test_advance__without_shares__the_stream_waits_for_the_next_holder() -> None:
    share = issued(ann=1)
    share.fund(100, Fraction(1_000))
    share.advance(50)
    share.move(ANN, NOBODY, 1)
    share.advance(1_050)
    assert share.clock == 50
    share.move(NOBODY, BOB, 1)
    share.advance(1_075)
    assert share.income() == {Earner(ANN): Fraction(500), Earner(BOB): Fraction(250)}
    assert share.unstreamed() == [Funding(75, Fraction(250), 100)]


Trade = tuple[int, int, int, int]


@given(
    st.lists(st.tuples(st.integers(0, DAY), st.integers(1, 10**12)), min_size=1, max_size=6),
    st.lists(
        st.tuples(
            st.integers(0, 3 * DAY), st.integers(0, 1), st.integers(0, 1), st.integers(0, 10**6)
        ),
        max_size=8,
    ),
    st.integers(0, 3 * DAY),
)
def test_income__any_fundings_and_trades__all_is_somebodys_or_unstreamed(
    fundings: list[tuple[int, int]], trades: list[Trade], until: int
) -> None:
    assert total(fundings, trades, until) == sum(amount for at, amount in fundings if at <= until)


def total(fundings: Sequence[tuple[int, int]], trades: Sequence[Trade], until: int) -> Fraction:
    """All that is earned and unstreamed after these fundings, sales and assignments."""
    share = issued(ann=10**6, bob=10**6)
    held = {ANN: 10**6, BOB: 10**6}
    assigned = {ANN: 0, BOB: 0}
    events = [(at, 0, amount, 0, 0) for at, amount in fundings]
    events += [(at, 1, who, kind, units) for at, who, kind, units in trades]
    for at, is_trade, who, kind, units in sorted(events):
        if at > until:
            break
        share.advance(at)
        if not is_trade:
            share.fund(at + DAY, Fraction(who))
            continue
        owner, other = (ANN, BOB) if who else (BOB, ANN)
        if kind:
            assigned[owner] = min(units, held[owner])
            share.assign(owner, TAKER, LENDER, assigned[owner])
        else:
            moved = min(units, held[owner] - assigned[owner])
            share.move(owner, other, moved)
            held[owner] -= moved
            held[other] += moved
    share.advance(until)
    left = sum((one.amount for one in share.unstreamed()), Fraction(0))
    return sum(share.income().values(), left)
