"""Signed transactions against eth_account's, which encodes them by itself; what others signed."""

from __future__ import annotations

from typing import Any

import pytest
import rlp  # type: ignore[import-untyped]
from eth_account import Account
from hypothesis import given
from hypothesis import strategies as st

from api.chain.transactions import Transaction, require_signed, sign_transaction
from api.chain.views import Fees
from api.domain.codec import to_address
from api.domain.signing import Signer
from api.errors import BadSignature, Incoherent, Malformed
from api.types import UINT64_MAX
from tests.support.oracle import SECP256K1_ORDER

KEY = b"\x42" * 32
TO = to_address(b"\x22" * 20)


@given(
    chain_id=st.integers(1, 2**53),
    nonce=st.integers(0, UINT64_MAX - 1),
    to=st.binary(min_size=20, max_size=20),
    data=st.binary(max_size=300),
    gas_limit=st.integers(21_000, 2**40),
    max_fee=st.integers(0, 2**60),
    tip=st.integers(0, 2**60),
    value=st.integers(0, 2**120),
)
def test_sign_transaction__any_fields__equals_eth_accounts(
    chain_id: int,
    nonce: int,
    to: bytes,
    data: bytes,
    gas_limit: int,
    max_fee: int,
    tip: int,
    value: int,
) -> None:
    signed = sign_transaction(
        Signer(KEY),
        Transaction(chain_id, nonce, to_address(to), data, gas_limit, Fees(max_fee, tip), value),
    )

    expected = Account.sign_transaction(
        {
            "type": 2,
            "chainId": chain_id,
            "nonce": nonce,
            "to": to_address(to),
            "data": data,
            "gas": gas_limit,
            "maxFeePerGas": max_fee,
            "maxPriorityFeePerGas": tip,
            "value": value,
        },
        KEY,
    )
    assert signed.raw == bytes(expected.raw_transaction)
    assert signed.hash == bytes(expected.hash)
    assert signed.nonce == nonce


ASKED = Transaction(31_337, 7, TO, b"\x12\x34", 90_000, Fees(2_000_000_000, 1_000_000_000), 5)
SENDER = Signer(KEY).address


def signed_by_eth_account(key: bytes = KEY, **change: Any) -> bytes:
    """What was asked for with something else in it, signed and encoded by eth_account."""
    fields = {
        "type": 2,
        "chainId": 31_337,
        "nonce": 7,
        "to": TO,
        "data": b"\x12\x34",
        "gas": 90_000,
        "maxFeePerGas": 2_000_000_000,
        "maxPriorityFeePerGas": 1_000_000_000,
        "value": 5,
    } | change
    return bytes(Account.sign_transaction(fields, key).raw_transaction)


def bent(raw: bytes, **parts: Any) -> bytes:
    """The transaction with other parts of a signature, by their place from the end."""
    fields = rlp.decode(raw[1:])
    for name, part in parts.items():
        fields[{"v": -3, "r": -2, "s": -1}[name]] = part
    return raw[:1] + bytes(rlp.encode(fields))


def test_require_signed__as_asked__is_taken() -> None:
    signed = require_signed(ASKED, signed_by_eth_account(), SENDER)
    assert signed == sign_transaction(Signer(KEY), ASKED)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("chainId", 1),
        ("nonce", 8),
        ("to", to_address(b"\x23" * 20)),
        ("data", b"\x12\x35"),
        ("data", b""),
        ("gas", 90_001),
        ("maxFeePerGas", 2_000_000_001),
        ("maxPriorityFeePerGas", 1),
        ("value", 6),
        ("accessList", [{"address": TO, "storageKeys": []}]),
    ],
)
def test_require_signed__another_field__refused_by_its_name(field: str, value: object) -> None:
    change: dict[str, Any] = {field: value}
    raw = signed_by_eth_account(**change)
    with pytest.raises(Incoherent, match=f"^{field} is not"):
        require_signed(ASKED, raw, SENDER)


def test_require_signed__another_sender__refused_with_both() -> None:
    other = Signer(b"\x43" * 32).address
    with pytest.raises(BadSignature, match=f"by {other}, not by {SENDER}"):
        require_signed(ASKED, signed_by_eth_account(b"\x43" * 32), SENDER)


def test_require_signed__s_in_the_upper_half__refused() -> None:
    raw = signed_by_eth_account()
    v, _, s = rlp.decode(raw[1:])[-3:]
    mirrored = (SECP256K1_ORDER - int.from_bytes(s)).to_bytes(32)
    with pytest.raises(BadSignature, match="upper half"):
        require_signed(ASKED, bent(raw, v=b"" if v else b"\x01", s=mirrored), SENDER)


@pytest.mark.parametrize("v", [b"\x02", b"\x1b", b"\x00\x01"])
def test_require_signed__odd_parity__refused(v: bytes) -> None:
    with pytest.raises((BadSignature, Malformed)):
        require_signed(ASKED, bent(signed_by_eth_account(), v=v), SENDER)


def test_require_signed__number_with_leading_zeros__refused() -> None:
    # The same signature in longer spelling: the chain would not take it.
    keys = (bytes([number]) * 32 for number in range(1, 256))
    key = next(one for one in keys if len(rlp.decode(signed_by_eth_account(one)[1:])[-2]) < 32)
    raw = signed_by_eth_account(key)
    longer = rlp.decode(raw[1:])[-2].rjust(32, b"\0")
    with pytest.raises(Malformed, match="shortest"):
        require_signed(ASKED, bent(raw, r=longer), Signer(key).address)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\x02",
        b"\x02\xc0",
        b"\x02\xff\xff",
        b"\x01" + signed_by_eth_account()[1:],
        signed_by_eth_account() + b"\0",
        signed_by_eth_account()[:-1],
        bent(signed_by_eth_account(), r=[b"\x01"]),
        bent(signed_by_eth_account(), s=bytes(33)),
        b"\x02" + rlp.encode(b"\x01" * 12),
    ],
)
def test_require_signed__no_such_transaction__refused(raw: bytes) -> None:
    with pytest.raises(Malformed):
        require_signed(ASKED, raw, SENDER)


@given(st.binary(max_size=200))
def test_require_signed__any_bytes__refused(data: bytes) -> None:
    for raw in (data, b"\x02" + data, b"\x02" + rlp.encode([data] * 12)):
        with pytest.raises((Malformed, Incoherent)):
            require_signed(ASKED, raw, SENDER)


def test_request__any__in_the_words_of_json_rpc() -> None:
    assert ASKED.request(SENDER) == {
        "from": SENDER,
        "to": TO,
        "data": "0x1234",
        "accessList": [],
        "type": "0x2",
        "chainId": "0x7a69",
        "nonce": "0x7",
        "gas": "0x15f90",
        "maxFeePerGas": "0x77359400",
        "maxPriorityFeePerGas": "0x3b9aca00",
        "value": "0x5",
    }
