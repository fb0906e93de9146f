"""The registered GPUs of a cluster: what stands behind the `gpuSetRoot` of its specification on
chain.

The manifest is public JSON; anyone may hand it to a reporter, who accepts it if its root is the one
on chain:

    {"clusterId": 1, "gpus": [{"uuid": "GPU-…", "gpuId": "0x…", "agent": "0x…", "fromMs":
      1700000000000, "untilMs": "18446744073709551615", "sampleIntervalMs": 57000}, …]}
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise

from api.domain.codec import (
    gpu_id_of,
    json_integer,
    parse_address,
    parse_hex,
    parse_uint,
    to_hex,
)
from api.domain.eip712 import address_word, word
from api.domain.hashing import hash_leaf
from api.domain.merkle import MerkleTree
from api.errors import Duplicated, Incoherent, Malformed, OutOfRange, Oversized, UnknownGpu
from api.types import (
    MAX_GPUS,
    MAX_SAMPLE_INTERVAL_MS,
    MIN_SAMPLE_INTERVAL_MS,
    UINT32_MAX,
    UINT64_MAX,
    Address,
    ClusterId,
    Digest,
    GpuId,
)

_UUID_MAX_CHARS = 256


@dataclass(frozen=True, slots=True)
class GpuRecord:
    """One GPU under contract.

    Attributes:
        uuid: The GPU's UUID, or the container's hash in a recorded trace; 1 to 256 characters.
        agent: The account whose signature speaks for this GPU.
        from_ms: First Unix millisecond in service.
        until_ms: First Unix millisecond no longer in service; 2^64 − 1 while it is.
        sample_interval_ms: Agreed sampling period, 1,000 to 300,000: registered, so that an agent
            cannot stretch it to hide downtime.
        gpu_id: keccak256 of the UUID.
    """

    uuid: str
    agent: Address
    from_ms: int
    until_ms: int
    sample_interval_ms: int
    gpu_id: GpuId = field(init=False)

    def __post_init__(self) -> None:
        """Raises Malformed, OutOfRange or Incoherent."""
        # Printable: neither lone surrogates, which UTF-8, nor NUL, which PostgreSQL cannot hold.
        if not 0 < len(self.uuid) <= _UUID_MAX_CHARS or not self.uuid.isprintable():
            raise Malformed("uuid", self.uuid, f"1 to {_UUID_MAX_CHARS} printable characters")
        object.__setattr__(self, "gpu_id", gpu_id_of(self.uuid))
        for name, value in (("fromMs", self.from_ms), ("untilMs", self.until_ms)):
            if not 0 <= value <= UINT64_MAX:
                raise OutOfRange(name, value, 0, UINT64_MAX)
        if self.from_ms >= self.until_ms:
            raise Incoherent(
                f"GPU {self.uuid} is in service from {self.from_ms} until {self.until_ms}",
                value=self.from_ms,
                limit=self.until_ms,
            )
        if not MIN_SAMPLE_INTERVAL_MS <= self.sample_interval_ms <= MAX_SAMPLE_INTERVAL_MS:
            raise OutOfRange(
                "sampleIntervalMs",
                self.sample_interval_ms,
                MIN_SAMPLE_INTERVAL_MS,
                MAX_SAMPLE_INTERVAL_MS,
            )

    @property
    def leaf(self) -> Digest:
        """keccak256(keccak256(abi.encode(gpuId, agent, fromMs, untilMs, sampleIntervalMs)))."""
        return hash_leaf(
            self.gpu_id
            + address_word(self.agent)
            + word(self.from_ms)
            + word(self.until_ms)
            + word(self.sample_interval_ms)
        )

    def in_service(self, start_ms: int, end_ms: int) -> bool:
        """Whether it is in service at any time in [start_ms, end_ms)."""
        return self.from_ms < end_ms and start_ms < self.until_ms

    def to_json(self) -> dict[str, object]:
        return {
            "uuid": self.uuid,
            "gpuId": to_hex(self.gpu_id),
            "agent": self.agent,
            "fromMs": json_integer(self.from_ms),
            "untilMs": json_integer(self.until_ms),
            "sampleIntervalMs": self.sample_interval_ms,
        }

    @classmethod
    def from_json(cls, value: object) -> GpuRecord:
        """Raises Malformed, OutOfRange or Incoherent; so it does where `gpuId` is not the UUID's
        hash.
        """
        if not isinstance(value, Mapping):
            raise Malformed("gpus", value, "objects")
        uuid = value.get("uuid")
        if not isinstance(uuid, str):
            raise Malformed("uuid", uuid, "text")
        record = cls(
            uuid=uuid,
            agent=parse_address(value.get("agent"), "agent"),
            from_ms=parse_uint(value.get("fromMs"), "fromMs"),
            until_ms=parse_uint(value.get("untilMs"), "untilMs"),
            sample_interval_ms=parse_uint(
                value.get("sampleIntervalMs"), "sampleIntervalMs", UINT32_MAX
            ),
        )
        if parse_hex(value.get("gpuId"), "gpuId", 32) != record.gpu_id:
            raise Incoherent(
                f"gpuId of GPU {uuid} is {value.get('gpuId')}, its hash is {to_hex(record.gpu_id)}",
                value=value.get("gpuId"),
                limit=to_hex(record.gpu_id),
            )
        return record


class GpuSet:
    """The GPUs of one cluster, ascending by id. Iterates over its records."""

    def __init__(self, cluster_id: ClusterId, gpus: Iterable[GpuRecord]) -> None:
        """Raises OutOfRange, Oversized, or Duplicated for a GPU that is there twice."""
        if not 1 <= cluster_id <= UINT32_MAX:
            raise OutOfRange("clusterId", cluster_id, 1, UINT32_MAX)
        self.cluster_id = cluster_id
        self.gpus: tuple[GpuRecord, ...] = tuple(sorted(gpus, key=lambda gpu: gpu.gpu_id))
        if len(self.gpus) > MAX_GPUS:
            raise Oversized("GPUs", len(self.gpus), MAX_GPUS)
        self._by_id = {gpu.gpu_id: gpu for gpu in self.gpus}
        if len(self._by_id) < len(self.gpus):
            twice = next(a for a, b in pairwise(self.gpus) if a.gpu_id == b.gpu_id)
            raise Duplicated("GPU", twice.uuid)

    def __iter__(self) -> Iterator[GpuRecord]:
        return iter(self.gpus)

    def __len__(self) -> int:
        return len(self.gpus)

    def __contains__(self, gpu_id: object) -> bool:
        return gpu_id in self._by_id

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, GpuSet):
            return NotImplemented
        return self.cluster_id == other.cluster_id and self.gpus == other.gpus

    def __hash__(self) -> int:
        return hash((self.cluster_id, self.gpus))

    def get(self, gpu_id: GpuId) -> GpuRecord | None:
        return self._by_id.get(gpu_id)

    @cached_property
    def _tree(self) -> MerkleTree:
        return MerkleTree(gpu.leaf for gpu in self.gpus)

    @property
    def root(self) -> Digest:
        """What `gpuSetRoot` on chain must be."""
        return self._tree.root

    def proof(self, gpu_id: GpuId) -> list[Digest]:
        """The Merkle proof that this GPU is registered. Raises UnknownGpu."""
        gpu = self._by_id.get(gpu_id)
        if gpu is None:
            raise UnknownGpu(to_hex(gpu_id), self.cluster_id)
        return self._tree.proof(gpu.leaf)

    def agents(self, start_ms: int, end_ms: int) -> frozenset[Address]:
        """The agents of GPUs in service at any time in [start_ms, end_ms)."""
        return frozenset(gpu.agent for gpu in self.gpus if gpu.in_service(start_ms, end_ms))

    def of_agent(self, agent: Address) -> tuple[GpuRecord, ...]:
        """The GPUs that `agent` speaks for."""
        return tuple(gpu for gpu in self.gpus if gpu.agent == agent)

    def to_json(self) -> dict[str, object]:
        """The manifest as a JSON object."""
        return {"clusterId": self.cluster_id, "gpus": [gpu.to_json() for gpu in self.gpus]}

    def to_manifest(self) -> str:
        """The manifest as JSON text."""
        return json.dumps(self.to_json(), indent=1, ensure_ascii=False)

    @classmethod
    def from_json(cls, value: object) -> GpuSet:
        """The set in a manifest object. Raises InvalidInput's subclasses, naming what is wrong."""
        if not isinstance(value, Mapping):
            raise Malformed("manifest", value, "an object")
        gpus = value.get("gpus")
        if not isinstance(gpus, list):
            raise Malformed("gpus", gpus, "a list")
        if len(gpus) > MAX_GPUS:
            raise Oversized("GPUs", len(gpus), MAX_GPUS)
        cluster_id = ClusterId(parse_uint(value.get("clusterId"), "clusterId", UINT32_MAX))
        return cls(cluster_id, (GpuRecord.from_json(gpu) for gpu in gpus))

    @classmethod
    def from_manifest(cls, text: str | bytes) -> GpuSet:
        """The set in the text of a manifest.

        Raises InvalidInput's subclasses, naming what is wrong.
        """
        try:
            value = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise Malformed("manifest", text, f"JSON ({error})") from None
        return cls.from_json(value)
