"""Vouchers by themselves; `tests/unit/contracts/payments/test_packing.py` brings them on chain."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from api.domain.signing import Signer
from api.domain.vouchers import (
    MAX_PARTS,
    MAX_USD6,
    PLAIN_VOUCHER_BYTES,
    Lock,
    SessionAuthorization,
    Split,
    Voucher,
    account_voucher_message,
    pack_account_voucher,
    pack_voucher,
    payments_domain,
    voucher_message,
)
from api.errors import BadSignature, Malformed, OutOfRange, Oversized
from api.types import Address, Signature

PAYMENTS = Address("0x5FbDB2315678afecb367f032d93F642f64180aa3")
GATEWAY = Address("0x15d34AAf54267DB7D7c367839AAf71A00a2C6A65")
PAYER = Signer(b"\x01" * 32)
KEY = Signer(b"\x02" * 32)
DOMAIN = payments_domain(31337, PAYMENTS)
VOUCHER = Voucher.signed(DOMAIN, KEY, PAYER.address, GATEWAY, 1_000)


def test_voucher__sent_as_payload__comes_back_the_same() -> None:
    payload = VOUCHER.payload()
    assert payload["cumulativeUsd6"] == "1000"
    back = Voucher.from_payload(payload, GATEWAY)
    assert back == VOUCHER
    back.require_signed(DOMAIN)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("payer", "0x12"),
        ("payer", None),
        ("key", PAYMENTS[:-1]),
        ("cumulativeUsd6", "-1"),
        ("cumulativeUsd6", "1.5"),
        ("cumulativeUsd6", True),
        ("signature", "0x" + "00" * 64),
        ("signature", 5),
    ],
)
def test_from_payload__a_field_of_another_form__is_refused_by_name(field: str, value: Any) -> None:
    with pytest.raises(Malformed, match=field):
        Voucher.from_payload({**VOUCHER.payload(), field: value}, GATEWAY)


def test_from_payload__no_object__is_refused() -> None:
    with pytest.raises(Malformed, match="payload"):
        Voucher.from_payload([], GATEWAY)


def test_from_payload__more_than_a_channel_holds__is_refused() -> None:
    payload = VOUCHER.payload()
    Voucher.from_payload({**payload, "cumulativeUsd6": str(MAX_USD6)}, GATEWAY)
    with pytest.raises(OutOfRange, match="cumulativeUsd6"):
        Voucher.from_payload({**payload, "cumulativeUsd6": str(MAX_USD6 + 1)}, GATEWAY)


@pytest.mark.parametrize("amount", [-1, MAX_USD6 + 1])
def test_signed__more_or_less_than_a_channel_holds__is_refused(amount: int) -> None:
    with pytest.raises(OutOfRange, match="cumulativeUsd6"):
        Voucher.signed(DOMAIN, KEY, PAYER.address, GATEWAY, amount)


def test_require_signed__for_another_chain_or_contract__is_refused() -> None:
    for domain in (payments_domain(1, PAYMENTS), payments_domain(31337, GATEWAY)):
        with pytest.raises(BadSignature, match=f"not by {KEY.address}"):
            VOUCHER.require_signed(domain)


def test_require_signed__another_amount_payer_or_gateway__is_refused() -> None:
    changed = (
        Voucher(PAYER.address, KEY.address, GATEWAY, 1_001, VOUCHER.signature),
        Voucher(KEY.address, KEY.address, GATEWAY, 1_000, VOUCHER.signature),
        Voucher(PAYER.address, KEY.address, PAYMENTS, 1_000, VOUCHER.signature),
    )
    for one in changed:
        with pytest.raises(BadSignature, match=f"not by {KEY.address}"):
            one.require_signed(DOMAIN)


def test_messages__of_a_key_and_of_a_contract__are_never_the_same() -> None:
    fields = (DOMAIN, PAYER.address, GATEWAY, 7)
    assert voucher_message(*fields).digest != account_voucher_message(*fields).digest


def test_session__as_wallets_show_it__names_its_fields_in_their_order() -> None:
    session = SessionAuthorization(PAYER.address, KEY.address, GATEWAY, 5, 6, 7, 8)
    shown = session.message(DOMAIN).typed_data()
    assert shown["message"] == {
        "payer": PAYER.address,
        "key": KEY.address,
        "gateway": GATEWAY,
        "limitUsd6": 5,
        "expiresAt": 6,
        "nonce": 7,
        "deadline": 8,
    }


def test_pack_voucher__whole_to_one_cluster__has_the_plain_length() -> None:
    assert len(pack_voucher(VOUCHER, 0)) == PLAIN_VOUCHER_BYTES


@pytest.mark.parametrize("place", [-1, 256])
def test_pack_voucher__a_place_that_is_no_byte__is_refused(place: int) -> None:
    with pytest.raises(OutOfRange, match="place"):
        pack_voucher(VOUCHER, place)
    with pytest.raises(OutOfRange, match="place"):
        pack_voucher(VOUCHER, Split(0, [(place, 1)]))


@pytest.mark.parametrize("parts", [0, MAX_PARTS + 1])
def test_pack_voucher__no_parts_or_too_many__is_refused(parts: int) -> None:
    with pytest.raises(OutOfRange, match="parts"):
        pack_voucher(VOUCHER, Split(0, [(0, 1)] * parts))


def test_pack_voucher__amounts_beyond_seven_bytes__are_refused() -> None:
    for split in (
        Split(MAX_USD6 + 1, [(0, 1)]),
        Split(0, [(0, MAX_USD6 + 1)]),
        Split(-1, [(0, 1)]),
    ):
        with pytest.raises(OutOfRange, match=str(MAX_USD6)):
            pack_voucher(VOUCHER, split)


@pytest.mark.parametrize(
    "signature",
    [
        VOUCHER.signature[:64],
        VOUCHER.signature[:64] + b"\x00",
        VOUCHER.signature[:32] + b"\xff" * 32 + b"\x1b",
    ],
)
def test_pack_voucher__a_signature_that_does_not_pack__is_refused(signature: bytes) -> None:
    voucher = Voucher(PAYER.address, KEY.address, GATEWAY, 1_000, Signature(signature))
    with pytest.raises(BadSignature, match="low s"):
        pack_voucher(voucher, 0)


def test_pack_account_voucher__a_signature_beyond_its_two_bytes__is_refused() -> None:
    assert len(pack_account_voucher(PAYER.address, 5, bytes(2**16 - 1), 0)) == 31 + 2**16 - 1
    with pytest.raises(Oversized, match="signature"):
        pack_account_voucher(PAYER.address, 5, bytes(2**16), 0)


LOCK = Lock.signed(DOMAIN, KEY, PAYER.address, GATEWAY, 2_000, 1_700_000_000)


def test_lock__sent_beside_a_voucher__comes_back_the_same() -> None:
    payload = VOUCHER.payload() | {"lock": LOCK.payload()}
    back = Lock.from_payload(payload, VOUCHER)
    assert back == LOCK
    back.require_signed(DOMAIN)
    assert Lock.from_payload(VOUCHER.payload(), VOUCHER) is None


@pytest.mark.parametrize(
    "changes", [{"cover_usd6": 2_001}, {"until": 1_700_000_001}, {"payer": GATEWAY}], ids=str
)
def test_lock__changed_after_it_was_signed__is_of_nobody(changes: dict[str, Any]) -> None:
    with pytest.raises(BadSignature):
        replace(LOCK, **changes).require_signed(DOMAIN)


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"coverUsd6": str(MAX_USD6 + 1)}, OutOfRange),
        ({"until": None}, Malformed),
        ({"signature": "0x00"}, Malformed),
    ],
    ids=str,
)
def test_lock__of_another_form__is_refused(changes: dict[str, Any], error: type[Exception]) -> None:
    payload = {"lock": LOCK.payload() | changes}
    with pytest.raises(error):
        Lock.from_payload(payload, VOUCHER)
    with pytest.raises(Malformed):
        Lock.from_payload({"lock": "all"}, VOUCHER)


def test_lock__of_more_than_a_channel_holds__is_not_signed() -> None:
    with pytest.raises(OutOfRange):
        Lock.signed(DOMAIN, KEY, PAYER.address, GATEWAY, MAX_USD6 + 1, 1)
