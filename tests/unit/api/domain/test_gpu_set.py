from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from eth_abi.abi import encode
from eth_utils.crypto import keccak
from hypothesis import given
from hypothesis import strategies as st

from api.domain.codec import gpu_id_of, to_address
from api.domain.gpu_set import GpuRecord, GpuSet
from api.domain.merkle import verify_proof
from api.errors import (
    Duplicated,
    Incoherent,
    InvalidInput,
    Malformed,
    OutOfRange,
    UnknownGpu,
)
from api.types import STILL_IN_SERVICE_MS, UINT64_MAX, ZERO_DIGEST, ClusterId, GpuId
from tests.support.search import searched

AGENT = to_address(b"\x11" * 20)
OTHER_AGENT = to_address(b"\x22" * 20)
RECORD = GpuRecord("GPU-1", AGENT, 1_000, 5_000, 57_000)


printable = st.characters(codec="utf-8").filter(str.isprintable)


@st.composite
def records(draw: st.DrawFn, uuid: str | None = None) -> GpuRecord:
    from_ms = draw(st.integers(0, UINT64_MAX - 1))
    return GpuRecord(
        uuid or draw(st.text(printable, min_size=1, max_size=40)),
        to_address(draw(st.binary(min_size=20, max_size=20))),
        from_ms,
        draw(st.integers(from_ms + 1, UINT64_MAX)),
        draw(st.integers(1_000, 300_000)),
    )


@pytest.mark.property
@searched(100)
@given(records())
def test_leaf__any_record__is_the_double_hash_of_its_abi_encoding(record: GpuRecord) -> None:
    encoded = encode(
        ("bytes32", "address", "uint64", "uint64", "uint32"),
        (
            keccak(record.uuid.encode()),
            record.agent,
            record.from_ms,
            record.until_ms,
            record.sample_interval_ms,
        ),
    )
    assert record.leaf == keccak(keccak(encoded))


@pytest.mark.property
@searched(100)
@given(st.lists(records(), max_size=20, unique_by=lambda record: record.uuid))
def test_from_manifest__what_to_manifest_wrote__is_the_same_set(gpus: list[GpuRecord]) -> None:
    gpu_set = GpuSet(ClusterId(7), gpus)
    again = GpuSet.from_manifest(gpu_set.to_manifest())
    assert again == gpu_set
    assert hash(again) == hash(gpu_set)
    assert again.root == gpu_set.root
    for gpu in gpus:
        assert gpu.gpu_id in again
        assert verify_proof(again.root, gpu.leaf, again.proof(gpu.gpu_id))


@pytest.mark.property
@searched(100)
@given(st.lists(records(), max_size=8, unique_by=lambda record: record.uuid))
def test_to_manifest__any_set__holds_no_number_above_2_to_53(gpus: list[GpuRecord]) -> None:
    for gpu in json.loads(GpuSet(ClusterId(1), gpus).to_manifest())["gpus"]:
        assert all(abs(value) < 2**53 for value in gpu.values() if isinstance(value, int))


def test_to_json__in_service_without_end__spells_the_end_as_text() -> None:
    record = replace(RECORD, until_ms=STILL_IN_SERVICE_MS)
    assert record.to_json() == {
        "uuid": "GPU-1",
        "gpuId": "0x" + keccak(b"GPU-1").hex(),
        "agent": AGENT,
        "fromMs": 1_000,
        "untilMs": "18446744073709551615",
        "sampleIntervalMs": 57_000,
    }


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"uuid": ""}, Malformed, "uuid is '', expected 1 to 256 printable"),
        ({"uuid": "x" * 257}, Malformed, "expected 1 to 256 printable"),
        ({"uuid": "\ud800"}, Malformed, "1 to 256 printable"),
        ({"uuid": "a\0"}, Malformed, "1 to 256 printable"),
        ({"from_ms": -1}, OutOfRange, "fromMs is -1"),
        ({"until_ms": 2**64}, OutOfRange, "untilMs is 18446744073709551616"),
        ({"until_ms": 1_000}, Incoherent, "from 1000 until 1000"),
        ({"sample_interval_ms": 999}, OutOfRange, "is 999, allowed is 1000 to 300000"),
        ({"sample_interval_ms": 300_001}, OutOfRange, "is 300001, allowed is 1000 to 300000"),
    ],
)
def test_gpu_record__out_of_range__is_refused(
    change: dict[str, Any], error: type[InvalidInput], message: str
) -> None:
    with pytest.raises(error, match=message):
        replace(RECORD, **change)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"uuid": 1}, "uuid is 1, expected text"),
        ({"agent": "0x12"}, "agent is '0x12'"),
        ({"fromMs": 1.5}, "fromMs is 1.5"),
        ({"untilMs": STILL_IN_SERVICE_MS}, "untilMs is 18446744073709551615, expected a string"),
        ({"sampleIntervalMs": None}, "sampleIntervalMs is None"),
        ({"gpuId": "0x" + "00" * 32}, "gpuId of GPU GPU-1 is 0x00"),
        ({"gpuId": "GPU-1"}, "gpuId is 'GPU-1'"),
    ],
)
def test_from_json__field_malformed__is_refused_by_name(
    change: dict[str, object], message: str
) -> None:
    with pytest.raises(InvalidInput, match=message):
        GpuRecord.from_json({**RECORD.to_json(), **change})


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"clusterId": 1, "gpus": {}}', '{"clusterId": 1, "gpus": [1]}']
)
def test_from_manifest__no_manifest__is_refused(text: str) -> None:
    with pytest.raises(Malformed):
        GpuSet.from_manifest(text)


@pytest.mark.parametrize("cluster_id", [0, 2**32])
def test_gpu_set__no_cluster_id__is_refused(cluster_id: int) -> None:
    with pytest.raises(OutOfRange, match=f"clusterId is {cluster_id}"):
        GpuSet(ClusterId(cluster_id), [RECORD])


def test_gpu_set__gpu_twice__is_refused_by_name() -> None:
    with pytest.raises(Duplicated, match="GPU GPU-1 is there twice"):
        GpuSet(ClusterId(1), [RECORD, replace(RECORD, from_ms=5)])


def test_proof__unknown_gpu__is_refused() -> None:
    with pytest.raises(UnknownGpu, match="cluster 3"):
        GpuSet(ClusterId(3), [RECORD]).proof(GpuId(bytes(32)))


def test_root__empty_set__is_zero() -> None:
    assert GpuSet(ClusterId(1), []).root == ZERO_DIGEST


def test_agents__by_window__are_those_of_gpus_in_service() -> None:
    later = GpuRecord("GPU-2", OTHER_AGENT, 5_000, STILL_IN_SERVICE_MS, 57_000)
    gpus = GpuSet(ClusterId(1), [RECORD, later])
    assert gpus.agents(0, 1_000) == frozenset()
    assert gpus.agents(0, 1_001) == {AGENT}
    assert gpus.agents(4_999, 5_001) == {AGENT, OTHER_AGENT}
    assert gpus.agents(5_000, 9_000) == {OTHER_AGENT}
    assert gpus.of_agent(OTHER_AGENT) == (later,)
    assert gpus.get(gpu_id_of("GPU-2")) == later
    assert gpus.get(gpu_id_of("GPU-3")) is None
    assert len(gpus) == 2
