"""Ids, addresses and integers as they stand in JSON."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from pydantic_core import from_json

from api.domain.hashing import keccak256
from api.errors import Malformed, OutOfRange
from api.types import JSON_SAFE_INTEGER, UINT64_MAX, Address, Digest, GpuId

_HEX = re.compile(r"0x(?:[0-9a-fA-F]{2})*\Z")
_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}\Z")
_DECIMAL = re.compile(r"(?:0|[1-9][0-9]{0,77})\Z")


def to_hex(data: bytes) -> str:
    """`data` as 0x and lower-case hex digits."""
    return "0x" + data.hex()


def parse_hex(text: object, field: str, size: int) -> bytes:
    """The `size` bytes that `text` spells as 0x and hex digits.

    Raises:
        Malformed: It spells something else.
    """
    if not isinstance(text, str) or len(text) != 2 + 2 * size or _HEX.match(text) is None:
        raise Malformed(field, text, f"0x and {2 * size} hex digits")
    return bytes.fromhex(text[2:])


def parse_digest(text: object, field: str) -> Digest:
    """The 32 bytes that `text` spells. Raises Malformed."""
    return Digest(parse_hex(text, field, 32))


def gpu_id_of(uuid: str) -> GpuId:
    """The id of the GPU with this UUID (or, in a trace, this container hash): keccak256 of its
    UTF-8 text.
    """
    return GpuId(keccak256(uuid.encode()))


@lru_cache(maxsize=4_096)
def to_address(account: bytes) -> Address:
    """The EIP-55 spelling of a 20-byte account."""
    if len(account) != 20:
        raise Malformed("account", account, "20 bytes")
    plain = account.hex()
    mask = keccak256(plain.encode()).hex()
    return Address(
        "0x" + "".join(c.upper() if m >= "8" else c for c, m in zip(plain, mask, strict=False))
    )


def parse_address(text: object, field: str) -> Address:
    """The account that `text` names, in EIP-55 spelling.

    One case throughout is accepted; mixed case must carry the right checksum.

    Raises:
        Malformed: Not an address, or its checksum is wrong.
    """
    if not isinstance(text, str) or _ADDRESS.match(text) is None:
        raise Malformed(field, text, "an address (0x and 40 hex digits)")
    address = to_address(bytes.fromhex(text[2:]))
    if text != address and text[2:] not in (text[2:].lower(), text[2:].upper()):
        raise Malformed(field, text, f"the EIP-55 checksum {address}")
    return address


@lru_cache(maxsize=4_096)
def address_bytes(address: Address) -> bytes:
    """The 20 bytes of `address`."""
    return bytes.fromhex(address[2:])


def json_integer(value: int) -> int | str:
    """`value` as it stands in JSON: a number up to 2^53 − 1, a string above."""
    return value if -JSON_SAFE_INTEGER <= value <= JSON_SAFE_INTEGER else str(value)


def parse_uint(value: object, field: str, maximum: int = UINT64_MAX) -> int:
    """An integer from JSON: a number up to 2^53 − 1, or a string of digits without sign or leading
    zeros.

    Raises:
        Malformed: Neither of these.
        OutOfRange: Negative, or above `maximum`.
    """
    if isinstance(value, str) and _DECIMAL.match(value) is not None:
        number = int(value)
    elif isinstance(value, int) and not isinstance(value, bool):
        if value > JSON_SAFE_INTEGER:
            raise Malformed(field, value, f"a string, as it is above {JSON_SAFE_INTEGER}")
        number = value
    else:
        raise Malformed(field, value, "an integer")
    if not 0 <= number <= maximum:
        raise OutOfRange(field, number, 0, maximum)
    return number


def parse_json(body: bytes, what: str) -> Any:
    """The JSON value in `body`. Raises Malformed."""
    try:
        # Its depth is limited by itself; that of `json` is only by the interpreter's stack.
        return from_json(body)
    except ValueError as error:
        raise Malformed(what, body, f"JSON ({error})") from None
