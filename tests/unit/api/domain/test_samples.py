from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from eth_abi.abi import encode
from eth_account.messages import encode_typed_data
from eth_utils.crypto import keccak
from hypothesis import given
from hypothesis import strategies as st

from api.domain.codec import to_address, to_hex
from api.domain.eip712 import Eip712Domain, agent_domain
from api.domain.merkle import verify_proof
from api.domain.samples import (
    BATCH_ADAPTER,
    Sample,
    SampleBatch,
    SampleSet,
    SignedBatch,
    canonical_samples,
    checked_sample,
    parse_batch,
    sample_json,
    sample_leaf,
    sign_batch,
)
from api.domain.signing import Signer
from api.errors import (
    BadSignature,
    Duplicated,
    Incoherent,
    InvalidInput,
    Malformed,
    NotFound,
    OutOfRange,
    Oversized,
)
from api.types import UINT64_MAX, ZERO_DIGEST, ClusterId, EnergySource, GpuId
from tests.support.mangled import mangled_json
from tests.support.search import searched

SIGNER = Signer(b"\x05" * 32)
ORACLE = to_address(b"\x33" * 20)
DOMAIN = agent_domain(31337, ORACLE)
GPU, OTHER_GPU = GpuId(b"\x01" * 32), GpuId(b"\x02" * 32)
SAMPLE = Sample(GPU, 1_000, 5_000, 4_000, 77, 0)

gpu_ids = st.sampled_from([GPU, OTHER_GPU, GpuId(b"\xff" * 32)])


@st.composite
def samples(draw: st.DrawFn) -> Sample:
    busy = draw(st.integers(0, 10_000))
    return Sample(
        draw(gpu_ids),
        draw(st.integers(0, UINT64_MAX)),
        busy,
        draw(st.integers(0, busy)),
        draw(st.integers(0, UINT64_MAX)),
        draw(st.integers(0, 65_535)),
    )


@st.composite
def batches(draw: st.DrawFn) -> SampleBatch:
    return SampleBatch.of(
        ClusterId(draw(st.integers(1, 2**32 - 1))),
        SIGNER.address,
        draw(st.integers(1, UINT64_MAX)),
        draw(st.integers(0, UINT64_MAX)),
        draw(st.sampled_from(EnergySource)),
        draw(st.lists(samples(), max_size=12, unique_by=lambda sample: sample[:2])),
    )


def batch_of(*of: Sample) -> SampleBatch:
    return SampleBatch.of(ClusterId(1), SIGNER.address, 1, 2_000, EnergySource.METERED, of)


def signed(*of: Sample) -> SignedBatch:
    return sign_batch(batch_of(*of), SIGNER, DOMAIN)


def body_with(change: dict[str, Any], sample_change: dict[str, Any] | None = None) -> bytes:
    value = json.loads(signed(SAMPLE).to_json())
    value.update(change)
    if sample_change is not None:
        value["samples"][0].update(sample_change)
    return json.dumps(value).encode()


@pytest.mark.property
@searched(100)
@given(samples())
def test_sample_leaf__any_sample__is_the_double_hash_of_its_abi_encoding(sample: Sample) -> None:
    encoded = encode(("bytes32", "uint64", "uint16", "uint16", "uint64", "uint16"), sample)
    assert sample_leaf(sample) == keccak(keccak(encoded))


@pytest.mark.property
@searched(100)
@given(batches(), st.integers(1, 2**64), st.binary(min_size=20, max_size=20))
def test_digest__any_batch__is_that_of_eth_account(
    batch: SampleBatch, chain_id: int, oracle: bytes
) -> None:
    message = encode_typed_data(
        {
            "name": "Rackstream Agent",
            "version": "1",
            "chainId": chain_id,
            "verifyingContract": to_address(oracle),
        },
        {
            "SampleBatch": [
                {"name": "clusterId", "type": "uint32"},
                {"name": "agent", "type": "address"},
                {"name": "sequence", "type": "uint64"},
                {"name": "throughMs", "type": "uint64"},
                {"name": "energySource", "type": "uint8"},
                {"name": "samplesRoot", "type": "bytes32"},
            ]
        },
        {
            "clusterId": batch.cluster_id,
            "agent": batch.agent,
            "sequence": batch.sequence,
            "throughMs": batch.through_ms,
            "energySource": int(batch.energy_source),
            "samplesRoot": bytes(batch.samples_root),
        },
    )
    expected = keccak(b"\x19" + message.version + message.header + message.body)
    assert batch.digest(agent_domain(chain_id, to_address(oracle))) == expected


@pytest.mark.property
@searched(100)
@given(batches())
def test_parse_batch__what_to_json_wrote__is_the_same_batch(batch: SampleBatch) -> None:
    written = sign_batch(batch, SIGNER, DOMAIN)
    parsed = parse_batch(written.to_json())
    assert parsed == written
    assert parsed.verify(DOMAIN) == batch.digest(DOMAIN)


WRITTEN = json.loads(signed(SAMPLE, SAMPLE._replace(at_ms=2_000, xid=79)).to_json())


@pytest.mark.property
@searched(300)
@given(mangled_json(WRITTEN))
def test_parse_batch__any_bytes__are_a_batch_or_refused(body: bytes) -> None:
    try:
        parsed = parse_batch(body)
    except InvalidInput:
        return
    # Whatever it took, it took for something that can be written and signed for.
    assert parse_batch(parsed.to_json()) == parsed
    with suppress(BadSignature):
        parsed.verify(DOMAIN)


@pytest.mark.property
@searched(100)
@given(batches())
def test_to_json__any_batch__is_json_without_a_number_above_2_to_53(batch: SampleBatch) -> None:
    value = json.loads(sign_batch(batch, SIGNER, DOMAIN).to_json())
    assert value["samples"] == [sample_json(sample) for sample in batch.samples]
    numbers = [value, *value["samples"]]
    assert all(n < 2**53 for item in numbers for n in item.values() if isinstance(n, int))


def test_to_json__a_batch__has_the_documented_form() -> None:
    batch = signed(SAMPLE._replace(energy_mj=2**53))
    assert batch.to_json().decode() == (
        f'{{"clusterId":1,"agent":"{SIGNER.address}","sequence":1,"throughMs":2000,'
        f'"energySource":"metered","samples":[{{"gpu":"0x{"01" * 32}","atMs":1000,'
        '"busyBps":5000,"billableBps":4000,"energyMj":"9007199254740992","xid":0}],'
        f'"signature":"{to_hex(batch.signature)}"}}'
    )


def test_digest__another_order_of_samples__is_the_same() -> None:
    other = SAMPLE._replace(at_ms=5)
    assert batch_of(SAMPLE, other) == batch_of(other, SAMPLE)


def test_samples_root__no_samples__is_zero() -> None:
    assert batch_of().samples_root == ZERO_DIGEST


def test_verify__another_contract__is_refused() -> None:
    elsewhere = agent_domain(31337, to_address(b"\x44" * 20))
    with pytest.raises(BadSignature, match=f"not by {SIGNER.address}"):
        signed(SAMPLE).verify(elsewhere)


def test_verify__another_chain__is_refused() -> None:
    with pytest.raises(BadSignature):
        signed(SAMPLE).verify(agent_domain(1, ORACLE))


@pytest.mark.parametrize(
    "change", [{"sequence": 2}, {"through_ms": 9}, {"energy_source": EnergySource.MODELLED}]
)
def test_verify__tampered__is_refused(change: dict[str, Any]) -> None:
    batch = signed(SAMPLE)
    with pytest.raises(BadSignature):
        replace(batch, batch=replace(batch.batch, **change)).verify(DOMAIN)


def test_verify__tampered_sample__is_refused() -> None:
    body = signed(SAMPLE).to_json().replace(b'"busyBps":5000', b'"busyBps":6000')
    with pytest.raises(BadSignature):
        parse_batch(body).verify(DOMAIN)


def test_sign_batch__another_key__is_refused() -> None:
    with pytest.raises(Incoherent, match=f"the batch is {SIGNER.address}'s"):
        sign_batch(batch_of(SAMPLE), Signer(b"\x06" * 32), DOMAIN)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"gpu": b"\x01"}, Malformed, "gpu is .* 32 bytes"),
        ({"at_ms": -1}, OutOfRange, "atMs is -1"),
        ({"at_ms": 2**64}, OutOfRange, "atMs is 18446744073709551616"),
        ({"busy_bps": 10_001}, OutOfRange, "busyBps is 10001, allowed is 0 to 10000"),
        ({"billable_bps": 5_001}, Incoherent, "billableBps is 5001, .* busyBps 5000"),
        ({"billable_bps": -1}, Incoherent, "billableBps is -1"),
        ({"energy_mj": 2**64}, OutOfRange, "energyMj is"),
        ({"xid": 65_536}, OutOfRange, "xid is 65536"),
    ],
)
def test_checked_sample__out_of_range__is_refused_by_name(
    change: dict[str, Any], error: type[InvalidInput], message: str
) -> None:
    with pytest.raises(error, match=message):
        checked_sample(SAMPLE._replace(**change))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"clusterId": 0}, "clusterId is 0, allowed is 1"),
        ({"clusterId": 2**32}, "clusterId is 4294967296"),
        ({"clusterId": "1"}, "clusterId is '1'"),
        ({"agent": "0x12"}, "agent is '0x12'"),
        ({"sequence": 0}, "sequence is 0, allowed is 1"),
        ({"sequence": -1}, "sequence"),
        ({"sequence": 2**53}, "sequence"),
        ({"sequence": str(2**64)}, "sequence is 18446744073709551616"),
        ({"throughMs": True}, "throughMs"),
        ({"throughMs": 1.0}, "throughMs"),
        ({"energySource": "guessed"}, "energySource is 'guessed'"),
        ({"samples": {}}, "samples is "),
        ({"signature": "0x00"}, "signature is '0x00', expected 0x and 130"),
        ({"more": 1}, "more is 1"),
    ],
)
def test_parse_batch__malformed__is_refused_by_name(change: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        parse_batch(body_with(change))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"gpu": "0x01"}, r"samples\.0\.gpu is '0x01'"),
        ({"atMs": -1}, r"samples\.0\.atMs"),
        ({"atMs": str(2**64)}, "atMs is 18446744073709551616"),
        ({"busyBps": 10_001}, r"samples\.0\.busyBps is 10001"),
        ({"busyBps": "5000"}, r"samples\.0\.busyBps is '5000'"),
        ({"billableBps": 5_001}, "billableBps is 5001"),
        ({"energyMj": "07"}, r"samples\.0\.energyMj"),
        ({"xid": 70_000}, r"samples\.0\.xid is 70000"),
        ({"xid": None}, r"samples\.0\.xid is None"),
    ],
)
def test_parse_batch__sample_malformed__is_refused_by_name(
    change: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidInput, match=message):
        parse_batch(body_with({}, change))


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"\xff", b'{"clusterId": 1}'])
def test_parse_batch__no_batch__is_refused(body: bytes) -> None:
    with pytest.raises(Malformed):
        parse_batch(body)


def test_parse_batch__too_many_bytes__is_refused_unread() -> None:
    with pytest.raises(Oversized, match="2097153 bytes, at most 2097152"):
        parse_batch(b" " * (2 * 1024 * 1024 + 1))


def test_parse_batch__most_samples_and_longest_numbers__fits_into_two_mebibytes() -> None:
    most = [
        Sample(GPU, UINT64_MAX - index, 10_000, 10_000, UINT64_MAX, 65_535)
        for index in range(10_000)
    ]
    body = signed(*most).to_json()
    assert len(body) <= 2 * 1024 * 1024
    assert len(parse_batch(body).batch.samples) == 10_000


def test_parse_batch__one_sample_too_many__is_refused() -> None:
    sample = sample_json(SAMPLE)
    with pytest.raises(Oversized, match="10001 samples, at most 10000"):
        parse_batch(body_with({"samples": [sample] * 10_001}))


def test_sample_batch__one_sample_too_many__is_refused() -> None:
    with pytest.raises(Oversized, match="10001 samples"):
        batch_of(*(SAMPLE._replace(at_ms=at) for at in range(10_001)))


def test_parse_batch__gpu_twice_at_one_instant__is_refused() -> None:
    with pytest.raises(Duplicated, match=f"sample 0x{'01' * 32} at 1000 is there twice"):
        parse_batch(body_with({"samples": [sample_json(SAMPLE)] * 2}))


def test_json_schema__of_a_batch__states_no_number_that_doubles_cannot_hold() -> None:
    def numbers(value: object) -> list[float]:
        if isinstance(value, dict):
            return [n for item in value.values() for n in numbers(item)]
        if isinstance(value, list):
            return [n for item in value for n in numbers(item)]
        return [value] if isinstance(value, int | float) and not isinstance(value, bool) else []

    assert max(numbers(BATCH_ADAPTER.json_schema())) == 2**53 - 1


@pytest.mark.property
@searched(100)
@given(st.lists(samples(), max_size=30), st.randoms(), st.integers(0, 10))
def test_canonical_samples__any_order_and_repetition__is_the_same(
    given_samples: list[Sample], chance: Any, repeated: int
) -> None:
    shuffled = given_samples + given_samples[:repeated]
    chance.shuffle(shuffled)
    once = canonical_samples(given_samples, 0, UINT64_MAX + 1)
    assert canonical_samples(shuffled, 0, UINT64_MAX + 1) == once
    assert {sample[:2] for sample in once} == {sample[:2] for sample in given_samples}
    assert once == sorted(once)


def test_canonical_samples__contradiction__keeps_the_smallest_leaf() -> None:
    contradicting = [SAMPLE._replace(busy_bps=busy) for busy in range(4_000, 4_050)]
    chosen = canonical_samples(contradicting, 0, 2_000)
    assert chosen == [min(contradicting, key=sample_leaf)]


def test_canonical_samples__window__takes_the_lookback_and_not_the_end() -> None:
    start, end = 1_000_000, 2_000_000
    edges = [start - 300_001, start - 300_000, end - 1, end]
    chosen = canonical_samples([SAMPLE._replace(at_ms=at) for at in edges], start, end)
    assert [sample.at_ms for sample in chosen] == edges[1:3]


def test_sample_set__of_a_window__proves_its_samples_and_no_others() -> None:
    inside = [SAMPLE._replace(at_ms=at) for at in range(1_000_000, 1_000_020)]
    outside = SAMPLE._replace(at_ms=2_000_000)
    sample_set = SampleSet([*inside, outside], 1_000_000, 2_000_000)
    assert len(sample_set) == 20
    for sample in inside:
        assert verify_proof(sample_set.root, sample_leaf(sample), sample_set.proof(sample))
    with pytest.raises(NotFound, match=f"no such sample of GPU 0x{'01' * 32} at 2000000"):
        sample_set.proof(outside)


def test_sample_set__no_samples__has_the_zero_root() -> None:
    assert SampleSet([], 0, 1).root == ZERO_DIGEST


def test_separator__another_field__is_another() -> None:
    domains = [
        DOMAIN,
        replace(DOMAIN, name="x"),
        replace(DOMAIN, version="2"),
        replace(DOMAIN, chain_id=1),
        Eip712Domain(DOMAIN.name, DOMAIN.version, DOMAIN.chain_id, SIGNER.address),
    ]
    assert len({domain.separator for domain in domains}) == len(domains)
