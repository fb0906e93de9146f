from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import Any

import pytest

from api.domain.codec import to_address
from api.domain.x402 import (
    MAX_HEADER_CHARACTERS,
    MAX_OFFERS,
    Offer,
    Payment,
    PaymentRequired,
    PaymentResponse,
    chain_id_of,
    decode_header,
    encode_header,
    network_of,
)
from api.errors import Duplicated, Incoherent, InvalidInput, Malformed, OutOfRange, Oversized

ASSET = to_address(b"\x0a" * 20)
CLUSTER = to_address(b"\x0b" * 20)
PAYER = to_address(b"\x0c" * 20)
OFFER = Offer(
    scheme="exact",
    network="eip155:84532",
    amount=1_000,
    asset=ASSET,
    pay_to=CLUSTER,
    max_timeout_seconds=60,
    extra={"name": "USDC", "version": "2"},
)
PAYMENT = Payment(OFFER, {"signature": "0x", "authorization": {"value": "1000"}})


def header_of(data: object) -> str:
    return base64.b64encode(json.dumps(data).encode()).decode()


def changed(**fields: object) -> dict[str, Any]:
    return {**PAYMENT.to_json(), "accepted": {**OFFER.to_json(), **fields}}


def test_network__of_a_chain__is_its_caip_2_name_and_back() -> None:
    assert network_of(8453) == "eip155:8453"
    assert chain_id_of("eip155:8453") == 8453


@pytest.mark.parametrize("network", ["solana:mainnet", "eip155:", "eip155:08", "eip155:1 "])
def test_chain_id_of__other_network__is_refused(network: str) -> None:
    with pytest.raises(Malformed, match="network"):
        chain_id_of(network)


def test_payment_required__written_and_read__is_the_same() -> None:
    asked = PaymentRequired("nothing was brought", "http://gateway/v1/completions", (OFFER, OFFER))
    assert PaymentRequired.from_header(asked.to_header()) == asked


def test_payment__written_and_read__is_the_same() -> None:
    assert Payment.from_header(PAYMENT.to_header()) == PAYMENT


@pytest.mark.parametrize(
    "response",
    [
        PaymentResponse(True, "eip155:84532", "0x" + "ab" * 32, PAYER, 1_000),
        PaymentResponse(True, "eip155:84532"),
        PaymentResponse(
            False, "eip155:84532", payer=PAYER, error_reason="settlement_pending", error_message="…"
        ),
    ],
)
def test_payment_response__written_and_read__is_the_same(response: PaymentResponse) -> None:
    assert PaymentResponse.from_header(response.to_header()) == response


def test_payment__with_resource_and_extensions__is_read_without_them() -> None:
    data = {**PAYMENT.to_json(), "resource": {"url": "http://x"}, "extensions": {"y": {}}}
    assert Payment.from_header(header_of(data)) == PAYMENT


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"scheme": "Exact"}, "accepted.scheme"),
        ({"scheme": None}, "accepted.scheme"),
        ({"network": "base"}, "accepted.network"),
        ({"amount": "-1"}, "accepted.amount"),
        ({"amount": "1.0"}, "accepted.amount"),
        ({"amount": 1.0}, "accepted.amount"),
        ({"amount": True}, "accepted.amount"),
        ({"amount": "01"}, "accepted.amount"),
        ({"asset": "0x"}, "accepted.asset"),
        ({"payTo": CLUSTER.replace("B", "b", 1)}, "accepted.payTo"),
        ({"maxTimeoutSeconds": "soon"}, "accepted.maxTimeoutSeconds"),
        ({"extra": []}, "accepted.extra"),
    ],
)
def test_payment__a_field_of_another_kind__is_refused_by_name(
    fields: dict[str, object], named: str
) -> None:
    with pytest.raises(Malformed) as refused:
        Payment.from_header(header_of(changed(**fields)))
    assert refused.value.field == named


@pytest.mark.parametrize(
    "fields", [{"amount": str(2**256)}, {"maxTimeoutSeconds": 2**32}, {"maxTimeoutSeconds": -1}]
)
def test_payment__a_number_out_of_range__is_refused(fields: dict[str, object]) -> None:
    with pytest.raises(OutOfRange):
        Payment.from_header(header_of(changed(**fields)))


@pytest.mark.parametrize("version", [1, 3, None, "2", True, 2.0])
def test_payment__of_another_version__is_refused(version: object) -> None:
    with pytest.raises(Incoherent, match="x402Version"):
        Payment.from_header(header_of({**PAYMENT.to_json(), "x402Version": version}))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "%%%",
        "e30",
        "_-8=",
        " e30=",
        base64.b64encode(b"\xff").decode(),
        header_of([]),
        header_of("text"),
        base64.b64encode(b'{"a": NaN}').decode(),
        base64.b64encode(b"[" * 9_000).decode(),
        base64.b64encode(b'{"a": ' + b"1" * 5_000 + b"}").decode(),
    ],
)
def test_decode_header__no_object_in_base64__is_refused(text: str) -> None:
    with pytest.raises(Malformed):
        decode_header(text, "PAYMENT-SIGNATURE")


def test_decode_header__a_key_twice__is_refused() -> None:
    text = base64.b64encode(b'{"amount": "1", "amount": "2"}').decode()
    with pytest.raises(Duplicated, match="amount"):
        decode_header(text, "PAYMENT-SIGNATURE")


def test_decode_header__at_the_limit_and_above__is_read_and_refused() -> None:
    room = MAX_HEADER_CHARACTERS // 4 * 3 - len('{"a":""}')
    assert decode_header(encode_header({"a": "x" * room}), "H")["a"] == "x" * room
    with pytest.raises(Oversized, match=f"at most {MAX_HEADER_CHARACTERS}"):
        decode_header(encode_header({"a": "x" * (room + 1)}), "H")


@pytest.mark.parametrize("accepts", [None, [], "offer", [{}], [OFFER.to_json()] * (MAX_OFFERS + 1)])
def test_payment_required__without_offers_or_with_too_many__is_refused(accepts: object) -> None:
    asked = PaymentRequired("", "", (OFFER,)).to_json()
    with pytest.raises(InvalidInput):
        PaymentRequired.from_header(header_of({**asked, "accepts": accepts}))


@pytest.mark.parametrize("transaction", ["0x", "0x" + "AB" * 32, None, "ab" * 32])
def test_payment_response__other_hash__is_refused(transaction: object) -> None:
    data = {"success": True, "network": "eip155:1", "transaction": transaction}
    with pytest.raises(Malformed, match="transaction"):
        PaymentResponse.from_header(header_of(data))


def test_is_accepted_by__more_in_extra__is() -> None:
    assert OFFER.is_accepted_by(replace(OFFER, extra={**OFFER.extra, "note": 1}))


@pytest.mark.parametrize(
    "other",
    [
        replace(OFFER, amount=999),
        replace(OFFER, scheme="voucher"),
        replace(OFFER, network="eip155:8453"),
        replace(OFFER, asset=PAYER),
        replace(OFFER, pay_to=PAYER),
        replace(OFFER, max_timeout_seconds=61),
        replace(OFFER, extra={"name": "USDC", "version": "1"}),
        replace(OFFER, extra={"name": "USDC"}),
    ],
)
def test_is_accepted_by__another_offer__is_not(other: Offer) -> None:
    assert not OFFER.is_accepted_by(other)
