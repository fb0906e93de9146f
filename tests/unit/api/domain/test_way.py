"""A payment's way adds up to what was paid, in exact fractions."""

from __future__ import annotations

from fractions import Fraction

import pytest

from api.domain.prices import Price
from api.domain.receipts import NOBODY, Receipt
from api.domain.way import ExactTransfer, Part, Place, Way
from api.errors import Incoherent
from api.types import Address, ClusterId, Digest

PAYER, GATEWAY = Address("0x" + "7" * 40), Address("0x" + "8" * 40)


def receipt(key: Address) -> Receipt:
    """Charged 400 of the 1,000 that were promised."""
    return Receipt(
        bytes(16), GATEWAY, PAYER, key, 1_000, ClusterId(1), "m", Digest(bytes(32)),
        Digest(bytes(32)), 1, 1, Price(1, 1), 400, 1,
    )  # fmt: skip


def way(key: Address, *parts: Part) -> Way:
    transfer = ExactTransfer(Digest(bytes(32)), GATEWAY, 1_000)
    return Way(receipt(key), 1, 1, [], parts, transfer)


THIRDS = [Part(Place.HOLDER, Fraction(400, 3), who=PAYER)] * 3
CREDIT = Part(Place.CREDIT, Fraction(600), who=PAYER)


def test_way__of_a_payment_by_itself__is_all_that_it_brought_with_its_credit() -> None:
    shape = way(NOBODY, CREDIT, *THIRDS).to_json()
    assert shape["paidUsd6"] == "1000"
    assert sum(Fraction(part["amountUsd6"]) for part in shape["parts"]) == 1_000
    assert shape["transfer"]["valueUsd6"] == "1000"


def test_way__of_a_voucher__is_the_charge() -> None:
    assert way(PAYER, *THIRDS).paid_usd6 == 400


@pytest.mark.parametrize(
    ("key", "parts"), [(NOBODY, THIRDS), (NOBODY, [CREDIT]), (PAYER, [CREDIT, *THIRDS])]
)
def test_way__a_part_too_few_or_too_many__refused(key: Address, parts: list[Part]) -> None:
    with pytest.raises(Incoherent):
        way(key, *parts)
