"""The contracts' ABIs as services need them: encode calls, decode answers, events and errors.

`abis.json` is generated from the compiled contracts (`ape run export_abis`) and committed, so that
services need no compiler. A revert can carry the error of any contract that the call went through,
so errors are looked up over all ABIs together; equal selectors mean equal signatures.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from eth_abi.codec import ABICodec
from eth_abi.decoding import AddressDecoder, UnsignedIntegerDecoder
from eth_abi.exceptions import DecodingError
from eth_abi.registry import BaseEquals
from eth_abi.registry import registry as standard_registry

from api.domain.codec import to_address, to_hex
from api.domain.hashing import keccak256
from api.errors import ContractReverted, UndecodableAnswer

ABIS_PATH = Path(__file__).with_name("abis.json")

_PANICS = {
    0x01: "assertion failed",
    0x11: "arithmetic overflow or underflow",
    0x12: "division by zero",
    0x21: "value outside an enum",
    0x22: "storage byte array badly encoded",
    0x31: "pop from an empty array",
    0x32: "array index out of bounds",
    0x41: "too much memory allocated",
    0x51: "call of an uninitialised internal function",
}

AbiEntry = Mapping[str, Any]


class _ChecksumAddressDecoder(AddressDecoder):
    """Addresses in EIP-55 spelling, so that equal accounts are equal strings everywhere."""

    decoder_fn = staticmethod(to_address)  # type: ignore[assignment]


def _codec() -> ABICodec:
    registry = standard_registry.copy()  # type: ignore[no-untyped-call]
    registry.unregister_decoder("address")
    is_address = BaseEquals("address")  # type: ignore[no-untyped-call]
    registry.register_decoder(is_address, _ChecksumAddressDecoder, label="address")
    # ape, where it runs in the same process, replaces this one by another that pads what is short.
    registry.unregister_decoder("uint")
    is_uint = BaseEquals("uint")  # type: ignore[no-untyped-call]
    registry.register_decoder(is_uint, UnsignedIntegerDecoder, label="uint")
    return ABICodec(registry)


_CODEC = _codec()
decode, encode = _CODEC.decode, _CODEC.encode


def type_of(parameter: AbiEntry) -> str:
    """The canonical ABI type of a parameter: what user-defined types wrap, tuples for structs."""
    kind: str = parameter["type"]
    if not kind.startswith("tuple"):
        return kind
    inner = ",".join(type_of(component) for component in parameter["components"])
    return f"({inner}){kind.removeprefix('tuple')}"


def _types(parameters: Iterable[AbiEntry]) -> tuple[str, ...]:
    return tuple(type_of(parameter) for parameter in parameters)


def _names(parameters: Iterable[AbiEntry]) -> tuple[str, ...]:
    return tuple(parameter["name"] or f"arg{i}" for i, parameter in enumerate(parameters))


def _signature(entry: AbiEntry) -> str:
    return f"{entry['name']}({','.join(_types(entry['inputs']))})"


@dataclass(frozen=True, slots=True)
class Function:
    """A function of a contract: `encode` makes calldata, `decode` reads what it returned."""

    signature: str
    selector: bytes
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]

    def encode(self, arguments: Sequence[object]) -> bytes:
        return self.selector + encode(self.inputs, arguments)

    def decode_arguments(self, calldata: bytes) -> tuple[Any, ...] | None:
        """The arguments in a call of this function; None if it is a call of another one.

        Raises UndecodableAnswer if the bytes are not of the declared types.
        """
        if calldata[:4] != self.selector:
            return None
        try:
            return decode(self.inputs, calldata[4:])
        except DecodingError as error:
            raise UndecodableAnswer(self.signature, calldata) from error

    def decode(self, answer: bytes) -> tuple[Any, ...]:
        """The returned values; UndecodableAnswer if the bytes are not of the declared types."""
        try:
            return decode(self.outputs, answer)
        except DecodingError as error:
            raise UndecodableAnswer(self.signature, answer) from error


@dataclass(frozen=True, slots=True)
class Event:
    """An event of a contract: its first topic, and how its fields are laid over topics and data."""

    name: str
    topic: bytes
    indexed: tuple[tuple[str, str], ...]
    plain_names: tuple[str, ...]
    plain_types: tuple[str, ...]

    def decode(self, topics: Sequence[bytes], data: bytes) -> dict[str, Any]:
        """The event's fields by name. Indexed fields must be of static types (all of ours are)."""
        fields: dict[str, Any] = {
            name: decode((kind,), topic)[0]
            for (name, kind), topic in zip(self.indexed, topics[1:], strict=True)
        }
        fields.update(zip(self.plain_names, decode(self.plain_types, data), strict=True))
        return fields


@dataclass(frozen=True, slots=True)
class ContractAbi:
    """One contract's functions and events, by name."""

    name: str
    functions: Mapping[str, Function]
    events: Mapping[str, Event]


def _function(entry: AbiEntry) -> Function:
    signature = _signature(entry)
    return Function(
        signature,
        keccak256(signature.encode())[:4],
        _types(entry["inputs"]),
        _types(entry["outputs"]),
    )


def _event(entry: AbiEntry) -> Event:
    indexed = [field for field in entry["inputs"] if field["indexed"]]
    plain = [field for field in entry["inputs"] if not field["indexed"]]
    return Event(
        entry["name"],
        keccak256(_signature(entry).encode()),
        tuple(zip(_names(indexed), _types(indexed), strict=True)),
        _names(plain),
        _types(plain),
    )


@cache
def raw_abis() -> Mapping[str, Sequence[AbiEntry]]:
    """The committed ABIs as they are in `abis.json`, by contract."""
    abis: dict[str, list[dict[str, Any]]] = json.loads(ABIS_PATH.read_bytes())
    return abis


@cache
def contract_abi(name: str) -> ContractAbi:
    """The ABI of the contract called `name`. Overloaded functions are known by signature only."""
    entries = raw_abis()[name]
    functions: dict[str, Function] = {}
    seen: set[str] = set()
    for entry in entries:
        if entry["type"] != "function":
            continue
        function = _function(entry)
        functions[function.signature] = function
        if entry["name"] in seen:
            functions.pop(entry["name"], None)
        else:
            functions[entry["name"]] = function
        seen.add(entry["name"])
    events = {entry["name"]: _event(entry) for entry in entries if entry["type"] == "event"}
    return ContractAbi(name, functions, events)


@cache
def _errors() -> Mapping[bytes, tuple[str, tuple[str, ...], tuple[str, ...]]]:
    table = {}
    for entries in raw_abis().values():
        for entry in entries:
            if entry["type"] == "error":
                selector = keccak256(_signature(entry).encode())[:4]
                table[selector] = (
                    entry["name"],
                    _names(entry["inputs"]),
                    _types(entry["inputs"]),
                )
    return table


def decode_revert(data: bytes) -> ContractReverted:
    """The exception for a revert's data: a custom error with its values, a panic or a reason text.

    Data of no known error is kept as hexadecimal: nothing is lost by not knowing it.
    """
    selector, body = data[:4], data[4:]
    try:
        if selector == bytes.fromhex("08c379a0"):
            return ContractReverted("Error", {"reason": decode(("string",), body)[0]})
        if selector == bytes.fromhex("4e487b71"):
            code = decode(("uint256",), body)[0]
            return ContractReverted("Panic", {"reason": _PANICS.get(code, f"code {code:#x}")})
        if selector in _errors():
            name, names, types = _errors()[selector]
            values = [_shown(value) for value in decode(types, body)]
            return ContractReverted(name, dict(zip(names, values, strict=True)))
    except DecodingError:
        # A known selector over other bytes is as unknown as any other data: it falls through.
        pass
    return ContractReverted("Unknown" if data else "NoReason", {"data": to_hex(data)})


def _shown(value: object) -> object:
    return to_hex(value) if isinstance(value, bytes) else value
