"""What a batch asks for, and what its event says that it brought."""

from __future__ import annotations

import pytest

from api.domain.codec import address_bytes
from api.domain.vouchers import MAX_PARTS, PLAIN_VOUCHER_BYTES, Split, Voucher, pack_voucher
from api.domain.work import Work
from api.errors import OutOfRange
from api.gateway.collecting import Bill, brought_by, filled, told_apart
from api.store.collections import Due
from api.types import Address, ClusterId, Digest, Signature

PAYER, OTHER_PAYER, GATEWAY = (Address("0x" + digit * 40) for digit in "129")
KEY = Address("0x" + "3" * 40)
TWIN = Address("0x" + "4" * 30 + "3" * 10)
"""Another key whose last 40 bits are those of KEY."""
FIRST, SECOND = Work(ClusterId(1)), Work(ClusterId(2))
THIRD = Work(ClusterId(2), Digest(bytes([7]) * 32))
SIGNATURE = Signature(bytes([1]) * 64 + bytes([27]))


def due(work: Work, amount: int) -> Due:
    return Due(PAYER, KEY, work, amount, 1_000, 1_000, SIGNATURE)


def bill(promised: int, collected: int, *parts: tuple[Work, int], key: Address = KEY) -> Bill:
    return Bill(Voucher(PAYER, key, GATEWAY, promised, SIGNATURE), collected, parts)


def entry(payer: Address, key: Address, amount: int) -> int:
    """A word of VouchersCollected."""
    tail = int.from_bytes(address_bytes(key)[-5:])
    return int.from_bytes(address_bytes(payer)) << 96 | tail << 56 | amount


# -- filled ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("limit", "parts"),
    [
        (0, []),
        (49, [(FIRST, 49)]),
        (50, [(FIRST, 50)]),
        (51, [(FIRST, 50), (SECOND, 1)]),
        (80, [(FIRST, 50), (SECOND, 30)]),
        (10**9, [(FIRST, 50), (SECOND, 30)]),
    ],
)
def test_filled__limit__fills_what_is_due_in_its_order(
    limit: int, parts: list[tuple[Work, int]]
) -> None:
    assert filled([due(FIRST, 50), due(SECOND, 30)], limit) == parts


def test_filled__nothing_due_of_a_work__has_no_part_for_it() -> None:
    dues = [due(FIRST, 50), due(SECOND, 0), due(THIRD, -3)]
    assert filled(dues, 100) == [(FIRST, 50)]


def test_filled__more_works_than_a_voucher_has_parts__leaves_the_rest() -> None:
    dues = [due(Work(ClusterId(number)), 1) for number in range(1, MAX_PARTS + 3)]
    assert len(filled(dues, 10**6)) == MAX_PARTS


# -- packed ---------------------------------------------------------------------------------------


def test_packed__all_that_is_promised_to_one_work__is_the_short_form() -> None:
    whole = bill(150, 100, (SECOND, 50))
    packed = whole.packed({FIRST: 0, SECOND: 1})
    assert len(packed) == PLAIN_VOUCHER_BYTES
    assert packed == pack_voucher(whole.voucher, 1)


@pytest.mark.parametrize(
    "asked",
    [
        bill(151, 100, (SECOND, 50)),
        bill(150, 100, (SECOND, 30), (THIRD, 20)),
    ],
    ids=["less than promised", "two works"],
)
def test_packed__less_than_promised_or_several_works__says_each_part_and_from_where(
    asked: Bill,
) -> None:
    places = {SECOND: 0, THIRD: 1}
    split = Split(100, [(places[work], amount) for work, amount in asked.parts])
    assert asked.packed(places) == pack_voucher(asked.voucher, split)


def test_packed__nothing_asked__is_no_voucher() -> None:
    with pytest.raises(OutOfRange):
        bill(150, 100).packed({})


# -- brought_by -----------------------------------------------------------------------------------


def test_brought_by__short__is_missing_in_the_last_parts() -> None:
    line = bill(1_000, 0, (FIRST, 50), (SECOND, 30), (THIRD, 20)).to_json()
    assert brought_by([entry(PAYER, KEY, 60)], [line]) == {
        (PAYER, KEY, FIRST): 50,
        (PAYER, KEY, SECOND): 10,
    }


def test_brought_by__voucher_that_brought_nothing__is_not_named() -> None:
    lines = [
        bill(1_000, 0, (FIRST, 50)).to_json(),
        bill(1_000, 0, (FIRST, 20), key=OTHER_PAYER).to_json(),
    ]
    assert brought_by([entry(PAYER, OTHER_PAYER, 20)], lines) == {(PAYER, OTHER_PAYER, FIRST): 20}


def test_brought_by__keys_alike_of_other_payers__are_told_apart() -> None:
    mine = bill(1_000, 0, (FIRST, 50)).to_json()
    other = mine | {"payer": OTHER_PAYER}
    entries = [entry(OTHER_PAYER, KEY, 7), entry(PAYER, KEY, 50)]
    assert brought_by(entries, [mine, other]) == {
        (PAYER, KEY, FIRST): 50,
        (OTHER_PAYER, KEY, FIRST): 7,
    }


def test_told_apart__keys_of_one_payer_with_the_same_tail__of_which_one_is_left() -> None:
    channels = [(PAYER, KEY), (PAYER, TWIN), (OTHER_PAYER, TWIN), (PAYER, PAYER)]
    assert told_apart(channels) == [(PAYER, KEY), (OTHER_PAYER, TWIN), (PAYER, PAYER)]
