"""Charges against exact fractions; quotes and receipts as they are signed."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from math import ceil, floor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.domain.prices import Price, Quote, SignedQuote, gateway_domain
from api.domain.receipts import Receipt, parse_receipt_id
from api.domain.signing import Signer
from api.domain.work import NO_MODEL, model_id_of
from api.errors import Incoherent, Malformed, OutOfRange
from api.types import Address, ClusterId, Digest

DOMAIN = gateway_domain(31_337, Address("0x" + "11" * 20))
OPERATOR = Signer(b"\x07" * 32)
QUOTE = Quote(ClusterId(3), "tiny", Price(200, 800), Price(400, 1_600), 5, 10)
RECEIPT = Receipt(
    id=b"\x01" * 16,
    gateway=OPERATOR.address,
    payer=Address("0x" + "22" * 20),
    key=Address("0x" + "33" * 20),
    promised_usd6=2**55,
    cluster_id=ClusterId(3),
    model="tiny",
    request_hash=Digest(b"\x04" * 32),
    answer_hash=Digest(b"\x05" * 32),
    input_tokens=10,
    output_tokens=20,
    price=Price(200_000, 800_000),
    charge_usd6=18,
    served_at=1_700_000_000,
)

tokens = st.integers(0, 2**32)
prices = st.integers(0, 10**12)


@pytest.mark.property
@given(tokens, tokens, prices, prices)
def test_charge__any__is_the_fraction_rounded_up_once(
    read: int, made: int, input_: int, output: int
) -> None:
    exact = Fraction(read * input_, 10**6) + Fraction(made * output, 10**6)
    assert Price(input_, output).charge_up_usd6(read, made) == ceil(exact)


@pytest.mark.property
@given(st.integers(-10, 20_000), prices, prices)
def test_price_at__any_load__is_on_the_line_rounded_down(load: int, low: int, more: int) -> None:
    quote = Quote(ClusterId(1), "m", Price(low, 0), Price(low + more, 0), 0, 1)
    share = Fraction(min(max(load, 0), 10_000), 10_000)
    assert quote.price_at(load).input == low + floor(more * share)


def test_quote__floor_above_ceiling__refused() -> None:
    with pytest.raises(Incoherent):
        replace(QUOTE, floor=Price(401, 0))


def test_signed_quote__by_another_or_changed__refused() -> None:
    signature = OPERATOR.sign(QUOTE.message(DOMAIN).digest)
    signed = SignedQuote(QUOTE, OPERATOR.address, signature)
    signed.require_signed(DOMAIN)
    assert SignedQuote.from_json(signed.to_json()) == signed
    for other in (
        replace(signed, operator=RECEIPT.payer),
        replace(signed, quote=replace(QUOTE, valid_until=11)),
    ):
        with pytest.raises(Incoherent):
            other.require_signed(DOMAIN)


def test_quote__with_a_models_owner__is_of_the_model_of_that_name() -> None:
    owner = RECEIPT.payer
    quote = replace(QUOTE, model_owner=owner)
    signed = SignedQuote(quote, OPERATOR.address, OPERATOR.sign(quote.message(DOMAIN).digest))
    signed.require_signed(DOMAIN)
    assert SignedQuote.from_json(signed.to_json()) == signed
    assert quote.work == (QUOTE.cluster_id, model_id_of(owner, "tiny"))
    assert QUOTE.work == (QUOTE.cluster_id, NO_MODEL)
    with pytest.raises(Incoherent):
        replace(signed, quote=QUOTE).require_signed(DOMAIN)


def test_receipt__as_json__comes_back() -> None:
    assert Receipt.from_json(RECEIPT.to_json()) == RECEIPT


@pytest.mark.parametrize(
    "change",
    [
        {"id": b"\x02" * 16},
        {"key": RECEIPT.payer},
        {"promised_usd6": 1},
        {"cluster_id": ClusterId(4)},
        {"model": "tina"},
        {"answer_hash": RECEIPT.request_hash},
        {"input_tokens": 11},
        {"output_tokens": 21},
        {"price": Price(200_000, 800_001)},
        {"charge_usd6": 19},
        {"served_at": 0},
    ],
)
def test_receipt__anything_else__is_another_leaf(change: dict[str, object]) -> None:
    other = replace(RECEIPT, **change)  # type: ignore[arg-type]
    assert other.message(DOMAIN).struct_hash != RECEIPT.message(DOMAIN).struct_hash


@pytest.mark.parametrize(
    ("field", "value", "error"),
    [
        ("id", "zz", Malformed),
        ("chargeUsd6", str(2**56), OutOfRange),
        ("servedAt", -1, OutOfRange),
        ("model", "m" * 129, Malformed),
        ("payer", "0x12", Malformed),
    ],
)
def test_receipt__wrong_field__refused(field: str, value: object, error: type[Exception]) -> None:
    with pytest.raises(error):
        Receipt.from_json(RECEIPT.to_json() | {field: value})


@pytest.mark.parametrize("text", [None, "", "00" * 15, "0x" + "00" * 15, "00" * 17])
def test_parse_receipt_id__no_sixteen_bytes__refused(text: object) -> None:
    with pytest.raises(Malformed):
        parse_receipt_id(text)
