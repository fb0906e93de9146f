"""Samples of GPUs, the batches in which agents sign them, and the set of them behind a report.

A batch in JSON, the body of `POST /v1/samples`:

    {"clusterId": 1, "agent": "0x…", "sequence": 7, "throughMs": 1700003600000,
     "energySource": "metered", "samples": [{"gpu": "0x…", "atMs": 1700000000000,
     "busyBps": 8000, "billableBps": 8000, "energyMj": 123, "xid": 0}, …], "signature": "0x…"}

Integers above 2^53 − 1 are strings. The canonical text has this order of keys, no white space, and
samples ascending by (gpu, atMs); what is signed does not depend on it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from operator import itemgetter
from struct import Struct
from typing import Annotated, Literal, NamedTuple

from pydantic import ConfigDict, Field, StrictInt, TypeAdapter, ValidationError, with_config
from typing_extensions import TypedDict

from api.domain.codec import json_integer, parse_address, parse_hex, parse_uint, to_hex
from api.domain.eip712 import Eip712Domain, address_word, word
from api.domain.hashing import hash_leaf, keccak256
from api.domain.merkle import MerkleTree, merkle_root
from api.domain.signing import Signer, require_signer
from api.errors import Duplicated, Incoherent, Malformed, NotFound, OutOfRange, Oversized
from api.types import (
    BPS,
    JSON_SAFE_INTEGER,
    LOOKBACK_SECONDS,
    MAX_BATCH_BYTES,
    MAX_BATCH_SAMPLES,
    UINT16_MAX,
    UINT32_MAX,
    UINT64_MAX,
    Address,
    ClusterId,
    Digest,
    EnergySource,
    GpuId,
    Signature,
)

# bytes32 gpuId, uint64 atMs, uint16 busyBps, uint16 billableBps, uint64 energyMj, uint16 xid: one
# ABI word each.
_SAMPLE_WORDS = Struct(">32s24xQ30xH30xH24xQ30xH")

_BATCH_TYPE = keccak256(
    b"SampleBatch(uint32 clusterId,address agent,uint64 sequence,uint64 throughMs,"
    b"uint8 energySource,bytes32 samplesRoot)"
)

_ENERGY_SOURCES = {source.label: source for source in EnergySource}


class Sample(NamedTuple):
    """One reading of one GPU. A tuple, because an epoch has thousands; it sorts by (gpu, at_ms).

    Built from outside data only through `checked_sample` or `parse_batch`.
    """

    gpu: GpuId
    at_ms: int
    """Unix milliseconds, uint64."""
    busy_bps: int
    """Share of time the GPU was busy, as its meter showed at `at_ms`, 0 to 10,000."""
    billable_bps: int
    """The part of it that worked for customers, 0 to busy_bps."""
    energy_mj: int
    """Cumulative counter in millijoules, uint64; smaller than before means that it was reset."""
    xid: int
    """NVIDIA XID of the last error, 0 for none; uint16."""


def checked_sample(sample: Sample) -> Sample:
    """`sample`, if its values are in range.

    Raises Malformed, OutOfRange or Incoherent, naming field and limit.
    """
    gpu, at_ms, busy, billable, energy, xid = sample
    if len(gpu) != 32:
        raise Malformed("gpu", gpu, "32 bytes")
    if not 0 <= at_ms <= UINT64_MAX:
        raise OutOfRange("atMs", at_ms, 0, UINT64_MAX)
    if not 0 <= busy <= BPS:
        raise OutOfRange("busyBps", busy, 0, BPS)
    if not 0 <= billable <= busy:
        raise Incoherent(
            f"billableBps is {billable}, allowed is 0 to busyBps {busy}", value=billable, limit=busy
        )
    if not 0 <= energy <= UINT64_MAX:
        raise OutOfRange("energyMj", energy, 0, UINT64_MAX)
    if not 0 <= xid <= UINT16_MAX:
        raise OutOfRange("xid", xid, 0, UINT16_MAX)
    return sample


def sample_leaf(sample: Sample) -> Digest:
    """keccak256(keccak256(abi.encode(gpuId, atMs, busyBps, billableBps, energyMj, xid))).

    The sample must be in range.
    """
    return hash_leaf(_SAMPLE_WORDS.pack(*sample))


@dataclass(frozen=True)
class SampleBatch:
    """What an agent signs: samples, and the instant up to which it has sent all it has.

    Attributes:
        sequence: Counts an agent's batches for a cluster from 1; no two batches share one.
        through_ms: The agent has sent every sample of its GPUs with at ≤ this Unix millisecond. A
            batch without samples is a pure declaration of that.
        samples: Ascending by (gpu, at_ms), each once.
    """

    cluster_id: ClusterId
    agent: Address
    sequence: int
    through_ms: int
    energy_source: EnergySource
    samples: tuple[Sample, ...]

    @classmethod
    def of(
        cls,
        cluster_id: ClusterId,
        agent: Address,
        sequence: int,
        through_ms: int,
        energy_source: EnergySource,
        samples: Iterable[Sample],
    ) -> SampleBatch:
        """A batch of these samples, in any order.

        Raises:
            OutOfRange, Incoherent, Malformed: A value is not allowed.
            Oversized: More than 10,000 samples.
            Duplicated: Two samples of one GPU at one instant.
        """
        ordered = tuple(sorted(map(checked_sample, samples), key=itemgetter(0, 1)))
        return cls(cluster_id, agent, sequence, through_ms, energy_source, ordered)

    def __post_init__(self) -> None:
        if not 1 <= self.cluster_id <= UINT32_MAX:
            raise OutOfRange("clusterId", self.cluster_id, 1, UINT32_MAX)
        if not 1 <= self.sequence <= UINT64_MAX:
            raise OutOfRange("sequence", self.sequence, 1, UINT64_MAX)
        if not 0 <= self.through_ms <= UINT64_MAX:
            raise OutOfRange("throughMs", self.through_ms, 0, UINT64_MAX)
        if len(self.samples) > MAX_BATCH_SAMPLES:
            raise Oversized("samples", len(self.samples), MAX_BATCH_SAMPLES)
        for a, b in pairwise(self.samples):
            if a[1] == b[1] and a[0] == b[0]:
                raise Duplicated("sample", f"{to_hex(a.gpu)} at {a.at_ms}")

    @cached_property
    def leaves(self) -> tuple[Digest, ...]:
        """The samples' leaves, in the samples' order."""
        return tuple(map(sample_leaf, self.samples))

    @cached_property
    def samples_root(self) -> Digest:
        return merkle_root(self.leaves)

    def digest(self, domain: Eip712Domain) -> Digest:
        """What the agent signs, and the batch's id; `domain` is `agent_domain`'s.

        The agent is part of it, or else two agents that declare the same would have one id.
        """
        return domain.digest(
            keccak256(
                _BATCH_TYPE
                + word(self.cluster_id)
                + address_word(self.agent)
                + word(self.sequence)
                + word(self.through_ms)
                + word(self.energy_source)
                + self.samples_root
            )
        )


@dataclass(frozen=True)
class SignedBatch:
    """A batch with its agent's signature."""

    batch: SampleBatch
    signature: Signature

    def verify(self, domain: Eip712Domain) -> Digest:
        """The batch's id, if its agent signed it. Raises BadSignature."""
        digest = self.batch.digest(domain)
        require_signer(digest, self.signature, self.batch.agent)
        return digest

    def to_json(self) -> bytes:
        """The canonical text."""
        batch = self.batch
        samples = ",".join(
            f'{{"gpu":"0x{gpu.hex()}","atMs":{_number(at)},"busyBps":{busy},"billableBps":{billable},'
            f'"energyMj":{_number(energy)},"xid":{xid}}}'
            for gpu, at, busy, billable, energy, xid in batch.samples
        )
        return (
            f'{{"clusterId":{batch.cluster_id},"agent":"{batch.agent}","sequence":{_number(batch.sequence)},'
            f'"throughMs":{_number(batch.through_ms)},"energySource":"{batch.energy_source.label}",'
            f'"samples":[{samples}],"signature":"{to_hex(self.signature)}"}}'
        ).encode()


def sign_batch(batch: SampleBatch, signer: Signer, domain: Eip712Domain) -> SignedBatch:
    """`batch` with the signature of its agent, who must be `signer`."""
    if batch.agent != signer.address:
        raise Incoherent(
            f"the batch is {batch.agent}'s, the key is {signer.address}'s",
            value=signer.address,
            limit=batch.agent,
        )
    return SignedBatch(batch, signer.sign(batch.digest(domain)))


# What pydantic checks: shape, types and the ranges that JSON Schema can state exactly.
_Uint64 = (
    Annotated[StrictInt, Field(ge=0, le=JSON_SAFE_INTEGER)]
    | Annotated[str, Field(strict=True, pattern=r"^(0|[1-9][0-9]{0,19})$")]
)
_Uint32 = Annotated[StrictInt, Field(ge=0, le=UINT32_MAX)]
_Bytes32 = Annotated[str, Field(strict=True, pattern=r"^0x[0-9a-fA-F]{64}$")]
_Bps = Annotated[StrictInt, Field(ge=0, le=BPS)]


@with_config(ConfigDict(extra="forbid"))
class SampleJson(TypedDict):
    """A sample in JSON."""

    gpu: _Bytes32
    atMs: _Uint64
    busyBps: _Bps
    billableBps: _Bps
    energyMj: _Uint64
    xid: Annotated[StrictInt, Field(ge=0, le=UINT16_MAX)]


@with_config(ConfigDict(extra="forbid"))
class SampleBatchJson(TypedDict):
    """A signed batch in JSON."""

    clusterId: _Uint32
    agent: str
    sequence: _Uint64
    throughMs: _Uint64
    energySource: Literal["metered", "modelled"]
    samples: Annotated[list[SampleJson], Field(max_length=MAX_BATCH_SAMPLES)]
    signature: str


BATCH_ADAPTER: TypeAdapter[SampleBatchJson] = TypeAdapter(SampleBatchJson)
"""The shape of a batch; services publish its JSON Schema."""


def parse_batch(body: bytes) -> SignedBatch:
    """The batch in the body of a request. Its signature is read, not verified.

    Raises:
        Oversized: More than 2 MiB or 10,000 samples.
        Malformed, OutOfRange, Incoherent, Duplicated: Naming the field, its value and the limit.
    """
    if len(body) > MAX_BATCH_BYTES:
        raise Oversized("bytes", len(body), MAX_BATCH_BYTES)
    try:
        value = BATCH_ADAPTER.validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        if first["type"] == "too_long":
            raise Oversized("samples", len(first["input"]), MAX_BATCH_SAMPLES) from None
        raise Malformed(
            ".".join(map(str, first["loc"])) or "body", first["input"], first["msg"]
        ) from None
    return SignedBatch(
        SampleBatch.of(
            ClusterId(value["clusterId"]),
            parse_address(value["agent"], "agent"),
            parse_uint(value["sequence"], "sequence"),
            parse_uint(value["throughMs"], "throughMs"),
            _ENERGY_SOURCES[value["energySource"]],
            [
                Sample(
                    GpuId(bytes.fromhex(sample["gpu"][2:])),
                    int(sample["atMs"]),
                    sample["busyBps"],
                    sample["billableBps"],
                    int(sample["energyMj"]),
                    sample["xid"],
                )
                for sample in value["samples"]
            ],
        ),
        Signature(parse_hex(value["signature"], "signature", 65)),
    )


def canonical_samples(samples: Iterable[Sample], start_ms: int, end_ms: int) -> list[Sample]:
    """The samples that decide the figures of [start_ms, end_ms): at in [start − LOOKBACK, end), by
    (gpu, at), each once.

    Of samples that contradict each other the one with the smallest leaf counts, so that every
    reporter picks the same whatever came first.
    """
    earliest = start_ms - LOOKBACK_SECONDS * 1_000
    ordered = sorted(sample for sample in samples if earliest <= sample[1] < end_ms)
    chosen: list[Sample] = []
    for sample in ordered:
        if chosen and chosen[-1][1] == sample[1] and chosen[-1][0] == sample[0]:
            if sample != chosen[-1]:
                chosen[-1] = min(chosen[-1], sample, key=sample_leaf)
        else:
            chosen.append(sample)
    return chosen


class SampleSet:
    """The samples behind one cluster's figures, with the Merkle tree over them."""

    def __init__(self, samples: Iterable[Sample], start_ms: int, end_ms: int) -> None:
        """The canonical samples of the window [start_ms, end_ms) among `samples`."""
        self.samples = canonical_samples(samples, start_ms, end_ms)

    @cached_property
    def _tree(self) -> MerkleTree:
        return MerkleTree(map(sample_leaf, self.samples))

    @property
    def root(self) -> Digest:
        """The sample root; zero if there are no samples."""
        return self._tree.root

    def __len__(self) -> int:
        return len(self.samples)

    def proof(self, sample: Sample) -> list[Digest]:
        """The Merkle proof of a sample. Raises NotFound."""
        leaf = sample_leaf(sample)
        if leaf not in self._tree:
            raise NotFound(
                f"no such sample of GPU {to_hex(sample.gpu)} at {sample.at_ms}", value=sample.at_ms
            )
        return self._tree.proof(leaf)


def sample_json(sample: Sample) -> dict[str, object]:
    """A sample as a JSON object."""
    return {
        "gpu": to_hex(sample.gpu),
        "atMs": json_integer(sample.at_ms),
        "busyBps": sample.busy_bps,
        "billableBps": sample.billable_bps,
        "energyMj": json_integer(sample.energy_mj),
        "xid": sample.xid,
    }


def _number(value: int) -> str:
    return str(value) if value <= JSON_SAFE_INTEGER else f'"{value}"'
