from __future__ import annotations

import pytest
from eth_utils.address import to_checksum_address
from hypothesis import given
from hypothesis import strategies as st

from api.domain.codec import (
    gpu_id_of,
    json_integer,
    parse_address,
    parse_hex,
    parse_uint,
    to_address,
    to_hex,
)
from api.domain.hashing import keccak256
from api.errors import Malformed, OutOfRange
from api.types import JSON_SAFE_INTEGER, UINT64_MAX
from tests.support.search import searched


def test_keccak256__known_input__is_ethereums_and_not_sha3() -> None:
    expected = "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"
    assert keccak256(b"").hex() == expected


@pytest.mark.property
@searched(100)
@given(st.binary(min_size=20, max_size=20))
def test_to_address__any_account__is_spelled_as_eth_utils_does(account: bytes) -> None:
    assert str(to_address(account)) == to_checksum_address(account)


@pytest.mark.property
@searched(100)
@given(st.binary(min_size=20, max_size=20))
def test_parse_address__any_one_case_or_checksum__is_the_account(account: bytes) -> None:
    spelled = to_address(account)
    for text in (spelled, spelled.lower(), "0x" + spelled[2:].upper()):
        assert parse_address(text, "agent") == spelled


def test_parse_address__wrong_checksum__is_refused_with_the_right_one() -> None:
    right = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
    with pytest.raises(Malformed, match=rf"agent .* checksum {right}"):
        parse_address(right.replace("aA", "Aa"), "agent")


@pytest.mark.parametrize("text", ["", "0x", "0x12", "5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", 7])
def test_parse_address__no_address__is_refused(text: object) -> None:
    with pytest.raises(Malformed, match=r"agent is .* expected an address"):
        parse_address(text, "agent")


@pytest.mark.property
@searched(100)
@given(st.binary(max_size=70))
def test_parse_hex__what_to_hex_wrote__is_the_same(data: bytes) -> None:
    assert parse_hex(to_hex(data), "data", len(data)) == data


@pytest.mark.parametrize("text", ["0x", "0x1", "0x123", "0xzz", "0x 1", "1234", "0x12\n", None])
def test_parse_hex__not_two_bytes__is_refused(text: object) -> None:
    with pytest.raises(Malformed, match=r"data is .*, expected 0x and 4 hex digits"):
        parse_hex(text, "data", 2)


@pytest.mark.property
@searched(100)
@given(st.integers(min_value=0, max_value=UINT64_MAX))
def test_parse_uint__what_json_integer_wrote__is_the_same(value: int) -> None:
    written = json_integer(value)
    assert isinstance(written, str) == (value > JSON_SAFE_INTEGER)
    assert parse_uint(written, "field") == value


@pytest.mark.parametrize(
    "value", [True, 1.0, "01", "+1", "-1", "1_0", " 1", "", None, JSON_SAFE_INTEGER + 1]
)
def test_parse_uint__not_an_integer_as_json_has_it__is_refused(value: object) -> None:
    with pytest.raises(Malformed, match="field is "):
        parse_uint(value, "field")


@pytest.mark.parametrize("value", [-1, 8, "8", str(UINT64_MAX + 1)])
def test_parse_uint__outside_its_range__is_refused_with_the_limit(value: object) -> None:
    with pytest.raises(OutOfRange, match=f"field is {value}, allowed is 0 to 7") as refused:
        parse_uint(value, "field", 7)
    assert refused.value.limit == [0, 7]


def test_gpu_id_of__a_uuid__is_the_hash_of_its_text() -> None:
    assert bytes(gpu_id_of("GPU-ü")) == keccak256("GPU-ü".encode())
