"""Calls, answers, events and errors by the committed ABIs."""

from __future__ import annotations

import pytest
from eth_abi.abi import encode

from api.chain.abi import contract_abi, decode_revert, raw_abis, type_of
from api.domain.codec import to_address
from api.domain.hashing import keccak256
from api.errors import UndecodableAnswer

ALICE = to_address(bytes.fromhex("70997970c51812dc3a010c7d01b50e0d17dc79c8"))


def _error(signature: str, *values: object) -> bytes:
    kinds = signature[signature.index("(") + 1 : -1]
    return keccak256(signature.encode())[:4] + encode(
        kinds.split(",") if kinds else [], list(values)
    )


def test_type_of__struct_array__is_a_tuple_array() -> None:
    parameter = {
        "type": "tuple[]",
        "components": [
            {"type": "uint32"},
            {"type": "tuple", "components": [{"type": "bytes32"}, {"type": "address"}]},
        ],
    }

    assert type_of(parameter) == "(uint32,(bytes32,address))[]"


def test_contract_abi__every_committed_contract__can_be_read() -> None:
    assert set(raw_abis()) == {
        "Authority",
        "CapitalProceeds",
        "ClusterRegistry",
        "ClusterShare",
        "Enforcement",
        "HolderDesk",
        "IdentityRegistry",
        "InferencePayments",
        "MetricsOracle",
        "ModelRegistry",
        "RelatedParties",
        "ReporterRegistry",
        "Disputes",
        "Stablecoin",
        "Waterfall",
        "X402Settler",
    }
    for name in raw_abis():
        assert contract_abi(name).functions


def test_encode__function__is_selector_and_words() -> None:
    data = contract_abi("MetricsOracle").functions["nextEpoch"].encode([7])

    assert data == keccak256(b"nextEpoch(uint32)")[:4] + (7).to_bytes(32, "big")


def test_decode__address__has_its_checksum() -> None:
    owner = contract_abi("ClusterShare").functions["payeeOf"]

    assert owner.decode(encode(["address"], [ALICE])) == (ALICE,)


def test_decode__too_few_bytes__is_undecodable() -> None:
    with pytest.raises(UndecodableAnswer, match=r"31 bytes are no answer of quorum\(\)"):
        contract_abi("MetricsOracle").functions["quorum"].decode(bytes(31))


def test_decode_arguments__call_of_another_function__is_none() -> None:
    functions = contract_abi("MetricsOracle").functions

    assert functions["nextEpoch"].decode_arguments(functions["reading"].encode([1])) is None
    assert functions["nextEpoch"].decode_arguments(functions["nextEpoch"].encode([1])) == (1,)


def test_event__indexed_and_plain_fields__come_by_name() -> None:
    event = contract_abi("ClusterShare").events["IncomeClaimed"]
    topics = [event.topic, encode(["address"], [ALICE]), encode(["address"], [ALICE])]

    fields = event.decode(topics, encode(["uint256", "uint256"], [5, 12]))

    assert fields == {"owner": ALICE, "payee": ALICE, "amountUsd6": 5, "claimedUsd6": 12}


def test_decode_revert__custom_error__has_name_and_values() -> None:
    error = decode_revert(_error("MetricsOracle_EpochNotOver(uint32,uint256)", 3, 10_800))

    assert (error.name, error.arguments) == (
        "MetricsOracle_EpochNotOver",
        {"epoch": 3, "endsAt": 10_800},
    )


def test_decode_revert__bytes_value__is_hexadecimal() -> None:
    error = decode_revert(_error("MetricsOracle_Replayed(bytes32)", b"\x07" * 32))

    assert error.arguments == {"root": "0x" + "07" * 32}


def test_decode_revert__error_from_deeper__is_known_too() -> None:
    error = decode_revert(_error("ClusterShare_NotTheWaterfall(address)", ALICE))

    assert str(error) == f"reverted with ClusterShare_NotTheWaterfall(account={ALICE})"


@pytest.mark.parametrize(
    ("data", "name", "value"),
    [
        (_error("Error(string)", "no"), "Error", {"reason": "no"}),
        (_error("Panic(uint256)", 0x12), "Panic", {"reason": "division by zero"}),
        (_error("Panic(uint256)", 0x99), "Panic", {"reason": "code 0x99"}),
        (b"", "NoReason", {"data": "0x"}),
        (b"\x01\x02\x03\x04\x05", "Unknown", {"data": "0x0102030405"}),
        # A known selector without its values is unknown data, not a crash.
        (
            _error("MetricsOracle_Replayed(bytes32)", bytes(32))[:20],
            "Unknown",
            {"data": "0x" + _error("MetricsOracle_Replayed(bytes32)", bytes(32))[:20].hex()},
        ),
    ],
)
def test_decode_revert__other_data__is_said(
    data: bytes, name: str, value: dict[str, object]
) -> None:
    error = decode_revert(data)

    assert (error.name, error.arguments) == (name, value)
