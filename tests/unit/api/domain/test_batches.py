"""Batches of vouchers read back from what `collect` was given and told."""

from __future__ import annotations

import pytest

from api.domain.batches import PackedVoucher, breakdown_of, unpack_vouchers
from api.domain.codec import address_bytes
from api.domain.signing import Signer
from api.domain.vouchers import (
    Split,
    Voucher,
    pack_account_voucher,
    pack_voucher,
    payments_domain,
)
from api.domain.work import Work
from api.errors import Malformed
from api.types import Address, ClusterId, Digest

DOMAIN = payments_domain(31337, Address("0x" + "9" * 40))
GATEWAY, WALLET = Address("0x" + "8" * 40), Address("0x" + "7" * 40)
PAYER, KEY = Signer(bytes([1] * 32)), Signer(bytes([2] * 32))
WORKS = [Work(ClusterId(4)), Work(ClusterId(6), Digest(b"\x01" * 32))]
SPLIT = Split(100, [(0, 30), (1, 50)])


def voucher(signer: Signer = KEY, cumulative_usd6: int = 180) -> Voucher:
    return Voucher.signed(DOMAIN, signer, PAYER.address, GATEWAY, cumulative_usd6)


def entry(payer: Address, key: Address, amount: int) -> int:
    tail = int.from_bytes(address_bytes(key)) & 2**40 - 1
    return int.from_bytes(address_bytes(payer)) << 96 | tail << 56 | amount


def test_unpack_vouchers__of_each_kind__are_what_was_packed() -> None:
    batch = (
        pack_voucher(voucher(PAYER), 1)
        + pack_voucher(voucher(), SPLIT)
        + pack_account_voucher(WALLET, 77, b"any words", 0)
    )
    assert unpack_vouchers(batch, DOMAIN, GATEWAY) == [
        PackedVoucher(PAYER.address, PAYER.address, 180, 1),
        PackedVoucher(PAYER.address, KEY.address, 180, SPLIT),
        PackedVoucher(WALLET, WALLET, 77, 0),
    ]


def test_unpack_vouchers__signed_for_another_gateway__lead_to_another_key() -> None:
    (read,) = unpack_vouchers(pack_voucher(voucher(), 0), DOMAIN, WALLET)
    assert read.key not in (KEY.address, None)


def test_unpack_vouchers__no_signature_at_all__lead_to_nobody() -> None:
    packed = pack_voucher(voucher(), 0)
    (read,) = unpack_vouchers(packed[:28] + bytes(64) + packed[92:], DOMAIN, GATEWAY)
    assert read.key is None


def test_unpack_vouchers__cut_off__refused() -> None:
    with pytest.raises(Malformed):
        unpack_vouchers(pack_voucher(voucher(), 0)[:-1], DOMAIN, GATEWAY)


def test_breakdown_of__a_voucher_that_came_short__fills_its_parts_in_order() -> None:
    vouchers = [
        PackedVoucher(PAYER.address, PAYER.address, 9, 0),
        PackedVoucher(PAYER.address, KEY.address, 180, SPLIT),
    ]
    brought = breakdown_of(
        vouchers,
        WORKS,
        [entry(PAYER.address, PAYER.address, 9), entry(PAYER.address, KEY.address, 45)],
        {(PAYER.address, KEY.address): 35},
    )
    assert brought == [
        (PAYER.address, PAYER.address, WORKS[0], 9, 9),
        (PAYER.address, KEY.address, WORKS[0], 30, 30),
        (PAYER.address, KEY.address, WORKS[1], 50, 15),
    ]


def test_breakdown_of__a_whole_voucher_that_came_short__had_asked_for_both() -> None:
    (brought,) = breakdown_of(
        [PackedVoucher(PAYER.address, KEY.address, 180, 1)],
        WORKS,
        [entry(PAYER.address, KEY.address, 45)],
        {(PAYER.address, KEY.address): 35},
    )
    assert (brought.work, brought.asked_usd6, brought.brought_usd6) == (WORKS[1], 80, 45)


def test_breakdown_of__an_entry_without_a_voucher__refused() -> None:
    with pytest.raises(Malformed):
        breakdown_of([], WORKS, [entry(PAYER.address, KEY.address, 45)], {})
