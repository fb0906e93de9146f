"""Batches of payments of x402 read back from the settler's and InferencePayments' events."""

from __future__ import annotations

import pytest

from api.domain.codec import address_bytes
from api.domain.eip3009 import Authorization, credit_words
from api.domain.exact_batches import ExactBatch
from api.errors import Incoherent, Malformed
from api.types import Address, Digest

PAY_TO = Address("0x" + "9" * 40)
PAYER, OTHER = Address("0x" + "7" * 40), Address("0x" + "8" * 40)


def paid(payer: Address, value: int, nonce: int) -> Authorization:
    return Authorization(payer, PAY_TO, value, 0, 1, Digest(nonce.to_bytes(32)))


FIRST, FAILED, SECOND, THIRD = (
    paid(PAYER, 100, 1),
    paid(OTHER, 70, 2),
    paid(OTHER, 50, 3),
    paid(PAYER, 30, 4),
)
BATCH = ExactBatch.of([*FIRST.entry, 0, 0, *SECOND.entry, *THIRD.entry])


def credited(payer: Address, amount: int) -> int:
    return int.from_bytes(address_bytes(payer)) << 96 | amount


def test_place_of__payments_of_a_batch__are_where_they_were_brought() -> None:
    assert [BATCH.place_of(one) for one in (FIRST, SECOND, THIRD)] == [0, 2, 3]


@pytest.mark.parametrize("other", [FAILED, paid(PAYER, 99, 1), paid(OTHER, 100, 1)])
def test_place_of__failed_or_not_the_very_payment__is_nowhere(other: Authorization) -> None:
    assert BATCH.place_of(other) is None


def test_of__half_a_payment__refused() -> None:
    with pytest.raises(Malformed):
        ExactBatch.of([*FIRST.entry, 7])


def test_credit_at__a_word_for_each__is_in_their_order() -> None:
    words = [credited(PAYER, 60), 0, credited(OTHER, 50), credited(PAYER, 5)]
    assert [BATCH.credit_at(place, words) for place in (0, 2, 3)] == [60, 50, 5]


def test_credit_at__one_word_of_a_payer_of_two__is_left_open() -> None:
    words = [credited(PAYER, 20)]
    assert [BATCH.credit_at(place, words) for place in (0, 2, 3)] == [None, 0, None]


def test_credit_in__the_call__says_which() -> None:
    words = credit_words([0, 0, 0, 20])
    assert [BATCH.credit_in(place, words) for place in (0, 2, 3)] == [0, 0, 20]


def test_credit_in__of_a_payment_that_failed__refused() -> None:
    with pytest.raises(Malformed):
        BATCH.credit_in(1, [])


def test_income_by_payer__without_what_was_given_back__adds_up() -> None:
    words = [credited(PAYER, 60), 0, credited(OTHER, 50), credited(PAYER, 5)]
    assert BATCH.income_by_payer([]) == {PAYER: 130, OTHER: 50}
    assert BATCH.income_by_payer(words) == {PAYER: 65, OTHER: 0}


@pytest.mark.parametrize("word", [credited(OTHER, 51), credited(PAY_TO, 1)])
def test_income_by_payer__more_given_back_than_paid__refused(word: int) -> None:
    with pytest.raises(Incoherent):
        BATCH.income_by_payer([word])
